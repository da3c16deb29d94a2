/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns by PCRE2, one after the other, each with a limit on the steps it may take: a
 * backtracking engine is bounded in no other way.  Compiled to machine code where PCRE2 can.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>
#include <stdio.h>

#include "pool/os.h"
#include "server/gate/filter_patterns.h"

/* About a millisecond for an expression that goes astray. */
#define STEPS_MAX 20000u

typedef struct one_pattern {
    pcre2_code *code;
    uint32_t rule;
    bool needs_start;
} one_pattern;

struct filter_patterns {
    one_pattern *all;
    size_t count;
};

struct filter_scratch {
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

static void *allocate(PCRE2_SIZE size_bytes, void *user)
{
    (void)user;
    return os_calloc(1, size_bytes);
}

static void release(void *memory, void *user)
{
    (void)user;
    os_free(memory);
}

static void destroy(filter_patterns *patterns)
{
    if (patterns == NULL) {
        return;
    }
    for (size_t i = 0; i < patterns->count; i++) {
        pcre2_code_free(patterns->all[i].code);
    }
    os_free(patterns->all);
    os_free(patterns);
}

static dp_status compile(one_pattern *made, const filter_pattern *pattern, char *error,
                         size_t error_bytes)
{
    pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
    if (memory == NULL) {
        return DP_ERR_NOMEM;
    }
    pcre2_compile_context *how = pcre2_compile_context_create(memory);
    dp_status status = DP_ERR_NOMEM;
    if (how != NULL) {
        int code = 0;
        PCRE2_SIZE place = 0;
        made->code =
            pcre2_compile((PCRE2_SPTR)pattern->text, PCRE2_ZERO_TERMINATED,
                          PCRE2_UTF | PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK,
                          &code, &place, how);
        status = made->code != NULL ? DP_OK : DP_ERR_INVALID;
        if (made->code == NULL) {
            PCRE2_UCHAR words[128] = "";
            (void)pcre2_get_error_message(code, words, sizeof words);
            snprintf(error, error_bytes, "%s, at character %zu", (const char *)words, place + 1);
            status = code == PCRE2_ERROR_NOMEMORY || code == 121 ? DP_ERR_NOMEM : DP_ERR_INVALID;
        }
        pcre2_compile_context_free(how);
    }
    pcre2_general_context_free(memory);
    return status;
}

static dp_status check_code(one_pattern *made, char *error, size_t error_bytes)
{
    uint32_t least = 0;
    uint32_t empty = 0;
    (void)pcre2_pattern_info(made->code, PCRE2_INFO_MINLENGTH, &least);
    (void)pcre2_pattern_info(made->code, PCRE2_INFO_MATCHEMPTY, &empty);
    if (empty != 0) {
        snprintf(error, error_bytes, "%s", "it matches every text, an empty one too");
        return DP_ERR_INVALID;
    }
    /* Without machine code, or memory for it, the same is interpreted. */
    (void)pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE);
    return DP_OK;
}

static dp_status create(const filter_pattern *patterns, size_t count, filter_patterns **out,
                        size_t *bad, char *error, size_t error_bytes)
{
    DP_ASSERT(count > 0);
    filter_patterns *made = os_calloc(1, sizeof *made);
    if (made == NULL) {
        return DP_ERR_NOMEM;
    }
    made->all = os_calloc(count, sizeof *made->all);
    dp_status status = made->all == NULL ? DP_ERR_NOMEM : DP_OK;
    for (size_t i = 0; status == DP_OK && i < count; i++) {
        made->all[i].rule = patterns[i].rule;
        made->all[i].needs_start = patterns[i].needs_start;
        status = compile(&made->all[i], &patterns[i], error, error_bytes);
        made->count = i + (made->all[i].code != NULL);
        if (status == DP_OK) {
            status = check_code(&made->all[i], error, error_bytes);
        }
        if (status != DP_OK) {
            *bad = i;
        }
    }
    if (status != DP_OK) {
        destroy(made);
        return status;
    }
    *out = made;
    return DP_OK;
}

static void scratch_destroy(filter_scratch *scratch)
{
    if (scratch != NULL) {
        pcre2_match_data_free(scratch->match);
        pcre2_match_context_free(scratch->limits);
        os_free(scratch);
    }
}

static dp_status scratch_create(const filter_patterns *patterns, filter_scratch **out)
{
    (void)patterns;
    filter_scratch *made = os_calloc(1, sizeof *made);
    pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
    if (made != NULL && memory != NULL) {
        made->match = pcre2_match_data_create(1, memory);
        made->limits = pcre2_match_context_create(memory);
    }
    pcre2_general_context_free(memory);
    if (made == NULL || made->match == NULL || made->limits == NULL) {
        scratch_destroy(made);
        return DP_ERR_NOMEM;
    }
    (void)pcre2_set_match_limit(made->limits, STEPS_MAX);
    *out = made;
    return DP_OK;
}

static bool scan(const filter_patterns *patterns, filter_scratch *scratch, const char *text,
                 size_t size_bytes,
                 bool (*found)(void *user, uint32_t rule, size_t from, size_t to), void *user,
                 uint32_t *rule)
{
    for (size_t i = 0; i < patterns->count; i++) {
        const one_pattern *pattern = &patterns->all[i];
        size_t at = 0;
        int matched;
        do {
            matched =
                pcre2_match(pattern->code, (PCRE2_SPTR)text, size_bytes, at,
                            PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, scratch->match, scratch->limits);
            if (matched == PCRE2_ERROR_NOMATCH) {
                break;
            }
            if (matched < 0) {
                *rule = pattern->rule;
                return false;
            }
            const PCRE2_SIZE *place = pcre2_get_ovector_pointer(scratch->match);
            if (!found(user, pattern->rule, place[0], place[1])) {
                return true;
            }
            at = place[1];
        } while (pattern->needs_start && at < size_bytes);
    }
    return true;
}

const filter_engine filter_pcre2 = {.name = "pcre2",
                                    .create = create,
                                    .destroy = destroy,
                                    .scratch_create = scratch_create,
                                    .scratch_destroy = scratch_destroy,
                                    .scan = scan};
