/* SPDX-License-Identifier: Apache-2.0 */
/* A recording as a file and as JSON: what goes in comes out, and a hostile file buys nothing. */
#include "cm.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp_features.h"
#include "pool/observe.h"
#include "pool/size_class.h"
#include "pool/tier.h"
#include "pool/trace_file.h"
#include "pool_rig.h"
#if DP_HAVE_YAJL
#include <yajl/yajl_tree.h>
#endif

#define HEADER_BYTES 40u

/* What a writer leaves, in memory that the caller frees. */
typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static bytes written(const trace_file *file, dp_status (*write)(const trace_file *, FILE *))
{
    char *data = NULL;
    bytes out = {NULL, 0};
    FILE *to = open_memstream(&data, &out.size);
    assert_non_null(to);
    assert_int_equal(write(file, to), DP_OK);
    assert_int_equal(fclose(to), 0);
    out.data = (unsigned char *)data;
    return out;
}

static char odd_path[] = "/a \"quoted\"\\path\twith \x01 and \xff/lib\"x.so";

/* One event of each type; the paths are what a foreign file might hold. */
static trace_file sample(void)
{
    static trace_event events[DP_TRACE_EVENT_COUNT + 1];
    static char plain_path[] = "/usr/bin/danpoold";
    trace_file file = {
        .module_count = 2, .events = events, .event_count = 8, .dropped = 77, .process = 4321};
    file.modules[0] =
        (trace_module){.bias = 0x1000, .begin = 0x2000, .end = 0x3000, .path = odd_path};
    file.modules[1] =
        (trace_module){.bias = 0, .begin = 0x400000, .end = 0x500000, .path = plain_path};
    for (unsigned i = 0; i < 8; i++) {
        events[i] = (trace_event){.time_ns = UINT64_C(0x0123456789abcde0) + i,
                                  .size_bytes = 100 + i,
                                  .thread = 4000 + i % 2,
                                  .duration_ns = i % 3,
                                  .type = (uint8_t)(i < DP_TRACE_EVENT_COUNT ? i : 0),
                                  .tier = DP_TIER_HOST};
    }
    for (unsigned i = 0; i < 2; i++) {
        events[7 * i].id = 0xfedcba9876543210;
        events[7 * i].site = i == 0 ? 0x2abc : 0x99;
        events[7 * i].detail = TRACE_GET_FRESH;
    }
    return file;
}

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    trace_file file = sample();
    bytes all = written(&file, trace_file_write);
    trace_file back;
    assert_int_equal(trace_file_parse(all.data, all.size, &back), DP_OK);
    assert_int_equal(back.event_count, file.event_count);
    assert_memory_equal(back.events, file.events, 8 * sizeof(trace_event));
    assert_int_equal(back.dropped, 77);
    assert_int_equal(back.process, 4321);
    assert_int_equal(back.module_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(back.modules[i].path, file.modules[i].path);
        assert_true(back.modules[i].bias == file.modules[i].bias);
    }
    assert_ptr_equal(trace_file_module(&back, 0x2fff), &back.modules[0]);
    assert_null(trace_file_module(&back, 0x3000));
    assert_ptr_equal(trace_file_module(&back, 0x400000), &back.modules[1]);
    trace_file_clear(&back);
    free(all.data);
}

static void the_layout_is_the_documented_one(void **state)
{
    (void)state;
    trace_file file = sample();
    bytes all = written(&file, trace_file_write);
    static const unsigned char start[] = {
        'd', 'p', 't', 'r', 'a', 'c', 'e', '\n', 1, 0, 0, 0,  2, 0, 0, 0, 0xe1, 0x10, 0, 0, 0,
        0,   0,   0,   8,   0,   0,   0,   0,    0, 0, 0, 77, 0, 0, 0, 0, 0,    0,    0, 0, 0x10};
    assert_memory_equal(all.data, start, sizeof start);
    size_t paths = strlen(file.modules[0].path) + strlen(file.modules[1].path);
    assert_int_equal(all.size, HEADER_BYTES + 2 * 28 + paths + 8 * 40);
    static const unsigned char first[] = {
        0xe0, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba,
        0xdc, 0xfe, 0xbc, 0x2a, 0,    0,    0,    0,    0,    0,    100,  0,    0,    0,
        0xa0, 0x0f, 0,    0,    0,    0,    0,    0,    0,    0,    0,    1};
    assert_memory_equal(all.data + all.size - 8 * 40, first, sizeof first);
    free(all.data);
}

/* ---- hostile ---- */

static void assert_is_refused(const void *data, size_t size)
{
    trace_file back = {.dropped = 4711};
    assert_int_equal(trace_file_parse(data, size, &back), DP_ERR_FORMAT);
    assert_int_equal(back.dropped, 4711); /* untouched */
}

