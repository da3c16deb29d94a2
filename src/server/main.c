/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoold: reads its settings, builds the parts from the bottom up, serves until SIGTERM, and
 * takes them down in the reverse order.
 *
 *     pool -> cache -> render -> media -> rooms -> loops
 */
#define _GNU_SOURCE /* getopt_long */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <danpool/stats.h>
#include <danpool/trace.h>
#include <dp_features.h>

#include "pool/os.h"
#include "server/ops/log.h"
#include "server/ops/notify.h"
#include "server/ops/reload.h"
#include "server/server.h"

#define ERROR_BYTES       512u
#define RING_BYTES_MAX    (16u << 20)
#define LOOPS_DEFAULT_MAX 8
#define TRACE_EVENTS      131071u /* of each thread; 5 MiB */
#define TEXT_BYTES_USUAL  112u    /* a line of some 37 Chinese or 112 Latin characters */
#define TEXT_BYTES_STEP   16u     /* no two steps skip a size class of the pool */
/* How often the main thread looks after the cache, and the entries it moves before it looks again
 * whether it is to stop. */
#define EXTEND_US          5000000u /* what a drain asks for, again and again */
#define HOUSEKEEPING_NS    250000000
#define HOUSEKEEPING_STEPS 64u

typedef enum action {
    ACTION_SERVE,
    ACTION_CHECK,
    ACTION_PRINT,
    ACTION_VERSION,
    ACTION_HELP
} action;

extern char **environ;

static void print_help(void)
{
    puts(
        "danpoold: broadcasts live danmaku, carried by the pool\n"
        "\n"
        "usage: danpoold [options]\n"
        "  -c, --config FILE     read settings from FILE (libconfig syntax)\n"
        "      --set KEY=VALUE   set one, e.g. --set listen.port=9000; repeatable, wins over FILE\n"
        "      --check-config    check the settings, say what is wrong, and exit\n"
        "      --print-config    print all settings as a file with comments, and exit\n"
        "  -V, --version         print the version and what this build was made with\n"
        "  -h, --help            this text\n"
        "\n"
        "Every setting is also an environment variable: DANPOOL_LISTEN_PORT=9000.\n"
        "SIGHUP reads settings and keys again, SIGTERM and SIGINT stop gracefully.\n"
        "  See danpoold(8) and danpoold.conf(5).");
}

static void print_version(void)
{
    printf("danpoold %s (%s)\n", DP_VERSION_STRING, DP_BUILD_TYPE);
#define PRINT_FEATURE(name, found, detail) printf("  %-14s %-7s %s\n", name, found, detail);
    DP_FEATURE_LIST(PRINT_FEATURE)
#undef PRINT_FEATURE
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool;
    if (dp_pool_create(&pool_config, &pool) != DP_OK) {
        return;
    }
    puts("tiers of this machine");
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        dp_tier_info info;
        if (dp_pool_tier_info(pool, (dp_tier_id)id, &info) == DP_OK) {
            printf("  %-14s %-11s %s\n", dp_tier_name((dp_tier_id)id), dp_status_name(info.state),
                   info.detail);
        }
    }
    dp_pool_destroy(pool);
}

typedef struct main_options {
    action action;
    const char *file;
    const char **assignments;
    int assignment_count;
} main_options;

/* Returns false after saying what was wrong. */
static bool read_options(int argc, char **argv, main_options *out)
{
    enum { OPTION_SET = 256, OPTION_CHECK, OPTION_PRINT };
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"set", required_argument, NULL, OPTION_SET},
                                          {"check-config", no_argument, NULL, OPTION_CHECK},
                                          {"print-config", no_argument, NULL, OPTION_PRINT},
                                          {"version", no_argument, NULL, 'V'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (;;) {
        int option = getopt_long(argc, argv, "c:Vh", table, NULL);
        switch (option) {
        case -1:
            if (optind < argc) {
                fprintf(stderr, "danpoold: unexpected argument %s\n", argv[optind]);
                return false;
            }
            return true;
        case 'c':
            out->file = optarg;
            break;
        case OPTION_SET:
            out->assignments[out->assignment_count++] = optarg;
            break;
        case OPTION_CHECK:
            out->action = ACTION_CHECK;
            break;
        case OPTION_PRINT:
            out->action = ACTION_PRINT;
            break;
        case 'V':
            out->action = ACTION_VERSION;
            break;
        case 'h':
            out->action = ACTION_HELP;
            break;
        default:
            return false; /* getopt_long has said it */
        }
    }
}

