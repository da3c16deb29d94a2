/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an NVTX tool is told, counted exactly by one (support/nvtx_counter.c), without a GPU.
 *
 * The tool can only be loaded when a process starts to speak to it, so each scene runs in a process
 * of its own: this program again, with the scene's name as its argument and the counter's path in
 * NVTX_INJECTION64_PATH, as Nsight would set it.
 */
#define _GNU_SOURCE /* environ */
#include "cm.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <danpool/cache.h>

#include "dp_features.h"
#include "media_make.h"
#include "pool/nvtx_mark.h"
#include "pool_rig.h"
#include "render/codec.h"
#include "render/pipeline.h"
#include "tier_rig.h"

#define COUNTS_MAX 64

/* What the child ends with when this build or machine has not what its scene needs. */
#define SCENE_NEEDS_MORE 3

/* ---- scenes; each in a process of its own, without cmocka around it ---- */

static int scene_blocks(void)
{
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_buf *small = rig_get(rig.pool, DP_KIND_OTHER, 64); /* refill 1, a region cut into blocks */
    for (unsigned i = 0; i < 100; i++)
        dp_put(rig_get(rig.pool, DP_KIND_OTHER, 64)); /* from the magazine: nothing is told */
    dp_put(small);
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 200 << 10)); /* refill 2, a region of its own */
    dp_put(rig_get(rig.pool, DP_KIND_OTHER, 200 << 10)); /* refill 3, the same region again */
    dp_put(rig_get(rig.pool, DP_KIND_TEXT, 64));         /* refill 4, another tier's region */
    pool_rig_close(&rig);
    return 0;
}

static int scene_device(void)
{
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    dp_request request = {.size_bytes = 64, .kind = DP_KIND_SURFACE, .batch_size = 8};
    dp_buf *buf = NULL;
    char back[3];
    DP_ASSERT(dp_get(rig.pool, &request, &buf) == DP_OK);
    DP_ASSERT(dp_buf_tier(buf) == DP_TIER_HBM);
    for (unsigned i = 0; i < 3; i++)
        DP_ASSERT(dp_buf_write(buf, 0, "abc", 3) == DP_OK);
    DP_ASSERT(dp_buf_read(buf, 0, back, 3) == DP_OK);
    dp_put(buf);
    pool_rig_close(&rig);
    return 0;
}

#if DP_HAVE_PMEM
static void insert(dp_pool *pool, dp_cache *cache, uint64_t number)
{
    dp_cache_entry entry = {.buf = rig_get(pool, DP_KIND_OTHER, 10000),
                            .priority = DP_PRIORITY_LOW};
    dp_cache_key key = rig_key(number);
    rig_fill(dp_buf_data(entry.buf), 10000, number);
    DP_ASSERT(dp_cache_insert(cache, &key, &entry, NULL) == DP_OK);
    dp_put(entry.buf);
}

static void look_up(dp_cache *cache, uint64_t number)
{
    dp_cache_key key = rig_key(number);
    dp_cache_entry entry;
    DP_ASSERT(dp_cache_lookup(cache, &key, &entry) == DP_OK);
    dp_put(entry.buf);
}

/*
 * Three entries in room for two: one is demoted; another goes, and the first is promoted.  The host
 * tier has a budget, that is, a decorator, whose inner tier's calls are not told again.
 */
static int scene_cache(void)
{
    char directory[RIG_PATH_BYTES];
    rig_directory_make(directory);
    dp_tier *tiers[DP_TIER_COUNT] = {NULL};
    fake_tier_counts counts;
    tiers[DP_TIER_HOST] = fake_tier_open(&(fake_tier_plan){.id = DP_TIER_HOST}, &counts);
    tiers[DP_TIER_PMEM] = rig_pmem_open(rig_path(directory, "cache.pool"));
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.budget_bytes_max[DP_TIER_HOST] = (size_t)64 << 20;
    const dp_cache_config cache_config = {.host_bytes_max = 20000};
    dp_pool *pool = NULL;
    dp_cache *cache = NULL;
    DP_ASSERT(pool_create_over(&config, tiers, &pool) == DP_OK);
    DP_ASSERT(dp_cache_create(pool, &cache_config, &cache) == DP_OK);
    for (uint64_t i = 0; i < 3; i++)
        insert(pool, cache, i);
    dp_cache_key key = rig_key(2);
    DP_ASSERT(dp_cache_remove(cache, &key) == DP_OK);
    look_up(cache, 0); /* in place */
    look_up(cache, 0); /* promoted */
    dp_cache_destroy(cache);
    dp_pool_destroy(pool);
    rig_directory_remove(directory);
    return 0;
}
#else
static int scene_cache(void)
{
    return SCENE_NEEDS_MORE;
}
#endif

