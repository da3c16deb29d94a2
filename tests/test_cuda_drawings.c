/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drawings by the CUDA backend without a GPU, over a played device (support/late_device.h),
 * compared with the CPU backend's, byte for byte; pictures to be scaled among them.
 */
#include <stdio.h>
#include <string.h>

#include "cm.h"
#include "late_device.h"
#include "pool/os.h"
#include "render/backend_cuda.h"
#include "render/svg/draw_pack.h"
#include "used_bytes.h"

#include <danpool/stats.h>

#define ITEMS_MAX  80
#define SCENES_MAX 16
#define SVG_BYTES  4096

typedef struct rig {
    dp_pool *pool;
    render_task task;
    backend *cuda, *cpu;
    uint32_t seed;
    dp_buf *scene_bytes[SCENES_MAX];
    scene scenes[SCENES_MAX];
    unsigned scene_count;
    picture source, made[ITEMS_MAX], wanted[ITEMS_MAX];
    backend_item items[ITEMS_MAX];
    backend_item *list[ITEMS_MAX];
    size_t count;
} rig;

static uint32_t below(rig *r, uint32_t most)
{
    r->seed = r->seed * 1664525u + 1013904223u;
    return (r->seed >> 12) % most;
}

static void rig_open(rig *r, uint32_t tiers, size_t device_bytes)
{
    dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST) | tiers};
    char detail[BACKEND_DETAIL_BYTES];
    *r = (rig){.seed = 11};
    late_device_begin(device_bytes);
    assert_int_equal(dp_pool_create(&config, &r->pool), DP_OK);
    late_device_open();
    r->task = (render_task){.pool = r->pool};
    assert_int_equal(backend_cuda_open_over(r->pool, &late_device_calls, detail, &r->cuda), DP_OK);
    assert_int_equal(backend_cpu_open(r->pool, detail, &r->cpu), DP_OK);
    assert_true(r->cuda->ops->rasters);
}

static void items_drop(rig *r)
{
    for (size_t i = 0; i < r->count; i++) {
        drawing_plan_put(r->items[i].plan);
        picture_drop(&r->made[i]);
        picture_drop(&r->wanted[i]);
    }
    r->count = 0;
}

