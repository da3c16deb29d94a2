/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration of danpoold: one plain struct, filled from defaults, file, environment and flags.
 *
 * The list below is the only place that knows the settings: parsing, range checks, --print-config
 * and the DANPOOL_* names all come from it.  Later sources win: default < file < environment <
 * flag.
 */
#ifndef DP_SERVER_CONFIG_H
#define DP_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/pool.h>

#define CONFIG_TEXT_BYTES  256u
#define CONFIG_WHERE_BYTES 320u
#define CONFIG_ROUTES_MAX  32u

/* N(group, key, default, min, max, meaning) is a number; S(group, key, default, meaning) a text. */
#define CONFIG_LIST(N, S)                                                                          \
    S(listen, address, "127.0.0.1", "IPv4 address to listen on")                                   \
    N(listen, port, 8080, 0, 65535, "TCP port, 0 = any free one")                                  \
    N(listen, loops, 0, 0, 16, "event loop threads, 0 = one per core")                             \
    S(listen, origins, "", "origins of pages that may open a WebSocket, empty = all")              \
    S(tls, cert_file, "", "certificate and its chain (PEM), empty = no TLS")                       \
    S(tls, key_file, "", "its key (PEM)")                                                          \
    S(auth, jwks_file, "", "keys that verify tokens (JWKS), empty = none")                         \
    S(auth, secret_file, "", "one secret of HS256 tokens, empty = none")                           \
    S(auth, tokens_file, "", "API tokens of back ends by their SHA-256, empty = none")             \
    S(auth, issuer, "", "iss that a token must have, empty = any")                                 \
    S(auth, audience, "", "aud that a token must have, empty = any")                               \
    N(auth, leeway_s, 30, 0, 600, "how far apart the clocks of those who sign and of this may be") \
    N(auth, guests, 1, 0, 1, "1 = who has no token may watch")                                     \
    N(auth, guests_send, 1, 0, 1, "1 = and may send")                                              \
    S(pool, pmem_path, "", "libpmemobj file, created when absent; empty = no pmem tier")           \
    N(pool, pmem_size_mib, 256, 16, 1048576, "size of that file when it is created")               \
    S(pool, tiers, "all", "memories to open: all, or names with commas; host must be one")         \
    N(pool, host_budget_mib, 0, 0, 1048576, "most the pool takes of host memory, 0 = no limit")    \
    N(pool, fallback_mib, 16, 0, 65536, "host memory beside that for when a tier ails, 0 = none")  \
    N(pool, slow_ms, 5, 0, 60000, "P99 of gets from a tier that degrades it, 0 = none does")       \
    N(pool, room_quota_mib, 0, 0, 1048576,                                                         \
      "most a room's messages take of each tier, 0 = no limit")                                    \
    N(pool, huge_budget_mib, 0, 0, 1048576, "most in huge pages, 0 = no limit")                    \
    N(pool, pinned_budget_mib, 0, 0, 1048576, "most of page-locked memory, 0 = no limit")          \
    N(pool, hbm_budget_mib, 0, 0, 1048576, "most of the GPU's memory, 0 = no limit")               \
    N(pool, managed_budget_mib, 256, 1, 1048576, "most that moves between CPU and GPU")            \
    N(pool, shm_budget_mib, 0, 0, 1048576, "most of memory that can be shared, 0 = no limit")      \
    S(pool, trace_path, "", "what the pool does is recorded and written there; empty = it is not") \
    N(pool, lease_ms, 5000, 0, 300000, "a buffer held longer is reported, 0 = none is watched")    \
    N(pool, prewarm_messages, 128, 0, 65536, "buffers of each usual size made ready at the start") \
    N(cache, host_mib, 256, 1, 1048576, "finished media kept in host memory")                      \
    N(cache, low_percent, 90, 1, 100, "of it, what the background brings it down to")              \
    N(render, workers, 0, 0, 64, "render threads, 0 = one per core")                               \
    N(render, queue_max, 256, 1, 65536, "render jobs waiting before uploads are told busy")        \
    N(render, room_jobs_max, 64, 1, 65536, "of them by one room, before that room is told busy")   \
    N(render, batch_max, 256, 1, 4096, "pictures in one batch for a GPU")                          \
    N(render, batch_delay_us, 2000, 1, 1000000, "a picture waits for others of a batch at most")   \
    N(render, device_mib_max, 512, 1, 1048576, "decoded pictures with a GPU, then the CPU helps")  \
    N(render, device_retry_s, 60, 1, 86400, "a GPU that failed is tried again after")              \
    S(render, backend, "auto", "auto, cpu or cuda")                                                \
    S(render, isolation, "auto", "where pictures are decoded: process, auto or thread")            \
    S(render, svg, "auto", "auto: what our engine lacks is librsvg's; own: it is refused")         \
    S(render, decoder, "", "path of danpool-decoder, empty = it is looked for")                    \
    N(render, decoder_memory_mib, 1024, 64, 65536, "memory of one decoder process")                \
    N(render, input_mib_max, 8, 1, 256, "largest upload")                                          \
    N(render, pixels_max, 40000000, 1024, 1000000000, "largest picture, pixels")                   \
    N(render, time_ms_max, 5000, 50, 600000, "from upload to finished picture")                    \
    S(bili, media_base, "", "what stands before /v1/media/ID for Bilibili clients")                \
    N(fanout, flush_ms_max, 20, 0, 1000, "longest window of a batch; 0 = no batching in time")     \
    N(fanout, batch_messages_max, 0, 0, 100000, "messages in a batch, 0 = as many as came")        \
    N(fanout, ring_batches, 256, 4, 65536, "batches a room keeps for slow viewers, power of two")  \
    N(fanout, slow_close_ms, 10000, 100, 600000, "a viewer behind for so long is closed")          \
    N(fanout, display_per_s, 0, 0, 1000000,                                                        \
      "messages a second that a room shows, 0 = all of them")                                      \
    N(fanout, merge, 1, 0, 2, "identical comments: 0 all shown, 1 merged in full rooms, 2 merged") \
    N(fanout, merge_ms, 2000, 1, 60000, "identical comments that close together are merged")       \
    N(limits, text_chars_max, 200, 1, 2000, "code points of a comment")                            \
    N(limits, ext_bytes_max, 1024, 0, 4096, "bytes of ext as written")                             \
    N(limits, messages_per_s, 20, 0, 1000000, "per connection, 0 = no limit")                      \
    N(limits, messages_burst, 40, 1, 1000000, "token bucket size")                                 \
    N(limits, user_messages_per_s, 20, 0, 1000000,                                                 \
      "of one user over all connections, 0 = no limit; bursts of two seconds")                     \
    N(limits, address_messages_per_s, 0, 0, 1000000, "the same of one address")                    \
    N(limits, room_messages_per_s, 0, 0, 1000000, "the same of one room")                          \
    N(limits, address_connections_max, 0, 0, 10000000, "viewers of one address, 0 = no limit")     \
    N(limits, address_connects_per_s, 100, 0, 1000000,                                             \
      "beyond ten seconds of it new connections of an address are delayed, 0 = never")             \
    N(limits, tarpit_ms_max, 3000, 0, 60000, "the longest such delay")                             \
    N(limits, repeat_times, 0, 0, 1000,                                                            \
      "the n-th of the same text by one sender is refused, 0 = none")                              \
    N(limits, repeat_window_s, 30, 1, 86400, "n times in so long")                                 \
    N(limits, repeat_alike_percent, 85, 50, 100,                                                   \
      "likeness that counts as the same; 100 = alike alone")                                       \
    N(limits, repeat_mute_s, 60, 0, 31536000, "who repeats so is muted for it, 0 = is not")        \
    N(limits, connections_max, 20000, 1, 10000000, "viewers; more are refused")                    \
    N(limits, rooms_max, 10000, 1, 10000000, "rooms; more are refused")                            \
    S(filter, lists, "", "files of words and patterns, with commas; empty = none")                 \
    S(moderation, state_path, "", "keeps mutes, bans and rooms' settings; empty = until the end")  \
    S(moderation, audit_path, "", "log of what moderators did, JSON lines; empty = none")          \
    N(moderation, entries_max, 10000, 1, 1000000, "mutes, bans and rooms with settings together")  \
    N(moderation, held_max, 1000, 0, 100000, "comments that wait for review; the oldest goes")     \
    N(history, messages_max, 200, 0, 10000, "newest messages a room keeps for joiners")            \
    N(timeouts, ping_s, 30, 1, 3600, "silence after which a connection is pinged")                 \
    N(timeouts, hangup_s, 15, 1, 3600, "silence after the ping that closes it")                    \
    N(timeouts, drain_s, 5, 0, 600, "longest graceful stop")                                       \
    S(log, level, "info", "error, warn, info or debug")                                            \
    S(log, format, "logfmt", "logfmt or json, a line for each event on standard error")