/* `user`: the main_options. */
static dp_status read_settings(const void *user, config *out, config_error *error)
{
    const main_options *options = user;
    config_defaults(out);
    dp_status status = DP_OK;
    if (options->file != NULL) {
        status = config_load_file(out, options->file, error);
    }
    if (status == DP_OK) {
        status = config_read_environment(out, environ, error);
    }
    for (int i = 0; status == DP_OK && i < options->assignment_count; i++) {
        status = config_set(out, options->assignments[i], "--set", error);
    }
    return status == DP_OK ? config_check(out, error) : status;
}

/* A viewer is a descriptor: takes as many as the system allows without asking anybody. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/*
 * A message's buffer holds a frame of fixed size and the text: the first messages after the start
 * find such buffers ready, for texts from a word to a long line.  Too little memory for it is seen
 * soon enough by others.
 */
static void prewarm_messages(dp_server *server)
{
    size_t count = (size_t)server->config.pool_prewarm_messages;
    dp_request request = {
        .kind = DP_KIND_TEXT, .priority = DP_PRIORITY_NORMAL, .need = DP_NEED_HOST};
    for (size_t text_bytes = 1; count > 0 && text_bytes <= TEXT_BYTES_USUAL;
         text_bytes += TEXT_BYTES_STEP) {
        const message usual = {.text = {.size_bytes = (uint32_t)text_bytes}};
        size_t ready = 0;
        request.size_bytes = message_packed_bytes(&usual);
        if (dp_prewarm(server->pool, &request, count, &ready) != DP_OK) {
            log_warn("buffers not made ready", "bytes=%zu", request.size_bytes);
            break;
        }
    }
    dp_pool_thread_flush(server->pool); /* this thread gets no messages: they are the loops' */
}

/* Called while the pool holds a lock: only writes a line. */
static void log_health(void *user, const dp_health_event *event)
{
    (void)user;
    bool is_breaker = event->family == DP_FAMILY_COUNT;
    log_warn("health", "tier=%s family=%s from=%s to=%s cause=%s", dp_tier_name(event->tier),
             is_breaker ? "breaker" : dp_family_name(event->family),
             dp_health_state_name(event->from), dp_health_state_name(event->to),
             dp_health_cause_name(event->cause));
}

static void set_budgets(const config *settings, size_t budget_bytes_max[DP_TIER_COUNT])
{
    budget_bytes_max[DP_TIER_HOST] = (size_t)settings->pool_host_budget_mib << 20;
    budget_bytes_max[DP_TIER_HUGE] = (size_t)settings->pool_huge_budget_mib << 20;
    budget_bytes_max[DP_TIER_PINNED] = (size_t)settings->pool_pinned_budget_mib << 20;
    budget_bytes_max[DP_TIER_HBM] = (size_t)settings->pool_hbm_budget_mib << 20;
    budget_bytes_max[DP_TIER_MANAGED] = (size_t)settings->pool_managed_budget_mib << 20;
    budget_bytes_max[DP_TIER_SHM] = (size_t)settings->pool_shm_budget_mib << 20;
}

