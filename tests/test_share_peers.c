/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares between real processes: passing them on, dying at any point, and what a peer may not do.
 *
 * Children are forked before there are threads, and talk over a socket pair; what a child finds
 * wrong it says by its exit status, the line of the check.
 */
#define _GNU_SOURCE /* F_ADD_SEALS, usleep, the CMSG macros */
#include "share_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

/* In a child: ends it with the number of the line. */
#define CHILD_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ % 200 + 50);                                                            \
    } while (0)

typedef struct child {
    pid_t pid;
    int socket;
} child;

/* The child runs `act` with its end of the socket and ends. */
static child child_start(void (*act)(int socket))
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    child c = {.pid = fork(), .socket = ends[0]};
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        (void)close(ends[0]);
        act(ends[1]);
        _exit(0);
    }
    assert_int_equal(close(ends[1]), 0);
    return c;
}

static void child_end(child *c, int want)
{
    int status = 0;
    assert_int_equal(close(c->socket), 0);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, want);
}

static void child_kill(child *c)
{
    assert_int_equal(kill(c->pid, SIGKILL), 0);
    child_end(c, SIGKILL);
}

static void wait_byte(int socket)
{
    char byte;
    assert_int_equal(read(socket, &byte, 1), 1);
}

/* --- peers --- */

static dp_share_view *peer_attach(int socket)
{
    int control_fd = -1;
    int data_fd = -1;
    dp_share_view *view = NULL;
    CHILD_CHECK(dp_share_recv(socket, &control_fd, &data_fd) == DP_OK);
    CHILD_CHECK(dp_share_attach(control_fd, data_fd, &view) == DP_OK);
    CHILD_CHECK(close(control_fd) == 0 && close(data_fd) == 0);
    return view;
}

/* Claims what comes, checks that all bytes are 'p', and tells; holds it until told to go on. */
static void act_hold_and_release(int socket)
{
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    char byte = 0;
    dp_share_view *view = peer_attach(socket);
    CHILD_CHECK(read(socket, &token, sizeof token) == sizeof token);
    CHILD_CHECK(dp_share_acquire(view, &token, &data, &size_bytes) == DP_OK);
    for (size_t i = 0; i < size_bytes; i++)
        CHILD_CHECK(((const char *)data)[i] == 'p');
    CHILD_CHECK(write(socket, "h", 1) == 1);
    CHILD_CHECK(read(socket, &byte, 1) == 1);
    CHILD_CHECK(dp_share_release(view, &token) == DP_OK);
    CHILD_CHECK(write(socket, "r", 1) == 1);
    CHILD_CHECK(read(socket, &byte, 1) == 0);
    dp_share_detach(view);
}

/* Grants one buffer to a new child, which then holds it; the owner's own reference is put. */
static child child_that_holds(const share_rig *rig, void (*act)(int socket))
{
    uint32_t peer = 0;
    dp_share_token token;
    child c = child_start(act);
    assert_int_equal(dp_share_send(rig->share, c.socket, &peer), DP_OK);
    dp_buf *buf = share_rig_get(rig, 50000, 'p');
    assert_int_equal(dp_share_export(rig->share, buf, peer, &token), DP_OK);
    dp_put(buf);
    assert_int_equal(write(c.socket, &token, sizeof token), sizeof token);
    wait_byte(c.socket);
    assert_int_equal(share_rig_stats(rig).buffers, 1);
    return c;
}

static void another_process_reads_in_place_and_gives_back(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_reaped reaped;
    share_rig_open(&rig);
    child c = child_that_holds(&rig, act_hold_and_release);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.peers_dead, 0);
    assert_int_equal(write(c.socket, "g", 1), 1);
    wait_byte(c.socket);
    assert_int_equal(share_rig_stats(&rig).buffers, 0);
    child_end(&c, 0);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.peers_dead, 1);
    assert_int_equal(reaped.dropped, 0);
    share_rig_close(&rig);
}

static void what_a_killed_peer_held_is_free_again(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_reaped reaped;
    share_rig_open(&rig);
    for (int round = 0; round < 20; round++) {
        child c = child_that_holds(&rig, act_hold_and_release);
        dp_share_reap(rig.share, &reaped);
        assert_int_equal(reaped.peers_dead, 0);
        child_kill(&c);
        dp_share_reap(rig.share, &reaped);
        assert_int_equal(reaped.peers_dead, 1);
        assert_int_equal(reaped.dropped, 1);
        assert_int_equal(share_rig_stats(&rig).used_bytes, 0);
    }
    share_rig_close(&rig);
}

