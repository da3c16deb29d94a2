/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded priority queue alone: order, bound, closing, and many threads at once.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "cm.h"
#include "render/queue.h"

static queue_job job_of(dp_priority priority, uint64_t number)
{
    return (queue_job){.job = {.priority = priority}, .submitted_ns = number};
}

static void push(render_queue *queue, dp_priority priority, uint64_t number, dp_status expected)
{
    const queue_job job = job_of(priority, number);
    assert_int_equal(render_queue_push(queue, &job), expected);
}

static void pop(render_queue *queue, uint64_t expected)
{
    queue_job job;
    assert_true(render_queue_pop(queue, &job));
    assert_int_equal(job.submitted_ns, expected);
}

static void higher_priority_first_and_first_come_within_one(void **state)
{
    render_queue *queue;
    (void)state;
    assert_int_equal(render_queue_create(8, &queue), DP_OK);
    push(queue, DP_PRIORITY_LOW, 1, DP_OK);
    push(queue, DP_PRIORITY_HIGH, 2, DP_OK);
    push(queue, DP_PRIORITY_NORMAL, 3, DP_OK);
    push(queue, DP_PRIORITY_HIGH, 4, DP_OK);
    push(queue, DP_PRIORITY_LOW, 5, DP_OK);
    assert_int_equal(render_queue_length(queue), 5);
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
    render_queue *queue;
    (void)state;
    assert_int_equal(render_queue_create(2, &queue), DP_OK);
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
    render_queue *queue;
    queue_job job;
    (void)state;
    assert_int_equal(render_queue_create(4, &queue), DP_OK);
    push(queue, DP_PRIORITY_LOW, 1, DP_OK);
    push(queue, DP_PRIORITY_HIGH, 2, DP_OK);
    render_queue_close(queue);
    push(queue, DP_PRIORITY_HIGH, 3, DP_ERR_CLOSED);
    assert_false(render_queue_pop(queue, &job));
    assert_true(render_queue_drain(queue, &job));
    assert_int_equal(job.submitted_ns, 2);
    assert_true(render_queue_drain(queue, &job));
    assert_int_equal(job.submitted_ns, 1);
    assert_false(render_queue_drain(queue, &job));
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
        const queue_job job = job_of((dp_priority)(i % DP_PRIORITY_COUNT), i);
        while (render_queue_push(c->queue, &job) == DP_ERR_BUSY) {
            /* The poppers are behind; push never waits, so we do. */
        }
    }
    return NULL;
}

static void *pop_many(void *user)
{
    crowd *c = user;
    queue_job job;
    while (render_queue_pop(c->queue, &job)) {
        atomic_fetch_add(&c->sum, job.submitted_ns);
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
    assert_int_equal(render_queue_create(16, &c.queue), DP_OK);
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
        cmocka_unit_test(nothing_is_lost_between_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
