/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Movable buffers with holders on several threads: what waits for what, and that nobody ever sees
 * half of a move.
 */
#include "cm.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "gate_tier.h"
#include "movable_rig.h"

/* ---- in the middle of a copy ---- */

typedef struct gated {
    gate_tier gate;
    fake_tier_counts counts[2];
    dp_pool *pool;
    dp_buf *buf; /* movable, in hbm, filled with seed 1 */
    dp_status moved;
    dp_status mapped;
    dp_status written;
    bool saw_all;
} gated;

#define GATED_BYTES 3000u

static void gated_open(gated *at)
{
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    memset(at, 0, sizeof *at);
    fake_tier_plan host = {.id = DP_TIER_HOST};
    fake_tier_plan hbm = {.id = DP_TIER_HBM, .device_only = true};
    assert_non_null(tiers[DP_TIER_HOST] = fake_tier_open(&host, &at->counts[0]));
    gate_init(&at->gate, fake_tier_open(&hbm, &at->counts[1]));
    tiers[DP_TIER_HBM] = &at->gate.tier;
    assert_int_equal(pool_create_over(&config, tiers, &at->pool), DP_OK);
    assert_non_null(at->buf = movable_get(at->pool, GATED_BYTES));
    assert_int_equal(dp_buf_migrate(at->buf, DP_TIER_HBM), DP_OK);
    fill(at->buf, GATED_BYTES, 1);
}

static void gated_close(gated *at)
{
    dp_put(at->buf);
    pool_check(at->pool);
    dp_pool_destroy(at->pool);
    gate_destroy(&at->gate);
}

static void *gated_move(void *user)
{
    gated *at = user;
    at->moved = dp_buf_migrate(at->buf, DP_TIER_HOST);
    return NULL;
}

static void *gated_map(void *user)
{
    gated *at = user;
    void *host = NULL;
    at->mapped = dp_buf_map(at->buf, &host);
    if (at->mapped == DP_OK) {
        at->saw_all = is_filled(host, GATED_BYTES, 1);
        dp_buf_unmap(at->buf);
    }
    return NULL;
}

static void *gated_write(void *user)
{
    gated *at = user;
    unsigned char bytes[GATED_BYTES];
    for (size_t i = 0; i < GATED_BYTES; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) + 2);
    at->written = dp_buf_write(at->buf, 0, bytes, GATED_BYTES);
    return NULL;
}

/* Whoever does not wait for the gate is through by then; nothing depends on it otherwise. */
static void give_time(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static void a_move_waits_for_a_write_that_is_under_way(void **state)
{
    (void)state;
    gated at;
    pthread_t writer;
    pthread_t mover;
    gated_open(&at);
    gate_set(&at.gate, GATE_WRITES);
    assert_int_equal(pthread_create(&writer, NULL, gated_write, &at), 0);
    gate_wait(&at.gate);
    assert_int_equal(pthread_create(&mover, NULL, gated_move, &at), 0);
    give_time();
    gate_set(&at.gate, 0);
    pthread_join(writer, NULL);
    pthread_join(mover, NULL);
    assert_int_equal(at.written, DP_OK);
    assert_int_equal(at.moved, DP_OK);
    check_filled(at.buf, GATED_BYTES, 2); /* and takes it along */
    gated_close(&at);
}

static void a_map_and_a_write_wait_for_a_move_that_is_under_way(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        gated at;
        pthread_t mover;
        pthread_t other;
        gated_open(&at);
        gate_set(&at.gate, GATE_READS);
        assert_int_equal(pthread_create(&mover, NULL, gated_move, &at), 0);
        gate_wait(&at.gate);
        assert_int_equal(pthread_create(&other, NULL, round == 0 ? gated_map : gated_write, &at),
                         0);
        give_time();
        gate_set(&at.gate, 0);
        pthread_join(mover, NULL);
        pthread_join(other, NULL);
        assert_int_equal(at.moved, DP_OK);
        if (round == 0) {
            assert_int_equal(at.mapped, DP_OK); /* it is where the CPU sees it by now */
            assert_true(at.saw_all);
        } else {
            assert_int_equal(at.written, DP_OK);
            check_filled(at.buf, GATED_BYTES, 2);
        }
        gated_close(&at);
    }
}

