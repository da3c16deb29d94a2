/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A streaming pass with expat that says no before librsvg (and libxml2, and the picture loaders
 * behind it) see a byte.  It is stricter than librsvg, which has no base address here and would not
 * follow a reference anyway: two locks, and words for the sender.
 *
 * What is refused: DOCTYPE (entities), style sheets by instruction or @import, inclusion, xml:base,
 * any href but "#id" and embedded pictures, any url() but "#id", CSS escapes (they could hide an
 * url), and numbers of elements, levels, bytes or filter work beyond the limits.  Names are
 * compared by their local part, whatever prefix a document binds.
 *
 * Handlers run inside XML_Parse(); the first refusal stops the parser and stays in `status`.
 */
#include "render/svg_guard.h"

#include "dp_features.h"

#if DP_HAVE_LIBRSVG && DP_HAVE_EXPAT

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <expat.h>

#include "render/svg_data.h"

#define PIECE_BYTES ((size_t)64 << 10)

typedef struct guard {
    render_task *task;
    XML_Parser parser;
    dp_status status;
    unsigned elements, depth, filter_parts;
    unsigned style_depth; /* depth of the open <style>, 0 = none */
    uint64_t embedded_pixels;
    dp_buf *style; /* its text so far; NULL until the first <style> */
    size_t style_bytes;
} guard;

static void refuse(guard *g, dp_status status, const char *words)
{
    if (g->status == DP_OK) {
        g->status = task_fail(g->task, status, "%s", words);
        XML_StopParser(g->parser, XML_FALSE);
    }
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon == NULL ? name : colon + 1;
}

static bool begins(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

static const char *find_word(const char *text, const char *word)
{
    for (; *text != '\0'; text++) {
        if (begins(text, word)) {
            return text;
        }
    }
    return NULL;
}

/* Words for an address that leads out of the document. */
static const char *outside(const char *address)
{
    if (begins(address, "data:")) {
        return "svg embeds something that is not a png, jpeg, webp or gif picture in base64";
    }
    if (begins(address, "http:") || begins(address, "https:") || begins(address, "//") ||
        begins(address, "ftp:")) {
        return "svg refers to another site";
    }
    return "svg refers to a local file";
}

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n\f");
}

/* Every url( in a CSS value or sheet must lead to an element of this document. */
static void check_css(guard *g, const char *css)
{
    if (strchr(css, '\\') != NULL) {
        refuse(g, DP_ERR_FORMAT, "svg has escapes in its styles");
        return;
    }
    if (find_word(css, "@import") != NULL) {
        refuse(g, DP_ERR_FORMAT, "svg imports a style sheet");
        return;
    }
    for (const char *at = find_word(css, "url("); at != NULL; at = find_word(at, "url(")) {
        at = skip_space(at + 4);
        at = *at == '"' || *at == '\'' ? skip_space(at + 1) : at;
        if (*at != '#') {
            refuse(g, DP_ERR_FORMAT, outside(at));
            return;
        }
    }
}

static void check_href(guard *g, const char *address)
{
    address = skip_space(address);
    if (*address == '#' || *address == '\0') {
        return;
    }
    const char *base64 = svg_data_picture(address);
    if (base64 == NULL) {
        refuse(g, DP_ERR_FORMAT, outside(address));
        return;
    }
    uint64_t pixels = 0;
    dp_status status = svg_data_pixels(g->task, base64, &pixels);
    g->embedded_pixels += pixels;
    if (status == DP_OK && g->embedded_pixels > g->task->input_pixels_max) {
        status = task_fail(g->task, DP_ERR_TOO_LARGE, "svg embeds too many pixels");
    }
    if (status != DP_OK) {
        refuse(g, status, "svg embeds a picture that cannot be read");
    }
}

/* What one number of a filter may be; librsvg's work grows with it, some with its square. */
static const struct {
    const char *attribute;
    double max;
} filter_numbers[] = {
    {"x", SVG_FILTER_REGION_MAX},
    {"y", SVG_FILTER_REGION_MAX},
    {"width", SVG_FILTER_REGION_MAX},
    {"height", SVG_FILTER_REGION_MAX},
    {"stdDeviation", 500},
    {"radius", 20},
    {"numOctaves", 8},
    {"order", 15},
    {"dx", SVG_FILTER_REGION_MAX},
    {"dy", SVG_FILTER_REGION_MAX},
    {"scale", SVG_FILTER_REGION_MAX},
};

/* All numbers in a list of one or two must be within +-max; units and percent signs are not looked
 * at. */
static bool numbers_within(const char *text, double max)
{
    for (;;) {
        char *end;
        text += strcspn(text, "+-.0123456789");
        if (*text == '\0') {
            return true;
        }
        const double value = strtod(text, &end);
        if (!(value >= -max && value <= max)) {
            return false;
        }
        text = end == text ? text + 1 : end;
    }
}

static void check_filter_number(guard *g, const char *attribute, const char *value)
{
    for (size_t i = 0; i < sizeof filter_numbers / sizeof filter_numbers[0]; i++) {
        if (strcmp(attribute, filter_numbers[i].attribute) == 0 &&
            !numbers_within(value, filter_numbers[i].max)) {
            refuse(g, DP_ERR_FORMAT, "svg has a filter that would take too long");
        }
    }
}

