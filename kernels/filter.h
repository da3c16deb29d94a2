/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter: the passes that an SVG filter is made of, over surfaces of one size.
 *
 * A surface is premultiplied sRGB in RGBA8, rows without gaps.  A program (filter_program, made by
 * src/render/svg/filter_graph.c) is a list of passes; each reads one or two surfaces and writes
 * one, pixel by pixel, so that a pass is one launch.  Where SVG asks for linearRGB, a pass goes to
 * 14-bit linear light and back by resize_math.h's tables, within itself: what is stored is sRGB
 * always, and dark colours lose nothing between passes.
 *
 * A blur is passes over two planes of 14-bit light, four uint16 to a pixel: SPREAD into a plane,
 * rows and columns by some boxes or one small kernel, GATHER into a surface.
 *
 * Surfaces are slots: slot 0 is the picture that is filtered and the result, the rest is scratch.
 * Both drivers use filter_math.h and give the same bytes.  Nothing here allocates.
 */
#ifndef DP_KERNELS_FILTER_H
#define DP_KERNELS_FILTER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Pixels of one surface at most: 4096 x 4096. */
#define FILTER_PIXELS_MAX ((size_t)1 << 24)
/* Standard deviations beyond it are cut to it, pixels. */
#define FILTER_DEVIATION_MAX 512.0
/* Fraction bits of matrix and arithmetic coefficients. */
#define FILTER_COEF_BITS 14
/* Most taps on each side of a small kernel. */
#define FILTER_TAPS 8

typedef enum filter_op {
    FILTER_COPY,   /* output = input */
    FILTER_FLOOD,  /* output = colour */
    FILTER_MATRIX, /* coefs[20] on straight colours */
    FILTER_OFFSET, /* output(x, y) = input(x - shift_x, y - shift_y) */
    FILTER_OVER,   /* these five: Porter and Duff's, input with other below it */
    FILTER_IN,
    FILTER_OUT,
    FILTER_ATOP,
    FILTER_XOR,
    FILTER_ARITHMETIC, /* coefs[0 .. 3] */
    FILTER_BLEND,      /* mode: blend_math.h's; input is the source, other the backdrop */
    FILTER_SPREAD,     /* surface `input` to plane `output` */
    FILTER_ROWS,       /* plane to plane, along x */
    FILTER_COLUMNS,    /* plane to plane, along y */
    FILTER_GATHER,     /* plane `input` to surface `output` */
    FILTER_OP_COUNT
} filter_op;

/*
 * Weights of one pass along a line.  A box (taps == 0): the 2 radius + 1 values around a pixel
 * times inner, the two next to them times edge, in units of 2^-32.  A kernel: weights[0] for the
 * pixel, weights[i] for both at distance i < taps, in units of 2^-16.
 */
typedef struct filter_line {
    uint32_t radius, taps;
    uint32_t inner, edge;
    uint32_t weights[FILTER_TAPS];
} filter_line;

typedef struct filter_pass {
    uint32_t op;                     /* filter_op */
    uint32_t mode;                   /* FILTER_BLEND */
    uint32_t linear;                 /* 1: computed in linear light */
    uint32_t input, other, output;   /* slots, or planes 0 and 1; output may be an input, but not of
                                        OFFSET, ROWS and COLUMNS */
    uint32_t input_mask, other_mask; /* and-ed to what is read: 0xff000000 leaves the alpha */
    uint32_t colour;                 /* FLOOD: premultiplied */
    int32_t box[4]; /* x0 y0 x1 y1 within the surface: output is transparent outside */
    int32_t shift_x, shift_y;
    int32_t coefs[20];
    filter_line line;
} filter_pass;

typedef struct filter_program {
    uint32_t width, height;
    uint32_t pass_count;
    uint32_t slot_count;  /* slot 0 counted */
    uint32_t plane_count; /* 0 or 2 */
    filter_pass *passes;
} filter_program;

/* Bytes of scratch, to be aligned to 8: slots from 1 on, then planes. */
size_t filter_scratch_bytes(const filter_program *program);

/*
 * Runs one pass; all of them in order filter `pixels` (slot 0, aligned to 4) in place.  Cannot
 * fail.  Thread safe for unlike memory.
 */
void filter_pass_cpu(const filter_program *program, uint32_t index, uint8_t *pixels, void *scratch);

/* One picture of a batch on the device; addresses of device memory. */
typedef struct filter_job {
    uint64_t pixels, scratch; /* aligned to 8 */
    uint64_t passes;          /* the program's passes, copied whole */
    uint32_t width, height;
    uint32_t pass_count, slot_count;
    uint32_t level; /* as the caller likes; see filter_run_cuda() */
    uint32_t reserved;
} filter_job;

/*
 * The same for many pictures at once, those of one level: one launch for the n-th pass of all of
 * them.  `jobs` is the host's array, `jobs_memory` its copy on the device.  On `stream` (a
 * cudaStream_t, 0: the calling thread's own); does not wait.  NULL when the launches were taken,
 * else CUDA's words (static). Only in builds with nvcc (DP_HAVE_CUDA).
 */
typedef struct filter_jobs {
    const filter_job *jobs;
    uint64_t jobs_memory;
    uint32_t count;
} filter_jobs;
const char *filter_run_cuda(const filter_jobs *batch, uint32_t level, uint64_t stream);

#ifdef __cplusplus
}
#endif

#endif
