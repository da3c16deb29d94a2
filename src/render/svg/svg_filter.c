/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters: what drawing programs write for shadows and blurs, as a flat list of parts (Filter
 * Effects 1, chapters 9 and 15).  Primitives that a scene lacks make the document another engine's.
 */
#include <math.h>
#include <string.h>

#include "pool/os.h"
#include "render/svg/svg_colour.h"
#include "render/svg/svg_compile.h"
#include "render/svg/svg_shape.h"

/* A drop shadow is five parts. */
#define PARTS_PER_PRIMITIVE 5u
/* Blurs that reach further are not seen as such, and take long. */
#define DEVIATION_MAX 500.0
/* Parts of all filters of a scene together. */
#define PARTS_OF_SCENE_MAX 4000u

typedef struct filter_maker {
    svg_compiler *c;
    const svg_frame *f;
    svg_metrics metrics; /* of the primitives' regions */
    svg_box box;         /* of the filtered element */
    bool of_box;         /* primitiveUnits */
    svg_box region;
    svg_style style; /* of the primitive at hand */
    svg_box part_region;
    svg_element *primitive;
    const char *results[SCENE_PARTS_MAX]; /* names, NULL = none */
    scene_filter_part parts[SCENE_PARTS_MAX];
    uint32_t count;
} filter_maker;

static float cut(double value, double max)
{
    return (float)(value < max ? (value > -max ? value : -max) : max);
}

static scene_box pack_box(const svg_box *box)
{
    const double max = (double)SCENE_COORDINATE_MAX;
    return (scene_box){cut(box->x0, max), cut(box->y0, max), cut(box->x1, max), cut(box->y1, max)};
}

static const char *text_of(const filter_maker *m, svg_attribute_name name)
{
    return svg_attribute_get(m->primitive, name);
}

static double number_of(const filter_maker *m, svg_attribute_name name, double otherwise)
{
    const char *text = text_of(m, name);
    double value;
    if (text == NULL || !svg_read_numbers(&text, &value, 1)) {
        return otherwise;
    }
    return value;
}

/* The last part's result, or what is filtered where there is none yet. */
static uint32_t last_result(const filter_maker *m)
{
    return m->count == 0 ? SCENE_IN_GRAPHIC : m->count - 1;
}

static uint32_t input_named(filter_maker *m, const char *name)
{
    static const char *const beyond[] = {"BackgroundImage", "BackgroundAlpha", "FillPaint",
                                         "StrokePaint"};
    if (name == NULL || *name == '\0') {
        return last_result(m);
    }
    if (strcmp(name, "SourceGraphic") == 0) {
        return SCENE_IN_GRAPHIC;
    }
    if (strcmp(name, "SourceAlpha") == 0) {
        return SCENE_IN_ALPHA;
    }
    for (uint32_t i = m->count; i-- > 0;) {
        if (m->results[i] != NULL && strcmp(m->results[i], name) == 0) {
            return i;
        }
    }
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        if (strcmp(name, beyond[i]) == 0) {
            svg_unsupported(m->c, "a filter of its background");
        }
    }
    return last_result(m);
}

static scene_filter_part *add_part(filter_maker *m, scene_filter_op op, uint32_t input,
                                   uint32_t other)
{
    DP_ASSERT(m->count < SCENE_PARTS_MAX);
    scene_filter_part *part = &m->parts[m->count];
    m->results[m->count++] = NULL;
    *part = (scene_filter_part){.op = op,
                                .input = input,
                                .other = other,
                                .linear = m->style.linear_filters,
                                .region = pack_box(&m->part_region)};
    return part;
}

static uint32_t input_of(filter_maker *m)
{
    return input_named(m, text_of(m, SVG_AT_IN));
}

/* A length of the primitive in local units. */
static double scaled(const filter_maker *m, double value, svg_axis axis)
{
    const double side = axis == SVG_AXIS_X ? m->box.x1 - m->box.x0 : m->box.y1 - m->box.y0;
    return m->of_box ? value * side : value;
}

