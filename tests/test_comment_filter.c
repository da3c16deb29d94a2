/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of comments: lists, words, patterns by each engine, masks, reload, bounds. */
#include "cm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/gate/filter.h"
#include "server/gate/filter_list.h"
#include "server/gate/filter_patterns.h"

static char list_path[64];
static const filter_engine *engine; /* of the row that runs */

static void write_list(const char *text)
{
    FILE *to = fopen(list_path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(text, 1, strlen(text), to), strlen(text));
    assert_int_equal(fclose(to), 0);
}

static filter_set *made(const char *text)
{
    char error[256] = "";
    filter_set *set = NULL;
    write_list(text);
    if (filter_create_by(engine, list_path, &set, error, sizeof error) != DP_OK) {
        fail_msg("%s", error);
    }
    return set;
}

/* What becomes of a text; "" where it is not masked. */
static filter_action scanned(filter_set *set, const char *room, const char *text, char *to)
{
    char copy[256];
    size_t bytes = strlen(text);
    memcpy(copy, text, bytes);
    filter_verdict verdict = filter_scan(set, room, copy, &bytes);
    assert_true(bytes <= strlen(text));
    assert_int_equal(verdict.action == FILTER_PASS, verdict.rule_line == 0);
    if (verdict.action != FILTER_MASK) {
        assert_memory_equal(copy, text, strlen(text));
    }
    if (to != NULL) {
        memcpy(to, copy, bytes);
        to[bytes] = '\0';
    }
    return verdict.action;
}

static filter_action scan(filter_set *set, const char *text)
{
    return scanned(set, "lobby", text, NULL);
}

static void masks_to(filter_set *set, const char *text, const char *expected)
{
    char masked[256];
    assert_int_equal(scanned(set, "lobby", text, masked), FILTER_MASK);
    assert_string_equal(masked, expected);
}

static void a_word_is_found_however_it_is_dressed(void **state)
{
    (void)state;
    filter_set *set = made("block badword\nblock 傻瓜\n");
    static const char *const bad[] = {"badword",
                                      "you BADWORD!",
                                      "ｂａｄｗｏｒｄ",
                                      "b.a.d.w.o.r.d",
                                      "b a d w o r d",
                                      "b4dw0rd",
                                      "bad\xE2\x80\x8Bword",
                                      "b\xCC\xB6\x61\xCC\xB6\x64word",
                                      "你badword你",
                                      "大傻瓜",
                                      "傻 瓜",
                                      "傻🐶瓜啊",
                                      "傻*_*瓜"};
    static const char *const good[] = {
        "badwords", "abadword", "bad", "word", "傻", "瓜傻", "", "傻.....瓜", "hello world 你好"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(scan(set, bad[i]), FILTER_BLOCK);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(scan(set, good[i]), FILTER_PASS);
    }
    filter_destroy(set);
}

static void words_in_words_are_left_alone_unless_opened(void **state)
{
    (void)state;
    filter_set *set = made("block ass\nblock *open*\nblock *tail\nblock head*");
    assert_int_equal(scan(set, "class assassin as soon pas s"), FILTER_PASS);
    assert_int_equal(scan(set, "a.s.s"), FILTER_BLOCK);
    assert_int_equal(scan(set, "reopened"), FILTER_BLOCK);
    assert_int_equal(scan(set, "pigtail"), FILTER_BLOCK);
    assert_int_equal(scan(set, "tailor"), FILTER_PASS);
    assert_int_equal(scan(set, "header"), FILTER_BLOCK);
    assert_int_equal(scan(set, "ahead"), FILTER_PASS);
    filter_destroy(set);
}

static void a_mask_covers_what_was_written(void **state)
{
    (void)state;
    filter_set *set = made("mask badword\nmask 傻瓜\nmask *sub*\n");
    masks_to(set, "oh badword oh", "oh ******* oh");
    masks_to(set, "oh B.a.D-w0RD oh", "oh ********** oh");
    masks_to(set, "ｂａｄｗｏｒｄ", "*******");
    masks_to(set, "b\xCC\xB6\x61\xCC\xB6\x64word!", "*******!");
    masks_to(set, "你傻 瓜好 傻瓜", "你***好 **");
    masks_to(set, "subsubway", "******way");
    filter_destroy(set);
}

