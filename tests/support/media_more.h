/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More pictures for tests, made as in media_make.h: what moves, AVIF, and what stands beside the
 * pixels of a file.
 */
#ifndef DP_TESTS_MEDIA_MORE_H
#define DP_TESTS_MEDIA_MORE_H

#include "media_make.h"

/* The pattern of media_make.h.  `turns`: as many quarters against the clock; mirror 0 none, 1 top
 * and bottom exchanged, 2 left and right. */
typedef struct avif_options {
    bool alpha; /* as in media_png */
    unsigned turns, mirror;
    unsigned exif_orientation; /* 0: no EXIF */
    unsigned frames;           /* 0 and 1: a still; frame i has the blue of 60 * i, for 40 ms */
} avif_options;

/* NULL bytes too where this libavif cannot encode. */
made_media media_avif(uint32_t width, uint32_t height, const avif_options *options);

/*
 * Three frames of 12 x 10: all red; a green square of 4 x 4 at (2, 2), disposed as said; a blue one
 * at (6, 5).  50 ms each, looping for ever.
 */
made_media media_gif_motion(unsigned disposal);

/* Frames of one colour each, lossless: red is 50 * i; 30 ms + 10 * i each, looping 5 times. */
made_media media_webp_motion(uint32_t width, uint32_t height, unsigned frames);

/* Each takes the file over and returns it with one thing more beside its pixels. */
made_media media_png_add(made_media png, const char type[4], const uint8_t *data,
                         size_t size_bytes);
made_media media_png_add_icc(made_media png, const uint8_t *profile, size_t size_bytes);
made_media media_jpeg_add_icc(made_media jpeg, const uint8_t *profile, size_t size_bytes);
made_media media_webp_add(made_media webp, const char type[4], const uint8_t *data,
                          size_t size_bytes);

/* A block of EXIF with an orientation, without "Exif\0\0". */
#define MEDIA_EXIF_BYTES 26u
void media_exif(uint8_t out[MEDIA_EXIF_BYTES], unsigned orientation);

/* Profiles of a device whose red is shown green, green blue, blue red; and of one whose inks are
 * all gray.  To be freed; NULL without Little CMS. */
uint8_t *media_profile_rgb(size_t *size_bytes);
uint8_t *media_profile_inks(size_t *size_bytes);

#endif
