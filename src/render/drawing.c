/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See drawing.h.  A thread's tools hang at a key of the thread, whose destructor ends them.
 */
#include "render/drawing.h"

#include "dp_features.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "kernels/composite.h"
#include "pool/os.h"
#include "render/svg/draw.h"
#include "render/svg/draw_pack.h"
#if DP_HAVE_EXPAT
#include "render/svg/svg.h"
#endif

typedef struct tools {
#if DP_HAVE_EXPAT
    svg_context *parser; /* NULL: not needed yet */
#endif
    draw_context *drawer;
    draw_packer packer;
} tools;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static int key_error;

static void tools_end(void *user)
{
    tools *t = user;
#if DP_HAVE_EXPAT
    svg_context_destroy(t->parser);
#endif
    draw_context_destroy(t->drawer);
    draw_packer_drop(&t->packer);
    os_free(t);
}

static void key_make(void)
{
    key_error = pthread_key_create(&key, tools_end);
}

/* NULL when there is no memory. */
static tools *tools_here(void)
{
    if (pthread_once(&key_once, key_make) != 0 || key_error != 0) {
        return NULL;
    }
    tools *t = pthread_getspecific(key);
    if (t == NULL) {
        t = os_calloc(1, sizeof *t);
        if (t != NULL && pthread_setspecific(key, t) != 0) {
            os_free(t);
            t = NULL;
        }
    }
    return t;
}

void drawing_forget(void)
{
    tools *t = tools_here();
    if (t != NULL) {
        (void)pthread_setspecific(key, NULL);
        tools_end(t);
    }
}

/* ---- documents ---- */

#if DP_HAVE_EXPAT

bool drawing_can_parse(void)
{
    return true;
}

static dp_status keep_block(render_task *task, const scene_block *block, dp_buf **out)
{
    const dp_request request = {
        .size_bytes = block->size_bytes, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    const dp_status status = dp_get(task->pool, &request, out);
    if (status != DP_OK) {
        return task_fail(task, status, "no memory for the drawing's scene");
    }
    memcpy(dp_buf_data(*out), block->bytes, block->size_bytes);
    return DP_OK;
}

dp_status drawing_parse(render_task *task, media_bytes bytes, dp_buf **out,
                        char why[DRAWING_WHY_BYTES])
{
    _Static_assert(SVG_MESSAGE_BYTES <= DRAWING_WHY_BYTES, "the parser's words fit");
    tools *t = tools_here();
    scene_block block;

    dp_status status = t == NULL ? DP_ERR_NOMEM : DP_OK;
    if (status == DP_OK && t->parser == NULL) {
        status = svg_context_create(&t->parser);
    }
    if (status != DP_OK) {
        return task_fail(task, status, "no memory to read the drawing");
    }
    why[0] = '\0';
    status = svg_parse(t->parser, bytes.data, bytes.size_bytes, task->deadline_ns, &block, why);
    if (status == DP_ERR_UNSUPPORTED) {
        return status;
    }
    return status == DP_OK
               ? keep_block(task, &block, out)
               : task_fail(task, status, "%s", why[0] == '\0' ? dp_status_message(status) : why);
}

#else

bool drawing_can_parse(void)
{
    return false;
}

dp_status drawing_parse(render_task *task, media_bytes bytes, dp_buf **out,
                        char why[DRAWING_WHY_BYTES])
{
    (void)bytes;
    (void)out;
    why[0] = '\0';
    return task_fail(task, DP_ERR_UNSUPPORTED, "this build cannot read svg");
}

#endif

/* ---- scenes ---- */

dp_status drawing_open(render_task *task, const dp_buf *bytes, scene *out)
{
    const dp_status status = scene_open(dp_buf_data(bytes), dp_buf_size(bytes), out);
    return status == DP_OK ? DP_OK : task_fail(task, status, "the drawing's scene is damaged");
}

void drawing_sides(const scene *s, uint32_t sides[2])
{
    const float natural[2] = {s->header->width, s->header->height};
    const float larger = fmaxf(natural[0], natural[1]);
    const float scale =
        larger > (float)RENDER_SOURCE_SIDE_MAX ? (float)RENDER_SOURCE_SIDE_MAX / larger : 1.0f;
    for (int i = 0; i < 2; i++) {
        const float side = natural[i] * scale;
        sides[i] = side >= 1.0f ? (uint32_t)lroundf(fminf(side, (float)RENDER_SOURCE_SIDE_MAX)) : 1;
    }
}

/* The thread's drawer, with the task's deadline. */
static dp_status drawer_here(const render_task *task, tools **out)
{
    draw_limits limits = DRAW_LIMITS_DEFAULT;
    tools *t = tools_here();
    dp_status status = t == NULL ? DP_ERR_NOMEM : DP_OK;

    if (status == DP_OK && t->drawer == NULL) {
        status = draw_context_create(&t->drawer);
    }
    if (status == DP_OK) {
        limits.deadline_ns = task->deadline_ns;
        draw_context_limits(t->drawer, &limits);
        *out = t;
    }
    return status;
}

dp_status drawing_raster(render_task *task, const scene *s, const picture *target)
{
    const surface canvas = picture_frame(target, 0);
    tools *t;

    dp_status status = drawer_here(task, &t);
    if (status == DP_OK) {
        status = draw_scene(t->drawer, s, canvas.width, canvas.height, canvas.pixels,
                            surface_stride_bytes(&canvas));
    }
    switch (status) {
    case DP_OK:
        composite_unpremultiply_cpu(canvas.pixels, (size_t)canvas.width * canvas.height);
        return DP_OK;
    case DP_ERR_TOO_LARGE:
        return task_fail(task, status, "the drawing has too much in it for its size");
    case DP_ERR_TIMEOUT:
        return task_fail(task, status, "the drawing takes too long");
    case DP_ERR_NOMEM:
        return task_fail(task, status, "no memory to draw");
    default:
        return task_fail(task, status, "cannot be drawn: %s", dp_status_message(status));
    }
}

/* ---- plans ---- */

dp_status drawing_plan_make(render_task *task, const scene *s, const uint32_t size[2],
                            drawing_plan **out)
{
    tools *t;
    dp_status status = drawer_here(task, &t);

    if (status == DP_OK) {
        status = draw_pack_make(&t->packer, t->drawer, s, size);
    }
    if (status != DP_OK) {
        return status;
    }
    /* As the device likes it best: page-locked, where there is such memory. */
    const dp_request request = {
        .size_bytes = t->packer.head.size_bytes, .kind = DP_KIND_SURFACE, .need = DP_NEED_HOST};
    drawing_plan *plan = os_calloc(1, sizeof *plan);
    if (plan == NULL) {
        return DP_ERR_NOMEM;
    }
    status = dp_get(task->pool, &request, &plan->pack);
    if (status != DP_OK) {
        os_free(plan);
        return status;
    }
    draw_pack_write(&t->packer, dp_buf_data(plan->pack));
    atomic_init(&plan->refs, 1);
    atomic_init(&plan->uses, 0);
    *out = plan;
    return DP_OK;
}

void drawing_plan_ref(drawing_plan *plan)
{
    atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
}

void drawing_plan_put(drawing_plan *plan)
{
    if (plan != NULL && atomic_fetch_sub_explicit(&plan->refs, 1, memory_order_acq_rel) == 1) {
        dp_put(plan->resident);
        dp_put(plan->pack);
        os_free(plan);
    }
}

size_t drawing_plan_bytes(const drawing_plan *plan)
{
    return dp_buf_size(plan->pack);
}
