/* SPDX-License-Identifier: Apache-2.0 */
/* The automaton for words: it finds what a naive search finds, in any list and any text. */
#include "cm.h"

#include <string.h>

#include "pool/os.h"
#include "server/gate/filter_words.h"

#define FOUND_MAX 4096u

typedef struct found_list {
    uint32_t rule[FOUND_MAX];
    size_t first[FOUND_MAX], last[FOUND_MAX];
    size_t count, stop_at;
} found_list;

static bool on_found(void *user, uint32_t rule, size_t first, size_t last)
{
    found_list *list = user;
    assert_true(list->count < FOUND_MAX);
    list->rule[list->count] = rule;
    list->first[list->count] = first;
    list->last[list->count++] = last;
    return list->count != list->stop_at;
}

static unsigned seed;

static unsigned next_random(unsigned bound)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % bound;
}

/* A few letters, so that words overlap, contain each other and repeat. */
static void it_finds_what_a_naive_search_finds(void **state)
{
    (void)state;
    static found_list list;
    for (unsigned round = 0; round < 400; round++) {
        seed = round;
        uint32_t letters[40][6];
        filter_word words[40];
        confusable_point text[60];
        size_t expected = 0;
        for (uint32_t i = 0; i < 40; i++) {
            words[i] = (filter_word){.points = letters[i], .count = 1 + next_random(6), .rule = i};
            for (uint32_t k = 0; k < words[i].count; k++) {
                letters[i][k] = 'a' + next_random(3) + (next_random(9) == 0 ? 0x10000 : 0);
            }
        }
        for (size_t i = 0; i < 60; i++) {
            text[i] = (confusable_point){.point = ('a' + next_random(3)) & 0xFFFFFF};
        }
        filter_words *made;
        assert_int_equal(filter_words_create(words, 40, &made), DP_OK);
        list = (found_list){.stop_at = FOUND_MAX};
        filter_words_scan(made, text, 60, on_found, &list);
        for (size_t at = 0; at < 60; at++) {
            for (size_t i = 0; i < 40; i++) {
                bool is_here = at + words[i].count <= 60;
                for (uint32_t k = 0; is_here && k < words[i].count; k++) {
                    is_here = text[at + k].point == letters[i][k];
                }
                expected += is_here;
            }
        }
        assert_int_equal(list.count, expected);
        for (size_t i = 0; i < list.count; i++) {
            const filter_word *word = &words[list.rule[i]];
            assert_int_equal(list.last[i] + 1 - list.first[i], word->count);
            for (uint32_t k = 0; k < word->count; k++) {
                assert_int_equal(text[list.first[i] + k].point, word->points[k]);
            }
        }
        filter_words_destroy(made);
    }
}

static void a_scan_ends_when_it_is_told_to(void **state)
{
    (void)state;
    static found_list list;
    uint32_t letter = 'a';
    filter_word words[2] = {{.points = &letter, .count = 1, .rule = 7},
                            {.points = &letter, .count = 1, .rule = 8}};
    confusable_point text[3] = {{.point = 'a'}, {.point = 'a'}, {.point = 'a'}};
    filter_words *made;
    assert_int_equal(filter_words_create(words, 2, &made), DP_OK);
    list = (found_list){.stop_at = 3};
    filter_words_scan(made, text, 3, on_found, &list);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.rule[0], 7); /* the first of the same comes first */
    assert_int_equal(list.rule[1], 8);
    filter_words_destroy(made);
}

static void no_memory_is_said_and_nothing_is_kept(void **state)
{
    (void)state;
    uint32_t letters[3] = {'a', 'b', 'c'};
    filter_word word = {.points = letters, .count = 3};
    unsigned failed = 0;
    for (uint64_t nth = 1;; nth++) {
        filter_words *made = NULL;
        os_malloc_fail_nth(nth);
        dp_status status = filter_words_create(&word, 1, &made);
        bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, fired ? DP_ERR_NOMEM : DP_OK);
        filter_words_destroy(made);
        if (!fired) {
            break;
        }
        failed++;
    }
    assert_int_equal(failed, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_what_a_naive_search_finds),
        cmocka_unit_test(a_scan_ends_when_it_is_told_to),
        cmocka_unit_test(no_memory_is_said_and_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
