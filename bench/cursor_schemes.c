/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemes of bench pool-cursor.
 *
 * The first three mark a slot as taken in the slot and differ in where they look for a free one.
 * The ring is D. Vyukov's bounded MPMC queue (1024cores.net, 2010): a cell's sequence number says
 * whose turn it is.  Magazines are those of J. Bonwick and J. Adams, "Magazines and Vmem" (USENIX
 * 2001), as src/pool/magazine.c has them: two a thread, a depot of full ones under a lock.
 */
#include "cursor_schemes.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MASK (CURSOR_SLOTS - 1u)

static bool slot_take(cursor_slot *slot)
{
    return atomic_load_explicit(&slot->taken, memory_order_relaxed) == 0 &&
           atomic_exchange_explicit(&slot->taken, 1, memory_order_acquire) == 0;
}

static void slot_give(cursor_state *state, unsigned thread, uint32_t slot)
{
    (void)thread;
    atomic_store_explicit(&state->slots[slot].taken, 0, memory_order_release);
}

static void no_init(cursor_state *state)
{
    (void)state;
}

/* --- raw --- */

typedef struct thread_index {
    _Alignas(64) uint32_t next;
} thread_index;

/* As many as a magazine has, so that they stay in the core's cache as well. */
#define RAW_SLOTS (CURSOR_SLOTS / CURSOR_THREADS_MAX)

static uint32_t raw_get(cursor_state *state, unsigned thread)
{
    thread_index *index = (thread_index *)state->own + thread;
    return thread * RAW_SLOTS + index->next++ % RAW_SLOTS;
}

static void raw_put(cursor_state *state, unsigned thread, uint32_t slot)
{
    (void)state;
    (void)thread;
    (void)slot;
}

/* --- one shared index --- */

static uint32_t shared_get(cursor_state *state, unsigned thread)
{
    (void)thread;
    atomic_uint *cursor = state->own;
    for (unsigned tries = 0; tries < CURSOR_SLOTS; tries++) {
        uint32_t slot = atomic_fetch_add_explicit(cursor, 1, memory_order_relaxed) & MASK;
        if (slot_take(&state->slots[slot])) {
            return slot;
        }
    }
    return CURSOR_NONE;
}

/* --- shards --- */

#define SHARDS      16u
#define SHARD_SLOTS (CURSOR_SLOTS / SHARDS)

typedef struct shard {
    _Alignas(64) atomic_uint cursor;
} shard;

static uint32_t shards_get(cursor_state *state, unsigned thread)
{
    shard *shards = state->own;
    for (unsigned n = 0; n < SHARDS; n++) {
        unsigned at = (thread + n) % SHARDS;
        for (unsigned tries = 0; tries < SHARD_SLOTS; tries++) {
            uint32_t next = atomic_fetch_add_explicit(&shards[at].cursor, 1, memory_order_relaxed);
            uint32_t slot = at * SHARD_SLOTS + next % SHARD_SLOTS;
            if (slot_take(&state->slots[slot])) {
                return slot;
            }
        }
    }
    return CURSOR_NONE;
}

/* --- an index a thread --- */

static void per_thread_init(cursor_state *state)
{
    thread_index *indexes = state->own;
    for (unsigned i = 0; i < state->threads; i++) {
        indexes[i].next = CURSOR_SLOTS / state->threads * i;
    }
}

static uint32_t per_thread_get(cursor_state *state, unsigned thread)
{
    thread_index *index = (thread_index *)state->own + thread;
    for (unsigned tries = 0; tries < CURSOR_SLOTS; tries++) {
        uint32_t slot = index->next++ & MASK;
        if (slot_take(&state->slots[slot])) {
            return slot;
        }
    }
    return CURSOR_NONE;
}

/* --- ring --- */

typedef struct ring_cell {
    atomic_uint turn;
    uint32_t slot;
} ring_cell;

typedef struct ring {
    _Alignas(64) atomic_uint put_at;
    _Alignas(64) atomic_uint get_at;
    _Alignas(64) ring_cell cells[CURSOR_SLOTS];
} ring;

/* Full at the start: every slot has been put once. */
static void ring_init(cursor_state *state)
{
    ring *self = state->own;
    for (uint32_t i = 0; i < CURSOR_SLOTS; i++) {
        self->cells[i].slot = i;
        atomic_init(&self->cells[i].turn, i + 1);
    }
    atomic_init(&self->put_at, CURSOR_SLOTS);
    atomic_init(&self->get_at, 0);
}

