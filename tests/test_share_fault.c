/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share when something runs out: the whole story of one buffer is told again and again, with the
 * first allocation, descriptor or mapping missing, then the second, until all are there.  Nothing
 * may leak and nothing be half done.
 */
#include "share_rig.h"

#include <sys/resource.h>

/* Everything once; stops at the first failure and takes down what there is. */
static dp_status whole_story(dp_pool *pool)
{
    const dp_share_config config = SHARE_RIG_CONFIG;
    dp_share *share = NULL;
    dp_share_view *view = NULL;
    dp_share_invitation made;
    dp_share_token token;
    dp_buf *buf = NULL;
    const void *data = NULL;
    size_t size_bytes = 0;
    dp_status status = dp_share_create(pool, &config, &share);
    if (status != DP_OK)
        return status;
    status = dp_share_invite(share, &made);
    if (status == DP_OK) {
        status = dp_share_attach(made.control_fd, made.data_fd, &view);
        (void)close(made.control_fd);
        (void)close(made.data_fd);
    }
    if (status == DP_OK)
        status = dp_share_get(share, 100, &buf);
    if (status == DP_OK) {
        status = dp_share_export(share, buf, made.peer, &token);
        dp_put(buf);
    }
    if (status == DP_OK)
        status = dp_share_acquire(view, &token, &data, &size_bytes);
    if (status == DP_OK)
        status = dp_share_release(view, &token);
    dp_share_detach(view);
    dp_share_reap(share, NULL);
    share_check(share);
    dp_share_destroy(share);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    dp_pool *pool = share_rig_pool();
    int fds = share_rig_fds();
    uint64_t nth = 0;
    dp_status status;
    do {
        (void)os_malloc_fail_nth(++nth);
        status = whole_story(pool);
        bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, fired ? DP_ERR_NOMEM : DP_OK);
        assert_int_equal(share_rig_fds(), fds);
        assert_int_equal(share_rig_maps(), 0);
        pool_check(pool);
    } while (status != DP_OK);
    /* share, bitmap, grants, order, view, buffer */
    assert_true(nth >= 7);
    dp_pool_destroy(pool);
}

static void every_descriptor_may_be_missing(void **state)
{
    (void)state;
    dp_pool *pool = share_rig_pool();
    int fds = share_rig_fds();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* The lowest free number: a limit there leaves none, one above leaves one, and so on. */
    int lowest = dup(STDERR_FILENO);
    assert_true(lowest >= 0);
    assert_int_equal(close(lowest), 0);
    unsigned missing = 0;
    dp_status status;
    do {
        struct rlimit limit = {.rlim_cur = (rlim_t)lowest + missing, .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        status = whole_story(pool);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_true(status == DP_OK || status == DP_ERR_NOMEM);
        assert_int_equal(share_rig_fds(), fds);
        assert_int_equal(share_rig_maps(), 0);
        missing++;
    } while (status != DP_OK && missing < 50);
    assert_int_equal(status, DP_OK);
    assert_true(missing >= 5);
    dp_pool_destroy(pool);
}

/* Bytes of address space that this process has. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    assert_int_equal(fclose(file), 0);
    return (rlim_t)pages * os_page_bytes();
}

static void every_mapping_may_fail(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their shadow memory is larger than any limit */
#endif
    dp_pool *pool = share_rig_pool();
    int fds = share_rig_fds();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(whole_story(pool), DP_OK); /* what malloc keeps, it has now */
    rlim_t base = address_space();
    unsigned failed = 0;
    dp_status status;
    do {
        struct rlimit limit = {.rlim_cur = base + failed * (rlim_t)65536,
                               .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
        status = whole_story(pool);
        assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
        assert_true(status == DP_OK || status == DP_ERR_NOMEM);
        assert_int_equal(share_rig_fds(), fds);
        assert_int_equal(share_rig_maps(), 0);
        failed += status != DP_OK;
    } while (status != DP_OK && failed < 100);
    assert_int_equal(status, DP_OK);
    /* The owner's data and control, the peer's control and data: 896 KiB. */
    assert_true(failed >= 10);
    dp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_descriptor_may_be_missing),
        cmocka_unit_test(every_mapping_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
