/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA backend without a GPU: a fake driver gives the memory (its device addresses cannot be
 * dereferenced), a host build of the device code is the kernel, and every stream does its work as
 * late as it may: when it is waited for.  So what is packed, sent, freed or read at the wrong time
 * or place is seen, and pixels are compared with the CPU backend's, byte for byte.
 */
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "cuda_fake.h"
#include "pool/os.h"
#include "render/backend_cuda.h"

#include <danpool/stats.h>

#define OPS_MAX     4096
#define STREAMS_MAX 8
#define ITEMS_MAX   64

/* ---- the played device ---- */

typedef enum op_kind { OP_IN, OP_OUT, OP_RESIZE } op_kind;

typedef struct late_op {
    op_kind kind;
    uint64_t device;
    void *host;
    const void *from;
    size_t size_bytes;
    uint32_t count, tiles;
} late_op;

typedef struct late_stream {
    bool open;
    size_t op_count;
    late_op ops[OPS_MAX];
} late_stream;

static late_stream streams[STREAMS_MAX];
static cuda_device device;
static unsigned call_number, fail_at; /* the n-th call answers with an error, 0 = none does */
static unsigned copies, launches, most_under_way;

static const char *call(void)
{
    return ++call_number == fail_at ? "the played device failed" : NULL;
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
        copies += op.kind != OP_RESIZE;
        launches += op.kind == OP_RESIZE;
        unsigned under_way = 0;
        for (int i = 0; i < STREAMS_MAX; i++) {
            under_way += streams[i].op_count > 0;
        }
        most_under_way = under_way > most_under_way ? under_way : most_under_way;
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

/* Page-locked memory that stands in for the device's is a device address too, but not to the fake
 * driver's plain copies. */
static const char *run_op(const late_op *op)
{
    void *pinned = (void *)(uintptr_t)behind(op->device);
    cuda_result result;
    switch (op->kind) {
    case OP_IN:
        result = device.driver->copy_to_device(op->device, op->from, op->size_bytes);
        if (result == CUDA_ILLEGAL_ADDRESS) {
            memcpy(pinned, op->from, op->size_bytes);
            result = CUDA_OK;
        }
        return check(result);
    case OP_OUT:
        result = device.driver->copy_to_host(op->host, op->device, op->size_bytes);
        if (result == CUDA_ILLEGAL_ADDRESS) {
            memcpy(op->host, pinned, op->size_bytes);
            result = CUDA_OK;
        }
        return check(result);
    default:
        return run_kernel(op);
    }
}

static const char *finish(void *stream)
{
    late_stream *s = stream;
    const char *words = call();
    DP_ASSERT(cuda_enter(&device) == DP_OK);
    for (size_t i = 0; words == NULL && i < s->op_count; i++) {
        words = run_op(&s->ops[i]);
    }
    cuda_leave(&device);
    s->op_count = 0;
    return words;
}

static const cuda_calls calls = {.probe = probe,
                                 .stream_open = stream_open,
                                 .stream_close = stream_close,
                                 .copy_in = copy_in,
                                 .copy_out = copy_out,
                                 .resize = resize,
                                 .finish = finish};

/* ---- pictures and items ---- */

typedef struct rig {
    dp_pool *pool;
    render_task task;
    backend *cuda, *cpu;
    uint32_t seed;
    picture sources[ITEMS_MAX], made[ITEMS_MAX], wanted[ITEMS_MAX];
    backend_item items[ITEMS_MAX];
    backend_item *list[ITEMS_MAX];
    size_t count;
} rig;

static void rig_open(rig *r, uint32_t tiers, size_t device_bytes)
{
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST) | tiers};
    char detail[BACKEND_DETAIL_BYTES];
    plan.device_bytes = device_bytes;
    *r = (rig){.seed = 7};
    call_number = fail_at = copies = launches = most_under_way = 0;
    cuda_fake_install(&plan);
    assert_int_equal(dp_pool_create(&config, &r->pool), DP_OK);
    assert_int_equal(cuda_device_open(detail, &device), DP_OK);
    r->task = (render_task){.pool = r->pool};
    assert_int_equal(backend_cuda_open_over(r->pool, &calls, detail, &r->cuda), DP_OK);
    assert_int_equal(backend_cpu_open(r->pool, detail, &r->cpu), DP_OK);
}

static void items_drop(rig *r)
{
    for (size_t i = 0; i < r->count; i++) {
        picture_drop(&r->sources[i]);
        picture_drop(&r->made[i]);
        picture_drop(&r->wanted[i]);
    }
    r->count = 0;
}

static uint64_t used_bytes(const rig *r)
{
    dp_stats stats;
    uint64_t used = 0;
    dp_stats_read(r->pool, &stats);
    for (int id = 0; id < DP_TIER_COUNT; id++) {
        used += stats.tiers[id].used_bytes;
    }
    return used;
}

