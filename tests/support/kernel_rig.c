/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of checks, what they share, and those of resizing and compositing.
 */
#include "kernel_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cm.h"
#include "kernels/composite.h"
#include "kernels/cuda_launch.h"
#include "kernels/resize.h"

const kernel_memory *kernel_rig_memory;
static uint32_t seed;

uint32_t kernel_rig_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

void *kernel_rig_bytes(size_t size_bytes)
{
    void *out = malloc(size_bytes);
    assert_non_null(out);
    return out;
}

void *kernel_rig_random_bytes(size_t size_bytes)
{
    uint8_t *out = kernel_rig_bytes(size_bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        out[i] = (uint8_t)kernel_rig_random();
    }
    return out;
}

void kernel_rig_expect(uint64_t address, const void *want, size_t size_bytes)
{
    void *got = kernel_rig_bytes(size_bytes);
    kernel_rig_memory->read(address, got, size_bytes);
    assert_memory_equal(got, want, size_bytes);
    kernel_rig_memory->give(address);
    free(got);
}

static void compare_resize(const uint32_t from[2], const uint32_t to[2])
{
    const kernel_memory *m = kernel_rig_memory;
    const size_t from_bytes = (size_t)from[0] * from[1] * 4, to_bytes = (size_t)to[0] * to[1] * 4;
    const size_t axis_bytes[2] = {resize_axis_bytes(from[0], to[0]),
                                  resize_axis_bytes(from[1], to[1])};
    void *memory[2] = {kernel_rig_bytes(axis_bytes[0]), kernel_rig_bytes(axis_bytes[1])};
    uint8_t *source = kernel_rig_random_bytes(from_bytes), *want = kernel_rig_bytes(to_bytes);
    resize_axis x, y;

    resize_axis_init(&x, from[0], to[0], memory[0]);
    resize_axis_init(&y, from[1], to[1], memory[1]);
    void *scratch = kernel_rig_bytes(resize_cpu_scratch_bytes(&x, &y));
    const resize_args host = {.x = &x,
                              .y = &y,
                              .source = {.pixels = source, .stride_bytes = (size_t)from[0] * 4},
                              .target = want,
                              .target_stride_bytes = (size_t)to[0] * 4};
    resize_cpu(&host, scratch);
    const resize_cuda_args args = {.x = &x,
                                   .y = &y,
                                   .source = m->take(source, from_bytes),
                                   .target = m->take(NULL, to_bytes),
                                   .x_memory = m->take(memory[0], axis_bytes[0]),
                                   .y_memory = m->take(memory[1], axis_bytes[1]),
                                   .scratch = m->take(NULL, resize_cuda_scratch_bytes(&x, &y))};
    const char *failure = resize_cuda(&args);
    assert_string_equal(failure == NULL ? "" : failure, "");
    kernel_rig_expect(args.target, want, to_bytes);
    m->give(args.source);
    m->give(args.x_memory);
    m->give(args.y_memory);
    m->give(args.scratch);
    free(scratch);
    free(memory[0]);
    free(memory[1]);
    free(source);
    free(want);
}

void kernel_rig_resize(void **state)
{
    static const uint32_t sizes[][4] = {{64, 48, 17, 13}, {480, 270, 120, 68}, {9, 7, 40, 31},
                                        {1, 1, 1, 1},     {5000, 3, 2, 1},     {33, 33, 33, 33}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        compare_resize(sizes[i], sizes[i] + 2);
    }
    for (int i = 0; i < KERNEL_RIG_ROUNDS(20); i++) {
        const uint32_t from[2] = {kernel_rig_random() % 400 + 1, kernel_rig_random() % 400 + 1};
        const uint32_t to[2] = {kernel_rig_random() % 200 + 1, kernel_rig_random() % 200 + 1};
        compare_resize(from, to);
    }
}

typedef const char *run_on_device(uint64_t rgba, size_t pixels);
typedef void run_on_host(uint8_t *rgba, size_t pixels);