static void set_pair(filter_maker *m, scene_filter_part *part, double x, double y)
{
    part->values[0] = cut(scaled(m, x, SVG_AXIS_X), (double)SCENE_COORDINATE_MAX);
    part->values[1] = cut(scaled(m, y, SVG_AXIS_Y), (double)SCENE_COORDINATE_MAX);
}

static scene_rgba flood_colour(const filter_maker *m)
{
    return svg_colour_fade(svg_tint_resolve(m->style.own.flood_colour, &m->style),
                           m->style.own.flood_opacity);
}

/* One or two numbers; a single one is for both axes. */
static void add_blur(filter_maker *m, uint32_t input, double otherwise)
{
    const char *text = text_of(m, SVG_AT_STD_DEVIATION);
    double v[2] = {otherwise, otherwise};
    if (text != NULL) {
        const char *p = text;
        if (!svg_read_numbers(&p, v, 2)) {
            p = text;
            v[0] = svg_read_numbers(&p, v, 1) ? v[0] : otherwise;
            v[1] = v[0];
        }
    }
    if (v[0] > DEVIATION_MAX || v[1] > DEVIATION_MAX) {
        svg_fail(m->c->job, DP_ERR_FORMAT, "svg has a filter that would take too long");
        return;
    }
    /* A negative deviation is in error; browsers leave the picture as it is. */
    const bool negative = v[0] < 0 || v[1] < 0;
    scene_filter_part *part = add_part(m, SCENE_FE_BLUR, input, SCENE_NONE);
    set_pair(m, part, negative ? 0 : v[0], negative ? 0 : v[1]);
}

static void make_drop_shadow(filter_maker *m)
{
    const uint32_t input = input_of(m);
    add_blur(m, input, 2);
    if (m->c->job->status != DP_OK) {
        return;
    }
    scene_filter_part *part = add_part(m, SCENE_FE_OFFSET, m->count - 1, SCENE_NONE);
    set_pair(m, part, number_of(m, SVG_AT_DX, 2), number_of(m, SVG_AT_DY, 2));
    part = add_part(m, SCENE_FE_FLOOD, SCENE_NONE, SCENE_NONE);
    part->colour = flood_colour(m);
    part = add_part(m, SCENE_FE_COMPOSITE, m->count - 1, m->count - 2);
    part->mode = SCENE_COMPOSITE_IN;
    (void)add_part(m, SCENE_FE_MERGE, m->count - 1, input);
}

static const float identity_matrix[20] = {1, 0, 0, 0, 0, 0, 1, 0, 0, 0,
                                          0, 0, 1, 0, 0, 0, 0, 0, 1, 0};

/* Filter Effects 1, section 9.6. */
static void saturate(float s, float out[20])
{
    static const float grey[3] = {0.213f, 0.715f, 0.072f};
    for (int row = 0; row < 3; row++) {
        for (int column = 0; column < 3; column++) {
            const float one = row == column ? 1.0f : 0.0f;
            out[5 * row + column] = grey[column] + s * (one - grey[column]);
        }
    }
}

static void rotate_hue(double degrees, float out[20])
{
    static const double base[9] = {.213, .715, .072, .213, .715, .072, .213, .715, .072};
    static const double of_cos[9] = {.787, -.715, -.072, -.213, .285, -.072, -.213, -.715, .928};
    static const double of_sin[9] = {-.213, -.715, .928, .143, .140, -.283, -.787, .715, .072};
    const double angle = fmod(degrees, 360) * 3.14159265358979323846 / 180;
    for (int i = 0; i < 9; i++) {
        out[5 * (i / 3) + i % 3] =
            (float)(base[i] + cos(angle) * of_cos[i] + sin(angle) * of_sin[i]);
    }
}