static void rig_close(rig *r)
{
    items_drop(r);
    picture_drop(&r->source);
    while (r->scene_count > 0) {
        dp_put(r->scene_bytes[--r->scene_count]);
    }
    r->cuda->ops->close(r->cuda);
    assert_int_equal(pool_used_bytes(r->pool), 0);
    late_device_close();
    dp_pool_destroy(r->pool);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static const scene *open_scene(rig *r, const char *text)
{
    const media_bytes bytes = {(const uint8_t *)text, strlen(text)};
    char why[DRAWING_WHY_BYTES];
    assert_true(r->scene_count < SCENES_MAX);
    const unsigned n = r->scene_count++;
    assert_int_equal(drawing_parse(&r->task, bytes, &r->scene_bytes[n], why), DP_OK);
    assert_int_equal(drawing_open(&r->task, r->scene_bytes[n], &r->scenes[n]), DP_OK);
    return &r->scenes[n];
}

/* A document of random shapes; some in groups with filters, within each other. */
static const scene *add_scene(rig *r, unsigned shapes, bool filters)
{
    static const char *const ends[] = {"", "</g>", "</g></g>"};
    char text[SVG_BYTES];
    int at = snprintf(text, sizeof text,
                      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 48'><defs>"
                      "<filter id='b'><feGaussianBlur stdDeviation='%u'/></filter>"
                      "<linearGradient id='g'><stop stop-color='#f00'/><stop offset='1' "
                      "stop-color='#00f' stop-opacity='.4'/></linearGradient>"
                      "<clipPath id='c'><circle cx='30' cy='20' r='20'/></clipPath></defs>",
                      1 + below(r, 4));
    for (unsigned i = 0; i < shapes; i++) {
        const unsigned depth = filters ? below(r, 3) : 0;
        const char *look = below(r, 3) == 0 ? "url(#g)" : "#3a7";
        at += snprintf(text + at, sizeof text - (size_t)at,
                       "%s<path d='M%u %uL%u %uQ%u %u %u 9z' fill='%s' opacity='.%u'%s/>%s",
                       depth == 2   ? "<g filter='url(#b)'><g filter='url(#b)' opacity='.7'>"
                       : depth == 1 ? "<g filter='url(#b)'>"
                                    : "",
                       below(r, 64), below(r, 48), below(r, 64), below(r, 48), below(r, 64),
                       below(r, 48), below(r, 64), look, 3 + below(r, 7),
                       below(r, 3) == 0 ? " clip-path='url(#c)'" : "", ends[depth]);
    }
    at += snprintf(text + at, sizeof text - (size_t)at, "</svg>");
    assert_true((size_t)at < sizeof text);
    return open_scene(r, text);
}

static backend_item *add_item(rig *r, uint32_t width, uint32_t height)
{
    const size_t i = r->count++;
    assert_true(i < ITEMS_MAX);
    assert_int_equal(picture_take(&r->task, width, height, 1, &r->made[i]), DP_OK);
    assert_int_equal(picture_take(&r->task, width, height, 1, &r->wanted[i]), DP_OK);
    memset(r->made[i].bytes, 0x11, r->made[i].frame_bytes);
    memset(r->wanted[i].bytes, 0x22, r->wanted[i].frame_bytes);
    r->items[i] = (backend_item){.task = &r->task, .target = &r->made[i], .status = DP_ERR_INVALID};
    r->list[i] = &r->items[i];
    return &r->items[i];
}

static backend_item *add_drawing(rig *r, const scene *s, uint32_t width, uint32_t height)
{
    const uint32_t size[2] = {width, height};
    backend_item *item = add_item(r, width, height);
    item->kind = BACKEND_RASTER;
    item->scene = s;
    assert_int_equal(drawing_plan_make(&r->task, s, size, &item->plan), DP_OK);
    return item;
}

/* The same plan as an earlier item's, as a cache would give it. */
static void add_again(rig *r, const backend_item *first)
{
    backend_item *item = add_item(r, first->target->width, first->target->height);
    item->kind = BACKEND_RASTER;
    item->scene = first->scene;
    item->plan = first->plan;
    drawing_plan_ref(item->plan);
    atomic_fetch_add(&item->plan->uses, 1);
}

static void add_scaled(rig *r)
{
    if (r->source.buf == NULL) {
        assert_int_equal(picture_take(&r->task, 90, 70, 1, &r->source), DP_OK);
        for (size_t i = 0; i < r->source.frame_bytes; i++) {
            r->source.bytes[i] = (uint8_t)below(r, 256);
        }
    }
    backend_item *item = add_item(r, 1 + below(r, 40), 1 + below(r, 40));
    item->kind = BACKEND_RESAMPLE;
    item->source = &r->source;
    item->cut = (backend_cut){.width = 90, .height = 70};
}

static void expect_right(rig *r)
{
    char detail[BACKEND_DETAIL_BYTES];
    for (size_t i = 0; i < r->count; i++) {
        backend_item right = r->items[i];
        backend_item *list = &right;
        assert_int_equal(r->items[i].status, DP_OK);
        assert_int_equal(r->items[i].tier, DP_TIER_HBM);
        right.target = &r->wanted[i];
        assert_int_equal(r->cpu->ops->run(r->cpu, &list, 1, detail), DP_OK);
        assert_int_equal(right.status, DP_OK);
        assert_memory_equal(r->made[i].bytes, r->wanted[i].bytes, r->made[i].frame_bytes);
        memset(r->made[i].bytes, 0x11, r->made[i].frame_bytes);
        r->items[i].status = DP_ERR_INVALID;
    }
}

static dp_status run(rig *r, char detail[BACKEND_DETAIL_BYTES])
{
    detail[0] = '\0';
    return r->cuda->ops->run(r->cuda, r->list, r->count, detail);
}

#define ALL_TIERS (DP_TIER_BIT(DP_TIER_PINNED) | DP_TIER_BIT(DP_TIER_HBM))
#define PLENTY    ((size_t)200 << 20)

#define NEED_FRONT_END                                                                             \
    if (!drawing_can_parse())                                                                      \
    skip()

static void add_mixture(rig *r, unsigned scenes, uint32_t side_max)
{
    for (unsigned i = 0; i < scenes; i++) {
        const scene *s = add_scene(r, 1 + below(r, 8), i % 2 == 1);
        const backend_item *first =
            add_drawing(r, s, 1 + below(r, side_max), 1 + below(r, side_max));
        add_scaled(r);
        add_drawing(r, s, 1 + below(r, 2 * side_max), 1 + below(r, side_max));
        if (below(r, 2) == 0) {
            add_again(r, first);
        }
    }
}

static void drawings_and_pictures_of_one_batch_get_the_cpus_bytes(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    NEED_FRONT_END;
    for (int with_pinned = 0; with_pinned < 2; with_pinned++) {
        rig_open(&r, with_pinned ? ALL_TIERS : DP_TIER_BIT(DP_TIER_HBM), PLENTY);
        add_mixture(&r, 8, 60);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(run(&r, detail), DP_OK);
            expect_right(&r);
        }
        assert_int_equal(late.launches, 4); /* pictures, drawings */
        rig_close(&r);
    }
}

/* Sent with the batch once, then to where it stays, then no more. */
static void a_plan_that_is_used_again_stays_on_the_device(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    size_t sent[4];
    (void)state;
    NEED_FRONT_END;
    rig_open(&r, ALL_TIERS, PLENTY);
    backend_item *item = add_drawing(&r, add_scene(&r, 12, false), 128, 128);
    const draw_pack *pack = dp_buf_data(item->plan->pack);
    for (int i = 0; i < 4; i++) {
        atomic_store(&item->plan->uses, (unsigned)i);
        late.sent_bytes = 0;
        assert_int_equal(run(&r, detail), DP_OK);
        expect_right(&r);
        sent[i] = late.sent_bytes;
    }
    assert_true(sent[0] > pack->front_bytes);
    assert_true(sent[1] > pack->front_bytes);
    assert_true(sent[2] < sent[0] - pack->front_bytes + 512);
    assert_int_equal(sent[3], sent[2]);
    assert_int_equal(late.copies, 5); /* pixels are written home, not copied */
    assert_non_null(item->plan->resident);
    assert_int_equal(dp_buf_tier(item->plan->resident), DP_TIER_HBM);
    rig_close(&r);
}

