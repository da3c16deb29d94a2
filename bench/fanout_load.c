/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load client's phases: connect, send at a rate and drain, idle.
 *
 * One epoll set holds the connections and a timer that paces the senders.  Messages that are due
 * when the timer fires go out together; each carries its own due time.
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */

#include "fanout_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fanout_batch.h"
#include "fanout_conn.h"

#define SCRATCH_BYTES      ((size_t)17 << 20) /* the largest frame and a little */
#define EVENTS_MAX         64                 /* between two looks at the clock */
#define CONNECTING_MAX     100u               /* below every listen backlog */
#define TICK_NS_MIN        200000u
#define TICK_NS_MAX        10000000u
#define SENDER_BACKLOG_MAX ((size_t)1 << 20) /* a sender the server does not read from */
#define MESSAGE_BYTES_MAX  1024u

struct load {
    load_config config;
    conn_io io;
    int timer;
    conn *conns; /* the senders come first */
    size_t count;
    size_t open; /* upgrades done */
    batch_cache *cache;
    size_t senders; /* of all rooms */
    uint64_t sent[LOAD_ROOMS_MAX][BATCH_SENDERS_MAX];
    uint64_t now_ns;     /* of the current event */
    load_result *result; /* of the running phase, NULL between phases */
};

static size_t room_of(const load *l, const conn *c)
{
    return (size_t)(c - l->conns) % l->config.rooms;
}

static void message_seen(load *l, conn *c, const batch_message *m)
{
    uint64_t *next = &c->next[m->sender];
    if (m->n < *next) {
        l->result->repeated++;
        return;
    }
    l->result->lost += m->n - *next;
    *next = m->n + 1;
    l->result->delivered++;
    bench_hist_add(&l->result->latency_ns, l->now_ns > m->sent_ns ? l->now_ns - m->sent_ns : 0, 1);
}

/* conn_message: everything the server says comes through here. */
static void on_message(void *user, conn *c, const char *payload, size_t count)
{
    static const char error_head[] = "{\"op\":\"error\"";
    load *l = user;
    bool broken = false;
    const batch *b = batch_read(l->cache, room_of(l, c), payload, count, &broken);
    if (l->result == NULL) {
        return;
    }
    if (b == NULL) {
        bool refused = count >= sizeof error_head - 1 &&
                       memcmp(payload, error_head, sizeof error_head - 1) == 0;
        l->result->broken += broken ? 1u : 0u;
        l->result->refused += refused ? 1u : 0u;
        return;
    }
    l->result->frames++;
    l->result->frame_bytes += count;
    l->result->missed += b->missed;
    for (size_t i = 0; i < b->message_count; i++) {
        message_seen(l, c, &b->messages[i]);
    }
}

static bool timer_set(load *l, uint64_t period_ns)
{
    struct itimerspec when = {.it_value = {.tv_nsec = period_ns > 0 ? 1 : 0},
                              .it_interval = {.tv_nsec = (long)period_ns}};
    return timerfd_settime(l->timer, 0, &when, NULL) == 0;
}

static void room_name(const load *l, const conn *c, char out[64])
{
    if (l->config.rooms == 1) {
        (void)snprintf(out, 64, "%s", l->config.room);
    } else {
        (void)snprintf(out, 64, "%s-%zu", l->config.room, room_of(l, c));
    }
}

/* Waits at most timeout_ms for events and handles them. */
static void turn(load *l, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(l->io.epoll, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++) {
        conn *c = events[i].data.ptr;
        if (c == NULL) {
            uint64_t ticks = 0;
            (void)!read(l->timer, &ticks, sizeof ticks);
            continue;
        }
        conn_state before = c->state;
        l->now_ns = bench_now_ns();
        char room[64];
        room_name(l, c, room);
        conn_event(&l->io, c, events[i].events, room, l->config.port);
        if (c->state == before) {
            continue;
        }
        if (c->state == CONN_OPEN) {
            l->open++;
        }
    }
}

static bool connect_all(load *l, char error[160])
{
    uint64_t deadline = bench_now_ns() + (uint64_t)l->config.connect_ms_max * 1000000u;
    size_t started = 0;
    while (l->open < l->count) {
        while (started < l->count && started - l->open < CONNECTING_MAX) {
            if (!conn_start(&l->io, &l->conns[started], l->config.port)) {
                (void)snprintf(error, 160, "connection %zu: %s", started, strerror(errno));
                return false;
            }
            started++;
        }
        turn(l, 100);
        for (size_t i = 0; i < started; i++) {
            if (l->conns[i].state == CONN_CLOSED) {
                (void)snprintf(error, 160, "connection %zu of %zu was refused", i, l->count);
                return false;
            }
        }
        if (bench_now_ns() > deadline) {
            (void)snprintf(error, 160, "only %zu of %zu connections opened in %d ms", l->open,
                           l->count, l->config.connect_ms_max);
            return false;
        }
    }
    return true;
}

