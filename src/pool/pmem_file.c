/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a pool file's name.
 *
 * A file under the configured name is always complete: it is made under "<path>.new" and renamed
 * once libpmemobj has formatted it, so a crash while making it leaves only a ".new", which the next
 * start replaces.  Making one is done under an flock of its directory, so two processes that start
 * at once do not make one each.  The file itself is locked by libpmemobj, by flock too, from create
 * or open to close; all these locks go with the process, so kill -9 leaves none behind.
 *
 * Before it is opened, an existing file passes pmemobj_check(), which only reads: a damaged heap is
 * reported instead of being walked into, and a foreign file keeps every byte.
 */
#include "dp_features.h"

#if DP_HAVE_PMEM

#include "pool/pmem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpmemobj/pool_base.h>

#include "pool/os.h"

#define PMEM_FILE_MODE 0600
#define NEW_SUFFIX     ".new"

/* Maps errno after a failed libpmemobj call.  `doing` is a verb: "open", "create". */
static dp_status fail(int error, const char *doing, char detail[PMEM_FILE_DETAIL_BYTES])
{
    switch (error) {
    case EAGAIN: /* flock, the same number as EWOULDBLOCK */
        snprintf(detail, PMEM_FILE_DETAIL_BYTES, "pmem file is in use by another process");
        return DP_ERR_BUSY;
    case EINVAL:
        snprintf(detail, PMEM_FILE_DETAIL_BYTES,
                 "pmem file is not a pool of layout " PMEM_FILE_LAYOUT "; left untouched");
        return DP_ERR_CORRUPT;
    default: {
        char words[48] = "";
        (void)strerror_r(error, words, sizeof words);
        snprintf(detail, PMEM_FILE_DETAIL_BYTES, "cannot %s pmem file: %s", doing, words);
        return DP_ERR_IO;
    }
    }
}

/* Too short to be a pool?  libpmemobj maps the head of any file, and dies on an empty one. */
static bool is_stub(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode) &&
           (uint64_t)facts.st_size < PMEMOBJ_MIN_POOL;
}

static dp_status open_existing(const char *path, char detail[PMEM_FILE_DETAIL_BYTES],
                               PMEMobjpool **out)
{
    if (is_stub(path)) {
        return fail(EINVAL, "open", detail);
    }
    errno = 0;
    int sound = pmemobj_check(path, PMEM_FILE_LAYOUT);
    if (sound == 0) {
        snprintf(detail, PMEM_FILE_DETAIL_BYTES, "pmem file is damaged; left untouched");
        return DP_ERR_CORRUPT;
    }
    if (sound < 0) {
        return fail(errno, "check", detail);
    }
    PMEMobjpool *pop = pmemobj_open(path, PMEM_FILE_LAYOUT);
    if (pop == NULL) {
        return fail(errno, "open", detail);
    }
    *out = pop;
    return DP_OK;
}

/* Is there a file (of whatever kind) under this name? */
static bool is_there(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 || errno != ENOENT;
}

/*
 * Locks the directory that `path` is in, so that one process at a time makes pool files in it;
 * -1 and errno when that fails.  Closing the descriptor unlocks.
 */
static int lock_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = os_strdup(slash == NULL ? "." : path);
    if (name == NULL) {
        errno = ENOMEM;
        return -1;
    }
    if (slash != NULL) {
        name[slash == path ? 1 : slash - path] = '\0';
    }
    int directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    os_free(name);
    if (directory >= 0 && flock(directory, LOCK_EX) != 0) {
        int error = errno;
        close(directory);
        errno = error;
        return -1;
    }
    return directory;
}

/* Under the directory's lock: a ".new" that is there was left by a crash. */
static dp_status create(const char *path, const char *path_new, size_t size_bytes,
                        char detail[PMEM_FILE_DETAIL_BYTES], PMEMobjpool **out)
{
    (void)unlink(path_new);
    PMEMobjpool *pop = pmemobj_create(path_new, PMEM_FILE_LAYOUT, size_bytes, PMEM_FILE_MODE);
    if (pop == NULL) {
        /* EINVAL is not about a foreign file here: there was none. */
        return fail(errno == EINVAL ? EIO : errno, "create", detail);
    }
    if (rename(path_new, path) != 0) {
        dp_status status = fail(errno, "rename", detail);
        pmemobj_close(pop);
        (void)unlink(path_new);
        return status;
    }
    *out = pop;
    return DP_OK;
}

static dp_status create_locked(const char *path, size_t size_bytes,
                               char detail[PMEM_FILE_DETAIL_BYTES], PMEMobjpool **out)
{
    int directory = lock_directory(path);
    if (directory < 0) {
        return fail(errno, "create", detail);
    }
    dp_status status = DP_ERR_NOMEM;
    size_t room = strlen(path) + sizeof NEW_SUFFIX;
    char *path_new = os_calloc(1, room);
    if (path_new == NULL) {
        snprintf(detail, PMEM_FILE_DETAIL_BYTES, "no memory for the file's name");
    } else if (is_there(path)) {
        /* Another process made it while we waited for the lock. */
        status = open_existing(path, detail, out);
    } else {
        snprintf(path_new, room, "%s" NEW_SUFFIX, path);
        status = create(path, path_new, size_bytes, detail, out);
    }
    os_free(path_new);
    close(directory);
    return status;
}

dp_status pmem_file_open(const char *path, size_t size_bytes, char detail[PMEM_FILE_DETAIL_BYTES],
                         PMEMobjpool **out, size_t *file_bytes)
{
    DP_ASSERT(path != NULL && path[0] != '\0');
    PMEMobjpool *pop = NULL;
    dp_status status = DP_ERR_INVALID;
    if (is_there(path)) {
        status = open_existing(path, detail, &pop);
    } else if (size_bytes < PMEM_FILE_BYTES_MIN) {
        snprintf(detail, PMEM_FILE_DETAIL_BYTES, "pmem_size_bytes is below %zu MiB",
                 PMEM_FILE_BYTES_MIN >> 20);
    } else {
        status = create_locked(path, size_bytes, detail, &pop);
    }
    if (status != DP_OK) {
        return status;
    }
    struct stat facts;
    if (stat(path, &facts) != 0) {
        status = fail(errno, "look at", detail);
        pmemobj_close(pop);
        return status;
    }
    *file_bytes = (size_t)facts.st_size;
    *out = pop;
    return DP_OK;
}

#else
/* ISO C wants a declaration in every file. */
typedef int pmem_file_left_out;
#endif