/* One rule of pool.routes, and where it was read: "danpoold.conf:12". */
typedef struct config_route {
    dp_route_rule rule;
    char where[CONFIG_WHERE_BYTES];
} config_route;

typedef struct config {
#define CONFIG_FIELD_N(group, key, initial, min, max, meaning) int64_t group##_##key;

#define CONFIG_FIELD_S(group, key, initial, meaning) char group##_##key[CONFIG_TEXT_BYTES];
    CONFIG_LIST(CONFIG_FIELD_N, CONFIG_FIELD_S)
#undef CONFIG_FIELD_N
#undef CONFIG_FIELD_S
    /* The one setting that is a list: only a file can hold it. */
    config_route pool_routes[CONFIG_ROUTES_MAX];
    size_t pool_route_count;
} config;

/* A message for people: "danpoold.conf:12: unknown setting listen.prot". */
typedef struct config_error {
    char message[512];
} config_error;

void config_defaults(config *out);

/*
 * Reads a libconfig file over `out`.  An unknown key or a value out of range is an error that names
 * file:line; `out` is then untouched.  (Not "config_read_file": libconfig exports that name.)
 */
dp_status config_load_file(config *out, const char *path, config_error *error);

/* Applies DANPOOL_<GROUP>_<KEY> variables; an unknown DANPOOL_ variable of a known group is an
 * error. */
