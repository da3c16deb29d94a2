/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocators that bench_pool stands beside, each in a process of its own.
 *
 * A peer is this same program started again with the peer's library in LD_PRELOAD, so that malloc
 * is used the way its users use it: loading several allocators into one process (dlopen) is not
 * sound, as jemalloc and tcmalloc want static thread-local storage and may meet each other's
 * blocks.  The process lives for the whole bench and runs one repeat when told, which lets repeats
 * of all subjects take turns.  It ends when its standard input does.
 */
#ifndef DP_BENCH_POOL_PEER_H
#define DP_BENCH_POOL_PEER_H

#include <sys/types.h>

#include "pool_work.h"

typedef struct peer {
    const char *name;
    pid_t pid; /* 0: not running */
    int to;
    int from;
    char library[128]; /* the file that malloc really came from */
} peer;

#define PEER_COUNT 4u

/* What each peer may be called; the first candidate that the loader finds is taken. */
typedef struct peer_kind {
    const char *name;
    const char *candidates[3]; /* NULL: no preload, the C library's own */
    const char *mark;          /* part of the file name that malloc must come from */
} peer_kind;

extern const peer_kind peer_kinds[PEER_COUNT];

/* The file that this process's malloc comes from, "" when nobody can tell. */
void peer_library_read(char library[sizeof((peer *)0)->library]);

/*
 * Starts every peer whose library is found; the others have pid 0 and `why` says why.  `argument`
 * (or NULL) is their argv[2].  The caller stops them with peers_stop().
 */
void peers_start(peer peers[PEER_COUNT], char why[PEER_COUNT][128], const char *argument);
void peers_stop(peer peers[PEER_COUNT]);

/* Runs one repeat of the work `index` in the peer; out->ok is false when the peer is gone. */
void peer_run(peer *p, size_t index, bool quick, work_result *out);

/* The work `index` with this process's malloc; *out is zeroed, and stays so for an unknown one. */
typedef void peer_work(size_t index, bool quick, work_result *out);

/* The peer process itself: main() calls it when argv[1] is PEER_FLAG.  Returns the exit status. */
#define PEER_FLAG "--peer-process"
int peer_process(peer_work *run);

#endif
