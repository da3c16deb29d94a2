/* SPDX-License-Identifier: Apache-2.0 */
/* Leases that buffers have of their own: what counts, who is asked, and what a revoke may rely on.
 */
#include "cm.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "watch.h"

typedef struct owner {
    dp_buf *buf;
    unsigned revoked;
    bool puts;
} owner;

static void owner_revoke(void *user, dp_buf *buf)
{
    owner *self = user;
    assert_ptr_equal(buf, self->buf);
    self->revoked++;
    if (self->puts) {
        dp_put(self->buf);
        self->buf = NULL;
    }
}

static void a_lease_of_its_own_is_what_counts_and_its_owner_is_asked_once(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    owner shorter = {.buf = rig_get(rig.pool, DP_KIND_TEXT, 100), .puts = true};
    owner longer = {.buf = rig_get(rig.pool, DP_KIND_TEXT, 100)};
    owner ended = {.buf = rig_get(rig.pool, DP_KIND_TEXT, 100)};
    assert_int_equal(dp_buf_lease(shorter.buf, 0, NULL, NULL), DP_ERR_INVALID);
    assert_int_equal(dp_buf_lease(shorter.buf, DP_LEASE_MS_MAX + 1, NULL, NULL), DP_ERR_INVALID);
    assert_int_equal(dp_buf_lease(shorter.buf, 9000, NULL, NULL), DP_OK);
    assert_int_equal(dp_buf_lease(shorter.buf, 1000, owner_revoke, &shorter), DP_OK);
    assert_int_equal(dp_buf_lease(longer.buf, 60000, owner_revoke, &longer), DP_OK);
    assert_int_equal(dp_buf_lease(ended.buf, 60000, owner_revoke, &ended), DP_OK);
    dp_buf_unlease(ended.buf);
    dp_buf_unlease(ended.buf);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 2 * SECOND), 1);
    assert_ptr_equal(self.seen[0].buf, shorter.buf);
    assert_int_equal(self.seen[0].severity, DP_ESCAPE_LOW);
    assert_int_equal(self.seen[0].lease_ns, SECOND);
    assert_int_equal(watch_after(&self, 5 * SECOND), 2); /* 7 s: high, and the one without */
    assert_int_equal(self.totals.revoked, 1);
    assert_int_equal(shorter.revoked, 1);
    assert_null(shorter.buf);                             /* given back by its revoke */
    assert_int_equal(watch_after(&self, 52 * SECOND), 1); /* 59 s: only that becomes worse */
    assert_ptr_equal(self.seen[0].buf, ended.buf);
    assert_int_equal(watch_after(&self, 20 * SECOND), 1);
    assert_ptr_equal(self.seen[0].buf, longer.buf);
    assert_true(self.seen[0].revoked);
    assert_int_equal(longer.revoked, 1);
    assert_int_equal(watch_after(&self, 20 * SECOND), 0);
    assert_int_equal(longer.revoked, 1);
    assert_int_equal(ended.revoked, 0);
    dp_put(longer.buf);
    dp_put(ended.buf);
    /* A lease ends with its buffer: the next life of the block has none. */
    dp_buf *next[2];
    for (unsigned i = 0; i < 2; i++)
        next[i] = rig_get(rig.pool, DP_KIND_TEXT, 100);
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, 5 * SECOND + 1), 2);
    assert_int_equal(self.seen[0].lease_ns, 5 * SECOND);
    dp_put(next[0]);
    dp_put(next[1]);
    pool_rig_close(&rig);
}

static void many_leases_are_all_kept_and_each_is_found(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_buf *bufs[200];
    for (unsigned i = 0; i < 200; i++) {
        bufs[i] = rig_get(rig.pool, DP_KIND_TEXT, 100);
        assert_int_equal(dp_buf_lease(bufs[i], 1000 + i, NULL, NULL), DP_OK);
    }
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, SECOND + SECOND / 10), 100);
    assert_int_equal(watch_after(&self, SECOND), 100);
    for (unsigned i = 0; i < 200; i++)
        dp_put(bufs[i]);
    pool_rig_close(&rig);
}

static void without_memory_a_lease_is_refused_and_the_buffer_unharmed(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    dp_buf *bufs[80];
    for (unsigned i = 0; i < 80; i++) {
        bufs[i] = rig_get(rig.pool, DP_KIND_TEXT, 100);
        (void)os_malloc_fail_nth(1); /* the table's growth at first and later, else a record */
        dp_status status = dp_buf_lease(bufs[i], 1000, NULL, NULL);
        assert_int_equal(os_malloc_fail_nth(0), 0);
        if (status != DP_OK) {
            assert_int_equal(status, DP_ERR_NOMEM);
            assert_int_equal(dp_buf_lease(bufs[i], 1000, NULL, NULL), DP_OK);
        }
    }
    assert_int_equal(watch_after(&self, SECOND), 0);
    assert_int_equal(watch_after(&self, SECOND + 1), 80);
    for (unsigned i = 0; i < 80; i++)
        dp_put(bufs[i]);
    pool_rig_close(&rig);
}

/*
 * An owner with two references, one of which may be revoked, who puts both and frees himself at
 * once: his last put waits for a revoke that is under way, or that has put the other one already.
 */
typedef struct brief_owner {
    _Atomic unsigned asked;
    _Atomic(dp_buf *) lent;
} brief_owner;

typedef struct brief {
    dp_pool *pool;
    _Atomic uint64_t revoked; /* references that the revoke was first to take */
    _Atomic bool stop;
} brief;

static void brief_revoke(void *user, dp_buf *buf)
{
    brief_owner *self = user;
    for (unsigned i = 0; i < 50; i++) {
        atomic_fetch_add(&self->asked, 1);
        sched_yield();
    }
    dp_buf *lent = atomic_exchange(&self->lent, NULL);
    assert_true(lent == NULL || lent == buf);
    dp_put(lent);
}

static void *brief_run(void *user)
{
    brief *self = user;
    for (unsigned i = 0; !atomic_load(&self->stop); i++) {
        brief_owner *me = calloc(1, sizeof *me);
        dp_buf *buf = rig_get(self->pool, DP_KIND_TEXT, 100);
        assert_true(me != NULL && buf != NULL);
        assert_int_equal(dp_buf_lease(buf, 1, brief_revoke, me), DP_OK);
        atomic_store(&me->lent, dp_ref(buf));
        for (unsigned k = 0; k < i % 256; k++)
            sched_yield();
        dp_buf *lent = atomic_exchange(&me->lent, NULL);
        atomic_fetch_add(&self->revoked, lent == NULL);
        dp_put(lent);
        dp_put(buf);
        free(me);
    }
    return NULL;
}

static void a_revoke_under_way_keeps_what_it_needs(void **state)
{
    (void)state;
    static watch self;
    pool_rig rig;
    open_watch(&rig, &self);
    brief owners = {.pool = rig.pool};
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, brief_run, &owners), 0);
    uint64_t asked = 0;
    for (unsigned i = 0; i < 200000 && (asked < 200 || atomic_load(&owners.revoked) < 10); i++) {
        (void)watch_after(&self, 10 * SECOND);
        asked += self.totals.revoked;
        sched_yield();
    }
    atomic_store(&owners.stop, true);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(asked >= 200 && atomic_load(&owners.revoked) >= 10);
    pool_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_of_its_own_is_what_counts_and_its_owner_is_asked_once),
        cmocka_unit_test(many_leases_are_all_kept_and_each_is_found),
        cmocka_unit_test(without_memory_a_lease_is_refused_and_the_buffer_unharmed),
        cmocka_unit_test(a_revoke_under_way_keeps_what_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
