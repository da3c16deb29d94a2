/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Huge pages: that the detail line says what the kernel really gives, checked against its own
 * account of a region (/proc/self/smaps), that regions start where a huge page can, and that
 * nothing of a mapping is left behind.  What this machine lacks is skipped by name.
 */
#include "cm.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "pool/os.h"
#include "pool/tier.h"

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static dp_status open_huge(dp_tier **out, char detail[96])
{
    tier_open_args args = {0};
    dp_status status = tier_open(DP_TIER_HUGE, &args, detail, out);
    if (status == DP_OK) {
        memcpy(detail, (*out)->info.detail, 96);
    }
    return status;
}

/* The tier, or the test is skipped with the tier's own words. */
static dp_tier *open_or_skip(char detail[96])
{
    dp_tier *tier = NULL;
    dp_status status = open_huge(&tier, detail);
    if (status != DP_OK) {
        print_message("tier_huge: skipped: %s\n", detail);
        assert_int_equal(status, DP_ERR_UNSUPPORTED);
        skip();
    }
    return tier;
}

/* A number of the mapping that holds `address`, in KiB, by the kernel's account. */
static size_t mapping_kib(const void *address, const char *field)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    assert_non_null(file);
    char line[512];
    bool inside = false;
    size_t kib = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        uintptr_t start = 0;
        uintptr_t end = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2) {
            inside = (uintptr_t)address >= start && (uintptr_t)address < end;
        } else if (inside && strncmp(line, field, strlen(field)) == 0) {
            assert_int_equal(sscanf(line + strlen(field), ": %zu kB", &kib), 1);
        }
    }
    fclose(file);
    return kib;
}

static size_t address_space_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages;
}

static void the_detail_says_what_the_kernel_gives(void **state)
{
    (void)state;
    char detail[96];
    dp_tier *tier = open_or_skip(detail);
    print_message("tier_huge: %s\n", detail);
    tier_region region;
    assert_int_equal(tier_region_get(tier, tier->region_bytes_default, &region), DP_OK);
    *(volatile unsigned char *)region.host = 1;
    size_t transparent = mapping_kib(region.host, "AnonHugePages");
    size_t page_kib = mapping_kib(region.host, "KernelPageSize");
    if (page_kib == HUGE_PAGE_BYTES / 1024) {
        assert_non_null(strstr(detail, "reserved pages"));
    } else if (strstr(detail, "brought 2 MiB") != NULL) {
        assert_true(transparent >= HUGE_PAGE_BYTES / 1024);
    } else {
        assert_non_null(strstr(detail, "small pages only"));
    }
    tier_region_put(tier, &region);
    tier_close(tier);
}

static void regions_start_where_a_huge_page_can(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        1, 4096, 100000, HUGE_PAGE_BYTES, HUGE_PAGE_BYTES + 1, 4 * HUGE_PAGE_BYTES};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    char detail[96];
    dp_tier *tier = open_or_skip(detail);
    tier_region regions[COUNT];
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(tier_region_get(tier, sizes[i], &regions[i]), DP_OK);
        assert_int_equal((uintptr_t)regions[i].host % HUGE_PAGE_BYTES, 0);
        memset(regions[i].host, i + 1, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        const unsigned char *bytes = regions[i].host;
        assert_true(bytes[0] == i + 1 && bytes[sizes[i] - 1] == i + 1);
        tier_region_put(tier, &regions[i]);
    }
    tier_close(tier);
}

static void a_region_leaves_no_address_space_behind(void **state)
{
    (void)state;
    char detail[96];
    dp_tier *tier = open_or_skip(detail);
    tier_region region;
    for (int round = 0; round < 2; round++) {
        size_t before = address_space_pages();
        for (size_t i = 1; i <= 50; i++) {
            assert_int_equal(tier_region_get(tier, i * 70000, &region), DP_OK);
            tier_region_put(tier, &region);
        }
        /* The first round pays for whatever stdio and the loader take once. */
        assert_true(round == 0 || address_space_pages() == before);
    }
    tier_close(tier);
}

static void a_process_without_transparent_huge_pages_is_told_so(void **state)
{
    (void)state;
    char detail[96] = "";
    dp_tier *tier = NULL;
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    dp_status status = open_huge(&tier, detail);
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
    print_message("tier_huge: %s\n", detail);
    if (status == DP_OK) {
        assert_non_null(strstr(detail, "reserved pages"));
    } else {
        assert_int_equal(status, DP_ERR_UNSUPPORTED);
        assert_non_null(strstr(detail, "no huge page is reserved, "));
    }
    assert_null(strstr(detail, "brought 2 MiB"));
    tier_close(tier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_detail_says_what_the_kernel_gives),
        cmocka_unit_test(regions_start_where_a_huge_page_can),
        cmocka_unit_test(a_region_leaves_no_address_space_behind),
        cmocka_unit_test(a_process_without_transparent_huge_pages_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
