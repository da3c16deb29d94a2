/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures for tests, made by code: no binary is kept in the tree.
 *
 * Every maker returns bytes in a made_media, whose memory the caller frees with media_free(); a
 * maker whose library this build lacks returns NULL bytes.  They use the libraries' plain
 * interfaces, not our codecs, so that a codec is never tested against itself alone.
 */
#ifndef DP_TESTS_MEDIA_MAKE_H
#define DP_TESTS_MEDIA_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct made_media {
    uint8_t *bytes; /* malloc()ed */
    size_t size_bytes;
} made_media;

void media_free(made_media *media);

/*
 * The picture that all makers draw: red rises to the right, green downwards, blue is 64; the left
 * upper quarter is brighter in blue (200), so that a turned picture is told from a straight one.
 * Smooth enough for lossy formats.
 */
void media_pattern(uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint8_t rgb[3]);

typedef struct jpeg_options {
    bool gray, cmyk, adobe, progressive;
    unsigned orientation; /* 0 = no EXIF */
} jpeg_options;

made_media media_jpeg(uint32_t width, uint32_t height, const jpeg_options *options);

typedef struct png_options {
    uint8_t bit_depth;  /* 8 or 16; palette: 8 */
    uint8_t color_type; /* PNG's own numbers: 0 gray, 2 RGB, 3 palette, 4 gray+alpha, 6 RGBA */
    bool interlaced;
} png_options;

/* With alpha: 255 in the upper half, 0 in the lower one.  Palettes hold two colours: entry 0 is
 * (10, 20, 30), entry 1 (200, 100, 50) and half transparent; columns alternate. */
made_media media_png(uint32_t width, uint32_t height, const png_options *options);

/* A PNG that ends behind a header that claims this size; its checksum is right. */
made_media media_png_header(uint32_t width, uint32_t height);

typedef struct webp_options {
    bool lossless, alpha; /* alpha as in media_png */
} webp_options;

made_media media_webp(uint32_t width, uint32_t height, const webp_options *options);

typedef struct gif_options {
    uint32_t left, top, frame_width, frame_height; /* frame_width 0: the whole canvas */
    bool interlaced;
    bool transparent; /* index 1 */
} gif_options;

/*
 * A canvas of width x height; the frame's pixels are index (x + y) % 4 of the palette red, green,
 * blue, white, x and y counted in the frame.
 */
made_media media_gif(uint32_t width, uint32_t height, const gif_options *options);

/* A copy of text, without its end. */
made_media media_text(const char *text);

#endif