/* ---- threads ---- */

#define MOVE_BYTES  6000u
#define MOVE_ROUNDS 400u

typedef struct crowd {
    dp_pool *pool;
    dp_buf *buf;
    atomic_uint moved;
    atomic_uint busy;
    atomic_uint mapped;
    const char *_Atomic complaint;
} crowd;

static void complain(crowd *at, const char *what)
{
    atomic_store(&at->complaint, what);
}

static void *move_about(void *user)
{
    crowd *at = user;
    for (unsigned i = 0; i < MOVE_ROUNDS; i++) {
        dp_status status = dp_buf_migrate(at->buf, tiers_all[i % TIERS_ALL]);
        if (status == DP_OK)
            atomic_fetch_add(&at->moved, 1);
        else if (status == DP_ERR_BUSY)
            atomic_fetch_add(&at->busy, 1);
        else
            complain(at, "a move failed");
    }
    return NULL;
}

static void *map_and_look(void *user)
{
    crowd *at = user;
    dp_buf *mine = dp_ref(at->buf);
    for (unsigned i = 0; i < MOVE_ROUNDS; i++) {
        void *host = NULL;
        if (dp_buf_map(mine, &host) == DP_OK) {
            atomic_fetch_add(&at->mapped, 1);
            if (dp_buf_data(mine) != host || dp_buf_tier(mine) == DP_TIER_HBM)
                complain(at, "it moved while it was mapped");
            if (!is_filled(host, MOVE_BYTES, 4))
                complain(at, "a map shows other bytes");
            dp_buf_unmap(mine);
        }
        sched_yield();
    }
    dp_put(mine);
    return NULL;
}

static void *read_and_write(void *user)
{
    crowd *at = user;
    dp_buf *mine = dp_ref(at->buf);
    unsigned char bytes[MOVE_BYTES];
    for (unsigned i = 0; i < MOVE_ROUNDS; i++) {
        if (dp_buf_read(mine, 0, bytes, MOVE_BYTES) != DP_OK || !is_filled(bytes, MOVE_BYTES, 4))
            complain(at, "a read gets other bytes");
        dp_tier_id tier = dp_buf_tier(mine);
        if (tier != DP_TIER_HOST && tier != DP_TIER_PINNED && tier != DP_TIER_HBM)
            complain(at, "a tier that was never its own");
        /* A byte behind those that the others look at, so that writes are lost if a move loses
         * them; this thread is its only writer. */
        unsigned char count = (unsigned char)i;
        unsigned char last = 0;
        if (dp_buf_read(mine, MOVE_BYTES, &last, 1) != DP_OK ||
            (i > 0 && last != (unsigned char)(i - 1)))
            complain(at, "a write was lost");
        if (dp_buf_write(mine, MOVE_BYTES, &count, 1) != DP_OK)
            complain(at, "a write failed");
    }
    dp_put(mine);
    return NULL;
}

static void holders_on_many_threads_never_see_half_a_move(void **state)
{
    (void)state;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    crowd at = {.pool = rig.pool, .buf = movable_get(rig.pool, MOVE_BYTES + 1)};
    fill(at.buf, MOVE_BYTES, 4);
    static void *(*const work[])(void *) = {move_about, move_about, map_and_look, read_and_write};
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], &at), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    const char *complaint = atomic_load(&at.complaint);
    if (complaint != NULL)
        fail_msg("%s", complaint);
    assert_int_equal(at.moved + at.busy, 2 * MOVE_ROUNDS);
    assert_true(at.moved > 0);
    print_message("movable: %u moves, %u refused, %u maps\n", at.moved, at.busy, at.mapped);
    assert_int_equal(buf_references(at.buf), 1);
    dp_put(at.buf);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_waits_for_a_write_that_is_under_way),
        cmocka_unit_test(a_map_and_a_write_wait_for_a_move_that_is_under_way),
        cmocka_unit_test(holders_on_many_threads_never_see_half_a_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