static void the_gravest_rule_that_matches_decides(void **state)
{
    (void)state;
    filter_set *set = made("# a list\n\n mask\tone\r\nhold two\nblock three\n");
    char text[] = "one two three";
    size_t bytes = strlen(text);
    filter_verdict verdict = filter_scan(set, "r", text, &bytes);
    assert_int_equal(verdict.action, FILTER_BLOCK);
    assert_int_equal(verdict.rule_line, 5);
    bytes = strlen("one two");
    verdict = filter_scan(set, "r", text, &bytes);
    assert_int_equal(verdict.action, FILTER_HOLD);
    assert_int_equal(verdict.rule_line, 4);
    assert_int_equal(filter_rules(set), 3);
    filter_destroy(set);
}

static void a_rule_may_be_for_some_rooms_alone(void **state)
{
    (void)state;
    filter_set *set = made("block@kids- gun\nmask gun\nhold@kids-a /gun/\n");
    assert_int_equal(scanned(set, "kids-1", "a gun", NULL), FILTER_BLOCK);
    assert_int_equal(scanned(set, "kids", "a gun", NULL), FILTER_MASK);
    assert_int_equal(scanned(set, "lobby", "guns", NULL), FILTER_PASS);
    assert_int_equal(scanned(set, "kids-ab", "guns", NULL), FILTER_HOLD);
    filter_destroy(set);
}

static void patterns_see_plainly_folded_text(void **state)
{
    (void)state;
    filter_set *set = made("block /\\d{5,}/\nmask /qq[:\\s]*[0-9]+/\nhold /^first/\nmask /蛋+/\n");
    assert_int_equal(scan(set, "call 12345"), FILTER_BLOCK);
    assert_int_equal(scan(set, "call １２３４５"), FILTER_BLOCK);
    assert_int_equal(scan(set, "call 1234"), FILTER_PASS);
    assert_int_equal(scan(set, "FiRSt!"), FILTER_HOLD);
    assert_int_equal(scan(set, "the first"), FILTER_PASS);
    masks_to(set, "add ＱＱ： 123 now", "add ******* now");
    masks_to(set, "混蛋蛋和蛋", "混**和*");
    filter_destroy(set);
}

static void a_list_with_an_error_names_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *why;
    } bad[] = {
        {"block a\nfoo b\n", ":2: ", "expected block"},
        {"block\n", ":1: ", "expected: block"},
        {"block@no/such b", ":1: ", "expected block"},
        {"block ...\n", ":1: ", "nothing is left"},
        {"\n\nblock /(/\n", ":3: ", ""},
        {"block /a*/\n", ":1: ", ""},
        {"block \xFF\n", ":1: ", "not UTF-8"},
        {"block aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg",
         ":1: ", "at most 64"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char error[256] = "";
        filter_set *set = NULL;
        write_list(bad[i].text);
        assert_int_equal(filter_create_by(engine, list_path, &set, error, sizeof error),
                         DP_ERR_INVALID);
        assert_null(set);
        assert_ptr_equal(strstr(error, list_path), error);
        assert_non_null(strstr(error, bad[i].line));
        assert_non_null(strstr(error, bad[i].why));
    }
    char error[256] = "";
    filter_set *set = NULL;
    assert_int_equal(filter_create("/no/such/list", &set, error, sizeof error), DP_ERR_IO);
    assert_non_null(strstr(error, "/no/such/list"));
}

