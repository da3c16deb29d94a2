/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox while memory or descriptors fail, one call after the other: what fails is said, nothing
 * is lost, and afterwards all is as before.
 */
#include <sys/resource.h>

#include "sandbox_rig.h"

/* The n-th allocation from here on fails, for each n until one run has fewer. */
#define SWEEP_MAX 200u

static void check_cleanly_failed(dp_status status, const render_task *task)
{
    if (status == DP_OK) {
        return;
    }
    assert_true(status == DP_ERR_NOMEM || status == DP_ERR_BUSY);
    assert_true(task->message[0] != '\0');
}

static void each_allocation_of_a_beginning_may_fail(void **state)
{
    (void)state;
    const sandbox_config config = rig_config(1);
    const dp_pool_config pool_config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    dp_pool *pool;
    assert_int_equal(dp_pool_create(&pool_config, &pool), DP_OK);
    unsigned nth = 1;
    for (; nth < SWEEP_MAX; nth++) {
        char detail[SANDBOX_DETAIL_BYTES] = "";
        sandbox *box = NULL;
        os_malloc_fail_nth(nth);
        const dp_status status = sandbox_create(pool, &config, detail, &box);
        const bool fired = os_malloc_fail_nth(0) == 0;
        if (status == DP_OK) {
            sandbox_destroy(box);
        } else {
            assert_int_equal(status, DP_ERR_NOMEM);
            assert_true(detail[0] != '\0');
        }
        if (!fired) {
            break;
        }
        assert_int_not_equal(status, DP_OK);
    }
    assert_true(nth > 1 && nth < SWEEP_MAX);
    dp_pool_destroy(pool);
}

static void each_allocation_of_a_job_may_fail(void **state)
{
    (void)state;
    made_media media = media_png(50, 40, &(png_options){.bit_depth = 8, .color_type = 2});
    if (media.bytes == NULL) {
        skip();
    }
    unsigned nth = 1;
    for (; nth < SWEEP_MAX; nth++) {
        sandbox_rig rig;
        const sandbox_config config = rig_config(1);
        picture made = {0};
        /* A fresh one each time: the first job of a worker makes its region. */
        rig_open(&rig, &config);
        render_task task = rig_task(&rig, 20000);
        os_malloc_fail_nth(nth);
        const dp_status status = rig_picture(&rig, &task, &media, NULL, &made);
        const bool fired = os_malloc_fail_nth(0) == 0;
        check_cleanly_failed(status, &task);
        picture_drop(&made);
        task = rig_task(&rig, 20000);
        assert_int_equal(rig_picture(&rig, &task, &media, NULL, &made), DP_OK);
        picture_drop(&made);
        rig_close(&rig);
        if (!fired) {
            break;
        }
    }
    assert_true(nth > 1 && nth < SWEEP_MAX);
    media_free(&media);
}

/* With no descriptor left a new region cannot be made, nor a dead worker replaced. */
static void without_descriptors_jobs_fail_and_the_sandbox_lives_on(void **state)
{
    (void)state;
    struct rlimit before, few;
    sandbox_rig rig;
    const sandbox_config config = rig_config(1);
    rig_open(&rig, &config);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    render_task task = rig_task(&rig, 300);
    const dp_status no_region = rig_trick(&rig, &task, TRICK_NONE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(no_region, DP_ERR_NOMEM);
    assert_string_equal(task.message, "no memory to decode in");

    task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick(&rig, &task, TRICK_NONE), DP_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    task = rig_task(&rig, 20000);
    const dp_status crashed = rig_trick(&rig, &task, TRICK_CRASH);
    task = rig_task(&rig, 300);
    const dp_status no_worker = rig_trick_from(&rig, &task, "another", 0, TRICK_NONE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(crashed, DP_ERR_FORMAT);
    assert_int_equal(no_worker, DP_ERR_BUSY);
    assert_string_equal(task.message, "no decoder came free in time");
    task = rig_task(&rig, 20000);
    assert_int_equal(rig_trick_from(&rig, &task, "another", 0, TRICK_NONE), DP_OK);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_a_beginning_may_fail),
        cmocka_unit_test(each_allocation_of_a_job_may_fail),
        cmocka_unit_test(without_descriptors_jobs_fail_and_the_sandbox_lives_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
