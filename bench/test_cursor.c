/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemes of bench pool-cursor hand out every slot, none of them twice.
 *
 * Each scheme but the raw loop (which shares nothing) is a test case.
 */
#include "cm.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "cursor_schemes.h"

#define THREADS 3u
#define OPS     30000u
#define HELD    100u

static void one_thread_gets_every_slot_once_and_again(void **state)
{
    const cursor_scheme *scheme = *state;
    cursor_state *pool = cursor_create(scheme, 1);
    assert_non_null(pool);
    for (int round = 0; round < 3; round++) {
        bool seen[CURSOR_SLOTS] = {false};
        for (uint32_t i = 0; i < CURSOR_SLOTS; i++) {
            uint32_t slot = scheme->get(pool, 0);
            assert_in_range(slot, 0, CURSOR_SLOTS - 1);
            assert_false(seen[slot]);
            seen[slot] = true;
        }
        assert_int_equal(scheme->get(pool, 0), CURSOR_NONE);
        for (uint32_t i = 0; i < CURSOR_SLOTS; i++) {
            scheme->put(pool, 0, i);
        }
    }
    cursor_destroy(pool);
}

typedef struct taker {
    const cursor_scheme *scheme;
    cursor_state *pool;
    unsigned number;
    bool failed;
} taker;

static void *take_and_give(void *user)
{
    taker *self = user;
    uint32_t held[HELD];
    for (unsigned i = 0; i < HELD; i++) {
        held[i] = CURSOR_NONE;
    }
    for (unsigned i = 0; i < OPS + HELD; i++) {
        uint32_t *at = &held[i % HELD];
        if (*at != CURSOR_NONE) {
            self->failed |= self->pool->slots[*at].owner != self->number + 1;
            self->pool->slots[*at].owner = 0;
            self->scheme->put(self->pool, self->number, *at);
        }
        *at = i < OPS ? self->scheme->get(self->pool, self->number) : CURSOR_NONE;
        if (*at != CURSOR_NONE) {
            self->failed |= self->pool->slots[*at].owner != 0;
            self->pool->slots[*at].owner = self->number + 1;
        }
    }
    return NULL;
}

static void threads_never_hold_the_same_slot(void **state)
{
    const cursor_scheme *scheme = *state;
    cursor_state *pool = cursor_create(scheme, THREADS);
    assert_non_null(pool);
    taker takers[THREADS];
    pthread_t ids[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        takers[i] = (taker){.scheme = scheme, .pool = pool, .number = i};
        assert_int_equal(pthread_create(&ids[i], NULL, take_and_give, &takers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
        assert_false(takers[i].failed);
    }
    cursor_destroy(pool);
}

int main(void)
{
    struct CMUnitTest tests[2 * (CURSOR_SCHEMES - 1)];
    size_t count = 0;
    for (size_t s = CURSOR_RAW + 1; s < CURSOR_SCHEMES; s++) {
        void *scheme = (void *)(uintptr_t)&cursor_schemes[s];
        tests[count++] = (struct CMUnitTest)cmocka_unit_test_prestate(
            one_thread_gets_every_slot_once_and_again, scheme);
        tests[count++] =
            (struct CMUnitTest)cmocka_unit_test_prestate(threads_never_hold_the_same_slot, scheme);
    }
    return _cmocka_run_group_tests("cursor", tests, count, NULL, NULL);
}