static void a_reload_takes_the_new_list_and_a_bad_one_changes_nothing(void **state)
{
    (void)state;
    char error[256];
    filter_set *set = made("block one\n");
    write_list("block two\nblock /three/\n");
    assert_int_equal(filter_reload(set, error, sizeof error), DP_OK);
    assert_int_equal(scan(set, "one"), FILTER_PASS);
    assert_int_equal(scan(set, "two"), FILTER_BLOCK);
    assert_int_equal(scan(set, "three"), FILTER_BLOCK);
    write_list("block one\nnonsense\n");
    assert_int_equal(filter_reload(set, error, sizeof error), DP_ERR_INVALID);
    assert_non_null(strstr(error, ":2: "));
    assert_int_equal(scan(set, "two"), FILTER_BLOCK);
    assert_int_equal(filter_rules(set), 2);
    write_list("");
    assert_int_equal(filter_reload(set, error, sizeof error), DP_OK);
    assert_int_equal(scan(set, "two"), FILTER_PASS);
    filter_destroy(set);
}

static void without_lists_everything_passes(void **state)
{
    (void)state;
    char error[256];
    filter_set *set;
    assert_int_equal(filter_create("", &set, error, sizeof error), DP_OK);
    assert_int_equal(filter_rules(set), 0);
    assert_int_equal(scan(set, "anything"), FILTER_PASS);
    filter_destroy(set);
}

static void the_longest_text_fits_and_a_longer_one_is_blocked(void **state)
{
    (void)state;
    filter_set *set = made("block /x$/\nblock zz\n");
    char *text = malloc(FILTER_TEXT_BYTES_MAX + 4);
    assert_non_null(text);
    /* A character of 3 bytes that becomes 8 or fewer: the most that folding can make of bytes. */
    size_t bytes = 0;
    while (bytes + 3 <= 3 * 2000) {
        memcpy(text + bytes, "\xE3\x8E\xA9", 3); /* square kg and its like */
        bytes += 3;
    }
    assert_int_equal(filter_scan(set, "r", text, &bytes).action, FILTER_PASS);
    text[bytes++] = 'x';
    assert_int_equal(filter_scan(set, "r", text, &bytes).action, FILTER_BLOCK);
    memset(text, 'a', FILTER_TEXT_BYTES_MAX + 1);
    bytes = FILTER_TEXT_BYTES_MAX;
    assert_int_equal(filter_scan(set, "r", text, &bytes).action, FILTER_PASS);
    bytes++;
    assert_int_equal(filter_scan(set, "r", text, &bytes).action, FILTER_BLOCK);
    free(text);
    filter_destroy(set);
}

/* What takes a backtracking engine for ever ends, and does not pass by that. */
static void an_expression_that_goes_astray_ends_in_time(void **state)
{
    (void)state;
    filter_set *set = made("mask /(a|aa|a.)+\\d!/\n");
    char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    size_t bytes = strlen(text);
    uint64_t before_ns = os_clock_ns();
    filter_action action = filter_scan(set, "r", text, &bytes).action;
    assert_true(os_clock_ns() - before_ns < 1000000000u);
    assert_true(action == FILTER_HOLD || action == FILTER_PASS);
    assert_true(strcmp(engine->name, "hyperscan") != 0 || action == FILTER_PASS);
    filter_destroy(set);
}

static void no_memory_is_said_and_the_old_lists_stay(void **state)
{
    (void)state;
    char error[256];
    filter_set *set = made("block one\n");
    write_list("block two\nmask three\nblock /four/\nmask /five/\n");
    unsigned failed = 0;
    for (uint64_t nth = 1;; nth++) {
        os_malloc_fail_nth(nth);
        dp_status status = filter_reload(set, error, sizeof error);
        bool fired = os_malloc_fail_nth(0) == 0;
        if (!fired) {
            assert_int_equal(status, DP_OK);
            break;
        }
        /* PCRE2 does without machine code where there is no memory for it. */
        if (status == DP_OK) {
            write_list("block one\n");
            assert_int_equal(filter_reload(set, error, sizeof error), DP_OK);
            write_list("block two\nmask three\nblock /four/\nmask /five/\n");
            continue;
        }
        assert_int_equal(status, DP_ERR_NOMEM);
        assert_int_equal(scan(set, "one"), FILTER_BLOCK);
        assert_int_equal(scan(set, "two"), FILTER_PASS);
        failed++;
    }
    assert_true(failed > 15);
    assert_int_equal(scan(set, "two"), FILTER_BLOCK);
    for (uint64_t nth = 1; nth < 40; nth++) {
        filter_set *other = NULL;
        os_malloc_fail_nth(nth);
        (void)filter_create_by(engine, list_path, &other, error, sizeof error);
        (void)os_malloc_fail_nth(0);
        filter_destroy(other);
    }
    filter_destroy(set);
}

