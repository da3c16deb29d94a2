/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The huge tier: host memory in pages of 2 MiB, so that walking large blocks misses the address
 * cache (TLB) 512 times less often.
 *
 * There are two ways to such a page.  The pool of huge pages (vm.nr_hugepages) is reserved by the
 * operator: a region from it is certain, or refused at once.  Transparent huge pages (THP) are the
 * kernel's best effort: a region is aligned and advised, and whether a fault brings 2 MiB depends
 * on the mode and on how fragmented the memory is.  So opening the tier does not trust what the
 * settings say: it touches one byte and counts what became resident, and the detail line says what
 * that showed.
 *
 * A region whose size is far from a multiple of 2 MiB is not taken from the pool of huge pages,
 * which only has whole ones: at most an eighth is wasted, as for blocks.  THP give such a region
 * huge pages as far as they fit and small ones for the rest.
 *
 * The state is constant after open; regions come and go under the slab's lock.  A region's cookie
 * is the size of its mapping.
 */
#define _GNU_SOURCE /* MAP_HUGETLB, madvise, mincore */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "pool/os.h"
#include "pool/tier.h"

#define HUGE_PAGE_BYTES      ((size_t)2 << 20)
#define HUGE_REGION_BYTES    ((size_t)8 << 20)
#define HUGE_ALIGNMENT_BYTES 64u
#define THP_MODE_PATH        "/sys/kernel/mm/transparent_hugepage/enabled"
#define THP_MODE_BYTES       64u

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
/* log2 of 2 MiB: said in full, since the machine's default size may be another. */
#define HUGE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT)

typedef struct huge_tier {
    dp_tier tier;
    bool has_thp;
} huge_tier;

static huge_tier *huge_of(dp_tier *tier)
{
    return (huge_tier *)tier;
}

static void huge_close(dp_tier *tier)
{
    os_free(tier);
}

/* ---- regions ---- */

/*
 * From the pool of huge pages; NULL when it has too few.  The mapping reserves them machine-wide,
 * but a control group or a memory policy may still refuse one at its first touch, by SIGBUS.  So
 * all are touched here, where the refusal is an error (Linux 5.14; older kernels are taken at their
 * word).
 */
static void *pool_map(size_t mapped_bytes)
{
    void *pages = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, HUGE_FLAGS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    if (madvise(pages, mapped_bytes, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
        os_pages_unmap(pages, mapped_bytes);
        return NULL;
    }
    return pages;
}

/* Ordinary pages that start at a multiple of 2 MiB, and the wish for huge ones. */
static void *thp_map(size_t mapped_bytes)
{
    if (mapped_bytes > SIZE_MAX - HUGE_PAGE_BYTES)
        return NULL;
    size_t wide_bytes = mapped_bytes + HUGE_PAGE_BYTES;
    unsigned char *wide = os_pages_map(wide_bytes);
    if (wide == NULL)
        return NULL;
    size_t before = (size_t)(-(uintptr_t)wide & (HUGE_PAGE_BYTES - 1));
    size_t after = HUGE_PAGE_BYTES - before;
    unsigned char *pages = wide + before;
    if (before > 0)
        os_pages_unmap(wide, before);
    if (after > 0)
        os_pages_unmap(pages + mapped_bytes, after);
    /* Refused by a kernel without THP only; then these are ordinary pages, which is no failure. */
    (void)madvise(pages, mapped_bytes, MADV_HUGEPAGE);
    return pages;
}

static dp_status huge_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    bool has_thp = huge_of(tier)->has_thp;
    if (size_bytes > SIZE_MAX - 2 * HUGE_PAGE_BYTES)
        return DP_ERR_NOMEM;
    void *pages = NULL;
    size_t mapped_bytes = os_align_up(size_bytes, HUGE_PAGE_BYTES);
    bool wasteful = mapped_bytes - size_bytes > mapped_bytes / 8;
    if (!wasteful || !has_thp)
        pages = pool_map(mapped_bytes);
    if (pages == NULL && has_thp) {
        mapped_bytes = os_align_up(size_bytes, os_page_bytes());
        pages = thp_map(mapped_bytes);
    }
    if (pages == NULL)
        return DP_ERR_NOMEM;
    *out = (tier_region){.host = pages, .size_bytes = size_bytes, .cookie = mapped_bytes};
    return DP_OK;
}

