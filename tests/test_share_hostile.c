/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share whose other side is an attacker: an owner that plants anything in a control, a peer that
 * writes anything into its own, and files that are no share at all.
 */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS */
#include "share_rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "pool/share_slot.h"

/* ---- what attach is given ---- */

/* The two files of a share, made by hand. */
typedef struct forged {
    int control_fd;
    int data_fd;
    share_rig_control control;
} forged;

static void forged_open(forged *f)
{
    share_layout layout = {
        .share_id = 1, .data_bytes = 65536, .block_bytes = 4096, .peer = 3, .grants = 4};
    void *data = NULL;
    share_layout_plan(&layout);
    f->control.size_bytes = layout.control_bytes;
    assert_int_equal(
        memfd_make("forged", layout.control_bytes, MEMFD_WRITE, &f->control_fd, &f->control.bytes),
        DP_OK);
    assert_int_equal(memfd_make("forged", 65536, MEMFD_READ, &f->data_fd, &data), DP_OK);
    memset(data, 'd', 65536);
    memfd_unmap(data, 65536);
    share_header_write(share_rig_header(&f->control), &layout);
}

static void forged_close(forged *f)
{
    memfd_unmap(f->control.bytes, f->control.size_bytes);
    assert_int_equal(close(f->control_fd), 0);
    assert_int_equal(close(f->data_fd), 0);
}

static void what_is_no_share_is_refused(void **state)
{
    (void)state;
    forged f;
    dp_share_view *view = NULL;
    forged_open(&f);
    int fds = share_rig_fds();
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(null_fd >= 0);
    assert_int_equal(dp_share_attach(-1, f.data_fd, &view), DP_ERR_FORMAT);
    assert_int_equal(dp_share_attach(f.control_fd, -1, &view), DP_ERR_FORMAT);
    assert_int_equal(dp_share_attach(null_fd, f.data_fd, &view), DP_ERR_FORMAT);
    assert_int_equal(dp_share_attach(f.control_fd, null_fd, &view), DP_ERR_FORMAT);
    assert_int_equal(dp_share_attach(f.data_fd, f.control_fd, &view), DP_ERR_IO);
    /* The control again as data: everybody could write to it. */
    assert_int_equal(dp_share_attach(f.control_fd, f.control_fd, &view), DP_ERR_FORMAT);
    assert_int_equal(close(null_fd), 0);
    assert_int_equal(share_rig_fds(), fds);
    assert_null(view);
    assert_int_equal(dp_share_attach(f.control_fd, f.data_fd, &view), DP_OK);
    dp_share_detach(view);
    forged_close(&f);
}

static void a_file_that_could_shrink_under_its_reader_is_refused(void **state)
{
    (void)state;
    static const int seals[] = {0, F_SEAL_GROW | F_SEAL_SEAL, F_SEAL_GROW | F_SEAL_WRITE};
    forged f;
    dp_share_view *view = NULL;
    forged_open(&f);
    for (size_t i = 0; i < 3; i++) {
        int fd = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 65536), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
        assert_int_equal(dp_share_attach(f.control_fd, fd, &view), DP_ERR_FORMAT);
        assert_int_equal(dp_share_attach(fd, f.data_fd, &view), DP_ERR_FORMAT);
        assert_int_equal(close(fd), 0);
    }
    assert_null(view);
    forged_close(&f);
}

static void a_control_that_is_smaller_than_a_header_is_refused(void **state)
{
    (void)state;
    forged f;
    dp_share_view *view = NULL;
    int fd = -1;
    void *bytes = NULL;
    forged_open(&f);
    assert_int_equal(memfd_make("tiny", 255, MEMFD_WRITE, &fd, &bytes), DP_OK);
    memcpy(bytes, f.control.bytes, 255);
    assert_int_equal(dp_share_attach(fd, f.data_fd, &view), DP_ERR_FORMAT);
    memfd_unmap(bytes, 255);
    assert_int_equal(close(fd), 0);
    forged_close(&f);
}

