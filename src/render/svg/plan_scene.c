/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over a scene's commands: each becomes calls of the plan.
 *
 * What cannot be seen is left out before its curves are cut: shapes whose bounds miss the region,
 * and everything inside of a level whose region is empty or whose opacity is 0.
 */
#include <math.h>

#include "pool/os.h"
#include "render/svg/plan.h"

/* The deadline is looked at every so many commands. */
#define COMMANDS_PER_LOOK 64

typedef struct walk {
    plan *p;
    const plan_job *job;
    uint32_t next_layer;
} walk;

static uint32_t byte_of(float opacity)
{
    return opacity >= 1.0f ? 255u : (opacity > 0.0f ? (uint32_t)(opacity * 255.0f + 0.5f) : 0u);
}

/* How far a stroke reaches beyond its path, in the path's own space. */
static float stroke_reach(const scene_stroke *stroke)
{
    float factor = stroke->cap == SCENE_CAP_SQUARE ? 1.4143f : 1.0f;

    if (stroke->join == SCENE_JOIN_MITER && stroke->miter_limit > factor) {
        factor = stroke->miter_limit;
    }
    return 0.5f * stroke->width * factor;
}

/* Whether the path's bounds, grown by `reach`, can meet the region. */
static bool can_be_seen(const plan *p, const scene_path *path, const scene_matrix *m, float reach)
{
    const scene_box *box = &path->bounds;
    const float cx = 0.5f * (box->x0 + box->x1);
    const float cy = 0.5f * (box->y0 + box->y1);
    const float hx = 0.5f * (box->x1 - box->x0) + reach;
    const float hy = 0.5f * (box->y1 - box->y0) + reach;
    const float x = m->a * cx + m->c * cy + m->e;
    const float y = m->b * cx + m->d * cy + m->f;
    /* One pixel more: no rounding shall decide. */
    const float dx = fabsf(m->a) * hx + fabsf(m->c) * hy + 1.0f;
    const float dy = fabsf(m->b) * hx + fabsf(m->d) * hy + 1.0f;
    const plan_region seen = p->region;

    /* Written so that what is no number is drawn: the outline knows what to do with it. */
    return !(x + dx < (float)(seen.x0 * RASTER_TILE) || x - dx > (float)(seen.x1 * RASTER_TILE) ||
             y + dy < (float)(seen.y0 * RASTER_TILE) || y - dy > (float)(seen.y1 * RASTER_TILE));
}

static void paint_path(walk *w, const scene_command *c)
{
    plan *p = w->p;
    const scene *s = w->job->s;
    const scene_path *path = &s->paths[c->path];
    const scene_stroke *stroke = c->op == SCENE_STROKE ? &s->strokes[c->stroke] : NULL;
    const scene_matrix m = plan_matrix_multiply(&w->job->to_device, &s->matrices[c->matrix]);
    const bool clipping = p->collecting != 0;
    const uint32_t first = p->lines.count;
    raster_command command = {.op = RASTER_CLIP_SHAPE, .edges = RASTER_NONE};

    if (!can_be_seen(p, path, &m, stroke != NULL ? stroke_reach(stroke) : 0.0f)) {
        return;
    }
    if (!clipping && (c->paint == SCENE_NONE ||
                      !plan_paint(p, s, &s->paints[c->paint], &m, c->opacity, &command))) {
        return;
    }
    command.mode = stroke != NULL ? RASTER_NON_ZERO : c->rule;
    const dp_status status = stroke != NULL ? outline_stroke(&p->lines, s, path, stroke, &m)
                                            : outline_fill(&p->lines, s, path, &m);
    if (status != DP_OK) {
        p->status = status;
        return;
    }
    p->pieces = stroke != NULL;
    plan_shape(p, first, &command);
}

/* The layer of a group with a filter, NULL where nothing of it can be seen. */
static const plan_layer *layer_of(walk *w, uint32_t group)
{
    const plan_job *job = w->job;

    while (w->next_layer < job->layer_count && job->layers[w->next_layer].group < group) {
        w->next_layer++;
    }
    const bool found =
        w->next_layer < job->layer_count && job->layers[w->next_layer].group == group;
    return found ? &job->layers[w->next_layer] : NULL;
}

/* Begins a group; gives the command to go on behind. */
static uint32_t group_begin(walk *w, uint32_t index)
{
    const scene_command *c = &w->job->s->commands[index];
    const uint32_t opacity = byte_of(c->opacity);

    if (c->filter != SCENE_NONE) {
        const plan_layer *layer = opacity != 0 ? layer_of(w, index) : NULL;
        if (layer != NULL) {
            plan_picture(w->p, &layer->picture, c->blend, opacity);
        }
        return c->partner;
    }
    if (opacity == 0) {
        return c->partner;
    }
    plan_group_begin(w->p, c->blend, opacity);
    return index;
}

/* Where there is nothing left to see, the level's rest need not be walked: gives its END's place.
 */
static uint32_t skip_unseen(const walk *w, uint32_t index)
{
    const scene_command *commands = w->job->s->commands;
    const plan_region seen = w->p->region;

    /* The partner of READY is its BEGIN, whose partner is the END. */
    return seen.x1 <= seen.x0 ? commands[commands[index].partner].partner - 1 : index;
}

/* One command; gives the index of the last one that it dealt with. */
static uint32_t step(walk *w, uint32_t index)
{
    plan *p = w->p;
    const scene_command *c = &w->job->s->commands[index];

    if (p->collecting != 0 && (c->op == SCENE_GROUP_BEGIN || c->op == SCENE_MASK_BEGIN)) {
        p->status = DP_ERR_UNSUPPORTED; /* a clip is made of shapes and clips alone */
        return index;
    }
    switch (c->op) {
    case SCENE_FILL:
    case SCENE_STROKE:
        paint_path(w, c);
        return index;
    case SCENE_CLIP_BEGIN:
        plan_clip_begin(p);
        return index;
    case SCENE_CLIP_READY:
        plan_clip_ready(p);
        return skip_unseen(w, index);
    case SCENE_CLIP_END:
        plan_clip_end(p);
        return index;
    case SCENE_GROUP_BEGIN:
        return group_begin(w, index);
    case SCENE_GROUP_END:
        plan_group_end(p);
        return index;
    case SCENE_MASK_BEGIN:
        plan_mask_begin(p, c->alpha);
        return index;
    case SCENE_MASK_READY:
        plan_mask_ready(p);
        return skip_unseen(w, index);
    default:
        DP_ASSERT(c->op == SCENE_MASK_END);
        plan_mask_end(p);
        return index;
    }
}

void plan_scene(plan *p, const plan_job *job)
{
    walk w = {.p = p, .job = job};

    for (uint32_t i = job->first; i < job->end && p->status == DP_OK; i++) {
        if (i % COMMANDS_PER_LOOK == 0) {
            plan_look_at_clock(p);
            if (p->status != DP_OK) {
                return;
            }
        }
        i = step(&w, i);
    }
}
