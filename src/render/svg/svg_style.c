/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table row a property: how its value is read and where it is kept.  Cascade (CSS 2.1, section
 * 6.4): presentation attributes, rules by specificity, the style attribute, then the important ones
 * of rules and style again.  A value that cannot be read changes nothing.
 */
#include "render/svg/svg_style.h"

#include <string.h>
#include <strings.h>

#include "render/svg/svg_address.h"
#include "render/svg/svg_colour.h"
#include "render/svg/svg_limits.h"

const svg_style svg_style_initial = {
    .fill = {.kind = SVG_PAINT_COLOUR, .colour = SVG_BLACK},
    .colour = {.colour = SVG_BLACK},
    .fill_opacity = 1,
    .stroke_opacity = 1,
    .stroke_width = {1, SVG_UNIT_PX},
    .font_size = {16, SVG_UNIT_PX},
    .miter_limit = 4,
    .linear_filters = 1,
    .own = {.opacity = 1,
            .stop_colour = {.colour = SVG_BLACK},
            .stop_opacity = 1,
            .flood_colour = {.colour = SVG_BLACK},
            .flood_opacity = 1},
};

/* What one style costs in the budget, long values aside. */
#define STEPS_PER_STYLE       16u
#define STEPS_PER_DECLARATION 4u

typedef struct keyword {
    char name[20];
    uint8_t value;
} keyword;

static const keyword cap_words[] = {
    {"butt", SCENE_CAP_BUTT}, {"round", SCENE_CAP_ROUND}, {"square", SCENE_CAP_SQUARE}, {"", 0}};
static const keyword join_words[] = {{"miter", SCENE_JOIN_MITER}, {"round", SCENE_JOIN_ROUND},
                                     {"bevel", SCENE_JOIN_BEVEL}, {"miter-clip", SCENE_JOIN_MITER},
                                     {"arcs", SCENE_JOIN_MITER},  {"", 0}};
static const keyword rule_words[] = {
    {"nonzero", SCENE_NON_ZERO}, {"evenodd", SCENE_EVEN_ODD}, {"", 0}};
static const keyword visibility_words[] = {{"visible", 0}, {"hidden", 1}, {"collapse", 1}, {"", 0}};
/* Every other value of display shows the element. */
static const keyword overflow_words[] = {{"visible", 1}, {"auto", 1}, {"hidden", 0},
                                         {"scroll", 0},  {"clip", 0}, {"", 0}};
static const keyword space_words[] = {{"linearRGB", 1}, {"sRGB", 0}, {"auto", 0}, {"", 0}};
static const keyword isolation_words[] = {{"auto", 0}, {"isolate", 1}, {"", 0}};
static const keyword mask_type_words[] = {{"luminance", 0}, {"alpha", 1}, {"", 0}};
static const keyword effect_words[] = {{"none", 0}, {"non-scaling-stroke", 1}, {"", 0}};
static const keyword blend_words[] = {{"normal", SCENE_BLEND_NORMAL},
                                      {"multiply", SCENE_BLEND_MULTIPLY},
                                      {"screen", SCENE_BLEND_SCREEN},
                                      {"darken", SCENE_BLEND_DARKEN},
                                      {"lighten", SCENE_BLEND_LIGHTEN},
                                      {"overlay", SCENE_BLEND_OVERLAY},
                                      {"color-dodge", SCENE_BLEND_COLOR_DODGE},
                                      {"color-burn", SCENE_BLEND_COLOR_BURN},
                                      {"hard-light", SCENE_BLEND_HARD_LIGHT},
                                      {"soft-light", SCENE_BLEND_SOFT_LIGHT},
                                      {"difference", SCENE_BLEND_DIFFERENCE},
                                      {"exclusion", SCENE_BLEND_EXCLUSION},
                                      {"hue", SCENE_BLEND_COUNT},
                                      {"saturation", SCENE_BLEND_COUNT},
                                      {"color", SCENE_BLEND_COUNT},
                                      {"luminosity", SCENE_BLEND_COUNT},
                                      {"", 0}};