static void make_color_matrix(filter_maker *m)
{
    const char *type = text_of(m, SVG_AT_TYPE), *values = text_of(m, SVG_AT_VALUES);
    double v[20];
    scene_filter_part *part = add_part(m, SCENE_FE_COLOR_MATRIX, input_of(m), SCENE_NONE);
    memcpy(part->values, identity_matrix, sizeof identity_matrix);
    if (type == NULL || strcmp(type, "matrix") == 0) {
        if (values != NULL && svg_read_numbers(&values, v, 20) && *values == '\0') {
            for (int i = 0; i < 20; i++) {
                part->values[i] = cut(v[i], (double)SCENE_COORDINATE_MAX);
            }
        }
    } else if (strcmp(type, "luminanceToAlpha") == 0) {
        static const float light[3] = {0.2125f, 0.7154f, 0.0721f};
        memset(part->values, 0, sizeof part->values);
        memcpy(part->values + 15, light, sizeof light);
    } else if (values != NULL && svg_read_numbers(&values, v, 1)) {
        if (strcmp(type, "saturate") == 0) {
            saturate(cut(v[0] < 0 ? 0 : v[0], (double)SCENE_COORDINATE_MAX), part->values);
        } else if (strcmp(type, "hueRotate") == 0) {
            rotate_hue(v[0], part->values);
        }
    }
}

/* One channel's function as slope and intercept; false when it is none of that form. */
static bool read_function(const svg_element *e, double out[2])
{
    const char *type = svg_attribute_get(e, SVG_AT_TYPE);
    const char *text;
    out[0] = 1;
    out[1] = 0;
    if (type == NULL || strcmp(type, "identity") == 0) {
        return true;
    }
    if (strcmp(type, "linear") == 0) {
        text = svg_attribute_get(e, SVG_AT_SLOPE);
        (void)(text != NULL && svg_read_numbers(&text, &out[0], 1));
        text = svg_attribute_get(e, SVG_AT_INTERCEPT);
        (void)(text != NULL && svg_read_numbers(&text, &out[1], 1));
        return true;
    }
    double v[2];
    text = svg_attribute_get(e, SVG_AT_TABLE_VALUES);
    if (strcmp(type, "table") != 0 || text == NULL || !svg_read_numbers(&text, v, 2) ||
        *text != '\0') {
        return false;
    }
    out[0] = v[1] - v[0];
    out[1] = v[0];
    return true;
}

/* Straight functions are a matrix, too; curved ones are another engine's. */
static void make_component_transfer(filter_maker *m)
{
    scene_filter_part *part = add_part(m, SCENE_FE_COLOR_MATRIX, input_of(m), SCENE_NONE);
    memcpy(part->values, identity_matrix, sizeof identity_matrix);
    for (const svg_element *e = m->primitive->first; e != NULL; e = e->next) {
        double line[2];
        const int row = e->kind == SVG_EL_FE_FUNC_R   ? 0
                        : e->kind == SVG_EL_FE_FUNC_G ? 1
                        : e->kind == SVG_EL_FE_FUNC_B ? 2
                        : e->kind == SVG_EL_FE_FUNC_A ? 3
                                                      : -1;
        if (row < 0) {
            continue;
        }
        if (!read_function(e, line)) {
            svg_unsupported(m->c, "a filter that is not drawn here");
            return;
        }
        part->values[6 * row] = cut(line[0], (double)SCENE_COORDINATE_MAX);
        part->values[5 * row + 4] = cut(line[1], (double)SCENE_COORDINATE_MAX);
    }
}

static void make_composite(filter_maker *m)
{
    static const char *const names[SCENE_COMPOSITE_COUNT] = {"over", "in",  "out",
                                                             "atop", "xor", "arithmetic"};
    const char *name = text_of(m, SVG_AT_OPERATOR);
    const uint32_t input = input_of(m);
    scene_filter_part *part =
        add_part(m, SCENE_FE_COMPOSITE, input, input_named(m, text_of(m, SVG_AT_IN2)));
    for (uint32_t i = 0; name != NULL && i < SCENE_COMPOSITE_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            part->mode = i;
        }
    }
    if (name != NULL && strcmp(name, "lighter") == 0) {
        svg_unsupported(m->c, "a filter that is not drawn here");
    }
    if (part->mode == SCENE_COMPOSITE_ARITHMETIC) {
        static const svg_attribute_name factors[4] = {SVG_AT_K1, SVG_AT_K2, SVG_AT_K3, SVG_AT_K4};
        for (int i = 0; i < 4; i++) {
            part->values[i] = cut(number_of(m, factors[i], 0), (double)SCENE_COORDINATE_MAX);
        }
    }
}