typedef struct race {
    filter_set *set;
    _Atomic bool stop;
    _Atomic unsigned scans;
} race;

static void *race_scan(void *user)
{
    race *run = user;
    while (!atomic_load(&run->stop)) {
        char text[] = "say always and sometimes 12345";
        size_t bytes = strlen(text);
        if (filter_scan(run->set, "r", text, &bytes).action != FILTER_BLOCK) {
            abort(); /* both lists block it: cmocka's asserts are the main thread's */
        }
        atomic_fetch_add(&run->scans, 1);
    }
    return NULL;
}

static void threads_scan_while_lists_are_swapped(void **state)
{
    (void)state;
    race run = {.set = made("block always\nmask sometimes\n")};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, race_scan, &run), 0);
    }
    for (int i = 0; i < 20 || atomic_load(&run.scans) < 1000; i++) {
        char error[256];
        write_list(i % 2 == 0 ? "block /\\d{5}/\n" : "block always\nhold other\n");
        assert_int_equal(filter_reload(run.set, error, sizeof error), DP_OK);
    }
    atomic_store(&run.stop, true);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    filter_destroy(run.set);
}

static void a_build_without_an_engine_says_so_of_a_pattern(void **state)
{
    (void)state;
    char error[256] = "";
    filter_set *set = NULL;
    write_list("block /x/\n");
    assert_int_equal(filter_create_by(NULL, list_path, &set, error, sizeof error),
                     DP_ERR_UNSUPPORTED);
    assert_non_null(strstr(error, "no engine"));
    write_list("block x\n");
    assert_int_equal(filter_create_by(NULL, list_path, &set, error, sizeof error), DP_OK);
    assert_int_equal(scan(set, "x"), FILTER_BLOCK);
    filter_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_found_however_it_is_dressed),
        cmocka_unit_test(words_in_words_are_left_alone_unless_opened),
        cmocka_unit_test(a_mask_covers_what_was_written),
        cmocka_unit_test(the_gravest_rule_that_matches_decides),
        cmocka_unit_test(a_rule_may_be_for_some_rooms_alone),
        cmocka_unit_test(patterns_see_plainly_folded_text),
        cmocka_unit_test(a_list_with_an_error_names_file_and_line),
        cmocka_unit_test(a_reload_takes_the_new_list_and_a_bad_one_changes_nothing),
        cmocka_unit_test(without_lists_everything_passes),
        cmocka_unit_test(the_longest_text_fits_and_a_longer_one_is_blocked),
        cmocka_unit_test(an_expression_that_goes_astray_ends_in_time),
        cmocka_unit_test(no_memory_is_said_and_the_old_lists_stay),
        cmocka_unit_test(threads_scan_while_lists_are_swapped),
    };
    const struct CMUnitTest engineless[] = {
        cmocka_unit_test(a_build_without_an_engine_says_so_of_a_pattern),
    };
    snprintf(list_path, sizeof list_path, "/tmp/danpool-filter-%d.txt", (int)getpid());
    int failed = cmocka_run_group_tests(engineless, NULL, NULL);
    for (size_t i = 0; filter_engines[i] != NULL; i++) {
        engine = filter_engines[i];
        print_message("engine=%s\n", engine->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    (void)unlink(list_path);
    return failed;
}
