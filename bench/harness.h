/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one form of every bench: options, clock, samples, histogram, and the rows they end in.
 *
 * A bench opens a harness, measures, emits rows and closes it.  A row is one figure of ours beside
 * the same work done by peers in the same run, because absolute figures move with the machine and
 * with its neighbours.  Rows go to stdout as a table for people, or with --json as one object a
 * line; the first line describes the machine.  The meaning of each column is in bench/README.md.
 *
 * Everything here belongs to the thread that opened the harness, but for the clock, the samples and
 * the histograms, which belong to whoever holds them.
 */
#ifndef DP_BENCH_HARNESS_H
#define DP_BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PEERS_MAX   8u
#define BENCH_REPEATS_MAX 1000

typedef struct bench bench;

/* An option of one bench beside the common ones: exactly one of `number` and `text` is set. */
typedef struct bench_option {
    const char *name;       /* "--viewers" */
    const char *value_name; /* "N", for --help */
    const char *help;
    int64_t *number; /* holds the default, gets the value */
    int64_t min;
    int64_t max;
    const char **text; /* gets a pointer into argv */
} bench_option;

typedef struct bench_config {
    const char *name;    /* "pool", the value of "bench" in every JSON object */
    const char *summary; /* one line for --help */
    int repeats_default;
    int repeats_quick; /* with --quick, unless --repeats says otherwise */
    const bench_option *options;
    size_t option_count;
} bench_config;

/*
 * Reads the command line and prints the machine line.  Returns NULL when the program should end at
 * once with *exit_status (0 after --help, 2 after a command line error).
 */
bench *bench_open(const bench_config *config, int argc, char **argv, int *exit_status);

/* Frees the harness and returns the exit status: 1 after bench_fail() or a missed required goal. */
int bench_close(bench *b);

bool bench_is_quick(const bench *b);
int bench_repeats(const bench *b);

/* Whether --only leaves this row in; a bench asks before it measures. */
bool bench_wants(const bench *b, const char *row);

/* What a row promises.  "Fastest peer" is the best one of the row by its value. */
typedef enum bench_goal_kind {
    BENCH_GOAL_NONE,
    BENCH_GOAL_RATIO_MAX, /* value <= limit x the best peer */
    BENCH_GOAL_VALUE_MAX, /* value <= limit, in the row's unit */
    BENCH_GOAL_VALUE_MIN  /* value >= limit, in the row's unit */
} bench_goal_kind;

typedef struct bench_goal {
    bench_goal_kind kind;
    double limit;
    bool required; /* a miss makes the program fail: for what must never happen, not for speed */
} bench_goal;

typedef struct bench_peer {
    const char *name;
    double value;
    double p99; /* NAN: not measured */
} bench_peer;

/* One figure.  NAN in value, min, p50 or p99 means "not measured" and is null in JSON. */
typedef struct bench_row {
    const char *name;
    const char *unit;
    double value;
    double min;
    double p50;
    double p99;
    bool more_is_better; /* false: the lowest peer is the best one */
    bench_peer peers[BENCH_PEERS_MAX];
    size_t peer_count;
    bench_goal goal;
    const char *note; /* (optional) what a reader must know to judge the figure */
} bench_row;

/* Prints a row.  Nothing is kept. */
void bench_emit(bench *b, const bench_row *row);

/* Prints that a row could not be measured here, and why. */
void bench_skip(bench *b, const char *row, const char *why);

/* Prints a message on stderr and makes bench_close() return 1. */
void bench_fail(bench *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the row would meet its goal: 1 yes, 0 no, -1 no goal or nothing to compare with. */
int bench_row_met(const bench_row *row);

/* The best peer of the row, NULL when it has none that was measured. */
const bench_peer *bench_row_best_peer(const bench_row *row);

/* --- JSON --------------------------------------------------------------------------------- */

/*
 * Writes `text` as a JSON string with its quotes into `out`, always terminated, and returns the
 * length it would have needed.  Bytes that are not UTF-8 become U+FFFD.
 */
size_t bench_json_string(char *out, size_t out_size, const char *text);

/* --- clock -------------------------------------------------------------------------------- */

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t bench_now_ns(void);

/*
 * Calibrates the clock and reads which cores there are.  bench_open() calls it; a process without a
 * harness calls it before its first thread.
 */
void bench_setup(void);

/*
 * Finest clock for single operations: the time stamp counter where it is invariant, else
 * CLOCK_MONOTONIC.  Differences are turned into nanoseconds with bench_ticks_ns(), which takes off
 * what reading the clock twice costs by itself.
 */
uint64_t bench_ticks(void);
uint64_t bench_ticks_ns(uint64_t ticks);
const char *bench_clock_name(void);
double bench_clock_overhead_ns(void);

/* --- threads ------------------------------------------------------------------------------ */

/* Cores this process may run on. */
int bench_cores(void);

/* Pins the calling thread to the n-th of them (modulo); returns whether it worked. */
bool bench_pin(int n);

/*
 * Nanoseconds that the calling thread was ready to run but had no core, since it began: what other
 * programs on the machine took from it.  0 where the kernel does not keep it.
 */
uint64_t bench_thread_wait_ns(void);

/* The same for who asks often, half a microsecond each: only by the thread that opened it. */
int bench_thread_wait_open(void);
uint64_t bench_thread_wait_read(int file);
void bench_thread_wait_close(int file);

/* --- samples and histogram ---------------------------------------------------------------- */

/* A few repeats of one figure.  Plain memory, no allocation. */
typedef struct bench_samples {
    double values[BENCH_REPEATS_MAX];
    size_t count;
} bench_samples;

void bench_samples_add(bench_samples *s, double value);
double bench_samples_min(const bench_samples *s);
double bench_samples_max(const bench_samples *s);

/* q in 0..1, nearest rank; 0.5 is the median (the mean of the middle two).  NAN when empty. */
double bench_samples_quantile(const bench_samples *s, double q);

/*
 * Log-linear histogram of nanoseconds (Gil Tene's HdrHistogram layout): 64 buckets a power of two,
 * so that a quantile is at most 1.6 % off, whatever the range.
 */
#define BENCH_HIST_SUB_BITS 6
#define BENCH_HIST_BUCKETS  ((64 - BENCH_HIST_SUB_BITS + 1) << BENCH_HIST_SUB_BITS)

typedef struct bench_hist {
    uint64_t counts[BENCH_HIST_BUCKETS];
    uint64_t total;
    uint64_t max;
} bench_hist;

void bench_hist_reset(bench_hist *h);
void bench_hist_add(bench_hist *h, uint64_t value, uint64_t count);
void bench_hist_merge(bench_hist *into, const bench_hist *from);

/* Middle of the bucket that holds the quantile; 0 when empty. */
uint64_t bench_hist_quantile(const bench_hist *h, double q);

/* --- machine ------------------------------------------------------------------------------ */

typedef struct bench_machine {
    char cpu[128];
    int cores;
    uint64_t memory_bytes;
    char kernel[128];
    char gpu[128]; /* "none" where there is none */
    char compiler[64];
    char build_type[64]; /* with the sanitizers, where there are any */
    char date[32];       /* UTC, ISO 8601 */
} bench_machine;

void bench_machine_read(bench_machine *out);

/* Non-zero in a build whose sanitizer replaces malloc: no figure of it means anything. */
bool bench_is_sanitized(void);

#endif