static void a_large_batch_is_several_chunks_that_overlap(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    NEED_FRONT_END;
    rig_open(&r, ALL_TIERS, PLENTY);
    /* Most tiles are empty: a loop over threads is slow. */
    const scene *s = open_scene(&r,
                                "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 99 99'>"
                                "<circle cx='9' cy='7' r='6' fill='#8af'/></svg>");
    const backend_item *first = add_drawing(&r, s, 1500, 1500);
    for (int i = 0; i < 6; i++) {
        /* Several chunks want the plan while the first one brings it. */
        add_again(&r, first);
    }
    late.others_first = true;
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    assert_true(late.launches > 2);
    assert_true(late.most_under_way > 1);
    assert_non_null(first->plan->resident);
    assert_null(first->plan->uploading);
    rig_close(&r);
}

/* The n-th call to the device fails, for every n: what was on its way to stay is not believed. */
static void a_device_that_fails_at_any_call_fails_the_batch_and_leaks_nothing(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    unsigned nth = 1;
    (void)state;
    NEED_FRONT_END;
    for (bool failed = true; failed; nth++) {
        rig_open(&r, ALL_TIERS, PLENTY);
        add_mixture(&r, 4, 24);
        add_again(&r, &r.items[0]);
        const uint64_t before = pool_used_bytes(r.pool);
        late.call_number = 0;
        late.fail_at = nth;
        const dp_status status = run(&r, detail);
        failed = late.call_number >= nth;
        late.fail_at = 0;
        if (failed) {
            assert_int_equal(status, DP_ERR_DEVICE);
            assert_string_equal(detail, "cuda: the played device failed");
            for (size_t i = 0; i < r.count; i++) {
                assert_true(r.items[i].plan == NULL || r.items[i].plan->uploading == NULL);
            }
        }
        assert_true(failed || status == DP_OK);
        assert_true(pool_used_bytes(r.pool) >= before);
        /* It comes back, and draws what is right. */
        assert_int_equal(run(&r, detail), DP_OK);
        expect_right(&r);
        rig_close(&r);
    }
    assert_true(nth > 8);
}

static void no_refused_bookkeeping_leaks(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    NEED_FRONT_END;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_mixture(&r, 4, 24);
    for (uint64_t nth = 1;; nth++) {
        os_malloc_fail_nth(nth);
        const dp_status status = run(&r, detail);
        const bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, DP_OK);
        for (size_t i = 0; i < r.count; i++) {
            assert_true(r.items[i].status == DP_OK || r.items[i].status == DP_ERR_NOMEM);
        }
        if (!fired) {
            break;
        }
    }
    expect_right(&r);
    rig_close(&r);
}

static void drawings_that_find_no_memory_on_the_device_are_told_so(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    NEED_FRONT_END;
    rig_open(&r, DP_TIER_BIT(DP_TIER_HBM), (size_t)3 << 20);
    add_drawing(&r, add_scene(&r, 3, true), 1500, 1500);
    assert_int_equal(run(&r, detail), DP_OK);
    assert_true(backend_spare_can_help(r.items[0].status));
    rig_close(&r);
}

static void no_failed_plan_leaks(void **state)
{
    static rig r;
    const uint32_t size[2] = {300, 200};
    drawing_plan *plan = NULL;
    (void)state;
    NEED_FRONT_END;
    rig_open(&r, ALL_TIERS, PLENTY);
    const scene *s = add_scene(&r, 9, true);
    const uint64_t before = pool_used_bytes(r.pool);
    dp_status status = DP_ERR_NOMEM;
    for (uint64_t nth = 1; status == DP_ERR_NOMEM; nth++) {
        drawing_forget();
        os_malloc_fail_nth(nth);
        status = drawing_plan_make(&r.task, s, size, &plan);
        os_malloc_fail_nth(0);
        assert_true(status == DP_OK || pool_used_bytes(r.pool) == before);
    }
    assert_int_equal(status, DP_OK);
    drawing_plan_put(plan);
    /* Late is late. */
    r.task.deadline_ns = 1;
    assert_int_equal(drawing_plan_make(&r.task, s, size, &plan), DP_ERR_TIMEOUT);
    r.task.deadline_ns = 0;
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawings_and_pictures_of_one_batch_get_the_cpus_bytes),
        cmocka_unit_test(a_plan_that_is_used_again_stays_on_the_device),
        cmocka_unit_test(a_large_batch_is_several_chunks_that_overlap),
        cmocka_unit_test(a_device_that_fails_at_any_call_fails_the_batch_and_leaks_nothing),
        cmocka_unit_test(no_refused_bookkeeping_leaks),
        cmocka_unit_test(drawings_that_find_no_memory_on_the_device_are_told_so),
        cmocka_unit_test(no_failed_plan_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
