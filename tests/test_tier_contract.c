/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every tier promises: rows are tiers, columns are checks, each cell is one cmocka test.
 *
 * A tier that this machine lacks is skipped by name, with its own words for why.  The fake driver's
 * rows run everywhere; decorated rows must keep the whole contract of what they wrap.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_fake.h"
#include "pool/memfd.h"
#include "pool/os.h"
#include "tier_rig.h"

typedef enum decoration { PLAIN, FAULT, LIMIT, TRACE } decoration;

typedef struct row {
    const char *name;
    dp_tier_id id;
    decoration wrapped;
    bool fake;    /* over the fake driver */
    bool bounded; /* can be exhausted without hurting the machine */
    dp_tier *tier;
    char detail[96];
} row;

#define LIMIT_BYTES ((size_t)4 << 20)

static char directory[RIG_PATH_BYTES];

static row rows[] = {
    {.name = "host", .id = DP_TIER_HOST},
    {.name = "huge", .id = DP_TIER_HUGE},
    {.name = "shm", .id = DP_TIER_SHM},
    {.name = "pinned", .id = DP_TIER_PINNED},
    {.name = "hbm", .id = DP_TIER_HBM},
    {.name = "managed", .id = DP_TIER_MANAGED},
    {.name = "pmem", .id = DP_TIER_PMEM, .bounded = true},
    {.name = "pinned(fake driver)", .id = DP_TIER_PINNED, .fake = true, .bounded = true},
    {.name = "hbm(fake driver)", .id = DP_TIER_HBM, .fake = true, .bounded = true},
    {.name = "managed(fake driver)", .id = DP_TIER_MANAGED, .fake = true, .bounded = true},
    {.name = "fault(host)", .id = DP_TIER_HOST, .wrapped = FAULT},
    {.name = "fault(hbm, fake driver)",
     .id = DP_TIER_HBM,
     .wrapped = FAULT,
     .fake = true,
     .bounded = true},
    {.name = "fault(pmem)", .id = DP_TIER_PMEM, .wrapped = FAULT, .bounded = true},
    {.name = "limit(host)", .id = DP_TIER_HOST, .wrapped = LIMIT, .bounded = true},
    {.name = "limit(hbm, fake driver)",
     .id = DP_TIER_HBM,
     .wrapped = LIMIT,
     .fake = true,
     .bounded = true},
    {.name = "limit(pmem)", .id = DP_TIER_PMEM, .wrapped = LIMIT, .bounded = true},
    {.name = "limit(shm)", .id = DP_TIER_SHM, .wrapped = LIMIT, .bounded = true},
    {.name = "fault(managed, fake driver)",
     .id = DP_TIER_MANAGED,
     .wrapped = FAULT,
     .fake = true,
     .bounded = true},
    {.name = "limit(managed, fake driver)",
     .id = DP_TIER_MANAGED,
     .wrapped = LIMIT,
     .fake = true,
     .bounded = true},
    {.name = "trace(huge)", .id = DP_TIER_HUGE, .wrapped = TRACE},
    {.name = "trace(pmem)", .id = DP_TIER_PMEM, .wrapped = TRACE, .bounded = true},
    {.name = "trace(hbm, fake driver)",
     .id = DP_TIER_HBM,
     .wrapped = TRACE,
     .fake = true,
     .bounded = true},
    {.name = "trace(managed, fake driver)",
     .id = DP_TIER_MANAGED,
     .wrapped = TRACE,
     .fake = true,
     .bounded = true},
};

/* --- columns --- */

static void facts_agree_with_the_table(row *at)
{
    const dp_tier_info *info = &at->tier->info;
    assert_int_equal(info->id, at->id);
    assert_string_equal(info->name, dp_tier_name(at->id));
    assert_int_equal(info->state, DP_OK);
    assert_true(info->alignment_bytes >= 16);
    assert_int_equal(info->alignment_bytes & (info->alignment_bytes - 1), 0);
    assert_true(info->host_visible || info->device_visible);
    /* What the CPU cannot see needs the copy group; what persists needs the store. */
    assert_true(info->host_visible || at->tier->ops->copy != NULL);
    assert_int_equal(info->persistent, tier_has_store(at->tier));
    assert_true(at->tier->region_bytes_default >= (size_t)1 << 20);
    assert_int_equal(info->budget_bytes_max, at->wrapped == LIMIT ? LIMIT_BYTES : 0);
}

