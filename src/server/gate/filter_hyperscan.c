/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns by Hyperscan: all of them in one automaton, time bounded by the text's length.
 *
 * Where only the fact of a match counts each pattern reports once; where a mask needs its beginning
 * the automaton keeps it.  Hyperscan's own memory comes from os_calloc(), but for what its compiler
 * uses while it works.
 */
#include <hs.h>
#include <pthread.h>
#include <stdio.h>

#include "pool/os.h"
#include "server/gate/filter_patterns.h"

struct filter_patterns {
    hs_database_t *database;
    hs_scratch_t *prototype;
    uint32_t *rules; /* by Hyperscan's id */
};

struct filter_scratch {
    hs_scratch_t *memory;
};

typedef struct scan_call {
    const filter_patterns *patterns;
    bool (*found)(void *user, uint32_t rule, size_t from, size_t to);
    void *user;
} scan_call;

static pthread_once_t allocator_once = PTHREAD_ONCE_INIT;

/* Hyperscan wants what malloc() gives, as does calloc(). */
static void *allocate(size_t size_bytes)
{
    return os_calloc(1, size_bytes);
}

static void set_allocator(void)
{
    hs_error_t set = hs_set_allocator(allocate, os_free);
    DP_ASSERT(set == HS_SUCCESS);
}

static void destroy(filter_patterns *patterns)
{
    if (patterns == NULL) {
        return;
    }
    (void)hs_free_scratch(patterns->prototype);
    (void)hs_free_database(patterns->database);
    os_free(patterns->rules);
    os_free(patterns);
}

/* The three lists that hs_compile_multi() wants, in one block. */
static dp_status compile(filter_patterns *made, const filter_pattern *patterns, size_t count,
                         size_t *bad, char *error, size_t error_bytes)
{
    const char **texts = os_calloc(count, sizeof *texts);
    unsigned *flags = os_calloc(2 * count, sizeof *flags);
    dp_status status = DP_ERR_NOMEM;
    if (texts != NULL && flags != NULL) {
        unsigned *ids = flags + count;
        for (size_t i = 0; i < count; i++) {
            texts[i] = patterns[i].text;
            ids[i] = (unsigned)i;
            flags[i] = HS_FLAG_CASELESS | HS_FLAG_UTF8 |
                       (patterns[i].needs_start ? HS_FLAG_SOM_LEFTMOST : HS_FLAG_SINGLEMATCH);
        }
        hs_compile_error_t *why = NULL;
        hs_error_t compiled = hs_compile_multi(texts, flags, ids, (unsigned)count, HS_MODE_BLOCK,
                                               NULL, &made->database, &why);
        status = compiled == HS_SUCCESS ? DP_OK : DP_ERR_INVALID;
        if (compiled != HS_SUCCESS && why != NULL) {
            *bad = why->expression < 0 ? count : (size_t)why->expression;
            snprintf(error, error_bytes, "%s", why->message);
            /* No memory is said by a text, not by a code. */
            status = why->expression < 0 ? DP_ERR_NOMEM : DP_ERR_INVALID;
            (void)hs_free_compile_error(why);
        }
    }
    os_free(texts);
    os_free(flags);
    return status;
}

static dp_status create(const filter_pattern *patterns, size_t count, filter_patterns **out,
                        size_t *bad, char *error, size_t error_bytes)
{
    pthread_once(&allocator_once, set_allocator);
    DP_ASSERT(count > 0);
    filter_patterns *made = os_calloc(1, sizeof *made);
    if (made == NULL) {
        return DP_ERR_NOMEM;
    }
    made->rules = os_calloc(count, sizeof *made->rules);
    dp_status status = DP_ERR_NOMEM;
    if (made->rules != NULL) {
        for (size_t i = 0; i < count; i++) {
            made->rules[i] = patterns[i].rule;
        }
        status = compile(made, patterns, count, bad, error, error_bytes);
    }
    if (status == DP_OK && hs_alloc_scratch(made->database, &made->prototype) != HS_SUCCESS) {
        status = DP_ERR_NOMEM;
    }
    if (status != DP_OK) {
        destroy(made);
        return status;
    }
    *out = made;
    return DP_OK;
}

static dp_status scratch_create(const filter_patterns *patterns, filter_scratch **out)
{
    filter_scratch *made = os_calloc(1, sizeof *made);
    if (made == NULL || hs_clone_scratch(patterns->prototype, &made->memory) != HS_SUCCESS) {
        os_free(made);
        return DP_ERR_NOMEM;
    }
    *out = made;
    return DP_OK;
}

static void scratch_destroy(filter_scratch *scratch)
{
    if (scratch != NULL) {
        (void)hs_free_scratch(scratch->memory);
        os_free(scratch);
    }
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *user)
{
    (void)flags;
    scan_call *call = user;
    return call->found(call->user, call->patterns->rules[id], (size_t)from, (size_t)to) ? 0 : 1;
}

static bool scan(const filter_patterns *patterns, filter_scratch *scratch, const char *text,
                 size_t size_bytes,
                 bool (*found)(void *user, uint32_t rule, size_t from, size_t to), void *user,
                 uint32_t *rule)
{
    (void)rule;
    scan_call call = {.patterns = patterns, .found = found, .user = user};
    hs_error_t scanned = hs_scan(patterns->database, text, (unsigned)size_bytes, 0, scratch->memory,
                                 on_match, &call);
    DP_ASSERT(scanned == HS_SUCCESS || scanned == HS_SCAN_TERMINATED);
    return true;
}

const filter_engine filter_hyperscan = {.name = "hyperscan",
                                        .create = create,
                                        .destroy = destroy,
                                        .scratch_create = scratch_create,
                                        .scratch_destroy = scratch_destroy,
                                        .scan = scan};