typedef enum reader {
    READ_NOTHING,
    READ_PAINT,
    READ_TINT,
    READ_SHARE, /* float of 0 .. 1 */
    READ_LENGTH,
    READ_MITER,
    READ_WORD,
    READ_TEXT, /* looked at when it is needed; "none" is NULL */
    READ_DISPLAY,
    READ_ORDER,
    READ_FONT_SIZE,
} reader;

typedef struct property {
    uint8_t reader;
    uint16_t offset, size;
    const keyword *words;
} property;

#define ROW(name, how, field, list)                                                                \
    [SVG_AT_##name - SVG_PROPERTY_FIRST] = {how, offsetof(svg_style, field),                       \
                                            sizeof(((svg_style *)0)->field), list}

static const property properties[SVG_AT_COUNT - SVG_PROPERTY_FIRST] = {
    ROW(CLIP_PATH, READ_TEXT, own.clip_path, NULL),
    ROW(CLIP_RULE, READ_WORD, clip_rule, rule_words),
    ROW(COLOR, READ_TINT, colour, NULL),
    ROW(COLOR_INTERPOLATION_FILTERS, READ_WORD, linear_filters, space_words),
    ROW(DISPLAY, READ_DISPLAY, own.display_none, NULL),
    ROW(FILL, READ_PAINT, fill, NULL),
    ROW(FILL_OPACITY, READ_SHARE, fill_opacity, NULL),
    ROW(FILL_RULE, READ_WORD, fill_rule, rule_words),
    ROW(FILTER, READ_TEXT, own.filter, NULL),
    ROW(FLOOD_COLOR, READ_TINT, own.flood_colour, NULL),
    ROW(FLOOD_OPACITY, READ_SHARE, own.flood_opacity, NULL),
    ROW(FONT_SIZE, READ_FONT_SIZE, font_size, NULL),
    ROW(ISOLATION, READ_WORD, own.isolate, isolation_words),
    ROW(MARKER_END, READ_TEXT, marker_end, NULL),
    ROW(MARKER_MID, READ_TEXT, marker_mid, NULL),
    ROW(MARKER_START, READ_TEXT, marker_start, NULL),
    ROW(MASK, READ_TEXT, own.mask, NULL),
    ROW(MASK_TYPE, READ_WORD, own.alpha_mask, mask_type_words),
    ROW(MIX_BLEND_MODE, READ_WORD, own.blend, blend_words),
    ROW(OPACITY, READ_SHARE, own.opacity, NULL),
    ROW(OVERFLOW, READ_WORD, own.overflow_visible, overflow_words),
    ROW(PAINT_ORDER, READ_ORDER, stroke_first, NULL),
    ROW(STOP_COLOR, READ_TINT, own.stop_colour, NULL),
    ROW(STOP_OPACITY, READ_SHARE, own.stop_opacity, NULL),
    ROW(STROKE, READ_PAINT, stroke, NULL),
    ROW(STROKE_DASHARRAY, READ_TEXT, dashes, NULL),
    ROW(STROKE_DASHOFFSET, READ_LENGTH, dash_offset, NULL),
    ROW(STROKE_LINECAP, READ_WORD, cap, cap_words),
    ROW(STROKE_LINEJOIN, READ_WORD, join, join_words),
    ROW(STROKE_MITERLIMIT, READ_MITER, miter_limit, NULL),
    ROW(STROKE_OPACITY, READ_SHARE, stroke_opacity, NULL),
    ROW(STROKE_WIDTH, READ_LENGTH, stroke_width, NULL),
    ROW(TRANSFORM, READ_TEXT, own.transform, NULL),
    ROW(TRANSFORM_ORIGIN, READ_TEXT, own.transform_origin, NULL),
    ROW(VECTOR_EFFECT, READ_WORD, own.fixed_stroke, effect_words),
    ROW(VISIBILITY, READ_WORD, hidden, visibility_words),
};

/* The value, spaces around it aside, is that word. */
static bool is_word(const char *value, const char *word)
{
    const size_t length = strlen(word);
    value = svg_skip_space(value);
    return strncmp(value, word, length) == 0 && *svg_skip_space(value + length) == '\0';
}

static bool read_tint(const char *value, svg_tint *out)
{
    value = svg_skip_space(value);
    if (strncasecmp(value, "currentcolor", 12) == 0) {
        *out = (svg_tint){.current = 1};
        return true;
    }
    scene_rgba colour;
    if (!svg_read_colour(&value, &colour)) {
        return false;
    }
    *out = (svg_tint){.colour = colour};
    return true;
}

