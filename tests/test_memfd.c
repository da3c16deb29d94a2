/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed memory files: what the seals really forbid, to the maker and to everybody else, and that
 * no descriptor is mapped which could change under its reader.
 */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/memfd.h"
#include "pool/os.h"

#define SIZE_BYTES 10000u

typedef struct made {
    int fd;
    unsigned char *bytes;
} made;

static made make(memfd_access others)
{
    made file = {.fd = -1};
    void *bytes = NULL;
    assert_int_equal(memfd_make("test", SIZE_BYTES, others, &file.fd, &bytes), DP_OK);
    file.bytes = bytes;
    return file;
}

static void drop(made *file)
{
    memfd_unmap(file->bytes, SIZE_BYTES);
    assert_int_equal(close(file->fd), 0);
}

static void a_reader_sees_what_the_maker_writes(void **state)
{
    (void)state;
    made file = make(MEMFD_READ);
    void *seen = NULL;
    size_t size_bytes = 0;
    for (size_t i = 0; i < SIZE_BYTES; i++) {
        assert_int_equal(file.bytes[i], 0);
    }
    assert_int_equal(memfd_attach(file.fd, MEMFD_READ, &seen, &size_bytes), DP_OK);
    assert_int_equal(size_bytes, SIZE_BYTES);
    assert_ptr_not_equal(seen, file.bytes);
    memset(file.bytes, 0x5a, SIZE_BYTES);
    assert_memory_equal(seen, file.bytes, SIZE_BYTES);
    memfd_unmap(seen, size_bytes);
    drop(&file);
}

static void an_attached_mapping_outlives_its_maker(void **state)
{
    (void)state;
    made file = make(MEMFD_READ);
    void *seen = NULL;
    size_t size_bytes = 0;
    assert_int_equal(memfd_attach(file.fd, MEMFD_READ, &seen, &size_bytes), DP_OK);
    file.bytes[SIZE_BYTES - 1] = 7;
    drop(&file);
    assert_int_equal(((unsigned char *)seen)[SIZE_BYTES - 1], 7);
    memfd_unmap(seen, size_bytes);
}

static void size_and_seals_never_change(void **state)
{
    (void)state;
    for (int others = MEMFD_READ; others <= MEMFD_WRITE; others++) {
        made file = make((memfd_access)others);
        assert_int_equal(ftruncate(file.fd, 1), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(ftruncate(file.fd, SIZE_BYTES * 2), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(fcntl(file.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        drop(&file);
    }
}

/* Every way to a second writer that a process with the descriptor has. */
static void only_the_makers_mapping_can_write(void **state)
{
    (void)state;
    made file = make(MEMFD_READ);
    void *seen = NULL;
    size_t size_bytes = 0;
    assert_int_equal(write(file.fd, "x", 1), -1);
    assert_int_equal(errno, EPERM);
    assert_ptr_equal(mmap(NULL, SIZE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0),
                     MAP_FAILED);
    assert_int_equal(errno, EPERM);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file.fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    assert_true(again >= 0);
    assert_ptr_equal(mmap(NULL, SIZE_BYTES, PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
    close(again);
    assert_int_equal(memfd_attach(file.fd, MEMFD_WRITE, &seen, &size_bytes), DP_ERR_IO);
    assert_null(seen);
    assert_int_equal(memfd_attach(file.fd, MEMFD_READ, &seen, &size_bytes), DP_OK);
    assert_int_equal(mprotect(seen, size_bytes, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    memfd_unmap(seen, size_bytes);
    drop(&file);
}

static void a_file_for_writers_takes_words_from_both_sides(void **state)
{
    (void)state;
    made file = make(MEMFD_WRITE);
    void *theirs = NULL;
    size_t size_bytes = 0;
    /* Who relies on nobody else writing must not get such a file. */
    assert_int_equal(memfd_attach(file.fd, MEMFD_READ, &theirs, &size_bytes), DP_ERR_FORMAT);
    assert_int_equal(memfd_attach(file.fd, MEMFD_WRITE, &theirs, &size_bytes), DP_OK);
    ((unsigned char *)theirs)[0] = 1;
    file.bytes[1] = 2;
    assert_int_equal(file.bytes[0], 1);
    assert_int_equal(((unsigned char *)theirs)[1], 2);
    memfd_unmap(theirs, size_bytes);
    drop(&file);
}

static void expect_refused(int fd)
{
    void *bytes = NULL;
    size_t size_bytes = 77;
    assert_int_equal(memfd_attach(fd, MEMFD_READ, &bytes, &size_bytes), DP_ERR_FORMAT);
    assert_int_equal(memfd_attach(fd, MEMFD_WRITE, &bytes, &size_bytes), DP_ERR_FORMAT);
    assert_null(bytes);
    assert_int_equal(size_bytes, 77);
}

static void expect_seals_refused(off_t size_bytes, int seals)
{
    int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size_bytes), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    expect_refused(fd);
    close(fd);
}

static void hostile_descriptors_are_refused(void **state)
{
    (void)state;
    int ends[2];
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(pipe(ends), 0);
    expect_refused(-1);
    expect_refused(ends[0]);
    expect_refused(fileno(file));
    close(ends[0]);
    close(ends[1]);
    fclose(file);
    expect_seals_refused(4096, 0);
    expect_seals_refused(4096, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    expect_seals_refused(4096, F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    expect_seals_refused(4096, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
    expect_seals_refused(0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

static void another_process_reads_and_cannot_write(void **state)
{
    (void)state;
    made file = make(MEMFD_READ);
    memcpy(file.bytes, "from the maker", 15);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        void *seen = NULL;
        size_t size_bytes = 0;
        bool ok = memfd_attach(file.fd, MEMFD_READ, &seen, &size_bytes) == DP_OK &&
                  memcmp(seen, "from the maker", 15) == 0 &&
                  memfd_attach(file.fd, MEMFD_WRITE, &seen, &size_bytes) == DP_ERR_IO;
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    drop(&file);
}

static void want_of_memory_or_descriptors_is_an_error_that_leaves_nothing(void **state)
{
    (void)state;
    int fd = 77;
    void *bytes = NULL;
    assert_int_equal(memfd_make("test", SIZE_MAX / 4, MEMFD_READ, &fd, &bytes), DP_ERR_NOMEM);
    assert_int_equal(memfd_make("test", SIZE_MAX, MEMFD_READ, &fd, &bytes), DP_ERR_NOMEM);
    int next = dup(0);
    struct rlimit limit;
    assert_int_equal(close(next), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dp_status status = memfd_make("test", SIZE_BYTES, MEMFD_READ, &fd, &bytes);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(status, DP_ERR_NOMEM);
    assert_int_equal(fd, 77);
    assert_null(bytes);
    /* The failed calls closed what they had opened: the lowest free number is the same. */
    int after = dup(0);
    assert_int_equal(after, next);
    close(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_sees_what_the_maker_writes),
        cmocka_unit_test(an_attached_mapping_outlives_its_maker),
        cmocka_unit_test(size_and_seals_never_change),
        cmocka_unit_test(only_the_makers_mapping_can_write),
        cmocka_unit_test(a_file_for_writers_takes_words_from_both_sides),
        cmocka_unit_test(hostile_descriptors_are_refused),
        cmocka_unit_test(another_process_reads_and_cannot_write),
        cmocka_unit_test(want_of_memory_or_descriptors_is_an_error_that_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
