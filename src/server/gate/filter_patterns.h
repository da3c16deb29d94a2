/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions over plainly folded text, by the library that the build has: Hyperscan, which
 * reads each byte once, else PCRE2 with a limit on its steps.
 *
 * A set is immutable.  A scan needs a scratch, which is one thread's at a time.
 */
#ifndef DP_SERVER_GATE_FILTER_PATTERNS_H
#define DP_SERVER_GATE_FILTER_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#include "server/gate/filter.h"

typedef struct filter_patterns filter_patterns;
typedef struct filter_scratch filter_scratch;

typedef struct filter_pattern {
    const char *text; /* without the slashes */
    uint32_t rule;
    bool needs_start; /* where a match begins is wanted, and every match */
} filter_pattern;

/* One engine; what it returns belongs to its own functions. */
typedef struct filter_engine {
    const char *name;
    /* DP_ERR_INVALID: *bad is the index of a pattern that cannot be taken, `error` says why. */
    dp_status (*create)(const filter_pattern *patterns, size_t count, filter_patterns **out,
                        size_t *bad, char *error, size_t error_bytes);
    void (*destroy)(filter_patterns *patterns);
    dp_status (*scratch_create)(const filter_patterns *patterns, filter_scratch **out);
    void (*scratch_destroy)(filter_scratch *scratch);
    /*
     * Tells of matches at bytes [from, to) of UTF-8; from is 0 where no start was wanted.  `found`
     * answers false to end it.  Returns false when the text was too much for an expression: whether
     * `*rule` matches is then not known.
     */
    bool (*scan)(const filter_patterns *patterns, filter_scratch *scratch, const char *text,
                 size_t size_bytes,
                 bool (*found)(void *user, uint32_t rule, size_t from, size_t to), void *user,
                 uint32_t *rule);
} filter_engine;

/* The engines of this build, the preferred one first; NULL at the end. */
extern const filter_engine *const filter_engines[];

/* filter_create() by a chosen engine; NULL = as in a build that has none. */
dp_status filter_create_by(const filter_engine *engine, const char *paths, filter_set **out,
                           char *error, size_t error_bytes);

extern const filter_engine filter_hyperscan;
extern const filter_engine filter_pcre2;

#endif
