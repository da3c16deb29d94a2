/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench fanout: one room of danpoold, its viewers, and the floor under it.
 *
 * Then where its bounds are (fanout_bounds.h).  Three scenarios, each a fresh danpoold on one core
 * and the load client on another: room batches at the full rate, room batches at a rate that one
 * write per message can carry too, and one write per message at that rate.  After each the floor
 * (fanout_floor.h) sends frames of the same size and number, so that the ratio says what everything
 * but the kernel's send() costs.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fanout_batch.h"
#include "fanout_bounds.h"
#include "fanout_floor.h"
#include "fanout_run.h"
#include "harness.h"

#define FLOOR_SECONDS_MAX  3.0
#define BOUNDS_SECONDS     3.0
#define DESCRIPTORS_SPARED 64u

static struct {
    int64_t viewers;
    int64_t rate;
    int64_t single_rate;
    int64_t seconds;
    int64_t senders;
    int64_t text_bytes;
    const char *danpoold;
} settings = {.viewers = 1000,
              .rate = 1000,
              .single_rate = 100,
              .seconds = 10,
              .senders = 1,
              .text_bytes = 100};

static const bench_option options[] = {
    {"--viewers", "N", "viewers in the room", &settings.viewers, 1, 19000, NULL},
    {"--rate", "N", "messages a second with room batches", &settings.rate, 1, 100000, NULL},
    {"--single-rate", "N", "and where one write per message is compared", &settings.single_rate, 1,
     100000, NULL},
    {"--seconds", "N", "how long each scenario sends", &settings.seconds, 1, 600, NULL},
    {"--senders", "N", "connections that send, beside the viewers", &settings.senders, 1,
     BATCH_SENDERS_MAX, NULL},
    {"--text-bytes", "N", "length of each comment", &settings.text_bytes, 30, 200, NULL},
    {"--danpoold", "PATH", "the server; else $DANPOOLD, else the build tree's", NULL, 0, 0,
     &settings.danpoold},
};

typedef struct scenario {
    const char *prefix;
    bool single; /* one write per message */
    int64_t *rate;
    bench_goal cost_goal;
    double p99_ms_goal; /* 0: none */
} scenario;

#define SCENARIOS 3u
static const scenario scenarios[SCENARIOS] = {
    {"batches", false, &settings.rate, {BENCH_GOAL_RATIO_MAX, 1.1, false}, 25.0},
    {"batches", false, &settings.single_rate, {BENCH_GOAL_NONE, 0.0, false}, 0.0},
    {"singles", true, &settings.single_rate, {BENCH_GOAL_RATIO_MAX, 1.15, false}, 8.0},
};

/* What the repeats of one scenario gave. */
typedef struct outcome {
    bench_samples cost;         /* CPU seconds per million deliveries */
    bench_samples floor_cost;   /* the same of the floor */
    bench_samples client_share; /* percent of its core */
    bench_samples wait_share;   /* percent of the time that the server wanted a core in vain */
    bench_samples per_frame;    /* messages */
    bench_samples resident_mib; /* with all viewers connected and idle */
    bench_samples per_viewer_kib;
    bench_hist latency_ns;
    uint64_t late_p99_ns; /* the worst repeat's */
    uint64_t lost;
    uint64_t repeated;
    uint64_t missed;
} outcome;

static outcome outcomes[SCENARIOS];

static size_t connection_count(void)
{
    return (size_t)(settings.viewers + settings.senders);
}

static void label(const scenario *s, const char *what, char out[96])
{
    (void)snprintf(out, 96, "%s %" PRId64 "x%" PRId64 "/s: %s", s->prefix, settings.viewers,
                   *s->rate, what);
}

static bool floor_measure(bench *b, const load_result *r, outcome *o)
{
    char error[160];
    double per_send = 0.0;
    double per_frame = (double)r->delivered / (double)r->frames;
    floor_config config = {
        .sockets = connection_count(),
        .frame_bytes = (size_t)(r->frame_bytes / r->frames) + 4, /* and the head of a frame */
        .windows_per_s = (double)r->frames / (double)connection_count() / r->seconds,
        .seconds = r->seconds < FLOOR_SECONDS_MAX ? r->seconds : FLOOR_SECONDS_MAX,
        .core = RUN_SERVER_CORE,
        .sink_core = RUN_CLIENT_CORE};
    if (!floor_run(&config, &per_send, error)) {
        bench_fail(b, "%s", error);
        return false;
    }
    bench_samples_add(&o->floor_cost, per_send / per_frame * 1e6);
    bench_samples_add(&o->per_frame, per_frame);
    return true;
}