static void rig_close(rig *r)
{
    items_drop(r);
    r->cuda->ops->close(r->cuda);
    assert_int_equal(used_bytes(r), 0);
    for (int i = 0; i < STREAMS_MAX; i++) {
        assert_false(streams[i].open);
    }
    cuda_device_close(&device);
    dp_pool_destroy(r->pool);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static uint32_t below(rig *r, uint32_t most)
{
    r->seed = r->seed * 1664525u + 1013904223u;
    return (r->seed >> 12) % most;
}

static void fill(rig *r, picture *p)
{
    const size_t size_bytes = dp_buf_size(p->buf);
    size_t filled = 0;
    while (filled < size_bytes && filled < 4096) {
        p->bytes[filled++] = (uint8_t)below(r, 256);
    }
    /* The rest repeats, but by no row's length. */
    while (filled < size_bytes) {
        const size_t more = size_bytes - filled < 4093 ? size_bytes - filled : 4093;
        memcpy(p->bytes + filled, p->bytes, more);
        filled += more;
    }
}

/* A source of its own for the next item. */
static void add_source(rig *r, uint32_t width, uint32_t height, uint32_t frames, bool planes)
{
    picture *p = &r->sources[r->count];
    if (planes) {
        const uint32_t halves = below(r, 3);
        const uint32_t chroma[2] = {halves > 0 ? (width + 1) / 2 : width,
                                    halves > 1 ? (height + 1) / 2 : height};
        assert_int_equal(picture_take_planes(&r->task, width, height, chroma, p), DP_OK);
    } else {
        assert_int_equal(picture_take(&r->task, width, height, frames, p), DP_OK);
    }
    fill(r, p);
}

/* The next item: a cut of `source` into so many frames of width x height. */
static void add_item(rig *r, const picture *source, uint32_t width, uint32_t height,
                     uint32_t frames)
{
    const size_t i = r->count++;
    backend_cut cut = {.x = below(r, source->width), .y = below(r, source->height)};
    cut.width = 1 + below(r, source->width - cut.x);
    cut.height = 1 + below(r, source->height - cut.y);
    assert_int_equal(picture_take(&r->task, width, height, frames, &r->made[i]), DP_OK);
    assert_int_equal(picture_take(&r->task, width, height, frames, &r->wanted[i]), DP_OK);
    memset(r->made[i].bytes, 0x11, r->made[i].frame_bytes * frames);
    memset(r->wanted[i].bytes, 0x22, r->wanted[i].frame_bytes * frames);
    r->items[i] = (backend_item){.kind = BACKEND_RESAMPLE,
                                 .task = &r->task,
                                 .source = source,
                                 .cut = cut,
                                 .target = &r->made[i],
                                 .status = DP_ERR_INVALID};
    r->list[i] = &r->items[i];
}

static void expect_right(rig *r)
{
    char detail[BACKEND_DETAIL_BYTES];
    for (size_t i = 0; i < r->count; i++) {
        backend_item right = r->items[i];
        backend_item *list = &right;
        assert_int_equal(r->items[i].status, DP_OK);
        assert_int_equal(r->items[i].tier, DP_TIER_HBM);
        right.target = &r->wanted[i];
        assert_int_equal(r->cpu->ops->run(r->cpu, &list, 1, detail), DP_OK);
        assert_int_equal(right.status, DP_OK);
        assert_memory_equal(r->made[i].bytes, r->wanted[i].bytes,
                            r->made[i].frame_bytes * r->made[i].frame_count);
    }
}

static dp_status run(rig *r, char detail[BACKEND_DETAIL_BYTES])
{
    detail[0] = '\0';
    return r->cuda->ops->run(r->cuda, r->list, r->count, detail);
}

static void add_mixture(rig *r, unsigned items)
{
    for (unsigned i = 0; i < items; i++) {
        const bool planes = below(r, 3) == 0;
        const uint32_t frames = planes ? 1 : 1 + below(r, 3);
        add_source(r, 1 + below(r, 150), 1 + below(r, 100), frames, planes);
        const picture *source = &r->sources[r->count];
        const uint32_t sizes = 1 + below(r, 3); /* of one source, one after the other */
        for (uint32_t k = 0; k < sizes && r->count < ITEMS_MAX; k++) {
            add_item(r, source, 1 + below(r, 100), 1 + below(r, 100), 1 + below(r, frames));
        }
    }
}

#define ALL_TIERS (DP_TIER_BIT(DP_TIER_PINNED) | DP_TIER_BIT(DP_TIER_HBM))
#define PLENTY    ((size_t)512 << 20)

/* ---- tests ---- */

static void a_batch_of_unlike_items_gives_the_cpus_bytes(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    for (int with_pinned = 0; with_pinned < 2; with_pinned++) {
        rig_open(&r, with_pinned ? ALL_TIERS : DP_TIER_BIT(DP_TIER_HBM), PLENTY);
        for (int round = 0; round < 4; round++) {
            add_mixture(&r, 16);
            assert_int_equal(run(&r, detail), DP_OK);
            expect_right(&r);
            items_drop(&r);
        }
        assert_int_equal(launches, 4);
        rig_close(&r);
    }
}

static void one_source_of_many_sizes_is_sent_once(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_source(&r, 400, 300, 1, false); /* large enough to be sent from where it is */
    const picture *source = &r.sources[0];
    assert_int_equal(dp_buf_tier(source->buf), DP_TIER_PINNED);
    for (uint32_t i = 1; i <= 8; i++) {
        add_item(&r, source, 10 * i, 8 * i, 1);
    }
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    assert_int_equal(launches, 1);
    assert_int_equal(copies, 3); /* axes and jobs, the source, all results */
    rig_close(&r);
}

static void large_targets_come_home_without_a_stop(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_source(&r, 300, 300, 2, false);
    const picture *source = &r.sources[0];
    add_item(&r, source, 256, 256, 2);
    add_item(&r, source, 20, 20, 2);
    assert_int_equal(dp_buf_tier(r.made[0].buf), DP_TIER_PINNED);
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    assert_int_equal(copies, 4);
    rig_close(&r);
}

static void a_large_batch_is_several_chunks_that_overlap(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    for (int i = 0; i < 5; i++) {
        add_source(&r, 2300, 2200, 1, i == 3);
        const picture *source = &r.sources[r.count];
        add_item(&r, source, 30, 20, 1);
    }
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    assert_true(launches > 2);
    assert_true(most_under_way > 1);
    rig_close(&r);
}

/* The n-th call to the device fails, for every n: the batch says so, and nothing stays behind. */
static void a_device_that_fails_at_any_call_fails_the_batch_and_leaks_nothing(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    unsigned nth = 1;
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_mixture(&r, 4);
    add_source(&r, 300, 200, 1, false);
    const picture *source = &r.sources[r.count];
    add_item(&r, source, 200, 200, 1);
    const uint64_t before = used_bytes(&r);
    for (;; nth++) {
        call_number = 0;
        fail_at = nth;
        const dp_status status = run(&r, detail);
        assert_int_equal(used_bytes(&r), before);
        if (call_number < nth) {
            assert_int_equal(status, DP_OK);
            break;
        }
        assert_int_equal(status, DP_ERR_DEVICE);
        assert_string_equal(detail, "cuda: the played device failed");
    }
    assert_true(nth > 5);
    fail_at = 0;
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    rig_close(&r);
}

static void a_driver_that_loses_the_device_is_a_failed_batch(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_mixture(&r, 3);
    cuda_fake_lose();
    const dp_status status = run(&r, detail);
    /* Where the pool's own breaker is quicker, the items are told that there is no memory. */
    assert_true(status == DP_ERR_DEVICE || backend_spare_can_help(r.items[0].status));
    cuda_fake_mend();
    rig_close(&r);
}

static void items_that_find_no_memory_on_the_device_are_told_so(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, DP_TIER_BIT(DP_TIER_HBM), (size_t)3 << 20);
    add_source(&r, 1500, 1500, 1, false);
    const picture *source = &r.sources[0];
    add_item(&r, source, 100, 100, 1);
    assert_int_equal(run(&r, detail), DP_OK);
    assert_true(backend_spare_can_help(r.items[0].status));
    rig_close(&r);
}

