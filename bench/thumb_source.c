/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See thumb_source.h.  Value noise of nine octaves, each with half the wavelength and 0.55 of the
 * strength of the one before, and shapes over it; the same bytes on every machine whose sqrt and
 * floor are those of IEEE 754.
 */
#include "thumb_source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp_features.h"

#if DP_HAVE_JPEG
#include <jpeglib.h>
#endif
#if DP_HAVE_SPNG
#include <spng.h>
#endif
#if DP_HAVE_WEBP
#include <webp/encode.h>
#endif

#define OCTAVES      9
#define FINEST       2.0
#define NOTHING      ((thumb_file){NULL, 0})
#define JPEG_QUALITY 90
#define WEBP_QUALITY 80.0f

static double lattice(uint32_t x, uint32_t y, uint32_t octave)
{
    uint32_t h = x * 0x9e3779b1u ^ y * 0x85ebca77u ^ octave * 0xc2b2ae3du;
    h ^= h >> 15;
    h *= 0x2c1b3c6du;
    h ^= h >> 12;
    h *= 0x297a2d39u;
    h ^= h >> 15;
    return (double)(h >> 8) / (1 << 24);
}

static double smooth(double t)
{
    return t * t * (3 - 2 * t);
}

/* Value noise with its points `cell` pixels apart, 0 .. 1. */
static double noise(double x, double y, double cell, uint32_t octave)
{
    const double column = floor(x / cell), row = floor(y / cell);
    const double u = smooth(x / cell - column), v = smooth(y / cell - row);
    const uint32_t i = (uint32_t)column, j = (uint32_t)row;
    const double top = lattice(i, j, octave) * (1 - u) + lattice(i + 1, j, octave) * u;
    const double low = lattice(i, j + 1, octave) * (1 - u) + lattice(i + 1, j + 1, octave) * u;
    return top * (1 - v) + low * v;
}

static double clouds(double x, double y, uint32_t seed)
{
    double sum = 0, weight = 1, all = 0, cell = FINEST * (1 << (OCTAVES - 1));
    for (uint32_t i = 0; i < OCTAVES; i++) {
        sum += weight * noise(x, y, cell, seed + i);
        all += weight;
        weight *= 0.55;
        cell /= 2;
    }
    return sum / all;
}

/* Hard shapes over the clouds: discs of strong colour, and stripes that a resampler must average.
 */
static int shape_of(double x, double y, double width, double height, double rgb[3])
{
    static const double colours[5][3] = {
        {0.95, 0.1, 0.05}, {0.05, 0.35, 0.95}, {1, 0.9, 0.1}, {1, 1, 1}, {0.02, 0.02, 0.03}};
    for (int i = 0; i < 5; i++) {
        const double dx = x - width * (0.12 + 0.19 * i), dy = y - height * (0.3 + 0.4 * (i % 2));
        const double radius = height * 0.11;
        if (dx * dx + dy * dy < radius * radius) {
            memcpy(rgb, colours[i], sizeof colours[i]);
            return 1;
        }
    }
    if (y > height * 0.9) {
        const double value = fmod(x, 2 + floor(x / width * 24)) < 1 + x / width * 8 ? 0.95 : 0.05;
        rgb[0] = rgb[1] = rgb[2] = value;
        return 1;
    }
    return 0;
}

uint8_t *thumb_source_pixels(uint32_t width, uint32_t height)
{
    uint8_t *rgb = malloc((size_t)width * height * 3);
    for (uint32_t y = 0; rgb != NULL && y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            const double light = clouds(x, y, 1), warm = clouds(x * 0.5, y * 0.5, 40);
            double colour[3] = {light * (0.6 + 0.7 * warm), light, light * (1.3 - 0.7 * warm)};
            (void)shape_of(x, y, width, height, colour);
            for (int c = 0; c < 3; c++) {
                const double value = fmin(fmax(colour[c] * 1.6 - 0.3, 0), 1);
                rgb[3 * ((size_t)y * width + x) + (size_t)c] = (uint8_t)lround(255 * value);
            }
        }
    }
    return rgb;
}

thumb_file thumb_source_jpeg(const uint8_t *rgb, uint32_t width, uint32_t height)
{
#if DP_HAVE_JPEG
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size_bytes = 0;

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size_bytes);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, JPEG_QUALITY, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + (size_t)jpeg.next_scanline * width * 3);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (thumb_file){bytes, size_bytes};
#else
    (void)rgb;
    (void)width;
    (void)height;
    return NOTHING;
#endif
}

thumb_file thumb_source_png(const uint8_t *rgb, uint32_t width, uint32_t height)
{
#if DP_HAVE_SPNG
    struct spng_ihdr header = {
        .width = width, .height = height, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    thumb_file file = NOTHING;
    int error = 0;
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (png == NULL) {
        return NOTHING;
    }
    spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_option(png, SPNG_IMG_COMPRESSION_LEVEL, 6);
    spng_set_ihdr(png, &header);
    if (spng_encode_image(png, rgb, (size_t)width * height * 3, SPNG_FMT_PNG,
                          SPNG_ENCODE_FINALIZE) == 0) {
        file.bytes = spng_get_png_buffer(png, &file.size_bytes, &error);
    }
    spng_ctx_free(png);
    return file;
#else
    (void)rgb;
    (void)width;
    (void)height;
    return NOTHING;
#endif
}

thumb_file thumb_source_webp(const uint8_t *rgb, uint32_t width, uint32_t height)
{
#if DP_HAVE_WEBP
    thumb_file file = NOTHING;
    file.size_bytes =
        WebPEncodeRGB(rgb, (int)width, (int)height, (int)width * 3, WEBP_QUALITY, &file.bytes);
    return file;
#else
    (void)rgb;
    (void)width;
    (void)height;
    return NOTHING;
#endif
}
