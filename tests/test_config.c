/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: defaults, file, environment, flags, checks, and that what is printed can be read.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <danpool/pool.h>

#include "server/config/config.h"
#include "server/config/config_scan.h"

static char path[] = "/tmp/test_config_XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int descriptor = mkstemp(path);
    if (descriptor < 0) {
        return -1;
    }
    return close(descriptor);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Loads the text over the defaults; the message comes without the directory of the file. */
static dp_status load(const char *text, config *out, config_error *error)
{
    write_file(text);
    config_defaults(out);
    error->message[0] = '\0';
    return config_load_file(out, path, error);
}

/* The text must be refused with `where` (behind the path) and nothing may be changed. */
static void check_refused(const char *text, const char *where)
{
    config changed;
    config untouched;
    config_error error;
    char expected[1024];
    config_defaults(&untouched);
    assert_int_equal(load(text, &changed, &error), DP_ERR_INVALID);
    snprintf(expected, sizeof expected, "%s%s", path, where);
    assert_string_equal(error.message, expected);
    assert_memory_equal(&changed, &untouched, sizeof changed);
}

static void defaults_are_what_the_list_says_and_pass_the_check(void **state)
{
    (void)state;
    config subject;
    config_error error;
    config_defaults(&subject);
    assert_string_equal(subject.listen_address, "127.0.0.1");
    assert_int_equal(subject.listen_port, 8080);
    assert_int_equal(subject.render_pixels_max, 40000000);
    assert_string_equal(subject.log_level, "info");
    assert_int_equal(config_check(&subject, &error), DP_OK);
}

static void a_file_changes_what_it_names_and_nothing_else(void **state)
{
    (void)state;
    config subject;
    config expected;
    config_error error;
    assert_int_equal(load("# comment\nlisten = { port = 9000; address = \"0.0.0.0\"; };\n"
                          "log: { level = \"debug\" }\npool = { pmem_size_mib = 512L; };\n"
                          "limits = { messages_burst = 0x10 };",
                          &subject, &error),
                     DP_OK);
    config_defaults(&expected);
    expected.listen_port = 9000;
    memset(expected.log_level, 0, sizeof expected.log_level);
    memcpy(expected.log_level, "debug", 5);
    memset(expected.listen_address, 0, sizeof expected.listen_address);
    memcpy(expected.listen_address, "0.0.0.0", 7);
    expected.pool_pmem_size_mib = 512;
    expected.limits_messages_burst = 16;
    assert_memory_equal(&subject, &expected, sizeof subject);
}

static void an_empty_file_is_the_defaults(void **state)
{
    (void)state;
    config subject;
    config expected;
    config_error error;
    config_defaults(&expected);
    assert_int_equal(load("", &subject, &error), DP_OK);
    assert_memory_equal(&subject, &expected, sizeof subject);
    assert_int_equal(load("listen = { };\n", &subject, &error), DP_OK);
    assert_memory_equal(&subject, &expected, sizeof subject);
}

static void an_unknown_setting_is_named_with_file_and_line(void **state)
{
    (void)state;
    check_refused("listen = {\n  address = \"127.0.0.1\";\n\n  prot = 1;\n};\n",
                  ":4: unknown setting listen.prot");
    check_refused("\n\nfoo = { a = 1; };\n", ":3: unknown setting foo");
    check_refused("port = 80;\n", ":1: unknown setting port");
}

static void a_wrong_type_is_an_error(void **state)
{
    (void)state;
    check_refused("listen = { port = \"80\"; };",
                  ":1: listen.port must be a whole number, not a text");
    check_refused("listen = { port = 80.5; };",
                  ":1: listen.port must be a whole number, not a number with a point");
    check_refused("listen = { port = true; };",
                  ":1: listen.port must be a whole number, not true or false");
    check_refused("listen = { port = [80]; };",
                  ":1: listen.port must be a whole number, not a list");
    check_refused("listen = { port = { a = 1; }; };",
                  ":1: listen.port must be a whole number, not a group");
    check_refused("log = {\nlevel = 3;\n};",
                  ":2: log.level must be a text in quotes, not a whole number");
    check_refused("listen = 80;",
                  ":1: listen must be a group, listen = { ... }, not a whole number");
    check_refused("listen = (1, 2);", ":1: listen must be a group, listen = { ... }, not a list");
}

