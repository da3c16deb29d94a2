/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting without recursion on what a stranger wrote.
 *
 * Elements come in document order, so the references inside an element are one stretch of the list
 * of references.  The weight of an element with an id is its own elements plus the weights of what
 * its stretch refers to; that is solved by passes, from the bottom of the nesting up, each pass one
 * prefix sum over the references.  After pass n the weights are right for n levels of references;
 * they only grow, so a pass that changes nothing has the answer, and one above the limit needs no
 * more passes.
 *
 * Ids are compared by a 64-bit hash.  Elements that share one (by accident or on purpose) share the
 * largest weight, so that a collision can only make a document look larger than it is.
 */
#include "render/svg_refs.h"

#include <stdlib.h>
#include <string.h>

#include "pool/os.h"
#include "render/svg_guard.h"

#define PASSES_MAX 64

typedef struct named_element {
    uint64_t hash;
    uint32_t first_ref, end_ref; /* the stretch of references inside */
    uint64_t own;                /* cost of the elements inside, itself included */
    uint64_t weight;             /* by the last pass */
    uint64_t shared; /* in the first of those with one hash: the largest weight among them */
} named_element;

typedef struct reference {
    uint64_t hash;
    uint32_t times;
    uint32_t group; /* first of the named elements with that hash, UINT32_MAX: none */
} reference;

struct svg_refs {
    render_task *task;
    uint32_t elements, named_count, ref_count, depth;
    uint64_t vertices;
    /* The open elements: their number, and their place in `named` or UINT32_MAX. */
    uint32_t open_number[SVG_DEPTH_MAX + 1], open_named[SVG_DEPTH_MAX + 1];
    named_element named[SVG_REFS_MAX];
    reference refs[SVG_REFS_MAX];
    uint64_t sums[SVG_REFS_MAX + 1]; /* prefix sums of the references' weights */
};

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

dp_status svg_refs_create(render_task *task, svg_refs **out)
{
    svg_refs *refs = os_calloc(1, sizeof *refs);
    if (refs == NULL) {
        return task_fail(task, DP_ERR_NOMEM, "no memory to read the svg");
    }
    refs->task = task;
    *out = refs;
    return DP_OK;
}

void svg_refs_destroy(svg_refs *refs)
{
    os_free(refs);
}

static dp_status too_many(const svg_refs *refs)
{
    return task_fail(refs->task, DP_ERR_TOO_LARGE, "svg has more than 20000 ids or references");
}

dp_status svg_refs_enter(svg_refs *refs, const char *id, uint32_t cost)
{
    DP_ASSERT(refs->depth <= SVG_DEPTH_MAX);
    const uint32_t level = refs->depth++;
    refs->open_number[level] = refs->elements++;
    refs->open_named[level] = UINT32_MAX;
    if (id == NULL) {
        return DP_OK;
    }
    if (refs->named_count == SVG_REFS_MAX) {
        return too_many(refs);
    }
    refs->open_named[level] = refs->named_count;
    refs->named[refs->named_count++] =
        (named_element){.hash = hash_of(id, strlen(id)), .first_ref = refs->ref_count, .own = cost};
    return DP_OK;
}

void svg_refs_leave(svg_refs *refs)
{
    DP_ASSERT(refs->depth > 0);
    const uint32_t level = --refs->depth;
    if (refs->open_named[level] != UINT32_MAX) {
        named_element *named = &refs->named[refs->open_named[level]];
        named->end_ref = refs->ref_count;
        named->own *= refs->elements - refs->open_number[level];
    }
}

dp_status svg_refs_add(svg_refs *refs, const char *id, size_t length, uint32_t times)
{
    if (refs->ref_count == SVG_REFS_MAX) {
        return too_many(refs);
    }
    refs->refs[refs->ref_count++] = (reference){.hash = hash_of(id, length), .times = times};
    return DP_OK;
}

void svg_refs_vertices(svg_refs *refs, size_t count)
{
    refs->vertices += count;
}

static int by_hash(const void *a, const void *b)
{
    const uint64_t left = ((const named_element *)a)->hash;
    const uint64_t right = ((const named_element *)b)->hash;
    return left < right ? -1 : left > right;
}

/* Where the hash begins in the sorted elements. */
static uint32_t find_group(const svg_refs *refs, uint64_t hash)
{
    uint32_t low = 0, high = refs->named_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (refs->named[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < refs->named_count && refs->named[low].hash == hash ? low : UINT32_MAX;
}

/* Weights and times are below 2^32 here, so a product fits; sums are cut at max + 1. */
static uint64_t cut(uint64_t value, uint64_t max)
{
    return value > max ? max + 1 : value;
}

static uint64_t times_of(const svg_refs *refs, const reference *ref)
{
    switch (ref->times) {
    case SVG_TIMES_ELEMENTS:
        return refs->elements;
    case SVG_TIMES_VERTICES:
        return refs->vertices > UINT32_MAX ? UINT32_MAX : refs->vertices;
    default:
        return ref->times;
    }
}

/* Sums cannot wrap: 20,000 terms, each cut at max + 1. */
static void sum_refs(svg_refs *refs, uint64_t max)
{
    for (uint32_t r = 0; r < refs->ref_count; r++) {
        const reference *ref = &refs->refs[r];
        uint64_t weight = ref->group == UINT32_MAX ? 0 : refs->named[ref->group].shared;
        weight = cut(weight * times_of(refs, ref), max);
        refs->sums[r + 1] = refs->sums[r] + weight;
    }
}

/* One pass; true when a weight changed. */
static bool weigh(svg_refs *refs, uint64_t max)
{
    bool changed = false;

    sum_refs(refs, max);
    for (uint32_t i = 0; i < refs->named_count; i++) {
        named_element *named = &refs->named[i];
        const uint64_t inside = refs->sums[named->end_ref] - refs->sums[named->first_ref];
        const uint64_t weight = cut(named->own + inside, max);
        changed = changed || weight != named->weight;
        named->weight = weight;
    }
    for (uint32_t i = 0, first = 0; i < refs->named_count; i++) {
        const named_element *named = &refs->named[i];
        first = named->hash == refs->named[first].hash ? first : i;
        if (i == first || named->weight > refs->named[first].shared) {
            refs->named[first].shared = named->weight;
        }
    }
    return changed;
}

uint64_t svg_refs_expanded(svg_refs *refs, uint64_t max)
{
    DP_ASSERT(refs->depth == 0 && max < UINT32_MAX);
    qsort(refs->named, refs->named_count, sizeof refs->named[0], by_hash);
    for (uint32_t r = 0; r < refs->ref_count; r++) {
        refs->refs[r].group = find_group(refs, refs->refs[r].hash);
    }
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        const bool changed = weigh(refs, max);
        sum_refs(refs, max);
        const uint64_t total = cut(refs->elements + refs->sums[refs->ref_count], max);
        if (!changed || total > max) {
            return total;
        }
    }
    return max + 1;
}