static void no_refused_bookkeeping_leaks(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_mixture(&r, 3);
    const uint64_t before = used_bytes(&r);
    for (uint64_t nth = 1;; nth++) {
        os_malloc_fail_nth(nth);
        const dp_status status = run(&r, detail);
        const bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, DP_OK);
        assert_int_equal(used_bytes(&r), before);
        if (!fired) {
            break;
        }
    }
    expect_right(&r);
    rig_close(&r);
}

static void an_opening_that_fails_closes_what_it_opened(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    for (unsigned nth = 1;; nth++) {
        backend *other = NULL;
        call_number = 0;
        fail_at = nth;
        const dp_status status = backend_cuda_open_over(r.pool, &calls, detail, &other);
        if (status == DP_OK) {
            other->ops->close(other);
            break;
        }
        assert_int_equal(status, DP_ERR_UNSUPPORTED);
        assert_null(other);
        assert_string_equal(detail, "cuda: the played device failed");
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_unlike_items_gives_the_cpus_bytes),
        cmocka_unit_test(one_source_of_many_sizes_is_sent_once),
        cmocka_unit_test(large_targets_come_home_without_a_stop),
        cmocka_unit_test(a_large_batch_is_several_chunks_that_overlap),
        cmocka_unit_test(a_device_that_fails_at_any_call_fails_the_batch_and_leaks_nothing),
        cmocka_unit_test(a_driver_that_loses_the_device_is_a_failed_batch),
        cmocka_unit_test(items_that_find_no_memory_on_the_device_are_told_so),
        cmocka_unit_test(no_refused_bookkeeping_leaks),
        cmocka_unit_test(an_opening_that_fails_closes_what_it_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
