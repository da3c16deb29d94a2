/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVG by librsvg on cairo, behind the guard; see librsvg.h.
 *
 * The document is loaded from memory with no base address, so that librsvg itself has nowhere to
 * resolve a reference to.  It draws straight into our surface, at exactly the wanted size; cairo's
 * premultiplied native-endian words are then turned into straight RGBA in place.
 * Loading and drawing are single calls that cannot be stopped: the deadline is looked at before
 * each.
 */
#include "dp_features.h"

#include "render/librsvg.h"

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

bool librsvg_is_there(void)
{
    return true;
}

dp_status librsvg_open(render_task *task, media_bytes bytes, uint32_t sides[2], void **out)
{
    GError *error = NULL;
    double width = 0, height = 0;

    dp_status status = svg_guard_check(task, bytes);
    if (status == DP_OK) {
        status = task_check_time(task);
    }
    if (status != DP_OK) {
        return status;
    }
    RsvgHandle *handle = rsvg_handle_new_from_data(bytes.data, bytes.size_bytes, &error);
    if (handle == NULL) {
        return svg_failed(task, error);
    }
    natural_size(handle, &width, &height);
    const double larger = fmax(width, height);
    const double scale = larger > RENDER_SOURCE_SIDE_MAX ? RENDER_SOURCE_SIDE_MAX / larger : 1.0;
    sides[0] = side_of(width, scale);
    sides[1] = side_of(height, scale);
    *out = handle;
    return DP_OK;
}

static dp_status draw(render_task *task, RsvgHandle *handle, const surface *out)
{
    const RsvgRectangle viewport = {0, 0, out->width, out->height};
    GError *error = NULL;
    dp_status status = DP_OK;

    memset(out->pixels, 0, surface_bytes(out));
    cairo_surface_t *target =
        cairo_image_surface_create_for_data(out->pixels, CAIRO_FORMAT_ARGB32, (int)out->width,
                                            (int)out->height, (int)surface_stride_bytes(out));
    cairo_t *cairo = cairo_create(target);
    const gboolean drawn = rsvg_handle_render_document(handle, cairo, &viewport, &error);
    const bool sound = cairo_status(cairo) == CAIRO_STATUS_SUCCESS;
    if (!drawn || !sound) {
        status = svg_failed(task, error);
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

dp_status librsvg_draw(render_task *task, void *document, const picture *target)
{
    const surface canvas = picture_frame(target, 0);
    const dp_status status = draw(task, document, &canvas);
    if (status == DP_OK) {
        words_to_rgba(&canvas);
        composite_unpremultiply_cpu(canvas.pixels, (size_t)canvas.width * canvas.height);
    }
    return status;
}

static bool fonts_are_kept;

void librsvg_keep_fonts(void)
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

void librsvg_close(void *document)
{
    if (document != NULL) {
        g_object_unref(document);
        forget_fonts();
    }
}

#else

bool librsvg_is_there(void)
{
    return false;
}

dp_status librsvg_open(render_task *task, media_bytes bytes, uint32_t sides[2], void **out)
{
    (void)bytes;
    (void)sides;
    (void)out;
    return task_fail(task, DP_ERR_UNSUPPORTED, "this build has no librsvg");
}

dp_status librsvg_draw(render_task *task, void *document, const picture *target)
{
    (void)document;
    (void)target;
    return task_fail(task, DP_ERR_UNSUPPORTED, "this build has no librsvg");
}

void librsvg_close(void *document)
{
    (void)document;
}

void librsvg_keep_fonts(void)
{
}

#endif
