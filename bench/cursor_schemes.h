/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways for threads to take slots of one fixed pool and give them back, side by side.
 *
 * Each scheme owns CURSOR_SLOTS slots of a cache line.  A thread passes its number, below the count
 * that the scheme was made for; a number belongs to one thread at a time.
 */
#ifndef DP_BENCH_CURSOR_SCHEMES_H
#define DP_BENCH_CURSOR_SCHEMES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_SLOTS       4096u
#define CURSOR_THREADS_MAX 64u
#define CURSOR_NONE        UINT32_MAX

typedef struct cursor_slot {
    _Alignas(64) atomic_uint taken; /* of the schemes that mark the slot itself */
    uint32_t owner;                 /* the bench's: written by who took it */
} cursor_slot;

typedef struct cursor_state {
    cursor_slot *slots;
    unsigned threads;
    void *own; /* the scheme's */
} cursor_state;

typedef struct cursor_scheme {
    const char *name;
    size_t own_bytes;
    void (*init)(cursor_state *state);                     /* `own` is zeroed */
    uint32_t (*get)(cursor_state *state, unsigned thread); /* CURSOR_NONE when it finds none */
    void (*put)(cursor_state *state, unsigned thread, uint32_t slot);
} cursor_scheme;

/*
 * CURSOR_RAW is no pool: each thread walks slots of its own without any of the above, which is what
 * the loop, the calls and the touching of the slot cost by themselves.
 */
enum {
    CURSOR_RAW,
    CURSOR_SHARED,     /* one atomic index */
    CURSOR_SHARDS,     /* 16 of them, each over its part, each in a cache line */
    CURSOR_PER_THREAD, /* an index a thread, all over the whole pool */
    CURSOR_RING,       /* a bounded queue of free slots */
    CURSOR_MAGAZINES,  /* what the pool ships */
    CURSOR_SCHEMES
};

extern const cursor_scheme cursor_schemes[CURSOR_SCHEMES];

/* NULL when there is no memory. */
cursor_state *cursor_create(const cursor_scheme *scheme, unsigned threads);
void cursor_destroy(cursor_state *state);

#endif