dp_status config_read_environment(config *out, char *const *environment, config_error *error);

/* Applies one "group.key=value"; `source` ("--set", "DANPOOL_...") is named in the error. */
dp_status config_set(config *out, const char *assignment, const char *source, config_error *error);

/* Checks what single ranges cannot (power of two; backend, level and tier names; pmem path). */
dp_status config_check(const config *config, config_error *error);

/* The set of DP_TIER_BIT()s that pool.tiers names. */
dp_status config_tiers(const config *config, uint32_t *tiers, config_error *error);

/*
 * The pool's routing table: the rules of pool.routes, then the shipped ones for what none of those
 * matches.  `rules` has room for CONFIG_RULES_MAX; returns how many there are.
 */
#define CONFIG_RULES_MAX (CONFIG_ROUTES_MAX + 16u)
size_t config_rules(const config *config, dp_route_rule rules[CONFIG_RULES_MAX]);

/*
 * Names of the settings that differ, with commas ("listen.port,pool.routes"; what does not fit is
 * left out), but for those that a running danpoold takes.  Returns how many.
 */
size_t config_differences(const config *running, const config *fresh, char *names,
                          size_t names_bytes);

/* Writes the whole configuration as a file that config_load_file() takes, comments included.
 * Returns a malloc()ed text. */
char *config_print(const config *config);

#endif
