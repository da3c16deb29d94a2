/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A played device whose streams do what they were given as late as they may: when somebody waits
 * for it.  What nobody waited for has not happened.  See late_device.h.
 */
#include "late_device.h"

#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernels/composite.h"
#include "pool/os.h"

#define OPS_MAX     4096
#define STREAMS_MAX 8

late_device late;

typedef enum op_kind { OP_IN, OP_OUT, OP_RESIZE, OP_DRAW, OP_UNPREMULTIPLY } op_kind;

typedef struct late_op {
    op_kind kind;
    uint64_t device;
    void *host;
    const void *from;
    size_t size_bytes;
    uint32_t count, tiles;
    const draw_batch *batch;
} late_op;

typedef struct late_stream {
    bool open;
    size_t op_count;
    late_op ops[OPS_MAX];
} late_stream;

static late_stream streams[STREAMS_MAX];

static const char *call(void)
{
    return ++late.call_number == late.fail_at ? "the played device failed" : NULL;
}

static const char *check(cuda_result result)
{
    return result == CUDA_OK ? NULL : "the fake driver failed";
}

static const char *probe(void)
{
    return call();
}

static const char *stream_open(void **stream)
{
    const char *words = call();
    for (int i = 0; words == NULL && i < STREAMS_MAX; i++) {
        if (!streams[i].open) {
            streams[i].open = true;
            streams[i].op_count = 0;
            *stream = &streams[i];
            return NULL;
        }
    }
    return words == NULL ? "too many streams" : words;
}

static void stream_close(void *stream)
{
    late_stream *s = stream;
    DP_ASSERT(s->open && s->op_count == 0);
    s->open = false;
}

static const char *add(void *stream, late_op op)
{
    late_stream *s = stream;
    const char *words = call();
    DP_ASSERT(s->open && s->op_count < OPS_MAX);
    if (words == NULL) {
        s->ops[s->op_count++] = op;
        late.copies += op.kind == OP_IN || op.kind == OP_OUT;
        late.sent_bytes += op.kind == OP_IN ? op.size_bytes : 0;
        late.launches += op.kind == OP_RESIZE || op.kind == OP_DRAW;
        unsigned under_way = 0;
        for (int i = 0; i < STREAMS_MAX; i++) {
            under_way += streams[i].op_count > 0;
        }
        late.most_under_way = under_way > late.most_under_way ? under_way : late.most_under_way;
    }
    return words;
}

static const char *copy_in(uint64_t to, const void *from, size_t size_bytes, void *stream)
{
    return add(stream,
               (late_op){.kind = OP_IN, .device = to, .from = from, .size_bytes = size_bytes});
}

static const char *copy_out(void *to, uint64_t from, size_t size_bytes, void *stream)
{
    return add(stream,
               (late_op){.kind = OP_OUT, .device = from, .host = to, .size_bytes = size_bytes});
}

static const char *resize(uint64_t jobs, uint32_t count, uint32_t tiles, void *stream)
{
    return add(stream,
               (late_op){.kind = OP_RESIZE, .device = jobs, .count = count, .tiles = tiles});
}

static const char *draw(const draw_batch *batch, void *stream)
{
    return add(stream, (late_op){.kind = OP_DRAW, .batch = batch});
}

static const char *unpremultiply(uint64_t runs, uint32_t count, uint64_t pixels_max, void *stream)
{
    return add(stream, (late_op){.kind = OP_UNPREMULTIPLY,
                                 .device = runs,
                                 .count = count,
                                 .size_bytes = (size_t)pixels_max});
}

/* The address that the fake driver stands behind a device address. */
static uint64_t behind(uint64_t address)
{
    return address == 0 ? 0 : address & ~(UINT64_C(1) << 62);
}

static const char *run_op(const late_op *op);

static const char *run_kernel(const late_op *op)
{
    resize_job *jobs = calloc(op->count, sizeof *jobs);
    DP_ASSERT(jobs != NULL);
    const late_op fetch = {
        .kind = OP_OUT, .device = op->device, .host = jobs, .size_bytes = op->count * sizeof *jobs};
    const char *words = run_op(&fetch);
    for (uint32_t i = 0; words == NULL && i < op->count; i++) {
        uint64_t *const addresses[] = {&jobs[i].source, &jobs[i].chroma[0], &jobs[i].chroma[1],
                                       &jobs[i].target, &jobs[i].x_memory,  &jobs[i].y_memory};
        for (size_t k = 0; k < sizeof addresses / sizeof addresses[0]; k++) {
            *addresses[k] = behind(*addresses[k]);
        }
    }
    if (words == NULL) {
        words = resize_batch_cuda((uint64_t)(uintptr_t)jobs, op->count, op->tiles, NULL);
    }
    free(jobs);
    return words;
}