static dp_status open_pool(dp_server *server)
{
    const config *settings = &server->config;
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    config_error unused;
    dp_status checked = config_tiers(settings, &pool_config.tiers, &unused);
    DP_ASSERT(checked == DP_OK); /* config_check() has seen it */
    dp_route_rule rules[CONFIG_RULES_MAX];
    pool_config.rule_count = config_rules(settings, rules);
    pool_config.rules = rules;
    pool_config.pmem_path = settings->pool_pmem_path[0] != '\0' ? settings->pool_pmem_path : NULL;
    pool_config.pmem_size_bytes = (size_t)settings->pool_pmem_size_mib << 20;
    set_budgets(settings, pool_config.budget_bytes_max);
    pool_config.health.fallback_bytes_max = (size_t)settings->pool_fallback_mib << 20;
    pool_config.health.p99_ns_max = (uint64_t)settings->pool_slow_ms * 1000000u;
    pool_config.health.listener = log_health;
    dp_status status = dp_pool_create(&pool_config, &server->pool);
    if (status != DP_OK) {
        log_error("cannot open the pool", "status=%s pmem_path=\"%s\" reason=\"%s\"",
                  dp_status_name(status), settings->pool_pmem_path, dp_status_message(status));
        return status;
    }
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        dp_tier_info info;
        if (dp_pool_tier_info(server->pool, (dp_tier_id)id, &info) == DP_OK) {
            log_info("tier", "name=%s state=%s detail=\"%s\"", dp_tier_name((dp_tier_id)id),
                     dp_status_name(info.state), info.detail);
        }
    }
    prewarm_messages(server);
    return DP_OK;
}

/* The file is opened first: a path that cannot be written must not show at the end. */
static dp_status open_trace(dp_server *server)
{
    const char *path = server->config.pool_trace_path;
    if (path[0] == '\0') {
        return DP_OK;
    }
    server->trace = fopen(path, "wbe");
    if (server->trace == NULL) {
        log_error("cannot write the recording", "trace_path=\"%s\" reason=\"%s\"", path,
                  strerror(errno));
        return DP_ERR_IO;
    }
    return dp_trace_start(server->pool, TRACE_EVENTS);
}

static void write_trace(dp_server *server)
{
    if (server->trace == NULL) {
        return;
    }
    dp_trace_stop(server->pool);
    dp_status status = dp_trace_write(server->pool, server->trace);
    bool closed = fclose(server->trace) == 0;
    if (status != DP_OK || !closed) {
        log_error("cannot write the recording", "trace_path=\"%s\" status=%s",
                  server->config.pool_trace_path, dp_status_name(closed ? status : DP_ERR_IO));
    }
}

/* Where strangers' bytes are read is worth a line, and a warning where that is not a sandbox. */
static void log_decoders(const dp_server *server)
{
    const char *missing = dp_render_isolation_detail(server->render);
    dp_render_decoders decoders;
    dp_render_decoders_read(server->render, &decoders);
    if (missing[0] != '\0') {
        log_warn("decoders are not in a sandbox", "isolation=%s why=\"%s\"", decoders.isolation,
                 missing);
    } else {
        log_info("decoders", "isolation=%s workers=%u", decoders.isolation, decoders.workers);
    }
}

static void log_device(void *user, dp_render_device from, dp_render_device to, const char *words)
{
    (void)user;
    log_warn("render device", "from=%s to=%s cause=\"%s\"", dp_render_device_name(from),
             dp_render_device_name(to), words);
}

