/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench pool-warmup: what a message costs by how its memory is come by.
 *
 *     plain        three blocks of malloc, initialised by hand, freed
 *     constructor  one block of malloc, laid out and initialised by a constructor, freed
 *     pool         a typed object of a prewarmed pool, reset when it is put
 *
 * A message has a text and a table of its own.  An operation makes one, fills it, and gives back
 * the oldest of a window, as a room does.  Each subject runs in a child process of its own, all
 * from the same state, so that its first thousand operations are the first of a process; the child
 * answers through a pipe.
 *
 * Allocations are counted where they are made: malloc by the calls below, which all go through one
 * function; the pool's by its own counters, with regions and bookkeeping.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <danpool/object.h>
#include <danpool/stats.h>

#include "harness.h"
#include "pool/os.h"

#define WINDOW_MESSAGES  64u
#define FIRST_OPERATIONS 1000u
#define TEXT_BYTES       256u
#define TABLE_BYTES      512u
#define FILL_BYTES       120u
#define BLOCK_BYTES      4096u
/* Above any count: the countdown to a failure serves as a counter of bookkeeping allocations. */
#define COUNTDOWN_START (UINT64_C(1) << 60)

typedef struct message {
    uint64_t sequence;
    uint32_t color;
    uint32_t text_bytes;
    char *text;
    uint32_t *table;
} message;

static uint64_t malloc_calls;
static uint64_t bookkeeping_calls;

static void *counted_malloc(size_t size_bytes)
{
    malloc_calls++;
    void *memory = malloc(size_bytes);
    if (memory == NULL)
        abort(); /* nothing left to measure */
    return memory;
}

static void message_clear(message *self)
{
    self->sequence = 0;
    self->color = 0xffffff;
    self->text_bytes = 0;
    self->text[0] = '\0';
    memset(self->table, 0, TABLE_BYTES);
}

/* ---- the three ways ---- */

static dp_pool *pool;
static dp_objects *objects;

static message *plain_get(void)
{
    message *self = counted_malloc(sizeof *self);
    self->text = counted_malloc(TEXT_BYTES);
    self->table = counted_malloc(TABLE_BYTES);
    message_clear(self);
    return self;
}

static void plain_put(message *self)
{
    free(self->text);
    free(self->table);
    free(self);
}

static message *constructor_get(void)
{
    message *self = counted_malloc(sizeof *self + TEXT_BYTES + TABLE_BYTES);
    self->table = (uint32_t *)(void *)(self + 1);
    self->text = (char *)(self + 1) + TABLE_BYTES;
    message_clear(self);
    return self;
}

static void constructor_put(message *self)
{
    free(self);
}

static dp_status object_construct(void *object, void *user)
{
    message *self = object;
    (void)user;
    self->text = counted_malloc(TEXT_BYTES);
    self->table = counted_malloc(TABLE_BYTES);
    message_clear(self);
    return DP_OK;
}

static void object_reset(void *object, void *user)
{
    (void)user;
    message_clear(object);
}

static void object_destroy(void *object, void *user)
{
    message *self = object;
    (void)user;
    free(self->text);
    free(self->table);
}

static message *pool_get(void)
{
    void *object = NULL;
    return dp_object_get(objects, &object) == DP_OK ? object : NULL;
}

static void pool_put(message *self)
{
    dp_object_put(self);
}

typedef struct subject {
    const char *name;
    message *(*get)(void);
    void (*put)(message *self);
} subject;

static const subject subjects[] = {
    {"pool", pool_get, pool_put},
    {"plain", plain_get, plain_put},
    {"constructor", constructor_get, constructor_put},
};
#define SUBJECTS (sizeof subjects / sizeof subjects[0])

/* ---- one run, in the child ---- */

typedef struct result {
    bool ok;
    double first_ns;          /* an operation */
    double steady_ns;         /* likewise */
    double first_allocations; /* in 1,000 operations */
    double steady_allocations;
    double reuse; /* per cent */
} result;

static uint64_t allocations_now(void)
{
    uint64_t count = malloc_calls;
    if (pool != NULL) {
        dp_stats stats;
        dp_stats_read(pool, &stats);
        uint64_t left = os_malloc_fail_nth(COUNTDOWN_START);
        count += stats.tiers[DP_TIER_HOST].fresh + stats.tiers[DP_TIER_HOST].region_calls;
        if (left != 0)
            bookkeeping_calls += COUNTDOWN_START - left; /* since it was read last */
        count += bookkeeping_calls;
    }
    return count;
}