/* Judges and keeps what one run of the load gave. */
static bool keep(bench *b, const run_result *run, outcome *o)
{
    const load_result *r = &run->load;
    o->lost += r->lost + run->warmup.lost;
    o->repeated += r->repeated + run->warmup.repeated;
    o->missed += r->missed;
    bench_hist_merge(&o->latency_ns, &r->latency_ns);
    uint64_t late = bench_hist_quantile(&r->late_ns, 0.99);
    o->late_p99_ns = late > o->late_p99_ns ? late : o->late_p99_ns;
    if (r->refused + r->broken + r->closed > 0) {
        bench_fail(b,
                   "%" PRIu64 " messages refused, %" PRIu64 " frames not understood, %" PRIu64
                   " connections closed",
                   r->refused, r->broken, r->closed);
    }
    if (r->delivered == 0 || r->frames == 0) {
        bench_fail(b, "nothing was delivered");
        return false;
    }
    bench_samples_add(&o->resident_mib, (double)run->resident_idle_bytes / 1048576.0);
    bench_samples_add(&o->per_viewer_kib,
                      ((double)run->resident_idle_bytes - (double)run->resident_empty_bytes) /
                          1024.0 / (double)connection_count());
    bench_samples_add(&o->cost, run->cpu_s / (double)r->delivered * 1e6);
    bench_samples_add(&o->wait_share, 100.0 * run->wait_s / r->seconds);
    bench_samples_add(&o->client_share, 100.0 * r->client_cpu_s / r->seconds);
    return true;
}

static bool run_scenario(bench *b, const char *path, const scenario *s, outcome *o)
{
    static const char *const single[] = {"listen.address=127.0.0.1",
                                         "listen.port=0",
                                         "listen.loops=1",
                                         "limits.messages_per_s=0",
                                         "limits.address_connects_per_s=0",
                                         "limits.connections_max=20000",
                                         "log.level=warn",
                                         "fanout.batch_messages_max=1",
                                         "fanout.flush_ms_max=0",
                                         NULL};
    static run_result result;
    char error[160];
    const run_plan plan = {.danpoold = path,
                           .settings = s->single ? single : run_settings_usual,
                           .load = {.room = "bench",
                                    .viewers = (size_t)settings.viewers,
                                    .senders = (size_t)settings.senders,
                                    .text_bytes = (size_t)settings.text_bytes},
                           .rate = (unsigned)*s->rate,
                           .seconds = (double)settings.seconds,
                           .warmup_s = bench_is_quick(b) ? 0.2 : 1.0};
    if (!run_once(&plan, &result, error)) {
        bench_fail(b, "%s", error);
        return false;
    }
    return keep(b, &result, o) && floor_measure(b, &result.load, o);
}

static bench_row row_of(const char *name, const char *unit, double value)
{
    return (bench_row){
        .name = name, .unit = unit, .value = value, .min = NAN, .p50 = NAN, .p99 = NAN};
}

static void emit_wanted(bench *b, const bench_row *row)
{
    if (bench_wants(b, row->name)) {
        bench_emit(b, row);
    }
}

/*
 * What must never happen: with room batches these rows fail the bench.  One write a message may be
 * more than the machine can carry, and then it is a peer that fell over.  "Repeated" is also what
 * came out of order.
 */
static void emit_must(bench *b, const scenario *s, const outcome *o)
{
    char name[96];
    char note[96];
    label(s, "lost", name);
    bench_row row = row_of(name, "msgs", (double)o->lost);
    row.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, 0.0, !s->single};
    if (o->lost + o->missed > 0) {
        (void)snprintf(note, sizeof note, "the server itself told viewers of %" PRIu64 " missed",
                       o->missed);
        row.note = note;
    }
    emit_wanted(b, &row);
    label(s, "repeated", name);
    row.value = (double)o->repeated;
    row.note = NULL;
    emit_wanted(b, &row);
}

static void emit_delivery(bench *b, const scenario *s, const outcome *o)
{
    char name[96];
    char note[256];
    label(s, "delivery p99", name);
    bench_row row = row_of(name, "ms", (double)bench_hist_quantile(&o->latency_ns, 0.99) / 1e6);
    row.p50 = (double)bench_hist_quantile(&o->latency_ns, 0.5) / 1e6;
    row.p99 = row.value;
    if (s->p99_ms_goal > 0.0) {
        row.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, s->p99_ms_goal, false};
    }
    (void)snprintf(note, sizeof note,
                   "%" PRIu64
                   " deliveries, worst %.1f ms; the client used %.0f %% of its core and sent "
                   "%.2f ms late at p99; other programs held the server's core %.0f %% of the time",
                   o->latency_ns.total, (double)o->latency_ns.max / 1e6,
                   bench_samples_quantile(&o->client_share, 0.5), (double)o->late_p99_ns / 1e6,
                   bench_samples_quantile(&o->wait_share, 0.5));
    row.note = note;
    emit_wanted(b, &row);
}

