/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over filter lists and over the scan of comments by them: the first line's length splits
 * the input into a list and a comment.  Whatever comes in, a mask never makes a text longer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/gate/confusable.h"
#include "server/gate/filter_list.h"
#include "server/gate/filter_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static size_t points_seen;

static bool on_found(void *user, uint32_t rule, size_t first, size_t last)
{
    const filter_list *list = user;
    require(rule < list->count && first <= last && last < points_seen);
    require(list->rules[rule].point_count == last - first + 1);
    return true;
}

static void scan(filter_list *list, const char *text, size_t size)
{
    static confusable_point points[CONFUSABLE_POINTS_MAX];
    filter_word words[256];
    size_t count = 0;
    for (size_t i = 0; i < list->count && count < 256; i++) {
        const filter_rule *rule = &list->rules[i];
        if (!rule->is_pattern) {
            words[count++] = (filter_word){.points = list->points + rule->points_at,
                                           .count = rule->point_count,
                                           .rule = (uint32_t)i};
        }
    }
    filter_words *made = NULL;
    require(filter_words_create(words, count, &made) == DP_OK);
    size_t rest = 0;
    points_seen = confusable_skeleton(text, size, points, CONFUSABLE_POINTS_MAX, &rest);
    for (size_t i = 0; i < points_seen; i++) {
        require(points[i].from <= points[i].to && points[i].to <= size);
    }
    filter_words_scan(made, points, points_seen, on_found, list);
    filter_words_destroy(made);
    (void)confusable_plain(text, size, points, CONFUSABLE_POINTS_MAX, &rest);
    uint64_t bits[FILTER_TEXT_BYTES_MAX / 64];
    memset(bits, 0xA5, sizeof bits);
    char *copy = malloc(size + 1);
    require(copy != NULL);
    memcpy(copy, text, size);
    require(confusable_mask(copy, size, bits) <= size);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256] = "";
    filter_list list = {.count = 0};
    size_t list_bytes = size < 2 ? size : (size_t)data[0] * 8;
    list_bytes = list_bytes > size ? size : list_bytes;
    dp_status status =
        filter_list_parse(&list, "list", (const char *)data, list_bytes, error, sizeof error);
    require((status == DP_OK) == (error[0] == '\0'));
    if (status == DP_OK && size - list_bytes <= FILTER_TEXT_BYTES_MAX) {
        scan(&list, (const char *)data + list_bytes, size - list_bytes);
    }
    filter_list_clear(&list);
    return 0;
}
