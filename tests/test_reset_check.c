/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checker of the reset contract: a right type passes, and each of the planted breaches is found
 * where it is, and nothing else.
 */
#include "cm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <danpool/reset.h>

#include "pool/os.h"

/* A message as a server might have it: values, a struct inside, one behind a pointer, a file. */
typedef struct style {
    uint32_t color;
    uint8_t size;
    bool bold;
} style;

typedef struct words {
    char *text; /* always there, of 64 bytes; an empty one when there are none */
    size_t text_bytes;
    unsigned count;
} words;

typedef struct message {
    uint64_t sequence;
    style style;
    words *words;
    char *label; /* may be NULL, is at first */
    int log;
    bool used;
} message;

static const dp_field style_fields[] = {
    DP_FIELD(style, color, DP_FIELD_PLAIN),
    DP_FIELD(style, size, DP_FIELD_PLAIN),
    DP_FIELD(style, bold, DP_FIELD_VALUE),
};
static const dp_field words_fields[] = {
    DP_FIELD(words, text, DP_FIELD_POINTER),
    DP_FIELD(words, text_bytes, DP_FIELD_VALUE),
    DP_FIELD(words, count, DP_FIELD_PLAIN),
};
static const dp_field message_fields[] = {
    DP_FIELD(message, sequence, DP_FIELD_PLAIN),
    DP_FIELD_WITH(message, style, DP_FIELD_EMBEDDED, style_fields),
    DP_FIELD_WITH(message, words, DP_FIELD_NESTED, words_fields),
    DP_FIELD(message, label, DP_FIELD_POINTER),
    DP_FIELD(message, log, DP_FIELD_FD),
    DP_FIELD(message, used, DP_FIELD_VALUE),
};
#define FIELDS(table) .fields = (table), .field_count = sizeof(table) / sizeof((table)[0])

static uint64_t texts_live;

static dp_status message_construct(void *object, void *user)
{
    message *self = object;
    (void)user;
    self->style = (style){.color = 0xffffff, .size = 25};
    self->words = calloc(1, sizeof *self->words);
    assert_non_null(self->words);
    self->words->text = calloc(1, 64);
    assert_non_null(self->words->text);
    texts_live++;
    self->log = open("/dev/null", O_WRONLY);
    assert_true(self->log >= 0);
    return DP_OK;
}

static void message_destroy(void *object, void *user)
{
    message *self = object;
    (void)user;
    if (self->words != NULL) {
        texts_live -= self->words->text != NULL;
        free(self->words->text);
    }
    free(self->words);
    free(self->label);
    if (self->log >= 0)
        (void)close(self->log);
}

static void message_dirty(void *object, void *user)
{
    static char label[] = "label";
    message *self = object;
    (void)user;
    self->sequence = 7;
    self->style = (style){.color = 1, .size = 2, .bold = true};
    strcpy(self->words->text, "hello");
    self->words->text_bytes = 5;
    self->words->count++;
    self->label = malloc(sizeof label);
    assert_non_null(self->label);
    memcpy(self->label, label, sizeof label);
    self->used = true;
}

static void reset_right(void *object, void *user)
{
    message *self = object;
    (void)user;
    self->sequence = 0;
    self->style = (style){.color = 0xffffff, .size = 25};
    self->words->text[0] = '\0';
    self->words->text_bytes = 0;
    self->words->count = 0;
    free(self->label);
    self->label = NULL;
    self->used = false;
}

/* ---- the planted breaches: each is the right one but for one thing ---- */

static void reset_forgets(void *object, void *user)
{
    message *self = object;
    uint64_t sequence = self->sequence;
    reset_right(object, user);
    self->sequence = sequence;
}

static void reset_forgets_a_pointer(void *object, void *user)
{
    message *self = object;
    char *label = self->label;
    self->label = NULL;
    reset_right(object, user);
    self->label = label;
}

static void reset_forgets_inside(void *object, void *user)
{
    message *self = object;
    bool bold = self->style.bold;
    reset_right(object, user);
    self->style.bold = bold;
}

static void reset_forgets_behind_a_pointer(void *object, void *user)
{
    message *self = object;
    unsigned count = self->words->count;
    reset_right(object, user);
    self->words->count = count;
}

static void reset_toggles(void *object, void *user)
{
    message *self = object;
    bool used = self->used;
    reset_right(object, user);
    self->style.size = used ? 25 : 24;
}

