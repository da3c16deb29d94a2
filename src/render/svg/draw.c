/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executor: which plans to draw in which order.
 *
 * Groups with a filter are found in the order of their BEGINs, each with the device pixels that it
 * needs: those that its parent needs, or the canvas.  Then they are drawn from the last to the
 * first, so that a group's own layers are finished when it is drawn.  Their surfaces lie one after
 * the other in one block, whose size is known before anything is drawn.
 */
#include "render/svg/draw.h"

#include <string.h>

#include "pool/os.h"
#include "render/svg/filter.h"
#include "render/svg/plan.h"

/* Rows of surfaces are read as 32-bit pixels. */
#define SURFACE_ALIGNMENT 64u

typedef struct draw_layer {
    uint32_t begin, end; /* commands */
    uint32_t parent;     /* index of the layer around it, RASTER_NONE: the picture */
    uint32_t level;      /* one more than the highest of the layers within it */
    scene_matrix matrix; /* from the filtered element's space to the canvas' */
    filter_surface surface;
} draw_layer;

struct draw_context {
    draw_limits limits;
    plan plan;
    filter_scratch filter;
    void *raster; /* RASTER_SCRATCH_BYTES */
    draw_layer *layers;
    plan_layer *pictures; /* as the current plan wants them, [layer] */
    uint8_t *surfaces;
    size_t surface_bytes;
    uint32_t layer_count, layer_capacity;
};

/* What is being drawn. */
typedef struct drawing {
    draw_context *context;
    const scene *s;
    scene_matrix to_canvas;
    uint32_t width, height;
} drawing;

dp_status draw_context_create(draw_context **out)
{
    draw_context *context = os_calloc(1, sizeof(*context));

    if (context == NULL) {
        return DP_ERR_NOMEM;
    }
    context->raster = os_aligned(64, RASTER_SCRATCH_BYTES);
    if (context->raster == NULL) {
        os_free(context);
        return DP_ERR_NOMEM;
    }
    const draw_limits limits = DRAW_LIMITS_DEFAULT;
    draw_context_limits(context, &limits);
    *out = context;
    return DP_OK;
}

void draw_context_limits(draw_context *context, const draw_limits *limits)
{
    context->limits = *limits;
    context->plan.lines.lines_max = limits->lines_max;
    context->plan.memory_bytes_max = limits->plan_bytes_max;
    context->plan.deadline_ns = limits->deadline_ns;
    context->filter.deadline_ns = limits->deadline_ns;
}

void draw_context_trim(draw_context *context)
{
    plan_drop(&context->plan);
    filter_scratch_drop(&context->filter);
    os_free(context->layers);
    os_free(context->pictures);
    os_free(context->surfaces);
    context->layers = NULL;
    context->pictures = NULL;
    context->surfaces = NULL;
    context->surface_bytes = 0;
    context->layer_count = context->layer_capacity = 0;
    draw_context_limits(context, &context->limits);
}

void draw_context_destroy(draw_context *context)
{
    if (context != NULL) {
        draw_context_trim(context);
        os_free(context->raster);
        os_free(context);
    }
}

static int out_of_time(void *limits)
{
    return os_clock_ns() > ((const draw_limits *)limits)->deadline_ns;
}

/* Runs a plan into pixels, a row of tiles after the other. */
static dp_status run_plan(draw_context *context, const raster_plan *tiles, uint8_t *rgba,
                          size_t stride_bytes)
{
    const raster_rows job = {.end = tiles->rows,
                             .rgba = rgba,
                             .stride_bytes = stride_bytes,
                             .stop = context->limits.deadline_ns != 0 ? out_of_time : NULL,
                             .context = &context->limits};

    return raster_cpu_until(tiles, &job, context->raster) != 0 ? DP_OK : DP_ERR_TIMEOUT;
}

/* Room for one more layer. */
static bool layer_room(draw_context *context)
{
    if (context->layer_count < context->layer_capacity) {
        return true;
    }
    const uint32_t capacity = context->layer_capacity == 0 ? 16 : 2 * context->layer_capacity;
    draw_layer *layers = os_aligned(64, os_align_up(capacity * sizeof(*layers), 64));
    plan_layer *pictures = os_aligned(64, os_align_up(capacity * sizeof(*pictures), 64));
    if (layers == NULL || pictures == NULL) {
        os_free(layers);
        os_free(pictures);
        return false;
    }
    if (context->layer_count != 0) {
        memcpy(layers, context->layers, context->layer_count * sizeof(*layers));
    }
    os_free(context->layers);
    os_free(context->pictures);
    context->layers = layers;
    context->pictures = pictures;
    context->layer_capacity = capacity;
    return true;
}