static void regions_are_aligned_and_apart(row *at)
{
    enum { COUNT = 3 };
    static const size_t sizes[COUNT] = {4096, 65536, 12345};
    tier_region regions[COUNT];
    const dp_tier_info *info = &at->tier->info;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(tier_region_get(at->tier, sizes[i], &regions[i]), DP_OK);
        assert_int_equal(regions[i].size_bytes, sizes[i]);
        assert_int_equal(regions[i].host != NULL, info->host_visible);
        assert_int_equal(regions[i].device != 0, info->device_visible);
        assert_int_equal((uintptr_t)regions[i].host % info->alignment_bytes, 0);
        assert_int_equal(regions[i].device % info->alignment_bytes, 0);
    }
    /* Each keeps its own bytes while the others are written. */
    unsigned char *bytes = malloc(sizes[1]);
    assert_non_null(bytes);
    for (int i = 0; i < COUNT; i++) {
        rig_fill(bytes, sizes[i], (uint64_t)i);
        assert_int_equal(tier_write(at->tier, &regions[i], 0, bytes, sizes[i]), DP_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        memset(bytes, 0, sizes[i]);
        assert_int_equal(tier_read(at->tier, &regions[i], 0, bytes, sizes[i]), DP_OK);
        assert_true(rig_is_filled(bytes, sizes[i], (uint64_t)i));
    }
    free(bytes);
    for (int i = 0; i < COUNT; i++) {
        tier_region_put(at->tier, &regions[i]);
    }
}

static void copies_reach_the_first_and_the_last_byte(row *at)
{
    tier_region region;
    unsigned char back[8] = {0};
    assert_int_equal(tier_region_get(at->tier, 10000, &region), DP_OK);
    assert_int_equal(tier_write(at->tier, &region, 0, "A", 1), DP_OK);
    assert_int_equal(tier_write(at->tier, &region, 9997, "XYZ", 3), DP_OK);
    assert_int_equal(tier_read(at->tier, &region, 0, back, 1), DP_OK);
    assert_int_equal(back[0], 'A');
    assert_int_equal(tier_read(at->tier, &region, 9997, back, 3), DP_OK);
    assert_memory_equal(back, "XYZ", 3);
    assert_int_equal(tier_write(at->tier, &region, 10000, back, 0), DP_OK);
    if (at->tier->info.host_visible) {
        assert_memory_equal((unsigned char *)region.host + 9997, "XYZ", 3);
    }
    tier_region_put(at->tier, &region);
}

static void an_impossible_region_fails_and_writes_nothing(row *at)
{
    tier_region untouched = {.cookie = 77};
    dp_status status = tier_region_get(at->tier, SIZE_MAX / 4, &untouched);
    assert_int_equal(status, at->wrapped == LIMIT ? DP_ERR_QUOTA : DP_ERR_NOMEM);
    assert_int_equal(untouched.cookie, 77);
    assert_null(untouched.host);
    tier_region region;
    assert_int_equal(tier_region_get(at->tier, 4096, &region), DP_OK);
    tier_region_put(at->tier, &region);
}

static size_t take_all(dp_tier *tier, tier_region *regions, size_t count_max, dp_status *status)
{
    size_t count = 0;
    while (count < count_max) {
        *status = tier_region_get(tier, (size_t)1 << 20, &regions[count]);
        if (*status != DP_OK) {
            break;
        }
        count++;
    }
    return count;
}

static void exhaustion_is_an_error_and_passes(row *at)
{
    enum { COUNT_MAX = 512 };
    static tier_region regions[COUNT_MAX];
    if (!at->bounded) {
        print_message("tier_contract: %s: not exhausted, it is this machine's own\n", at->name);
        skip();
    }
    size_t first = 0;
    for (int round = 0; round < 2; round++) {
        dp_status status = DP_OK;
        size_t count = take_all(at->tier, regions, COUNT_MAX, &status);
        assert_int_equal(status, at->wrapped == LIMIT ? DP_ERR_QUOTA : DP_ERR_NOMEM);
        assert_true(count >= 2 && count < COUNT_MAX);
        first = round == 0 ? count : first;
        assert_int_equal(count, first);
        for (size_t i = 0; i < count; i++) {
            tier_region_put(at->tier, &regions[i]);
        }
    }
}

