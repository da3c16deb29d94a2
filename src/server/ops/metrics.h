/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and histograms of danpoold, and their Prometheus text.
 *
 * Each thread adds to a padded shard of its own with relaxed stores; reading sums the shards.  The
 * lists below are the only place that names a metric (docs/protocol.md shows them to operators).
 */
#ifndef DP_SERVER_METRICS_H
#define DP_SERVER_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* X(enumerator, family, labels, type, help); rows of one family stand together. */
#define METRICS_LIST(X)                                                                            \
    X(METRIC_CONNECTIONS, "connections", "proto=\"json\"", "gauge", "Viewers connected now")       \
    X(METRIC_CONNECTIONS_TOTAL, "connections_total", "proto=\"json\"", "counter",                  \
      "Viewers that ever connected")                                                               \
    X(METRIC_RECEIVED_JSON, "messages_received_total", "proto=\"json\"", "counter",                \
      "Messages that clients sent")                                                                \
    X(METRIC_RECEIVED_HTTP, "messages_received_total", "proto=\"http\"", "counter",                \
      "Messages that clients sent")                                                                \
    X(METRIC_HELD, "messages_held_total", "", "counter", "Messages that wait for a moderator")     \
    X(METRIC_ADMITTED, "messages_admitted_total", "", "counter", "Messages that entered a room")   \
    X(METRIC_SHOWN, "messages_shown_total", "", "counter", "Admitted messages that rooms show")    \
    X(METRIC_MERGED, "messages_merged_total", "", "counter",                                       \
      "Admitted messages that stand in the count of an identical one")                             \
    X(METRIC_DELIVERED, "messages_delivered_total", "", "counter", "Messages written to viewers")  \
    X(METRIC_DROPPED_SLOW, "messages_dropped_total", "reason=\"slow_consumer\"", "counter",        \
      "Messages that a viewer missed, or that nobody was shown")                                   \
    X(METRIC_SAMPLED, "messages_dropped_total", "reason=\"density\"", "counter",                   \
      "Messages that a viewer missed, or that nobody was shown")                                   \
    X(METRIC_RECALLED, "messages_dropped_total", "reason=\"recalled\"", "counter",                 \
      "Messages that a viewer missed, or that nobody was shown")                                   \
    X(METRIC_BATCHES, "batches_total", "", "counter", "Batches built")                             \
    X(METRIC_BATCH_BYTES, "batch_bytes_total", "", "counter", "Bytes of the batches built")        \
    X(METRIC_FRAMES, "frames_written_total", "", "counter", "WebSocket frames handed to sockets")  \
    X(METRIC_MEDIA_RENDERED, "media_uploads_total", "result=\"rendered\"", "counter",              \
      "Uploads by what became of them")                                                            \
    X(METRIC_MEDIA_CACHED, "media_uploads_total", "result=\"cached\"", "counter",                  \
      "Uploads by what became of them")                                                            \
    X(METRIC_MEDIA_FAILED, "media_uploads_total", "result=\"failed\"", "counter",                  \
      "Uploads by what became of them")                                                            \
    X(METRIC_RELOADS_OK, "config_reloads_total", "result=\"ok\"", "counter",                       \
      "Times that settings and keys were read again")                                              \
    X(METRIC_RELOADS_FAILED, "config_reloads_total", "result=\"failed\"", "counter",               \
      "Times that settings and keys were read again")                                              \
    X(METRIC_ESCAPES_LOW, "escapes_total", "severity=\"low\"", "counter",                          \
      "Buffers held longer than their lease")                                                      \
    X(METRIC_ESCAPES_MEDIUM, "escapes_total", "severity=\"medium\"", "counter",                    \
      "Buffers held longer than their lease")                                                      \
    X(METRIC_ESCAPES_HIGH, "escapes_total", "severity=\"high\"", "counter",                        \
      "Buffers held longer than their lease")

typedef enum metric {
#define METRICS_ENUM(id, family, labels, type, help) id,
    METRICS_LIST(METRICS_ENUM)
#undef METRICS_ENUM
        METRIC_COUNT
} metric;

/* X(enumerator, family, help): histograms in seconds. */
#define METRICS_HISTOGRAM_LIST(X)                                                                  \
    X(HISTOGRAM_FANOUT, "fanout_duration_seconds", "From admission to the socket, a delivery")     \
    X(HISTOGRAM_RENDER, "render_duration_seconds", "From upload to finished picture")

typedef enum metric_histogram {
#define METRICS_ENUM(id, family, help) id,
    METRICS_HISTOGRAM_LIST(METRICS_ENUM)
#undef METRICS_ENUM
        HISTOGRAM_COUNT
} metric_histogram;

/* Adds to the calling thread's shard; a gauge goes down by a negative step.  Thread safe, no lock.
 */
void metrics_add(metric id, int64_t step);

/* Counts one rejected message under its protocol_error. */
void metrics_reject(unsigned error);

/* Counts `count` observations of the same duration. */
void metrics_observe(metric_histogram id, uint64_t duration_ns, uint64_t count);

int64_t metrics_read(metric id);

/* Text that grows inside a fixed space; what does not fit sets `overflow` and is left out. */
typedef struct metrics_text {
    char *to;
    size_t size_bytes, capacity_bytes;
    int overflow;
} metrics_text;

void metrics_printf(metrics_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One family's HELP and TYPE lines. */
void metrics_family(metrics_text *text, const char *family, const char *type, const char *help);

/* Writes every counter and histogram above. */
void metrics_write(metrics_text *text);

#endif
