/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding of text for matching: what looks alike becomes alike.
 *
 * Two foldings come from one table (confusable_make.c), which costs a look-up a character:
 *
 *     plain     lower case, half width, no combining or zero-width marks, look-alikes of other
 *               scripts as the ASCII they resemble; everything else stays, punctuation too
 *     skeleton  the same, without separators (white space, punctuation, symbols), and with what
 *               looks alike within ASCII made one: 0 and o, 1 and | and i and l, 3 e, 4 a, 5 $ s, 7
 * t
 *
 * Every folded character remembers the bytes that it was written with.  No state: thread safe.
 */
#ifndef DP_SERVER_GATE_CONFUSABLE_H
#define DP_SERVER_GATE_CONFUSABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most characters that one may become; a comment of 2,000 characters always fits. */
#define CONFUSABLE_GROWTH_MAX 8u
#define CONFUSABLE_POINTS_MAX (2048u * CONFUSABLE_GROWTH_MAX)
/* Separators inside a word that are overlooked; more of them are the end of it. */
#define CONFUSABLE_GAP_MAX 3u
/* Stands in a skeleton for more separators than that; no folded word has it. */
#define CONFUSABLE_BREAK 0u

typedef struct confusable_point {
    uint32_t point : 24;
    uint32_t has_gap : 8; /* skeleton: separators stood in front of it */
    uint16_t from, to;    /* bytes of the text that it stands for, marks behind it included */
} confusable_point;

/*
 * Folds `size_bytes` (at most 65,535) of UTF-8 to at most `capacity` characters.  Returns how many;
 * *rest (NULL is fine) is what of the text did not fit, in bytes.  Broken bytes are folded one by
 * one.
 */
size_t confusable_skeleton(const char *text, size_t size_bytes, confusable_point *to,
                           size_t capacity, size_t *rest);
size_t confusable_plain(const char *text, size_t size_bytes, confusable_point *to, size_t capacity,
                        size_t *rest);

/*
 * Lays `*` over the characters whose first byte has its bit set in `bits`, one for each that is
 * seen; in place, and never longer.  Returns the new size.
 */
size_t confusable_mask(char *text, size_t size_bytes, const uint64_t *bits);

/* Whether words of this folded character's script are usually set apart by spaces. */
bool confusable_is_spaced(uint32_t point);

#endif
