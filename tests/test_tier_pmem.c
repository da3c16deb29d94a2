/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pmem tier over a temporary file: what it keeps and in which order, what a crash frees, and
 * which files it leaves alone.  (Random kills are test_pmem_crash.c's.)
 *
 * Sanitizers need no settings for libpmemobj here: it maps where the kernel says, and its locks are
 * pthread mutexes, which the thread sanitizer sees although the library itself is not instrumented.
 * Children that are to be killed fork before the parent opens the file, report through a pipe, use
 * no cmocka and leave by SIGKILL or _exit().
 */
#include "cm.h"

#include "dp_features.h"

#if DP_HAVE_PMEM

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpmemobj/pool_base.h>

#include "pool/os.h"
#include "tier_rig.h"

static char directory[RIG_PATH_BYTES];

static const char *pool_path(void)
{
    return rig_path(directory, "test.pool");
}

static int setup(void **state)
{
    (void)state;
    rig_directory_make(directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_directory_remove(directory);
    return 0;
}

static dp_status try_open(const char *path, size_t size_bytes, char detail[96])
{
    tier_open_args args = {.pmem_path = path, .pmem_size_bytes = size_bytes};
    dp_tier *tier = NULL;
    dp_status status = tier_open(DP_TIER_PMEM, &args, detail, &tier);
    tier_close(tier);
    return status;
}

static size_t heap_objects(void)
{
    return rig_heap_count(pool_path(), RIG_ENTRY_TYPE);
}

static void what_was_committed_is_found_after_reopening(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    assert_true(tier->info.persistent);
    assert_non_null(strstr(tier->info.detail, "not persistent-memory hardware"));
    for (uint64_t i = 0; i < 600; i++) {
        assert_int_equal(rig_commit(tier, i, 1 + i * 7), DP_OK);
    }
    tier_close(tier);
    tier = rig_pmem_open(pool_path());
    assert_non_null(strstr(tier->info.detail, "600 entries found"));
    for (uint64_t i = 0; i < 600; i++) {
        assert_int_equal(rig_check(tier, i, 1 + i * 7), DP_OK);
    }
    assert_int_equal(rig_check(tier, 600, 1), DP_ERR_NOT_FOUND);
    tier_close(tier);
    assert_int_equal(heap_objects(), 600);
}

typedef struct order_state {
    uint64_t next;
    uint64_t last;
    uint64_t step;
} order_state;

static bool is_next(void *user, const dp_cache_key *key, const tier_object *object)
{
    order_state *order = user;
    dp_cache_key expected = rig_key(order->next);
    assert_memory_equal(key, &expected, sizeof expected);
    assert_true(rig_is_filled(object->data, object->size_bytes, order->next));
    bool more = order->next != order->last;
    order->next += order->step;
    return more;
}

static void a_walk_goes_from_the_oldest_commit_and_stops_when_told(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(rig_commit(tier, i, 5000 - 200 * i), DP_OK);
    }
    for (uint64_t i = 0; i < 20; i += 2) {
        dp_cache_key key = rig_key(i);
        assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    }
    tier_close(tier);
    tier = rig_pmem_open(pool_path());
    order_state order = {.next = 1, .last = 15, .step = 2};
    tier_store_each(tier, is_next, &order);
    assert_int_equal(order.next, 17);
    /* New commits come behind old ones, across openings. */
    assert_int_equal(rig_commit(tier, 21, 10), DP_OK);
    tier_close(tier);
    tier = rig_pmem_open(pool_path());
    order = (order_state){.next = 1, .last = 21, .step = 2};
    tier_store_each(tier, is_next, &order);
    assert_int_equal(order.next, 23);
    tier_close(tier);
}

static void a_held_object_outlives_its_removal_and_its_successor(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    dp_cache_key key = rig_key(1);
    tier_object held;
    assert_int_equal(rig_commit(tier, 1, 30000), DP_OK);
    assert_int_equal(tier_store_find(tier, &key, &held), DP_OK);
    assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    assert_int_equal(rig_check(tier, 1, 30000), DP_ERR_NOT_FOUND);
    assert_int_equal(rig_commit(tier, 1, 30000), DP_OK);
    assert_int_equal(rig_check(tier, 1, 30000), DP_OK);
    for (uint64_t i = 2; i < 50; i++) {
        assert_int_equal(rig_commit(tier, i, 30000), DP_OK); /* nobody got its bytes */
    }
    assert_true(rig_is_filled(held.data, held.size_bytes, 1));
    tier_store_release(tier, &held);
    tier_close(tier);
    assert_int_equal(heap_objects(), 49);
}

static size_t fill_up(dp_tier *tier, uint64_t from, size_t size_bytes)
{
    size_t count = 0;
    dp_status status = DP_OK;
    while (status == DP_OK) {
        status = rig_commit(tier, from + count, size_bytes);
        count += status == DP_OK;
    }
    assert_int_equal(status, DP_ERR_NOMEM);
    return count;
}

static void a_full_file_refuses_and_goes_on(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    size_t count = fill_up(tier, 0, 100000);
    assert_in_range(count, 50, 165);
    assert_int_equal(rig_commit(tier, 5000, RIG_FILE_BYTES * 2), DP_ERR_NOMEM);
    dp_cache_key key = rig_key(3);
    tier_object vast = {.data = "", .size_bytes = (size_t)1 << 40}; /* refused before it is read */
    assert_int_equal(tier_store_commit(tier, &key, &vast), DP_ERR_EXISTS);
    key = rig_key(5001);
    assert_int_equal(tier_store_commit(tier, &key, &vast), DP_ERR_NOMEM);
    key = rig_key(3);
    assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    assert_int_equal(rig_commit(tier, 5000, 100000), DP_OK);
    for (uint64_t i = 0; i < count; i++) {
        assert_int_equal(rig_check(tier, i, 100000), i == 3 ? DP_ERR_NOT_FOUND : DP_OK);
    }
    tier_close(tier);
}

static void a_file_is_used_well_by_objects_of_all_sizes(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    uint64_t random = 7;
    uint64_t number = 0;
    size_t stored_bytes = 0;
    for (dp_status status = DP_OK; status == DP_OK; number++) {
        size_t size_bytes = 500 + (size_t)(rig_random(&random) % 100000);
        status = rig_commit(tier, number, size_bytes);
        stored_bytes += status == DP_OK ? size_bytes : 0;
    }
    tier_close(tier);
    print_message("tier_pmem: %zu of %zu KiB filled by sizes of 0.5 to 100 kB\n",
                  stored_bytes / 1024, RIG_FILE_BYTES / 1024);
    assert_true(stored_bytes > RIG_FILE_BYTES / 5 * 3);
}

static void a_damaged_object_is_reported_and_the_others_are_served(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(rig_commit(tier, i, 2000), DP_OK);
    }
    tier_close(tier);
    assert_true(rig_damage(pool_path(), 4));
    tier = rig_pmem_open(pool_path());
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(rig_check(tier, i, 2000), i == 4 ? DP_ERR_CORRUPT : DP_OK);
    }
    dp_cache_key key = rig_key(4);
    assert_int_equal(rig_commit(tier, 4, 2000), DP_ERR_EXISTS);
    assert_int_equal(tier_store_remove(tier, &key, NULL), DP_OK);
    assert_int_equal(rig_commit(tier, 4, 2000), DP_OK);
    assert_int_equal(rig_check(tier, 4, 2000), DP_OK);
    tier_close(tier);
    assert_int_equal(heap_objects(), 10);
}