load *load_open(const load_config *config, char error[160])
{
    (void)snprintf(error, 160, "out of memory or descriptors");
    load *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    l->config = *config;
    l->config.rooms = config->rooms == 0 ? 1 : config->rooms;
    l->senders = config->senders * l->config.rooms;
    l->count = config->viewers + l->senders;
    l->io = (conn_io){.epoll = epoll_create1(EPOLL_CLOEXEC),
                      .scratch = malloc(SCRATCH_BYTES),
                      .scratch_size = SCRATCH_BYTES,
                      .message = on_message,
                      .user = l};
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->conns = calloc(l->count, sizeof *l->conns);
    l->cache = batch_cache_create();
    for (size_t i = 0; l->conns != NULL && i < l->count; i++) {
        l->conns[i].fd = -1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (l->io.epoll < 0 || l->timer < 0 || l->io.scratch == NULL || l->conns == NULL ||
        l->cache == NULL || epoll_ctl(l->io.epoll, EPOLL_CTL_ADD, l->timer, &event) != 0 ||
        !connect_all(l, error)) {
        load_close(l);
        return NULL;
    }
    return l;
}

void load_close(load *l)
{
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; l->conns != NULL && i < l->count; i++) {
        conn_close(&l->conns[i]);
    }
    if (l->timer >= 0) {
        (void)close(l->timer);
    }
    if (l->io.epoll >= 0) {
        (void)close(l->io.epoll);
    }
    batch_cache_destroy(l->cache);
    free(l->conns);
    free(l->io.scratch);
    free(l);
}

/* Queues one message on its sender; false when the sender is gone or does not get rid of its data.
 */
static bool send_one(load *l, uint64_t index, uint64_t due_ns)
{
    /* Connections go round the rooms, so the first ones are each room's first sender, and so on. */
    size_t at = (size_t)(index % l->senders);
    conn *c = &l->conns[at];
    size_t room = at % l->config.rooms;
    size_t sender = at / l->config.rooms;
    if (c->state != CONN_OPEN || c->out.used > SENDER_BACKLOG_MAX) {
        return false;
    }
    char payload[MESSAGE_BYTES_MAX];
    const batch_message m = {
        .n = l->sent[room][sender], .sent_ns = due_ns, .sender = (uint32_t)sender};
    size_t length = batch_message_write(payload, sizeof payload, &m, l->config.text_bytes);
    if (length == 0 || !conn_queue(c, 0x1, payload, length)) {
        return false;
    }
    l->sent[room][sender]++;
    l->result->sent++;
    uint64_t now = bench_now_ns();
    bench_hist_add(&l->result->late_ns, now > due_ns ? now - due_ns : 0, 1);
    return true;
}

static void send_phase(load *l, unsigned rate, uint64_t start_ns, uint64_t total)
{
    uint64_t gap_ns = 1000000000u / rate;
    uint64_t tick_ns = gap_ns < TICK_NS_MIN ? TICK_NS_MIN : gap_ns;
    /* A server that does not keep up makes the phase longer; at twice its time it is given up. */
    uint64_t deadline = start_ns + 2 * total * 1000000000u / rate + 1000000000u;
    uint64_t index = 0;
    (void)timer_set(l, tick_ns > TICK_NS_MAX ? TICK_NS_MAX : tick_ns);
    while (index < total && bench_now_ns() < deadline) {
        turn(l, 100);
        uint64_t now = bench_now_ns();
        uint64_t due = start_ns + index * 1000000000u / rate;
        while (index < total && due <= now && send_one(l, index, due)) {
            index++;
            due = start_ns + index * 1000000000u / rate;
        }
        for (size_t i = 0; i < l->senders; i++) {
            conn_flush(&l->io, &l->conns[i]);
        }
    }
    (void)timer_set(l, 0);
}

/* How many (message, viewer) pairs have not arrived; gaps counted as lost are not among them. */
static uint64_t outstanding(const load *l, bool open_only)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < l->count - l->config.stalled; i++) {
        const conn *c = &l->conns[i];
        for (size_t s = 0; s < l->config.senders; s++) {
            if (!open_only || c->state == CONN_OPEN) {
                sum += l->sent[room_of(l, c)][s] - c->next[s];
            }
        }
    }
    return sum;
}

static double thread_cpu_s(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_THREAD, &use) != 0) {
        return 0.0;
    }
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

void load_run(load *l, unsigned rate, double seconds, int drain_ms_max, load_result *out)
{
    memset(out, 0, sizeof *out);
    l->result = out;
    /* The last ones, so that they are no senders. */
    for (size_t i = l->count - l->config.stalled; i < l->count; i++) {
        conn_deafen(&l->io, &l->conns[i]);
    }
    double cpu_start = thread_cpu_s();
    uint64_t start = bench_now_ns();
    send_phase(l, rate, start, (uint64_t)((double)rate * seconds));
    uint64_t deadline = bench_now_ns() + (uint64_t)drain_ms_max * 1000000u;
    while (outstanding(l, true) > 0 && bench_now_ns() < deadline) {
        turn(l, 5);
    }
    out->seconds = (double)(bench_now_ns() - start) / 1e9;
    out->client_cpu_s = thread_cpu_s() - cpu_start;
    out->lost += outstanding(l, false);
    for (size_t i = 0; i < l->count - l->config.stalled; i++) {
        out->closed += l->conns[i].state == CONN_CLOSED ? 1u : 0u;
    }
    /* What comes late from here on counts as repeated in the next phase, not as delivered. */
    for (size_t i = 0; i < l->count; i++) {
        memcpy(l->conns[i].next, l->sent[room_of(l, &l->conns[i])], sizeof l->conns[i].next);
    }
    l->result = NULL;
}

void load_idle(load *l, double seconds)
{
    uint64_t deadline = bench_now_ns() + (uint64_t)(seconds * 1e9);
    while (bench_now_ns() < deadline) {
        turn(l, 20);
    }
}
