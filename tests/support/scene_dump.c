/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of a scene; see scene_dump.h.  Numbers are written with %g to four digits behind the point.
 */
#include "scene_dump.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct dump {
    const scene *s;
    FILE *out;
} dump;

/* Rounded, and without a minus before 0. */
static void number(const dump *d, float value)
{
    const double rounded = round((double)value * 1e4) / 1e4;
    fprintf(d->out, "%g", rounded == 0 ? 0 : rounded);
}

static void numbers(const dump *d, const float *values, int count, const char *between)
{
    for (int i = 0; i < count; i++) {
        fputs(i == 0 ? "" : between, d->out);
        number(d, values[i]);
    }
}

static void colour(const dump *d, scene_rgba c)
{
    fprintf(d->out, "#%02x%02x%02x%02x", c & 0xffu, c >> 8 & 0xffu, c >> 16 & 0xffu, c >> 24);
}

static void path(const dump *d, uint32_t index)
{
    static const char letters[] = "MLQCZ";
    static const int points[] = {1, 1, 2, 3, 0};
    const scene_path *p = &d->s->paths[index];
    const scene_point *at = d->s->points + p->first_point;
    for (uint32_t i = 0; i < p->verb_count; i++) {
        const uint8_t verb = d->s->verbs[p->first_verb + i];
        fprintf(d->out, " %c", letters[verb]);
        for (int n = 0; n < points[verb]; n++, at++) {
            fputs(n == 0 ? "" : " ", d->out);
            const float xy[2] = {at->x, at->y};
            numbers(d, xy, 2, ",");
        }
    }
}

static void matrix(const dump *d, const scene_matrix *m, const char *before)
{
    const float v[6] = {m->a, m->b, m->c, m->d, m->e, m->f};
    const float unit[6] = {1, 0, 0, 1, 0, 0};
    bool same = true;
    for (int i = 0; i < 6; i++) {
        same = same && v[i] == unit[i];
    }
    if (!same) {
        fputs(before, d->out);
        numbers(d, v, 6, " ");
        fputs("]", d->out);
    }
}

static void paint(const dump *d, uint32_t index)
{
    static const char *const spreads[] = {"", " reflect", " repeat"};
    if (index == SCENE_NONE) {
        return;
    }
    const scene_paint *p = &d->s->paints[index];
    fputs(" ", d->out);
    if (p->kind == SCENE_SOLID) {
        colour(d, p->colour);
        return;
    }
    fputs(p->kind == SCENE_LINEAR ? "linear(" : "radial(", d->out);
    numbers(d, p->geometry, p->kind == SCENE_LINEAR ? 4 : 6, " ");
    fprintf(d->out, ")%s", spreads[p->spread]);
    matrix(d, &p->matrix, " @[");
    for (uint32_t i = 0; i < p->stop_count; i++) {
        const scene_stop *stop = &d->s->stops[p->first_stop + i];
        fputs(" ", d->out);
        number(d, stop->offset);
        fputs(":", d->out);
        colour(d, stop->colour);
    }
}

static void stroke(const dump *d, uint32_t index)
{
    static const char *const caps[] = {"", " round-cap", " square-cap"};
    static const char *const joins[] = {"", " round-join", " bevel-join"};
    const scene_stroke *s = &d->s->strokes[index];
    fputs(" width ", d->out);
    number(d, s->width);
    fprintf(d->out, "%s%s", caps[s->cap], joins[s->join]);
    if (s->join == SCENE_JOIN_MITER && s->miter_limit != 4) {
        fputs(" miter ", d->out);
        number(d, s->miter_limit);
    }
    if (s->dash_count > 0) {
        fputs(" dash ", d->out);
        numbers(d, d->s->dashes + s->first_dash, (int)s->dash_count, ",");
        if (s->dash_offset != 0) {
            fputs(" from ", d->out);
            number(d, s->dash_offset);
        }
    }
}

