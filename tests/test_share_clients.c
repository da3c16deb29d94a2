/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: test_share_clients CONSUMER [ARGUMENT...]
 * Owns a share and drives a consumer in whatever language through the protocol of
 * tests/share/README.md: what it reads, what it gives back, what it must refuse, and its death.
 */
#include "share_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "pool/share_os.h"
#include "share/crc32.h"

#define CONSUMER_SOCKET 3
#define ANSWER_BYTES    13
#define ANSWER_MS_MAX   20000

static char **consumer_command;

typedef struct consumer {
    pid_t pid;
    int socket;
    uint32_t peer;
    char answer[ANSWER_BYTES + 1];
} consumer;

/* --- one consumer --- */

static void consumer_start(consumer *c)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    *c = (consumer){.socket = ends[0], .pid = fork()};
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        /* dup2() of a descriptor onto itself would keep its close-on-exec flag. */
        if (ends[1] == CONSUMER_SOCKET)
            (void)fcntl(CONSUMER_SOCKET, F_SETFD, 0);
        else
            (void)dup2(ends[1], CONSUMER_SOCKET);
        (void)execvp(consumer_command[0], consumer_command);
        _exit(127);
    }
    assert_int_equal(close(ends[1]), 0);
}

static void answer_read(consumer *c)
{
    size_t got = 0;
    while (got < ANSWER_BYTES) {
        struct pollfd wait = {.fd = c->socket, .events = POLLIN};
        if (poll(&wait, 1, ANSWER_MS_MAX) != 1)
            fail_msg("the consumer does not answer");
        ssize_t more = read(c->socket, c->answer + got, ANSWER_BYTES - got);
        if (more <= 0)
            fail_msg("the consumer has ended");
        got += (size_t)more;
    }
    c->answer[ANSWER_BYTES] = '\0';
}

static void ask(consumer *c, char letter, const dp_share_token *token)
{
    char message[1 + DP_SHARE_TOKEN_BYTES] = {letter};
    if (token != NULL)
        memcpy(message + 1, token->bytes, sizeof token->bytes);
    assert_int_equal(write(c->socket, message, sizeof message), sizeof message);
    answer_read(c);
}

static void expect(const consumer *c, char letter)
{
    if (c->answer[0] != letter)
        fail_msg("the consumer answers '%s' instead of %c", c->answer, letter);
}

static void expect_error(consumer *c, char letter, const dp_share_token *token, const char *name)
{
    ask(c, letter, token);
    expect(c, 'E');
    assert_string_equal(c->answer + 1, name);
}

static void consumer_invite(consumer *c, const share_rig *rig)
{
    consumer_start(c);
    assert_int_equal(dp_share_send(rig->share, c->socket, &c->peer), DP_OK);
    answer_read(c);
    expect(c, 'A');
}

static void consumer_wait(consumer *c, int want)
{
    int status = 0;
    assert_int_equal(close(c->socket), 0);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, want);
}

static void consumer_quit(consumer *c)
{
    ask(c, 'q', NULL);
    expect(c, 'Q');
    consumer_wait(c, 0);
}

static void claim_and_compare(consumer *c, const dp_share_token *token, uint64_t size, uint32_t sum)
{
    uint64_t said_size;
    uint32_t said_sum;
    ask(c, 'g', token);
    expect(c, 'G');
    memcpy(&said_size, c->answer + 1, 8);
    memcpy(&said_sum, c->answer + 9, 4);
    assert_int_equal(said_size, size);
    assert_int_equal(said_sum, sum);
}

/* --- shares --- */

static void big_rig_open(share_rig *rig)
{
    dp_share_config config = SHARE_RIG_CONFIG;
    config.size_bytes = 32 << 20;
    config.name = "弹幕";
    rig->pool = share_rig_pool();
    assert_int_equal(dp_share_create(rig->pool, &config, &rig->share), DP_OK);
}

static dp_buf *get_random(const share_rig *rig, size_t size_bytes, uint32_t *sum)
{
    dp_buf *buf = share_rig_get(rig, size_bytes, 0);
    uint8_t *bytes = dp_buf_data(buf);
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)(rand() >> 5);
    *sum = crc32_of(bytes, size_bytes);
    return buf;
}

/* --- tests --- */

static void every_byte_arrives_and_every_block_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4095, 4096, 4097, 1 << 20, (8 << 20) + 3};
    share_rig rig;
    consumer c;
    big_rig_open(&rig);
    consumer_invite(&c, &rig);
    for (int round = 0; round < 3; round++) {
        dp_share_token tokens[6];
        uint32_t sums[6];
        for (size_t i = 0; i < 6; i++) {
            dp_buf *buf = get_random(&rig, sizes[i], &sums[i]);
            assert_int_equal(dp_share_export(rig.share, buf, c.peer, &tokens[i]), DP_OK);
            dp_put(buf);
        }
        for (size_t i = 6; i-- > 0;)
            claim_and_compare(&c, &tokens[i], sizes[i], sums[i]);
        assert_int_equal(share_rig_stats(&rig).buffers, 6);
        for (size_t i = 0; i < 6; i++) {
            ask(&c, 'r', &tokens[i]);
            expect(&c, 'R');
            assert_int_equal(share_rig_stats(&rig).buffers, 5 - i);
        }
        assert_int_equal(share_rig_stats(&rig).used_bytes, 0);
    }
    consumer_quit(&c);
    dp_share_reap(rig.share, NULL);
    assert_int_equal(share_rig_stats(&rig).peers, 0);
    share_rig_close(&rig);
}

