/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPU's driver of filter_math.h: the n-th passes of all pictures of a batch are one launch.
 *
 * A block's y is the picture, its threads stride over the pass's items: pixels, or for a pass along
 * lines pieces of PIECE pixels of a line, each of which starts its running sum afresh.  Which pass
 * it is, is the same for the whole block.
 */
#include "kernels/filter.h"

#include "kernels/cuda_block.h"
#include "kernels/cuda_launch.h"
#include "kernels/filter_math.h"

#define BLOCK    256u
#define PIECE    16u
#define GRID_MAX 1024u
#define JOBS_MAX 65535u

/* One pass of one picture. */
struct filter_target {
    const filter_pass *pass;
    uint32_t width, height;
    const uint32_t *input, *other;
    uint32_t *output;
    const ushort4 *input_plane;
    ushort4 *output_plane;
};

__device__ static uint32_t *slot_at(const filter_job &job, uint32_t slot)
{
    const size_t pixels = (size_t)job.width * job.height;
    return slot == 0 ? reinterpret_cast<uint32_t *>(job.pixels)
                     : reinterpret_cast<uint32_t *>(job.scratch + filter_slot_offset(slot, pixels));
}

__device__ static ushort4 *plane_at(const filter_job &job, uint32_t plane)
{
    const size_t pixels = (size_t)job.width * job.height;
    return reinterpret_cast<ushort4 *>(job.scratch +
                                       filter_plane_offset(plane, job.slot_count, pixels));
}

/* Pointers that the pass does not use may lead nowhere. */
__device__ static filter_target target_of(const filter_job &job, const filter_pass *pass)
{
    filter_target t;
    t.pass = pass;
    t.width = job.width;
    t.height = job.height;
    t.input = slot_at(job, pass->input);
    t.other = slot_at(job, pass->other);
    t.output = slot_at(job, pass->output);
    t.input_plane = plane_at(job, pass->input);
    t.output_plane = plane_at(job, pass->output);
    return t;
}

__device__ static filter_colour colour_of(ushort4 light)
{
    filter_colour out;
    out.c[0] = light.x;
    out.c[1] = light.y;
    out.c[2] = light.z;
    out.c[3] = light.w;
    return out;
}

/* What a pass over pixels gives within its box. */
__device__ static uint32_t value_at(const filter_target &t, uint32_t x, uint32_t y, size_t at)
{
    const filter_pass *pass = t.pass;

    if (pass->op == FILTER_GATHER) {
        return filter_gather(colour_of(t.input_plane[at]), pass->linear);
    }
    if (pass->op == FILTER_FLOOD) {
        return pass->colour;
    }
    if (pass->op == FILTER_OFFSET) {
        const int64_t from_x = (int64_t)x - pass->shift_x, from_y = (int64_t)y - pass->shift_y;
        if (from_x < 0 || from_x >= t.width || from_y < 0 || from_y >= t.height) {
            return 0;
        }
        return t.input[(size_t)from_y * t.width + (size_t)from_x] & pass->input_mask;
    }
    const uint32_t input = t.input[at] & pass->input_mask;
    if (pass->op == FILTER_COPY) {
        return input;
    }
    if (pass->op == FILTER_MATRIX) {
        return filter_matrix(pass->coefs, input, pass->linear);
    }
    return filter_mix(pass, pass->op, pass->linear, input, t.other[at] & pass->other_mask);
}

__device__ static void write_pixel(const filter_target &t, size_t at)
{
    const int32_t x = (int32_t)(at % t.width), y = (int32_t)(at / t.width);
    const int32_t *box = t.pass->box;

    if (t.pass->op == FILTER_SPREAD) {
        const filter_colour light = filter_spread(t.input[at] & t.pass->input_mask, t.pass->linear);
        t.output_plane[at] = make_ushort4((unsigned short)light.c[0], (unsigned short)light.c[1],
                                          (unsigned short)light.c[2], (unsigned short)light.c[3]);
        return;
    }
    const bool inside = x >= box[0] && x < box[2] && y >= box[1] && y < box[3];
    t.output[at] = inside ? value_at(t, (uint32_t)x, (uint32_t)y, at) : 0u;
}

/* Four sums side by side. */
struct filter_sums {
    uint32_t c[4];
};

__device__ static void add(filter_sums *sums, ushort4 light, uint32_t weight)
{
    sums->c[0] += light.x * weight;
    sums->c[1] += light.y * weight;
    sums->c[2] += light.z * weight;
    sums->c[3] += light.w * weight;
}

/* A line of a plane: `length` pixels, `step` apart. */
struct filter_run {
    const ushort4 *from;
    ushort4 *to;
    size_t step;
    int64_t length;
};

__device__ static ushort4 light_at(const filter_run &run, int64_t at)
{
    return at >= 0 && at < run.length ? run.from[(size_t)at * run.step] : make_ushort4(0, 0, 0, 0);
}

