/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving requests; see serve.h.
 *
 * A region is mapped when its descriptor comes and stays mapped: the next job that is given it
 * finds its pages.  A codec that takes memory for the picture is given the region itself
 * (task.place), so that nothing is copied; one that ends up elsewhere is copied there, and that is
 * counted.
 *
 * The daemon is trusted to speak sense, but not to be alive: each job sets an alarm behind its
 * deadline, which ends a decoder that loops when nobody is there to kill it.
 */
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include "decoder/serve.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "pool/os.h"
#include "pool/pool_internal.h"

/* From the deadline, or for a job without one from now, to the alarm. */
#define ALARM_GRACE_NS UINT64_C(2000000000)
#define ALARM_LATEST_S 120

typedef struct mapping {
    uint8_t *bytes;
    size_t size_bytes;
} mapping;

typedef struct server {
    dp_pool *pool;
    mapping regions[WIRE_SLOTS];
    render_task task;
    decoder *open; /* NULL: none */
    uint64_t job;  /* of `open` */
} server;

/* ---- messages ---- */

/* Takes the one descriptor out of a message; -1: there is none. */
static int take_descriptor(struct msghdr *message)
{
    int fd = -1;
    struct cmsghdr *part = CMSG_FIRSTHDR(message);
    if (part != NULL && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
        part->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(&fd, CMSG_DATA(part), sizeof fd);
    }
    return fd;
}

