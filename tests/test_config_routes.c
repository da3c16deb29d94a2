/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.routes: what a rule may say, where the fault is when it says something else, and that what
 * is printed and what a pool makes of it is what was written.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config/config.h"

static char path[] = "/tmp/test_config_routes_XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static dp_status load(const char *text, config *out, config_error *error)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    config_defaults(out);
    error->message[0] = '\0';
    return config_load_file(out, path, error);
}

/* Refused with these words behind the path, and nothing is changed. */
static void check_refused(const char *text, const char *words)
{
    static config changed;
    static config untouched;
    config_error error;
    char expected[1024];
    config_defaults(&untouched);
    assert_int_equal(load(text, &changed, &error), DP_ERR_INVALID);
    snprintf(expected, sizeof expected, "%s%s", path, words);
    assert_string_equal(error.message, expected);
    assert_memory_equal(&changed, &untouched, sizeof changed);
}

static const char *const three =
    "pool = {\n"
    "  routes = (\n"
    "    { kind = \"text\"; size_max = 4096; priority = \"high\"; tiers = [\"host\"]; },\n"
    "    { kind = \"surface\"; batch_min = 8; tenant = 3; tiers = (\"hbm\", \"pinned\"); },\n"
    "    { size_min = 100; size_max = 2147483648L;\n"
    "      tiers = [\"pinned\", \"host\"]; }\n"
    "  );\n"
    "};\n";

static void rules_are_read_in_order_with_what_they_name(void **state)
{
    (void)state;
    static config subject;
    config_error error;
    char where[CONFIG_WHERE_BYTES];
    assert_int_equal(load(three, &subject, &error), DP_OK);
    assert_int_equal(config_check(&subject, &error), DP_OK);
    assert_int_equal(subject.pool_route_count, 3);
    const dp_route_rule *rule = &subject.pool_routes[0].rule;
    assert_int_equal(rule->kind, DP_KIND_TEXT);
    assert_int_equal(rule->size_bytes_min, 0);
    assert_int_equal(rule->size_bytes_max, 4096);
    assert_int_equal(rule->priority_min, DP_PRIORITY_HIGH);
    assert_int_equal(rule->tiers[0], DP_TIER_HOST);
    assert_int_equal(rule->tiers[1], DP_TIER_NONE);
    rule = &subject.pool_routes[1].rule;
    assert_int_equal(rule->kind, DP_KIND_SURFACE);
    assert_int_equal(rule->batch_size_min, 8);
    assert_int_equal(rule->tenant, 3);
    assert_int_equal(rule->tiers[0], DP_TIER_HBM);
    assert_int_equal(rule->tiers[1], DP_TIER_PINNED);
    assert_int_equal(rule->tiers[2], DP_TIER_NONE);
    rule = &subject.pool_routes[2].rule;
    assert_int_equal(rule->kind, DP_KIND_COUNT);
    assert_int_equal(rule->size_bytes_min, 100);
    assert_int_equal(rule->size_bytes_max, DP_SIZE_BYTES_MAX);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(where, sizeof where, "%s:%u", path, 3 + i);
        assert_string_equal(subject.pool_routes[i].where, where);
    }
}

