/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: memfd_create(2) and its seals behind memfd.h.
 *
 * Order matters when a file is made: F_SEAL_FUTURE_WRITE leaves the mappings alone that are there
 * already, so the writer's comes first, and F_SEAL_SEAL is the last since nothing follows it.  The
 * only thing that is kept open for others is reading (or the access that was asked for).
 */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS */
#include "pool/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool/os.h"

/* Newer than some of the C libraries that we build with; values from the kernel's own headers. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* What every mapping relies on: without the first two, a shrinking file kills whoever reads it. */
#define MEMFD_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* For calls that fail for want of something or because the kernel does not know them. */
static dp_status status_of(int error)
{
    switch (error) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case ENOSPC:
    case EOVERFLOW:
        return DP_ERR_NOMEM;
    case ENOSYS:
    case EINVAL:
    case EPERM:
    case EACCES:
        return DP_ERR_UNSUPPORTED;
    default:
        return DP_ERR_IO;
    }
}

/* Never executable where the kernel can promise that (Linux 6.3); older ones refuse the flag. */
static int open_new(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

dp_status memfd_make(const char *name, size_t size_bytes, memfd_access others, int *fd,
                     void **bytes)
{
    DP_ASSERT(name != NULL && size_bytes > 0);
    if (size_bytes > INT64_MAX)
        return DP_ERR_NOMEM;
    int made = open_new(name);
    if (made < 0)
        return status_of(errno);
    dp_status status = DP_OK;
    void *pages = MAP_FAILED;
    int seals = MEMFD_SEALS | (others == MEMFD_READ ? F_SEAL_FUTURE_WRITE : 0);
    /* Anything that ftruncate() says of a size is about too much of it. */
    if (ftruncate(made, (off_t)size_bytes) != 0)
        status = DP_ERR_NOMEM;
    if (status == DP_OK) {
        pages = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
        status = pages == MAP_FAILED ? status_of(errno) : DP_OK;
    }
    if (status == DP_OK && fcntl(made, F_ADD_SEALS, seals) != 0) {
        status = status_of(errno);
        memfd_unmap(pages, size_bytes);
    }
    if (status != DP_OK) {
        (void)close(made);
        return status;
    }
    *fd = made;
    *bytes = pages;
    return DP_OK;
}

dp_status memfd_attach(int fd, memfd_access access, void **bytes, size_t *size_bytes)
{
    struct stat facts;
    int seals = fcntl(fd, F_GET_SEALS);
    int wanted = MEMFD_SEALS | (access == MEMFD_READ ? F_SEAL_FUTURE_WRITE : 0);
    /* F_SEAL_WRITE, set by nobody here, is the stronger promise of the same. */
    if (seals >= 0 && (seals & F_SEAL_WRITE) != 0)
        seals |= F_SEAL_FUTURE_WRITE;
    if (seals < 0 || (seals & wanted) != wanted)
        return DP_ERR_FORMAT;
    if (fstat(fd, &facts) != 0 || facts.st_size <= 0 || (uintmax_t)facts.st_size > SIZE_MAX)
        return DP_ERR_FORMAT;
    int protection = PROT_READ | (access == MEMFD_WRITE ? PROT_WRITE : 0);
    void *pages = mmap(NULL, (size_t)facts.st_size, protection, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED)
        return errno == ENOMEM ? DP_ERR_NOMEM : DP_ERR_IO;
    *bytes = pages;
    *size_bytes = (size_t)facts.st_size;
    return DP_OK;
}

void memfd_unmap(void *bytes, size_t size_bytes)
{
    DP_ASSERT(munmap(bytes, size_bytes) == 0);
}
