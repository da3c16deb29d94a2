/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading filter lists: lines are ended in place, so that rules can point at them.
 *
 * Two growing arrays, of rules and of the characters of folded words; both double.
 */
#include "server/gate/filter_list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pool/os.h"
#include "server/gate/confusable.h"
#include "server/gate/filter_words.h"
#include "server/wire/protocol.h"
#include "server/wire/text.h"

/* Where the reader stands, for errors. */
typedef struct reader {
    filter_list *list;
    const char *name;
    uint32_t line;
    char *error;
    size_t error_bytes;
} reader;

static dp_status refuse(const reader *in, const char *why)
{
    snprintf(in->error, in->error_bytes, "%s:%u: %s", in->name, (unsigned)in->line, why);
    return DP_ERR_INVALID;
}

/* Room for `more` elements of `each_bytes` behind `count`; NULL when there is no memory. */
static void *grown(void *array, size_t *capacity, size_t count, size_t more, size_t each_bytes)
{
    if (count + more <= *capacity) {
        return array;
    }
    size_t wanted = 2 * (count + more) + 62;
    void *larger = os_calloc(wanted, each_bytes);
    if (larger != NULL) {
        if (count > 0) {
            memcpy(larger, array, count * each_bytes);
        }
        os_free(array);
        *capacity = wanted;
    }
    return larger;
}

static dp_status add_points(filter_list *list, filter_rule *rule, const confusable_point *points,
                            size_t count)
{
    void *larger =
        grown(list->points, &list->point_capacity, list->point_count, count, sizeof *list->points);
    if (larger == NULL) {
        return DP_ERR_NOMEM;
    }
    list->points = larger;
    rule->points_at = list->point_count;
    rule->point_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        list->points[list->point_count++] = points[i].point;
    }
    return DP_OK;
}

static dp_status read_pattern(const reader *in, filter_rule *rule, char *text, size_t size_bytes)
{
    if (size_bytes - 2 > FILTER_PATTERN_BYTES_MAX) {
        return refuse(in, "a pattern has at most 512 bytes");
    }
    if (in->list->pattern_count == FILTER_PATTERNS_MAX) {
        return refuse(in, "more than 1000 patterns");
    }
    in->list->pattern_count++;
    text[size_bytes - 1] = '\0';
    rule->is_pattern = true;
    rule->text = text + 1;
    return DP_OK;
}

static dp_status read_word(const reader *in, filter_rule *rule, char *text, size_t size_bytes)
{
    confusable_point points[FILTER_WORD_POINTS_MAX];
    size_t rest = 0;
    rule->text = text;
    rule->open_start = text[0] == '*';
    rule->open_end = text[size_bytes - 1] == '*';
    size_t count = confusable_skeleton(text, size_bytes, points, FILTER_WORD_POINTS_MAX, &rest);
    if (rest > 0) {
        return refuse(in, "a word has at most 64 characters");
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (points[i].point != CONFUSABLE_BREAK) {
            points[kept++] = points[i];
        }
    }
    if (kept == 0) {
        return refuse(in, "nothing is left of this word without separators: use a /pattern/");
    }
    return add_points(in->list, rule, points, kept);
}

/* "block@kids-": its room is ended in place. */
static bool read_action(char *word, filter_rule *rule)
{
    static const struct {
        const char *name;
        filter_action action;
    } actions[] = {{"block", FILTER_BLOCK}, {"mask", FILTER_MASK}, {"hold", FILTER_HOLD}};
    char *at = strchr(word, '@');
    rule->room = "";
    if (at != NULL) {
        *at = '\0';
        rule->room = at + 1;
        size_t room_bytes = strlen(rule->room);
        if (!protocol_room_name_valid(rule->room, room_bytes)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(word, actions[i].name) == 0) {
            rule->action = actions[i].action;
            return true;
        }
    }
    return false;
}