static void a_token_is_refused_by_the_right_name(void **state)
{
    (void)state;
    share_rig rig;
    consumer c;
    uint32_t sum = 0;
    dp_share_token token;
    share_rig_open(&rig);
    consumer_invite(&c, &rig);
    dp_buf *buf = get_random(&rig, 5000, &sum);
    assert_int_equal(dp_share_export(rig.share, buf, c.peer, &token), DP_OK);
    expect_error(&c, 'r', &token, "not_found");
    for (size_t at = 0; at < DP_SHARE_TOKEN_BYTES; at += 4) {
        dp_share_token forged = token;
        forged.bytes[at] ^= 0x40;
        expect_error(&c, 'g', &forged, "not_found");
    }
    claim_and_compare(&c, &token, 5000, sum);
    expect_error(&c, 'g', &token, "exists");
    ask(&c, 'r', &token);
    expect(&c, 'R');
    expect_error(&c, 'g', &token, "not_found");
    expect_error(&c, 'r', &token, "not_found");
    assert_int_equal(share_rig_stats(&rig).grants, 0);
    assert_int_equal(dp_share_export(rig.share, buf, c.peer, &token), DP_OK);
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_OK);
    expect_error(&c, 'g', &token, "not_found");
    dp_put(buf);
    consumer_quit(&c);
    share_rig_close(&rig);
}

static void what_a_killed_consumer_held_is_free_again(void **state)
{
    (void)state;
    share_rig rig;
    consumer c;
    uint32_t sum = 0;
    dp_share_token token;
    dp_share_reaped reaped;
    share_rig_open(&rig);
    consumer_invite(&c, &rig);
    dp_buf *buf = get_random(&rig, 100000, &sum);
    assert_int_equal(dp_share_export(rig.share, buf, c.peer, &token), DP_OK);
    dp_put(buf);
    claim_and_compare(&c, &token, 100000, sum);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.peers_dead, 0);
    assert_int_equal(share_rig_stats(&rig).buffers, 1);
    assert_int_equal(kill(c.pid, SIGKILL), 0);
    consumer_wait(&c, SIGKILL);
    dp_share_reap(rig.share, &reaped);
    assert_int_equal(reaped.peers_dead, 1);
    assert_int_equal(reaped.dropped, 1);
    assert_int_equal(share_rig_stats(&rig).used_bytes, 0);
    share_rig_close(&rig);
}

static void a_claim_is_seen_by_the_owner(void **state)
{
    (void)state;
    share_rig rig;
    consumer c;
    uint32_t sum = 0;
    dp_share_token token;
    dp_share_reaped reaped;
    share_rig_open(&rig);
    consumer_invite(&c, &rig);
    dp_buf *buf = get_random(&rig, 10, &sum);
    assert_int_equal(dp_share_export(rig.share, buf, c.peer, &token), DP_OK);
    claim_and_compare(&c, &token, 10, sum);
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_ERR_BUSY);
    share_reap_at(rig.share, UINT64_MAX, &reaped);
    assert_int_equal(reaped.expired, 0);
    ask(&c, 'r', &token);
    dp_put(buf);
    consumer_quit(&c);
    share_rig_close(&rig);
}

static void the_data_cannot_be_written(void **state)
{
    (void)state;
    share_rig rig;
    consumer c;
    share_rig_open(&rig);
    consumer_invite(&c, &rig);
    ask(&c, 'w', NULL);
    expect(&c, 'W');
    assert_int_equal(c.answer[1], 0);
    consumer_quit(&c);
    share_rig_close(&rig);
}

static void a_dropped_consumer_is_told(void **state)
{
    (void)state;
    share_rig rig;
    consumer c;
    uint32_t sum = 0;
    dp_share_token token;
    share_rig_open(&rig);
    consumer_invite(&c, &rig);
    ask(&c, 'o', NULL);
    expect(&c, 'O');
    assert_int_equal(c.answer[1], 1);
    dp_buf *buf = get_random(&rig, 10, &sum);
    assert_int_equal(dp_share_export(rig.share, buf, c.peer, &token), DP_OK);
    dp_put(buf);
    assert_int_equal(dp_share_drop(rig.share, c.peer), DP_OK);
    expect_error(&c, 'g', &token, "closed");
    ask(&c, 'o', NULL);
    expect(&c, 'O');
    assert_int_equal(c.answer[1], 0);
    consumer_quit(&c);
    share_rig_close(&rig);
}