static void a_value_out_of_range_is_an_error(void **state)
{
    (void)state;
    check_refused("listen = { port = 65536; };",
                  ":1: listen.port must be from 0 to 65535, not 65536");
    check_refused("listen = { port = -1; };", ":1: listen.port must be from 0 to 65535, not -1");
    check_refused("listen = { port = 4294967376L; };",
                  ":1: listen.port must be from 0 to 65535, not 4294967376");
    check_refused("fanout = { ring_batches = 3; };",
                  ":1: fanout.ring_batches must be from 4 to 65536, not 3");
}

static void a_number_beyond_every_type_never_wraps_into_the_range(void **state)
{
    (void)state;
    static const char *const huge[] = {"4294967376",
                                       "18446744073709551696",
                                       "18446744073709551696L",
                                       "340282366920938463463374607431768211536",
                                       "0x100000050",
                                       "0x10000000000000050L"};
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        char text[128];
        config subject;
        config_error error;
        snprintf(text, sizeof text, "listen = { port = %s; };", huge[i]);
        assert_int_equal(load(text, &subject, &error), DP_ERR_INVALID);
        assert_int_equal(subject.listen_port, 8080);
    }
}

static void only_numbers_that_would_wrap_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
    } rows[] = {
        {"", 0},
        {"a = 2147483647;", 0},
        {"a = 2147483648;", 1},
        {"a = -2147483648;", 1}, /* one more than needed, which no setting minds */
        {"a = 00000000000000001;", 0},
        {"a = 0x7fffFFFF;", 0},
        {"a = 0x80000000;", 1},
        {"a = 99999999999999999999999999999999999;", 1},
        {"a = 9999999999L;", 0}, /* libconfig keeps 64 bits of it */
        {"a9999999999 = 1;", 0},
        {"\n\na = 9999999999;", 3},
        {"a = \"9999999999\"; b = \"\\\" 9999999999\";", 0},
        {"# 9999999999\n// 9999999999\n/* 9999999999\n*/ a = 9999999999;", 4},
        {"/*/ 9999999999 */", 0},
        {"a = \"9999999999", 0},
        {"/* 9999999999", 0},
        {"\"\\", 0},
        {"/", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* A copy of exactly that size, so that a sanitizer sees a step too far. */
        size_t bytes = strlen(rows[i].text);
        char *copy = malloc(bytes > 0 ? bytes : 1);
        assert_non_null(copy);
        memcpy(copy, rows[i].text, bytes);
        unsigned line = config_scan_wrapped(copy, bytes);
        free(copy);
        assert_int_equal(line, rows[i].line);
    }
}

static void broken_syntax_is_named_with_file_and_line(void **state)
{
    (void)state;
    check_refused("listen = {\n  port = ;\n};\n", ":2: syntax error");
    check_refused("listen = {", ":1: syntax error");
    check_refused("listen = { port = 1;\n port = 2; };", ":2: duplicate setting name");
}

static void a_text_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    char text[400];
    char fill[CONFIG_TEXT_BYTES + 1];
    config subject;
    config_error error;
    memset(fill, 'x', sizeof fill);
    fill[CONFIG_TEXT_BYTES] = '\0';
    snprintf(text, sizeof text, "pool = { pmem_path = \"%s\"; };", fill);
    check_refused(text, ":1: pool.pmem_path is longer than 255 bytes");
    fill[CONFIG_TEXT_BYTES - 1] = '\0';
    snprintf(text, sizeof text, "pool = { pmem_path = \"%s\"; };", fill);
    assert_int_equal(load(text, &subject, &error), DP_OK);
    assert_string_equal(subject.pool_pmem_path, fill);
    check_refused("pool = { pmem_path = \"a\\nb\"; };",
                  ":1: pool.pmem_path holds a control character");
}

