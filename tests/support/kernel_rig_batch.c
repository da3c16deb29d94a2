/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch of resizes of unlike sizes, cuts and kinds of source in one launch, against resize_cpu()
 * of each.  Every buffer is exactly as large as said, so that a sanitizer sees a step beyond.
 */
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernel_rig.h"
#include "kernels/cuda_launch.h"
#include "kernels/resize.h"

#define JOBS 24u

/* One job on both sides: `host` works on the bytes here, `device` on addresses there. */
typedef struct batch_item {
    uint32_t side[2]; /* of the whole source */
    resize_axis x, y;
    void *axes[2];
    uint8_t *source[3]; /* RGBA, or Y, Cb, Cr; NULL: none */
    size_t source_bytes[3];
    uint64_t device_source[3], device_axes[2], device_target;
    resize_args host, device;
    uint8_t *want;
    size_t want_bytes;
} batch_item;

static uint32_t up_to(uint32_t most)
{
    return kernel_rig_random() % most + 1;
}

static void make_source(batch_item *b, int planes)
{
    resize_source *s = &b->host.source;
    const uint32_t shift_x = planes ? kernel_rig_random() % 2 : 0;
    const uint32_t shift_y = planes && shift_x == 1 ? kernel_rig_random() % 2 : 0;

    s->stride_bytes = (size_t)b->side[0] * (planes ? 1 : 4) + kernel_rig_random() % 9;
    b->source_bytes[0] = s->stride_bytes * b->side[1];
    if (planes) {
        s->chroma_shift_x = shift_x;
        s->chroma_shift_y = shift_y;
        s->chroma_stride_bytes = (b->side[0] + shift_x) >> shift_x;
        b->source_bytes[1] = s->chroma_stride_bytes * ((b->side[1] + shift_y) >> shift_y);
        b->source_bytes[2] = b->source_bytes[1];
    }
    for (int i = 0; i < (planes ? 3 : 1); i++) {
        b->source[i] = kernel_rig_random_bytes(b->source_bytes[i]);
        b->device_source[i] = kernel_rig_memory->take(b->source[i], b->source_bytes[i]);
    }
    s->pixels = b->source[0];
    s->chroma[0] = b->source[1];
    s->chroma[1] = b->source[2];
}

static void make_axes(batch_item *b, const uint32_t cut[2], const uint32_t to[2])
{
    resize_axis *const axis[2] = {&b->x, &b->y};
    for (int i = 0; i < 2; i++) {
        const size_t bytes = resize_axis_bytes(cut[i], to[i]);
        b->axes[i] = kernel_rig_bytes(bytes);
        resize_axis_init(axis[i], cut[i], to[i], b->axes[i]);
        b->device_axes[i] = kernel_rig_memory->take(b->axes[i], bytes);
    }
    b->want_bytes = (size_t)to[0] * to[1] * 4;
    b->want = kernel_rig_bytes(b->want_bytes);
    b->device_target = kernel_rig_memory->take(NULL, b->want_bytes);
}

static uint32_t make_item(batch_item *b, resize_job *job, uint32_t tile_first)
{
    const int planes = kernel_rig_random() % 2 == 0;
    const uint32_t to[2] = {up_to(90), up_to(70)};
    uint32_t cut[2], at[2];

    *b = (batch_item){.side = {up_to(300), up_to(200)}};
    for (int i = 0; i < 2; i++) {
        at[i] = kernel_rig_random() % b->side[i];
        cut[i] = up_to(b->side[i] - at[i]);
    }
    make_source(b, planes);
    make_axes(b, cut, to);
    b->host.x = &b->x;
    b->host.y = &b->y;
    b->host.source.left = at[0];
    b->host.source.top = at[1];
    b->host.target = b->want;
    b->host.target_stride_bytes = (size_t)to[0] * 4;
    b->device = b->host;
    b->device.source.pixels = (const uint8_t *)(uintptr_t)b->device_source[0];
    b->device.source.chroma[0] = (const uint8_t *)(uintptr_t)b->device_source[1];
    b->device.source.chroma[1] = (const uint8_t *)(uintptr_t)b->device_source[2];
    b->device.target = (uint8_t *)(uintptr_t)b->device_target;
    return resize_job_init(job, &b->device, b->device_axes, tile_first);
}

static void check_item(batch_item *b)
{
    void *scratch = kernel_rig_bytes(resize_cpu_scratch_bytes(&b->x, &b->y));
    resize_cpu(&b->host, scratch);
    kernel_rig_expect(b->device_target, b->want, b->want_bytes);
    for (int i = 0; i < 3; i++) {
        if (b->source[i] != NULL) {
            kernel_rig_expect(b->device_source[i], b->source[i], b->source_bytes[i]);
        }
        free(b->source[i]);
    }
    for (int i = 0; i < 2; i++) {
        kernel_rig_memory->give(b->device_axes[i]);
        free(b->axes[i]);
    }
    free(b->want);
    free(scratch);
}

void kernel_rig_resize_batch(void **state)
{
    static batch_item items[JOBS];
    resize_job jobs[JOBS];
    (void)state;

    for (int round = 0; round < 4; round++) {
        uint32_t tiles = 0;
        for (uint32_t i = 0; i < JOBS; i++) {
            tiles += make_item(&items[i], &jobs[i], tiles);
        }
        const uint64_t device_jobs = kernel_rig_memory->take(jobs, sizeof jobs);
        const char *failure = resize_batch_cuda(device_jobs, JOBS, tiles, NULL);
        assert_string_equal(failure == NULL ? "" : failure, "");
        failure = cuda_launch_finish();
        assert_string_equal(failure == NULL ? "" : failure, "");
        for (uint32_t i = 0; i < JOBS; i++) {
            check_item(&items[i]);
        }
        kernel_rig_memory->give(device_jobs);
    }
}
