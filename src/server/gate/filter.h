/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Word and pattern lists over comment text: block, mask or hold for review.
 *
 * Lists are files of UTF-8 with one rule a line; `#` starts a comment:
 *
 *     block badword             a word, also as b.a.d w0rd; whole, in scripts that have spaces
 *     mask *part*               the same inside of longer words
 *     hold@kids- /\d{5,}/       a pattern over plainly folded text, for rooms that begin with kids-
 *
 * What text is folded to before it is matched stands in confusable.h; a mask is laid over the
 * characters that were really written.  Words are matched in the skeleton, up to three separators
 * between two of their characters; patterns in the plain form, where nothing but look-alikes
 * changes.
 *
 * Lists are immutable; a reload swaps in newly read ones, slot by slot, while others still scan
 * with the old.
 */
#ifndef DP_SERVER_GATE_FILTER_H
#define DP_SERVER_GATE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#define FILTER_SLOTS 16u

typedef struct filter_set filter_set;

typedef enum filter_action { FILTER_PASS, FILTER_MASK, FILTER_HOLD, FILTER_BLOCK } filter_action;

typedef struct filter_verdict {
    filter_action action; /* the gravest that matched */
    uint32_t rule_line;   /* of that rule, for the audit log; 0 = none */
} filter_verdict;

#define FILTER_PATTERNS_MAX      1000u
#define FILTER_PATTERN_BYTES_MAX 512u
#define FILTER_TEXT_BYTES_MAX    8192u

/* `paths`: list files with commas, "" = none.  `error` says file:line and why. */
dp_status filter_create(const char *paths, filter_set **out, char *error, size_t error_bytes);
void filter_destroy(filter_set *set);
/* Reads the files again; on failure the old lists stay.  Thread safe. */
dp_status filter_reload(filter_set *set, char *error, size_t error_bytes);
size_t filter_rules(filter_set *set);

/* "hyperscan", "pcre2", or "none": what matches patterns in this build. */
const char *filter_engine_name(void);

/*
 * Scans a cleaned text.  FILTER_MASK rewrites matches in place to `*` (the text gets no longer; new
 * size in *size_bytes); a text that is held stays as it was written, for its judge.  A text of more
 * than FILTER_TEXT_BYTES_MAX is blocked by line 0.  Where the engine gives an expression up (PCRE2
 * alone does), the text is blocked or held, as the rule says; held for a mask. Thread safe; no lock
 * but that of a slot, which threads up to FILTER_SLOTS never share.
 */
filter_verdict filter_scan(filter_set *set, const char *room, char *text, size_t *size_bytes);

#endif
