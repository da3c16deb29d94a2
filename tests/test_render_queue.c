/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded priority queue alone: order, turns, deadlines, bounds, slots, closing, and many
 * threads at once.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "cm.h"
#include "pool/os.h"
#include "render/queue.h"

static queue_job job_of(dp_priority priority, uint64_t number)
{
    return (queue_job){.job = {.priority = priority, .output_count = 1}, .submitted_ns = number};
}

static render_queue *make(unsigned jobs_max)
{
    const render_queue_config config = {
        .jobs_max = jobs_max, .tenant_jobs_max = jobs_max, .slots_max = 64};
    render_queue *queue;
    assert_int_equal(render_queue_create(&config, &queue), DP_OK);
    return queue;
}

static void push(render_queue *queue, dp_priority priority, uint64_t number, dp_status expected)
{
    const queue_job job = job_of(priority, number);
    assert_int_equal(render_queue_push(queue, &job), expected);
}

static void pop(render_queue *queue, uint64_t expected)
{
    queue_work work;
    assert_true(render_queue_pop(queue, &work));
    assert_false(work.resumed);
    assert_int_equal(work.job.submitted_ns, expected);
    render_queue_release(queue, work.slot);
}

static unsigned length_of(render_queue *queue)
{
    queue_stats stats;
    render_queue_stats_read(queue, &stats);
    return stats.length;
}

static void push_for(render_queue *queue, uint64_t tenant, uint64_t number, dp_status expected)
{
    queue_job job = job_of(DP_PRIORITY_NORMAL, number);
    job.job.tenant = tenant;
    assert_int_equal(render_queue_push(queue, &job), expected);
}

static void higher_priority_first_and_first_come_within_one(void **state)
{
    (void)state;
    render_queue *queue = make(8);
    push(queue, DP_PRIORITY_LOW, 1, DP_OK);
    push(queue, DP_PRIORITY_HIGH, 2, DP_OK);
    push(queue, DP_PRIORITY_NORMAL, 3, DP_OK);
    push(queue, DP_PRIORITY_HIGH, 4, DP_OK);
    push(queue, DP_PRIORITY_LOW, 5, DP_OK);
    assert_int_equal(length_of(queue), 5);
    pop(queue, 2);
    pop(queue, 4);
    push(queue, DP_PRIORITY_HIGH, 6, DP_OK);
    pop(queue, 6);
    pop(queue, 3);
    pop(queue, 1);
    pop(queue, 5);
    render_queue_close(queue);
    render_queue_destroy(queue);
}

static void a_full_queue_is_busy_until_a_job_is_taken(void **state)
{
    (void)state;
    render_queue *queue = make(2);
    for (uint64_t round = 0; round < 5; round++) {
        push(queue, DP_PRIORITY_LOW, round, DP_OK);
        push(queue, DP_PRIORITY_HIGH, round + 100, DP_OK);
        push(queue, DP_PRIORITY_HIGH, 0, DP_ERR_BUSY);
        pop(queue, round + 100);
        pop(queue, round);
    }
    render_queue_destroy(queue);
}

static void a_closed_queue_takes_nothing_and_gives_only_to_drain(void **state)
{
    queue_job job;
    (void)state;
    render_queue *queue = make(4);
    push(queue, DP_PRIORITY_LOW, 1, DP_OK);
    push(queue, DP_PRIORITY_HIGH, 2, DP_OK);
    render_queue_close(queue);
    push(queue, DP_PRIORITY_HIGH, 3, DP_ERR_CLOSED);
    queue_work work;
    assert_false(render_queue_pop(queue, &work));
    assert_true(render_queue_drain(queue, &job));
    assert_int_equal(job.submitted_ns, 2);
    assert_true(render_queue_drain(queue, &job));
    assert_int_equal(job.submitted_ns, 1);
    assert_false(render_queue_drain(queue, &job));
    render_queue_destroy(queue);
}

/* A hundred jobs of one tenant delay another's first one by a turn, not by a hundred. */
static void tenants_take_turns_within_a_priority(void **state)
{
    (void)state;
    render_queue *queue = make(200);
    for (uint64_t i = 0; i < 100; i++) {
        push_for(queue, 1, 1000 + i, DP_OK);
    }
    push_for(queue, 2, 2000, DP_OK);
    push_for(queue, 2, 2001, DP_OK);
    push_for(queue, 3, 3000, DP_OK);
    pop(queue, 1000);
    pop(queue, 2000);
    pop(queue, 3000);
    pop(queue, 1001);
    pop(queue, 2001);
    pop(queue, 1002);
    pop(queue, 1003);
    push_for(queue, 3, 3001, DP_OK);
    pop(queue, 1004);
    pop(queue, 3001);
    for (uint64_t i = 5; i < 100; i++) {
        pop(queue, 1000 + i);
    }
    render_queue_destroy(queue);
}

