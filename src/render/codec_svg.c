/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVG by librsvg on cairo, behind the guard.
 *
 * The document is loaded from memory with no base address, so that librsvg itself has nowhere to
 * resolve a reference to.  It draws straight into our surface, at exactly the wanted size; cairo's
 * premultiplied native-endian words are then turned into straight RGBA in place.
 * Loading and drawing are single calls that cannot be stopped: the deadline is looked at before
 * each.
 */
#include "dp_features.h"

#include "render/codec.h"

#if DP_HAVE_LIBRSVG && DP_HAVE_EXPAT

#include <math.h>
#include <string.h>

#include <cairo.h>
#include <librsvg/rsvg.h>
#if DP_HAVE_PANGOCAIRO
#include <pango/pangocairo.h>
#endif

#include "kernels/composite.h"
#include "render/svg_guard.h"

/* For a document that says nothing about its size and draws nothing. */
#define SIDE_DEFAULT 100.0

typedef struct svg_decoder {
    decoder base;
    RsvgHandle *handle;
} svg_decoder;

static dp_status svg_failed(render_task *task, GError *error)
{
    const dp_status status = task_fail(task, DP_ERR_FORMAT, "svg: %s",
                                       error == NULL ? "cannot be drawn" : error->message);
    g_clear_error(&error);
    return status;
}

/* The size the document has by itself: its width and height, else its viewBox, else what it draws.
 */
static void natural_size(RsvgHandle *handle, double *width, double *height)
{
    gboolean has_width, has_height, has_box;
    RsvgLength w, h;
    RsvgRectangle box, ink, logical;

    if (rsvg_handle_get_intrinsic_size_in_pixels(handle, width, height) && *width > 0 &&
        *height > 0) {
        return;
    }
    rsvg_handle_get_intrinsic_dimensions(handle, &has_width, &w, &has_height, &h, &has_box, &box);
    if (!has_box && rsvg_handle_get_geometry_for_element(handle, NULL, &ink, &logical, NULL)) {
        has_box = TRUE;
        box = ink;
    }
    *width = has_box && box.width > 0 ? box.width : SIDE_DEFAULT;
    *height = has_box && box.height > 0 ? box.height : SIDE_DEFAULT;
}

/* Sizes are doubles from the file: brought into what a picture can have, in proportion. */
static uint32_t side_of(double side, double scale)
{
    const double pixels = side * scale;
    return pixels >= 1 ? (uint32_t)lround(fmin(pixels, RENDER_SOURCE_SIDE_MAX)) : 1;
}

static dp_status open_svg(decoder *base)
{
    svg_decoder *d = (svg_decoder *)(void *)base;
    GError *error = NULL;
    double width = 0, height = 0;

    dp_status status = svg_guard_check(base->task, base->bytes);
    if (status == DP_OK) {
        status = task_check_time(base->task);
    }
    if (status != DP_OK) {
        return status;
    }
    d->handle = rsvg_handle_new_from_data(base->bytes.data, base->bytes.size_bytes, &error);
    if (d->handle == NULL) {
        return svg_failed(base->task, error);
    }
    natural_size(d->handle, &width, &height);
    const double larger = fmax(width, height);
    const double scale = larger > RENDER_SOURCE_SIDE_MAX ? RENDER_SOURCE_SIDE_MAX / larger : 1.0;
    base->info.width = side_of(width, scale);
    base->info.height = side_of(height, scale);
    base->info.drawing = true;
    return DP_OK;
}

static dp_status draw(svg_decoder *d, const surface *out)
{
    const RsvgRectangle viewport = {0, 0, out->width, out->height};
    GError *error = NULL;
    dp_status status = DP_OK;

    memset(out->pixels, 0, surface_bytes(out));
    cairo_surface_t *target =
        cairo_image_surface_create_for_data(out->pixels, CAIRO_FORMAT_ARGB32, (int)out->width,
                                            (int)out->height, (int)surface_stride_bytes(out));
    cairo_t *cairo = cairo_create(target);
    const gboolean drawn = rsvg_handle_render_document(d->handle, cairo, &viewport, &error);
    const bool sound = cairo_status(cairo) == CAIRO_STATUS_SUCCESS;
    if (!drawn || !sound) {
        status = svg_failed(d->base.task, error);
    }
    cairo_destroy(cairo);
    cairo_surface_finish(target);
    cairo_surface_destroy(target);
    return status;
}

/* Words of 0xAARRGGBB in this machine's order to bytes R, G, B, A, still premultiplied. */
static void words_to_rgba(const surface *s)
{
    const size_t pixels = (size_t)s->width * s->height;
    for (size_t i = 0; i < pixels; i++) {
        uint32_t word;
        memcpy(&word, s->pixels + 4 * i, 4);
        s->pixels[4 * i] = (uint8_t)(word >> 16);
        s->pixels[4 * i + 1] = (uint8_t)(word >> 8);
        s->pixels[4 * i + 2] = (uint8_t)word;
        s->pixels[4 * i + 3] = (uint8_t)(word >> 24);
    }
}

static dp_status decode_svg(decoder *base, const decode_hints *hints, picture *out)
{
    picture made;
    dp_status status = picture_take(base->task, hints->width, hints->height, 1, &made);
    if (status != DP_OK) {
        return status;
    }
    const surface canvas = picture_frame(&made, 0);
    status = draw((svg_decoder *)(void *)base, &canvas);
    if (status != DP_OK) {
        picture_drop(&made);
        return status;
    }
    words_to_rgba(&canvas);
    composite_unpremultiply_cpu(canvas.pixels, (size_t)canvas.width * canvas.height);
    *out = made;
    return DP_OK;
}

static bool fonts_are_kept;

void codec_svg_keep_fonts(void)
{
    fonts_are_kept = true;
}

/*
 * Pango keeps 20 KB for every font name that a thread ever asked for, and strangers invent names:
 * the thread's font map goes with the picture that used it.  The next text makes a new one.
 */
static void forget_fonts(void)
{
#if DP_HAVE_PANGOCAIRO
    if (!fonts_are_kept) {
        pango_cairo_font_map_set_default(NULL);
    }
#endif
}

static void close_svg(decoder *base)
{
    svg_decoder *d = (svg_decoder *)(void *)base;
    if (d->handle != NULL) {
        g_clear_object(&d->handle);
        forget_fonts();
    }
}

const codec codec_svg = {.format = DP_MEDIA_SVG,
                         .decoder_bytes = sizeof(svg_decoder),
                         .engine = "librsvg+cpu",
                         .open = open_svg,
                         .decode = decode_svg,
                         .close = close_svg};

#else

void codec_svg_keep_fonts(void)
{
}

const codec codec_svg = {.format = DP_MEDIA_SVG};

#endif
