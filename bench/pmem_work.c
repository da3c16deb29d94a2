/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One piece of work on a pool file.  Commits run in rounds over the same keys: a round commits all
 * of them on the clock and removes them off it, and the median round is what is reported.  The
 * first round, which touches the file's pages for the first time, does not count.
 */
#include "pmem_work.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpmemobj/atomic_base.h>
#include <libpmemobj/iterator_base.h>
#include <libpmemobj/pool_base.h>
#include <libpmemobj/tx_base.h>

#include <danpool/cache.h>

#include "harness.h"
#include "pool/tier.h"

#define ROUNDS      9u
#define FILE_SLACK  ((size_t)64 << 20)
#define HOST_BYTES  ((size_t)4 << 20) /* of the cache; older entries go on in pmem alone */
#define PEER_LAYOUT "bench"
#define PEER_TYPE   7u

typedef struct bench_state {
    const pmem_work *work;
    dp_pool *pool;
    dp_cache *cache;
    dp_tier *tier;
    PMEMobjpool *pop;
    unsigned char *content;
    PMEMoid *oids;
} bench_state;

/* splitmix64, so that keys are as well spread as the hashes that they stand for. */
static dp_cache_key key_of(uint64_t number)
{
    dp_cache_key key;
    for (size_t i = 0; i < sizeof key.bytes; i += 8) {
        number += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = number;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        memcpy(key.bytes + i, &z, sizeof z);
    }
    return key;
}

static size_t file_bytes_for(const pmem_work *work)
{
    /* Slot, head, libpmemobj's header and rounding to units and chunks, generously. */
    return (work->size_bytes + work->size_bytes / 3 + 640) * work->count + FILE_SLACK;
}

/* --- the pool --- */

static bool pool_open(bench_state *at)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_PMEM);
    config.pmem_path = at->work->path;
    config.pmem_size_bytes = file_bytes_for(at->work);
    return dp_pool_create(&config, &at->pool) == DP_OK;
}

static bool cache_open(bench_state *at)
{
    dp_cache_config config = {.host_bytes_max = HOST_BYTES};
    return dp_cache_create(at->pool, &config, &at->cache) == DP_OK;
}

static bool item_get(bench_state *at, uint64_t number, dp_cache_item *item)
{
    const dp_request request = {
        .size_bytes = at->work->size_bytes, .kind = DP_KIND_ENCODED, .need = DP_NEED_HOST};
    item->key = key_of(number);
    item->entry.persistent = true;
    item->entry.meta_bytes = 0;
    item->entry.priority = DP_PRIORITY_LOW;
    if (dp_get(at->pool, &request, &item->entry.buf) != DP_OK) {
        return false;
    }
    memcpy(dp_buf_data(item->entry.buf), at->content, at->work->size_bytes);
    return true;
}

static bool commit_many(bench_state *at, uint64_t from, size_t count)
{
    static dp_cache_item items[PMEM_WORK_BATCH];
    for (size_t i = 0; i < count; i++) {
        if (!item_get(at, from + i, &items[i])) {
            return false;
        }
    }
    bool ok = dp_cache_insert_many(at->cache, items, count) == DP_OK;
    for (size_t i = 0; i < count; i++) {
        ok = ok && items[i].durable;
        dp_put(items[i].entry.buf);
    }
    return ok;
}

static bool commit_single(bench_state *at, uint64_t from, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        dp_cache_item item;
        bool durable = false;
        ok = item_get(at, from + i, &item) &&
             dp_cache_insert(at->cache, &item.key, &item.entry, &durable) == DP_OK && durable;
        dp_put(item.entry.buf);
    }
    return ok;
}

static bool remove_from_cache(bench_state *at, uint64_t from, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        dp_cache_key key = key_of(from + i);
        ok = dp_cache_remove(at->cache, &key) == DP_OK && ok;
    }
    return ok;
}

/* --- the tier alone --- */

static bool tier_start(bench_state *at)
{
    const tier_open_args args = {.pmem_path = at->work->path,
                                 .pmem_size_bytes = file_bytes_for(at->work)};
    char detail[96];
    return tier_open(DP_TIER_PMEM, &args, detail, &at->tier) == DP_OK;
}