static bool read_plain_paint(const char *value, uint8_t *kind, scene_rgba *colour)
{
    if (strncmp(value, "none", 4) == 0) {
        *kind = SVG_PAINT_NONE;
        return true;
    }
    if (strncasecmp(value, "currentcolor", 12) == 0) {
        *kind = SVG_PAINT_CURRENT;
        return true;
    }
    if (svg_read_colour(&value, colour)) {
        *kind = SVG_PAINT_COLOUR;
        return true;
    }
    return false;
}

static bool read_paint(const char *value, svg_paint *out)
{
    svg_paint paint = {0};
    value = svg_skip_space(value);
    if (strncasecmp(value, "url(", 4) == 0) {
        paint.kind = SVG_PAINT_SERVER;
        paint.server = value;
        const char *behind = strchr(value, ')');
        if (behind != NULL) {
            /* What cannot be read is no fallback. */
            (void)read_plain_paint(svg_skip_space(behind + 1), &paint.fallback, &paint.colour);
        }
    } else if (!read_plain_paint(value, &paint.kind, &paint.colour)) {
        return false;
    }
    *out = paint;
    return true;
}

static bool read_word(const char *value, const keyword *words, uint8_t *out)
{
    value = svg_skip_space(value);
    for (; words->name[0] != '\0'; words++) {
        if (is_word(value, words->name)) {
            *out = words->value;
            return true;
        }
    }
    return false;
}

static bool read_text(const char *value, const char **out)
{
    value = svg_skip_space(value);
    *out = *value == '\0' || is_word(value, "none") ? NULL : value;
    return true;
}

/* Only whether the stroke comes before the fill matters: "stroke", "markers stroke", ... */
static bool read_order(const char *value, uint8_t *out)
{
    const char *stroke = strstr(value, "stroke"), *fill = strstr(value, "fill");
    *out = stroke != NULL && (fill == NULL || stroke < fill);
    return true;
}

static bool read_miter(const char *value, float *out)
{
    svg_length length;
    if (!svg_parse_length(value, &length) || length.unit != SVG_UNIT_PX || length.value < 1) {
        return false;
    }
    *out = length.value < SCENE_COORDINATE_MAX ? length.value : SCENE_COORDINATE_MAX;
    return true;
}

static bool read_font_size(const char *value, const svg_style *parent, svg_length *out)
{
    svg_length length;
    const float inherited = parent->font_size.value;
    if (!svg_parse_length(value, &length) || length.value < 0) {
        return false;
    }
    switch (length.unit) {
    case SVG_UNIT_PERCENT:
        length.value *= inherited / 100;
        break;
    case SVG_UNIT_EM:
        length.value *= inherited;
        break;
    case SVG_UNIT_EX:
        length.value *= inherited / 2;
        break;
    default:
        break;
    }
    *out = (svg_length){length.value < SCENE_COORDINATE_MAX ? length.value : SCENE_COORDINATE_MAX,
                        SVG_UNIT_PX};
    return true;
}

static void read_value(const property *p, const char *value, const svg_style *parent, void *field)
{
    switch ((reader)p->reader) {
    case READ_NOTHING:
        break;
    case READ_PAINT:
        (void)read_paint(value, field);
        break;
    case READ_TINT:
        (void)read_tint(value, field);
        break;
    case READ_SHARE:
        (void)svg_parse_share(value, field);
        break;
    case READ_LENGTH:
        (void)svg_parse_length(value, field);
        break;
    case READ_MITER:
        (void)read_miter(value, field);
        break;
    case READ_WORD:
        (void)read_word(value, p->words, field);
        break;
    case READ_TEXT:
        (void)read_text(value, field);
        break;
    case READ_DISPLAY:
        *(uint8_t *)field = is_word(value, "none");
        break;
    case READ_ORDER:
        (void)read_order(value, field);
        break;
    case READ_FONT_SIZE:
        (void)read_font_size(value, parent, field);
        break;
    }
}

