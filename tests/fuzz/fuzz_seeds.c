/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the first corpus of fuzz_decode into a folder: a small file for each way through a
 * decoder, made by tests/support, each with some of the last bytes that choose the way behind it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "media_more.h"

#define SEEDS 24

static made_media with_profile(int i)
{
    size_t size_bytes;
    uint8_t *profile = i == 21 ? media_profile_inks(&size_bytes) : media_profile_rgb(&size_bytes);
    made_media made = {NULL, 0};

    if (profile != NULL && i == 19) {
        const png_options rgb = {.bit_depth = 8, .color_type = 2};
        made = media_png_add_icc(media_png(12, 9, &rgb), profile, size_bytes);
    } else if (profile != NULL) {
        const jpeg_options options = {.cmyk = i == 21, .adobe = i == 21};
        made = media_jpeg_add_icc(media_jpeg(12, 9, &options), profile, size_bytes);
    }
    free(profile);
    return made;
}

static made_media seed(int i)
{
    uint8_t exif[MEDIA_EXIF_BYTES];
    media_exif(exif, 6);
    switch (i) {
    case 0:
        return media_jpeg(33, 25, &(jpeg_options){.orientation = 6});
    case 1:
        return media_jpeg(33, 25, &(jpeg_options){.progressive = true});
    case 2:
        return media_jpeg(20, 20, &(jpeg_options){.gray = true});
    case 3:
        return media_jpeg(20, 20, &(jpeg_options){.cmyk = true, .adobe = true});
    case 4:
        return media_png(20, 15, &(png_options){.bit_depth = 8, .color_type = 0});
    case 5:
        return media_png(20, 15, &(png_options){.bit_depth = 8, .color_type = 2});
    case 6:
        return media_png(20, 15, &(png_options){.bit_depth = 8, .color_type = 3});
    case 7:
        return media_png(20, 15, &(png_options){.bit_depth = 8, .color_type = 6});
    case 8:
        return media_png(20, 15,
                         &(png_options){.bit_depth = 16, .color_type = 6, .interlaced = true});
    case 9:
        return media_png_add(media_png(20, 15, &(png_options){.bit_depth = 8, .color_type = 2}),
                             "eXIf", exif, sizeof exif);
    case 10:
        return media_webp(33, 25, &(webp_options){.alpha = true});
    case 11:
        return media_webp(33, 25, &(webp_options){.lossless = true});
    case 12:
        return media_webp_motion(16, 12, 3);
    case 13:
        return media_webp_add(media_webp(20, 15, &(webp_options){0}), "EXIF", exif, sizeof exif);
    case 14:
    case 15:
        return media_gif_motion((unsigned)i - 12u);
    case 16:
        return media_gif(20, 15, &(gif_options){.interlaced = true, .transparent = true});
    case 17:
        return media_avif(24, 16, &(avif_options){.alpha = true, .turns = 1});
    case 18:
        return media_avif(24, 16, &(avif_options){.frames = 2});
    case 19:
    case 20:
    case 21:
        return with_profile(i);
    default:
        return media_text(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 7'>"
            "<rect width='5' height='5' fill='red'/></svg>");
    }
}

int main(int argc, char **argv)
{
    static const unsigned char ways[] = {0x05, 0x16, 0x2b};
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    for (int i = 0; i < SEEDS; i++) {
        made_media media = seed(i);
        for (size_t way = 0; media.bytes != NULL && way < sizeof ways; way++) {
            char path[4096];
            (void)snprintf(path, sizeof path, "%s/seed-%02d-%zu", argv[1], i, way);
            FILE *file = fopen(path, "wb");
            if (file == NULL ||
                fwrite(media.bytes, 1, media.size_bytes, file) != media.size_bytes ||
                fputc(ways[way], file) == EOF || fclose(file) != 0) {
                perror(path);
                return 1;
            }
        }
        media_free(&media);
    }
    return 0;
}
