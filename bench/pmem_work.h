/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work of bench pool-pmem, each piece in a process of its own.
 *
 * libpmem decides how it flushes when it is loaded, so the two ways (cache lines, or msync) need a
 * process each; and a restart is one only in a process that has not had the file open.
 */
#ifndef DP_BENCH_PMEM_WORK_H
#define DP_BENCH_PMEM_WORK_H

#include <stdbool.h>
#include <stddef.h>

/* The first argument of a process that does one piece of work. */
#define PMEM_WORK_FLAG "--pmem-work"

/* How many objects one commit takes, and one transaction of the peer. */
#define PMEM_WORK_BATCH 32u

typedef enum pmem_work_kind {
    PMEM_WORK_MANY,   /* get, write, dp_cache_insert_many(), put */
    PMEM_WORK_SINGLE, /* get, write, dp_cache_insert(), put */
    PMEM_WORK_STORE,  /* the tier's batch commit alone */
    PMEM_WORK_ALLOC,  /* peer: pmemobj_alloc() with a constructor */
    PMEM_WORK_TX,     /* peer: a transaction of pmemobj_tx_alloc() */
    PMEM_WORK_FILL,   /* makes a file of so many objects, and dies by SIGKILL */
    PMEM_WORK_OPEN,   /* pool, cache, first lookup; dies by SIGKILL */
    PMEM_WORK_WALK    /* peer: pmemobj_open() and a walk over the heap */
} pmem_work_kind;

typedef struct pmem_work {
    pmem_work_kind kind;
    size_t size_bytes;
    size_t count; /* objects */
    const char *path;
    bool flush_lines; /* PMEM_IS_PMEM_FORCE=1: treat the file as persistent memory */
} pmem_work;

typedef struct pmem_work_result {
    bool ok;
    double value; /* ns an object, or ms until the first hit */
    double part;  /* of an OPEN: ms in dp_pool_create() */
    double cpu;   /* the same as CPU time, which other programs stretch less */
} pmem_work_result;

/* Runs the work in a fresh process; result->ok tells whether it came to its end. */
void pmem_work_run(const pmem_work *work, pmem_work_result *result);

/* What main() of such a process does: its exit status. */
int pmem_work_process(int argc, char **argv);

#endif