static dp_status open_render(dp_server *server)
{
    const config *settings = &server->config;
    dp_render_config render_config = {
        .workers = (unsigned)settings->render_workers,
        .queue_max = (unsigned)settings->render_queue_max,
        .tenant_jobs_max = (unsigned)settings->render_room_jobs_max,
        .batch_max = (unsigned)settings->render_batch_max,
        .batch_delay_us = (unsigned)settings->render_batch_delay_us,
        .device_bytes_max = (size_t)settings->render_device_mib_max << 20,
        .retry_ms = (unsigned)settings->render_device_retry_s * 1000u,
        .listener = log_device,
        .backend = strcmp(settings->render_backend, "cpu") == 0    ? DP_BACKEND_CPU
                   : strcmp(settings->render_backend, "cuda") == 0 ? DP_BACKEND_CUDA
                                                                   : DP_BACKEND_AUTO,
        .own_engine_only = strcmp(settings->render_svg, "own") == 0,
        .scenes = server->cache,
        .input_bytes_max = (size_t)settings->render_input_mib_max << 20,
        .input_pixels_max = (uint64_t)settings->render_pixels_max,
        .time_ms_max = (unsigned)settings->render_time_ms_max,
        .isolation = strcmp(settings->render_isolation, "process") == 0  ? DP_ISOLATION_PROCESS
                     : strcmp(settings->render_isolation, "thread") == 0 ? DP_ISOLATION_THREAD
                                                                         : DP_ISOLATION_AUTO,
        .decoder_program = settings->render_decoder,
        .decoder_memory_bytes = (size_t)settings->render_decoder_memory_mib << 20};
    dp_status status = dp_render_create(server->pool, &render_config, &server->render);
    if (status != DP_OK) {
        log_error("cannot start rendering", "backend=%s isolation=%s status=%s",
                  settings->render_backend, settings->render_isolation, dp_status_name(status));
        return status;
    }
    log_decoders(server);
    return DP_OK;
}

static void post_upload(media_upload *upload)
{
    loop_post_upload(upload->loop, upload);
}

static dp_status open_rooms(dp_server *server)
{
    const config *settings = &server->config;
    room_config rooms = {.pool = server->pool,
                         .ring_batches = (size_t)settings->fanout_ring_batches,
                         .ring_bytes_max = RING_BYTES_MAX,
                         .batch_messages_max = (size_t)settings->fanout_batch_messages_max,
                         .history_max = (size_t)settings->history_messages_max,
                         .rooms_max = (size_t)settings->limits_rooms_max,
                         .window_ns = (uint64_t)settings->fanout_flush_ms_max * 1000000u,
                         .notify = loop_notify_view,
                         .quota_bytes_max = (size_t)settings->pool_room_quota_mib << 20,
                         .settings = {.display_per_s = (uint32_t)settings->fanout_display_per_s,
                                      .merge = (room_merge)settings->fanout_merge,
                                      .merge_ms = (uint32_t)settings->fanout_merge_ms}};
    return room_table_create(&rooms, &server->rooms);
}

static dp_status open_loops(dp_server *server)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t wanted = server->config.listen_loops;
    if (wanted == 0) {
        wanted = cores < 1 ? 1 : cores > LOOPS_DEFAULT_MAX ? LOOPS_DEFAULT_MAX : cores;
    }
    server->port = (uint16_t)server->config.listen_port;
    server->loops = calloc((size_t)wanted, sizeof *server->loops);
    if (server->loops == NULL) {
        return DP_ERR_NOMEM;
    }
    for (unsigned i = 0; i < (unsigned)wanted; i++) {
        dp_status status = loop_start(&server->loops[i], server, i);
        if (status != DP_OK) {
            return status;
        }
        server->loop_count++;
    }
    return DP_OK;
}

static auth_config auth_settings(const config *settings)
{
    return (auth_config){.keys_path = settings->auth_jwks_file,
                         .secret_path = settings->auth_secret_file,
                         .tokens_path = settings->auth_tokens_file,
                         .issuer = settings->auth_issuer,
                         .audience = settings->auth_audience,
                         .leeway_s = (uint32_t)settings->auth_leeway_s};
}

static dp_status open_auth(dp_server *server)
{
    char words[ERROR_BYTES];
    auth_config keys = auth_settings(&server->config);
    dp_status status = auth_create(&keys, &server->auth, words, sizeof words);
    if (status != DP_OK) {
        log_error("cannot read the keys of tokens", "reason=\"%s\"", words);
    }
    return status;
}