static void a_fault_is_named_with_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        const char *words;
    } wrong[] = {
        {"{ kind = \"txt\"; tiers = [\"host\"]; }",
         ":3: pool.routes: kind must be other, text, surface or encoded, not \"txt\""},
        {"{ kind = 3; tiers = [\"host\"]; }",
         ":3: pool.routes: kind must be a text in quotes, not a whole number"},
        {"{ priority = \"top\"; tiers = [\"host\"]; }",
         ":3: pool.routes: priority must be low, normal or high, not \"top\""},
        {"{ tiers = [\"host\", \"vram\"]; }", ":3: pool.routes: there is no tier \"vram\""},
        {"{ tiers = [\"host\", \"host\"]; }", ":3: pool.routes: tier host is named twice"},
        {"{ tiers = [1, 2]; }", ":3: pool.routes: tiers must be a list of texts"},
        {"{ tiers = \"host\"; }", ":3: pool.routes: tiers must be a list of texts, not a text"},
        {"{ tiers = ( ); }", ":3: pool.routes: a rule must name tiers"},
        {"{ kind = \"text\"; }", ":3: pool.routes: a rule must name tiers"},
        {"{ kind = \"text\"; tiers = [\"pinned\"]; }",
         ":3: pool.routes: a rule must name host, but for one of kind surface"},
        {"{ tiers = [\"hbm\"]; }",
         ":3: pool.routes: a rule must name host, but for one of kind surface"},
        {"{ size_max = -1; tiers = [\"host\"]; }",
         ":3: pool.routes: size_max must be from 0 to 2147483648, not -1"},
        {"{ size_min = 2147483649L; tiers = [\"host\"]; }",
         ":3: pool.routes: size_min must be from 0 to 2147483648, not 2147483649"},
        {"{ batch_min = 65536; tiers = [\"host\"]; }",
         ":3: pool.routes: batch_min must be from 0 to 65535, not 65536"},
        {"{ tenant = \"lobby\"; tiers = [\"host\"]; }",
         ":3: pool.routes: tenant must be a whole number, not a text"},
        {"{ tenant = 4294967297; tiers = [\"host\"]; }", ":3: number too large"},
        {"{ size_min = 5; size_max = 4; tiers = [\"host\"]; }",
         ":3: pool.routes: size_max is less than size_min"},
        {"{ knd = \"text\"; tiers = [\"host\"]; }", ":3: pool.routes: unknown setting knd"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[512];
        /* A good rule first: it must not be kept when the second is wrong. */
        snprintf(text, sizeof text, "pool = { routes = (\n { tiers = [\"host\"]; },\n %s\n); };\n",
                 wrong[i].rule);
        check_refused(text, wrong[i].words);
    }
    check_refused("pool = {\n\n routes = { kind = \"text\"; }; };",
                  ":3: pool.routes must be a list, ( { ... }, ... ), not a group");
    check_refused("pool = {\n routes = ( \"text\" ); };",
                  ":2: pool.routes: a rule must be a group, { ... }, not a text");
    check_refused("fanout = { routes = (); };", ":1: unknown setting fanout.routes");
}

static void there_is_a_bound_on_their_number(void **state)
{
    (void)state;
    static config subject;
    config_error error;
    static const char rule[] = "{ tiers = [\"host\"]; }";
    for (unsigned extra = 0; extra < 2; extra++) {
        char text[CONFIG_ROUTES_MAX * 32 + 256] = "pool = { routes = (";
        for (unsigned i = 0; i < CONFIG_ROUTES_MAX + extra; i++) {
            strcat(text, i == 0 ? "" : ", ");
            strcat(text, rule);
        }
        strcat(text, "); };");
        dp_status status = load(text, &subject, &error);
        assert_int_equal(status, extra == 0 ? DP_OK : DP_ERR_INVALID);
    }
    assert_non_null(strstr(error.message, ":1: pool.routes has 33 rules, at most 32"));
}

static void what_is_printed_reads_back_as_the_same_rules(void **state)
{
    (void)state;
    static config first;
    static config second;
    config_error error;
    assert_int_equal(load(three, &first, &error), DP_OK);
    char *text = config_print(&first);
    assert_non_null(text);
    assert_non_null(strstr(text,
                           "{ kind = \"surface\"; batch_min = 8; tenant = 3; "
                           "tiers = [\"hbm\", \"pinned\"]; },\n"));
    assert_int_equal(load(text, &second, &error), DP_OK);
    free(text);
    assert_int_equal(second.pool_route_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_not_equal(first.pool_routes[i].where, second.pool_routes[i].where);
        memcpy(second.pool_routes[i].where, first.pool_routes[i].where, CONFIG_WHERE_BYTES);
    }
    assert_memory_equal(&first, &second, sizeof first);
}