static bool commit_store(bench_state *at, uint64_t from, size_t count)
{
    static dp_cache_key keys[PMEM_WORK_BATCH];
    static tier_item items[PMEM_WORK_BATCH];
    for (size_t i = 0; i < count; i++) {
        keys[i] = key_of(from + i);
        items[i] =
            (tier_item){.key = &keys[i], .data = at->content, .size_bytes = at->work->size_bytes};
    }
    tier_store_commit_many(at->tier, items, count);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        ok = ok && items[i].status == DP_OK;
    }
    return ok;
}

static bool remove_from_store(bench_state *at, uint64_t from, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        dp_cache_key key = key_of(from + i);
        ok = tier_store_remove(at->tier, &key, NULL) == DP_OK && ok;
    }
    return ok;
}

/* --- the peers: libpmemobj by itself, which writes the same bytes and keeps no key --- */

static bool peer_start(bench_state *at)
{
    at->pop = pmemobj_create(at->work->path, PEER_LAYOUT, file_bytes_for(at->work), 0600);
    at->oids = calloc(at->work->count, sizeof *at->oids);
    return at->pop != NULL && at->oids != NULL;
}

static int construct(PMEMobjpool *pop, void *bytes, void *user)
{
    const bench_state *at = user;
    memcpy(bytes, at->content, at->work->size_bytes);
    pmemobj_persist(pop, bytes, at->work->size_bytes);
    return 0;
}

static bool commit_alloc(bench_state *at, uint64_t from, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        ok = pmemobj_alloc(at->pop, &at->oids[from + i], at->work->size_bytes, PEER_TYPE, construct,
                           at) == 0;
    }
    return ok;
}

static bool commit_tx(bench_state *at, uint64_t from, size_t count)
{
    if (pmemobj_tx_begin(at->pop, NULL, TX_PARAM_NONE) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        at->oids[from + i] = pmemobj_tx_alloc(at->work->size_bytes, PEER_TYPE);
        memcpy(pmemobj_direct(at->oids[from + i]), at->content, at->work->size_bytes);
    }
    pmemobj_tx_commit(); /* flushes what was allocated */
    return pmemobj_tx_end() == 0;
}

static bool remove_from_peer(bench_state *at, uint64_t from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pmemobj_free(&at->oids[from + i]);
    }
    return true;
}

/* --- commits --- */

static double cpu_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

typedef bool start_call(bench_state *at);
typedef bool range_call(bench_state *at, uint64_t from, size_t count);

static bool pool_start(bench_state *at)
{
    return pool_open(at) && cache_open(at);
}

typedef struct commit_kind {
    start_call *start;
    range_call *commit;
    range_call *remove;
} commit_kind;

static const commit_kind commit_kinds[] = {
    [PMEM_WORK_MANY] = {pool_start, commit_many, remove_from_cache},
    [PMEM_WORK_SINGLE] = {pool_start, commit_single, remove_from_cache},
    [PMEM_WORK_STORE] = {tier_start, commit_store, remove_from_store},
    [PMEM_WORK_ALLOC] = {peer_start, commit_alloc, remove_from_peer},
    [PMEM_WORK_TX] = {peer_start, commit_tx, remove_from_peer},
};

static bool in_batches(bench_state *at, range_call *call)
{
    bool ok = true;
    for (size_t from = 0; from < at->work->count && ok; from += PMEM_WORK_BATCH) {
        size_t left = at->work->count - from;
        ok = call(at, from, left < PMEM_WORK_BATCH ? left : PMEM_WORK_BATCH);
    }
    return ok;
}

static void commit_rounds(bench_state *at, pmem_work_result *result)
{
    const commit_kind *kind = &commit_kinds[at->work->kind];
    bench_samples rounds = {.count = 0};
    bench_samples cpu = {.count = 0};
    bool ok = kind->start(at);
    for (unsigned round = 0; round <= ROUNDS && ok; round++) {
        double cpu_start = cpu_ms();
        uint64_t start = bench_now_ns();
        ok = in_batches(at, kind->commit);
        double ns = (double)(bench_now_ns() - start);
        if (round > 0) {
            bench_samples_add(&rounds, ns / (double)at->work->count);
            bench_samples_add(&cpu, (cpu_ms() - cpu_start) * 1e6 / (double)at->work->count);
        }
        ok = ok && in_batches(at, kind->remove);
    }
    result->ok = ok;
    result->value = bench_samples_quantile(&rounds, 0.5);
    result->cpu = bench_samples_quantile(&cpu, 0.5);
}

/* --- restarts --- */

static void fill(bench_state *at, pmem_work_result *result)
{
    result->ok = tier_start(at) && in_batches(at, commit_store);
}