static dp_status read_line(const reader *in, char *line, size_t size_bytes)
{
    while (size_bytes > 0 && strchr(" \t\r", line[size_bytes - 1]) != NULL) {
        size_bytes--;
    }
    line[size_bytes] = '\0';
    size_t indent = strspn(line, " \t");
    line += indent;
    size_bytes -= indent;
    if (size_bytes == 0 || line[0] == '#') {
        return DP_OK;
    }
    if (strlen(line) != size_bytes || !text_is_utf8(line, size_bytes)) {
        return refuse(in, "not UTF-8 text");
    }
    size_t action_bytes = strcspn(line, " \t");
    if (action_bytes == size_bytes) {
        return refuse(in, "expected: block, mask or hold, then a word or a /pattern/");
    }
    filter_rule rule = {.line = in->line, .file = (uint16_t)(in->list->file_count - 1)};
    line[action_bytes] = '\0';
    char *text = line + action_bytes + 1;
    text += strspn(text, " \t");
    size_t text_bytes = size_bytes - (size_t)(text - line);
    if (!read_action(line, &rule)) {
        return refuse(in, "expected block, mask or hold, and behind an @ the beginning of a room");
    }
    if (in->list->count == FILTER_RULES_MAX) {
        return refuse(in, "more than 1000000 rules");
    }
    bool is_pattern = text_bytes > 2 && text[0] == '/' && text[text_bytes - 1] == '/';
    dp_status status = is_pattern ? read_pattern(in, &rule, text, text_bytes)
                                  : read_word(in, &rule, text, text_bytes);
    if (status != DP_OK) {
        return status;
    }
    void *larger = grown(in->list->rules, &in->list->capacity, in->list->count, 1, sizeof rule);
    if (larger == NULL) {
        return DP_ERR_NOMEM;
    }
    in->list->rules = larger;
    in->list->rules[in->list->count++] = rule;
    return DP_OK;
}

/* Takes `bytes`, which has one byte more than size_bytes, whatever becomes of it. */
static dp_status parse_owned(filter_list *list, const char *name, char *bytes, size_t size_bytes,
                             char *error, size_t error_bytes)
{
    reader in = {.list = list, .name = name, .error = error, .error_bytes = error_bytes};
    if (list->file_count == FILTER_FILES_MAX) {
        os_free(bytes);
        return refuse(&in, "more than 32 files");
    }
    snprintf(list->names[list->file_count], sizeof list->names[0], "%s", name);
    list->files[list->file_count++] = bytes;
    char *at = bytes;
    char *end = bytes + size_bytes;
    if (size_bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        at += 3;
    }
    dp_status status = DP_OK;
    while (status == DP_OK && at < end) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) {
            stop = end;
        }
        in.line++;
        status = read_line(&in, at, (size_t)(stop - at));
        at = stop + 1;
    }
    return status;
}

dp_status filter_list_parse(filter_list *list, const char *name, const char *bytes,
                            size_t size_bytes, char *error, size_t error_bytes)
{
    char *copy = os_calloc(1, size_bytes + 1);
    if (copy == NULL) {
        return DP_ERR_NOMEM;
    }
    memcpy(copy, bytes, size_bytes);
    return parse_owned(list, name, copy, size_bytes, error, error_bytes);
}

dp_status filter_list_read(filter_list *list, const char *path, char *error, size_t error_bytes)
{
    FILE *from = fopen(path, "rbe");
    struct stat about;
    if (from == NULL || fstat(fileno(from), &about) != 0 || !S_ISREG(about.st_mode) ||
        about.st_size > (off_t)FILTER_FILE_BYTES_MAX) {
        snprintf(error, error_bytes, "%s: %s", path,
                 from == NULL ? strerror(errno) : "not a file of at most 64 MiB");
        if (from != NULL) {
            (void)fclose(from);
        }
        return DP_ERR_IO;
    }
    size_t size_bytes = (size_t)about.st_size;
    char *bytes = os_calloc(1, size_bytes + 1);
    if (bytes == NULL) {
        (void)fclose(from);
        return DP_ERR_NOMEM;
    }
    size_t got = fread(bytes, 1, size_bytes, from);
    bool is_bad = ferror(from) != 0;
    (void)fclose(from);
    if (is_bad) {
        snprintf(error, error_bytes, "%s: cannot be read", path);
        os_free(bytes);
        return DP_ERR_IO;
    }
    return parse_owned(list, path, bytes, got, error, error_bytes);
}

void filter_list_clear(filter_list *list)
{
    for (size_t i = 0; i < list->file_count; i++) {
        os_free(list->files[i]);
    }
    os_free(list->rules);
    os_free(list->points);
    *list = (filter_list){.count = 0};
}
