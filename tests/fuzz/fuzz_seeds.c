/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes first corpora into two folders.
 *
 * MEDIA, for fuzz_decode and fuzz_render: a small file for each way through a decoder, made by
 * tests/support, each with some of the last bytes that choose the way behind it.  DRAWINGS, for
 * fuzz_svg and fuzz_render: a document for each family of what the front end takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media_more.h"

#define SEEDS 24

#define SVG  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 30'>"
#define RECT "<rect width='30' height='20' rx='3' fill='#f80'/>"

static const char *const drawings[] = {
    SVG
    "<path d='M1 1h9v9H1zm20 0l5 5-5 5zM3 20q5 9 9 0t9 0c1-5 5-5 6 0s4 4 5 0a5 3 30 0 1 9 2z' "
    "fill-rule='evenodd'/><circle cx='9' cy='9' r='4'/><ellipse rx='9' ry='3'/>"
    "<polygon points='1,1 9,2 3,8'/><polyline points='1 1 9 2 3 8'/></svg>",
    SVG
    "<g fill='none' stroke='red' stroke-width='3'><path d='M2 2L20 9 3 25' stroke-linejoin="
    "'round'/><line x1='9' x2='30' y2='9' stroke-linecap='square' stroke-dasharray='3 1.5' "
    "stroke-dashoffset='1'/><path d='M5 5h0' stroke-linecap='round'/><path stroke-miterlimit="
    "'9' d='M1 1L30 2 1 3z' stroke-linejoin='bevel'/></g></svg>",
    SVG
    "<linearGradient id='a' spreadMethod='reflect' x2='.3'><stop stop-color='red'/><stop "
    "offset='.6' stop-color='#00f8'/></linearGradient><radialGradient id='b' href='#a' fx='.2' "
    "gradientTransform='rotate(20)' spreadMethod='repeat'/><rect width='30' height='9' "
    "fill='url(#a)'/><rect y='9' width='30' height='9' fill='url(#b)' stroke='url(#a)'/></svg>",
    SVG
    "<clipPath id='c'><circle cx='9' cy='9' r='8' clip-path='url(#d)'/></clipPath><clipPath "
    "id='d' clipPathUnits='objectBoundingBox'><path d='M0 0L1 0 0 1'/></clipPath><g clip-path="
    "'url(#c)'>" RECT "</g></svg>",
    SVG
    "<mask id='m' mask-type='alpha' x='0' y='0' width='.7' height='1'><circle r='20' fill="
    "'#fff' opacity='.5'/></mask><g mask='url(#m)' opacity='.8'>" RECT RECT "</g></svg>",
    SVG
    "<filter id='f' x='-.2' y='-.2' width='1.5' height='1.5'><feFlood flood-color='#123' "
    "flood-opacity='.5' result='x'/><feColorMatrix in='SourceAlpha' values='0 0 0 0 0 0 0 0 0 "
    "0 0 0 0 0 0 0 0 0 127 0'/><feOffset dx='2' dy='3'/><feGaussianBlur stdDeviation='2 1'/>"
    "<feComposite in2='x' operator='arithmetic' k1='.5' k2='.5'/><feBlend in='SourceGraphic' "
    "mode='multiply'/><feMerge><feMergeNode/><feMergeNode in='SourceGraphic'/></feMerge>"
    "</filter><g filter='url(#f)' transform='rotate(9)'>" RECT "</g></svg>",
    SVG
    "<style>.a{fill:red}g > #b, rect.a{stroke:#00f !important}*{opacity:.9}</style><g "
    "color='green'><rect id='b' class='a x' width='9' height='9' style='fill:currentColor'/>"
    "</g><rect class='a' width='20' height='20' paint-order='stroke' display='inline'/></svg>",
    SVG "<defs><g id='g'>" RECT
        "</g><symbol id='s' viewBox='0 0 9 9' preserveAspectRatio="
        "'xMinYMax slice'><use href='#g'/></symbol></defs><use href='#g' x='5' transform='matrix"
        "(1 .2 .3 1 2 3) skewX(9) scale(.5)'/><use href='#s' width='20' height='9'/></svg>",
    SVG "<svg x='3' y='4' width='50%' height='9' viewBox='0 0 9 9' overflow='visible'>" RECT
        "</svg><switch><g requiredExtensions='x'/><g systemLanguage='en'>" RECT
        "</g></switch>"
        "<g style='mix-blend-mode:screen;isolation:isolate'>" RECT
        "</g><a visibility='hidden'>"
        "</a></svg>",
    SVG "<text x='3' y='20' font-size='12'>ab</text></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1e9'>" RECT "</svg>"};

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

static int write_file(const char *folder, const char *name, const void *bytes, size_t size_bytes)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size_bytes, file) != size_bytes || fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

/* The file as often as there are ways, each with its way behind it. */
static int write_ways(const char *folder, int i)
{
    static const unsigned char ways[] = {0x05, 0x16, 0x2b};
    made_media media = seed(i);
    uint8_t *bytes = media.bytes != NULL ? malloc(media.size_bytes + 1) : NULL;
    int failed = 0;
    for (size_t way = 0; bytes != NULL && way < sizeof ways && !failed; way++) {
        char name[64];
        (void)snprintf(name, sizeof name, "seed-%02d-%zu", i, way);
        memcpy(bytes, media.bytes, media.size_bytes);
        bytes[media.size_bytes] = ways[way];
        failed = write_file(folder, name, bytes, media.size_bytes + 1);
    }
    free(bytes);
    media_free(&media);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: fuzz_seeds MEDIA DRAWINGS\n");
        return 2;
    }
    for (int i = 0; i < SEEDS && !failed; i++) {
        failed = write_ways(argv[1], i);
    }
    for (size_t i = 0; i < sizeof drawings / sizeof drawings[0] && !failed; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "drawing-%02zu", i);
        failed = write_file(argv[2], name, drawings[i], strlen(drawings[i]));
    }
    return failed;
}
