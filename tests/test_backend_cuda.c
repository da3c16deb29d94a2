/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA backend without a GPU, over a played device (support/late_device.h): pictures that are
 * scaled, compared with the CPU backend's, byte for byte.
 */
#include <string.h>

#include "cm.h"
#include "late_device.h"
#include "pool/os.h"
#include "render/backend_cuda.h"
#include "used_bytes.h"

#include <danpool/stats.h>

#define ITEMS_MAX 64

/* ---- pictures and items ---- */

typedef struct rig {
    dp_pool *pool;
    render_task task;
    backend *cuda, *cpu;
    uint32_t seed;
    picture sources[ITEMS_MAX], made[ITEMS_MAX], wanted[ITEMS_MAX];
    backend_item items[ITEMS_MAX];
    backend_item *list[ITEMS_MAX];
    size_t count;
} rig;

static void rig_open(rig *r, uint32_t tiers, size_t device_bytes)
{
    dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST) | tiers};
    char detail[BACKEND_DETAIL_BYTES];
    *r = (rig){.seed = 7};
    late_device_begin(device_bytes);
    assert_int_equal(dp_pool_create(&config, &r->pool), DP_OK);
    late_device_open();
    r->task = (render_task){.pool = r->pool};
    assert_int_equal(backend_cuda_open_over(r->pool, &late_device_calls, detail, &r->cuda), DP_OK);
    assert_int_equal(backend_cpu_open(r->pool, detail, &r->cpu), DP_OK);
}

static void items_drop(rig *r)
{
    for (size_t i = 0; i < r->count; i++) {
        picture_drop(&r->sources[i]);
        picture_drop(&r->made[i]);
        picture_drop(&r->wanted[i]);
    }
    r->count = 0;
}

static void rig_close(rig *r)
{
    items_drop(r);
    r->cuda->ops->close(r->cuda);
    assert_int_equal(pool_used_bytes(r->pool), 0);
    late_device_close();
    dp_pool_destroy(r->pool);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static uint32_t below(rig *r, uint32_t most)
{
    r->seed = r->seed * 1664525u + 1013904223u;
    return (r->seed >> 12) % most;
}

static void fill(rig *r, picture *p)
{
    const size_t size_bytes = dp_buf_size(p->buf);
    size_t filled = 0;
    while (filled < size_bytes && filled < 4096) {
        p->bytes[filled++] = (uint8_t)below(r, 256);
    }
    /* The rest repeats, but by no row's length. */
    while (filled < size_bytes) {
        const size_t more = size_bytes - filled < 4093 ? size_bytes - filled : 4093;
        memcpy(p->bytes + filled, p->bytes, more);
        filled += more;
    }
}

/* A source of its own for the next item. */
static void add_source(rig *r, uint32_t width, uint32_t height, uint32_t frames, bool planes)
{
    picture *p = &r->sources[r->count];
    if (planes) {
        const uint32_t halves = below(r, 3);
        const uint32_t chroma[2] = {halves > 0 ? (width + 1) / 2 : width,
                                    halves > 1 ? (height + 1) / 2 : height};
        assert_int_equal(picture_take_planes(&r->task, width, height, chroma, p), DP_OK);
    } else {
        assert_int_equal(picture_take(&r->task, width, height, frames, p), DP_OK);
    }
    fill(r, p);
}

/* The next item: a cut of `source` into so many frames of width x height. */
static void add_item(rig *r, const picture *source, uint32_t width, uint32_t height,
                     uint32_t frames)
{
    const size_t i = r->count++;
    backend_cut cut = {.x = below(r, source->width), .y = below(r, source->height)};
    cut.width = 1 + below(r, source->width - cut.x);
    cut.height = 1 + below(r, source->height - cut.y);
    assert_int_equal(picture_take(&r->task, width, height, frames, &r->made[i]), DP_OK);
    assert_int_equal(picture_take(&r->task, width, height, frames, &r->wanted[i]), DP_OK);
    memset(r->made[i].bytes, 0x11, r->made[i].frame_bytes * frames);
    memset(r->wanted[i].bytes, 0x22, r->wanted[i].frame_bytes * frames);
    r->items[i] = (backend_item){.kind = BACKEND_RESAMPLE,
                                 .task = &r->task,
                                 .source = source,
                                 .cut = cut,
                                 .target = &r->made[i],
                                 .status = DP_ERR_INVALID};
    r->list[i] = &r->items[i];
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
        assert_memory_equal(r->made[i].bytes, r->wanted[i].bytes,
                            r->made[i].frame_bytes * r->made[i].frame_count);
    }
}

static dp_status run(rig *r, char detail[BACKEND_DETAIL_BYTES])
{
    detail[0] = '\0';
    return r->cuda->ops->run(r->cuda, r->list, r->count, detail);
}

static void add_mixture(rig *r, unsigned items)
{
    for (unsigned i = 0; i < items; i++) {
        const bool planes = below(r, 3) == 0;
        const uint32_t frames = planes ? 1 : 1 + below(r, 3);
        add_source(r, 1 + below(r, 150), 1 + below(r, 100), frames, planes);
        const picture *source = &r->sources[r->count];
        const uint32_t sizes = 1 + below(r, 3); /* of one source, one after the other */
        for (uint32_t k = 0; k < sizes && r->count < ITEMS_MAX; k++) {
            add_item(r, source, 1 + below(r, 100), 1 + below(r, 100), 1 + below(r, frames));
        }
    }
}

#define ALL_TIERS (DP_TIER_BIT(DP_TIER_PINNED) | DP_TIER_BIT(DP_TIER_HBM))
#define PLENTY    ((size_t)512 << 20)

/* ---- tests ---- */