static dp_status open_gate(dp_server *server)
{
    char words[ERROR_BYTES];
    dp_status status = gate_open(&server->config, &server->gate, words, sizeof words);
    if (status != DP_OK) {
        log_error("cannot open filter or moderation", "reason=\"%s\"", words);
    }
    return status;
}

static dp_status open_tls(dp_server *server)
{
    char words[ERROR_BYTES];
    dp_status status = tls_create(server->config.tls_cert_file, server->config.tls_key_file,
                                  &server->tls, words, sizeof words);
    if (status != DP_OK) {
        log_error("cannot serve with TLS", "reason=\"%s\"", words);
    }
    return status;
}

static dp_status server_open(dp_server *server)
{
    dp_status status = open_auth(server);
    if (status == DP_OK) {
        status = open_gate(server);
    }
    if (status == DP_OK) {
        status = open_tls(server);
    }
    if (status == DP_OK) {
        status = open_pool(server);
    }
    if (status != DP_OK) {
        return status;
    }
    status = open_trace(server);
    if (status != DP_OK) {
        return status;
    }
    dp_cache_config cache_config = {.host_bytes_max = (size_t)server->config.cache_host_mib << 20,
                                    .low_percent = (unsigned)server->config.cache_low_percent};
    status = dp_cache_create(server->pool, &cache_config, &server->cache);
    if (status == DP_OK) {
        status = open_render(server);
    }
    const media_config media = {.cache = server->cache,
                                .render = server->render,
                                .post = post_upload,
                                .own_engine_only = strcmp(server->config.render_svg, "own") == 0};
    if (status == DP_OK) {
        status = media_store_create(&media, &server->media);
    }
    if (status == DP_OK) {
        status = open_rooms(server);
    }
    return status == DP_OK ? open_loops(server) : status;
}

/* The renderers stop first: they answer every upload in flight while the loops still turn.  They
 * are freed after the loops, which may be asked for their figures or given an upload until then. */
static void server_close(dp_server *server)
{
    dp_render_stop(server->render);
    for (unsigned i = 0; i < server->loop_count; i++) {
        loop_stop(&server->loops[i]);
    }
    free(server->loops);
    dp_render_destroy(server->render);
    media_store_destroy(server->media);
    room_table_destroy(server->rooms);
    dp_cache_destroy(server->cache);
    write_trace(server);
    dp_pool_destroy(server->pool);
    gate_close(server->gate);
    auth_destroy(server->auth);
    tls_destroy(server->tls);
}

static void pause_ms(long ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    (void)nanosleep(&wait, NULL);
}

/* The watchdog hears of us only while every loop turns. */
static void tell_life(const dp_server *server)
{
    uint64_t now_ns = os_clock_ns();
    if (notify_watchdog_due(now_ns) && status_alive(server)) {
        notify_watchdog(now_ns);
    }
}

/* Tells every viewer, and waits for them and the uploads in flight up to drain_s. */
static void server_drain(dp_server *server)
{
    log_info("draining", "viewers=%lld", (long long)atomic_load(&server->viewers));
    atomic_store(&server->draining, true);
    for (unsigned i = 0; i < server->loop_count; i++) {
        loop_wake(&server->loops[i]);
    }
    int64_t until_ms = server_wall_ms() + server->config.timeouts_drain_s * 1000;
    while (server_wall_ms() < until_ms &&
           (atomic_load(&server->viewers) > 0 || media_in_flight(server->media) > 0)) {
        tell_life(server);
        notify_extend(EXTEND_US);
        pause_ms(20);
    }
}

static void reload(dp_server *server, const main_options *options)
{
    notify_reloading();
    reload_all(server, read_settings, options);
    notify_ready("serving");
}

/*
 * What nobody should wait for is done by the thread that has nothing else to do: it waits for a
 * signal.  SIGHUP reloads, the others end it.
 */