/* Adds the layer of a group with a filter; gives where to go on: behind what cannot be seen. */
static dp_status add_layer(const drawing *d, uint32_t *index, uint32_t parent)
{
    draw_context *context = d->context;
    const scene_command *c = &d->s->commands[*index];
    const filter_rect canvas =
        parent == RASTER_NONE ? (filter_rect){.x1 = (int32_t)d->width, .y1 = (int32_t)d->height}
                              : context->layers[parent].surface.at;
    const scene_matrix m = plan_matrix_multiply(&d->to_canvas, &d->s->matrices[c->matrix]);
    const filter_rect at = filter_bounds(d->s, &d->s->filters[c->filter], &m, canvas);

    if (at.x1 <= at.x0 || at.y1 <= at.y0 || !(c->opacity > 0.0f)) {
        *index = c->partner;
        return DP_OK;
    }
    if (at.x1 - at.x0 > RASTER_SIDE_MAX || at.y1 - at.y0 > RASTER_SIDE_MAX) {
        return DP_ERR_TOO_LARGE;
    }
    if (!layer_room(context)) {
        return DP_ERR_NOMEM;
    }
    context->layers[context->layer_count++] = (draw_layer){
        .begin = *index, .end = c->partner, .parent = parent, .matrix = m, .surface = {.at = at}};
    return DP_OK;
}

static dp_status find_layers(const drawing *d)
{
    draw_context *context = d->context;
    uint32_t parent = RASTER_NONE;

    context->layer_count = 0;
    for (uint32_t i = 0; i < d->s->command_count; i++) {
        const scene_command *c = &d->s->commands[i];
        if (c->op == SCENE_GROUP_END) {
            if (parent != RASTER_NONE && context->layers[parent].end == i) {
                parent = context->layers[parent].parent;
            }
        } else if (c->op == SCENE_GROUP_BEGIN && c->filter != SCENE_NONE) {
            const uint32_t count = context->layer_count;
            const dp_status status = add_layer(d, &i, parent);
            if (status != DP_OK) {
                return status;
            }
            parent = context->layer_count > count ? count : parent;
        }
    }
    return DP_OK;
}

static size_t layer_bytes(const draw_layer *l)
{
    const filter_rect at = l->surface.at;

    return os_align_up((size_t)(at.x1 - at.x0) * (size_t)(at.y1 - at.y0) * 4, SURFACE_ALIGNMENT);
}

/* What all surfaces need. */
static dp_status measure_layers(draw_context *context, size_t *out)
{
    size_t total = 0;

    for (uint32_t i = 0; i < context->layer_count; i++) {
        total += layer_bytes(&context->layers[i]);
        if (total > context->limits.layer_bytes_max) {
            return DP_ERR_TOO_LARGE;
        }
    }
    *out = total;
    return DP_OK;
}

/* Lays the surfaces one after the other; the base is an address, whose memory may be elsewhere. */
static void place_layers(draw_context *context, uint8_t *base)
{
    for (uint32_t i = 0; i < context->layer_count; i++) {
        context->layers[i].surface.pixels = base;
        base += layer_bytes(&context->layers[i]);
    }
}

/* One block for all surfaces. */
static dp_status take_surfaces(draw_context *context)
{
    size_t total = 0;
    const dp_status status = measure_layers(context, &total);

    if (status != DP_OK) {
        return status;
    }
    if (total > context->surface_bytes) {
        uint8_t *surfaces = os_aligned(SURFACE_ALIGNMENT, total);
        if (surfaces == NULL) {
            return DP_ERR_NOMEM;
        }
        os_free(context->surfaces);
        context->surfaces = surfaces;
        context->surface_bytes = total;
    }
    place_layers(context, context->surfaces);
    return DP_OK;
}

/*
 * Plans the commands [first, end) for the part `at` of the canvas; the layers among them are
 * finished and are context->layers[first_layer ..] up to the first one behind `end`.
 */
static dp_status make_plan(const drawing *d, uint32_t layer, filter_rect at, raster_plan *out)
{
    draw_context *context = d->context;
    const bool picture = layer == RASTER_NONE;
    const uint32_t first_layer = picture ? 0 : layer + 1;
    plan_job job = {.s = d->s,
                    .first = picture ? 0 : context->layers[layer].begin + 1,
                    .end = picture ? d->s->command_count : context->layers[layer].end,
                    .to_device = d->to_canvas};

    job.to_device.e -= (float)at.x0;
    job.to_device.f -= (float)at.y0;
    for (uint32_t i = first_layer; i < context->layer_count && context->layers[i].begin < job.end;
         i++) {
        const draw_layer *l = &context->layers[i];
        const filter_rect inner = l->surface.at;
        context->pictures[i] = (plan_layer){.group = l->begin,
                                            .picture = {.x = inner.x0 - at.x0,
                                                        .y = inner.y0 - at.y0,
                                                        .width = (uint32_t)(inner.x1 - inner.x0),
                                                        .height = (uint32_t)(inner.y1 - inner.y0),
                                                        .pixels = l->surface.pixels}};
        job.layer_count++;
    }
    job.layers = job.layer_count != 0 ? context->pictures + first_layer : NULL;
    plan_begin(&context->plan, (uint32_t)(at.x1 - at.x0), (uint32_t)(at.y1 - at.y0));
    plan_scene(&context->plan, &job);
    return plan_end(&context->plan, out);
}

