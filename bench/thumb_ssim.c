/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See thumb_ssim.h.  Nothing here is fast.
 */
#include "thumb_ssim.h"

#include <math.h>
#include <stdlib.h>

#define LOBES     3.0
#define PI        3.14159265358979323846
#define WINDOW    11u /* of SSIM */
#define DEVIATION 1.5

/* (0.01 x 255)^2 and (0.03 x 255)^2. */
#define C1 6.5025
#define C2 58.5225

static double linear_of(double code)
{
    const double v = code / 255;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double code_of(double light)
{
    const double v = fmin(fmax(light, 0), 1);
    return 255 * (v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055);
}

static double lanczos(double x)
{
    const double a = PI * fabs(x);
    if (a < 1e-9) {
        return 1;
    }
    return fabs(x) >= LOBES ? 0 : LOBES * sin(a) * sin(a / LOBES) / (a * a);
}

/* No reduction of the bench has a wider window. */
#define WINDOW_MAX 256u

/* Reduces `lines` lines of `from` values, `step` apart, to `to` values each. */
static void reduce(const double *in, double *out, const uint32_t length[2], uint32_t lines,
                   const size_t steps[4])
{
    const double stretch = (double)length[0] / length[1];
    double weights[WINDOW_MAX];

    for (uint32_t i = 0; i < length[1]; i++) {
        const double centre = (i + 0.5) * stretch;
        const uint32_t low = (uint32_t)fmax(floor(centre - LOBES * stretch), 0);
        const uint32_t high = (uint32_t)fmin(ceil(centre + LOBES * stretch), length[0]);
        double all = 0;
        for (uint32_t s = low; s < high && s - low < WINDOW_MAX; s++) {
            weights[s - low] = lanczos((s + 0.5 - centre) / stretch);
            all += weights[s - low];
        }
        for (uint32_t line = 0; line < lines; line++) {
            double sum = 0;
            for (uint32_t s = low; s < high && s - low < WINDOW_MAX; s++) {
                sum += weights[s - low] * in[s * steps[0] + line * steps[1]];
            }
            out[i * steps[2] + line * steps[3]] = sum / all;
        }
    }
}

double *thumb_reference(const uint8_t *rgb, const uint32_t from[2], const uint32_t to[2],
                        bool linear_light)
{
    static const double weights[3] = {0.299, 0.587, 0.114};
    const size_t pixels = (size_t)from[0] * from[1];
    double *plane = malloc(pixels * sizeof *plane);
    double *between = malloc((size_t)to[0] * from[1] * sizeof *between);
    double *small = malloc((size_t)to[0] * to[1] * sizeof *small);
    double *luma = calloc((size_t)to[0] * to[1], sizeof *luma);

    for (size_t c = 0; c < 3 && plane != NULL && between != NULL && small != NULL && luma != NULL;
         c++) {
        for (size_t i = 0; i < pixels; i++) {
            plane[i] = linear_light ? linear_of(rgb[3 * i + c]) : rgb[3 * i + c];
        }
        reduce(plane, between, (const uint32_t[2]){from[0], to[0]}, from[1],
               (const size_t[4]){1, from[0], 1, to[0]});
        reduce(between, small, (const uint32_t[2]){from[1], to[1]}, to[0],
               (const size_t[4]){to[0], 1, to[0], 1});
        for (size_t i = 0; i < (size_t)to[0] * to[1]; i++) {
            luma[i] +=
                weights[c] * (linear_light ? code_of(small[i]) : fmin(fmax(small[i], 0), 255));
        }
    }
    free(plane);
    free(between);
    free(small);
    return luma;
}

double *thumb_luma(const uint8_t *rgba, uint32_t width, uint32_t height)
{
    const size_t pixels = (size_t)width * height;
    double *luma = malloc(pixels * sizeof *luma);
    for (size_t i = 0; luma != NULL && i < pixels; i++) {
        luma[i] = 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
    }
    return luma;
}

/* The index of one window whose left upper corner is at `a` and `b`. */
static double window_ssim(const double *a, const double *b, uint32_t stride,
                          const double gauss[WINDOW])
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (uint32_t y = 0; y < WINDOW; y++) {
        for (uint32_t x = 0; x < WINDOW; x++) {
            const double w = gauss[x] * gauss[y];
            const double p = a[y * stride + x], q = b[y * stride + x];
            ma += w * p;
            mb += w * q;
            aa += w * p * p;
            bb += w * q * q;
            ab += w * p * q;
        }
    }
    const double va = aa - ma * ma, vb = bb - mb * mb, cov = ab - ma * mb;
    return (2 * ma * mb + C1) * (2 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
}

double thumb_ssim(const double *a, const double *b, uint32_t width, uint32_t height)
{
    double gauss[WINDOW], all = 0, sum = 0;
    for (uint32_t i = 0; i < WINDOW; i++) {
        const double d = (double)i - WINDOW / 2;
        gauss[i] = exp(-d * d / (2 * DEVIATION * DEVIATION));
        all += gauss[i];
    }
    for (uint32_t i = 0; i < WINDOW; i++) {
        gauss[i] /= all;
    }
    for (uint32_t y = 0; y + WINDOW <= height; y++) {
        for (uint32_t x = 0; x + WINDOW <= width; x++) {
            sum += window_ssim(a + (size_t)y * width + x, b + (size_t)y * width + x, width, gauss);
        }
    }
    return sum / ((double)(height - WINDOW + 1) * (width - WINDOW + 1));
}
