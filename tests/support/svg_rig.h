/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One front end for a whole test file, and sentences of the form "this document becomes these
 * commands".
 */
#ifndef DP_TESTS_SVG_RIG_H
#define DP_TESTS_SVG_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "render/svg/svg.h"
#include "scene_dump.h"

#define SVG_TAG                                                                                    \
    "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
#define OPEN  SVG_TAG "viewBox='0 0 100 100'>"
#define CLOSE "</svg>"

static svg_context *rig_context;
static char rig_message[SVG_MESSAGE_BYTES];

static inline int rig_setup(void **state)
{
    (void)state;
    return svg_context_create(&rig_context) == DP_OK ? 0 : -1;
}

static inline int rig_teardown(void **state)
{
    (void)state;
    svg_context_destroy(rig_context);
    return 0;
}

static inline dp_status rig_parse(const char *text, scene *out)
{
    scene_block block;
    const dp_status status = svg_parse(rig_context, text, strlen(text), 0, &block, rig_message);
    if (status == DP_OK) {
        assert_int_equal(scene_open(block.bytes, block.size_bytes, out), DP_OK);
        assert_string_equal(rig_message, "");
    } else {
        assert_string_not_equal(rig_message, "");
    }
    return status;
}

/* The document's commands are `wanted`. */
static inline void becomes(const char *text, const char *wanted)
{
    scene s;
    if (rig_parse(text, &s) != DP_OK) {
        print_error("%s\ngave \"%s\"\n", text, rig_message);
        fail();
    }
    char *dump = scene_dump(&s);
    if (strcmp(dump, wanted) != 0) {
        print_error("%s\nbecame\n%s\nnot\n%s\n", text, dump, wanted);
        free(dump);
        fail();
    }
    free(dump);
}

/* What stands inside a root of 100 x 100 becomes `wanted`. */
static inline void draws(const char *content, const char *wanted)
{
    const size_t bytes = strlen(OPEN) + strlen(content) + strlen(CLOSE) + 1;
    char *text = malloc(bytes);
    assert_non_null(text);
    snprintf(text, bytes, "%s%s%s", OPEN, content, CLOSE);
    becomes(text, wanted);
    free(text);
}

static inline void refused(const char *text, dp_status wanted, const char *words)
{
    scene s;
    const dp_status status = rig_parse(text, &s);
    if (status != wanted || strstr(rig_message, words) == NULL) {
        print_error("%.200s\ngave %s \"%s\"\n", text, dp_status_name(status), rig_message);
    }
    assert_int_equal(status, wanted);
    assert_non_null(strstr(rig_message, words));
}

#endif