static void a_costly_job_takes_several_turns(void **state)
{
    (void)state;
    render_queue *queue = make(64);
    queue_job big = job_of(DP_PRIORITY_NORMAL, 1000);
    unsigned served = 0;
    big.job.tenant = 1;
    big.job.output_count = 7; /* three turns */
    assert_int_equal(queue_cost(&big.job), 3);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(render_queue_push(queue, &big), DP_OK);
    }
    for (uint64_t i = 0; i < 9; i++) {
        push_for(queue, 2, 2000, DP_OK);
    }
    for (unsigned i = 0; i < 12; i++) {
        queue_work work;
        assert_true(render_queue_pop(queue, &work));
        served += work.job.job.tenant == 2;
        render_queue_release(queue, work.slot);
        if (i == 7) {
            assert_in_range(served, 5, 6); /* three of the others in the time of one */
        }
    }
    render_queue_destroy(queue);
}

static void a_tenant_beyond_its_share_is_refused_alone(void **state)
{
    const render_queue_config config = {.jobs_max = 8, .tenant_jobs_max = 3, .slots_max = 2};
    render_queue *queue;
    queue_stats stats;
    (void)state;
    assert_int_equal(render_queue_create(&config, &queue), DP_OK);
    for (uint64_t i = 0; i < 3; i++) {
        push_for(queue, 1, 1, DP_OK);
    }
    push_for(queue, 1, 9, DP_ERR_QUOTA);
    push_for(queue, 2, 2, DP_OK);
    push_for(queue, 2, 2, DP_OK);
    push_for(queue, 2, 2, DP_OK);
    push_for(queue, 3, 3, DP_OK);
    push_for(queue, 4, 4, DP_OK);
    push_for(queue, 5, 5, DP_ERR_BUSY);
    push_for(queue, 1, 9, DP_ERR_BUSY);
    render_queue_stats_read(queue, &stats);
    assert_int_equal(stats.tenants, 4);
    assert_int_equal(stats.oldest_ns, 1);
    pop(queue, 1);
    push_for(queue, 1, 1, DP_OK);
    render_queue_close(queue);
    queue_job job;
    while (render_queue_drain(queue, &job)) {
    }
    render_queue_stats_read(queue, &stats);
    assert_int_equal(stats.tenants, 0);
    assert_int_equal(stats.oldest_ns, 0);
    render_queue_destroy(queue);
}

static void what_is_late_is_given_out_first_the_latest_before_all(void **state)
{
    (void)state;
    render_queue *queue = make(64);
    push(queue, DP_PRIORITY_HIGH, 1, DP_OK);
    /* Deadlines of 50 .. 1 ns after the clock began are long over. */
    for (uint64_t i = 0; i < 50; i++) {
        queue_job job = job_of(DP_PRIORITY_LOW, 1000 + 50 - i);
        job.deadline_ns = 50 - i;
        assert_int_equal(render_queue_push(queue, &job), DP_OK);
    }
    queue_job in_time = job_of(DP_PRIORITY_LOW, 2);
    in_time.deadline_ns = UINT64_MAX;
    assert_int_equal(render_queue_push(queue, &in_time), DP_OK);
    for (uint64_t i = 1; i <= 50; i++) {
        pop(queue, 1000 + i);
    }
    pop(queue, 1);
    pop(queue, 2);
    render_queue_destroy(queue);
}

static void resumed_slots_come_before_new_jobs_and_slots_are_bounded(void **state)
{
    const render_queue_config config = {.jobs_max = 8, .tenant_jobs_max = 8, .slots_max = 2};
    render_queue *queue;
    queue_work first, second, next;
    (void)state;
    assert_int_equal(render_queue_create(&config, &queue), DP_OK);
    for (uint64_t i = 1; i <= 3; i++) {
        push(queue, DP_PRIORITY_NORMAL, i, DP_OK);
    }
    assert_true(render_queue_pop(queue, &first));
    assert_true(render_queue_pop(queue, &second));
    assert_int_not_equal(first.slot, second.slot);
    /* A third would have to wait: there is a job but no slot. */
    render_queue_resume(queue, second.slot);
    render_queue_release(queue, first.slot);
    assert_true(render_queue_pop(queue, &next));
    assert_true(next.resumed);
    assert_int_equal(next.slot, second.slot);
    assert_true(render_queue_pop(queue, &next));
    assert_false(next.resumed);
    assert_int_equal(next.job.submitted_ns, 3);
    /* Closed, the queue still gives back what is out. */
    render_queue_close(queue);
    render_queue_resume(queue, second.slot);
    render_queue_release(queue, next.slot);
    assert_true(render_queue_pop(queue, &next));
    assert_true(next.resumed);
    render_queue_release(queue, next.slot);
    assert_false(render_queue_pop(queue, &next));
    render_queue_destroy(queue);
}

