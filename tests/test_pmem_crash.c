/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at random points while a pmem file is written to: what was acknowledged is there and
 * intact, what was removed is gone, nothing else is there, and no space is lost.
 *
 * A child with two threads commits, alone and in batches, removes and replaces, also what is held.
 * It says over a pipe what it is about to do, and again when that is done; what was begun and not
 * done may have happened or not, each object of a batch on its own.  Parent and child keep the same
 * model of the file, the child by being forked from the parent.  Each thread has its own half of
 * the keys.
 *
 * DP_SEED repeats a run's choices (not its moments), DP_SOAK=1 makes it 1,000 cycles.  Children use
 * no cmocka and leave by SIGKILL or, with words on stderr, by _exit().
 */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "cm.h"

#include "dp_features.h"

#if DP_HAVE_PMEM

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool/os.h"
#include "tier_rig.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CYCLES 50 /* each takes ten times as long */
#else
#define CYCLES 200
#endif
#define CYCLES_SOAK 1000
#define WRITERS     2u
#define KEYS        1200u /* more than a leaf of the directory has slots */
#define KEYS_EACH   (KEYS / WRITERS)
#define BATCH_MAX   48u /* more than one publish takes */
#define FILL_BYTES  60000u

static char directory[RIG_PATH_BYTES];

static const char *pool_path(void)
{
    return rig_path(directory, "crash.pool");
}

/* --- what both sides know --- */

typedef struct model_key {
    uint32_t generation; /* of the content that is there, or was last */
    bool is_live;
} model_key;

static model_key model[KEYS];

enum { COMMIT, REMOVE, REPLACE, REPLACE_HELD, OP_COUNT };

/* One operation over `count` keys from `first` on; said twice, before and after. */
typedef struct note {
    uint32_t writer;
    uint32_t is_done;
    uint32_t op;
    uint32_t first;
    uint32_t count;
} note;

static uint64_t content_of(uint32_t key, uint32_t generation)
{
    return (uint64_t)generation * KEYS + key;
}

/* Mostly small; every sixteenth takes units of 4 KiB. */
static size_t size_of(uint64_t content)
{
    uint64_t state = content;
    uint64_t random = rig_random(&state);
    return 1 + (size_t)(random >> 8) % (random % 16 == 0 ? 40000 : 1500);
}

static void model_apply(const note *done)
{
    for (uint32_t i = 0; i < done->count; i++) {
        model_key *key = &model[done->first + i];
        bool is_new = done->op == COMMIT ? !key->is_live : done->op != REMOVE;
        key->generation += is_new;
        key->is_live = done->op != REMOVE;
    }
}

/* --- the child --- */

typedef struct writer {
    dp_tier *tier;
    uint32_t number;
    int pipe_end;
    uint64_t random;
} writer;

static void fail_child(const char *what, dp_status status)
{
    fprintf(stderr, "pmem_crash: the child failed: %s: %s\n", what, dp_status_name(status));
    _exit(3);
}

/* Commits the next generation of these keys in one call; NULL items are none. */
static void commit_keys(const writer *self, const uint32_t *keys, size_t count)
{
    dp_cache_key names[BATCH_MAX];
    tier_item items[BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        uint64_t content = content_of(keys[i], model[keys[i]].generation + 1);
        size_t size_bytes = size_of(content);
        void *bytes = malloc(size_bytes);
        if (bytes == NULL) {
            fail_child("malloc", DP_ERR_NOMEM);
        }
        rig_fill(bytes, size_bytes, content);
        names[i] = rig_key(keys[i]);
        items[i] = (tier_item){.key = &names[i], .data = bytes, .size_bytes = size_bytes};
    }
    tier_store_commit_many(self->tier, items, count);
    for (size_t i = 0; i < count; i++) {
        if (items[i].status != DP_OK) {
            fail_child("commit", items[i].status);
        }
        free((void *)(uintptr_t)items[i].data);
    }
}

static void remove_key(const writer *self, uint32_t key)
{
    dp_cache_key name = rig_key(key);
    dp_status status = tier_store_remove(self->tier, &name, NULL);
    if (status != DP_OK) {
        fail_child("remove", status);
    }
}