static double ms_since(uint64_t start)
{
    return (double)(bench_now_ns() - start) / 1e6;
}

/* The object that is looked for lies in the middle of the file. */
static void open_and_hit(bench_state *at, pmem_work_result *result)
{
    dp_cache_key key = key_of(at->work->count / 2);
    dp_cache_entry entry;
    double cpu = cpu_ms();
    uint64_t start = bench_now_ns();
    bool ok = pool_open(at);
    result->part = ms_since(start);
    ok = ok && cache_open(at) && dp_cache_lookup(at->cache, &key, &entry) == DP_OK &&
         memcmp(dp_buf_data(entry.buf), at->content, at->work->size_bytes) == 0;
    result->value = ms_since(start);
    result->cpu = cpu_ms() - cpu;
    dp_tier_info info;
    char found[48];
    (void)snprintf(found, sizeof found, " %zu entries found", at->work->count);
    result->ok = ok && dp_pool_tier_info(at->pool, DP_TIER_PMEM, &info) == DP_OK &&
                 strstr(info.detail, found) != NULL;
}

/* What an index needs at least if it is built from the heap: each object's first bytes. */
static void open_and_walk(bench_state *at, pmem_work_result *result)
{
    uint64_t start = bench_now_ns();
    at->pop = pmemobj_open(at->work->path, NULL);
    size_t count = 0;
    unsigned char first_bytes = 0;
    if (at->pop != NULL) {
        for (PMEMoid oid = pmemobj_first(at->pop); !OID_IS_NULL(oid); oid = pmemobj_next(oid)) {
            const volatile unsigned char *bytes = pmemobj_direct(oid);
            first_bytes ^= *bytes;
            count++;
        }
    }
    result->value = ms_since(start);
    result->part = first_bytes; /* so that reading them is not for nothing */
    result->ok = count >= at->work->count;
}

/* --- processes --- */

int pmem_work_process(int argc, char **argv)
{
    if (argc != 6) {
        return 2;
    }
    pmem_work work = {.kind = (pmem_work_kind)strtoul(argv[2], NULL, 10),
                      .size_bytes = strtoul(argv[3], NULL, 10),
                      .count = strtoul(argv[4], NULL, 10),
                      .path = argv[5]};
    bench_state at = {.work = &work, .content = malloc(work.size_bytes)};
    pmem_work_result result = {.ok = false};
    if (at.content == NULL) {
        return 1;
    }
    memset(at.content, 0x5a, work.size_bytes);
    bench_setup();
    switch (work.kind) {
    case PMEM_WORK_FILL:
        fill(&at, &result);
        break;
    case PMEM_WORK_OPEN:
        open_and_hit(&at, &result);
        break;
    case PMEM_WORK_WALK:
        open_and_walk(&at, &result);
        break;
    default:
        commit_rounds(&at, &result);
        break;
    }
    if (write(STDOUT_FILENO, &result, sizeof result) != (ssize_t)sizeof result) {
        return 1;
    }
    /* Nothing is closed: the next opener finds what kill -9 leaves. */
    (void)raise(SIGKILL);
    return 1;
}

static void process_exec(const pmem_work *work, int out)
{
    char numbers[3][24];
    (void)snprintf(numbers[0], sizeof numbers[0], "%d", (int)work->kind);
    (void)snprintf(numbers[1], sizeof numbers[1], "%zu", work->size_bytes);
    (void)snprintf(numbers[2], sizeof numbers[2], "%zu", work->count);
    char program[] = "bench_pool-pmem";
    char flag[] = PMEM_WORK_FLAG;
    char *path = strdup(work->path);
    char *arguments[] = {program, flag, numbers[0], numbers[1], numbers[2], path, NULL};
    if (path != NULL && dup2(out, STDOUT_FILENO) >= 0 &&
        setenv("PMEM_IS_PMEM_FORCE", work->flush_lines ? "1" : "0", 1) == 0) {
        (void)execv("/proc/self/exe", arguments);
    }
    _exit(127);
}

void pmem_work_run(const pmem_work *work, pmem_work_result *result)
{
    *result = (pmem_work_result){.ok = false};
    int ends[2];
    if (pipe(ends) != 0) {
        return;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        process_exec(work, ends[1]);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], result, sizeof *result);
    (void)close(ends[0]);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    result->ok = got == (ssize_t)sizeof *result && result->ok;
}
