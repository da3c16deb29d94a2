/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share under threads on both sides: owners that get, fill and grant, peers that claim, check
 * every byte and give back, a reaper whose leases are so short that it withdraws what is being
 * claimed.  Tokens travel through pipes.  The seed is printed.
 */
#include "share_rig.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define OWNERS    2
#define PEERS     2
#define PER_OWNER 2000

typedef struct stress {
    share_rig rig;
    uint32_t peers[PEERS];
    dp_share_view *views[PEERS];
    int pipes[PEERS][2];
    _Atomic bool stop;
    _Atomic unsigned wrong;
    _Atomic unsigned claimed;
    _Atomic unsigned lapsed;
} stress;

typedef struct worker {
    stress *s;
    unsigned number;
    unsigned seed;
} worker;

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Every byte of a buffer is the lowest byte of its size: a peer needs to be told nothing. */
static void *owner_run(void *user)
{
    worker *w = user;
    stress *s = w->s;
    for (unsigned i = 0; i < PER_OWNER; i++) {
        size_t size_bytes = 1 + next_random(&w->seed) % 20000;
        unsigned to = next_random(&w->seed) % PEERS;
        dp_buf *buf = NULL;
        dp_share_token token;
        while (dp_share_get(s->rig.share, size_bytes, &buf) != DP_OK)
            (void)sched_yield(); /* the peers empty the share */
        memset(dp_buf_data(buf), (int)(size_bytes & 255), size_bytes);
        dp_status status = dp_share_export(s->rig.share, buf, s->peers[to], &token);
        dp_put(buf);
        if (status == DP_OK && next_random(&w->seed) % 32 == 0)
            (void)dp_share_revoke(s->rig.share, &token);
        if (status == DP_OK &&
            write(s->pipes[to][1], token.bytes, sizeof token.bytes) != sizeof token.bytes)
            atomic_fetch_add(&s->wrong, 1);
    }
    return NULL;
}

static void *peer_run(void *user)
{
    worker *w = user;
    stress *s = w->s;
    dp_share_view *view = s->views[w->number % PEERS];
    dp_share_token token;
    while (read(s->pipes[w->number % PEERS][0], token.bytes, sizeof token.bytes) ==
           sizeof token.bytes) {
        const void *data = NULL;
        size_t size_bytes = 0;
        dp_status status = dp_share_acquire(view, &token, &data, &size_bytes);
        if (status == DP_ERR_NOT_FOUND) {
            atomic_fetch_add(&s->lapsed, 1);
            continue;
        }
        atomic_fetch_add(&s->claimed, 1);
        bool good = status == DP_OK;
        for (size_t i = 0; good && i < size_bytes; i++)
            good = ((const unsigned char *)data)[i] == (size_bytes & 255);
        if (!good || dp_share_release(view, &token) != DP_OK)
            atomic_fetch_add(&s->wrong, 1);
    }
    return NULL;
}

static void *reaper_run(void *user)
{
    worker *w = user;
    while (!atomic_load(&w->s->stop)) {
        const struct timespec pause = {.tv_nsec = 50000};
        dp_share_reap(w->s->rig.share, NULL);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

static void stress_open(stress *s)
{
    dp_share_config config = SHARE_RIG_CONFIG;
    config.lease_ms = 0; /* whatever is not claimed at once is withdrawn by the next reaping */
    config.grants_max = 64;
    s->rig.pool = share_rig_pool();
    assert_int_equal(dp_share_create(s->rig.pool, &config, &s->rig.share), DP_OK);
    for (unsigned i = 0; i < PEERS; i++) {
        s->views[i] = share_rig_peer(&s->rig, &s->peers[i]);
        assert_int_equal(pipe(s->pipes[i]), 0);
    }
}

static void stress_close(stress *s)
{
    for (unsigned i = 0; i < PEERS; i++) {
        assert_int_equal(close(s->pipes[i][0]), 0);
        dp_share_detach(s->views[i]);
    }
    dp_share_reap(s->rig.share, NULL);
    dp_share_stats stats = share_rig_stats(&s->rig);
    assert_int_equal(stats.used_bytes, 0);
    assert_int_equal(stats.grants, 0);
    /* A claim that crossed its withdrawal is given back too, though nobody held it. */
    assert_true(stats.released >= atomic_load(&s->claimed));
    assert_int_equal(stats.granted, stats.released + stats.expired + stats.revoked + stats.dropped);
    share_rig_close(&s->rig);
}

static void no_byte_is_ever_wrong_however_threads_and_leases_cross(void **state)
{
    (void)state;
    static stress s;
    pthread_t owners[OWNERS], peers[PEERS * 2], reaper;
    worker workers[OWNERS + PEERS * 2 + 1];
    const unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    stress_open(&s);
    for (unsigned i = 0; i < sizeof workers / sizeof workers[0]; i++)
        workers[i] = (worker){&s, i, seed + i};
    for (unsigned i = 0; i < PEERS * 2; i++)
        assert_int_equal(pthread_create(&peers[i], NULL, peer_run, &workers[OWNERS + i]), 0);
    worker *last = &workers[OWNERS + PEERS * 2];
    assert_int_equal(pthread_create(&reaper, NULL, reaper_run, last), 0);
    for (unsigned i = 0; i < OWNERS; i++)
        assert_int_equal(pthread_create(&owners[i], NULL, owner_run, &workers[i]), 0);
    for (unsigned i = 0; i < OWNERS; i++)
        assert_int_equal(pthread_join(owners[i], NULL), 0);
    for (unsigned i = 0; i < PEERS; i++)
        assert_int_equal(close(s.pipes[i][1]), 0);
    for (unsigned i = 0; i < PEERS * 2; i++)
        assert_int_equal(pthread_join(peers[i], NULL), 0);
    atomic_store(&s.stop, true);
    assert_int_equal(pthread_join(reaper, NULL), 0);
    print_message("%u claimed, %u lapsed\n", atomic_load(&s.claimed), atomic_load(&s.lapsed));
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_true(atomic_load(&s.claimed) > 0);
    stress_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_is_ever_wrong_however_threads_and_leases_cross),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
