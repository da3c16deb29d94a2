/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clock, core pinning, samples and histogram of the harness.
 *
 * The clock's calibration and the set of cores are process-wide and written once, by bench_setup(),
 * before any thread is started; everything else here is a function of its arguments.
 */
#define _GNU_SOURCE /* sched_setaffinity */

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define OVERHEAD_ROUNDS 2001
#define CALIBRATION_NS  20000000u

static struct {
    bool tsc;
    double ns_per_tick;
    uint64_t overhead_ticks; /* between two reads with nothing in between, median */
} clock_state = {.ns_per_tick = 1.0};

/* Read before anything is pinned, since a pinned thread sees only its own core. */
static cpu_set_t cores_allowed;
static int core_count;

uint64_t bench_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
/* The fences keep the measured operation between the two reads. */
static uint64_t tsc_read(void)
{
    __builtin_ia32_lfence();
    uint64_t ticks = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return ticks;
}

/* A counter that stops or changes pace with the core's frequency is no clock. */
static bool tsc_is_invariant(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) {
        return false;
    }
    static char line[8192];
    bool invariant = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "flags", 5) == 0) {
            invariant = strstr(line, " constant_tsc") != NULL && strstr(line, " nonstop_tsc");
            break;
        }
    }
    (void)fclose(file);
    return invariant;
}
#else
static uint64_t tsc_read(void)
{
    return bench_now_ns();
}

static bool tsc_is_invariant(void)
{
    return false;
}
#endif

uint64_t bench_ticks(void)
{
    return clock_state.tsc ? tsc_read() : bench_now_ns();
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void bench_setup(void)
{
    if (core_count == 0 && sched_getaffinity(0, sizeof cores_allowed, &cores_allowed) == 0) {
        core_count = CPU_COUNT(&cores_allowed);
    }
    clock_state.tsc = tsc_is_invariant();
    if (clock_state.tsc) {
        uint64_t ns_start = bench_now_ns();
        uint64_t ticks_start = tsc_read();
        uint64_t ns = 0;
        while ((ns = bench_now_ns() - ns_start) < CALIBRATION_NS) {
        }
        clock_state.ns_per_tick = (double)ns / (double)(tsc_read() - ticks_start);
    }
    static uint64_t gaps[OVERHEAD_ROUNDS];
    for (size_t i = 0; i < OVERHEAD_ROUNDS; i++) {
        uint64_t start = bench_ticks();
        gaps[i] = bench_ticks() - start;
    }
    qsort(gaps, OVERHEAD_ROUNDS, sizeof gaps[0], compare_u64);
    clock_state.overhead_ticks = gaps[OVERHEAD_ROUNDS / 2];
}

uint64_t bench_ticks_ns(uint64_t ticks)
{
    uint64_t net = ticks > clock_state.overhead_ticks ? ticks - clock_state.overhead_ticks : 0;
    return (uint64_t)((double)net * clock_state.ns_per_tick);
}

const char *bench_clock_name(void)
{
    return clock_state.tsc ? "tsc" : "clock_monotonic";
}

double bench_clock_overhead_ns(void)
{
    return (double)clock_state.overhead_ticks * clock_state.ns_per_tick;
}

int bench_cores(void)
{
    return core_count == 0 ? 1 : core_count;
}

bool bench_pin(int n)
{
    int wanted = core_count == 0 ? 0 : n % core_count;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &cores_allowed) && wanted-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            return sched_setaffinity(0, sizeof one, &one) == 0;
        }
    }
    return false;
}

int bench_thread_wait_open(void)
{
    return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

uint64_t bench_thread_wait_read(int file)
{
    char text[128];
    ssize_t used = file < 0 ? -1 : pread(file, text, sizeof text - 1, 0);
    if (used < 0) {
        return 0;
    }
    text[used] = '\0';
    const char *second = strchr(text, ' '); /* "ran waited slices" */
    return second == NULL ? 0 : strtoull(second + 1, NULL, 10);
}

void bench_thread_wait_close(int file)
{
    if (file >= 0) {
        (void)close(file);
    }
}

uint64_t bench_thread_wait_ns(void)
{
    int file = bench_thread_wait_open();
    uint64_t waited_ns = bench_thread_wait_read(file);
    bench_thread_wait_close(file);
    return waited_ns;
}

void bench_samples_add(bench_samples *s, double value)
{
    if (s->count < BENCH_REPEATS_MAX) {
        s->values[s->count++] = value;
    }
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_samples_quantile(const bench_samples *s, double q)
{
    if (s->count == 0) {
        return NAN;
    }
    double *sorted = malloc(s->count * sizeof *sorted);
    if (sorted == NULL) {
        return NAN;
    }
    memcpy(sorted, s->values, s->count * sizeof *sorted);
    qsort(sorted, s->count, sizeof *sorted, compare_double);
    size_t middle = s->count / 2;
    double result = 0.0;
    if (q == 0.5 && s->count % 2 == 0) {
        result = (sorted[middle - 1] + sorted[middle]) / 2.0;
    } else {
        double rank = ceil(q * (double)s->count);
        size_t index = rank < 1.0 ? 0 : (size_t)rank - 1;
        result = sorted[index < s->count ? index : s->count - 1];
    }
    free(sorted);
    return result;
}

double bench_samples_min(const bench_samples *s)
{
    return bench_samples_quantile(s, 0.0);
}

double bench_samples_max(const bench_samples *s)
{
    return bench_samples_quantile(s, 1.0);
}

/* Values below 2^SUB_BITS have a bucket each; above, the top SUB_BITS bits after the leading one.
 */
static size_t hist_index(uint64_t value)
{
    if (value < (1u << BENCH_HIST_SUB_BITS)) {
        return (size_t)value;
    }
    unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = exponent - BENCH_HIST_SUB_BITS;
    return ((size_t)(shift + 1) << BENCH_HIST_SUB_BITS) +
           (size_t)((value >> shift) - (1u << BENCH_HIST_SUB_BITS));
}

static uint64_t hist_middle(size_t index)
{
    size_t block = index >> BENCH_HIST_SUB_BITS;
    uint64_t sub = index & ((1u << BENCH_HIST_SUB_BITS) - 1u);
    if (block == 0) {
        return sub;
    }
    unsigned shift = (unsigned)block - 1u;
    uint64_t low = (sub + (1u << BENCH_HIST_SUB_BITS)) << shift;
    return low + ((((uint64_t)1 << shift) - 1u) >> 1);
}

void bench_hist_reset(bench_hist *h)
{
    memset(h, 0, sizeof *h);
}

void bench_hist_add(bench_hist *h, uint64_t value, uint64_t count)
{
    h->counts[hist_index(value)] += count;
    h->total += count;
    if (value > h->max) {
        h->max = value;
    }
}

void bench_hist_merge(bench_hist *into, const bench_hist *from)
{
    for (size_t i = 0; i < BENCH_HIST_BUCKETS; i++) {
        into->counts[i] += from->counts[i];
    }
    into->total += from->total;
    if (from->max > into->max) {
        into->max = from->max;
    }
}

uint64_t bench_hist_quantile(const bench_hist *h, double q)
{
    if (h->total == 0) {
        return 0;
    }
    double rank = ceil(q * (double)h->total);
    uint64_t wanted = rank < 1.0 ? 1 : (uint64_t)rank;
    uint64_t seen = 0;
    for (size_t i = 0; i < BENCH_HIST_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen >= wanted) {
            uint64_t middle = hist_middle(i);
            return middle < h->max ? middle : h->max;
        }
    }
    return h->max;
}