static void replace_key(const writer *self, uint32_t key, bool is_held)
{
    dp_cache_key name = rig_key(key);
    tier_object held;
    is_held = is_held && model[key].is_live;
    if (is_held && tier_store_find(self->tier, &name, &held) != DP_OK) {
        fail_child("find", DP_ERR_NOT_FOUND);
    }
    if (model[key].is_live) {
        remove_key(self, key);
    }
    commit_keys(self, &key, 1);
    if (is_held) {
        tier_store_release(self->tier, &held);
    }
}

static void do_op(const writer *self, const note *op)
{
    uint32_t absent[BATCH_MAX];
    size_t count = 0;
    for (uint32_t key = op->first; key < op->first + op->count; key++) {
        if (op->op == COMMIT && !model[key].is_live) {
            absent[count++] = key;
        } else if (op->op == REMOVE && model[key].is_live) {
            remove_key(self, key);
        } else if (op->op == REPLACE || op->op == REPLACE_HELD) {
            replace_key(self, key, op->op == REPLACE_HELD);
        }
    }
    if (count > 0) {
        commit_keys(self, absent, count);
    }
}

static void say(const writer *self, note *what, bool is_done)
{
    what->is_done = is_done;
    if (write(self->pipe_end, what, sizeof *what) != (ssize_t)sizeof *what) {
        _exit(2);
    }
}

static void *write_until_killed(void *user)
{
    writer *self = user;
    for (;;) {
        uint64_t random = rig_random(&self->random);
        note op = {.writer = self->number, .op = (uint32_t)(random % OP_COUNT)};
        bool is_many = op.op <= REMOVE && (random >> 8) % 2 == 0;
        op.count = is_many ? 1 + (uint32_t)(random >> 16) % BATCH_MAX : 1;
        op.first = self->number * KEYS_EACH + (uint32_t)(random >> 32) % (KEYS_EACH - op.count);
        say(self, &op, false);
        do_op(self, &op);
        model_apply(&op); /* of this thread's own keys */
        say(self, &op, true);
    }
    return NULL;
}

static void child_main(int pipe_end, uint64_t random)
{
    dp_tier *tier = rig_pmem_open(pool_path());
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){
            .tier = tier, .number = i, .pipe_end = pipe_end, .random = rig_random(&random)};
        if (pthread_create(&threads[i], NULL, write_until_killed, &writers[i]) != 0) {
            _exit(4);
        }
    }
    pthread_join(threads[0], NULL);
    _exit(5);
}

/* --- the parent --- */

/* Reads what the child said up to its death; what was begun and not done stays in `open`. */
static size_t listen_to(int pipe_end, note open[WRITERS], bool is_open[WRITERS])
{
    note said;
    size_t count = 0;
    for (;;) {
        ssize_t got = read(pipe_end, &said, sizeof said);
        if (got != (ssize_t)sizeof said) {
            assert_int_equal(got, 0); /* a note is shorter than PIPE_BUF: whole or not at all */
            return count;
        }
        assert_in_range(said.writer, 0, WRITERS - 1);
        assert_int_equal(is_open[said.writer], said.is_done);
        is_open[said.writer] = !said.is_done;
        open[said.writer] = said;
        if (said.is_done) {
            model_apply(&said);
            count++;
        }
    }
}

/* Is this generation of the key there, byte for byte? */
static bool is_there(dp_tier *tier, uint32_t key, uint32_t generation)
{
    dp_cache_key name = rig_key(key);
    tier_object object;
    if (tier_store_find(tier, &name, &object) != DP_OK) {
        return false;
    }
    uint64_t content = content_of(key, generation);
    bool same = object.size_bytes == size_of(content) && object.meta_bytes == 0 &&
                rig_is_filled(object.data, object.size_bytes, content);
    tier_store_release(tier, &object);
    return same;
}

static bool is_absent(dp_tier *tier, uint32_t key)
{
    dp_cache_key name = rig_key(key);
    tier_object object;
    return tier_store_find(tier, &name, &object) == DP_ERR_NOT_FOUND;
}