static void apply(svg_style *style, const svg_style *parent, uint32_t name, const char *value)
{
    if (name == SVG_AT_MARKER) {
        apply(style, parent, SVG_AT_MARKER_START, value);
        apply(style, parent, SVG_AT_MARKER_MID, value);
        apply(style, parent, SVG_AT_MARKER_END, value);
        return;
    }
    const property *p = &properties[name - SVG_PROPERTY_FIRST];
    char *field = (char *)style + p->offset;
    if (*value == 'i' || *value == 'u') {
        const bool unset = is_word(value, "unset");
        const bool own = p->offset >= offsetof(svg_style, own);
        if (is_word(value, "inherit") || (unset && !own)) {
            memcpy(field, (const char *)parent + p->offset, p->size);
            return;
        }
        if (unset || is_word(value, "initial")) {
            memcpy(field, (const char *)&svg_style_initial + p->offset, p->size);
            return;
        }
    }
    read_value(p, value, parent, field);
}

static void apply_rules(svg_job *job, svg_style *style, const svg_style *parent,
                        const svg_rule *const *rules, bool important)
{
    for (; *rules != NULL && svg_spend(job, (*rules)->cost); rules++) {
        for (uint32_t i = 0; i < (*rules)->declaration_count; i++) {
            const svg_declaration *d = &(*rules)->declarations[i];
            if (d->important == important) {
                apply(style, parent, d->name, d->value);
            }
        }
    }
}

/* Returns whether some of them are important. */
static bool apply_declarations(svg_style *style, const svg_style *parent,
                               const svg_element *element, bool important)
{
    bool others = false;
    for (uint32_t i = 0; i < element->declaration_count; i++) {
        const svg_declaration *d = &element->declarations[i];
        if (d->important == important) {
            apply(style, parent, d->name, d->value);
        }
        others = others || d->important;
    }
    return others;
}

static void cut_declarations(const svg_cascade *cascade, svg_element *element)
{
    element->has_declarations = true;
    for (size_t i = 0; i < element->attribute_count; i++) {
        const svg_attribute *a = &element->attributes[i];
        if (a->name == SVG_AT_STYLE) {
            uint32_t count;
            element->declarations =
                svg_css_declarations(cascade->job, cascade->names, a->value, a->length, &count);
            element->declaration_count = (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX);
        }
    }
}

void svg_style_make(const svg_cascade *cascade, svg_element *element, const svg_style *parent,
                    svg_style *out)
{
    memcpy(out, parent, offsetof(svg_style, own));
    out->own = svg_style_initial.own;
    if (!element->has_declarations) {
        cut_declarations(cascade, element);
    }
    if (!svg_spend(cascade->job, STEPS_PER_STYLE + element->cost +
                                     STEPS_PER_DECLARATION * element->declaration_count)) {
        return;
    }
    for (size_t i = 0; i < element->attribute_count; i++) {
        const svg_attribute *a = &element->attributes[i];
        if (a->name >= SVG_PROPERTY_FIRST) {
            apply(out, parent, a->name, svg_skip_space(a->value));
        }
    }
    const svg_rule *const *rules = NULL;
    if (cascade->sheet->rule_count > 0) {
        rules = svg_css_rules(cascade->job, cascade->sheet, element);
    }
    if (rules != NULL) {
        apply_rules(cascade->job, out, parent, rules, false);
    }
    const bool important = apply_declarations(out, parent, element, false);
    if (rules != NULL && cascade->sheet->has_important) {
        apply_rules(cascade->job, out, parent, rules, true);
    }
    if (important) {
        (void)apply_declarations(out, parent, element, true);
    }
    if (out->colour.current) {
        out->colour = parent->colour;
    }
}

void svg_style_in_place(const svg_cascade *cascade, svg_element *element, svg_style *out)
{
    svg_element *chain[SVG_DEPTH_MAX + 1];
    svg_style parent = svg_style_initial;
    size_t count = 0;
    for (svg_element *e = element; e != NULL && count <= SVG_DEPTH_MAX; e = e->parent) {
        chain[count++] = e;
    }
    *out = parent;
    while (count-- > 0 && cascade->job->status == DP_OK) {
        svg_style_make(cascade, chain[count], &parent, out);
        parent = *out;
    }
}

scene_rgba svg_tint_resolve(svg_tint tint, const svg_style *style)
{
    return tint.current ? style->colour.colour : tint.colour;
}