static uint32_t ring_get(cursor_state *state, unsigned thread)
{
    (void)thread;
    ring *self = state->own;
    uint32_t at = atomic_load_explicit(&self->get_at, memory_order_relaxed);
    for (;;) {
        ring_cell *cell = &self->cells[at & MASK];
        int32_t ahead =
            (int32_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - (at + 1));
        if (ahead < 0) {
            return CURSOR_NONE;
        }
        if (ahead > 0) {
            at = atomic_load_explicit(&self->get_at, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(
                       &self->get_at, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
            uint32_t slot = cell->slot;
            atomic_store_explicit(&cell->turn, at + CURSOR_SLOTS, memory_order_release);
            return slot;
        }
    }
}

/* Never full: it has a cell for every slot. */
static void ring_put(cursor_state *state, unsigned thread, uint32_t slot)
{
    (void)thread;
    ring *self = state->own;
    uint32_t at = atomic_load_explicit(&self->put_at, memory_order_relaxed);
    for (;;) {
        ring_cell *cell = &self->cells[at & MASK];
        int32_t ahead = (int32_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - at);
        if (ahead != 0) {
            at = atomic_load_explicit(&self->put_at, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(
                       &self->put_at, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
            cell->slot = slot;
            atomic_store_explicit(&cell->turn, at + 1, memory_order_release);
            return;
        }
    }
}

/* --- magazines --- */

#define ROUNDS    64u
#define MAGAZINES (CURSOR_SLOTS / ROUNDS + 2u * CURSOR_THREADS_MAX)

typedef struct mag {
    struct mag *next;
    uint32_t slots[ROUNDS];
} mag;

/* Of a thread's two magazines the other one is always full or empty. */
typedef struct mag_thread {
    _Alignas(64) mag *loaded;
    mag *other;
    uint32_t rounds; /* in the loaded one */
    bool other_is_full;
} mag_thread;

typedef struct mag_layer {
    pthread_mutex_t lock; /* guards the depot: the two stacks */
    mag *full;
    mag *empty;
    mag_thread threads[CURSOR_THREADS_MAX];
    mag magazines[MAGAZINES];
} mag_layer;

static void mag_push(mag **stack, mag *one)
{
    one->next = *stack;
    *stack = one;
}

static mag *mag_pop(mag **stack)
{
    mag *one = *stack;
    *stack = one->next;
    return one;
}

static void mag_init(cursor_state *state)
{
    mag_layer *self = state->own;
    (void)pthread_mutex_init(&self->lock, NULL);
    for (uint32_t i = 0; i < MAGAZINES; i++) {
        bool is_full = i < CURSOR_SLOTS / ROUNDS;
        for (uint32_t round = 0; round < ROUNDS && is_full; round++) {
            self->magazines[i].slots[round] = i * ROUNDS + round;
        }
        mag_push(is_full ? &self->full : &self->empty, &self->magazines[i]);
    }
    for (unsigned i = 0; i < state->threads; i++) {
        self->threads[i].loaded = mag_pop(&self->empty);
        self->threads[i].other = mag_pop(&self->empty);
    }
}

/* Loads a full (or an empty) magazine: the other one, else one of the depot's. */
static bool mag_load(mag_layer *self, mag_thread *mine, bool is_full)
{
    if (mine->other_is_full != is_full) {
        mag **from = is_full ? &self->full : &self->empty;
        (void)pthread_mutex_lock(&self->lock);
        bool is_there = *from != NULL;
        if (is_there) {
            mag_push(is_full ? &self->empty : &self->full, mine->other);
            mine->other = mag_pop(from);
        }
        (void)pthread_mutex_unlock(&self->lock);
        if (!is_there) {
            return false;
        }
    }
    mag *loaded = mine->other;
    mine->other = mine->loaded;
    mine->other_is_full = !is_full;
    mine->loaded = loaded;
    mine->rounds = is_full ? ROUNDS : 0;
    return true;
}

static uint32_t mag_get(cursor_state *state, unsigned thread)
{
    mag_layer *self = state->own;
    mag_thread *mine = &self->threads[thread];
    if (mine->rounds == 0 && !mag_load(self, mine, true)) {
        return CURSOR_NONE;
    }
    return mine->loaded->slots[--mine->rounds];
}

/* There is always an empty magazine: there are enough for all slots beside the threads' own. */
static void mag_put(cursor_state *state, unsigned thread, uint32_t slot)
{
    mag_layer *self = state->own;
    mag_thread *mine = &self->threads[thread];
    if (mine->rounds == ROUNDS) {
        (void)mag_load(self, mine, false);
    }
    mine->loaded->slots[mine->rounds++] = slot;
}

/* --- all of them --- */

const cursor_scheme cursor_schemes[CURSOR_SCHEMES] = {
    [CURSOR_RAW] = {"raw loop", sizeof(thread_index[CURSOR_THREADS_MAX]), no_init, raw_get,
                    raw_put},
    [CURSOR_SHARED] = {"one shared index", sizeof(shard), no_init, shared_get, slot_give},
    [CURSOR_SHARDS] = {"16 padded shards", sizeof(shard[SHARDS]), no_init, shards_get, slot_give},
    [CURSOR_PER_THREAD] = {"per-thread index", sizeof(thread_index[CURSOR_THREADS_MAX]),
                           per_thread_init, per_thread_get, slot_give},
    [CURSOR_RING] = {"MPMC ring", sizeof(ring), ring_init, ring_get, ring_put},
    [CURSOR_MAGAZINES] = {"magazines", sizeof(mag_layer), mag_init, mag_get, mag_put},
};

static void *zeroed(size_t size_bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, size_bytes) != 0) {
        return NULL;
    }
    memset(memory, 0, size_bytes);
    return memory;
}

cursor_state *cursor_create(const cursor_scheme *scheme, unsigned threads)
{
    cursor_state *state = zeroed(sizeof *state);
    if (state == NULL) {
        return NULL;
    }
    state->threads = threads;
    state->slots = zeroed(CURSOR_SLOTS * sizeof *state->slots);
    state->own = zeroed(scheme->own_bytes);
    if (state->slots == NULL || state->own == NULL) {
        cursor_destroy(state);
        return NULL;
    }
    scheme->init(state);
    return state;
}

void cursor_destroy(cursor_state *state)
{
    if (state != NULL) {
        free(state->slots);
        free(state->own);
        free(state);
    }
}