static void a_store_keeps_one_object_a_key_or_is_none(row *at)
{
    dp_tier *tier = at->tier;
    dp_cache_key key = rig_key(5);
    size_t size_bytes = 0;
    if (!tier_has_store(tier)) {
        assert_int_equal(rig_commit(tier, 5, 100), DP_ERR_UNSUPPORTED);
        assert_int_equal(rig_check(tier, 5, 100), DP_ERR_UNSUPPORTED);
        assert_int_equal(tier_store_remove(tier, &key, NULL), DP_ERR_UNSUPPORTED);
        assert_int_equal(rig_count(tier), 0);
        return;
    }
    assert_int_equal(rig_check(tier, 5, 100), DP_ERR_NOT_FOUND);
    assert_int_equal(tier_store_remove(tier, &key, &size_bytes), DP_ERR_NOT_FOUND);
    assert_int_equal(rig_commit(tier, 5, 100), DP_OK);
    assert_int_equal(rig_commit(tier, 5, 200), DP_ERR_EXISTS);
    assert_int_equal(rig_commit(tier, 6, 70000), DP_OK);
    assert_int_equal(rig_check(tier, 5, 100), DP_OK);
    assert_int_equal(rig_check(tier, 6, 70000), DP_OK);
    assert_int_equal(rig_count(tier), 2);
    assert_int_equal(tier_store_remove(tier, &key, &size_bytes), DP_OK);
    assert_int_equal(size_bytes, 100);
    assert_int_equal(rig_check(tier, 5, 100), DP_ERR_NOT_FOUND);
    assert_int_equal(rig_check(tier, 6, 70000), DP_OK);
    assert_int_equal(rig_count(tier), 1);
}

static void hints_change_no_byte_or_are_unsupported(row *at)
{
    enum { SIZE_BYTES = 3 * 65536 };
    bool movable = at->tier->ops->advice != NULL;
    assert_int_equal(movable, at->id == DP_TIER_MANAGED);
    tier_region region;
    unsigned char *bytes = malloc(SIZE_BYTES);
    assert_non_null(bytes);
    assert_int_equal(tier_region_get(at->tier, SIZE_BYTES, &region), DP_OK);
    rig_fill(bytes, SIZE_BYTES, 9);
    assert_int_equal(tier_write(at->tier, &region, 0, bytes, SIZE_BYTES), DP_OK);
    dp_status expected = movable ? DP_OK : DP_ERR_UNSUPPORTED;
    for (int advice = 0; advice < DP_ADVICE_COUNT; advice++) {
        assert_int_equal(tier_advise(at->tier, region.device, SIZE_BYTES, (dp_advice)advice),
                         expected);
    }
    for (int place = 0; place < DP_PLACE_COUNT; place++) {
        assert_int_equal(tier_prefetch(at->tier, region.device, SIZE_BYTES, (dp_place)place, 0),
                         expected);
        memset(bytes, 0, SIZE_BYTES);
        assert_int_equal(tier_read(at->tier, &region, 0, bytes, SIZE_BYTES), DP_OK);
        assert_true(rig_is_filled(bytes, SIZE_BYTES, 9));
    }
    free(bytes);
    tier_region_put(at->tier, &region);
}

/* As another process would: by the descriptor alone. */
static void a_shareable_region_is_read_by_its_descriptor(row *at)
{
    tier_region region;
    void *seen = NULL;
    size_t size_bytes = 0;
    assert_int_equal(at->tier->info.shareable, at->id == DP_TIER_SHM);
    if (!at->tier->info.shareable) {
        return;
    }
    assert_int_equal(tier_region_get(at->tier, 12345, &region), DP_OK);
    assert_int_equal(memfd_attach((int)region.cookie, MEMFD_WRITE, &seen, &size_bytes), DP_ERR_IO);
    assert_int_equal(memfd_attach((int)region.cookie, MEMFD_READ, &seen, &size_bytes), DP_OK);
    assert_int_equal(size_bytes, 12345);
    assert_int_equal(tier_write(at->tier, &region, 12340, "words", 5), DP_OK);
    tier_region_put(at->tier, &region);
    assert_memory_equal((unsigned char *)seen + 12340, "words", 5);
    memfd_unmap(seen, size_bytes);
}

typedef struct column {
    const char *name;
    void (*check)(row *at);
} column;