static void a_control_that_was_opened_again_instead_of_passed_on_is_refused(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_invitation made;
    dp_share_view *view = NULL;
    char path[64];
    share_rig_open(&rig);
    assert_int_equal(dp_share_invite(rig.share, &made), DP_OK);
    snprintf(path, sizeof path, "/proc/self/fd/%d", made.control_fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    assert_true(again >= 0);
    assert_int_equal(dp_share_attach(again, made.data_fd, &view), DP_ERR_BUSY);
    assert_int_equal(close(again), 0);
    assert_int_equal(dp_share_attach(made.control_fd, made.data_fd, &view), DP_OK);
    dp_share_detach(view);
    assert_int_equal(close(made.control_fd), 0);
    assert_int_equal(close(made.data_fd), 0);
    share_rig_close(&rig);
}

static void try_token(dp_share_view *view, share_token token)
{
    dp_share_token outer;
    const void *data = NULL;
    size_t size_bytes = 0;
    memcpy(outer.bytes, &token, sizeof token);
    if (dp_share_acquire(view, &outer, &data, &size_bytes) != DP_OK)
        return;
    assert_int_equal(((const char *)data)[0], 'd');
    assert_int_equal(((const char *)data)[size_bytes - 1], 'd');
    assert_int_equal(dp_share_release(view, &outer), DP_OK);
}

/* Whatever the header, attach must return; and if it accepts it, tokens must not lead outside. */
static void random_headers_never_lead_outside(void **state)
{
    (void)state;
    forged f;
    unsigned accepted = 0;
    forged_open(&f);
    const share_header sound = *share_rig_header(&f.control);
    /* Everything that could be taken for an entry says the same grant. */
    for (uint64_t at = 65536; at < f.control.size_bytes; at += sizeof(share_grant_entry)) {
        share_grant_entry *entry = (void *)((char *)f.control.bytes + at);
        entry->serial = 1;
        entry->offset_bytes = 65536 - 4096;
        entry->size_bytes = 4096;
    }
    srand(5);
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[sizeof sound];
        memcpy(bytes, &sound, sizeof bytes);
        for (int i = rand() % 4; i >= 0; i--)
            bytes[rand() % 144] = (uint8_t)rand();
        memcpy(f.control.bytes, bytes, sizeof bytes);
        dp_share_view *view = NULL;
        if (dp_share_attach(f.control_fd, f.data_fd, &view) != DP_OK)
            continue;
        accepted++;
        for (uint32_t grant = 0; grant < 8; grant++)
            try_token(view, (share_token){1, 1, 4096, 3, grant});
        dp_share_detach(view);
    }
    assert_true(accepted > 0 && accepted < 3000);
    forged_close(&f);
}

static void a_grant_that_lies_outside_the_data_is_not_followed(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, size;
    } lies[] = {{65536, 4096},
                {61440, 8192},
                {UINT64_MAX - 4095, 4096},
                {0, UINT64_MAX},
                {4096, UINT64_MAX - 4095},
                {100, 100},
                {0, 0}};
    forged f;
    dp_share_view *view = NULL;
    forged_open(&f);
    assert_int_equal(dp_share_attach(f.control_fd, f.data_fd, &view), DP_OK);
    share_grant_entry *entry = share_rig_entry(&f.control, 2);
    for (uint64_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        const void *data = NULL;
        size_t size_bytes = 0;
        share_token token = {
            .share_id = 1, .serial = 10 + i, .size_bytes = lies[i].size, .peer = 3, .grant = 2};
        dp_share_token outer;
        memcpy(outer.bytes, &token, sizeof token);
        entry->serial = token.serial;
        entry->offset_bytes = lies[i].offset;
        entry->size_bytes = lies[i].size;
        assert_int_equal(dp_share_acquire(view, &outer, &data, &size_bytes), DP_ERR_CORRUPT);
        assert_null(data);
        assert_int_equal(share_rig_claim(&f.control, 2)->claimed, 0);
    }
    dp_share_detach(view);
    forged_close(&f);
}