static void a_file_that_cannot_be_read_is_an_error_of_its_own(void **state)
{
    (void)state;
    config subject;
    config_error error;
    config_defaults(&subject);
    assert_int_equal(config_load_file(&subject, "/nowhere/danpoold.conf", &error),
                     DP_ERR_NOT_FOUND);
    assert_string_equal(error.message, "/nowhere/danpoold.conf: No such file or directory");
    assert_int_equal(config_load_file(&subject, "/tmp", &error), DP_ERR_IO);
    assert_string_equal(error.message, "/tmp: Is a directory");
}

static void environment_variables_set_what_they_name(void **state)
{
    (void)state;
    config subject;
    config_error error;
    char *environment[] = {"PATH=/bin",
                           "DANPOOL_LISTEN_PORT=0",
                           "DANPOOL_POOL_PMEM_PATH=/tmp/a=b",
                           "DANPOOL_LIMITS_TEXT_CHARS_MAX=300",
                           "DANPOOL_LOG_LEVEL=",
                           "DANPOOL_TEST_SEED=5", /* no group of ours */
                           "DANPOOL_LISTEN_PROT", /* no value: no variable */
                           NULL};
    config_defaults(&subject);
    assert_int_equal(config_read_environment(&subject, environment, &error), DP_OK);
    assert_int_equal(subject.listen_port, 0);
    assert_string_equal(subject.pool_pmem_path, "/tmp/a=b");
    assert_int_equal(subject.limits_text_chars_max, 300);
    assert_string_equal(subject.log_level, "");
}

static void check_environment_refused(char *variable, const char *expected)
{
    config subject;
    config untouched;
    config_error error;
    char *environment[] = {"DANPOOL_LISTEN_PORT=1", variable, NULL};
    config_defaults(&subject);
    config_defaults(&untouched);
    assert_int_equal(config_read_environment(&subject, environment, &error), DP_ERR_INVALID);
    assert_string_equal(error.message, expected);
    assert_memory_equal(&subject, &untouched, sizeof subject);
}

static void a_wrong_environment_variable_changes_nothing(void **state)
{
    (void)state;
    check_environment_refused("DANPOOL_LISTEN_PROT=1", "DANPOOL_LISTEN_PROT: unknown setting");
    check_environment_refused("DANPOOL_LISTEN_=1", "DANPOOL_LISTEN_: unknown setting");
    check_environment_refused(
        "DANPOOL_LISTEN_PORT=abc",
        "DANPOOL_LISTEN_PORT: listen.port must be a whole number, not \"abc\"");
    check_environment_refused("DANPOOL_LISTEN_PORT=",
                              "DANPOOL_LISTEN_PORT: listen.port must be a whole number, not \"\"");
    check_environment_refused(
        "DANPOOL_LISTEN_PORT=80x",
        "DANPOOL_LISTEN_PORT: listen.port must be a whole number, not \"80x\"");
    check_environment_refused(
        "DANPOOL_LISTEN_PORT=70000",
        "DANPOOL_LISTEN_PORT: listen.port must be from 0 to 65535, not 70000");
}

static void an_assignment_sets_one_setting(void **state)
{
    (void)state;
    config subject;
    config_error error;
    config_defaults(&subject);
    assert_int_equal(config_set(&subject, "render.backend=cpu", "--set", &error), DP_OK);
    assert_string_equal(subject.render_backend, "cpu");
    assert_int_equal(config_set(&subject, "timeouts.drain_s=0", "--set", &error), DP_OK);
    assert_int_equal(subject.timeouts_drain_s, 0);
    /* A shorter text leaves nothing of the longer one behind. */
    assert_int_equal(config_set(&subject, "listen.address=::1", "--set", &error), DP_OK);
    assert_string_equal(subject.listen_address, "::1");
}

