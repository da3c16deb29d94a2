/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace decorator: each call into a tier makes one report, with its size, its outcome and the
 * time that it took by the clock that was given.  The fake driver moves that clock in its calls, so
 * that a slow device is seen without waiting for one.
 */
#include "cm.h"

#include <string.h>

#include "cuda_fake.h"
#include "dp_features.h"
#include "pool/os.h"
#include "tier_rig.h"

#define EVENTS_MAX   64u
#define CALL_NS      UINT64_C(5000000) /* what each call of the slow driver takes */
#define CLOCK_START  UINT64_C(1000)
#define REGION_BYTES 65536u

typedef struct recorder {
    tier_trace_event events[EVENTS_MAX];
    unsigned count;
    uint64_t clock_ns;
} recorder;

static void record(void *user, const tier_trace_event *event)
{
    recorder *self = user;
    assert_true(self->count < EVENTS_MAX);
    self->events[self->count++] = *event;
}

static uint64_t read_clock(void *user)
{
    return ((recorder *)user)->clock_ns;
}

static void move_clock(void *user)
{
    ((recorder *)user)->clock_ns += CALL_NS;
}

static dp_tier *wrap(dp_tier *inner, recorder *to)
{
    tier_trace_sink sink = {.report = record, .user = to, .clock_ns = read_clock};
    dp_tier *tier = NULL;
    *to = (recorder){.clock_ns = CLOCK_START};
    assert_int_equal(tier_trace_wrap(inner, &sink, &tier), DP_OK);
    return tier;
}

static dp_tier *open_tier(dp_tier_id id)
{
    tier_open_args args = {0};
    char detail[96];
    dp_tier *tier = NULL;
    assert_int_equal(tier_open(id, &args, detail, &tier), DP_OK);
    return tier;
}

static void expect(const recorder *seen, unsigned at, tier_call call, size_t size_bytes,
                   dp_status status)
{
    assert_true(at < seen->count);
    assert_string_equal(tier_call_name(seen->events[at].call), tier_call_name(call));
    assert_int_equal(seen->events[at].size_bytes, size_bytes);
    assert_int_equal(seen->events[at].status, status);
}