static void check_attribute(guard *g, const char *name, const char *value, bool of_filter)
{
    const char *local = local_name(name);

    if (strcmp(name, "xml:base") == 0) {
        refuse(g, DP_ERR_FORMAT, "svg has an xml:base");
        return;
    }
    if (strcmp(local, "href") == 0) {
        check_href(g, value);
        return;
    }
    if (strlen(value) > SVG_ATTRIBUTE_BYTES_MAX) {
        refuse(g, DP_ERR_TOO_LARGE, "svg has an attribute of more than 256 KiB");
        return;
    }
    /* Attributes of editors (prefixed) are no CSS and may well hold a backslash. */
    if (local == name || find_word(value, "url(") != NULL) {
        check_css(g, value);
    }
    if (of_filter) {
        check_filter_number(g, local, value);
    }
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    guard *g = user;
    const char *local = local_name(name);
    const bool filter = strcmp(local, "filter") == 0 || strncmp(local, "fe", 2) == 0;

    g->depth++;
    if (++g->elements > SVG_ELEMENTS_MAX) {
        refuse(g, DP_ERR_TOO_LARGE, "svg has more than 20000 elements");
    } else if (g->depth > SVG_DEPTH_MAX) {
        refuse(g, DP_ERR_TOO_LARGE, "svg is nested more than 64 levels deep");
    } else if (g->style_depth != 0) {
        refuse(g, DP_ERR_FORMAT, "svg has elements inside a style");
    } else if (strcmp(local, "include") == 0) {
        refuse(g, DP_ERR_FORMAT, "svg includes another document");
    } else if (filter && ++g->filter_parts > SVG_FILTER_PARTS_MAX) {
        refuse(g, DP_ERR_TOO_LARGE, "svg has more than 100 filter parts");
    }
    for (size_t i = 0; attributes[i] != NULL && g->status == DP_OK; i += 2) {
        check_attribute(g, attributes[i], attributes[i + 1], filter);
    }
    if (strcmp(local, "style") == 0 && g->status == DP_OK) {
        g->style_depth = g->depth;
        g->style_bytes = 0;
    }
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    guard *g = user;
    (void)name;
    if (g->style_depth == g->depth) {
        g->style_depth = 0;
        if (g->style_bytes > 0) {
            ((char *)dp_buf_data(g->style))[g->style_bytes] = '\0';
            check_css(g, dp_buf_data(g->style));
        }
    }
    g->depth--;
}

/* Text comes in pieces of the parser's choosing; a style is looked at whole, when it ends. */
static void XMLCALL on_text(void *user, const XML_Char *text, int length)
{
    guard *g = user;
    if (g->style_depth == 0 || g->status != DP_OK) {
        return;
    }
    if (g->style == NULL) {
        const dp_request request = {.size_bytes = SVG_STYLE_BYTES_MAX + 1, .need = DP_NEED_HOST};
        const dp_status status = dp_get(g->task->pool, &request, &g->style);
        if (status != DP_OK) {
            refuse(g, status, "no memory to read the svg's styles");
            return;
        }
    }
    if ((size_t)length > SVG_STYLE_BYTES_MAX - g->style_bytes) {
        refuse(g, DP_ERR_TOO_LARGE, "svg has a style of more than 64 KiB");
        return;
    }
    memcpy((char *)dp_buf_data(g->style) + g->style_bytes, text, (size_t)length);
    g->style_bytes += (size_t)length;
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    refuse(user, DP_ERR_FORMAT, "svg has a DOCTYPE, which is not taken; remove it");
}

static void XMLCALL on_instruction(void *user, const XML_Char *target, const XML_Char *data)
{
    (void)data;
    if (begins(target, "xml-stylesheet")) {
        refuse(user, DP_ERR_FORMAT, "svg refers to a style sheet");
    }
}

static void parse(guard *g, media_bytes bytes)
{
    size_t at = 0;

    while (g->status == DP_OK && at < bytes.size_bytes) {
        const size_t left = bytes.size_bytes - at;
        const size_t length = left < PIECE_BYTES ? left : PIECE_BYTES;
        const int last = length == left;
        g->status = task_check_time(g->task);
        if (g->status == DP_OK &&
            XML_Parse(g->parser, (const char *)bytes.data + at, (int)length, last) ==
                XML_STATUS_ERROR &&
            g->status == DP_OK) {
            g->status = task_fail(g->task, DP_ERR_FORMAT, "svg, line %lu: %s",
                                  (unsigned long)XML_GetCurrentLineNumber(g->parser),
                                  XML_ErrorString(XML_GetErrorCode(g->parser)));
        }
        at += length;
    }
}

dp_status svg_guard_check(render_task *task, media_bytes bytes)
{
    guard g = {.task = task, .parser = XML_ParserCreate(NULL), .status = DP_OK};
    if (g.parser == NULL) {
        return task_fail(task, DP_ERR_NOMEM, "no memory to read the svg");
    }
    XML_SetUserData(g.parser, &g);
    XML_SetElementHandler(g.parser, on_start, on_end);
    XML_SetCharacterDataHandler(g.parser, on_text);
    XML_SetStartDoctypeDeclHandler(g.parser, on_doctype);
    XML_SetProcessingInstructionHandler(g.parser, on_instruction);
    parse(&g, bytes);
    XML_ParserFree(g.parser);
    dp_put(g.style);
    return g.status;
}

#else

dp_status svg_guard_check(render_task *task, media_bytes bytes)
{
    (void)bytes;
    return task_fail(task, DP_ERR_UNSUPPORTED, "this build cannot read svg");
}

#endif
