/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: their form, that they stay one line each, and that threads never mix theirs. */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/ops/log.h"

#define CAPTURE_BYTES 400000u

static char captured[CAPTURE_BYTES];

typedef struct capturing {
    FILE *file;
    int saved;
} capturing;

/* Standard error goes to a file from here to capture_end(). */
static capturing capture_begin(void)
{
    capturing capture = {.file = tmpfile()};
    assert_non_null(capture.file);
    capture.saved = dup(STDERR_FILENO);
    assert_true(capture.saved >= 0);
    assert_true(dup2(fileno(capture.file), STDERR_FILENO) >= 0);
    return capture;
}

static const char *capture_end(capturing capture)
{
    assert_true(dup2(capture.saved, STDERR_FILENO) >= 0);
    close(capture.saved);
    rewind(capture.file);
    size_t bytes = fread(captured, 1, sizeof captured - 1, capture.file);
    captured[bytes] = '\0';
    fclose(capture.file);
    return captured;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t compiled;
    assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int result = regexec(&compiled, text, 0, NULL, 0);
    regfree(&compiled);
    return result == 0;
}

static void a_line_has_time_level_message_and_pairs(void **state)
{
    (void)state;
    capturing capture = capture_begin();
    log_info("listening", "address=%s port=%d", "127.0.0.1", 8080);
    const char *text = capture_end(capture);
    assert_true(matches(text,
                        "^ts=20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
                        "\\.[0-9]{3}Z level=info msg=\"listening\" "
                        "address=127\\.0\\.0\\.1 port=8080\n$"));
}

static void a_line_without_pairs_has_no_space_at_its_end(void **state)
{
    (void)state;
    capturing capture = capture_begin();
    log_warn("draining", "%s", "");
    assert_true(matches(capture_end(capture), " level=warn msg=\"draining\"\n$"));
}

static void levels_above_the_one_set_are_silent(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int set = LOG_LEVEL_ERROR; set <= LOG_LEVEL_DEBUG; set++) {
        log_level_set((log_level)set);
        capturing capture = capture_begin();
        log_error("m", "n=%d", 0);
        log_warn("m", "n=%d", 1);
        log_info("m", "n=%d", 2);
        log_debug("m", "n=%d", 3);
        const char *text = capture_end(capture);
        for (int level = 0; level < 4; level++) {
            char part[32];
            snprintf(part, sizeof part, "level=%s ", names[level]);
            assert_int_equal(strstr(text, part) != NULL, level <= set);
        }
    }
    log_level_set(LOG_LEVEL_INFO);
}

static void levels_are_found_by_name(void **state)
{
    (void)state;
    assert_int_equal(log_level_by_name("error"), LOG_LEVEL_ERROR);
    assert_int_equal(log_level_by_name("warn"), LOG_LEVEL_WARN);
    assert_int_equal(log_level_by_name("info"), LOG_LEVEL_INFO);
    assert_int_equal(log_level_by_name("debug"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_by_name("Info"), -1);
    assert_int_equal(log_level_by_name(""), -1);
    assert_int_equal(log_level_by_name("information"), -1);
}

static void a_line_stays_one_line_whatever_it_is_given(void **state)
{
    (void)state;
    capturing capture = capture_begin();
    log_error("two\nlines \"quoted\" back\\slash", "a=%s", "x\r\nts=forged\x1b[31m");
    const char *text = capture_end(capture);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, "msg=\"two?lines \\\"quoted\\\" back\\\\slash\" "));
    assert_non_null(strstr(text, "a=x??ts=forged?[31m\n"));
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    char *big = malloc(10001);
    assert_non_null(big);
    memset(big, '"', 10000);
    big[10000] = '\0';
    for (size_t length = 1900; length < 2100; length++) {
        capturing capture = capture_begin();
        log_error("m", "a=%.*s", (int)length, big);
        const char *text = capture_end(capture);
        assert_true(strlen(text) <= 2048);
        assert_int_equal(text[strlen(text) - 1], '\n');
    }
    capturing capture = capture_begin();
    log_error(big, "a=%s", big);
    const char *text = capture_end(capture);
    assert_true(strlen(text) <= 2048);
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(big);
}

static void errno_is_kept(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO); /* every write() now fails with EBADF */
    errno = ENOSPC;
    log_error("m", "n=%d", 1);
    int after = errno;
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    assert_int_equal(after, ENOSPC);
}

#define THREADS      4
#define LINES_EACH   500
#define PATTERN_TEXT "abcdefghijklmnopqrstuvwxyz0123456789"

static void *write_lines(void *argument)
{
    int thread = *(int *)argument;
    for (int i = 0; i < LINES_EACH; i++) {
        log_info("threads", "thread=%d line=%d text=%s", thread, i, PATTERN_TEXT);
    }
    return NULL;
}

static void threads_never_mix_their_lines(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    capturing capture = capture_begin();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    capture_end(capture);
    int next[THREADS] = {0};
    int lines = 0;
    char *rest = captured;
    for (char *line = strtok_r(captured, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        int thread;
        int number;
        char *pairs = strstr(line, "thread=");
        assert_non_null(pairs);
        assert_int_equal(sscanf(pairs, "thread=%d line=%d", &thread, &number), 2);
        assert_int_equal(next[thread]++, number);
        assert_string_equal(strstr(pairs, "text=") + 5, PATTERN_TEXT);
        lines++;
    }
    assert_int_equal(lines, THREADS * LINES_EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_message_and_pairs),
        cmocka_unit_test(a_line_without_pairs_has_no_space_at_its_end),
        cmocka_unit_test(levels_above_the_one_set_are_silent),
        cmocka_unit_test(levels_are_found_by_name),
        cmocka_unit_test(a_line_stays_one_line_whatever_it_is_given),
        cmocka_unit_test(a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(errno_is_kept),
        cmocka_unit_test(threads_never_mix_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