static void a_file_cut_short_or_longer_is_refused(void **state)
{
    (void)state;
    trace_file file = sample();
    bytes all = written(&file, trace_file_write);
    for (size_t size = 0; size < all.size; size++) {
        unsigned char *exact = malloc(size + 1); /* so that a sanitizer sees a read behind it */
        assert_non_null(exact);
        exact = realloc(exact, size == 0 ? 1 : size);
        memcpy(exact, all.data, size);
        assert_is_refused(exact, size);
        free(exact);
    }
    unsigned char *longer = calloc(1, all.size + 40);
    memcpy(longer, all.data, all.size);
    for (size_t more = 1; more <= 40; more++)
        assert_is_refused(longer, all.size + more);
    free(longer);
    free(all.data);
}

static void every_flipped_bit_is_either_refused_or_harmless(void **state)
{
    (void)state;
    trace_file file = sample();
    bytes all = written(&file, trace_file_write);
    for (size_t bit = 0; bit < all.size * 8; bit++) {
        all.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        trace_file back;
        dp_status status = trace_file_parse(all.data, all.size, &back);
        assert_true(status == DP_OK || status == DP_ERR_FORMAT);
        if (status == DP_OK) {
            bytes json = written(&back, trace_file_write_chrome);
            free(json.data);
            trace_file_clear(&back);
        }
        all.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(all.data);
}

static void a_count_that_the_size_does_not_bear_out_takes_no_memory(void **state)
{
    (void)state;
    trace_file file = sample();
    bytes all = written(&file, trace_file_write);
    static const unsigned char counts[][8] = {
        {0, 0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {7}, {9}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        memcpy(all.data + 24, counts[i], 8);
        os_malloc_fail_nth(3); /* the two paths come first; the events are not asked for */
        assert_is_refused(all.data, all.size);
        assert_int_equal(os_malloc_fail_nth(0), 1);
    }
    free(all.data);
}

typedef struct wrong {
    const char *what;
    size_t at; /* from the end of the paths on: the first event */
    unsigned char value;
} wrong;

static void an_event_out_of_its_range_is_refused(void **state)
{
    (void)state;
    static const wrong wrongs[] = {
        {"an unknown type", 36, DP_TRACE_EVENT_COUNT},
        {"an unknown tier", 37, DP_TIER_COUNT},
        {"an unknown class", 38, SIZE_CLASS_COUNT},
        {"an unknown kind", 39, DP_KIND_COUNT << TRACE_GET_KIND_SHIFT},
        {"a get larger than any", 27, 0x81},
        {"time running backwards", 40 * 1, 0},
        {"a move to an unknown tier", 40 * DP_TRACE_MIGRATE + 39, DP_TIER_COUNT},
        {"an unknown call", 40 * DP_TRACE_TIER_CALL + 39, TIER_CALL_COUNT},
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        trace_file file = sample();
        bytes all = written(&file, trace_file_write);
        all.data[all.size - 8 * 40 + wrongs[i].at] = wrongs[i].value;
        trace_file back;
        dp_status status = trace_file_parse(all.data, all.size, &back);
        if (status != DP_ERR_FORMAT)
            fail_msg("%s was taken", wrongs[i].what);
        free(all.data);
    }
}

static void a_path_that_holds_a_nul_or_is_too_long_is_refused(void **state)
{
    (void)state;
    trace_file file = sample();
    bytes all = written(&file, trace_file_write);
    unsigned char *path = all.data + HEADER_BYTES + 28;
    assert_int_equal(path[0], '/');
    path[3] = '\0';
    assert_is_refused(all.data, all.size);
    path[3] = 'x';
    path[-3] = 0x10; /* 4,096 and more */
    assert_is_refused(all.data, all.size);
    free(all.data);
}

static void a_parse_that_finds_no_memory_says_so(void **state)
{
    (void)state;
    trace_file file = sample();
    bytes all = written(&file, trace_file_write);
    for (unsigned nth = 1; nth <= 3; nth++) { /* two paths and the events */
        trace_file back;
        os_malloc_fail_nth(nth);
        assert_int_equal(trace_file_parse(all.data, all.size, &back), DP_ERR_NOMEM);
        assert_int_equal(os_malloc_fail_nth(0), 0);
    }
    free(all.data);
}

static void a_file_is_found_by_its_name_or_said_to_be_absent(void **state)
{
    (void)state;
    trace_file back;
    assert_int_equal(trace_file_load("/nowhere/at/all", &back), DP_ERR_IO);
    assert_int_equal(trace_file_load("/dev/null", &back), DP_ERR_FORMAT);
    char path[] = "/tmp/danpool-trace-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *to = fdopen(descriptor, "w");
    assert_non_null(to);
    trace_file file = sample();
    assert_int_equal(trace_file_write(&file, to), DP_OK);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(trace_file_load(path, &back), DP_OK);
    assert_int_equal(back.event_count, 8);
    trace_file_clear(&back);
    assert_int_equal(unlink(path), 0);
}

/* ---- JSON ---- */

#if DP_HAVE_YAJL

static yajl_val member(yajl_val object, const char *name, yajl_type type)
{
    const char *path[] = {name, NULL};
    yajl_val found = yajl_tree_get(object, path, type);
    if (found == NULL)
        fail_msg("no %s", name);
    return found;
}

static yajl_val parsed(const trace_file *file)
{
    bytes json = written(file, trace_file_write_chrome);
    char words[256];
    yajl_val root = yajl_tree_parse((const char *)json.data, words, sizeof words);
    if (root == NULL)
        fail_msg("%s", words);
    free(json.data);
    return root;
}

/* What the format asks of every event, and of its phase. */
static void assert_event_is_well_formed(yajl_val event)
{
    const char *phase = YAJL_GET_STRING(member(event, "ph", yajl_t_string));
    assert_non_null(YAJL_GET_STRING(member(event, "name", yajl_t_string)));
    assert_true(YAJL_GET_INTEGER(member(event, "pid", yajl_t_number)) > 0);
    (void)member(event, "args", yajl_t_object);
    if (strcmp(phase, "M") == 0)
        return;
    assert_true(YAJL_GET_DOUBLE(member(event, "ts", yajl_t_number)) >= 0);
    if (strcmp(phase, "C") == 0)
        return;
    assert_true(YAJL_GET_INTEGER(member(event, "tid", yajl_t_number)) > 0);
    if (strcmp(phase, "X") == 0)
        assert_true(YAJL_GET_DOUBLE(member(event, "dur", yajl_t_number)) > 0);
    else
        assert_string_equal(YAJL_GET_STRING(member(event, "s", yajl_t_string)), "t");
}

static void the_json_is_json_and_has_every_event(void **state)
{
    (void)state;
    trace_file file = sample();
    yajl_val root = parsed(&file);
    yajl_val events = member(root, "traceEvents", yajl_t_array);
    /* The process's name, eight events, and a counter behind each of two gets and one put. */
    assert_int_equal(events->u.array.len, 1 + 8 + 3);
    for (size_t i = 0; i < events->u.array.len; i++)
        assert_event_is_well_formed(events->u.array.values[i]);
    yajl_val get = events->u.array.values[1];
    assert_string_equal(YAJL_GET_STRING(member(get, "name", yajl_t_string)), "get");
    assert_string_equal(YAJL_GET_STRING(member(get, "cat", yajl_t_string)), "host");
    yajl_val args = member(get, "args", yajl_t_object);
    assert_int_equal(YAJL_GET_INTEGER(member(args, "size", yajl_t_number)), 100);
    /* The site's path held quotes, a backslash and control characters. */
    assert_string_equal(YAJL_GET_STRING(member(args, "site", yajl_t_string)), "lib\"x.so+0x1abc");
    yajl_tree_free(root);
}

static void a_real_recording_is_json_too(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    assert_int_equal(dp_trace_start(rig.pool, 1000), DP_OK);
    for (unsigned i = 0; i < 100; i++)
        dp_put(rig_get(rig.pool, DP_KIND_TEXT, 1 + i * 700));
    trace_file file;
    assert_int_equal(trace_file_from(&pool_observer(rig.pool)->trace, &file), DP_OK);
    yajl_val root = parsed(&file);
    yajl_val events = member(root, "traceEvents", yajl_t_array);
    assert_int_equal(events->u.array.len, 1 + file.event_count + 200);
    double last = 0;
    for (size_t i = 0; i < events->u.array.len; i++) {
        assert_event_is_well_formed(events->u.array.values[i]);
        const char *phase = YAJL_GET_STRING(member(events->u.array.values[i], "ph", yajl_t_string));
        if (strcmp(phase, "C") == 0) {
            yajl_val args = member(events->u.array.values[i], "args", yajl_t_object);
            last = YAJL_GET_DOUBLE(member(args, "bytes", yajl_t_number));
        }
    }
    assert_true(last == 0); /* nothing is held at the end */
    yajl_tree_free(root);
    trace_file_clear(&file);
    pool_rig_close(&rig);
}

#else

static void the_json_is_json_and_has_every_event(void **state)
{
    (void)state;
    skip();
}

static void a_real_recording_is_json_too(void **state)
{
    (void)state;
    skip();
}

#endif

static void names_are_told_and_unknown_ones_are_said_to_be(void **state)
{
    (void)state;
    assert_string_equal(trace_event_name(DP_TRACE_EVICT), "evict");
    assert_string_equal(trace_event_name(DP_TRACE_EVENT_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(a_file_cut_short_or_longer_is_refused),
        cmocka_unit_test(every_flipped_bit_is_either_refused_or_harmless),
        cmocka_unit_test(a_count_that_the_size_does_not_bear_out_takes_no_memory),
        cmocka_unit_test(an_event_out_of_its_range_is_refused),
        cmocka_unit_test(a_path_that_holds_a_nul_or_is_too_long_is_refused),
        cmocka_unit_test(a_parse_that_finds_no_memory_says_so),
        cmocka_unit_test(a_file_is_found_by_its_name_or_said_to_be_absent),
        cmocka_unit_test(the_json_is_json_and_has_every_event),
        cmocka_unit_test(a_real_recording_is_json_too),
        cmocka_unit_test(names_are_told_and_unknown_ones_are_said_to_be),
    };
    return cmocka_run_group_tests_name("trace_file", tests, NULL, NULL);
}