static void a_grant_that_is_replaced_while_it_is_held_is_not_mixed_up(void **state)
{
    (void)state;
    forged f;
    dp_share_view *view = NULL;
    const void *data = NULL;
    size_t size_bytes = 0;
    forged_open(&f);
    assert_int_equal(dp_share_attach(f.control_fd, f.data_fd, &view), DP_OK);
    share_grant_entry *entry = share_rig_entry(&f.control, 0);
    dp_share_token outer[2];
    for (uint64_t i = 0; i < 2; i++) {
        share_token token = {.share_id = 1, .serial = 1 + i, .size_bytes = 10, .peer = 3};
        memcpy(outer[i].bytes, &token, sizeof token);
    }
    entry->size_bytes = 10;
    entry->serial = 1;
    assert_int_equal(dp_share_acquire(view, &outer[0], &data, &size_bytes), DP_OK);
    entry->serial = 2;
    assert_int_equal(dp_share_acquire(view, &outer[1], &data, &size_bytes), DP_ERR_NOT_FOUND);
    assert_int_equal(share_rig_claim(&f.control, 0)->claimed, 1);
    assert_int_equal(dp_share_release(view, &outer[1]), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_share_release(view, &outer[0]), DP_OK);
    assert_int_equal(dp_share_acquire(view, &outer[1], &data, &size_bytes), DP_OK);
    assert_int_equal(dp_share_release(view, &outer[1]), DP_OK);
    dp_share_detach(view);
    forged_close(&f);
}

static void a_header_that_changes_after_attaching_changes_nothing(void **state)
{
    (void)state;
    forged f;
    dp_share_view *view = NULL;
    const void *data = NULL;
    size_t size_bytes = 0;
    forged_open(&f);
    assert_int_equal(dp_share_attach(f.control_fd, f.data_fd, &view), DP_OK);
    share_token token = {.share_id = 1, .serial = 1, .size_bytes = 70000, .peer = 3, .grant = 5};
    dp_share_token outer;
    memcpy(outer.bytes, &token, sizeof token);
    share_rig_header(&f.control)->grants = 65536;
    share_rig_header(&f.control)->data_bytes = UINT64_MAX;
    share_rig_header(&f.control)->grants_offset = UINT64_MAX;
    memset(share_rig_header(&f.control)->name, 'x', 64);
    assert_int_equal(dp_share_acquire(view, &outer, &data, &size_bytes), DP_ERR_NOT_FOUND);
    assert_string_equal(dp_share_view_name(view), "");
    dp_share_detach(view);
    forged_close(&f);
}

/* ---- what a peer writes ---- */

/* Which bytes of the data a buffer lies in: for telling whether two overlap. */
typedef struct extent {
    dp_buf *buf;
    int fill;
} extent;

static bool is_untouched(const extent *e)
{
    const unsigned char *bytes = dp_buf_data(e->buf);
    /* Buffers overlap by whole blocks or not at all: a few bytes of each block will show it. */
    for (size_t i = 0; i < dp_buf_size(e->buf); i += 509) {
        if (bytes[i] != (unsigned char)e->fill)
            return false;
    }
    return true;
}

/*
 * The owner gets, exports and puts at random and fills each buffer with bytes of its own, while the
 * peer writes random words, its own serials among them, all over its control.  A block that was
 * handed out twice shows as a buffer whose bytes have changed.
 */