static void input(const dump *d, uint32_t index)
{
    if (index == SCENE_IN_GRAPHIC) {
        fputs(" graphic", d->out);
    } else if (index == SCENE_IN_ALPHA) {
        fputs(" alpha", d->out);
    } else if (index != SCENE_NONE) {
        fprintf(d->out, " %u", index);
    }
}

static void box(const dump *d, const scene_box *b)
{
    const float v[4] = {b->x0, b->y0, b->x1, b->y1};
    fputs(" (", d->out);
    numbers(d, v, 4, " ");
    fputs(")", d->out);
}

static void filter(const dump *d, uint32_t index)
{
    static const char *const ops[] = {"flood", "matrix", "offset", "composite",
                                      "blur",  "blend",  "merge"};
    static const int values[] = {0, 20, 2, 0, 2, 0, 0};
    const scene_filter *f = &d->s->filters[index];
    fputs(" filter", d->out);
    box(d, &f->region);
    for (uint32_t i = 0; i < f->part_count; i++) {
        const scene_filter_part *p = &d->s->parts[f->first_part + i];
        fprintf(d->out, "\n  %u = %s", i, ops[p->op]);
        input(d, p->input);
        input(d, p->other);
        if (p->op == SCENE_FE_FLOOD) {
            fputs(" ", d->out);
            colour(d, p->colour);
        }
        if (p->op == SCENE_FE_COMPOSITE || p->op == SCENE_FE_BLEND) {
            fprintf(d->out, " mode %u", p->mode);
        }
        const bool factors = p->op == SCENE_FE_COMPOSITE && p->mode == SCENE_COMPOSITE_ARITHMETIC;
        const int count = factors ? 4 : values[p->op];
        if (count > 0) {
            fputs(" [", d->out);
            numbers(d, p->values, count, " ");
            fputs("]", d->out);
        }
        fputs(p->linear ? " linear" : "", d->out);
        if (p->region.x0 != f->region.x0 || p->region.y0 != f->region.y0 ||
            p->region.x1 != f->region.x1 || p->region.y1 != f->region.y1) {
            box(d, &p->region);
        }
    }
}

static void command(const dump *d, const scene_command *c)
{
    static const char *const names[] = {"fill",    "stroke",  "clip {", "ready", "} clip",
                                        "group {", "} group", "mask {", "ready", "} mask"};
    fputs(names[c->op], d->out);
    if (c->op == SCENE_FILL || c->op == SCENE_STROKE) {
        fputs(c->op == SCENE_FILL && c->rule == SCENE_EVEN_ODD ? " evenodd" : "", d->out);
        matrix(d, &d->s->matrices[c->matrix], " [");
        path(d, c->path);
        paint(d, c->paint);
        if (c->op == SCENE_STROKE) {
            stroke(d, c->stroke);
        }
    }
    if (c->op == SCENE_MASK_BEGIN && c->alpha) {
        fputs(" alpha", d->out);
    }
    if (c->op == SCENE_GROUP_BEGIN) {
        if (c->blend != SCENE_BLEND_NORMAL) {
            fprintf(d->out, " blend %u", c->blend);
        }
        if (c->filter != SCENE_NONE) {
            matrix(d, &d->s->matrices[c->matrix], " [");
            filter(d, c->filter);
        }
    }
    if ((c->op == SCENE_FILL || c->op == SCENE_STROKE || c->op == SCENE_GROUP_BEGIN) &&
        c->opacity != 1) {
        fputs(" x", d->out);
        number(d, c->opacity);
    }
    fputs("\n", d->out);
}

char *scene_dump(const scene *s)
{
    char *text = NULL;
    size_t length = 0;
    dump d = {.s = s, .out = open_memstream(&text, &length)};
    if (d.out == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < s->command_count; i++) {
        command(&d, &s->commands[i]);
    }
    fclose(d.out);
    return text;
}
