/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of SVG documents for the render bench: a folder of files, or a few drawings of our own where
 * there is none.  Owned by who loaded it, read only afterwards.
 */
#ifndef DP_BENCH_SVG_SET_H
#define DP_BENCH_SVG_SET_H

#include <stdbool.h>
#include <stddef.h>

typedef struct svg_document {
    char *bytes; /* zero-terminated behind size_bytes */
    size_t size_bytes;
} svg_document;

typedef struct svg_set {
    svg_document *documents;
    size_t count;
} svg_set;

/* Loads every *.svg of `folder`, in the order of names.  False: no such folder, or nothing in it.
 */
bool svg_set_load(svg_set *set, const char *folder);

/* Three drawings that use fills, strokes, gradients and clips, `copies` times each. */
bool svg_set_own(svg_set *set, size_t copies);

void svg_set_drop(svg_set *set);

#endif
