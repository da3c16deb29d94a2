/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many words looked for at once: Aho and Corasick's automaton (1975) over folded characters.
 *
 * Built once, then immutable: any number of threads may scan.  A scan takes a few steps a
 * character, however many words there are; what it reports is bounded by the words that end there.
 */
#ifndef DP_SERVER_GATE_FILTER_WORDS_H
#define DP_SERVER_GATE_FILTER_WORDS_H

#include <danpool/status.h>

#include "server/gate/confusable.h"

#define FILTER_WORD_POINTS_MAX 64u

typedef struct filter_words filter_words;

/* A folded word; `rule` is the caller's number for it. */
typedef struct filter_word {
    const uint32_t *points;
    uint32_t count; /* 1 to FILTER_WORD_POINTS_MAX */
    uint32_t rule;
} filter_word;

/* Copies what it needs.  DP_ERR_NOMEM. */
dp_status filter_words_create(const filter_word *words, size_t count, filter_words **out);
void filter_words_destroy(filter_words *words);

/* Told of a word at points[first .. last]; false ends the scan. */
typedef bool filter_words_found(void *user, uint32_t rule, size_t first, size_t last);

void filter_words_scan(const filter_words *words, const confusable_point *points, size_t count,
                       filter_words_found *found, void *user);

#endif
