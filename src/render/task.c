/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits and words of one job; see task.h.
 */
#include "render/task.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "pool/os.h"

/* A decoder or librsvg may not ask for the time for a while. */
#define LATE_MS_MAX 30000u

dp_status task_fail(render_task *task, dp_status status, const char *format, ...)
{
    if (task->message[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(task->message, sizeof task->message, format, args);
        va_end(args);
    }
    return status;
}

bool task_is_late(const render_task *task)
{
    return task->deadline_ns != 0 && os_clock_ns() > task->deadline_ns;
}

void task_lease(const render_task *task, dp_buf *buf)
{
    if (task->deadline_ns == 0) {
        return;
    }
    uint64_t now_ns = os_clock_ns();
    uint64_t left_ms = task->deadline_ns > now_ns ? (task->deadline_ns - now_ns) / 1000000u : 0;
    uint64_t lease_ms = left_ms + LATE_MS_MAX;
    /* Without memory for it, it is watched like any other. */
    (void)dp_buf_lease(buf, lease_ms < DP_LEASE_MS_MAX ? (uint32_t)lease_ms : DP_LEASE_MS_MAX, NULL,
                       NULL);
}

dp_status task_get_picture(render_task *task, const dp_request *request, dp_buf **out)
{
    dp_buf *place = task->place;
    if (place == NULL || request->size_bytes > dp_buf_capacity(place)) {
        return task_get(task, request, out);
    }
    task->place = NULL;
    dp_buf_set_size(place, request->size_bytes);
    *out = dp_ref(place);
    return DP_OK;
}

dp_status task_check_time(render_task *task)
{
    if (task_is_late(task)) {
        return task_fail(task, DP_ERR_TIMEOUT, "the picture takes too long to render");
    }
    return DP_OK;
}

dp_status task_check_pixels(render_task *task, uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0) {
        return task_fail(task, DP_ERR_FORMAT, "the picture is empty (%" PRIu64 " x %" PRIu64 ")",
                         width, height);
    }
    if (width > RENDER_SOURCE_SIDE_MAX || height > RENDER_SOURCE_SIDE_MAX) {
        return task_fail(task, DP_ERR_TOO_LARGE,
                         "%" PRIu64 " x %" PRIu64 " pixels, at most %u on a side are taken", width,
                         height, RENDER_SOURCE_SIDE_MAX);
    }
    if (width * height > task->input_pixels_max) {
        return task_fail(task, DP_ERR_TOO_LARGE,
                         "%" PRIu64 " x %" PRIu64 " pixels, at most %" PRIu64 " are taken", width,
                         height, task->input_pixels_max);
    }
    return DP_OK;
}
