/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture that bench_thumb makes thumbnails of, made by code and written by the libraries'
 * plain interfaces: no photograph is kept in the tree.
 *
 * It has what a photograph has for a codec and a resampler: noise of every wavelength, falling with
 * it; soft light; hard edges of strong contrast and saturated colour; fine lines.
 */
#ifndef DP_BENCH_THUMB_SOURCE_H
#define DP_BENCH_THUMB_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct thumb_file {
    uint8_t *bytes; /* malloc()ed; NULL: this build lacks the library */
    size_t size_bytes;
} thumb_file;

/* RGB, three bytes a pixel, malloc()ed; NULL without memory. */
uint8_t *thumb_source_pixels(uint32_t width, uint32_t height);

/* As a camera would: quality 90, chroma halved in both directions. */
thumb_file thumb_source_jpeg(const uint8_t *rgb, uint32_t width, uint32_t height);
/* 8 bits a channel, no alpha, filters chosen by row, zlib's level 6. */
thumb_file thumb_source_png(const uint8_t *rgb, uint32_t width, uint32_t height);
/* Lossy, quality 80. */
thumb_file thumb_source_webp(const uint8_t *rgb, uint32_t width, uint32_t height);

#endif