/* 1: a request, 0: the socket is closed, -1: something else. */
static int receive(wire_request *request, int *fd)
{
    struct iovec bytes = {.iov_base = request, .iov_len = sizeof *request};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t got;
    do {
        got = recvmsg(WIRE_SOCKET_FD, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return got == 0 ? 0 : -1;
    }
    *fd = take_descriptor(&message);
    return got == (ssize_t)sizeof *request && request->version == WIRE_VERSION ? 1 : -1;
}

static bool answer(const wire_reply *reply)
{
    ssize_t sent;
    do {
        sent = send(WIRE_SOCKET_FD, reply, sizeof *reply, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *reply;
}

/* ---- time ---- */

static void set_alarm(uint64_t deadline_ns)
{
    const uint64_t now_ns = os_clock_ns();
    struct itimerval timer = {.it_value = {.tv_sec = ALARM_LATEST_S}};
    if (deadline_ns != 0) {
        const uint64_t left_us =
            ((deadline_ns > now_ns ? deadline_ns - now_ns : 0) + ALARM_GRACE_NS) / 1000;
        timer.it_value.tv_sec = (time_t)(left_us / 1000000);
        timer.it_value.tv_usec = (suseconds_t)(left_us % 1000000);
    }
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void clear_alarm(void)
{
    const struct itimerval none = {0};
    (void)setitimer(ITIMER_REAL, &none, NULL);
}

/* ---- regions ---- */

/* Maps what came along; false where a request does not fit its region. */
static bool find_region(server *s, const wire_request *request, int fd)
{
    if (request->slot >= WIRE_SLOTS) {
        return false;
    }
    mapping *region = &s->regions[request->slot];
    if (request->region_bytes != 0) {
        if (fd < 0) {
            return false;
        }
        if (region->bytes != NULL) {
            (void)munmap(region->bytes, region->size_bytes);
        }
        void *bytes =
            mmap(NULL, (size_t)request->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        *region = (mapping){0};
        if (bytes == MAP_FAILED) {
            return false;
        }
        *region = (mapping){.bytes = bytes, .size_bytes = (size_t)request->region_bytes};
    }
    return region->bytes != NULL && request->source_bytes <= request->place_bytes &&
           request->place_bytes <= region->size_bytes;
}

/* ---- jobs ---- */

static void close_job(server *s)
{
    codec_close(s->open);
    s->open = NULL;
    s->job = 0;
}

static dp_status open_job(server *s, const wire_request *request, wire_reply *reply)
{
    const media_bytes bytes = {.data = s->regions[request->slot].bytes,
                               .size_bytes = (size_t)request->source_bytes};
    close_job(s); /* of a job that went on without saying so */
    s->task = (render_task){.pool = s->pool,
                            .deadline_ns = request->deadline_ns,
                            .input_pixels_max = request->input_pixels_max};
    const dp_status status = codec_open(&s->task, bytes, &s->open);
    if (status != DP_OK) {
        s->open = NULL;
        return status;
    }
    s->job = request->job;
    reply->source_width = s->open->info.width;
    reply->source_height = s->open->info.height;
    reply->orientation = s->open->info.orientation;
    reply->drawing = s->open->info.drawing;
    return DP_OK;
}

static void place_is_put(void *user, uint64_t cookie)
{
    (void)user;
    (void)cookie;
}

/* A buffer of the rest of the region, for the codec to find in its task. */
static dp_status make_place(server *s, const wire_request *request, dp_buf **out)
{
    const mapping *region = &s->regions[request->slot];
    const size_t size_bytes = region->size_bytes - (size_t)request->place_bytes;
    const buf_wrap_args args = {
        .tier = DP_TIER_SHM,
        .kind = DP_KIND_SURFACE,
        .region = {.host = region->bytes + request->place_bytes, .size_bytes = size_bytes},
        .size_bytes = size_bytes,
        .writable = true,
        .release = place_is_put};
    return size_bytes == 0 ? DP_ERR_TOO_LARGE : buf_wrap(s->pool, &args, out);
}

/* The picture into the region, wherever the codec made it. */
static dp_status hand_over(server *s, const picture *made, dp_buf *place, wire_reply *reply)
{
    const size_t used_bytes = dp_buf_size(made->buf);
    if (made->buf != place) {
        if (used_bytes > dp_buf_capacity(place)) {
            return task_fail(&s->task, DP_ERR_TOO_LARGE, "the decoded picture is too large");
        }
        memcpy(dp_buf_data(place), made->bytes, used_bytes);
        reply->copied_bytes = used_bytes;
    }
    reply->used_bytes = used_bytes;
    wire_reply_set_picture(reply, made);
    return DP_OK;
}

static decode_hints hints_of(const wire_request *request, size_t room_bytes)
{
    const size_t times_bytes = PICTURE_FRAMES_MAX * sizeof(uint32_t);
    /* Frames that do not fit are left out, as for any other limit; 0 would be none. */
    const size_t frames_bytes = room_bytes > times_bytes ? room_bytes - times_bytes : 1;
    const bool bounded = request->bytes_max != 0 && request->bytes_max < frames_bytes;
    return (decode_hints){.width = request->width,
                          .height = request->height,
                          .frames_max = request->frames_max,
                          .bytes_max = bounded ? (size_t)request->bytes_max : frames_bytes,
                          .want_planes = request->want_planes != 0};
}

static dp_status decode_job(server *s, const wire_request *request, wire_reply *reply)
{
    dp_buf *place = NULL;
    picture made = {0};

    if (s->open == NULL || s->job != request->job) {
        return DP_ERR_INVALID;
    }
    dp_status status = make_place(s, request, &place);
    if (status != DP_OK) {
        return status;
    }
    const decode_hints hints = hints_of(request, dp_buf_capacity(place));
    s->task.place = place;
    status = codec_decode(s->open, &hints, &made);
    s->task.place = NULL;
    if (status == DP_OK) {
        status = hand_over(s, &made, place, reply);
        picture_drop(&made);
    }
    dp_put(place);
    return status;
}

/* One request to one reply.  False: the daemon spoke nonsense. */
static bool serve_one(server *s, const wire_request *request, int fd)
{
    wire_reply reply = {.version = WIRE_VERSION, .op = request->op, .job = request->job};
    dp_status status = DP_ERR_INVALID;

    if (request->op == WIRE_CLOSE) {
        close_job(s);
        clear_alarm();
        return true;
    }
    if (!find_region(s, request, fd)) {
        return false;
    }
    switch (request->op) {
    case WIRE_OPEN:
        set_alarm(request->deadline_ns);
        status = open_job(s, request, &reply);
        break;
    case WIRE_DECODE:
        status = decode_job(s, request, &reply);
        break;
    case WIRE_TRICK:
        s->task.message[0] = '\0';
        status = decoder_trick(request, s->regions[request->slot].bytes, &reply);
        break;
    default:
        return false;
    }
    reply.status = (uint32_t)status;
    if (status != DP_OK) {
        memcpy(reply.message, s->task.message, sizeof reply.message);
    }
    const bool answered = answer(&reply);
    /* While the daemon goes on with the picture; a drawing may be wanted at another size. */
    const bool goes_on =
        status == DP_OK && s->open != NULL && (request->op == WIRE_OPEN || s->open->info.drawing);
    if (!goes_on) {
        close_job(s);
        clear_alarm();
    }
    return answered;
}

int serve(dp_pool *pool, bool filtered)
{
    static server s; /* its task and regions are for the life of the process */
    const wire_reply hello = {
        .version = WIRE_VERSION, .op = WIRE_HELLO, .filtered = filtered ? 1 : 0};
    wire_request request;
    int fd = -1;

    _Static_assert(sizeof s.task.message == WIRE_MESSAGE_BYTES, "words go over as they are");
    s.pool = pool;
    if (!answer(&hello)) {
        return WIRE_EXIT_ORPHAN;
    }
    for (;;) {
        const int got = receive(&request, &fd);
        const bool served = got == 1 && serve_one(&s, &request, fd);
        if (fd >= 0) {
            (void)close(fd);
            fd = -1;
        }
        if (!served) {
            return got == 0 ? WIRE_EXIT_ORPHAN : WIRE_EXIT_WIRE;
        }
    }
}