static void the_dead_do_not_take_the_living_with_them(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_reaped reaped;
    share_rig_open(&rig);
    child doomed = child_that_holds(&rig, act_hold_and_release);
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    dp_put(buf);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    child_kill(&doomed);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.dropped, 1);
    assert_int_equal(share_rig_stats(&rig).grants, 1);
    assert_int_equal(*(const char *)data, 'a');
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    dp_share_detach(view);
    share_rig_close(&rig);
}

/* Forks, and dies; the grandchild, told by the owner's end of the socket, lives a little longer. */
static void act_hold_and_fork(int socket)
{
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    char byte = 0;
    dp_share_view *view = peer_attach(socket);
    CHILD_CHECK(read(socket, &token, sizeof token) == sizeof token);
    CHILD_CHECK(dp_share_acquire(view, &token, &data, &size_bytes) == DP_OK);
    pid_t pid = fork();
    CHILD_CHECK(pid >= 0);
    if (pid > 0)
        _exit(0);
    CHILD_CHECK(write(socket, "h", 1) == 1);
    CHILD_CHECK(read(socket, &byte, 1) == 1);
    CHILD_CHECK(*(const char *)data == 'p');
    CHILD_CHECK(write(socket, "o", 1) == 1);
    CHILD_CHECK(read(socket, &byte, 1) == 0);
}

static void a_peer_lives_as_long_as_any_process_that_has_its_mapping(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_reaped reaped;
    int status = 0;
    share_rig_open(&rig);
    child c = child_that_holds(&rig, act_hold_and_fork);
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    assert_int_equal(status, 0);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.peers_dead, 0);
    assert_int_equal(write(c.socket, "g", 1), 1);
    wait_byte(c.socket);
    assert_int_equal(close(c.socket), 0);
    /* It is nobody's child here: its end shows by the lock alone. */
    for (int tries = 0; tries < 2000 && share_rig_stats(&rig).peers > 0; tries++) {
        (void)usleep(5000);
        dp_share_reap(rig.share, NULL);
    }
    assert_int_equal(share_rig_stats(&rig).used_bytes, 0);
    share_rig_close(&rig);
}

static void a_peer_that_never_took_its_invitation_is_found_dead(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_reaped reaped;
    uint32_t peer = 0;
    int ends[2];
    share_rig_open(&rig);
    int fds = share_rig_fds();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(dp_share_send(rig.share, ends[0], &peer), DP_OK);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.peers_dead, 0); /* the message still lies in the socket */
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(close(ends[0]), 0);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.peers_dead, 1);
    assert_int_equal(share_rig_fds(), fds);
    share_rig_close(&rig);
}

static void an_invitation_that_cannot_be_sent_takes_no_place(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 77;
    int ends[2];
    share_rig_open(&rig);
    int fds = share_rig_fds();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(dp_share_send(rig.share, ends[0], &peer), DP_ERR_IO);
    assert_int_equal(peer, 77);
    assert_int_equal(share_rig_stats(&rig).peers, 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(share_rig_fds(), fds);
    share_rig_close(&rig);
}

/* --- what a peer may not do --- */

static void act_try_to_write(int socket)
{
    int control_fd = -1;
    int data_fd = -1;
    char path[64];
    CHILD_CHECK(dp_share_recv(socket, &control_fd, &data_fd) == DP_OK);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", data_fd);
    int again = open(path, O_RDWR | O_CLOEXEC); /* a file of ours: the mode does not stop us */
    CHILD_CHECK(again >= 0);
    const int fds[2] = {data_fd, again};
    for (int i = 0; i < 2; i++) {
        void *pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
        CHILD_CHECK(pages == MAP_FAILED);
        pages = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds[i], 0);
        CHILD_CHECK(pages != MAP_FAILED);
        CHILD_CHECK(mprotect(pages, 4096, PROT_READ | PROT_WRITE) != 0);
        CHILD_CHECK(pwrite(fds[i], "x", 1, 0) < 0);
        CHILD_CHECK(ftruncate(fds[i], 0) != 0);
        CHILD_CHECK(fcntl(fds[i], F_ADD_SEALS, F_SEAL_WRITE) != 0);
    }
    CHILD_CHECK(ftruncate(control_fd, 0) != 0);
    CHILD_CHECK(write(socket, "d", 1) == 1);
}