static void a_wrong_assignment_names_its_source(void **state)
{
    (void)state;
    static const struct {
        const char *assignment;
        const char *message;
    } rows[] = {
        {"listen.port", "--set: \"listen.port\" is not group.key=value"},
        {"listen.prot=1", "--set: unknown setting listen.prot"},
        {"listen_port=1", "--set: unknown setting listen_port"},
        {"=1", "--set: unknown setting "},
        {"listen.port= 1", "--set: listen.port must be a whole number, not \" 1\""},
        {"listen.port=+1", "--set: listen.port must be a whole number, not \"+1\""},
        {"listen.port=-", "--set: listen.port must be a whole number, not \"-\""},
        {"listen.port=99999999999999999999",
         "--set: listen.port must be from 0 to 65535, not 99999999999999999999"},
        {"log.level=a\nb", "--set: log.level holds a control character"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        config subject;
        config untouched;
        config_error error;
        config_defaults(&subject);
        config_defaults(&untouched);
        assert_int_equal(config_set(&subject, rows[i].assignment, "--set", &error), DP_ERR_INVALID);
        assert_string_equal(error.message, rows[i].message);
        assert_memory_equal(&subject, &untouched, sizeof subject);
    }
}

static void check_wrong(const char *assignment, const char *message)
{
    config subject;
    config_error error;
    config_defaults(&subject);
    assert_int_equal(config_set(&subject, assignment, "--set", &error), DP_OK);
    assert_int_equal(config_check(&subject, &error), DP_ERR_INVALID);
    assert_string_equal(error.message, message);
}

static void the_check_finds_what_ranges_cannot(void **state)
{
    (void)state;
    check_wrong("fanout.ring_batches=100", "fanout.ring_batches must be a power of two, not 100");
    check_wrong("render.backend=gpu", "render.backend must be auto, cpu or cuda, not \"gpu\"");
    check_wrong("log.level=loud", "log.level must be error, warn, info or debug, not \"loud\"");
    check_wrong("listen.address=localhost",
                "listen.address must be an IPv4 address, not \"localhost\"");
    check_wrong("listen.address=", "listen.address must be an IPv4 address, not \"\"");
    check_wrong("pool.pmem_path=/tmp", "pool.pmem_path: /tmp is a directory, not a file");
    check_wrong("pool.pmem_path=/no/such/pool", "pool.pmem_path: there is no directory /no/such");
    check_wrong("pool.pmem_path=/tmp/", "pool.pmem_path: /tmp/ is a directory, not a file");
}

static void tiers_are_named_or_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t tiers;
    } right[] = {
        {"all", DP_TIER_BITS_ALL},
        {"host", DP_TIER_BIT(DP_TIER_HOST)},
        {"shm,host", DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_SHM)},
        {" huge,  host ,pmem,",
         DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_HUGE) | DP_TIER_BIT(DP_TIER_PMEM)},
        {"host, huge, pinned, hbm, managed, pmem, shm", DP_TIER_BITS_ALL},
    };
    config subject;
    config_error error;
    config_defaults(&subject);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        uint32_t tiers = 0;
        snprintf(subject.pool_tiers, sizeof subject.pool_tiers, "%s", right[i].text);
        assert_int_equal(config_check(&subject, &error), DP_OK);
        assert_int_equal(config_tiers(&subject, &tiers, &error), DP_OK);
        assert_int_equal(tiers, right[i].tiers);
    }
    check_wrong("pool.tiers=host,dram", "pool.tiers: there is no tier \"dram\"");
    check_wrong("pool.tiers=all,host", "pool.tiers: there is no tier \"all\"");
    check_wrong("pool.tiers=", "pool.tiers must name host, not only \"\"");
    check_wrong("pool.tiers=pinned, hbm", "pool.tiers must name host, not only \"pinned, hbm\"");
    snprintf(subject.pool_tiers, sizeof subject.pool_tiers, "host,shm");
    snprintf(subject.pool_pmem_path, sizeof subject.pool_pmem_path, "relative_file");
    assert_int_equal(config_check(&subject, &error), DP_ERR_INVALID);
    assert_string_equal(error.message, "pool.pmem_path is set, but pool.tiers does not name pmem");
}

