/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of filter lists as rules (filter.h says what they look like).
 *
 * A list owns the bytes of its files; the texts of its rules point into them.
 */
#ifndef DP_SERVER_GATE_FILTER_LIST_H
#define DP_SERVER_GATE_FILTER_LIST_H

#include "server/gate/filter.h"

#define FILTER_FILE_BYTES_MAX (64u << 20)
#define FILTER_FILES_MAX      32u
#define FILTER_RULES_MAX      1000000u

typedef struct filter_rule {
    const char *room; /* beginning of the rooms' names; "" = all rooms */
    const char *text; /* of a pattern, without the slashes; of a word as written */
    uint32_t line;
    filter_action action;
    bool is_pattern;
    bool open_start, open_end; /* the word may be part of a longer one on that side */
    uint16_t file;             /* of `files` */
    uint32_t point_count;      /* a word's skeleton: `points` from points_at */
    size_t points_at;
} filter_rule;

typedef struct filter_list {
    filter_rule *rules;
    size_t count, capacity;
    uint32_t *points;
    size_t point_count, point_capacity;
    size_t pattern_count;
    char *files[FILTER_FILES_MAX];
    char names[FILTER_FILES_MAX][256];
    size_t file_count;
} filter_list;

/*
 * Adds the rules of one file.  `name` is for errors.  DP_ERR_INVALID (`error` says name:line and
 * why), DP_ERR_NOMEM, DP_ERR_IO.  On failure the list may hold some of the file: clear it.
 */
dp_status filter_list_read(filter_list *list, const char *path, char *error, size_t error_bytes);
dp_status filter_list_parse(filter_list *list, const char *name, const char *bytes,
                            size_t size_bytes, char *error, size_t error_bytes);
void filter_list_clear(filter_list *list);

#endif