static void make_blend(filter_maker *m)
{
    static const char *const names[SCENE_BLEND_COUNT] = {
        "normal",      "multiply",   "screen",     "darken",     "lighten",    "overlay",
        "color-dodge", "color-burn", "hard-light", "soft-light", "difference", "exclusion"};
    const char *name = text_of(m, SVG_AT_MODE);
    const uint32_t input = input_of(m);
    scene_filter_part *part =
        add_part(m, SCENE_FE_BLEND, input, input_named(m, text_of(m, SVG_AT_IN2)));
    uint32_t mode = name == NULL ? SCENE_BLEND_NORMAL : SCENE_BLEND_COUNT;
    for (uint32_t i = 0; name != NULL && i < SCENE_BLEND_COUNT; i++) {
        mode = strcmp(name, names[i]) == 0 ? i : mode;
    }
    if (mode == SCENE_BLEND_COUNT) {
        const bool known = strcmp(name, "hue") == 0 || strcmp(name, "saturation") == 0 ||
                           strcmp(name, "color") == 0 || strcmp(name, "luminosity") == 0;
        if (known) {
            svg_unsupported(m->c, "a blend mode that is not drawn here");
        }
        mode = SCENE_BLEND_NORMAL;
    }
    part->mode = mode;
}

static void make_merge(filter_maker *m)
{
    const uint32_t before = m->count;
    uint32_t below = SCENE_NONE;
    bool merged = false;
    for (svg_element *e = m->primitive->first; e != NULL; e = e->next) {
        if (e->kind != SVG_EL_FE_MERGE_NODE) {
            continue;
        }
        if (m->count - before >= SCENE_PARTS_MAX / 2 || m->count + 2 >= SCENE_PARTS_MAX) {
            svg_fail(m->c->job, DP_ERR_TOO_LARGE, "svg has more than 100 filter parts");
            return;
        }
        /* What a node names was made before the merge, whatever its own parts are called. */
        const char *name = svg_attribute_get(e, SVG_AT_IN);
        const uint32_t held = m->count;
        m->count = before;
        const uint32_t input = input_named(m, name);
        m->count = held;
        if (below == SCENE_NONE) {
            below = input;
        } else {
            (void)add_part(m, SCENE_FE_MERGE, below, input);
            below = m->count - 1;
            merged = true;
        }
    }
    if (below == SCENE_NONE) {
        (void)add_part(m, SCENE_FE_FLOOD, SCENE_NONE, SCENE_NONE);
    } else if (!merged) {
        (void)add_part(m, SCENE_FE_OFFSET, below, SCENE_NONE);
    }
}

static void make_offset(filter_maker *m)
{
    scene_filter_part *part = add_part(m, SCENE_FE_OFFSET, input_of(m), SCENE_NONE);
    set_pair(m, part, number_of(m, SVG_AT_DX, 0), number_of(m, SVG_AT_DY, 0));
}

/* The primitive's subregion: the filter's, but for what the primitive says itself. */
static void find_region(filter_maker *m)
{
    static const struct {
        svg_attribute_name name;
        svg_axis axis;
    } sides[4] = {{SVG_AT_X, SVG_AXIS_X},
                  {SVG_AT_Y, SVG_AXIS_Y},
                  {SVG_AT_WIDTH, SVG_AXIS_X},
                  {SVG_AT_HEIGHT, SVG_AXIS_Y}};
    double v[4] = {m->region.x0, m->region.y0, m->region.x1 - m->region.x0,
                   m->region.y1 - m->region.y0};
    for (int i = 0; i < 4; i++) {
        const char *text = text_of(m, sides[i].name);
        svg_length length;
        if (text == NULL || !svg_parse_length(text, &length)) {
            continue;
        }
        const double value = svg_resolve(length, sides[i].axis, &m->metrics);
        const double origin = sides[i].axis == SVG_AXIS_X ? m->box.x0 : m->box.y0;
        v[i] = scaled(m, value, sides[i].axis) + (m->of_box && i < 2 ? origin : 0);
    }
    m->part_region = (svg_box){v[0], v[1], v[0] + fmax(v[2], 0), v[1] + fmax(v[3], 0)};
}