/* Nanoseconds an operation; < 0 when one could not be served. */
static double operate(const subject *by, uint64_t operations, message *window[WINDOW_MESSAGES])
{
    static const char words[FILL_BYTES] = "hello";
    uint64_t begun_ns = bench_now_ns();
    for (uint64_t i = 0; i < operations; i++) {
        message **slot = &window[i % WINDOW_MESSAGES];
        if (*slot != NULL)
            by->put(*slot);
        message *made = by->get();
        if (made == NULL)
            return -1;
        made->sequence = i;
        made->text_bytes = FILL_BYTES;
        memcpy(made->text, words, FILL_BYTES);
        made->table[i % (TABLE_BYTES / sizeof(uint32_t))] = (uint32_t)i;
        *slot = made;
    }
    return (double)(bench_now_ns() - begun_ns) / (double)operations;
}

static bool pool_open(void)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    const dp_object_type type = {.name = "message",
                                 .size_bytes = sizeof(message),
                                 .construct = object_construct,
                                 .reset = object_reset,
                                 .destroy = object_destroy};
    size_t ready = 0;
    return dp_pool_create(&config, &pool) == DP_OK &&
           dp_objects_create(pool, &type, &objects) == DP_OK &&
           dp_objects_prewarm(objects, 2 * (size_t)WINDOW_MESSAGES, &ready) == DP_OK &&
           ready == 2 * (size_t)WINDOW_MESSAGES;
}

static void measure(const subject *by, uint64_t operations, result *out)
{
    static message *window[WINDOW_MESSAGES];
    bool pooled = by == &subjects[0];
    if (pooled && !pool_open())
        return;
    uint64_t before = allocations_now();
    out->first_ns = operate(by, FIRST_OPERATIONS, window);
    uint64_t between = allocations_now();
    out->first_allocations = (double)(between - before);
    (void)operate(by, operations / 4, window); /* until it is steady */
    between = allocations_now();
    out->steady_ns = operate(by, operations, window);
    out->steady_allocations = (double)(allocations_now() - between) * 1000 / (double)operations;
    out->ok = out->first_ns >= 0 && out->steady_ns >= 0;
    for (unsigned i = 0; i < WINDOW_MESSAGES; i++)
        by->put(window[i]);
    if (pooled) {
        dp_object_stats stats;
        dp_objects_stats_read(objects, &stats);
        out->reuse = 100.0 * (double)(stats.gets - stats.fresh) / (double)stats.gets;
        dp_objects_destroy(objects);
        dp_pool_destroy(pool);
    }
}

/* Buffers alone: nanoseconds a get and put of the first thousand, of a pool made ready or not. */
static void measure_buffers(bool warm, result *out)
{
    static dp_buf *window[WINDOW_MESSAGES];
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    const dp_request request = {.size_bytes = BLOCK_BYTES};
    size_t ready = 0;
    if (dp_pool_create(&config, &pool) != DP_OK ||
        (warm && dp_prewarm(pool, &request, 2 * (size_t)WINDOW_MESSAGES, &ready) != DP_OK))
        return;
    uint64_t begun_ns = bench_now_ns();
    for (unsigned i = 0; i < FIRST_OPERATIONS; i++) {
        dp_buf **slot = &window[i % WINDOW_MESSAGES];
        dp_put(*slot);
        if (dp_get(pool, &request, slot) != DP_OK)
            return;
        memset(dp_buf_data(*slot), (int)i, FILL_BYTES);
    }
    out->first_ns = (double)(bench_now_ns() - begun_ns) / FIRST_OPERATIONS;
    for (unsigned i = 0; i < WINDOW_MESSAGES; i++)
        dp_put(window[i]);
    dp_pool_destroy(pool);
    out->ok = true;
}

/* Runs one subject in a child; beyond the subjects: buffers, made ready and not. */
static result run_child(size_t index, uint64_t operations)
{
    result answer = {.ok = false};
    int ends[2];
    if (pipe(ends) != 0)
        return answer;
    pid_t child = fork();
    if (child == 0) {
        (void)bench_pin(0);
        if (index < SUBJECTS)
            measure(&subjects[index], operations, &answer);
        else
            measure_buffers(index == SUBJECTS, &answer);
        ssize_t written = write(ends[1], &answer, sizeof answer);
        _exit(written == (ssize_t)sizeof answer ? 0 : 1);
    }
    (void)close(ends[1]);
    if (child < 0 || read(ends[0], &answer, sizeof answer) != (ssize_t)sizeof answer)
        answer.ok = false;
    (void)close(ends[0]);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    return answer;
}