static void a_pmem_file_may_be_there_or_to_come(void **state)
{
    (void)state;
    static const char *const right[] = {"pool.pmem_path=/tmp/danpool_that_is_not_there",
                                        "pool.pmem_path=relative_file",
                                        "pool.pmem_path=/danpool_in_the_root", "pool.pmem_path="};
    config subject;
    config_error error;
    char existing[64];
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        config_defaults(&subject);
        assert_int_equal(config_set(&subject, right[i], "--set", &error), DP_OK);
        assert_int_equal(config_check(&subject, &error), DP_OK);
    }
    snprintf(existing, sizeof existing, "pool.pmem_path=%s", path);
    assert_int_equal(config_set(&subject, existing, "--set", &error), DP_OK);
    assert_int_equal(config_check(&subject, &error), DP_OK);
}

/* Every number at its minimum and maximum, every text with what needs an escape. */
static void what_is_printed_reads_back_the_same(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        config subject;
        config again;
        config_error error;
        config_defaults(&subject);
        if (round > 0) {
#define EXTREME_N(group, key, initial, min, max, meaning)                                          \
    subject.group##_##key = round == 1 ? (min) : (max);
#define EXTREME_S(group, key, initial, meaning)                                                    \
    memset(subject.group##_##key, 0, CONFIG_TEXT_BYTES);                                           \
    strcpy(subject.group##_##key, "a \"quoted\" back\\slash # ; 你好 \\n");
            CONFIG_LIST(EXTREME_N, EXTREME_S)
        }
        char *text = config_print(&subject);
        assert_non_null(text);
        assert_int_equal(load(text, &again, &error), DP_OK);
        assert_memory_equal(&subject, &again, sizeof subject);
        free(text);
    }
}

static void what_is_printed_explains_each_setting(void **state)
{
    (void)state;
    config subject;
    config_defaults(&subject);
    char *text = config_print(&subject);
    assert_non_null(text);
#define MENTIONED_N(group, key, initial, min, max, meaning)                                        \
    assert_non_null(strstr(text, "    # " meaning " (" #min " to " #max ")\n    " #key " = "));
#define MENTIONED_S(group, key, initial, meaning)                                                  \
    assert_non_null(strstr(text, "    # " meaning "\n    " #key " = \"" initial "\";\n"));
    CONFIG_LIST(MENTIONED_N, MENTIONED_S)
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_what_the_list_says_and_pass_the_check),
        cmocka_unit_test(a_file_changes_what_it_names_and_nothing_else),
        cmocka_unit_test(an_empty_file_is_the_defaults),
        cmocka_unit_test(an_unknown_setting_is_named_with_file_and_line),
        cmocka_unit_test(a_wrong_type_is_an_error),
        cmocka_unit_test(a_value_out_of_range_is_an_error),
        cmocka_unit_test(a_number_beyond_every_type_never_wraps_into_the_range),
        cmocka_unit_test(only_numbers_that_would_wrap_are_found),
        cmocka_unit_test(broken_syntax_is_named_with_file_and_line),
        cmocka_unit_test(a_text_that_does_not_fit_is_an_error),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error_of_its_own),
        cmocka_unit_test(environment_variables_set_what_they_name),
        cmocka_unit_test(a_wrong_environment_variable_changes_nothing),
        cmocka_unit_test(an_assignment_sets_one_setting),
        cmocka_unit_test(a_wrong_assignment_names_its_source),
        cmocka_unit_test(the_check_finds_what_ranges_cannot),
        cmocka_unit_test(tiers_are_named_or_all),
        cmocka_unit_test(a_pmem_file_may_be_there_or_to_come),
        cmocka_unit_test(what_is_printed_reads_back_the_same),
        cmocka_unit_test(what_is_printed_explains_each_setting),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
