/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws SVG documents for whoever asks on standard input, one after the other:
 *
 *     "WIDTH HEIGHT BYTES\n" document   ->   "STATUS MESSAGE\n" and, where STATUS is "ok", WIDTH *
 * HEIGHT premultiplied RGBA pixels
 *
 * With an argument, a folder, it also keeps every scene it made there (NUMBER.scene): that is how
 * scenes get to machines without a parser.
 */
#include <stdio.h>
#include <stdlib.h>

#include "render/svg/draw.h"
#include "render/svg/scene.h"
#include "render/svg/svg.h"

#define SIDE_MAX     4096ul
#define DOCUMENT_MAX ((size_t)64 << 20)

typedef struct renderer {
    svg_context *parser;
    draw_context *drawer;
    const char *folder; /* (optional) */
    unsigned kept;
} renderer;

static void keep(renderer *r, const scene_block *block)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%04u.scene", r->folder, r->kept++);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(block->bytes, 1, block->size_bytes, file) != block->size_bytes ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static dp_status draw(renderer *r, const void *document, size_t size_bytes,
                      const unsigned long sides[2], uint8_t *pixels, char *message)
{
    scene_block block;
    scene made;
    dp_status status = svg_parse(r->parser, document, size_bytes, 0, &block, message);
    if (status != DP_OK) {
        return status;
    }
    status = scene_open(block.bytes, block.size_bytes, &made);
    if (status != DP_OK) {
        snprintf(message, SVG_MESSAGE_BYTES, "the scene that was made is not a valid one");
        return status;
    }
    if (r->folder != NULL) {
        keep(r, &block);
    }
    return draw_scene(r->drawer, &made, (uint32_t)sides[0], (uint32_t)sides[1], pixels,
                      sides[0] * 4);
}

static int answer(renderer *r, const unsigned long sides[2], size_t size_bytes)
{
    char message[SVG_MESSAGE_BYTES] = "";
    void *document = malloc(size_bytes + 1);
    uint8_t *pixels = malloc(sides[0] * sides[1] * 4);
    int good =
        document != NULL && pixels != NULL && fread(document, 1, size_bytes, stdin) == size_bytes;

    if (good) {
        const dp_status status = draw(r, document, size_bytes, sides, pixels, message);
        printf("%s %s\n", dp_status_name(status), message);
        if (status == DP_OK) {
            good = fwrite(pixels, 4, sides[0] * sides[1], stdout) == sides[0] * sides[1];
        }
        fflush(stdout);
    }
    free(pixels);
    free(document);
    return good;
}

int main(int argc, char **argv)
{
    renderer r = {.folder = argc > 1 ? argv[1] : NULL};
    unsigned long sides[2], size_bytes;
    int good = svg_context_create(&r.parser) == DP_OK && draw_context_create(&r.drawer) == DP_OK;

    while (good && scanf("%lu %lu %lu", &sides[0], &sides[1], &size_bytes) == 3 &&
           getchar() == '\n') {
        good = sides[0] > 0 && sides[0] <= SIDE_MAX && sides[1] > 0 && sides[1] <= SIDE_MAX &&
               size_bytes <= DOCUMENT_MAX && answer(&r, sides, size_bytes);
    }
    draw_context_destroy(r.drawer);
    svg_context_destroy(r.parser);
    return good ? 0 : 1;
}