static int wait_status(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/*
 * In a child, which ends by _exit(): pmemobj_check() of libpmemobj 1.12 does not free what it had
 * allocated when it finds a damaged pool, which the leak sanitizer would lay at our door.
 */
static bool refuses_pool(const char *what)
{
    char detail[96] = "";
    dp_status status = try_open(pool_path(), RIG_FILE_BYTES, detail);
    bool right = status == DP_ERR_CORRUPT && strstr(detail, "left untouched") != NULL;
    if (!right) {
        fprintf(stderr, "%s: %s: %s\n", what, dp_status_name(status), detail);
    }
    return right;
}

/* Opens a file that is not ours and compares it before and after. */
static void expect_untouched(const char *what, const void *bytes, size_t size_bytes)
{
    FILE *stream = fopen(pool_path(), "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size_bytes, stream), size_bytes);
    assert_int_equal(fclose(stream), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(refuses_pool(what) ? 0 : 1);
    }
    assert_int_equal(wait_status(child), 0);
    unsigned char *after = malloc(size_bytes + 1);
    assert_non_null(after);
    stream = fopen(pool_path(), "rb");
    assert_non_null(stream);
    assert_int_equal(fread(after, 1, size_bytes + 1, stream), size_bytes);
    assert_int_equal(fclose(stream), 0);
    assert_memory_equal(after, bytes, size_bytes);
    free(after);
    assert_int_equal(unlink(pool_path()), 0);
}

static unsigned char *read_pool(size_t *size_bytes)
{
    unsigned char *bytes = malloc(RIG_FILE_BYTES);
    FILE *stream = fopen(pool_path(), "rb");
    assert_non_null(bytes);
    assert_non_null(stream);
    *size_bytes = fread(bytes, 1, RIG_FILE_BYTES, stream);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(unlink(pool_path()), 0);
    return bytes;
}

static void a_foreign_or_damaged_file_is_left_untouched(void **state)
{
    (void)state;
    static const char text[] = "these are somebody's notes\n";
    expect_untouched("an empty file", "", 0);
    expect_untouched("a text", text, sizeof text - 1);
    unsigned char *noise = malloc(RIG_FILE_BYTES);
    assert_non_null(noise);
    rig_fill(noise, RIG_FILE_BYTES, 99);
    expect_untouched("noise of the right size", noise, RIG_FILE_BYTES);
    free(noise);

    size_t size_bytes = 0;
    PMEMobjpool *pop = pmemobj_create(pool_path(), "other.v1", RIG_FILE_BYTES, 0600);
    assert_non_null(pop);
    pmemobj_close(pop);
    unsigned char *other = read_pool(&size_bytes);
    expect_untouched("a pool of another layout", other, size_bytes);
    free(other);

    tier_close(rig_pmem_open(pool_path()));
    unsigned char *ours = read_pool(&size_bytes);
    expect_untouched("our pool cut short", ours, size_bytes / 2);
    memset(ours + 4096, 0x5a, 8192);
    expect_untouched("our pool with a damaged head", ours, size_bytes);
    free(ours);
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    char detail[96] = "";
    assert_int_equal(try_open(NULL, RIG_FILE_BYTES, detail), DP_ERR_UNSUPPORTED);
    assert_string_equal(detail, "no pmem_path configured");
    assert_int_equal(try_open("", RIG_FILE_BYTES, detail), DP_ERR_UNSUPPORTED);
    assert_int_equal(try_open(pool_path(), RIG_FILE_BYTES - 1, detail), DP_ERR_INVALID);
    assert_string_equal(detail, "pmem_size_bytes is below 16 MiB");
    assert_int_equal(try_open(rig_path(directory, "none/x.pool"), RIG_FILE_BYTES, detail),
                     DP_ERR_IO);
    assert_string_equal(detail, "cannot create pmem file: No such file or directory");
    assert_int_equal(try_open(directory, RIG_FILE_BYTES, detail), DP_ERR_CORRUPT);
}

static void a_disk_without_room_is_an_io_error_that_leaves_no_file(void **state)
{
    (void)state;
    /* A limit on file sizes stands in for a full disk: both fail the allocation of the blocks. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tight = {.rlim_cur = RIG_FILE_BYTES / 2, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    char detail[96] = "";
    dp_status status = try_open(pool_path(), RIG_FILE_BYTES, detail);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(status, DP_ERR_IO);
    assert_string_equal(detail, "cannot create pmem file: File too large");
    assert_int_equal(access(pool_path(), F_OK), -1);
    assert_int_equal(access(rig_path(directory, "test.pool.new"), F_OK), -1);
}

static void a_half_made_file_is_made_anew(void **state)
{
    (void)state;
    FILE *stream = fopen(rig_path(directory, "test.pool.new"), "wb");
    assert_non_null(stream);
    assert_int_equal(fclose(stream), 0);
    dp_tier *tier = rig_pmem_open(pool_path());
    assert_int_equal(rig_commit(tier, 1, 100), DP_OK);
    tier_close(tier);
    assert_int_equal(access(rig_path(directory, "test.pool.new"), F_OK), -1);
}

static void a_second_opener_is_told_busy(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    char detail[96] = "";
    assert_int_equal(try_open(pool_path(), RIG_FILE_BYTES, detail), DP_ERR_BUSY);
    assert_string_equal(detail, "pmem file is in use by another process");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(try_open(pool_path(), RIG_FILE_BYTES, detail) == DP_ERR_BUSY ? 0 : 1);
    }
    assert_int_equal(wait_status(child), 0);
    assert_int_equal(rig_commit(tier, 1, 100), DP_OK);
    tier_close(tier);
    assert_int_equal(try_open(pool_path(), RIG_FILE_BYTES, detail), DP_OK);
}

static void a_crash_frees_regions_and_what_was_removed_while_held(void **state)
{
    (void)state;
    tier_close(rig_pmem_open(pool_path()));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dp_tier *tier = rig_pmem_open(pool_path());
        dp_cache_key key = rig_key(1);
        tier_object held;
        tier_region region;
        bool fine = rig_commit(tier, 1, 5000) == DP_OK && rig_commit(tier, 2, 5000) == DP_OK &&
                    tier_region_get(tier, (size_t)1 << 20, &region) == DP_OK &&
                    tier_store_find(tier, &key, &held) == DP_OK &&
                    tier_store_remove(tier, &key, NULL) == DP_OK;
        if (fine) {
            kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    int status = wait_status(child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    dp_tier *tier = rig_pmem_open(pool_path());
    assert_int_equal(rig_check(tier, 1, 5000), DP_ERR_NOT_FOUND);
    assert_int_equal(rig_check(tier, 2, 5000), DP_OK);
    tier_close(tier);
    assert_int_equal(heap_objects(), 1);
}

/* --- threads --- */

#define STORE_THREADS 4
#define STORE_ROUNDS  60
#define STORE_KEYS    16

/* Threads fight over a few keys; whatever is found must be whole.  Returns words on failure. */
static void *fight(void *user)
{
    dp_tier *tier = ((void **)user)[0];
    uint64_t random = (uint64_t)(uintptr_t)((void **)user)[1];
    for (int i = 0; i < STORE_ROUNDS; i++) {
        uint64_t number = rig_random(&random) % STORE_KEYS;
        dp_cache_key key = rig_key(number);
        tier_object held;
        dp_status status = rig_commit(tier, number, 3000);
        if (status != DP_OK && status != DP_ERR_EXISTS) {
            return (void *)"a commit failed";
        }
        if (tier_store_find(tier, &key, &held) == DP_OK) {
            status = tier_store_remove(tier, &key, NULL);
            bool intact = rig_is_filled(held.data, held.size_bytes, number);
            tier_store_release(tier, &held);
            if (!intact || (status != DP_OK && status != DP_ERR_NOT_FOUND)) {
                return (void *)"a held object changed";
            }
        }
    }
    return NULL;
}

static void threads_find_whole_objects_or_none(void **state)
{
    (void)state;
    dp_tier *tier = rig_pmem_open(pool_path());
    pthread_t threads[STORE_THREADS];
    void *user[STORE_THREADS][2];
    for (uintptr_t i = 0; i < STORE_THREADS; i++) {
        user[i][0] = tier;
        user[i][1] = (void *)(i + 1);
        assert_int_equal(pthread_create(&threads[i], NULL, fight, user[i]), 0);
    }
    for (int i = 0; i < STORE_THREADS; i++) {
        void *complaint = NULL;
        pthread_join(threads[i], &complaint);
        assert_null(complaint);
    }
    size_t live = rig_count(tier);
    tier_close(tier);
    assert_int_equal(heap_objects(), live);
}

#define PMEM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PMEM_TEST(what_was_committed_is_found_after_reopening),
        PMEM_TEST(a_walk_goes_from_the_oldest_commit_and_stops_when_told),
        PMEM_TEST(a_held_object_outlives_its_removal_and_its_successor),
        PMEM_TEST(a_full_file_refuses_and_goes_on),
        PMEM_TEST(a_file_is_used_well_by_objects_of_all_sizes),
        PMEM_TEST(a_damaged_object_is_reported_and_the_others_are_served),
        PMEM_TEST(a_foreign_or_damaged_file_is_left_untouched),
        PMEM_TEST(what_cannot_be_opened_says_why),
        PMEM_TEST(a_disk_without_room_is_an_io_error_that_leaves_no_file),
        PMEM_TEST(a_half_made_file_is_made_anew),
        PMEM_TEST(a_second_opener_is_told_busy),
        PMEM_TEST(a_crash_frees_regions_and_what_was_removed_while_held),
        PMEM_TEST(threads_find_whole_objects_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <stdio.h>

int main(void)
{
    puts("tier_pmem: skipped, built without libpmemobj");
    return CM_SKIP_ALL;
}

#endif