static const column columns[] = {
    {"facts_agree_with_the_table", facts_agree_with_the_table},
    {"regions_are_aligned_and_apart", regions_are_aligned_and_apart},
    {"copies_reach_the_first_and_the_last_byte", copies_reach_the_first_and_the_last_byte},
    {"an_impossible_region_fails_and_writes_nothing",
     an_impossible_region_fails_and_writes_nothing},
    {"exhaustion_is_an_error_and_passes", exhaustion_is_an_error_and_passes},
    {"a_store_keeps_one_object_a_key_or_is_none", a_store_keeps_one_object_a_key_or_is_none},
    {"hints_change_no_byte_or_are_unsupported", hints_change_no_byte_or_are_unsupported},
    {"a_shareable_region_is_read_by_its_descriptor", a_shareable_region_is_read_by_its_descriptor},
};

/* --- the table of both --- */

#define ROW_COUNT    (sizeof rows / sizeof *rows)
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

typedef struct cell {
    row *at;
    const column *check;
    char name[96];
} cell;

static cell cells[ROW_COUNT * COLUMN_COUNT];

/* What events say is test_tier_trace's to check. */
static void ignore_event(void *user, const tier_trace_event *event)
{
    (void)user;
    assert_non_null(event);
}

static int wrap(row *at)
{
    if (at->wrapped == FAULT) {
        return tier_fault_wrap(at->tier, 0, 0, &at->tier) == DP_OK ? 0 : -1;
    }
    if (at->wrapped == LIMIT) {
        return tier_limit_wrap(at->tier, LIMIT_BYTES, &at->tier) == DP_OK ? 0 : -1;
    }
    if (at->wrapped == TRACE) {
        const tier_trace_sink sink = {.report = ignore_event};
        return tier_trace_wrap(at->tier, &sink, &at->tier) == DP_OK ? 0 : -1;
    }
    return 0;
}

/* A fresh tier for each cell; an absent one leaves at->tier NULL. */
static int cell_open(void **state)
{
    row *at = ((cell *)*state)->at;
    if (at->fake) {
        cuda_fake_plan plan = CUDA_FAKE_PLAN_DEFAULT;
        plan.device_bytes = (size_t)8 << 20;
        plan.pinned_bytes = (size_t)8 << 20;
        plan.managed_bytes = (size_t)8 << 20;
        cuda_fake_install(&plan);
    }
    tier_open_args args = {.pmem_path = rig_path(directory, "contract.pool"),
                           .pmem_size_bytes = RIG_FILE_BYTES};
    at->tier = NULL;
    dp_status status = tier_open(at->id, &args, at->detail, &at->tier);
    if (status != DP_OK) {
        /* Only hardware and libraries may be missing; a fake or a host tier never is. */
        return status == DP_ERR_UNSUPPORTED && !at->fake && at->id != DP_TIER_HOST ? 0 : -1;
    }
    return wrap(at);
}

static int cell_close(void **state)
{
    row *at = ((cell *)*state)->at;
    tier_close(at->tier);
    at->tier = NULL;
    (void)remove(rig_path(directory, "contract.pool"));
    if (at->fake) {
        bool clean = cuda_fake_is_clean();
        cuda_fake_uninstall();
        return clean ? 0 : -1;
    }
    return 0;
}

static void cell_run(void **state)
{
    cell *self = *state;
    if (self->at->tier == NULL) {
        if (self->check == columns) {
            print_message("tier_contract: %s skipped: %s\n", self->at->name, self->at->detail);
        }
        skip();
    }
    self->check->check(self->at);
}

int main(void)
{
    struct CMUnitTest tests[ROW_COUNT * COLUMN_COUNT];
    rig_directory_make(directory);
    for (size_t i = 0; i < ROW_COUNT * COLUMN_COUNT; i++) {
        cell *self = &cells[i];
        *self = (cell){.at = &rows[i / COLUMN_COUNT], .check = &columns[i % COLUMN_COUNT]};
        snprintf(self->name, sizeof self->name, "%s: %s", self->at->name, self->check->name);
        tests[i] = (struct CMUnitTest){.name = self->name,
                                       .test_func = cell_run,
                                       .setup_func = cell_open,
                                       .teardown_func = cell_close,
                                       .initial_state = self};
    }
    int failed = cmocka_run_group_tests_name("tier_contract", tests, NULL, NULL);
    rig_directory_remove(directory);
    return failed;
}