static int scene_render(void)
{
    made_media media = media_png(40, 30, &(png_options){.bit_depth = 8, .color_type = 2});
    if (media.bytes == NULL || !dp_media_can_decode(DP_MEDIA_PNG))
        return SCENE_NEEDS_MORE;
    pool_rig rig = {0};
    pool_rig_open_all(&rig);
    char detail[BACKEND_DETAIL_BYTES];
    backend *cpu;
    DP_ASSERT(backend_cpu_open(rig.pool, detail, &cpu) == DP_OK);
    dp_buf *source = rig_get(rig.pool, DP_KIND_ENCODED, media.size_bytes);
    DP_ASSERT(dp_buf_write(source, 0, media.bytes, media.size_bytes) == DP_OK);
    const dp_render_job job = {.source = source,
                               .outputs = {{.width = 20, .height = 20, .format = DP_MEDIA_PNG}},
                               .output_count = 1};
    for (unsigned i = 0; i < 2; i++) {
        pipeline p = {.task = {.pool = rig.pool, .input_pixels_max = 100000},
                      .job = &job,
                      .reader = &decode_in_thread};
        DP_ASSERT(pipeline_run(&p, cpu, NULL) == DP_OK);
        pipeline_drop_results(&p);
    }
    dp_put(source);
    cpu->ops->close(cpu);
    media_free(&media);
    pool_rig_close(&rig);
    return 0;
}

static const struct scene {
    const char *name;
    int (*run)(void);
} scenes[] = {{"blocks", scene_blocks},
              {"device", scene_device},
              {"cache", scene_cache},
              {"render", scene_render}};

static int scene_run(const char *name)
{
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        if (strcmp(scenes[i].name, name) == 0)
            return scenes[i].run();
    }
    return 2;
}

#if DP_HAVE_NVTX

/* ---- the counts of a scene ---- */

typedef struct count {
    char key[64];
    unsigned long value;
} count;

typedef struct counts {
    count all[COUNTS_MAX];
    size_t count;
} counts;

static void counts_read(const char *path, counts *out)
{
    FILE *from = fopen(path, "r");
    char line[128];
    assert_non_null(from);
    *out = (counts){.count = 0};
    while (fgets(line, sizeof line, from) != NULL) {
        char *space = strrchr(line, ' ');
        assert_true(space != NULL && out->count < COUNTS_MAX);
        count *at = &out->all[out->count++];
        snprintf(at->key, sizeof at->key, "%.*s", (int)(space - line), line);
        at->value = strtoul(space + 1, NULL, 10);
    }
    assert_int_equal(fclose(from), 0);
}

/* Runs a scene with the counter as its tool. */
static void run_with_counter(const char *scene, counts *out)
{
    char path[] = "/tmp/danpool-nvtx-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    (void)close(descriptor);
    assert_int_equal(setenv("NVTX_INJECTION64_PATH", DP_NVTX_COUNTER, 1), 0);
    assert_int_equal(setenv("DP_NVTX_COUNTS", path, 1), 0);
    char program[] = "test_nvtx";
    char name[32];
    snprintf(name, sizeof name, "%s", scene);
    char *arguments[] = {program, name, NULL};
    pid_t child = 0;
    assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(unsetenv("NVTX_INJECTION64_PATH"), 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SCENE_NEEDS_MORE) {
        (void)unlink(path);
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    counts_read(path, out);
    (void)unlink(path);
}

static unsigned long value_of(const counts *all, const char *key)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->all[i].key, key) == 0)
            return all->all[i].value;
    }
    return 0;
}

