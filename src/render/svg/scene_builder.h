/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scene while it grows: one array a section, then everything in one flat block.
 *
 * Arrays keep their memory from one document to the next.  Adders return the index of what they
 * added; after a failure (the job's status says so) they return SCENE_NONE or do nothing.
 */
#ifndef DP_RENDER_SVG_SCENE_BUILDER_H
#define DP_RENDER_SVG_SCENE_BUILDER_H

#include "render/svg/scene.h"
#include "render/svg/svg_job.h"
#include "render/svg/svg_matrix.h"

typedef struct scene_array {
    void *items;
    uint32_t count, capacity;
} scene_array;

#define SCENE_COLOUR_SLOTS 64u

typedef struct scene_builder {
    svg_job *job;
    scene_array arrays[SCENE_SECTION_COUNT];
    /* Solid paints made lately, by a hash of their colour: index of the paint, or SCENE_NONE. */
    uint32_t solids[SCENE_COLOUR_SLOTS];
    /* Of the path that is being made. */
    scene_path path;
    scene_point first_point; /* of its last contour */
    bool contour_open;       /* something was drawn since the last MOVE */
    bool needs_move;         /* after a CLOSE */
    /* The finished block. */
    void *block;
    size_t block_bytes, block_capacity;
} scene_builder;

void scene_builder_reset(scene_builder *builder, svg_job *job);
void scene_builder_drop(scene_builder *builder);

/* Paths.  Points are cut to SCENE_COORDINATE_MAX. */
void scene_path_begin(scene_builder *builder);
void scene_path_move(scene_builder *builder, double x, double y);
void scene_path_line(scene_builder *builder, double x, double y);
void scene_path_quad(scene_builder *builder, const double p[4]);
void scene_path_cubic(scene_builder *builder, const double p[6]);
void scene_path_close(scene_builder *builder);
/* SCENE_NONE when nothing was drawn. */
uint32_t scene_path_end(scene_builder *builder);

uint32_t scene_add_matrix(scene_builder *builder, const svg_matrix *matrix);
uint32_t scene_add_solid(scene_builder *builder, scene_rgba colour);
uint32_t scene_add_paint(scene_builder *builder, const scene_paint *paint);
uint32_t scene_add_stop(scene_builder *builder, scene_stop stop);
uint32_t scene_add_stroke(scene_builder *builder, const scene_stroke *stroke);
uint32_t scene_add_dash(scene_builder *builder, float length);
uint32_t scene_add_filter(scene_builder *builder, const scene_filter *filter);
uint32_t scene_add_part(scene_builder *builder, const scene_filter_part *part);
uint32_t scene_add_command(scene_builder *builder, const scene_command *command);

static inline uint32_t scene_command_count(const scene_builder *builder)
{
    return builder->arrays[SCENE_COMMANDS].count;
}

static inline scene_command *scene_commands(const scene_builder *builder)
{
    return builder->arrays[SCENE_COMMANDS].items;
}

/* Takes back what was added behind `count`. */
void scene_cut_commands(scene_builder *builder, uint32_t count);
/* Moves the commands from `middle` on before those from `first` on. */
void scene_rotate_commands(scene_builder *builder, uint32_t first, uint32_t middle);

/* The box around a path under a matrix, curves taken exactly. */
svg_box scene_path_box(const scene_builder *builder, uint32_t path, const svg_matrix *matrix);
/* The box around all points, control points too. */
svg_box scene_path_bounds(const scene_builder *builder, uint32_t path);

/* Pairs the commands and lays the block out.  Sizes are > 0. */
bool scene_builder_finish(scene_builder *builder, double width, double height);

#endif