/* Device code that follows addresses in the device's memory is given what is behind them. */
static void translate_plan(raster_device_plan *plan)
{
    uint64_t *const addresses[] = {&plan->commands,  &plan->edges, &plan->refs,   &plan->lines,
                                   &plan->gradients, &plan->ramps, &plan->layers, &plan->target};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        *addresses[i] = behind(*addresses[i]);
    }
    raster_device_layer *layers = (raster_device_layer *)(uintptr_t)plan->layers;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        layers[i].pixels = behind(layers[i].pixels);
    }
}

static const char *run_draw(const late_op *op)
{
    draw_batch batch = *op->batch;
    raster_batch *raster = &batch.raster;
    raster->device = behind(raster->device);
    batch.jobs_memory = behind(batch.jobs_memory);
    const raster_device_tile *tiles =
        (const raster_device_tile *)(uintptr_t)(raster->device + raster->size_bytes) -
        raster->tile_count;
    for (uint32_t i = 0; i < raster->tile_count; i++) {
        if (i == 0 || tiles[i].plan != tiles[i - 1].plan) {
            const uint64_t at = (uint64_t)tiles[i].plan * RASTER_BATCH_ALIGNMENT;
            translate_plan((raster_device_plan *)(uintptr_t)(raster->device + at));
        }
    }
    filter_job *jobs = (filter_job *)(uintptr_t)batch.jobs_memory;
    for (uint32_t i = 0; i < batch.job_count; i++) {
        jobs[i].pixels = behind(jobs[i].pixels);
        jobs[i].scratch = behind(jobs[i].scratch);
        jobs[i].passes = behind(jobs[i].passes);
    }
    return draw_batch_draw_cuda(&batch, 0);
}

static const char *run_unpremultiply(const late_op *op)
{
    composite_run *runs = (composite_run *)(uintptr_t)behind(op->device);
    for (uint32_t i = 0; i < op->count; i++) {
        runs[i].from = behind(runs[i].from);
        runs[i].to = behind(runs[i].to);
    }
    return composite_unpremultiply_runs_cuda((uint64_t)(uintptr_t)runs, op->count, op->size_bytes,
                                             0);
}

/* Page-locked memory that stands in for the device's is a device address too, but not to the fake
 * driver's plain copies. */
static const char *run_op(const late_op *op)
{
    void *pinned = (void *)(uintptr_t)behind(op->device);
    cuda_result result;
    switch (op->kind) {
    case OP_IN:
        result = late.device.driver->copy_to_device(op->device, op->from, op->size_bytes);
        if (result == CUDA_ILLEGAL_ADDRESS) {
            memcpy(pinned, op->from, op->size_bytes);
            result = CUDA_OK;
        }
        return check(result);
    case OP_OUT:
        result = late.device.driver->copy_to_host(op->host, op->device, op->size_bytes);
        if (result == CUDA_ILLEGAL_ADDRESS) {
            memcpy(op->host, pinned, op->size_bytes);
            result = CUDA_OK;
        }
        return check(result);
    case OP_DRAW:
        return run_draw(op);
    case OP_UNPREMULTIPLY:
        return run_unpremultiply(op);
    default:
        return run_kernel(op);
    }
}

static const char *run_ops(late_stream *s)
{
    const char *words = NULL;
    for (size_t i = 0; words == NULL && i < s->op_count; i++) {
        words = run_op(&s->ops[i]);
    }
    s->op_count = 0;
    return words;
}

static const char *finish(void *stream)
{
    late_stream *s = stream;
    const char *words = call();
    DP_ASSERT(cuda_enter(&late.device) == DP_OK);
    for (int i = 0; late.others_first && words == NULL && i < STREAMS_MAX; i++) {
        words = &streams[i] == s ? NULL : run_ops(&streams[i]);
    }
    words = words == NULL ? run_ops(s) : words;
    s->op_count = 0;
    cuda_leave(&late.device);
    return words;
}

const cuda_calls late_device_calls = {.probe = probe,
                                      .stream_open = stream_open,
                                      .stream_close = stream_close,
                                      .copy_in = copy_in,
                                      .copy_out = copy_out,
                                      .resize = resize,
                                      .draw = draw,
                                      .unpremultiply = unpremultiply,
                                      .finish = finish};

void late_device_begin(size_t device_bytes)
{
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.device_bytes = device_bytes;
    late = (late_device){0};
    cuda_fake_install(&plan);
}

void late_device_open(void)
{
    char detail[96];
    assert_int_equal(cuda_device_open(detail, &late.device), DP_OK);
}

void late_device_close(void)
{
    for (int i = 0; i < STREAMS_MAX; i++) {
        assert_false(streams[i].open);
    }
    cuda_device_close(&late.device);
}
