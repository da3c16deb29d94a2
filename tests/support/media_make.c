/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See media_make.h.  A maker that fails stops the test program: there is nothing to test then.
 */
#include "media_make.h"

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
#if DP_HAVE_GIF
#include <gif_lib.h>
#endif

#define NOTHING ((made_media){NULL, 0})

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "media_make: %s failed\n", what);
        abort();
    }
}

static void *get(size_t size_bytes)
{
    void *memory = calloc(1, size_bytes);
    need(memory != NULL, "calloc");
    return memory;
}

void media_free(made_media *media)
{
    free(media->bytes);
    *media = NOTHING;
}

made_media media_text(const char *text)
{
    made_media made = {get(strlen(text) + 1), strlen(text)};
    memcpy(made.bytes, text, made.size_bytes);
    return made;
}

void media_pattern(uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint8_t rgb[3])
{
    rgb[0] = (uint8_t)(x * 255 / (width > 1 ? width - 1 : 1));
    rgb[1] = (uint8_t)(y * 255 / (height > 1 ? height - 1 : 1));
    rgb[2] = x < width / 2 && y < height / 2 ? 200 : 64;
}

#if DP_HAVE_JPEG

/* EXIF with one entry: the orientation, in Motorola's byte order. */
static void write_exif(struct jpeg_compress_struct *jpeg, unsigned orientation)
{
    uint8_t exif[32] = {'E', 'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                        1,   0x12, 0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    exif[25] = (uint8_t)orientation;
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, exif, sizeof exif);
}

static void jpeg_row(uint8_t *row, uint32_t y, const uint32_t size[2], const jpeg_options *options)
{
    for (uint32_t x = 0; x < size[0]; x++) {
        uint8_t rgb[3];
        media_pattern(x, y, size[0], size[1], rgb);
        if (options->gray) {
            row[x] = rgb[0];
        } else if (options->cmyk) {
            /* Ink is what light is not; Adobe writes it upside down. */
            for (int c = 0; c < 3; c++) {
                row[4 * x + (uint32_t)c] = options->adobe ? rgb[c] : (uint8_t)(255 - rgb[c]);
            }
            row[4 * x + 3] = options->adobe ? 255 : 0;
        } else {
            memcpy(row + 3 * (size_t)x, rgb, 3);
        }
    }
}

made_media media_jpeg(uint32_t width, uint32_t height, const jpeg_options *options)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size_bytes = 0;
    const uint32_t size[2] = {width, height};
    uint8_t *row = get((size_t)width * 4);

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size_bytes);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = options->gray ? 1 : (options->cmyk ? 4 : 3);
    jpeg.in_color_space = options->gray ? JCS_GRAYSCALE : (options->cmyk ? JCS_CMYK : JCS_RGB);
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    if (options->progressive) {
        jpeg_simple_progression(&jpeg);
    }
    jpeg.write_Adobe_marker = options->adobe;
    jpeg_start_compress(&jpeg, TRUE);
    if (options->orientation != 0) {
        write_exif(&jpeg, options->orientation);
    }
    for (uint32_t y = 0; y < height; y++) {
        JSAMPROW rows[1] = {row};
        jpeg_row(row, y, size, options);
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    return (made_media){bytes, size_bytes};
}

#else

made_media media_jpeg(uint32_t width, uint32_t height, const jpeg_options *options)
{
    (void)width;
    (void)height;
    (void)options;
    return NOTHING;
}

#endif

#if DP_HAVE_SPNG

static size_t put_sample(uint8_t *out, uint8_t value, const png_options *options)
{
    out[0] = value;
    if (options->bit_depth == 16) {
        out[1] = value; /* libspng takes 16 bits in this machine's order: both halves alike */
        return 2;
    }
    return 1;
}

static size_t put_pixel(uint8_t *out, const uint32_t at[2], const uint32_t size[2],
                        const png_options *options)
{
    const bool gray = options->color_type == 0 || options->color_type == 4;
    size_t length = 0;
    uint8_t rgb[3];

    if (options->color_type == 3) {
        out[0] = (uint8_t)(at[0] % 2);
        return 1;
    }
    media_pattern(at[0], at[1], size[0], size[1], rgb);
    for (int c = 0; c < (gray ? 1 : 3); c++) {
        length += put_sample(out + length, rgb[c], options);
    }
    if (options->color_type >= 4) {
        length += put_sample(out + length, at[1] < size[1] / 2 ? 255 : 0, options);
    }
    return length;
}

static void set_palette(spng_ctx *png)
{
    struct spng_plte colours = {.n_entries = 2,
                                .entries = {{10, 20, 30, 255}, {200, 100, 50, 255}}};
    struct spng_trns alpha = {.n_type3_entries = 2, .type3_alpha = {255, 128}};
    need(spng_set_plte(png, &colours) == 0 && spng_set_trns(png, &alpha) == 0, "spng palette");
}

