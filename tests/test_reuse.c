/* SPDX-License-Identifier: Apache-2.0 */
/* Gets by call site: what counts as reused, as held, and what a lost event does to both. */
#include "cm.h"

#include <string.h>

#include "ctl/reuse.h"
#include "ctl/symbol.h"
#include "pool/os.h"

static trace_event events[64];
static size_t event_count;

static int begin(void **state)
{
    (void)state;
    memset(events, 0, sizeof events);
    event_count = 0;
    return 0;
}

static void get(uint64_t id, uint64_t site, uint32_t size_bytes, bool fresh)
{
    events[event_count++] = (trace_event){.id = id,
                                          .site = site,
                                          .size_bytes = size_bytes,
                                          .type = DP_TRACE_GET,
                                          .detail = fresh ? TRACE_GET_FRESH : 0};
}

static void put(uint64_t id)
{
    events[event_count++] = (trace_event){.id = id, .type = DP_TRACE_PUT};
}

static reuse_table table_of_events(void)
{
    trace_file file = {.events = events, .event_count = event_count};
    reuse_table table;
    assert_int_equal(reuse_make(&file, &table), DP_OK);
    return table;
}

static void assert_row(const reuse_row *row, uint64_t site, uint64_t gets, uint64_t fresh,
                       uint64_t held)
{
    assert_int_equal(row->site, site);
    assert_int_equal(row->gets, gets);
    assert_int_equal(row->fresh, fresh);
    assert_int_equal(row->held, held);
}

static void sites_are_told_apart_and_the_busiest_comes_first(void **state)
{
    (void)state;
    get(1, 0x100, 10, true);
    get(2, 0x200, 20, true);
    put(1);
    get(1, 0x200, 30, false);
    put(2);
    get(3, 0x200, 40, true);
    reuse_table table = table_of_events();
    assert_int_equal(table.count, 2);
    assert_row(&table.rows[0], 0x200, 3, 2, 2);
    assert_int_equal(table.rows[0].bytes, 90);
    assert_int_equal(table.rows[0].held_bytes, 70);
    assert_row(&table.rows[1], 0x100, 1, 1, 0);
    assert_row(&table.total, 0, 4, 3, 2);
    reuse_clear(&table);
}

static void a_get_whose_put_was_lost_is_not_held(void **state)
{
    (void)state;
    get(7, 0x100, 1, true);
    get(7, 0x100, 1, false); /* the put between them was overwritten */
    reuse_table table = table_of_events();
    assert_row(&table.rows[0], 0x100, 2, 1, 1);
    reuse_clear(&table);
}

static void a_put_without_its_get_counts_nothing(void **state)
{
    (void)state;
    put(5);
    get(6, 0x100, 1, false);
    put(6);
    events[event_count++] = (trace_event){.type = DP_TRACE_RECLAIM};
    reuse_table table = table_of_events();
    assert_int_equal(table.count, 1);
    assert_row(&table.rows[0], 0x100, 1, 0, 0);
    reuse_clear(&table);
}

static void nothing_recorded_is_an_empty_table(void **state)
{
    (void)state;
    reuse_table table = table_of_events();
    assert_int_equal(table.count, 0);
    assert_row(&table.total, 0, 0, 0, 0);
    reuse_clear(&table);
    put(1); /* only puts */
    table = table_of_events();
    assert_int_equal(table.count, 0);
    reuse_clear(&table);
}

static void want_of_memory_is_told(void **state)
{
    (void)state;
    get(1, 0x100, 1, true);
    trace_file file = {.events = events, .event_count = event_count};
    reuse_table table = {.count = 4711};
    for (unsigned nth = 1; nth <= 2; nth++) {
        os_malloc_fail_nth(nth);
        assert_int_equal(reuse_make(&file, &table), DP_ERR_NOMEM);
        assert_int_equal(os_malloc_fail_nth(0), 0);
        assert_int_equal(table.count, 4711);
    }
}

static void a_name_is_sought_only_in_regular_files(void **state)
{
    (void)state;
    static const uint64_t addresses[2] = {0x1000, 0x2000};
    char names[2][SYMBOL_BYTES_MAX];
    static const char *const paths[] = {"/dev/zero", "/", "/nowhere", "-x", "$(true)", ""};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        memset(names, 'x', sizeof names);
        symbol_find(paths[i], addresses, 2, names);
        assert_string_equal(names[0], "");
        assert_string_equal(names[1], "");
    }
}

static void what_is_printed_is_plain_text(void **state)
{
    (void)state;
    char text[] = "a\x1b[31mb\n\xff";
    symbol_clean(text);
    assert_string_equal(text, "a?[31mb??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sites_are_told_apart_and_the_busiest_comes_first, begin),
        cmocka_unit_test_setup(a_get_whose_put_was_lost_is_not_held, begin),
        cmocka_unit_test_setup(a_put_without_its_get_counts_nothing, begin),
        cmocka_unit_test_setup(nothing_recorded_is_an_empty_table, begin),
        cmocka_unit_test_setup(want_of_memory_is_told, begin),
        cmocka_unit_test(a_name_is_sought_only_in_regular_files),
        cmocka_unit_test(what_is_printed_is_plain_text),
    };
    return cmocka_run_group_tests_name("reuse", tests, NULL, NULL);
}
