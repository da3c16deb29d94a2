/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reloading.  A setting that the loops read while they turn cannot change under them: only those of
 * the log and of the gate do (live_settings in config.c), and every other that differs is named in
 * a warning.
 *
 * Files are watched by what stat() says of them once a second: a path may be a link that is turned
 * to another file (as Kubernetes does it), which a watch on the file would not see.
 */
#include "server/ops/reload.h"

#include <string.h>
#include <sys/stat.h>

#include "pool/os.h"
#include "server/ops/log.h"
#include "server/ops/metrics.h"

#define ERROR_BYTES 512u
#define LOOK_NS     1000000000u
#define WATCHED     5u
#define NAMES_BYTES 1024u

typedef struct file_mark {
    dev_t device;
    ino_t inode;
    off_t size_bytes;
    struct timespec changed;
} file_mark;

struct reload_state {
    file_mark marks[WATCHED];
    bool is_moving; /* changed at the last look: one more look to see it keep still */
    uint64_t looked_ns;
};

static const char *watched_path(const dp_server *server, unsigned i)
{
    const char *const paths[WATCHED] = {
        server->config.auth_jwks_file, server->config.auth_secret_file,
        server->config.auth_tokens_file, server->config.tls_cert_file, server->config.tls_key_file};
    return paths[i];
}

/* Of a file that is not there (yet), nothing. */
static file_mark mark_of(const char *path)
{
    struct stat facts;
    if (path[0] == '\0' || stat(path, &facts) != 0) {
        return (file_mark){.size_bytes = -1};
    }
    return (file_mark){.device = facts.st_dev,
                       .inode = facts.st_ino,
                       .size_bytes = facts.st_size,
                       .changed = facts.st_mtim};
}

static bool is_same(const file_mark *left, const file_mark *right)
{
    return left->device == right->device && left->inode == right->inode &&
           left->size_bytes == right->size_bytes && left->changed.tv_sec == right->changed.tv_sec &&
           left->changed.tv_nsec == right->changed.tv_nsec;
}

reload_state *reload_watch(const dp_server *server)
{
    reload_state *state = os_calloc(1, sizeof *state);
    for (unsigned i = 0; state != NULL && i < WATCHED; i++) {
        state->marks[i] = mark_of(watched_path(server, i));
    }
    return state;
}

void reload_watch_end(reload_state *state)
{
    os_free(state);
}

static bool reload_files(dp_server *server)
{
    char words[ERROR_BYTES] = "";
    if (auth_is_enabled(server->auth) && auth_reload(server->auth, words, sizeof words) != DP_OK) {
        log_error("reload failed, the old keys stay", "reason=\"%s\"", words);
        return false;
    }
    if (server->tls != NULL && tls_reload(server->tls, words, sizeof words) != DP_OK) {
        log_error("reload failed, the old certificate stays", "reason=\"%s\"", words);
        return false;
    }
    for (unsigned i = 0; server->tls != NULL && i < server->loop_count; i++) {
        loop_wake(&server->loops[i]);
    }
    return true;
}

static bool reload_gate(dp_server *server, const config *fresh)
{
    char words[ERROR_BYTES] = "";
    if (gate_reload(server->gate, fresh, words, sizeof words) != DP_OK) {
        log_error("reload failed, the old lists stay", "reason=\"%s\"", words);
        return false;
    }
    return true;
}

static void count(dp_server *server, bool good)
{
    metrics_add(good ? METRIC_RELOADS_OK : METRIC_RELOADS_FAILED, 1);
    if (good) {
        atomic_fetch_add_explicit(&server->config_generation, 1, memory_order_relaxed);
        log_info("reloaded", "generation=%llu",
                 (unsigned long long)atomic_load(&server->config_generation));
    }
}

static void apply_settings(dp_server *server, const config *fresh)
{
    char names[NAMES_BYTES];
    if (config_differences(&server->config, fresh, names, sizeof names) > 0) {
        log_warn("settings that need a restart have changed", "settings=\"%s\"", names);
    }
    log_level_set((log_level)log_level_by_name(fresh->log_level));
    log_format_set((log_format)log_format_by_name(fresh->log_format));
}

void reload_all(dp_server *server, reload_settings read, const void *user)
{
    config_error error = {.message = ""};
    config *fresh = os_calloc(1, sizeof *fresh);
    if (fresh == NULL || read(user, fresh, &error) != DP_OK) {
        log_error("reload failed, the old settings stay", "reason=\"%s\"",
                  fresh == NULL ? "out of memory" : error.message);
        os_free(fresh);
        count(server, false);
        return;
    }
    bool good = reload_files(server) && reload_gate(server, fresh);
    if (good) {
        apply_settings(server, fresh);
    }
    os_free(fresh);
    count(server, good);
}

void reload_look(reload_state *state, dp_server *server, uint64_t now_ns)
{
    if (state == NULL || now_ns - state->looked_ns < LOOK_NS) {
        return;
    }
    state->looked_ns = now_ns;
    bool moved = false;
    for (unsigned i = 0; i < WATCHED; i++) {
        file_mark mark = mark_of(watched_path(server, i));
        moved |= !is_same(&mark, &state->marks[i]);
        state->marks[i] = mark;
    }
    if (state->is_moving && !moved) {
        count(server, reload_files(server));
    }
    state->is_moving = moved;
}
