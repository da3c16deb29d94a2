/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context, and one document through all stages.
 */
#include "render/svg/svg.h"

#include <math.h>
#include <string.h>

#include "pool/os.h"
#include "render/svg/svg_compile.h"

struct svg_context {
    svg_reader *reader;
    svg_arena arena;
    scene_builder builder;
    svg_document document;
    svg_frame frames[SVG_FRAMES_MAX + 1];
};

dp_status svg_context_create(svg_context **out)
{
    svg_context *context = os_calloc(1, sizeof *context);
    if (context == NULL) {
        return DP_ERR_NOMEM;
    }
    context->reader = svg_reader_create();
    if (context->reader == NULL) {
        os_free(context);
        return DP_ERR_NOMEM;
    }
    *out = context;
    return DP_OK;
}

void svg_context_destroy(svg_context *context)
{
    if (context != NULL) {
        svg_reader_destroy(context->reader);
        svg_arena_drop(&context->arena);
        scene_builder_drop(&context->builder);
        os_free(context);
    }
}

/* Where a document says nothing about its size, it is as large as what it draws. */
static void find_size(svg_compiler *c)
{
    if (c->width > 0 && c->height > 0) {
        return;
    }
    const svg_matrix root = SVG_IDENTITY;
    const svg_box ink = svg_range_ink(c, 0, &root);
    const double side_max = 65535, side_default = 100;
    c->width = c->width > 0 ? c->width : (ink.x1 > 0 ? ink.x1 : side_default);
    c->height = c->height > 0 ? c->height : (ink.y1 > 0 ? ink.y1 : side_default);
    c->width = fmin(c->width, side_max);
    c->height = fmin(c->height, side_max);
}

static void make_scene(svg_context *context, svg_job *job)
{
    svg_sheet sheet;
    const svg_names *names = svg_reader_names(context->reader);
    svg_css_read(job, names, &context->document, &sheet);
    if (job->status != DP_OK) {
        return;
    }
    svg_compiler c = {.job = job,
                      .document = &context->document,
                      .cascade = {job, names, &sheet},
                      .builder = &context->builder,
                      .frames = context->frames};
    svg_compile(&c);
    if (job->status == DP_OK) {
        find_size(&c);
        (void)scene_builder_finish(&context->builder, c.width, c.height);
    }
}

dp_status svg_parse(svg_context *context, const void *bytes, size_t size_bytes,
                    uint64_t deadline_ns, scene_block *out, char message[SVG_MESSAGE_BYTES])
{
    svg_arena_reset(&context->arena);
    svg_job job = {.arena = context->arena, .message = message, .deadline_ns = deadline_ns};
    message[0] = '\0';
    scene_builder_reset(&context->builder, &job);
    svg_reader_read(context->reader, &job, bytes, size_bytes, &context->document);
    if (job.status == DP_OK) {
        make_scene(context, &job);
    }
    context->arena = job.arena;
    context->builder.job = NULL;
    if (job.status == DP_OK) {
        *out = (scene_block){context->builder.block, context->builder.block_bytes};
    }
    return job.status;
}
