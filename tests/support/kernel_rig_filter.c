/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters: batches of random programs, every op in both colour spaces among them, on pictures of
 * unlike sizes; whatever the bytes are, premultiplied or not, both drivers give the same.
 */
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernel_rig.h"
#include "kernels/cuda_launch.h"
#include "kernels/filter.h"

#define JOBS   9u
#define PASSES 24u
#define SLOTS  4u

typedef struct picture {
    filter_program program;
    filter_pass passes[PASSES];
    uint8_t *pixels, *scratch; /* of the CPU's run */
    size_t pixels_bytes, scratch_bytes;
} picture;

static uint32_t below(uint32_t end)
{
    return kernel_rig_random() % end;
}

static void random_line(filter_line *line)
{
    memset(line, 0, sizeof *line);
    if (below(2) == 0) {
        line->radius = below(40);
        line->inner = UINT32_MAX / (2 * line->radius + 2);
        line->edge = line->inner / (1 + below(9));
        return;
    }
    line->taps = 1 + below(FILTER_TAPS);
    for (uint32_t i = 0; i < line->taps; i++) {
        line->weights[i] = below(65536 / (2 * FILTER_TAPS));
    }
}

static void random_box(filter_pass *pass, const filter_program *program)
{
    const int32_t width = (int32_t)program->width, height = (int32_t)program->height;
    pass->box[2] = width;
    pass->box[3] = height;
    if (below(3) == 0) {
        pass->box[0] = (int32_t)below((uint32_t)width);
        pass->box[1] = (int32_t)below((uint32_t)height);
        pass->box[2] = pass->box[0] + (int32_t)below((uint32_t)(width - pass->box[0]) + 1);
        pass->box[3] = pass->box[1] + (int32_t)below((uint32_t)(height - pass->box[1]) + 1);
    }
}

static void random_pass(filter_pass *pass, uint32_t op, const filter_program *program)
{
    const int to_plane = op >= FILTER_SPREAD && op <= FILTER_COLUMNS;

    memset(pass, 0, sizeof *pass);
    pass->op = op;
    pass->mode = below(12);
    pass->linear = below(2);
    pass->input = op >= FILTER_ROWS ? below(2) : below(SLOTS);
    pass->other = below(SLOTS);
    pass->output = to_plane ? below(2) : below(SLOTS);
    if (op == FILTER_OFFSET && pass->output == pass->input) {
        pass->output = (pass->input + 1) % SLOTS;
    }
    if (op == FILTER_ROWS || op == FILTER_COLUMNS) {
        pass->output = pass->input ^ 1u;
    }
    pass->input_mask = below(4) == 0 ? UINT32_C(0xff000000) : UINT32_MAX;
    pass->other_mask = below(4) == 0 ? UINT32_C(0xff000000) : UINT32_MAX;
    pass->colour = kernel_rig_random() << 8 ^ kernel_rig_random();
    pass->shift_x = (int32_t)below(60) - 30;
    pass->shift_y = (int32_t)below(60) - 30;
    random_box(pass, program);
    for (int i = 0; i < 20; i++) {
        pass->coefs[i] = (int32_t)below(4u << FILTER_COEF_BITS) - (2 << FILTER_COEF_BITS);
        pass->coefs[i] = below(10) == 0 ? INT32_MAX : pass->coefs[i];
    }
    random_line(&pass->line);
}

static void make_picture(picture *p)
{
    filter_program *program = &p->program;
    memset(p, 0, sizeof *p);
    program->width = 1 + below(90);
    program->height = 1 + below(90);
    program->slot_count = SLOTS;
    program->plane_count = 2;
    program->passes = p->passes;
    program->pass_count = 1 + below(PASSES);
    for (uint32_t i = 0; i < program->pass_count; i++) {
        random_pass(&p->passes[i], below(FILTER_OP_COUNT), program);
    }
    p->pixels_bytes = (size_t)program->width * program->height * 4;
    p->scratch_bytes = filter_scratch_bytes(program);
    p->pixels = kernel_rig_random_bytes(p->pixels_bytes);
    p->scratch = kernel_rig_random_bytes(p->scratch_bytes);
    /* A plane holds 14-bit light. */
    uint16_t *light = (uint16_t *)(void *)(p->scratch + p->scratch_bytes -
                                           (size_t)program->width * program->height * 16);
    for (size_t i = 0; i < p->pixels_bytes * 2; i++) {
        light[i] = (uint16_t)(light[i] & 0x3fffu);
    }
}

static void compare_batch(void)
{
    const kernel_memory *m = kernel_rig_memory;
    picture *pictures = kernel_rig_bytes(sizeof *pictures * JOBS);
    filter_job jobs[JOBS];

    for (uint32_t j = 0; j < JOBS; j++) {
        picture *p = &pictures[j];
        make_picture(p);
        jobs[j] = (filter_job){.pixels = m->take(p->pixels, p->pixels_bytes),
                               .scratch = m->take(p->scratch, p->scratch_bytes),
                               .passes = m->take(p->passes, sizeof p->passes),
                               .width = p->program.width,
                               .height = p->program.height,
                               .pass_count = p->program.pass_count,
                               .slot_count = p->program.slot_count,
                               .level = j % 3};
    }
    const uint64_t jobs_memory = m->take(jobs, sizeof jobs);
    const filter_jobs batch = {.jobs = jobs, .jobs_memory = jobs_memory, .count = JOBS};
    for (uint32_t level = 0; level < 4; level++) {
        const char *failure = filter_run_cuda(&batch, level, 0);
        assert_string_equal(failure == NULL ? "" : failure, "");
    }
    assert_null(cuda_stream_wait(0));
    for (uint32_t j = 0; j < JOBS; j++) {
        picture *p = &pictures[j];
        for (uint32_t i = 0; i < p->program.pass_count; i++) {
            filter_pass_cpu(&p->program, i, p->pixels, p->scratch);
        }
        kernel_rig_expect(jobs[j].pixels, p->pixels, p->pixels_bytes);
        kernel_rig_expect(jobs[j].scratch, p->scratch, p->scratch_bytes);
        m->give(jobs[j].passes);
        free(p->pixels);
        free(p->scratch);
    }
    m->give(jobs_memory);
    free(pictures);
}

void kernel_rig_filter(void **state)
{
    (void)state;
    for (int i = 0; i < KERNEL_RIG_ROUNDS(12); i++) {
        compare_batch();
    }
    assert_null(filter_run_cuda(&(filter_jobs){0}, 0, 0));
}