static void reset_closes(void *object, void *user)
{
    message *self = object;
    reset_right(object, user);
    if (self->log >= 0)
        (void)close(self->log);
    self->log = -1;
}

static void reset_closes_and_keeps_the_number(void *object, void *user)
{
    message *self = object;
    reset_right(object, user);
    (void)close(self->log);
}

static void reset_frees(void *object, void *user)
{
    message *self = object;
    reset_right(object, user);
    texts_live--;
    free(self->words->text);
    self->words->text = NULL;
}

static void reset_leaves_null(void *object, void *user)
{
    message *self = object;
    reset_right(object, user);
    texts_live--;
    free(self->words->text);
    free(self->words);
    self->words = NULL;
}

static uint64_t count_texts(void *user)
{
    (void)user;
    return texts_live;
}

static dp_object_type type_with(void (*reset)(void *object, void *user))
{
    return (dp_object_type){.name = "message",
                            .size_bytes = sizeof(message),
                            .construct = message_construct,
                            .reset = reset,
                            .destroy = message_destroy};
}

static bool found(const dp_reset_report *report, dp_reset_breach_kind kind, const char *path)
{
    for (size_t i = 0; i < report->breach_count; i++) {
        if (report->breaches[i].kind == kind && strcmp(report->breaches[i].path, path) == 0)
            return true;
    }
    return false;
}

static const dp_reset_options options_all = {FIELDS(message_fields), .dirty = message_dirty,
                                             .outside = count_texts, .watch_descriptors = true};

static void a_right_reset_passes_and_everything_was_tested(void **state)
{
    (void)state;
    const dp_object_type type = type_with(reset_right);
    dp_reset_report report;
    assert_int_equal(dp_reset_check(&type, &options_all, &report), DP_OK);
    assert_int_equal(report.breach_count, 0);
    assert_int_equal(report.untested_count, 0);
    assert_int_equal(texts_live, 0);
}

static void each_planted_breach_is_found_where_it_is(void **state)
{
    (void)state;
    static const struct {
        void (*reset)(void *object, void *user);
        dp_reset_breach_kind kinds[3];
        const char *paths[3];
        size_t count;
    } rows[] = {
        {reset_forgets, {DP_RESET_FORGOTTEN}, {"sequence"}, 1},
        {reset_forgets_a_pointer, {DP_RESET_FORGOTTEN}, {"label"}, 1},
        {reset_forgets_inside, {DP_RESET_FORGOTTEN_NESTED}, {"style.bold"}, 1},
        {reset_forgets_behind_a_pointer, {DP_RESET_FORGOTTEN_NESTED}, {"words.count"}, 1},
        {reset_toggles, {DP_RESET_NOT_IDEMPOTENT}, {"style.size"}, 1},
        {reset_closes, {DP_RESET_RELEASED, DP_RESET_RELEASED}, {"log", "descriptors"}, 2},
        {reset_frees, {DP_RESET_RELEASED, DP_RESET_LEFT_NULL}, {"outside", "words.text"}, 2},
        {reset_leaves_null, {DP_RESET_RELEASED, DP_RESET_LEFT_NULL}, {"outside", "words"}, 2},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const dp_object_type type = type_with(rows[i].reset);
        dp_reset_report report;
        assert_int_equal(dp_reset_check(&type, &options_all, &report), DP_OK);
        for (size_t k = 0; k < rows[i].count; k++)
            assert_true(found(&report, rows[i].kinds[k], rows[i].paths[k]));
        assert_int_equal(report.breach_count, rows[i].count);
        assert_int_equal(texts_live, 0);
    }
}

static void a_descriptor_that_is_closed_is_missed_though_its_number_stays(void **state)
{
    (void)state;
    const dp_object_type type = type_with(reset_closes_and_keeps_the_number);
    dp_reset_options options = options_all;
    options.watch_descriptors = false;
    dp_reset_report report;
    assert_int_equal(dp_reset_check(&type, &options, &report), DP_OK);
    assert_true(found(&report, DP_RESET_RELEASED, "log"));
    assert_int_equal(report.breach_count, 1);
}

