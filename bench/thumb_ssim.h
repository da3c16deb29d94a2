/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How good a thumbnail is: a reference in double precision, and SSIM against it.
 *
 * The reference is separable Lanczos-3 from the full picture, written from the definition, in
 * linear light or in sRGB's codes.  SSIM after Wang, Bovik, Sheikh and Simoncelli (2004): luma, a
 * Gaussian window of 11 pixels with a deviation of 1.5, the mean over all windows inside the
 * picture.
 */
#ifndef DP_BENCH_THUMB_SSIM_H
#define DP_BENCH_THUMB_SSIM_H

#include <stdbool.h>
#include <stdint.h>

/* Luma (BT.601, of sRGB codes) of the reduced picture, malloc()ed; NULL without memory. */
double *thumb_reference(const uint8_t *rgb, const uint32_t from[2], const uint32_t to[2],
                        bool linear_light);

/* The same of a finished picture of RGBA. */
double *thumb_luma(const uint8_t *rgba, uint32_t width, uint32_t height);

double thumb_ssim(const double *a, const double *b, uint32_t width, uint32_t height);

#endif