/* What was in flight: its state before, its state after, or in between is all that may be. */
static void settle(dp_tier *tier, const note *op)
{
    for (uint32_t key = op->first; key < op->first + op->count; key++) {
        model_key *known = &model[key];
        bool may_be_new = op->op == COMMIT ? !known->is_live : op->op != REMOVE;
        bool may_be_gone = op->op != COMMIT || !known->is_live;
        if (known->is_live && is_there(tier, key, known->generation)) {
            continue;
        }
        if (may_be_new && is_there(tier, key, known->generation + 1)) {
            known->generation++;
            known->is_live = true;
        } else {
            assert_true(may_be_gone && is_absent(tier, key));
            known->is_live = false;
        }
    }
}

static void expect_model(const note open[WRITERS], const bool is_open[WRITERS])
{
    dp_tier *tier = rig_pmem_open(pool_path());
    for (size_t i = 0; i < WRITERS; i++) {
        if (is_open[i]) {
            settle(tier, &open[i]);
        }
    }
    size_t live = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        bool right =
            model[key].is_live ? is_there(tier, key, model[key].generation) : is_absent(tier, key);
        if (!right) {
            fail_msg("key %u, generation %u, live %d: lost, harmed or back again", key,
                     model[key].generation, model[key].is_live);
        }
        live += model[key].is_live;
    }
    assert_int_equal(rig_count(tier), live);
    tier_close(tier);
    assert_int_equal(rig_heap_count(pool_path(), RIG_ENTRY_TYPE), live);
}

static void cycle_run(uint64_t *random, size_t *op_count)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20); /* so that the child need not wait for us */
    uint64_t choices = rig_random(random);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        child_main(ends[1], choices);
    }
    close(ends[1]);
    /* Most die while they write; every eighth may die while it opens or makes the file. */
    struct pollfd first_note = {.fd = ends[0], .events = POLLIN};
    if (rig_random(random) % 8 != 0) {
        assert_int_equal(poll(&first_note, 1, 20000), 1);
    }
    struct timespec wait = {.tv_nsec = (long)(rig_random(random) % 8000000)};
    nanosleep(&wait, NULL);
    kill(child, SIGKILL);
    note open[WRITERS];
    bool is_open[WRITERS] = {false};
    *op_count += listen_to(ends[0], open, is_open);
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    expect_model(open, is_open);
}

/* How many objects the file takes, from what it holds now until it is full. */
static size_t fill_up(void)
{
    dp_tier *tier = rig_pmem_open(pool_path());
    size_t count = 0;
    while (rig_commit(tier, KEYS + count, FILL_BYTES) == DP_OK) {
        count++;
    }
    tier_close(tier);
    return count;
}

static void kill_nine_loses_nothing_acknowledged_and_leaks_nothing(void **state)
{
    (void)state;
    const char *given = getenv("DP_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    uint64_t random = seed;
    int cycles = getenv("DP_SOAK") != NULL ? CYCLES_SOAK : CYCLES;
    print_message("pmem_crash: %d cycles with DP_SEED=%llu\n", cycles, (unsigned long long)seed);
    size_t fresh = fill_up();
    assert_int_equal(unlink(pool_path()), 0);
    size_t op_count = 0;
    for (int cycle = 0; cycle < cycles; cycle++) {
        cycle_run(&random, &op_count);
    }
    print_message("pmem_crash: %zu operations were acknowledged\n", op_count);
    assert_true(op_count > (size_t)cycles / 4);
    dp_tier *tier = rig_pmem_open(pool_path());
    for (uint32_t key = 0; key < KEYS; key++) {
        dp_cache_key name = rig_key(key);
        dp_status expected = model[key].is_live ? DP_OK : DP_ERR_NOT_FOUND;
        assert_int_equal(tier_store_remove(tier, &name, NULL), expected);
    }
    tier_close(tier);
    assert_int_equal(rig_heap_count(pool_path(), RIG_ENTRY_TYPE), 0);
    /* Emptied, it holds as much as a fresh one did. */
    size_t after = fill_up();
    print_message("pmem_crash: room for %zu objects fresh, %zu after\n", fresh, after);
    assert_int_equal(after, fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_nine_loses_nothing_acknowledged_and_leaks_nothing),
    };
    rig_directory_make(directory);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    rig_directory_remove(directory);
    return failures;
}

#else

#include <stdio.h>

int main(void)
{
    puts("pmem_crash: skipped, built without libpmemobj");
    return CM_SKIP_ALL;
}

#endif