/* ---- rows ---- */

#define COLUMNS (SUBJECTS + 2)

typedef struct samples {
    bench_samples first_ns, steady_ns, first_allocations, steady_allocations, reuse, ratio;
} samples;

static samples columns[COLUMNS];

static void add(samples *to, const result *from)
{
    bench_samples_add(&to->first_ns, from->first_ns);
    bench_samples_add(&to->steady_ns, from->steady_ns);
    bench_samples_add(&to->first_allocations, from->first_allocations);
    bench_samples_add(&to->steady_allocations, from->steady_allocations);
    bench_samples_add(&to->reuse, from->reuse);
    bench_samples_add(&to->ratio, from->first_ns / from->steady_ns);
}

/* `offset` says which samples of a column are meant; columns `own + 1` to `last` are the peers. */
static void emit(bench *b, bench_row row, size_t offset, size_t own, size_t last)
{
    static const char *const names[COLUMNS] = {"pool", "plain", "constructor", "ready",
                                               "not made ready"};
    const char *base = (const char *)&columns[own];
    const bench_samples *ours = (const bench_samples *)(const void *)(base + offset);
    if (!bench_wants(b, row.name))
        return;
    row.value = bench_samples_quantile(ours, 0.5);
    row.min = bench_samples_min(ours);
    row.p50 = row.value;
    row.p99 = bench_samples_quantile(ours, 0.99);
    for (size_t i = own + 1; i <= last; i++) {
        const char *at = (const char *)&columns[i];
        const bench_samples *theirs = (const bench_samples *)(const void *)(at + offset);
        row.peers[row.peer_count++] =
            (bench_peer){names[i], bench_samples_quantile(theirs, 0.5), NAN};
    }
    bench_emit(b, &row);
}

static void emit_all(bench *b)
{
    const bench_goal none = {BENCH_GOAL_NONE, 0, false};
    size_t last = SUBJECTS - 1;
    emit(b,
         (bench_row){.name = "allocations, first 1,000 operations",
                     .unit = "count",
                     .goal = {BENCH_GOAL_VALUE_MAX, 0, false}},
         offsetof(samples, first_allocations), 0, last);
    emit(b,
         (bench_row){.name = "allocations per 1,000 operations, steady",
                     .unit = "count",
                     .goal = {BENCH_GOAL_VALUE_MAX, 0, false}},
         offsetof(samples, steady_allocations), 0, last);
    emit(b, (bench_row){.name = "operation, of the first 1,000", .unit = "ns", .goal = none},
         offsetof(samples, first_ns), 0, last);
    emit(b,
         (bench_row){
             .name = "operation, steady", .unit = "ns", .goal = {BENCH_GOAL_RATIO_MAX, 1.0, false}},
         offsetof(samples, steady_ns), 0, last);
    emit(b,
         (bench_row){.name = "first 1,000 over steady",
                     .unit = "x",
                     .goal = {BENCH_GOAL_VALUE_MAX, 1.5, false},
                     .note = "1.0: the first message costs what the millionth does"},
         offsetof(samples, ratio), 0, last);
    emit(b,
         (bench_row){.name = "reuse rate",
                     .unit = "%",
                     .more_is_better = true,
                     .goal = {BENCH_GOAL_VALUE_MIN, 99, false}},
         offsetof(samples, reuse), 0, 0);
    emit(b,
         (bench_row){.name = "get and put of 4 KiB, of the first 1,000",
                     .unit = "ns",
                     .goal = {BENCH_GOAL_RATIO_MAX, 1.0, false}},
         offsetof(samples, first_ns), SUBJECTS, SUBJECTS + 1);
}

int main(int argc, char **argv)
{
    static const bench_config config = {
        .name = "pool-warmup",
        .summary = "a message by malloc, by a constructor, and of a prewarmed pool",
        .repeats_default = 11,
        .repeats_quick = 2,
    };
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    if (b == NULL)
        return status;
    uint64_t operations = bench_is_quick(b) ? 20000 : 1000000;
    for (int i = 0; i < bench_repeats(b); i++) {
        for (size_t k = 0; k < COLUMNS; k++) {
            const result answer = run_child(k, operations);
            if (!answer.ok) {
                bench_fail(b, "subject %zu could not be served", k);
                return bench_close(b);
            }
            add(&columns[k], &answer);
        }
    }
    emit_all(b);
    return bench_close(b);
}