made_media media_png(uint32_t width, uint32_t height, const png_options *options)
{
    const uint32_t size[2] = {width, height};
    struct spng_ihdr header = {.width = width,
                               .height = height,
                               .bit_depth = options->bit_depth,
                               .color_type = options->color_type,
                               .interlace_method = options->interlaced};
    uint8_t *pixels = get((size_t)width * height * 8);
    size_t length = 0;
    made_media made = NOTHING;
    int error = 0;

    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            const uint32_t at[2] = {x, y};
            length += put_pixel(pixels + length, at, size, options);
        }
    }
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    need(png != NULL, "spng_ctx_new");
    spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    need(spng_set_ihdr(png, &header) == 0, "spng_set_ihdr");
    if (options->color_type == 3) {
        set_palette(png);
    }
    error = spng_encode_image(png, pixels, length, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    need(error == 0, "spng_encode_image");
    made.bytes = spng_get_png_buffer(png, &made.size_bytes, &error);
    need(made.bytes != NULL, "spng_get_png_buffer");
    spng_ctx_free(png);
    free(pixels);
    return made;
}

#else

made_media media_png(uint32_t width, uint32_t height, const png_options *options)
{
    (void)width;
    (void)height;
    (void)options;
    return NOTHING;
}

#endif

/* PNG's checksum (ISO 15948, annex D), bit by bit. */
static uint32_t checksum(const uint8_t *bytes, size_t size_bytes)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
    }
    return ~crc;
}

static void put32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

made_media media_png_header(uint32_t width, uint32_t height)
{
    made_media made = {get(33), 33};
    memcpy(made.bytes, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
    put32(made.bytes + 16, width);
    put32(made.bytes + 20, height);
    made.bytes[24] = 8;
    made.bytes[25] = 6;
    put32(made.bytes + 29, checksum(made.bytes + 12, 17));
    return made;
}

#if DP_HAVE_WEBP

made_media media_webp(uint32_t width, uint32_t height, const webp_options *options)
{
    uint8_t *pixels = get((size_t)width * height * 4);
    uint8_t *bytes = NULL;
    const int stride = (int)width * 4;

    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint8_t *pixel = pixels + 4 * ((size_t)y * width + x);
            media_pattern(x, y, width, height, pixel);
            pixel[3] = !options->alpha || y < height / 2 ? 255 : 0;
        }
    }
    const size_t size_bytes =
        options->lossless ? WebPEncodeLosslessRGBA(pixels, (int)width, (int)height, stride, &bytes)
                          : WebPEncodeRGBA(pixels, (int)width, (int)height, stride, 95, &bytes);
    need(size_bytes > 0, "WebPEncode");
    free(pixels);
    /* libwebp's memory is freed by its own call; ours by free(). */
    made_media made = {get(size_bytes), size_bytes};
    memcpy(made.bytes, bytes, size_bytes);
    WebPFree(bytes);
    return made;
}

#else

made_media media_webp(uint32_t width, uint32_t height, const webp_options *options)
{
    (void)width;
    (void)height;
    (void)options;
    return NOTHING;
}

#endif

#if DP_HAVE_GIF

static int append(GifFileType *gif, const GifByteType *bytes, int length)
{
    made_media *made = gif->UserData;
    made->bytes = realloc(made->bytes, made->size_bytes + (size_t)length);
    need(made->bytes != NULL, "realloc");
    memcpy(made->bytes + made->size_bytes, bytes, (size_t)length);
    made->size_bytes += (size_t)length;
    return length;
}

static void put_lines(GifFileType *gif, const gif_options *options, int step, int first)
{
    GifByteType *line = get(options->frame_width);
    for (uint32_t y = (uint32_t)first; y < options->frame_height; y += (uint32_t)step) {
        for (uint32_t x = 0; x < options->frame_width; x++) {
            line[x] = (GifByteType)((x + y) % 4);
        }
        need(EGifPutLine(gif, line, (int)options->frame_width) == GIF_OK, "EGifPutLine");
    }
    free(line);
}

made_media media_gif(uint32_t width, uint32_t height, const gif_options *options)
{
    const GifColorType colours[4] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
    gif_options o = *options;
    made_media made = NOTHING;
    int error = 0;

    o.frame_width = o.frame_width == 0 ? width : o.frame_width;
    o.frame_height = o.frame_height == 0 ? height : o.frame_height;
    GifFileType *gif = EGifOpen(&made, append, &error);
    ColorMapObject *map = GifMakeMapObject(4, colours);
    need(gif != NULL && map != NULL, "EGifOpen");
    EGifSetGifVersion(gif, true);
    need(EGifPutScreenDesc(gif, (int)width, (int)height, 2, 0, map) == GIF_OK, "screen");
    if (o.transparent) {
        const GraphicsControlBlock control = {.TransparentColor = 1};
        GifByteType extension[4];
        const size_t length = EGifGCBToExtension(&control, extension);
        need(EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, (int)length, extension) == GIF_OK,
             "extension");
    }
    need(EGifPutImageDesc(gif, (int)o.left, (int)o.top, (int)o.frame_width, (int)o.frame_height,
                          o.interlaced, NULL) == GIF_OK,
         "frame");
    if (o.interlaced) {
        put_lines(gif, &o, 8, 0);
        put_lines(gif, &o, 8, 4);
        put_lines(gif, &o, 4, 2);
        put_lines(gif, &o, 2, 1);
    } else {
        put_lines(gif, &o, 1, 0);
    }
    GifFreeMapObject(map);
    need(EGifCloseFile(gif, &error) == GIF_OK, "EGifCloseFile");
    return made;
}

#else

made_media media_gif(uint32_t width, uint32_t height, const gif_options *options)
{
    (void)width;
    (void)height;
    (void)options;
    return NOTHING;
}

#endif