static void a_batch_of_unlike_items_gives_the_cpus_bytes(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    for (int with_pinned = 0; with_pinned < 2; with_pinned++) {
        rig_open(&r, with_pinned ? ALL_TIERS : DP_TIER_BIT(DP_TIER_HBM), PLENTY);
        for (int round = 0; round < 4; round++) {
            add_mixture(&r, 16);
            assert_int_equal(run(&r, detail), DP_OK);
            expect_right(&r);
            items_drop(&r);
        }
        assert_int_equal(late.launches, 4);
        rig_close(&r);
    }
}

static void one_source_of_many_sizes_is_sent_once(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_source(&r, 400, 300, 1, false); /* large enough to be sent from where it is */
    const picture *source = &r.sources[0];
    assert_int_equal(dp_buf_tier(source->buf), DP_TIER_PINNED);
    for (uint32_t i = 1; i <= 8; i++) {
        add_item(&r, source, 10 * i, 8 * i, 1);
    }
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    assert_int_equal(late.launches, 1);
    assert_int_equal(late.copies, 3); /* axes and jobs, the source, all results */
    rig_close(&r);
}

static void large_targets_come_home_without_a_stop(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_source(&r, 300, 300, 2, false);
    const picture *source = &r.sources[0];
    add_item(&r, source, 256, 256, 2);
    add_item(&r, source, 20, 20, 2);
    assert_int_equal(dp_buf_tier(r.made[0].buf), DP_TIER_PINNED);
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    assert_int_equal(late.copies, 4);
    rig_close(&r);
}

static void a_large_batch_is_several_chunks_that_overlap(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    for (int i = 0; i < 5; i++) {
        add_source(&r, 2300, 2200, 1, i == 3);
        const picture *source = &r.sources[r.count];
        add_item(&r, source, 30, 20, 1);
    }
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    assert_true(late.launches > 2);
    assert_true(late.most_under_way > 1);
    rig_close(&r);
}

/* The n-th call to the device fails, for every n: the batch says so, and nothing stays behind. */
static void a_device_that_fails_at_any_call_fails_the_batch_and_leaks_nothing(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    unsigned nth = 1;
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_mixture(&r, 4);
    add_source(&r, 300, 200, 1, false);
    const picture *source = &r.sources[r.count];
    add_item(&r, source, 200, 200, 1);
    const uint64_t before = pool_used_bytes(r.pool);
    for (;; nth++) {
        late.call_number = 0;
        late.fail_at = nth;
        const dp_status status = run(&r, detail);
        assert_int_equal(pool_used_bytes(r.pool), before);
        if (late.call_number < nth) {
            assert_int_equal(status, DP_OK);
            break;
        }
        assert_int_equal(status, DP_ERR_DEVICE);
        assert_string_equal(detail, "cuda: the played device failed");
    }
    assert_true(nth > 5);
    late.fail_at = 0;
    assert_int_equal(run(&r, detail), DP_OK);
    expect_right(&r);
    rig_close(&r);
}

static void a_driver_that_loses_the_device_is_a_failed_batch(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_mixture(&r, 3);
    cuda_fake_lose();
    const dp_status status = run(&r, detail);
    /* Where the pool's own breaker is quicker, the items are told that there is no memory. */
    assert_true(status == DP_ERR_DEVICE || backend_spare_can_help(r.items[0].status));
    cuda_fake_mend();
    rig_close(&r);
}

static void items_that_find_no_memory_on_the_device_are_told_so(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, DP_TIER_BIT(DP_TIER_HBM), (size_t)3 << 20);
    add_source(&r, 1500, 1500, 1, false);
    const picture *source = &r.sources[0];
    add_item(&r, source, 100, 100, 1);
    assert_int_equal(run(&r, detail), DP_OK);
    assert_true(backend_spare_can_help(r.items[0].status));
    rig_close(&r);
}

static void no_refused_bookkeeping_leaks(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    add_mixture(&r, 3);
    const uint64_t before = pool_used_bytes(r.pool);
    for (uint64_t nth = 1;; nth++) {
        os_malloc_fail_nth(nth);
        const dp_status status = run(&r, detail);
        const bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, DP_OK);
        assert_int_equal(pool_used_bytes(r.pool), before);
        if (!fired) {
            break;
        }
    }
    expect_right(&r);
    rig_close(&r);
}

static void an_opening_that_fails_closes_what_it_opened(void **state)
{
    static rig r;
    char detail[BACKEND_DETAIL_BYTES];
    (void)state;
    rig_open(&r, ALL_TIERS, PLENTY);
    for (unsigned nth = 1;; nth++) {
        backend *other = NULL;
        late.call_number = 0;
        late.fail_at = nth;
        const dp_status status = backend_cuda_open_over(r.pool, &late_device_calls, detail, &other);
        if (status == DP_OK) {
            other->ops->close(other);
            break;
        }
        assert_int_equal(status, DP_ERR_UNSUPPORTED);
        assert_null(other);
        assert_string_equal(detail, "cuda: the played device failed");
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_unlike_items_gives_the_cpus_bytes),
        cmocka_unit_test(one_source_of_many_sizes_is_sent_once),
        cmocka_unit_test(large_targets_come_home_without_a_stop),
        cmocka_unit_test(a_large_batch_is_several_chunks_that_overlap),
        cmocka_unit_test(a_device_that_fails_at_any_call_fails_the_batch_and_leaks_nothing),
        cmocka_unit_test(a_driver_that_loses_the_device_is_a_failed_batch),
        cmocka_unit_test(items_that_find_no_memory_on_the_device_are_told_so),
        cmocka_unit_test(no_refused_bookkeeping_leaks),
        cmocka_unit_test(an_opening_that_fails_closes_what_it_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