static void compare_in_place(run_on_device *device, run_on_host *host)
{
    const size_t pixels = 100003;
    uint8_t *want = kernel_rig_random_bytes(pixels * 4);
    const uint64_t memory = kernel_rig_memory->take(want, pixels * 4);

    assert_null(device(memory, pixels));
    host(want, pixels);
    kernel_rig_expect(memory, want, pixels * 4);
    free(want);
}

/* Runs of unlike lengths, some in place, in one launch. */
static void compare_runs(void)
{
    const uint64_t lengths[] = {1, 4099, 16, 70001, 257};
    const uint32_t count = sizeof lengths / sizeof lengths[0];
    composite_run runs[sizeof lengths / sizeof lengths[0]];
    uint8_t *want[sizeof lengths / sizeof lengths[0]];

    for (uint32_t i = 0; i < count; i++) {
        const size_t bytes = lengths[i] * 4;
        want[i] = kernel_rig_random_bytes(bytes);
        const uint64_t from = kernel_rig_memory->take(want[i], bytes);
        const uint64_t to = i % 2 == 0 ? from : kernel_rig_memory->take(NULL, bytes);
        runs[i] = (composite_run){.from = from, .to = to, .pixels = lengths[i]};
    }
    const uint64_t memory = kernel_rig_memory->take(runs, sizeof runs);
    assert_null(composite_unpremultiply_runs_cuda(memory, count, 70001, 0));
    assert_null(cuda_stream_wait(0));
    for (uint32_t i = 0; i < count; i++) {
        if (runs[i].to != runs[i].from) {
            kernel_rig_expect(runs[i].from, want[i], lengths[i] * 4);
        }
        composite_unpremultiply_cpu(want[i], lengths[i]);
        kernel_rig_expect(runs[i].to, want[i], lengths[i] * 4);
        free(want[i]);
    }
    kernel_rig_memory->give(memory);
}

void kernel_rig_composite(void **state)
{
    const size_t pixels = 100003;
    uint8_t *source = kernel_rig_random_bytes(pixels * 4);
    uint8_t *want = kernel_rig_random_bytes(pixels * 4);
    (void)state;

    const uint64_t from = kernel_rig_memory->take(source, pixels * 4);
    const uint64_t onto = kernel_rig_memory->take(want, pixels * 4);
    assert_null(composite_over_cuda(onto, from, pixels));
    composite_over_cpu(want, source, pixels);
    kernel_rig_expect(onto, want, pixels * 4);
    kernel_rig_expect(from, source, pixels * 4);
    free(source);
    free(want);
    compare_in_place(composite_premultiply_cuda, composite_premultiply_cpu);
    compare_in_place(composite_unpremultiply_cuda, composite_unpremultiply_cpu);
    compare_runs();
}

int kernel_rig_run(const kernel_memory *memory)
{
    const struct CMUnitTest tests[] = {
        {"resize_gives_the_same_bytes", kernel_rig_resize, NULL, NULL, NULL},
        {"resize_of_a_batch_gives_the_same_bytes", kernel_rig_resize_batch, NULL, NULL, NULL},
        {"composite_gives_the_same_bytes", kernel_rig_composite, NULL, NULL, NULL},
        {"filters_give_the_same_bytes", kernel_rig_filter, NULL, NULL, NULL},
        {"plans_give_the_same_bytes", kernel_rig_raster, NULL, NULL, NULL},
        {"a_full_batch_takes_no_more", kernel_rig_raster_full, NULL, NULL, NULL},
        {"scenes_give_the_same_bytes", kernel_rig_scene, NULL, NULL, NULL},
        {"a_batch_takes_a_whole_drawing_or_nothing", kernel_rig_scene_full, NULL, NULL, NULL},
        {"packs_of_scenes_give_the_same_bytes", kernel_rig_pack, NULL, NULL, NULL},
    };
    kernel_rig_memory = memory;
    seed = (uint32_t)time(NULL);
    printf("seed %u\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
