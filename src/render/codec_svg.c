/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVG: which engine draws a document.
 *
 * Our own (drawing.h) is asked first.  What it does not cover goes to librsvg, the whole document,
 * where the build has it and the task allows it; decided when the document is opened, before a
 * pixel is drawn.
 */
#include "render/codec.h"

#include "render/drawing.h"
#include "render/librsvg.h"

typedef struct svg_decoder {
    decoder base;
    dp_buf *scene; /* one of the two, by info.scene */
    void *document;
} svg_decoder;

static svg_decoder *of(decoder *base)
{
    return (svg_decoder *)(void *)base;
}

static dp_status open_scene(svg_decoder *d, uint32_t sides[2])
{
    scene s;
    const dp_status status = drawing_open(d->base.task, d->scene, &s);
    if (status == DP_OK) {
        drawing_sides(&s, sides);
        d->base.info.scene = true;
    }
    return status;
}

static dp_status open_other(svg_decoder *d, const char *why, uint32_t sides[2])
{
    if (d->base.task->own_engine_only || !librsvg_is_there()) {
        return task_fail(d->base.task, DP_ERR_UNSUPPORTED, "%s", why);
    }
    return librsvg_open(d->base.task, d->base.bytes, sides, &d->document);
}

static dp_status open_svg(decoder *base)
{
    svg_decoder *d = of(base);
    char why[DRAWING_WHY_BYTES];
    uint32_t sides[2];

    dp_status status = drawing_parse(base->task, base->bytes, &d->scene, why);
    if (status == DP_OK) {
        status = open_scene(d, sides);
    } else if (status == DP_ERR_UNSUPPORTED) {
        status = open_other(d, why, sides);
    }
    if (status == DP_OK) {
        base->info.width = sides[0];
        base->info.height = sides[1];
        base->info.drawing = true;
    }
    return status;
}

static dp_status draw(svg_decoder *d, const picture *target)
{
    scene s;
    if (d->scene == NULL) {
        return librsvg_draw(d->base.task, d->document, target);
    }
    const dp_status status = drawing_open(d->base.task, d->scene, &s);
    return status == DP_OK ? drawing_raster(d->base.task, &s, target) : status;
}

static dp_status decode_svg(decoder *base, const decode_hints *hints, picture *out)
{
    picture made;
    dp_status status = picture_take(base->task, hints->width, hints->height, 1, &made);
    if (status != DP_OK) {
        return status;
    }
    status = draw(of(base), &made);
    if (status != DP_OK) {
        picture_drop(&made);
        return status;
    }
    *out = made;
    return DP_OK;
}

static dp_status scene_svg(decoder *base, dp_buf **out)
{
    svg_decoder *d = of(base);
    dp_ref(d->scene);
    *out = d->scene;
    return DP_OK;
}

static void close_svg(decoder *base)
{
    svg_decoder *d = of(base);
    dp_put(d->scene);
    librsvg_close(d->document);
}

const codec codec_svg = {.format = DP_MEDIA_SVG,
                         .decoder_bytes = sizeof(svg_decoder),
                         .engine = "librsvg+cpu",
                         .open = open_svg,
                         .decode = decode_svg,
                         .scene = scene_svg,
                         .close = close_svg};
