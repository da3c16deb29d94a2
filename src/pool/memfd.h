/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: sealed memory files, the one thing that is handed to other processes.
 *
 * A file made here never changes its size again, so nobody's mapping of it can fault, and what
 * others may do with it is fixed by seals of the kernel, not by good behaviour.  The receiving side
 * treats a descriptor as hostile input: memfd_attach() maps it only after it has seen the seals
 * that it relies on.
 *
 * No state, thread safe.  Descriptors are close-on-exec and belong to the caller.
 */
#ifndef DP_POOL_MEMFD_H
#define DP_POOL_MEMFD_H

#include <stddef.h>

#include <danpool/status.h>

typedef enum memfd_access {
    MEMFD_READ, /* sealed against further writers (F_SEAL_FUTURE_WRITE, Linux 5.1) */
    MEMFD_WRITE /* for words that readers count in */
} memfd_access;

/*
 * Makes a file of size_bytes zeros, maps it writable and seals it: it cannot shrink or grow, the
 * seals cannot change, and with others = MEMFD_READ no process, this one included, can write to it
 * but through the mapping that is returned.  `name` shows in /proc only.
 * Errors: DP_ERR_NOMEM (memory, address space or descriptors), DP_ERR_UNSUPPORTED (the kernel lacks
 * memfd or one of the seals, or forbids them).
 */
dp_status memfd_make(const char *name, size_t size_bytes, memfd_access others, int *fd,
                     void **bytes);

/*
 * Maps somebody else's file whole; `fd` stays the caller's and may be closed at once.  With
 * MEMFD_READ the bytes must not be written to: the mapping faults.
 * Errors: DP_ERR_FORMAT (no memory file, empty, or not sealed as above), DP_ERR_NOMEM, DP_ERR_IO
 * (the seals forbid that access).
 */
dp_status memfd_attach(int fd, memfd_access access, void **bytes, size_t *size_bytes);

/* Takes a mapping of either down. */
void memfd_unmap(void *bytes, size_t size_bytes);

#endif