static void serve_until_signal(dp_server *server, const main_options *options,
                               const sigset_t *signals)
{
    static const struct timespec pause = {.tv_nsec = HOUSEKEEPING_NS};
    static const struct timespec none = {.tv_nsec = 0};
    reload_state *files = reload_watch(server);
    bool is_done = true;
    for (;;) {
        int number = sigtimedwait(signals, NULL, is_done ? &pause : &none);
        if (number == SIGHUP) {
            reload(server, options);
        } else if (number > 0) {
            break;
        }
        tell_life(server);
        reload_look(files, server, os_clock_ns());
        gate_maintain(server->gate, server_wall_ms());
        is_done = dp_cache_maintain(server->cache, HOUSEKEEPING_STEPS) < HOUSEKEEPING_STEPS;
    }
    reload_watch_end(files);
}

static int serve(dp_server *server, const main_options *options)
{
    /* Blocked before any thread is made, so that only the wait below ever sees them. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    lws_set_log_level(LLL_ERR, NULL);
    atomic_store(&server->config_generation, 1);
    notify_open();
    dp_status status = server_open(server);
    if (status == DP_OK) {
        notify_ready("serving");
        printf("danpoold: serving http%s://%s:%u/\n", server->tls != NULL ? "s" : "",
               server->config.listen_address, (unsigned)server->port);
        fflush(stdout);
        log_info("serving", "address=%s port=%u loops=%u backend=%s", server->config.listen_address,
                 (unsigned)server->port, server->loop_count,
                 dp_render_backend_name(server->render));
        serve_until_signal(server, options, &signals);
        notify_stopping("draining");
        server_drain(server);
    } else {
        log_error("cannot start", "status=%s", dp_status_name(status));
    }
    server_close(server);
    notify_close();
    if (status == DP_OK) {
        log_info("stopped", "port=%u", (unsigned)server->port);
    }
    return status == DP_OK ? 0 : 1;
}

static int print_settings(const config *settings)
{
    char *text = config_print(settings);
    fputs(text == NULL ? "" : text, stdout);
    free(text);
    return text == NULL ? 1 : 0;
}

/* The files of keys are part of it: a daemon that is told to start should. */
static int check_settings(const config *settings)
{
    char words[ERROR_BYTES];
    auth_config files = auth_settings(settings);
    auth *keys = NULL;
    tls_pair *tls = NULL;
    if (auth_create(&files, &keys, words, sizeof words) != DP_OK ||
        tls_create(settings->tls_cert_file, settings->tls_key_file, &tls, words, sizeof words) !=
            DP_OK) {
        auth_destroy(keys);
        fprintf(stderr, "danpoold: %s\n", words);
        return 1;
    }
    auth_destroy(keys);
    tls_destroy(tls);
    puts("danpoold: the configuration is good");
    return 0;
}

static int act(const main_options *options)
{
    static dp_server server;
    config_error error = {.message = ""};
    if (options->action == ACTION_HELP) {
        print_help();
        return 0;
    }
    if (options->action == ACTION_VERSION) {
        print_version();
        return 0;
    }
    if (read_settings(options, &server.config, &error) != DP_OK) {
        fprintf(stderr, "danpoold: %s\n", error.message);
        return 1;
    }
    if (options->action == ACTION_PRINT) {
        return print_settings(&server.config);
    }
    if (options->action == ACTION_CHECK) {
        return check_settings(&server.config);
    }
    log_level_set((log_level)log_level_by_name(server.config.log_level));
    log_format_set((log_format)log_format_by_name(server.config.log_format));
    return serve(&server, options);
}

int main(int argc, char **argv)
{
    main_options options = {.action = ACTION_SERVE};
    options.assignments = calloc((size_t)argc, sizeof *options.assignments);
    int code = 2;
    if (options.assignments != NULL && read_options(argc, argv, &options)) {
        code = act(&options);
    } else {
        fputs("try danpoold --help\n", stderr);
    }
    free(options.assignments);
    return code;
}