static void a_later_file_replaces_the_list(void **state)
{
    (void)state;
    static config subject;
    config_error error;
    assert_int_equal(load(three, &subject, &error), DP_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("pool = { routes = ( { tiers = [\"host\"]; } ); };", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(config_load_file(&subject, path, &error), DP_OK);
    assert_int_equal(subject.pool_route_count, 1);
    static const char none[sizeof subject.pool_routes[1]];
    assert_memory_equal(&subject.pool_routes[1], none, sizeof none);
}

static void only_a_file_can_hold_them(void **state)
{
    (void)state;
    static config subject;
    config_error error;
    char variable[] = "DANPOOL_POOL_ROUTES=()";
    char *environment[] = {variable, NULL};
    config_defaults(&subject);
    assert_int_equal(config_set(&subject, "pool.routes=()", "--set", &error), DP_ERR_INVALID);
    assert_string_equal(error.message, "--set: pool.routes is a list, which only a file can hold");
    assert_int_equal(config_read_environment(&subject, environment, &error), DP_ERR_INVALID);
    assert_string_equal(error.message,
                        "DANPOOL_POOL_ROUTES: pool.routes is a list, which only a file can hold");
}

/* The table of the file goes before the shipped one, and a pool goes by it. */
static void a_pool_goes_by_them(void **state)
{
    (void)state;
    static config subject;
    config_error error;
    dp_route_rule rules[CONFIG_RULES_MAX];
    size_t shipped = 0;
    (void)dp_route_rules_default(&shipped);
    assert_int_equal(load(three, &subject, &error), DP_OK);
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    pool_config.rule_count = config_rules(&subject, rules);
    pool_config.rules = rules;
    assert_int_equal(pool_config.rule_count, 3 + shipped);
    dp_pool *pool = NULL;
    assert_int_equal(dp_pool_create(&pool_config, &pool), DP_OK);
    static const struct {
        dp_request request;
        size_t rule;
    } asked[] = {
        {{.size_bytes = 10, .kind = DP_KIND_TEXT, .priority = DP_PRIORITY_HIGH}, 0},
        {{.size_bytes = 5000, .kind = DP_KIND_TEXT, .priority = DP_PRIORITY_HIGH}, 2},
        {{.size_bytes = 10, .kind = DP_KIND_TEXT}, 3},
        {{.size_bytes = 100, .kind = DP_KIND_TEXT}, 2},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        dp_tier_id tiers[DP_TIER_COUNT];
        size_t rule = 99;
        assert_int_equal(dp_pool_route(pool, &asked[i].request, tiers, &rule), DP_OK);
        assert_int_equal(rule, asked[i].rule);
        rule = 99;
        assert_int_equal(
            dp_route_rules_match(rules, pool_config.rule_count, &asked[i].request, &rule), DP_OK);
        assert_int_equal(rule, asked[i].rule);
    }
    dp_request none = {.size_bytes = 10};
    size_t rule = 99;
    assert_int_equal(dp_route_rules_match(rules, 3, &none, &rule), DP_ERR_NOT_FOUND);
    none.size_bytes = 0;
    assert_int_equal(dp_route_rules_match(rules, 3, &none, &rule), DP_ERR_INVALID);
    assert_int_equal(rule, 99);
    dp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read_in_order_with_what_they_name),
        cmocka_unit_test(a_fault_is_named_with_file_and_line),
        cmocka_unit_test(there_is_a_bound_on_their_number),
        cmocka_unit_test(what_is_printed_reads_back_as_the_same_rules),
        cmocka_unit_test(a_later_file_replaces_the_list),
        cmocka_unit_test(only_a_file_can_hold_them),
        cmocka_unit_test(a_pool_goes_by_them),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
