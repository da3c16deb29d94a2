/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder is read in the order of names, so that a run draws the same icons in the same order; a
 * file that cannot be read is left out.  See svg_set.h.
 */
#include "svg_set.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const own_drawings[] = {
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 36 36'><circle cx='18' cy='18' r='18' "
    "fill='#ffcc4d'/><path d='M28 19c0-1-1-2-2-2H10c-1 0-2 1-2 2 0 6 5 11 10 11s10-5 10-11z' "
    "fill='#664500'/><ellipse cx='12' cy='12' rx='2.5' ry='3.5' fill='#664500'/><ellipse cx='24' "
    "cy='12' rx='2.5' ry='3.5' fill='#664500'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 72 72'><g fill='none' stroke='#000' "
    "stroke-width='2' stroke-linecap='round' stroke-linejoin='round'><circle cx='36' cy='36' "
    "r='23' fill='#fcea2b'/><path d='M46 43c-2 5-6 8-10 8s-8-3-10-8z'/><path d='M24 30c1-3 5-3 6 "
    "0M42 30c1-3 5-3 6 0' stroke-dasharray='3 2'/></g></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 128 128'><radialGradient id='a' "
    "cx='64' cy='50' r='60' gradientUnits='userSpaceOnUse'><stop offset='.5' "
    "stop-color='#fde030'/><stop offset='1' stop-color='#f19534'/></radialGradient><clipPath "
    "id='b'><circle cx='64' cy='64' r='55'/></clipPath><g clip-path='url(#b)'><rect width='128' "
    "height='128' fill='url(#a)'/><path d='M0 90Q64 70 128 90V128H0z' fill='#422b0d' "
    "opacity='.7'/></g></svg>",
};
#define OWN_DRAWINGS (sizeof own_drawings / sizeof own_drawings[0])

static bool read_document(const char *path, svg_document *out)
{
    bool read = false;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    if (fseek(file, 0, SEEK_END) == 0) {
        const long size = ftell(file);
        char *bytes = size > 0 ? malloc((size_t)size + 1) : NULL;
        rewind(file);
        read = bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size;
        if (read) {
            bytes[size] = '\0';
            *out = (svg_document){bytes, (size_t)size};
        } else {
            free(bytes);
        }
    }
    (void)fclose(file);
    return read;
}

static int is_svg(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".svg") == 0;
}

bool svg_set_load(svg_set *set, const char *folder)
{
    struct dirent **entries;
    const int found = scandir(folder, &entries, is_svg, alphasort);
    if (found < 0) {
        return false;
    }
    *set = (svg_set){.documents = calloc((size_t)found + 1, sizeof *set->documents)};
    for (int i = 0; i < found; i++) {
        char path[4096];
        const int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (set->documents != NULL && length > 0 && (size_t)length < sizeof path &&
            read_document(path, &set->documents[set->count])) {
            set->count++;
        }
        free(entries[i]);
    }
    free(entries);
    if (set->count == 0) {
        svg_set_drop(set);
    }
    return set->count > 0;
}

bool svg_set_own(svg_set *set, size_t copies)
{
    *set = (svg_set){.documents = calloc(copies * OWN_DRAWINGS, sizeof *set->documents)};
    for (size_t i = 0; set->documents != NULL && i < copies * OWN_DRAWINGS; i++) {
        const size_t size_bytes = strlen(own_drawings[i % OWN_DRAWINGS]);
        char *bytes = malloc(size_bytes + 1);
        if (bytes == NULL) {
            break;
        }
        memcpy(bytes, own_drawings[i % OWN_DRAWINGS], size_bytes + 1);
        set->documents[set->count++] = (svg_document){bytes, size_bytes};
    }
    return set->count > 0;
}

void svg_set_drop(svg_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->documents[i].bytes);
    }
    free(set->documents);
    *set = (svg_set){0};
}
