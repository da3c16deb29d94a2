/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bump allocator over chained blocks, and the words of the first failure.
 */
#include "render/svg/svg_job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "render/svg/svg.h"
#include "render/svg/svg_limits.h"

#define BLOCK_BYTES ((size_t)64 << 10)

struct svg_arena_block {
    svg_arena_block *next;
    size_t size_bytes, used_bytes; /* of the memory behind this */
};

static svg_arena_block *block_make(size_t size_bytes)
{
    svg_arena_block *block = os_aligned(16, sizeof(svg_arena_block) + size_bytes);
    if (block != NULL) {
        *block = (svg_arena_block){.size_bytes = size_bytes};
    }
    return block;
}

static svg_arena_block *block_with_room(svg_arena *arena, size_t size_bytes)
{
    svg_arena_block *current = arena->current;
    if (current != NULL && size_bytes <= current->size_bytes - current->used_bytes) {
        return current;
    }
    svg_arena_block *block = block_make(size_bytes > BLOCK_BYTES ? size_bytes : BLOCK_BYTES);
    if (block == NULL) {
        return NULL;
    }
    if (current == NULL) {
        arena->first = block;
    } else {
        current->next = block;
    }
    arena->current = block;
    return block;
}

void *svg_take(svg_job *job, size_t size_bytes)
{
    size_bytes = os_align_up(size_bytes, 8);
    svg_arena_block *block = block_with_room(&job->arena, size_bytes);
    if (block == NULL) {
        svg_fail_memory(job);
        return NULL;
    }
    void *memory = (char *)(block + 1) + block->used_bytes;
    block->used_bytes += size_bytes;
    return memory;
}

char *svg_copy(svg_job *job, const char *text, size_t length)
{
    char *copy = svg_take(job, length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

static void drop_chain(svg_arena_block *block)
{
    while (block != NULL) {
        svg_arena_block *next = block->next;
        os_free(block);
        block = next;
    }
}

void svg_arena_reset(svg_arena *arena)
{
    /* A first block of more than usual belonged to one unusual document. */
    if (arena->first != NULL && arena->first->size_bytes == BLOCK_BYTES) {
        drop_chain(arena->first->next);
        arena->first->next = NULL;
        arena->first->used_bytes = 0;
        arena->current = arena->first;
    } else {
        svg_arena_drop(arena);
    }
}

void svg_arena_drop(svg_arena *arena)
{
    drop_chain(arena->first);
    *arena = (svg_arena){0};
}

void svg_fail(svg_job *job, dp_status status, const char *format, ...)
{
    if (job->status == DP_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(job->message, SVG_MESSAGE_BYTES, format, args);
        va_end(args);
        job->status = status;
    }
}

void svg_fail_memory(svg_job *job)
{
    svg_fail(job, DP_ERR_NOMEM, "no memory to read the svg");
}

bool svg_in_time(svg_job *job)
{
    if (job->deadline_ns != 0 && os_clock_ns() > job->deadline_ns) {
        svg_fail(job, DP_ERR_TIMEOUT, "the picture takes too long to render");
    }
    return job->status == DP_OK;
}

bool svg_spend(svg_job *job, uint32_t count)
{
    /* The clock is asked once in a while: 64 Ki steps are well below a millisecond. */
    const uint32_t before = job->steps >> 16;
    if (count > SVG_STEPS_MAX - job->steps) {
        svg_fail(job, DP_ERR_TOO_LARGE, "svg takes too much work to lay out");
        return false;
    }
    job->steps += count;
    return (job->steps >> 16 == before || svg_in_time(job)) && job->status == DP_OK;
}