/* `other`: the scenario of one write per message at the same rate, NULL where it is none. */
static void emit_cost(bench *b, const scenario *s, const outcome *o, const outcome *other)
{
    char name[96];
    char note[192];
    label(s, "CPU per 1M", name);
    bench_row row = row_of(name, "s", bench_samples_quantile(&o->cost, 0.5));
    row.min = bench_samples_min(&o->cost);
    row.p50 = row.value;
    row.p99 = bench_samples_quantile(&o->cost, 0.99);
    row.goal = s->cost_goal;
    row.peers[row.peer_count++] =
        (bench_peer){"floor: bare send()", bench_samples_quantile(&o->floor_cost, 0.5), NAN};
    if (other != NULL && other->cost.count > 0) {
        row.peers[row.peer_count++] =
            (bench_peer){"one write a message", bench_samples_quantile(&other->cost, 0.5), NAN};
    }
    (void)snprintf(note, sizeof note,
                   "%s; %.1f messages a frame; CPU seconds of the server for a million deliveries",
                   s->single ? "every message is written to every viewer by itself"
                             : "room batches",
                   bench_samples_quantile(&o->per_frame, 0.5));
    row.note = note;
    emit_wanted(b, &row);
}

static void emit_memory(bench *b, const outcome *o)
{
    char name[96];
    (void)snprintf(name, sizeof name, "server resident, %zu idle viewers", connection_count());
    bench_row row = row_of(name, "MiB", bench_samples_quantile(&o->resident_mib, 0.5));
    emit_wanted(b, &row);
    (void)snprintf(name, sizeof name, "resident per idle viewer");
    row = row_of(name, "KiB", bench_samples_quantile(&o->per_viewer_kib, 0.5));
    emit_wanted(b, &row);
}

/* Whether any row of the scenario is asked for; otherwise it need not run. */
static bool scenario_wanted(const bench *b, const scenario *s)
{
    static const char *const parts[] = {"lost", "repeated", "delivery p99", "CPU per 1M"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char name[96];
        label(s, parts[i], name);
        if (bench_wants(b, name)) {
            return true;
        }
    }
    return false;
}

/* Both ends of every connection but the server's are ours, one after the other. */
static bool raise_descriptors(bench *b)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur < connection_count() + DESCRIPTORS_SPARED) {
        bench_fail(b, "this process may not open %zu descriptors", connection_count());
        return false;
    }
    return true;
}

static void run_all(bench *b, const char *path)
{
    bool all = bench_wants(b, "server resident") || bench_wants(b, "resident per idle viewer");
    for (int repeat = 0; repeat < bench_repeats(b); repeat++) {
        for (size_t i = 0; i < SCENARIOS; i++) {
            bool wanted = scenario_wanted(b, &scenarios[i]) || (all && i == 0);
            if (wanted && !run_scenario(b, path, &scenarios[i], &outcomes[i])) {
                return;
            }
        }
    }
    for (size_t i = 0; i < SCENARIOS; i++) {
        if (outcomes[i].cost.count > 0) {
            emit_must(b, &scenarios[i], &outcomes[i]);
            emit_delivery(b, &scenarios[i], &outcomes[i]);
            emit_cost(b, &scenarios[i], &outcomes[i], i == 1 ? &outcomes[2] : NULL);
        }
    }
    if (outcomes[0].cost.count > 0) {
        emit_memory(b, &outcomes[0]);
    }
    const bounds_plan bounds = {.danpoold = path,
                                .viewers = (size_t)settings.viewers,
                                .text_bytes = (size_t)settings.text_bytes,
                                .seconds = bench_is_quick(b) ? 0.3 : BOUNDS_SECONDS};
    bounds_sustained(b, &bounds);
    bounds_ingest(b, &bounds);
    bounds_stalled(b, &bounds);
    bounds_idle(b, &bounds);
}

static void make_quick(void)
{
    settings.viewers = settings.viewers > 50 ? 50 : settings.viewers;
    settings.rate = settings.rate > 200 ? 200 : settings.rate;
    settings.single_rate = settings.single_rate > 50 ? 50 : settings.single_rate;
    settings.seconds = 1;
}

int main(int argc, char **argv)
{
    static const bench_config config = {
        .name = "fanout",
        .summary = "one room of danpoold, its viewers, and the floor under it",
        .repeats_default = 1,
        .repeats_quick = 1,
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int status = 0;
    char path[1024];
    bench *b = bench_open(&config, argc, argv, &status);
    if (b == NULL) {
        return status;
    }
    if (bench_is_quick(b)) {
        make_quick();
    }
    if (!server_find(settings.danpoold, path, sizeof path)) {
        bench_fail(b, "danpoold was not found; build it, or name it with --danpoold");
    } else if (raise_descriptors(b)) {
        (void)bench_pin(RUN_CLIENT_CORE);
        run_all(b, path);
    }
    return bench_close(b);
}