/* Sends these two descriptors as an invitation would; the consumer must answer with that name. */
static void expect_refusal(int control_fd, int data_fd, const char *name)
{
    consumer c;
    const int fds[2] = {control_fd, data_fd};
    consumer_start(&c);
    assert_int_equal(share_fds_send(c.socket, fds), DP_OK);
    answer_read(&c);
    expect(&c, 'E');
    assert_string_equal(c.answer + 1, name);
    consumer_wait(&c, 0);
}

/* One field of a sound header, planted wrong, and what a consumer must call it. */
static const struct {
    size_t at;
    size_t size;
    uint64_t value;
    const char *name;
} planted[] = {
    {0, 1, 'X', "format"},
    {offsetof(share_header, version), 4, 2, "unsupported"},
    {offsetof(share_header, data_bytes), 8, 1 << 20, "format"},
    {offsetof(share_header, block_bytes), 4, 100, "format"},
    {offsetof(share_header, grants), 4, 65537, "format"},
    {offsetof(share_header, grants_offset), 8, 1 << 16 << 1, "format"},
    {offsetof(share_header, claims_offset), 8, UINT64_MAX - 65535, "format"},
    {offsetof(share_header, control_bytes), 8, 1, "format"},
    {offsetof(share_header, state), 4, SHARE_CLOSED, "closed"},
};

static void what_is_no_sound_share_is_refused(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_invitation made;
    share_rig_open(&rig);
    assert_int_equal(dp_share_invite(rig.share, &made), DP_OK);
    share_rig_control control = share_rig_control_map(made.control_fd);
    for (size_t i = 0; i < sizeof planted / sizeof planted[0]; i++) {
        char *field = (char *)control.bytes + planted[i].at;
        uint64_t before = 0;
        memcpy(&before, field, planted[i].size);
        memcpy(field, &planted[i].value, planted[i].size);
        expect_refusal(made.control_fd, made.data_fd, planted[i].name);
        memcpy(field, &before, planted[i].size);
    }
    expect_refusal(made.control_fd, made.control_fd, "format");
    expect_refusal(STDERR_FILENO, made.data_fd, "format");
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", made.control_fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    assert_true(again >= 0);
    expect_refusal(again, made.data_fd, "busy");
    assert_int_equal(close(again), 0);
    memfd_unmap(control.bytes, control.size_bytes);
    assert_int_equal(close(made.control_fd), 0);
    assert_int_equal(close(made.data_fd), 0);
    share_rig_close(&rig);
}

static void a_grant_outside_the_data_is_not_followed(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_invitation made;
    consumer c;
    dp_share_token token;
    uint32_t sum = 0;
    share_rig_open(&rig);
    assert_int_equal(dp_share_invite(rig.share, &made), DP_OK);
    share_rig_control control = share_rig_control_map(made.control_fd);
    const int fds[2] = {made.control_fd, made.data_fd};
    consumer_start(&c);
    assert_int_equal(share_fds_send(c.socket, fds), DP_OK);
    answer_read(&c);
    expect(&c, 'A');
    dp_buf *buf = get_random(&rig, 10, &sum);
    assert_int_equal(dp_share_export(rig.share, buf, made.peer, &token), DP_OK);
    share_grant_entry *entry = share_rig_entry(&control, share_rig_token(&token).grant);
    static const uint64_t offsets[] = {256 << 10, UINT64_MAX - 4095, 100};
    for (size_t i = 0; i < 3; i++) {
        entry->offset_bytes = offsets[i];
        expect_error(&c, 'g', &token, "corrupt");
    }
    entry->offset_bytes = 0;
    claim_and_compare(&c, &token, 10, sum);
    ask(&c, 'r', &token);
    dp_put(buf);
    consumer_quit(&c);
    memfd_unmap(control.bytes, control.size_bytes);
    assert_int_equal(close(made.control_fd), 0);
    assert_int_equal(close(made.data_fd), 0);
    share_rig_close(&rig);
}

static void what_is_no_invitation_is_refused(void **state)
{
    (void)state;
    consumer c;
    consumer_start(&c);
    assert_int_equal(write(c.socket, "DPSHARE1", 8), 8);
    answer_read(&c);
    expect(&c, 'E');
    assert_string_equal(c.answer + 1, "format");
    consumer_wait(&c, 0);
    consumer_start(&c);
    assert_int_equal(shutdown(c.socket, SHUT_WR), 0);
    answer_read(&c);
    expect(&c, 'E');
    assert_string_equal(c.answer + 1, "closed");
    consumer_wait(&c, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_and_every_block_comes_back),
        cmocka_unit_test(a_token_is_refused_by_the_right_name),
        cmocka_unit_test(what_a_killed_consumer_held_is_free_again),
        cmocka_unit_test(a_claim_is_seen_by_the_owner),
        cmocka_unit_test(the_data_cannot_be_written),
        cmocka_unit_test(a_dropped_consumer_is_told),
        cmocka_unit_test(what_is_no_sound_share_is_refused),
        cmocka_unit_test(a_grant_outside_the_data_is_not_followed),
        cmocka_unit_test(what_is_no_invitation_is_refused),
    };
    if (argc < 2) {
        print_error("usage: test_share_clients CONSUMER [ARGUMENT...]\n");
        return 2;
    }
    consumer_command = argv + 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