static void huge_region_put(dp_tier *tier, const tier_region *region)
{
    (void)tier;
    os_pages_unmap(region->host, region->cookie);
}

static const tier_ops HUGE_OPS = {
    .close = huge_close,
    .region_get = huge_region_get,
    .region_put = huge_region_put,
};

/* ---- what this machine has ---- */

/* The chosen word of "always [madvise] never"; false on a kernel without THP. */
static bool thp_mode(char mode[THP_MODE_BYTES])
{
    char line[THP_MODE_BYTES] = "";
    FILE *file = fopen(THP_MODE_PATH, "r");
    if (file == NULL)
        return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    char *start = strchr(line, '[');
    char *end = start != NULL ? strchr(start, ']') : NULL;
    if (!read || end == NULL)
        return false;
    *end = '\0';
    memmove(mode, start + 1, (size_t)(end - start));
    return true;
}

/*
 * Maps and touches one huge page.  A small page is 1 of 512 resident ones after that, a huge one
 * all of them: this is what the kernel did, not what its settings promise.
 */
static bool thp_is_given(void)
{
    unsigned char resident[HUGE_PAGE_BYTES / 4096] = {0}; /* no page is smaller */
    size_t count = HUGE_PAGE_BYTES / os_page_bytes();
    unsigned char *pages = thp_map(HUGE_PAGE_BYTES);
    if (pages == NULL)
        return false;
    *(volatile unsigned char *)pages = 1;
    bool all = mincore(pages, HUGE_PAGE_BYTES, resident) == 0;
    for (size_t i = 0; i < count; i++)
        all = all && (resident[i] & 1) != 0;
    os_pages_unmap(pages, HUGE_PAGE_BYTES);
    return all;
}

/* Whether THP may come at all, and in `detail` the words for either answer. */
static bool thp_look(char detail[96])
{
    char mode[THP_MODE_BYTES] = "";
    if (!thp_mode(mode)) {
        snprintf(detail, 96, "the kernel has no transparent huge pages");
    } else if (strcmp(mode, "never") == 0) {
        snprintf(detail, 96, "transparent huge pages are set to \"never\"");
    } else if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1) {
        snprintf(detail, 96, "transparent huge pages are disabled for this process");
    } else {
        snprintf(detail, 96, "transparent huge pages (%.16s), %s", mode,
                 thp_is_given() ? "a touch brought 2 MiB" : "a touch brought small pages only");
        return true;
    }
    return false;
}

dp_status tier_huge_open(const tier_open_args *args, char detail[96], dp_tier **out)
{
    (void)args;
    char thp_detail[96];
    bool has_thp = thp_look(thp_detail);
    void *reserved = pool_map(HUGE_PAGE_BYTES);
    if (reserved != NULL)
        os_pages_unmap(reserved, HUGE_PAGE_BYTES);
    if (reserved == NULL && !has_thp) {
        snprintf(detail, 96, "no huge page is reserved, %.68s", thp_detail);
        return DP_ERR_UNSUPPORTED;
    }
    huge_tier *self = os_calloc(1, sizeof *self);
    if (self == NULL) {
        snprintf(detail, 96, "no memory for the tier's descriptor");
        return DP_ERR_NOMEM;
    }
    self->has_thp = has_thp;
    self->tier = (dp_tier){
        .ops = &HUGE_OPS,
        .info = {.id = DP_TIER_HUGE,
                 .name = dp_tier_name(DP_TIER_HUGE),
                 .state = DP_OK,
                 .alignment_bytes = HUGE_ALIGNMENT_BYTES,
                 .host_visible = true},
        .region_bytes_default = HUGE_REGION_BYTES,
    };
    snprintf(self->tier.info.detail, sizeof self->tier.info.detail, "%s%.70s",
             reserved != NULL ? "reserved pages, then " : "", thp_detail);
    *out = &self->tier;
    return DP_OK;
}