/* Every range and category is among the expected ones, with exactly its count. */
static void assert_counts(const counts *got, const count *expected, size_t expected_count)
{
    for (size_t i = 0; i < expected_count; i++) {
        unsigned long value = value_of(got, expected[i].key);
        if (value != expected[i].value)
            fail_msg("%s is %lu, not %lu", expected[i].key, value, expected[i].value);
    }
    for (size_t i = 0; i < got->count; i++) {
        bool known = got->all[i].value == 0;
        for (size_t k = 0; k < expected_count; k++)
            known = known || strcmp(got->all[i].key, expected[k].key) == 0;
        if (!known)
            fail_msg("%s is %lu and was not expected", got->all[i].key, got->all[i].value);
    }
}

#define ASSERT_COUNTS(got, ...)                                                                    \
    do {                                                                                           \
        const count expected[] = {{"domain.danpool", 1}, {"misuse", 0}, __VA_ARGS__};              \
        assert_counts(got, expected, sizeof expected / sizeof expected[0]);                        \
    } while (0)

static void refills_regions_and_large_blocks_are_told_and_magazines_are_not(void **state)
{
    (void)state;
    counts got;
    run_with_counter("blocks", &got);
    ASSERT_COUNTS(&got, {"range.refill", 4}, {"range.region_get", 3}, {"range.region_put", 3},
                  {"category.host", 3 + 2 + 2}, {"category.pinned", 1 + 1 + 1}, {"heaps.layout", 2},
                  {"heaps.sub", 1}, {"heaps.removed", 3}, {"regions.added", 2},
                  {"regions.removed", 2});
}

static void copies_to_and_from_a_device_are_told(void **state)
{
    (void)state;
    counts got;
    run_with_counter("device", &got);
    ASSERT_COUNTS(&got, {"range.refill", 1}, {"range.region_get", 1}, {"range.region_put", 1},
                  {"range.write", 3}, {"range.read", 1}, {"category.hbm", 7}, {"heaps.layout", 1},
                  {"heaps.removed", 1});
}

static void moves_of_the_cache_are_told(void **state)
{
    (void)state;
    counts got;
    run_with_counter("cache", &got);
    assert_int_equal(value_of(&got, "misuse"), 0);
    assert_int_equal(value_of(&got, "range.region_get"), 1);
    assert_int_equal(value_of(&got, "range.region_put"), 1);
    assert_int_equal(value_of(&got, "range.demote"), 1);
    assert_int_equal(value_of(&got, "range.promote"), 1);
    assert_int_equal(value_of(&got, "range.commit"), 1);
    assert_int_equal(value_of(&got, "range.find"), 1);
    assert_int_equal(value_of(&got, "range.release"), 1);
    assert_int_equal(value_of(&got, "range.unclaim"), 1);
    assert_int_equal(value_of(&got, "range.totals"), 1);
    assert_int_equal(value_of(&got, "category.pmem"), 5); /* these five */
}

static void stages_of_rendering_are_told(void **state)
{
    (void)state;
    counts got;
    run_with_counter("render", &got);
    assert_int_equal(value_of(&got, "misuse"), 0);
    assert_int_equal(value_of(&got, "range.decode"), 2);
    assert_int_equal(value_of(&got, "range.resize"), 2);
    assert_int_equal(value_of(&got, "range.encode"), 2);
    assert_int_equal(value_of(&got, "category.render"), 6);
}

static void without_a_tool_nobody_is_attached(void **state)
{
    (void)state;
    assert_int_equal(scene_blocks(), 0);
    assert_false(nvtx_is_attached());
    assert_null(nvtx_heap_add(DP_TIER_HOST, 4096, 4096, NVTX_HEAP_CUT));
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return scene_run(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refills_regions_and_large_blocks_are_told_and_magazines_are_not),
        cmocka_unit_test(copies_to_and_from_a_device_are_told),
        cmocka_unit_test(moves_of_the_cache_are_told),
        cmocka_unit_test(stages_of_rendering_are_told),
        cmocka_unit_test(without_a_tool_nobody_is_attached),
    };
    return cmocka_run_group_tests_name("nvtx", tests, NULL, NULL);
}

#else

int main(int argc, char **argv)
{
    if (argc == 2)
        return scene_run(argv[1]);
    puts("skipped: built without NVTX's headers");
    return CM_SKIP_ALL;
}

#endif