static void a_peer_that_writes_anything_never_makes_two_buffers_overlap(void **state)
{
    (void)state;
    enum { HELD = 12 };
    extent held[HELD] = {{NULL, 0}};
    share_rig rig;
    dp_share_invitation made;
    share_rig_open(&rig);
    assert_int_equal(dp_share_invite(rig.share, &made), DP_OK);
    share_rig_control control = share_rig_control_map(made.control_fd);
    uint64_t serial = 0;
    srand(17);
    for (int step = 0; step < 20000; step++) {
        extent *e = &held[rand() % HELD];
        if (e->buf != NULL) {
            assert_true(is_untouched(e));
            dp_put(e->buf);
            e->buf = NULL;
        } else if (dp_share_get(rig.share, 1 + (size_t)rand() % 20000, &e->buf) == DP_OK) {
            dp_share_token token;
            e->fill = rand() & 255;
            memset(dp_buf_data(e->buf), e->fill, dp_buf_size(e->buf));
            if (dp_share_export(rig.share, e->buf, made.peer, &token) == DP_OK)
                serial = share_rig_token(&token).serial;
        }
        for (int i = 0; i < 4; i++) {
            uint64_t *word = (uint64_t *)control.bytes + (size_t)rand() % (control.size_bytes / 8);
            *word = (uint64_t)rand() << 32 | (unsigned)rand();
            share_claim_entry *table = (void *)((char *)control.bytes + 131072);
            table[rand() % 8].claimed = serial - (uint64_t)rand() % 8;
            table[rand() % 8].released = serial - (uint64_t)rand() % 8;
        }
        if (step % 1000 == 0)
            dp_share_reap(rig.share, NULL);
        if (step % 100 == 0)
            share_check(rig.share);
    }
    for (size_t i = 0; i < HELD; i++)
        dp_put(held[i].buf);
    assert_int_equal(dp_share_drop(rig.share, made.peer), DP_OK);
    assert_int_equal(share_rig_stats(&rig).used_bytes, 0);
    memfd_unmap(control.bytes, control.size_bytes);
    assert_int_equal(close(made.control_fd), 0);
    assert_int_equal(close(made.data_fd), 0);
    share_rig_close(&rig);
}

static void a_peer_cannot_give_back_what_is_another_peers(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_invitation evil;
    dp_share_token token;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    assert_int_equal(dp_share_invite(rig.share, &evil), DP_OK);
    share_rig_control control = share_rig_control_map(evil.control_fd);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    dp_put(buf);
    for (uint32_t i = 0; i < 8; i++)
        share_rig_claim(&control, i)->released = share_rig_token(&token).serial;
    dp_share_stats stats = share_rig_stats(&rig);
    assert_int_equal(stats.grants, 1);
    assert_int_equal(stats.buffers, 1);
    memfd_unmap(control.bytes, control.size_bytes);
    assert_int_equal(close(evil.control_fd), 0);
    assert_int_equal(close(evil.data_fd), 0);
    dp_share_detach(view);
    share_rig_close(&rig);
}

/*
 * The claim lands after the owner has withdrawn the grant and before it looks: the peer may believe
 * that it holds it, so it does.
 */
static void a_claim_that_crosses_a_withdrawal_is_waited_for(void **state)
{
    (void)state;
    share_rig rig;
    share_slot slot = {.id = 0};
    share_layout layout = {
        .share_id = 1, .data_bytes = 65536, .block_bytes = 4096, .peer = 3, .grants = 4};
    share_token crossing = {.share_id = 1, .serial = 1, .size_bytes = 100, .peer = 3};
    share_token lapsed = {.share_id = 1, .serial = 2, .size_bytes = 100, .peer = 3};
    int control_fd = -1;
    share_rig_open(&rig);
    share_layout_plan(&layout);
    assert_int_equal(share_slot_open(&slot, &layout, &control_fd), DP_OK);
    share_rig_control control = share_rig_control_map(control_fd);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(share_slot_grant(&slot, buf, 0, 5, &crossing), DP_OK);
    assert_int_equal(share_slot_grant(&slot, buf, 0, 5, &lapsed), DP_OK);
    assert_int_equal(share_slot_withdraw_older(&slot, 5), 2);
    assert_int_equal(share_rig_entry(&control, crossing.grant)->serial, 0);
    share_rig_claim(&control, crossing.grant)->claimed = crossing.serial;
    assert_int_equal(share_slot_judge(&slot), 1);
    share_slot_check(&slot);
    assert_true(share_slot_has(&slot, &crossing));
    assert_false(share_slot_has(&slot, &lapsed));
    assert_int_equal(buf_references(buf), 2);
    assert_int_equal(share_slot_withdraw(&slot, &crossing), DP_ERR_BUSY);
    assert_int_equal(share_slot_judge(&slot), 0);
    share_rig_claim(&control, crossing.grant)->released = crossing.serial;
    assert_int_equal(share_slot_collect(&slot), 1);
    assert_int_equal(buf_references(buf), 1);
    dp_put(buf);
    memfd_unmap(control.bytes, control.size_bytes);
    assert_int_equal(close(control_fd), 0);
    assert_int_equal(share_slot_close(&slot), 0);
    share_slot_check(&slot);
    share_rig_close(&rig);
}

