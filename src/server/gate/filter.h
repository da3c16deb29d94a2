/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Word and pattern lists over comment text: block, mask or hold for review.
 *
 * Lists are files: one rule a line, `action[@room-prefix] word` or `action[@room-prefix] /regex/`.
 * The text is folded before it is matched (case, width, Unicode confusables, separators inside a
 * word), and a mask is laid over the characters that were really written.
 *
 * A filter is immutable; filter_set swaps in a newly read one while others still scan with the old.
 */
#ifndef DP_SERVER_GATE_FILTER_H
#define DP_SERVER_GATE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

typedef struct filter_set filter_set;

typedef enum filter_action { FILTER_PASS, FILTER_MASK, FILTER_HOLD, FILTER_BLOCK } filter_action;

typedef struct filter_verdict {
    filter_action action; /* the gravest that matched */
    uint32_t rule_line;   /* of that rule, for the audit log; 0 = none */
} filter_verdict;

/* `paths`: list files with commas, "" = none.  `error` says file:line and why. */
dp_status filter_create(const char *paths, filter_set **out, char *error, size_t error_bytes);
void filter_destroy(filter_set *set);
/* Reads the files again; on failure the old lists stay.  Thread safe. */
dp_status filter_reload(filter_set *set, char *error, size_t error_bytes);
size_t filter_rules(const filter_set *set);

/*
 * Scans a cleaned text.  FILTER_MASK rewrites matches in place to `*` (the text gets no longer; new
 * size in *size_bytes).  Thread safe; bounded in time by the engine.
 */
filter_verdict filter_scan(filter_set *set, const char *room, char *text, size_t *size_bytes);

#endif