__device__ static void box_piece(const filter_line &line, const filter_run &run, int64_t begin,
                                 int64_t end)
{
    const int64_t radius = line.radius;
    filter_sums sums = {{0, 0, 0, 0}};

    for (int64_t i = begin - radius; i <= begin + radius; i++) {
        add(&sums, light_at(run, i), 1);
    }
    for (int64_t i = begin; i < end; i++) {
        const ushort4 after = light_at(run, i + radius + 1);
        filter_sums edges = {{0, 0, 0, 0}};
        unsigned short mean[4];
        add(&edges, light_at(run, i - radius - 1), 1);
        add(&edges, after, 1);
        for (int c = 0; c < 4; c++) {
            mean[c] = (unsigned short)filter_box_mean(sums.c[c], edges.c[c], line.inner, line.edge);
        }
        run.to[(size_t)i * run.step] = make_ushort4(mean[0], mean[1], mean[2], mean[3]);
        add(&sums, after, 1);
        /* Unsigned: adding the negative takes away. */
        add(&sums, light_at(run, i - radius), UINT32_MAX);
    }
}

__device__ static void kernel_piece(const filter_line &line, const filter_run &run, int64_t begin,
                                    int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        filter_sums sums = {{0, 0, 0, 0}};
        add(&sums, light_at(run, i), line.weights[0]);
        for (int64_t t = 1; t < line.taps; t++) {
            add(&sums, light_at(run, i - t), line.weights[t]);
            add(&sums, light_at(run, i + t), line.weights[t]);
        }
        run.to[(size_t)i * run.step] = make_ushort4((unsigned short)filter_kernel_mean(sums.c[0]),
                                                    (unsigned short)filter_kernel_mean(sums.c[1]),
                                                    (unsigned short)filter_kernel_mean(sums.c[2]),
                                                    (unsigned short)filter_kernel_mean(sums.c[3]));
    }
}

__device__ static void write_piece(const filter_target &t, size_t item)
{
    const bool rows = t.pass->op == FILTER_ROWS;
    /* Neighbouring threads take neighbouring columns. */
    const uint32_t lines = rows ? t.height : t.width;
    const size_t line = item % lines;
    filter_run run;

    run.step = rows ? 1 : t.width;
    run.length = rows ? t.width : t.height;
    run.from = t.input_plane + (rows ? line * t.width : line);
    run.to = t.output_plane + (rows ? line * t.width : line);
    const int64_t begin = (int64_t)(item / lines) * PIECE;
    const int64_t end = begin + PIECE < run.length ? begin + PIECE : run.length;
    if (t.pass->line.taps == 0) {
        box_piece(t.pass->line, run, begin, end);
    } else {
        kernel_piece(t.pass->line, run, begin, end);
    }
}

__device__ static size_t items_of(const filter_target &t)
{
    if (t.pass->op == FILTER_ROWS) {
        return (size_t)t.height * ((t.width + PIECE - 1) / PIECE);
    }
    if (t.pass->op == FILTER_COLUMNS) {
        return (size_t)t.width * ((t.height + PIECE - 1) / PIECE);
    }
    return (size_t)t.width * t.height;
}

__global__ void filter_passes(const filter_job *jobs, uint32_t count, uint32_t index,
                              uint32_t level)
{
    for (uint32_t j = blockIdx.y; j < count; j += gridDim.y) {
        const filter_job job = jobs[j];
        if (index >= job.pass_count || job.level != level) {
            continue;
        }
        const filter_target t =
            target_of(job, reinterpret_cast<const filter_pass *>(job.passes) + index);
        const size_t items = items_of(t);
        const bool lines = t.pass->op == FILTER_ROWS || t.pass->op == FILTER_COLUMNS;
        for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < items;
             i += (size_t)gridDim.x * blockDim.x) {
            if (lines) {
                write_piece(t, i);
            } else {
                write_pixel(t, i);
            }
        }
    }
}

const char *filter_run_cuda(const filter_jobs *batch, uint32_t level, uint64_t stream)
{
    uint32_t passes = 0;
    size_t pixels = 0;

    for (uint32_t i = 0; i < batch->count; i++) {
        const filter_job *job = &batch->jobs[i];
        const size_t own = (size_t)job->width * job->height;
        if (job->level == level) {
            passes = job->pass_count > passes ? job->pass_count : passes;
            pixels = own > pixels ? own : pixels;
        }
    }
    if (passes == 0) {
        return nullptr;
    }
    const size_t blocks = (pixels + BLOCK - 1) / BLOCK;
    const dim3 grid(blocks > GRID_MAX ? GRID_MAX : (unsigned)blocks,
                    batch->count > JOBS_MAX ? JOBS_MAX : batch->count);
    for (uint32_t index = 0; index < passes; index++) {
        CUDA_LAUNCH(filter_passes, grid, dim3(BLOCK), cuda_launch_stream(stream),
                    reinterpret_cast<const filter_job *>(batch->jobs_memory), batch->count, index,
                    level);
    }
    return cuda_launch_taken();
}
