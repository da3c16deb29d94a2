/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a scene pack of SVG files: scene_pack OUT FILE...
 *
 * What the front end leaves to another engine is left out and counted.  Status 1: a file could not
 * be read or written, or nothing was packed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "render/svg/scene_pack.h"
#include "render/svg/svg.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)

/* The file's bytes in `memory` of FILE_BYTES_MAX; 0: it cannot be read. */
static size_t read_file(const char *name, char *memory)
{
    FILE *in = fopen(name, "rb");
    if (in == NULL) {
        return 0;
    }
    const size_t size_bytes = fread(memory, 1, FILE_BYTES_MAX, in);
    fclose(in);
    return size_bytes;
}

static int write_scene(FILE *out, const scene_block *block)
{
    static const char zeros[8];
    const size_t rest = scene_pack_bytes(block->size_bytes) - block->size_bytes;
    return fwrite(block->bytes, 1, block->size_bytes, out) == block->size_bytes &&
           fwrite(zeros, 1, rest, out) == rest;
}

static int pack(FILE *out, char **names, svg_context *context)
{
    char *memory = malloc(FILE_BYTES_MAX);
    unsigned packed = 0, left_out = 0;
    int ok = memory != NULL;

    for (; ok && *names != NULL; names++) {
        char message[SVG_MESSAGE_BYTES];
        scene_block block;
        const size_t size_bytes = read_file(*names, memory);
        if (size_bytes == 0) {
            fprintf(stderr, "scene_pack: %s cannot be read\n", *names);
            ok = 0;
        } else if (svg_parse(context, memory, size_bytes, 0, &block, message) == DP_OK) {
            ok = write_scene(out, &block);
            packed++;
        } else {
            left_out++;
        }
    }
    free(memory);
    printf("packed=%u left_out=%u\n", packed, left_out);
    return ok && packed > 0;
}

int main(int count, char **arguments)
{
    svg_context *context;

    if (count < 3) {
        fprintf(stderr, "usage: scene_pack OUT FILE...\n");
        return 1;
    }
    FILE *out = fopen(arguments[1], "wb");
    if (out == NULL) {
        perror(arguments[1]);
        return 1;
    }
    if (svg_context_create(&context) != DP_OK) {
        fclose(out);
        return 1;
    }
    int ok = pack(out, arguments + 2, context);
    svg_context_destroy(context);
    ok = fclose(out) == 0 && ok;
    return ok ? 0 : 1;
}
