/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every stage of one job is given: the pool, the limits, the clock it runs against, and a
 * place for words to the sender.
 *
 * A task lives on its worker's stack and is used by that thread only.  Words are written by the
 * first stage that fails; they speak about the sender's file, never about our insides.
 */
#ifndef DP_RENDER_TASK_H
#define DP_RENDER_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <danpool/lifecycle.h>
#include <danpool/pool.h>

/* Sides of a source picture; PNG and JPEG could say more, nothing that is a picture does. */
#define RENDER_SOURCE_SIDE_MAX 65535u
/* Sides of a result. */
#define RENDER_TARGET_SIDE_MAX 4096u

typedef struct render_task {
    dp_pool *pool;
    uint64_t deadline_ns; /* os_clock_ns(), 0 = none */
    uint64_t input_pixels_max;
    uint64_t tenant; /* (optional) who sent it, 0 = nobody in particular */
    /* (optional) Where the decoded picture is to lie if it fits: taken by the first that asks. */
    dp_buf *place;
    char message[160];
} render_task;

/* Writes the words, unless a stage below did already, and returns `status`. */
dp_status task_fail(render_task *task, dp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool task_is_late(const render_task *task);

/* Gives what was got for the job a lease until its deadline, and some time to notice that. */
void task_lease(const render_task *task, dp_buf *buf);

/*
 * As dp_get(), for a buffer that is put when the job is over.  Inline, so that the place that is
 * remembered as the buffer's is the caller's.
 */
static inline dp_status task_get(const render_task *task, const dp_request *request, dp_buf **out)
{
    dp_status status = dp_get(task->pool, request, out);
    if (status == DP_OK) {
        task_lease(task, *out);
    }
    return status;
}

/*
 * As task_get(), for the decoded picture itself: in task->place, where there is one and it is large
 * enough, with a reference of its own.
 */
dp_status task_get_picture(render_task *task, const dp_request *request, dp_buf **out);

/* DP_ERR_TIMEOUT with words once the deadline has passed. */
dp_status task_check_time(render_task *task);

/*
 * To be asked before memory is taken for a source picture: DP_ERR_FORMAT for an empty one,
 * DP_ERR_TOO_LARGE for one over the limits.
 */
dp_status task_check_pixels(render_task *task, uint64_t width, uint64_t height);

#endif