static dp_status draw_layers(const drawing *d)
{
    draw_context *context = d->context;

    for (uint32_t i = context->layer_count; i-- > 0;) {
        draw_layer *l = &context->layers[i];
        const size_t stride_bytes = (size_t)(l->surface.at.x1 - l->surface.at.x0) * 4;
        const scene_filter *filter = &d->s->filters[d->s->commands[l->begin].filter];
        raster_plan tiles;
        dp_status status = make_plan(d, i, l->surface.at, &tiles);
        if (status == DP_OK) {
            status = run_plan(context, &tiles, l->surface.pixels, stride_bytes);
        }
        if (status == DP_OK) {
            status = filter_run(&context->filter, d->s, filter, &l->matrix, &l->surface);
        }
        if (status != DP_OK) {
            return status;
        }
    }
    return DP_OK;
}

/* What draw_plan() and draw_stages() begin with. */
static dp_status begin(draw_context *context, const scene *s, const uint32_t size[2], drawing *out)
{
    const uint32_t width = size[0], height = size[1];

    if (width < 1 || height < 1 || width > RASTER_SIDE_MAX || height > RASTER_SIDE_MAX) {
        return DP_ERR_INVALID;
    }
    *out = (drawing){
        .context = context,
        .s = s,
        .to_canvas = {.a = (float)width / s->header->width, .d = (float)height / s->header->height},
        .width = width,
        .height = height};
    /* What one large drawing left behind shall not eat up the next one's limit. */
    if (context->plan.memory_bytes > context->limits.plan_bytes_max / 4) {
        plan_drop(&context->plan);
        draw_context_limits(context, &context->limits);
    }
    return find_layers(out);
}

static dp_status plan_picture_of(const drawing *d, raster_plan *out)
{
    const filter_rect canvas = {.x1 = (int32_t)d->width, .y1 = (int32_t)d->height};

    return make_plan(d, RASTER_NONE, canvas, out);
}

dp_status draw_plan(draw_context *context, const scene *s, uint32_t width, uint32_t height,
                    raster_plan *out)
{
    drawing d;
    dp_status status = begin(context, s, (const uint32_t[2]){width, height}, &d);

    if (status == DP_OK && context->layer_count != 0) {
        status = take_surfaces(context);
        status = status == DP_OK ? draw_layers(&d) : status;
    }
    return status == DP_OK ? plan_picture_of(&d, out) : status;
}

/* Hands out the layer's stage. */
static dp_status stage_layer(const drawing *d, const draw_job *job, uint32_t index)
{
    draw_context *context = d->context;
    draw_layer *l = &context->layers[index];
    const scene_filter *filter = &d->s->filters[d->s->commands[l->begin].filter];
    raster_plan tiles;
    filter_program program;

    dp_status status = make_plan(d, index, l->surface.at, &tiles);
    if (status == DP_OK) {
        status =
            filter_prepare(&context->filter, d->s, filter, &l->matrix, &l->surface.at, &program);
    }
    if (status == DP_OK) {
        const draw_stage stage = {.tiles = &tiles,
                                  .program = &program,
                                  .pixels = (uint64_t)(uintptr_t)l->surface.pixels,
                                  .level = l->level};
        status = job->stage(job->own, &stage);
    }
    return status;
}

/* All layers, the inner before the outer; gives the level of the picture around them. */
static dp_status stage_layers(const drawing *d, const draw_job *job, uint32_t *level)
{
    draw_context *context = d->context;
    size_t total = 0;

    dp_status status = measure_layers(context, &total);
    if (status == DP_OK && context->layer_count != 0) {
        const uint64_t base = job->surfaces(job->own, total);
        status = base != 0 ? DP_OK : DP_ERR_BUSY;
        place_layers(context, (uint8_t *)(uintptr_t)base);
    }
    for (uint32_t i = 0; i < context->layer_count; i++) {
        context->layers[i].level = 0;
    }
    for (uint32_t i = context->layer_count; i-- > 0 && status == DP_OK;) {
        const draw_layer *l = &context->layers[i];
        uint32_t *outer = l->parent == RASTER_NONE ? level : &context->layers[l->parent].level;
        *outer = *outer > l->level ? *outer : l->level + 1;
        status = stage_layer(d, job, i);
    }
    return status;
}

dp_status draw_stages(draw_context *context, const scene *s, const draw_job *job)
{
    drawing d;
    draw_stage stage = {.level = 0};
    raster_plan tiles;

    dp_status status = begin(context, s, (const uint32_t[2]){job->width, job->height}, &d);
    if (status == DP_OK) {
        status = stage_layers(&d, job, &stage.level);
    }
    if (status == DP_OK) {
        status = plan_picture_of(&d, &tiles);
    }
    if (status == DP_OK) {
        stage.tiles = &tiles;
        status = job->stage(job->own, &stage);
    }
    return status;
}

dp_status draw_scene(draw_context *context, const scene *s, uint32_t width, uint32_t height,
                     uint8_t *rgba, size_t stride_bytes)
{
    raster_plan tiles;
    const dp_status status = draw_plan(context, s, width, height, &tiles);

    return status == DP_OK ? run_plan(context, &tiles, rgba, stride_bytes) : status;
}