/* Against a plain list: whatever comes and goes, jobs of one tenant keep their order. */
static void a_tenants_own_jobs_keep_their_order(void **state)
{
    uint64_t pushed[7] = {0}, popped[7] = {0};
    uint32_t seed = 11;
    unsigned waiting = 0;
    (void)state;
    render_queue *queue = make(40);
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        if ((seed >> 20) % 2 == 0 && waiting < 40) {
            queue_job job = job_of(DP_PRIORITY_NORMAL, 0);
            job.job.tenant = (seed >> 10) % 7;
            job.job.output_count = 1 + (seed >> 14) % 8;
            job.submitted_ns = ++pushed[job.job.tenant];
            assert_int_equal(render_queue_push(queue, &job), DP_OK);
            waiting++;
        } else if (waiting > 0) {
            queue_work work;
            assert_true(render_queue_pop(queue, &work));
            assert_int_equal(work.job.submitted_ns, ++popped[work.job.job.tenant]);
            render_queue_release(queue, work.slot);
            waiting--;
        }
    }
    assert_int_equal(length_of(queue), waiting);
    render_queue_close(queue);
    queue_job job;
    while (render_queue_drain(queue, &job)) {
        assert_int_equal(job.submitted_ns, ++popped[job.job.tenant]);
    }
    assert_memory_equal(pushed, popped, sizeof pushed);
    render_queue_destroy(queue);
}

static void no_failed_creation_leaks(void **state)
{
    const render_queue_config config = {.jobs_max = 8, .tenant_jobs_max = 8, .slots_max = 2};
    render_queue *queue = NULL;
    uint64_t nth = 1;
    (void)state;
    for (;; nth++) {
        os_malloc_fail_nth(nth);
        const dp_status status = render_queue_create(&config, &queue);
        if (os_malloc_fail_nth(0) != 0) {
            assert_int_equal(status, DP_OK);
            break;
        }
        assert_int_equal(status, DP_ERR_NOMEM);
        assert_null(queue);
    }
    assert_true(nth > 5);
    render_queue_destroy(queue);
}

#define PUSHERS 3
#define POPPERS 3
#define JOBS    3000u

typedef struct crowd {
    render_queue *queue;
    atomic_uint_fast64_t sum, taken;
} crowd;

static void *push_many(void *user)
{
    crowd *c = user;
    for (uint64_t i = 1; i <= JOBS; i++) {
        queue_job job = job_of((dp_priority)(i % DP_PRIORITY_COUNT), i);
        job.job.tenant = i % 5;
        job.deadline_ns = i % 3 == 0 ? i : 0;
        while (render_queue_push(c->queue, &job) == DP_ERR_BUSY) {
            /* The poppers are behind; push never waits, so we do. */
        }
    }
    return NULL;
}

static void *pop_many(void *user)
{
    crowd *c = user;
    queue_work work;
    while (render_queue_pop(c->queue, &work)) {
        /* Every second one goes by way of a device, which is this thread too. */
        if (!work.resumed && work.job.submitted_ns % 2 == 0) {
            atomic_fetch_add(&c->sum, work.job.submitted_ns);
            render_queue_resume(c->queue, work.slot);
            continue;
        }
        atomic_fetch_add(&c->sum, work.resumed ? 0 : work.job.submitted_ns);
        render_queue_release(c->queue, work.slot);
        if (atomic_fetch_add(&c->taken, 1) + 1 == (uint64_t)PUSHERS * JOBS) {
            render_queue_close(c->queue);
        }
    }
    return NULL;
}

static void nothing_is_lost_between_many_threads(void **state)
{
    pthread_t threads[PUSHERS + POPPERS];
    crowd c = {.queue = NULL};
    (void)state;
    c.queue = make(16);
    for (int i = 0; i < PUSHERS + POPPERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, i < PUSHERS ? push_many : pop_many, &c),
                         0);
    }
    for (int i = 0; i < PUSHERS + POPPERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(c.sum, (uint64_t)PUSHERS * JOBS * (JOBS + 1) / 2);
    render_queue_destroy(c.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(higher_priority_first_and_first_come_within_one),
        cmocka_unit_test(a_full_queue_is_busy_until_a_job_is_taken),
        cmocka_unit_test(a_closed_queue_takes_nothing_and_gives_only_to_drain),
        cmocka_unit_test(tenants_take_turns_within_a_priority),
        cmocka_unit_test(a_costly_job_takes_several_turns),
        cmocka_unit_test(a_tenant_beyond_its_share_is_refused_alone),
        cmocka_unit_test(what_is_late_is_given_out_first_the_latest_before_all),
        cmocka_unit_test(resumed_slots_come_before_new_jobs_and_slots_are_bounded),
        cmocka_unit_test(a_tenants_own_jobs_keep_their_order),
        cmocka_unit_test(no_failed_creation_leaks),
        cmocka_unit_test(nothing_is_lost_between_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
