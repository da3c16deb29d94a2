/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of the defaults for a whole group of tests: cmocka_run_group_tests(tests, make_pool,
 * drop_pool). */
#ifndef DP_TESTS_ONE_POOL_H
#define DP_TESTS_ONE_POOL_H

#include <danpool/pool.h>

static dp_pool *pool;

static int make_pool(void **state)
{
    (void)state;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    return dp_pool_create(&config, &pool) == DP_OK ? 0 : -1;
}

static int drop_pool(void **state)
{
    (void)state;
    dp_pool_destroy(pool);
    return 0;
}

#endif
