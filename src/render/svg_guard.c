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

#include "render/svg/svg_address.h"
#include "render/svg_data.h"
#include "render/svg_refs.h"

#define PIECE_BYTES ((size_t)64 << 10)

typedef struct guard {
    render_task *task;
    XML_Parser parser;
    dp_status status;
    unsigned elements, depth, filter_parts;
    unsigned style_depth; /* depth of the open <style>, 0 = none */
    uint64_t embedded_pixels;
    svg_refs *refs;
    uint32_t times;    /* how often a reference in the attribute at hand is followed */
    uint32_t vertices; /* about how many the element at hand has */
    dp_buf *style;     /* its text so far; NULL until the first <style> */
    size_t style_bytes;
} guard;

/* A path has at most one vertex in three bytes ("1 1" behind an implied command, with its gap). */
#define BYTES_PER_VERTEX 3u

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

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n\f");
}

static void refer(guard *g, const char *id, size_t length)
{
    const dp_status status = svg_refs_add(g->refs, id, length, g->times);
    if (status != DP_OK) {
        refuse(g, status, "svg has too many references");
    }
}

/* Every url( in a CSS value or sheet must lead to an element of this document. */
static void check_css(guard *g, const char *css)
{
    const char *words = svg_css_refusal(css);
    size_t length;
    if (words != NULL) {
        refuse(g, DP_ERR_FORMAT, words);
        return;
    }
    for (css = svg_css_next_id(css, &length); css != NULL; css = svg_css_next_id(css, &length)) {
        refer(g, css, length);
    }
}

static void check_href(guard *g, const char *address)
{
    address = skip_space(address);
    if (*address == '#') {
        refer(g, address + 1, strcspn(address + 1, " \t\r\n\f"));
        return;
    }
    if (*address == '\0') {
        return;
    }
    const char *base64 = svg_data_picture(address);
    if (base64 == NULL) {
        refuse(g, DP_ERR_FORMAT, svg_address_outside(address));
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

/* A marker is drawn at each vertex: of its own element, or of all that may inherit it. */
static uint32_t times_of(const guard *g, const char *attribute, const char *value)
{
    if (strncmp(attribute, "marker", 6) != 0 &&
        (strcmp(attribute, "style") != 0 || svg_find_word(value, "marker") == NULL)) {
        return 1;
    }
    return g->vertices > 0 ? g->vertices : SVG_TIMES_VERTICES;
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
    if (local == name || svg_find_word(value, "url(") != NULL) {
        g->times = times_of(g, local, value);
        check_css(g, value);
        g->times = 1;
    }
    if (of_filter) {
        check_filter_number(g, local, value);
    }
}

static void check_place(guard *g, const char *local, bool filter)
{
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
}

static uint32_t cost_of(const char *local)
{
    if (strcmp(local, "linearGradient") == 0 || strcmp(local, "radialGradient") == 0) {
        return SVG_COST_GRADIENT;
    }
    return strcmp(local, "filter") == 0 ? SVG_COST_FILTER : SVG_COST_SHAPE;
}

/* Tells the counter of references about the element; its attributes follow. */
static void enter(guard *g, const char *local, const XML_Char **attributes)
{
    const char *id = NULL;
    g->vertices = 0;
    for (size_t i = 0; attributes[i] != NULL; i += 2) {
        if (strcmp(attributes[i], "id") == 0) {
            id = attributes[i + 1];
        } else if (strcmp(attributes[i], "d") == 0 || strcmp(attributes[i], "points") == 0) {
            g->vertices = (uint32_t)(strlen(attributes[i + 1]) / BYTES_PER_VERTEX) + 1;
        }
    }
    const dp_status status = svg_refs_enter(g->refs, id, cost_of(local));
    if (status != DP_OK) {
        refuse(g, status, "svg has too many ids");
    }
    svg_refs_vertices(g->refs, g->vertices == 0 ? 2 : g->vertices);
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    guard *g = user;
    const char *local = local_name(name);
    const bool filter = strcmp(local, "filter") == 0 || strncmp(local, "fe", 2) == 0;

    g->depth++;
    check_place(g, local, filter);
    if (g->status != DP_OK) {
        return;
    }
    enter(g, local, attributes);
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
    if (g->status != DP_OK) {
        return; /* a stopped parser may still end the element that it stopped in */
    }
    if (g->style_depth == g->depth) {
        g->style_depth = 0;
        if (g->style_bytes > 0) {
            ((char *)dp_buf_data(g->style))[g->style_bytes] = '\0';
            const bool markers = svg_find_word(dp_buf_data(g->style), "marker") != NULL;
            g->times = markers ? SVG_TIMES_VERTICES : SVG_TIMES_ELEMENTS;
            check_css(g, dp_buf_data(g->style));
            g->times = 1;
        }
    }
    svg_refs_leave(g->refs);
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
        const dp_status status = task_get(g->task, &request, &g->style);
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

/* After a document that passed: what its references make of it. */
static void check_expanded(guard *g)
{
    if (g->status == DP_OK && svg_refs_expanded(g->refs, SVG_EXPANDED_MAX) > SVG_EXPANDED_MAX) {
        g->status = task_fail(g->task, DP_ERR_TOO_LARGE,
                              "svg draws more than %u elements once its references are followed",
                              SVG_EXPANDED_MAX);
    }
}

dp_status svg_guard_check(render_task *task, media_bytes bytes)
{
    guard g = {.task = task, .status = DP_OK, .times = 1};
    dp_status status = svg_refs_create(task, &g.refs);
    if (status != DP_OK) {
        return status;
    }
    g.parser = XML_ParserCreate(NULL);
    if (g.parser == NULL) {
        svg_refs_destroy(g.refs);
        return task_fail(task, DP_ERR_NOMEM, "no memory to read the svg");
    }
    XML_SetUserData(g.parser, &g);
    XML_SetElementHandler(g.parser, on_start, on_end);
    XML_SetCharacterDataHandler(g.parser, on_text);
    XML_SetStartDoctypeDeclHandler(g.parser, on_doctype);
    XML_SetProcessingInstructionHandler(g.parser, on_instruction);
    parse(&g, bytes);
    check_expanded(&g);
    XML_ParserFree(g.parser);
    svg_refs_destroy(g.refs);
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