static void every_call_of_a_slow_device_is_reported_with_its_time(void **state)
{
    (void)state;
    recorder seen;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    plan.on_call = move_clock;
    plan.on_call_user = &seen;
    cuda_fake_install(&plan);
    dp_tier *tier = wrap(open_tier(DP_TIER_MANAGED), &seen);
    tier_region region;
    assert_int_equal(tier_region_get(tier, REGION_BYTES, &region), DP_OK);
    assert_int_equal(tier_advise(tier, region.device, REGION_BYTES, DP_ADVICE_PREFER_HOST), DP_OK);
    assert_int_equal(tier_prefetch(tier, region.device, 1000, DP_PLACE_DEVICE, 0), DP_OK);
    assert_int_equal(tier_region_get(tier, SIZE_MAX / 4, &region), DP_ERR_NOMEM);
    tier_region_put(tier, &region);
    assert_int_equal(seen.count, 5);
    expect(&seen, 0, TIER_REGION_GET, REGION_BYTES, DP_OK);
    expect(&seen, 1, TIER_ADVISE, REGION_BYTES, DP_OK);
    expect(&seen, 2, TIER_PREFETCH, 1000, DP_OK);
    expect(&seen, 3, TIER_REGION_GET, SIZE_MAX / 4, DP_ERR_NOMEM);
    expect(&seen, 4, TIER_REGION_PUT, REGION_BYTES, DP_OK);
    for (unsigned i = 0; i < seen.count; i++) {
        assert_int_equal(seen.events[i].tier, DP_TIER_MANAGED);
        assert_int_equal(seen.events[i].start_ns, CLOCK_START + i * CALL_NS);
        assert_int_equal(seen.events[i].duration_ns, CALL_NS);
    }
    tier_close(tier);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static void copies_and_their_failures_are_reported(void **state)
{
    (void)state;
    recorder seen;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    cuda_fake_install(&plan);
    dp_tier *tier = wrap(open_tier(DP_TIER_HBM), &seen);
    tier_region region;
    char bytes[100] = "some bytes";
    assert_int_equal(tier_region_get(tier, REGION_BYTES, &region), DP_OK);
    assert_int_equal(tier_write(tier, &region, 10, bytes, 100), DP_OK);
    assert_int_equal(tier_read(tier, &region, 10, bytes, 50), DP_OK);
    cuda_fake_lose();
    assert_int_equal(tier_read(tier, &region, 10, bytes, 60), DP_ERR_DEVICE);
    tier_region_put(tier, &region);
    assert_string_equal(bytes, "some bytes");
    assert_int_equal(seen.count, 5);
    expect(&seen, 1, TIER_WRITE, 100, DP_OK);
    expect(&seen, 2, TIER_READ, 50, DP_OK);
    expect(&seen, 3, TIER_READ, 60, DP_ERR_DEVICE);
    tier_close(tier);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

static void what_another_decorator_refused_is_reported_too(void **state)
{
    (void)state;
    recorder seen;
    dp_tier *limited = NULL;
    assert_int_equal(tier_limit_wrap(open_tier(DP_TIER_HOST), 5000, &limited), DP_OK);
    dp_tier *tier = wrap(limited, &seen);
    tier_region region;
    assert_int_equal(tier_region_get(tier, 5001, &region), DP_ERR_QUOTA);
    assert_int_equal(tier_region_get(tier, 5000, &region), DP_OK);
    tier_region_put(tier, &region);
    assert_int_equal(seen.count, 3);
    expect(&seen, 0, TIER_REGION_GET, 5001, DP_ERR_QUOTA);
    expect(&seen, 1, TIER_REGION_GET, 5000, DP_OK);
    assert_int_equal(tier->info.budget_bytes_max, 5000);
    tier_close(tier);
}

static void without_a_clock_the_time_of_the_machine_is_read(void **state)
{
    (void)state;
    recorder seen = {0};
    tier_trace_sink sink = {.report = record, .user = &seen};
    dp_tier *tier = NULL;
    tier_region region;
    uint64_t before = os_clock_ns();
    assert_int_equal(tier_trace_wrap(open_tier(DP_TIER_HOST), &sink, &tier), DP_OK);
    assert_int_equal(tier_region_get(tier, 4096, &region), DP_OK);
    tier_region_put(tier, &region);
    uint64_t after = os_clock_ns();
    assert_int_equal(seen.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(seen.events[i].start_ns >= before);
        assert_true(seen.events[i].start_ns + seen.events[i].duration_ns <= after);
    }
    tier_close(tier);
}

static void without_memory_the_wrap_closes_what_it_was_given(void **state)
{
    (void)state;
    cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
    recorder seen = {0};
    tier_trace_sink sink = {.report = record, .user = &seen};
    cuda_fake_install(&plan);
    dp_tier *inner = open_tier(DP_TIER_HBM);
    dp_tier *tier = NULL;
    os_malloc_fail_nth(1);
    assert_int_equal(tier_trace_wrap(inner, &sink, &tier), DP_ERR_NOMEM);
    assert_int_equal(os_malloc_fail_nth(0), 0);
    assert_null(tier);
    assert_true(cuda_fake_is_clean());
    cuda_fake_uninstall();
}

#if DP_HAVE_PMEM

static void every_call_of_a_store_is_reported(void **state)
{
    (void)state;
    char directory[RIG_PATH_BYTES];
    recorder seen;
    rig_directory_make(directory);
    dp_tier *tier = wrap(rig_pmem_open(rig_path(directory, "trace.pool")), &seen);
    dp_cache_key key = rig_key(1);
    assert_int_equal(rig_check(tier, 1, 100), DP_ERR_NOT_FOUND);
    assert_int_equal(rig_commit(tier, 1, 100), DP_OK);
    assert_int_equal(rig_commit(tier, 1, 200), DP_ERR_EXISTS);
    assert_int_equal(rig_check(tier, 1, 100), DP_OK);
    assert_int_equal(rig_count(tier), 1);
    assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    assert_int_equal(tier_store_remove(tier, &key, NULL), DP_ERR_NOT_FOUND);
    assert_int_equal(seen.count, 8);
    dp_cache_key keys[2] = {rig_key(2), rig_key(2)};
    tier_item items[2] = {{.key = &keys[0], .data = "abc", .size_bytes = 3},
                          {.key = &keys[1], .data = "abcd", .size_bytes = 4}};
    tier_store_totals totals;
    tier_claim claim;
    tier_store_commit_many(tier, items, 2);
    tier_store_totals_read(tier, &totals);
    assert_int_equal(totals.bytes, 3);
    tier_store_unclaim(tier);
    assert_true(tier_store_claim(tier, &keys[0], &claim));
    assert_false(tier_store_claim_oldest(tier, DP_PRIORITY_LOW, &claim));
    assert_int_equal(seen.count, 13);
    expect(&seen, 8, TIER_COMMIT, 7, DP_ERR_EXISTS);
    expect(&seen, 9, TIER_TOTALS, 0, DP_OK);
    expect(&seen, 10, TIER_UNCLAIM, 0, DP_OK);
    expect(&seen, 11, TIER_CLAIM, 3, DP_OK);
    expect(&seen, 12, TIER_CLAIM, 0, DP_ERR_NOT_FOUND);
    expect(&seen, 0, TIER_FIND, 0, DP_ERR_NOT_FOUND);
    expect(&seen, 1, TIER_COMMIT, 100, DP_OK);
    expect(&seen, 2, TIER_COMMIT, 200, DP_ERR_EXISTS);
    expect(&seen, 3, TIER_FIND, 100, DP_OK);
    expect(&seen, 4, TIER_RELEASE, 100, DP_OK);
    expect(&seen, 5, TIER_EACH, 0, DP_OK);
    expect(&seen, 6, TIER_REMOVE, 100, DP_OK);
    expect(&seen, 7, TIER_REMOVE, 0, DP_ERR_NOT_FOUND);
    tier_close(tier);
    rig_directory_remove(directory);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_a_slow_device_is_reported_with_its_time),
        cmocka_unit_test(copies_and_their_failures_are_reported),
        cmocka_unit_test(what_another_decorator_refused_is_reported_too),
        cmocka_unit_test(without_a_clock_the_time_of_the_machine_is_read),
        cmocka_unit_test(without_memory_the_wrap_closes_what_it_was_given),
#if DP_HAVE_PMEM
        cmocka_unit_test(every_call_of_a_store_is_reported),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