static void a_peer_cannot_write_shrink_or_seal_the_data(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    share_rig_open(&rig);
    dp_buf *buf = share_rig_get(&rig, 4096, 'w');
    child c = child_start(act_try_to_write);
    assert_int_equal(dp_share_send(rig.share, c.socket, &peer), DP_OK);
    wait_byte(c.socket);
    child_end(&c, 0);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(((char *)dp_buf_data(buf))[i], 'w');
    dp_put(buf);
    share_rig_close(&rig);
}

/* --- an owner that dies --- */

static void act_own(int socket)
{
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    char byte;
    const dp_share_config config = SHARE_RIG_CONFIG;
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    pool_config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_SHM);
    dp_buf *buf = NULL;
    CHILD_CHECK(dp_pool_create(&pool_config, &rig.pool) == DP_OK);
    CHILD_CHECK(dp_share_create(rig.pool, &config, &rig.share) == DP_OK);
    CHILD_CHECK(dp_share_send(rig.share, socket, &peer) == DP_OK);
    CHILD_CHECK(dp_share_get(rig.share, 100, &buf) == DP_OK);
    memset(dp_buf_data(buf), 'o', 100);
    CHILD_CHECK(dp_share_export(rig.share, buf, peer, &token) == DP_OK);
    CHILD_CHECK(write(socket, &token, sizeof token) == sizeof token);
    CHILD_CHECK(read(socket, &byte, 1) == 1);
}

static void a_peer_survives_its_owner_and_can_tell(void **state)
{
    (void)state;
    int control_fd = -1;
    int data_fd = -1;
    dp_share_view *view = NULL;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    child c = child_start(act_own);
    assert_int_equal(dp_share_recv(c.socket, &control_fd, &data_fd), DP_OK);
    assert_int_equal(fcntl(control_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(data_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(dp_share_attach(control_fd, data_fd, &view), DP_OK);
    assert_int_equal(close(control_fd), 0);
    assert_int_equal(close(data_fd), 0);
    assert_int_equal(read(c.socket, &token, sizeof token), sizeof token);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    assert_true(dp_share_view_is_open(view));
    child_kill(&c);
    assert_false(dp_share_view_is_open(view));
    assert_int_equal(((const char *)data)[99], 'o');
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    dp_share_detach(view);
}

/* --- what comes over the socket --- */

static void send_fds(int socket, const char *bytes, size_t size, const int *fds, size_t count)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(32 * sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &message, 0), size);
}

static void a_message_that_is_no_invitation_is_refused_and_leaks_nothing(void **state)
{
    (void)state;
    int ends[2];
    int control_fd = -1;
    int data_fd = -1;
    int many[32];
    for (size_t i = 0; i < 32; i++)
        many[i] = STDERR_FILENO;
    int fds = share_rig_fds();
    for (size_t count = 0; count <= 32; count += count < 3 ? 1 : 29) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        send_fds(ends[0], count == 2 ? "DPSHARE2" : "DPSHARE1", 8, many, count);
        assert_int_equal(dp_share_recv(ends[1], &control_fd, &data_fd), DP_ERR_FORMAT);
        send_fds(ends[0], "DPSHA", 5, many, count);
        assert_int_equal(dp_share_recv(ends[1], &control_fd, &data_fd), DP_ERR_FORMAT);
        assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(dp_share_recv(ends[1], &control_fd, &data_fd), DP_ERR_TIMEOUT);
        assert_int_equal(close(ends[0]), 0);
        assert_int_equal(dp_share_recv(ends[1], &control_fd, &data_fd), DP_ERR_CLOSED);
        assert_int_equal(close(ends[1]), 0);
        assert_int_equal(share_rig_fds(), fds);
    }
    assert_int_equal(dp_share_recv(-1, &control_fd, &data_fd), DP_ERR_IO);
    assert_int_equal(control_fd, -1);
    assert_int_equal(data_fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_process_reads_in_place_and_gives_back),
        cmocka_unit_test(what_a_killed_peer_held_is_free_again),
        cmocka_unit_test(the_dead_do_not_take_the_living_with_them),
        cmocka_unit_test(a_peer_lives_as_long_as_any_process_that_has_its_mapping),
        cmocka_unit_test(a_peer_that_never_took_its_invitation_is_found_dead),
        cmocka_unit_test(an_invitation_that_cannot_be_sent_takes_no_place),
        cmocka_unit_test(a_peer_cannot_write_shrink_or_seal_the_data),
        cmocka_unit_test(a_peer_survives_its_owner_and_can_tell),
        cmocka_unit_test(a_message_that_is_no_invitation_is_refused_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
