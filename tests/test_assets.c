/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded page: every file of web/ is there, byte for byte, and nothing else is found. */
#include "cm.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/assets.h"

static const char *content_type_of(const char *name)
{
    static const struct {
        const char *extension;
        const char *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".svg", "image/svg+xml"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(dot, types[i].extension) == 0) {
            return types[i].type;
        }
    }
    return NULL;
}

static size_t count_assets(void)
{
    size_t count = 0;
    while (asset_table[count].path != NULL) {
        count++;
    }
    return count;
}

static void check_same_bytes(const char *name, const asset *row)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", DP_WEB_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(row->size_bytes + 1);
    assert_non_null(bytes);
    /* One byte more is asked for, so that a longer file shows. */
    size_t size_bytes = fread(bytes, 1, row->size_bytes + 1, file);
    fclose(file);
    assert_int_equal(size_bytes, row->size_bytes);
    assert_memory_equal(bytes, row->bytes, size_bytes);
    free(bytes);
}

static void every_file_of_the_page_is_embedded_byte_for_byte(void **state)
{
    (void)state;
    size_t found = 0;
    DIR *directory = opendir(DP_WEB_DIR);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        const char *type = content_type_of(entry->d_name);
        if (type == NULL) {
            continue;
        }
        char path[300];
        bool index = strcmp(entry->d_name, "index.html") == 0;
        snprintf(path, sizeof path, "/%s", index ? "" : entry->d_name);
        const asset *row = asset_find(path, strlen(path));
        assert_non_null(row);
        assert_string_equal(row->content_type, type);
        check_same_bytes(entry->d_name, row);
        found++;
    }
    closedir(directory);
    assert_int_equal(found, count_assets());
    assert_true(found > 0);
}

static void what_is_not_a_file_of_the_page_is_not_found(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "", "//", "/nothing.js", "/index.html", "app.js", "/package.json", "/../x", "/?"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_null(asset_find(paths[i], strlen(paths[i])));
    }
}

static void a_path_is_compared_by_its_length(void **state)
{
    (void)state;
    for (const asset *row = asset_table; row->path != NULL; row++) {
        char longer[300];
        size_t length = strlen(row->path);
        snprintf(longer, sizeof longer, "%s?x", row->path);
        assert_ptr_equal(asset_find(longer, length), row);
        assert_null(asset_find(longer, length + 1));
    }
}

static void etags_are_quoted_and_differ_between_contents(void **state)
{
    (void)state;
    for (const asset *row = asset_table; row->path != NULL; row++) {
        assert_int_equal(strlen(row->etag), 34);
        assert_int_equal(row->etag[0], '"');
        assert_int_equal(row->etag[33], '"');
        assert_int_equal(strspn(row->etag + 1, "0123456789abcdef"), 32);
        for (const asset *other = asset_table; other != row; other++) {
            bool same = row->size_bytes == other->size_bytes &&
                        memcmp(row->bytes, other->bytes, row->size_bytes) == 0;
            assert_int_equal(strcmp(row->etag, other->etag) == 0, same);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_the_page_is_embedded_byte_for_byte),
        cmocka_unit_test(what_is_not_a_file_of_the_page_is_not_found),
        cmocka_unit_test(a_path_is_compared_by_its_length),
        cmocka_unit_test(etags_are_quoted_and_differ_between_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