static void what_nothing_changes_is_called_untested(void **state)
{
    (void)state;
    const dp_object_type type = type_with(reset_right);
    dp_reset_options options = options_all;
    options.dirty = NULL;
    dp_reset_report report;
    assert_int_equal(dp_reset_check(&type, &options, &report), DP_OK);
    assert_int_equal(report.breach_count, 0);
    assert_int_equal(report.untested_count, 3); /* the values; patterns reach the rest */
    assert_string_equal(report.untested, "style.bold");
}

/* ---- without a table ---- */

typedef struct plain {
    uint32_t first;
    uint32_t second;
} plain;

static void plain_reset_half(void *object, void *user)
{
    (void)user;
    ((plain *)object)->first = 0;
}

static void without_a_table_bytes_are_compared_but_for_the_mask(void **state)
{
    (void)state;
    static const uint8_t mask[8] = {1, 1, 1, 1};
    const dp_object_type type = {
        .name = "plain", .size_bytes = sizeof(plain), .reset = plain_reset_half};
    dp_reset_report report;
    dp_reset_options options = {.mask = mask};
    assert_int_equal(dp_reset_check(&type, &options, &report), DP_OK);
    assert_int_equal(report.breach_count, 0);
    options.mask = NULL;
    assert_int_equal(dp_reset_check(&type, &options, &report), DP_OK);
    assert_int_equal(report.breach_count, 4);
    assert_true(found(&report, DP_RESET_FORGOTTEN, "byte 4"));
}

static void tables_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    const dp_object_type type = type_with(reset_right);
    const dp_field wrong[][1] = {
        {{"past", sizeof(message) - 1, 2, DP_FIELD_PLAIN, NULL, 0}},
        {{"far", SIZE_MAX, 2, DP_FIELD_PLAIN, NULL, 0}},
        {{"nothing", 0, 0, DP_FIELD_PLAIN, NULL, 0}},
        {{NULL, 0, 8, DP_FIELD_PLAIN, NULL, 0}},
        {{"half", 0, 4, DP_FIELD_POINTER, NULL, 0}},
        {{"none", 0, 8, DP_FIELD_NESTED, NULL, 0}},
        {{"plain", 0, 8, DP_FIELD_PLAIN, style_fields, 3}},
        {{"large", 0, 4, DP_FIELD_EMBEDDED, style_fields, 3}},
        {{"fd", 0, 8, DP_FIELD_FD, NULL, 0}},
        {{"kind", 0, 8, (dp_field_kind)(DP_FIELD_FD + 1), NULL, 0}},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        dp_reset_report report = {.breach_count = 77};
        dp_reset_options options = {FIELDS(wrong[i])};
        assert_int_equal(dp_reset_check(&type, &options, &report), DP_ERR_INVALID);
        assert_int_equal(report.breach_count, 77);
    }
    /* One that contains itself ends at the limit. */
    dp_field loop[] = {{"next", 0, sizeof(void *), DP_FIELD_NESTED, loop, 1}};
    dp_reset_options options = {FIELDS(loop)};
    dp_reset_report report;
    assert_int_equal(dp_reset_check(&type, &options, &report), DP_ERR_INVALID);
    assert_string_equal(dp_reset_breach_name(DP_RESET_LEFT_NULL), "left_null");
    assert_string_equal(dp_reset_breach_name(DP_RESET_BREACH_KIND_COUNT), "unknown");
}

static void without_memory_the_check_fails_and_leaves_nothing(void **state)
{
    (void)state;
    const dp_object_type type = type_with(reset_right);
    dp_reset_report report;
    for (uint64_t nth = 1;; nth++) {
        (void)os_malloc_fail_nth(nth);
        dp_status status = dp_reset_check(&type, &options_all, &report);
        if (os_malloc_fail_nth(0) != 0) {
            assert_int_equal(status, DP_OK);
            assert_true(nth > 5);
            break;
        }
        assert_int_equal(status, DP_ERR_NOMEM);
        assert_int_equal(texts_live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_reset_passes_and_everything_was_tested),
        cmocka_unit_test(each_planted_breach_is_found_where_it_is),
        cmocka_unit_test(a_descriptor_that_is_closed_is_missed_though_its_number_stays),
        cmocka_unit_test(what_nothing_changes_is_called_untested),
        cmocka_unit_test(without_a_table_bytes_are_compared_but_for_the_mask),
        cmocka_unit_test(tables_that_make_no_sense_are_refused),
        cmocka_unit_test(without_memory_the_check_fails_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