static void make_primitive(filter_maker *m)
{
    const uint32_t before = m->count;
    find_region(m);
    switch (m->primitive->kind) {
    case SVG_EL_FE_FLOOD:
        add_part(m, SCENE_FE_FLOOD, SCENE_NONE, SCENE_NONE)->colour = flood_colour(m);
        break;
    case SVG_EL_FE_COLOR_MATRIX:
        make_color_matrix(m);
        break;
    case SVG_EL_FE_COMPONENT_TRANSFER:
        make_component_transfer(m);
        break;
    case SVG_EL_FE_OFFSET:
        make_offset(m);
        break;
    case SVG_EL_FE_COMPOSITE:
        make_composite(m);
        break;
    case SVG_EL_FE_GAUSSIAN_BLUR:
        add_blur(m, input_of(m), 0);
        break;
    case SVG_EL_FE_BLEND:
        make_blend(m);
        break;
    case SVG_EL_FE_MERGE:
        make_merge(m);
        break;
    case SVG_EL_FE_DROP_SHADOW:
        make_drop_shadow(m);
        break;
    default:
        svg_unsupported(m->c, "a filter that is not drawn here");
        break;
    }
    if (m->count > before) {
        m->results[m->count - 1] = text_of(m, SVG_AT_RESULT);
    }
}

static bool is_primitive(const svg_element *e)
{
    return e->kind >= SVG_EL_FE_BLEND && e->kind <= SVG_EL_FE_TURBULENCE &&
           e->kind != SVG_EL_FE_MERGE_NODE;
}

static uint32_t keep(filter_maker *m)
{
    scene_filter filter = {.region = pack_box(&m->region), .part_count = m->count};
    for (uint32_t i = 0; i < m->count; i++) {
        const uint32_t index = scene_add_part(m->c->builder, &m->parts[i]);
        filter.first_part = i == 0 ? index : filter.first_part;
    }
    return scene_add_filter(m->c->builder, &filter);
}

uint32_t svg_filter_make(svg_compiler *c, svg_frame *f, svg_element *filter, const svg_box *box)
{
    const char *units = svg_attribute_get(filter, SVG_AT_FILTER_UNITS);
    const bool of_box = units == NULL || strcmp(units, "userSpaceOnUse") != 0;
    units = svg_attribute_get(filter, SVG_AT_PRIMITIVE_UNITS);
    filter_maker *m = svg_take(c->job, sizeof *m);
    if (m == NULL) {
        return SCENE_NONE;
    }
    *m = (filter_maker){.c = c, .f = f, .metrics = f->metrics, .box = *box};
    m->of_box = units != NULL && strcmp(units, "objectBoundingBox") == 0;
    if (svg_attribute_get(filter, SVG_AT_HREF) != NULL) {
        svg_unsupported(c, "a filter that is made of another");
        return SCENE_NONE;
    }
    if (m->of_box) {
        m->metrics.width = m->metrics.height = 1;
        if (svg_box_is_empty(box)) {
            return SCENE_NONE;
        }
    }
    if (!svg_region_of(filter, of_box, box, &f->metrics, &m->region)) {
        return SCENE_NONE;
    }
    for (svg_element *e = filter->first; e != NULL && c->job->status == DP_OK; e = e->next) {
        if (!is_primitive(e)) {
            continue;
        }
        if (m->count + PARTS_PER_PRIMITIVE > SVG_FILTER_PARTS_MAX ||
            ++c->filter_parts > PARTS_OF_SCENE_MAX) {
            svg_fail(c->job, DP_ERR_TOO_LARGE, "svg has more than 100 filter parts");
            return SCENE_NONE;
        }
        m->primitive = e;
        svg_style_in_place(&c->cascade, e, &m->style);
        make_primitive(m);
    }
    return m->count == 0 || c->job->status != DP_OK ? SCENE_NONE : keep(m);
}