/* An owner that withdraws whatever is granted as soon as it sees it. */
typedef struct crossing_owner {
    share_grant_entry *entry;
    _Atomic uint64_t serial; /* UINT64_MAX: stop */
} crossing_owner;

static void *crossing_run(void *user)
{
    crossing_owner *owner = user;
    uint64_t serial;
    while ((serial = atomic_load(&owner->serial)) != UINT64_MAX)
        (void)atomic_compare_exchange_strong(&owner->entry->serial, &serial, 0);
    return NULL;
}

/* And the peer's half: it finds the grant withdrawn after its claim, and says that it lets go. */
static void a_peer_that_finds_its_claim_withdrawn_lets_go(void **state)
{
    (void)state;
    forged f;
    dp_share_view *view = NULL;
    const void *data = NULL;
    size_t size_bytes = 0;
    forged_open(&f);
    assert_int_equal(dp_share_attach(f.control_fd, f.data_fd, &view), DP_OK);
    share_token token = {.share_id = 1, .serial = 9, .size_bytes = 10, .peer = 3, .grant = 1};
    dp_share_token outer;
    memcpy(outer.bytes, &token, sizeof token);
    share_rig_entry(&f.control, 1)->size_bytes = 10;
    unsigned crossed = 0;
    crossing_owner owner = {.entry = share_rig_entry(&f.control, 1)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, crossing_run, &owner), 0);
    /* Some thousands of tries on two cores; where the threads take turns, many more. */
    for (token.serial = 1; token.serial < 1000000 && crossed < 1000; token.serial++) {
        memcpy(outer.bytes, &token, sizeof token);
        atomic_store(&owner.serial, token.serial);
        atomic_store(&owner.entry->serial, token.serial);
        dp_status status = dp_share_acquire(view, &outer, &data, &size_bytes);
        assert_true(status == DP_OK || status == DP_ERR_NOT_FOUND);
        if (status == DP_OK)
            assert_int_equal(dp_share_release(view, &outer), DP_OK);
        bool claimed = share_rig_claim(&f.control, 1)->claimed == token.serial;
        /* Claimed or not: what was claimed has been given back, by one way or the other. */
        if (claimed)
            assert_int_equal(share_rig_claim(&f.control, 1)->released, token.serial);
        crossed += claimed && status == DP_ERR_NOT_FOUND;
    }
    atomic_store(&owner.serial, UINT64_MAX);
    assert_int_equal(pthread_join(thread, NULL), 0);
    print_message("%u claims were crossed\n", crossed);
    dp_share_detach(view);
    forged_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_share_is_refused),
        cmocka_unit_test(a_file_that_could_shrink_under_its_reader_is_refused),
        cmocka_unit_test(a_control_that_is_smaller_than_a_header_is_refused),
        cmocka_unit_test(a_control_that_was_opened_again_instead_of_passed_on_is_refused),
        cmocka_unit_test(random_headers_never_lead_outside),
        cmocka_unit_test(a_grant_that_lies_outside_the_data_is_not_followed),
        cmocka_unit_test(a_grant_that_is_replaced_while_it_is_held_is_not_mixed_up),
        cmocka_unit_test(a_header_that_changes_after_attaching_changes_nothing),
        cmocka_unit_test(a_peer_that_writes_anything_never_makes_two_buffers_overlap),
        cmocka_unit_test(a_peer_cannot_give_back_what_is_another_peers),
        cmocka_unit_test(a_claim_that_crosses_a_withdrawal_is_waited_for),
        cmocka_unit_test(a_peer_that_finds_its_claim_withdrawn_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
