/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share from both sides in one process: the life of a grant and what ends it.
 */
#include "share_rig.h"

#include "dies.h"

/* ---- buffers ---- */

static void a_buffer_of_a_share_is_an_ordinary_one_in_tier_shm(void **state)
{
    (void)state;
    share_rig rig;
    char read[5];
    share_rig_open(&rig);
    dp_buf *buf = share_rig_get(&rig, 5000, 'a');
    assert_int_equal(dp_buf_tier(buf), DP_TIER_SHM);
    assert_int_equal(dp_buf_size(buf), 5000);
    assert_int_equal(dp_buf_capacity(buf), 8192);
    assert_int_equal(dp_buf_write(buf, 4998, "xy", 2), DP_OK);
    assert_int_equal(dp_buf_read(buf, 4996, read, 4), DP_OK);
    assert_memory_equal(read, "aaxy", 4);
    dp_share_stats stats = share_rig_stats(&rig);
    assert_int_equal(stats.size_bytes, 256 << 10);
    assert_int_equal(stats.used_bytes, 8192);
    assert_int_equal(stats.buffers, 1);
    dp_put(dp_ref(buf));
    dp_put(buf);
    stats = share_rig_stats(&rig);
    assert_int_equal(stats.used_bytes, 0);
    assert_int_equal(stats.buffers, 0);
    share_rig_close(&rig);
}

static void a_size_that_cannot_be_is_told_from_one_that_does_not_fit_now(void **state)
{
    (void)state;
    share_rig rig;
    share_rig_open(&rig);
    dp_buf *buf = NULL;
    assert_int_equal(dp_share_get(rig.share, 0, &buf), DP_ERR_INVALID);
    assert_int_equal(dp_share_get(rig.share, (256 << 10) + 1, &buf), DP_ERR_TOO_LARGE);
    assert_int_equal(dp_share_get(rig.share, SIZE_MAX, &buf), DP_ERR_TOO_LARGE);
    assert_null(buf);
    dp_buf *whole = share_rig_get(&rig, 256 << 10, 1);
    assert_int_equal(dp_share_get(rig.share, 1, &buf), DP_ERR_QUOTA);
    dp_put(whole);
    assert_int_equal(dp_share_get(rig.share, 1, &buf), DP_OK);
    dp_put(buf);
    share_rig_close(&rig);
}

static void a_configuration_out_of_range_is_refused(void **state)
{
    (void)state;
    const dp_share_config good = SHARE_RIG_CONFIG;
    static const char long_name[] =
        "1234567890123456789012345678901234567890123456789012345678901234";
    dp_share_config bad[10];
    for (size_t i = 0; i < 10; i++)
        bad[i] = good;
    bad[0].name = NULL;
    bad[1].name = long_name;
    bad[2].size_bytes = 0;
    bad[3].size_bytes = SIZE_MAX;
    bad[4].block_bytes = 4095;
    bad[5].block_bytes = 32;
    bad[6].block_bytes = 131072;
    bad[7].peers_max = 0;
    bad[8].grants_max = 0;
    bad[9].grants_max = DP_SHARE_GRANTS_MAX + 1;
    dp_pool *pool = share_rig_pool();
    dp_share *share = NULL;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(dp_share_create(pool, &bad[i], &share), DP_ERR_INVALID);
    bad[1].name = long_name + 1;
    assert_int_equal(dp_share_create(pool, &bad[1], &share), DP_OK);
    dp_share_destroy(share);
    dp_share_destroy(NULL);
    dp_pool_destroy(pool);
}

static void a_pool_without_the_tier_has_no_shares(void **state)
{
    (void)state;
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    const dp_share_config share_config = SHARE_RIG_CONFIG;
    dp_pool *pool = NULL;
    dp_share *share = NULL;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    assert_int_equal(dp_share_create(pool, &share_config, &share), DP_ERR_UNSUPPORTED);
    dp_pool_destroy(pool);
}

/* ---- the life of a grant ---- */

static void a_granted_buffer_is_read_in_place_and_is_free_when_given_back(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 10000, 'q');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    dp_put(buf);
    assert_int_equal(share_rig_stats(&rig).buffers, 1);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    assert_int_equal(size_bytes, 10000);
    for (size_t i = 0; i < size_bytes; i++)
        assert_int_equal(((const char *)data)[i], 'q');
    assert_int_equal(share_rig_stats(&rig).grants, 1);
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    dp_share_stats stats = share_rig_stats(&rig);
    assert_int_equal(stats.grants, 0);
    assert_int_equal(stats.released, 1);
    assert_int_equal(stats.used_bytes, 0);
    assert_string_equal(dp_share_view_name(view), "rig");
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void a_granted_buffer_is_immutable_until_the_grant_has_ended(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'q');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    assert_int_equal(dp_buf_write(buf, 0, "x", 1), DP_ERR_INVALID);
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_OK);
    assert_int_equal(dp_buf_write(buf, 0, "x", 1), DP_OK);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void a_token_is_claimed_once(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'q');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    assert_int_equal(dp_share_release(view, &token), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_ERR_EXISTS);
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    /* The owner has not looked yet, so the grant still stands in the control. */
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_share_release(view, &token), DP_ERR_NOT_FOUND);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void an_old_token_never_gives_the_bytes_of_a_later_buffer(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token old_token;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &old_token), DP_OK);
    assert_int_equal(dp_share_revoke(rig.share, &old_token), DP_OK);
    dp_put(buf);
    buf = share_rig_get(&rig, 100, 'b');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    assert_int_equal(share_rig_token(&token).grant, share_rig_token(&old_token).grant);
    assert_int_equal(dp_share_acquire(view, &old_token, &data, &size_bytes), DP_ERR_NOT_FOUND);
    assert_null(data);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    assert_int_equal(*(const char *)data, 'b');
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void a_grant_outlives_the_words_that_the_one_before_left(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    for (int round = 0; round < 5; round++) {
        dp_buf *buf = share_rig_get(&rig, 100, round);
        assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
        dp_put(buf);
        assert_int_equal(share_rig_token(&token).grant, 0);
        assert_int_equal(share_rig_stats(&rig).buffers, 1);
        assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
        assert_int_equal(*(const char *)data, round);
        assert_int_equal(share_rig_stats(&rig).buffers, 1);
        assert_int_equal(dp_share_release(view, &token), DP_OK);
        assert_int_equal(share_rig_stats(&rig).buffers, 0);
    }
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void a_grant_that_has_ended_is_gone_for_whoever_shares_the_control(void **state)
{
    (void)state;
    share_rig rig;
    dp_share_invitation made;
    dp_share_view *views[2];
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    assert_int_equal(dp_share_invite(rig.share, &made), DP_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(dp_share_attach(made.control_fd, made.data_fd, &views[i]), DP_OK);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, made.peer, &token), DP_OK);
    dp_put(buf);
    assert_int_equal(dp_share_acquire(views[0], &token, &data, &size_bytes), DP_OK);
    assert_int_equal(dp_share_release(views[0], &token), DP_OK);
    assert_int_equal(share_rig_stats(&rig).buffers, 0);
    assert_int_equal(dp_share_acquire(views[1], &token, &data, &size_bytes), DP_ERR_NOT_FOUND);
    for (size_t i = 0; i < 2; i++)
        dp_share_detach(views[i]);
    assert_int_equal(close(made.control_fd), 0);
    assert_int_equal(close(made.data_fd), 0);
    share_rig_close(&rig);
}

static void a_buffer_of_another_share_is_refused(void **state)
{
    (void)state;
    share_rig rigs[2];
    uint32_t peers[2];
    dp_share_view *views[2];
    dp_buf *bufs[2];
    dp_share_token token;
    for (size_t i = 0; i < 2; i++) {
        share_rig_open(&rigs[i]);
        views[i] = share_rig_peer(&rigs[i], &peers[i]);
        bufs[i] = share_rig_get(&rigs[i], 100, 'a');
    }
    /* One of the two lies above the other. */
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(dp_share_export(rigs[i].share, bufs[1 - i], peers[i], &token),
                         DP_ERR_INVALID);
    /* The same peer number, index and serial in both: only the share's own number tells them. */
    assert_int_equal(peers[0], peers[1]);
    assert_int_equal(dp_share_export(rigs[0].share, bufs[0], peers[0], &token), DP_OK);
    dp_share_token other;
    assert_int_equal(dp_share_export(rigs[1].share, bufs[1], peers[1], &other), DP_OK);
    const void *data = NULL;
    size_t size_bytes = 0;
    assert_int_equal(dp_share_acquire(views[1], &token, &data, &size_bytes), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_share_revoke(rigs[1].share, &token), DP_ERR_NOT_FOUND);
    for (size_t i = 0; i < 2; i++) {
        dp_put(bufs[i]);
        dp_share_detach(views[i]);
        share_rig_close(&rigs[i]);
    }
}

static void a_token_is_worth_nothing_to_another_peer(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peers[2];
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *mine = share_rig_peer(&rig, &peers[0]);
    dp_share_view *other = share_rig_peer(&rig, &peers[1]);
    assert_int_not_equal(peers[0], peers[1]);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, peers[0], &token), DP_OK);
    assert_int_equal(dp_share_acquire(other, &token, &data, &size_bytes), DP_ERR_NOT_FOUND);
    dp_share_token forged = token;
    memcpy(forged.bytes + offsetof(share_token, peer), &peers[1], sizeof peers[1]);
    assert_int_equal(dp_share_acquire(other, &forged, &data, &size_bytes), DP_ERR_NOT_FOUND);
    forged = token;
    forged.bytes[offsetof(share_token, size_bytes)]++;
    assert_int_equal(dp_share_acquire(mine, &forged, &data, &size_bytes), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_share_acquire(mine, &token, &data, &size_bytes), DP_OK);
    assert_int_equal(dp_share_release(mine, &token), DP_OK);
    dp_put(buf);
    dp_share_detach(mine);
    dp_share_detach(other);
    share_rig_close(&rig);
}

static void what_cannot_be_granted_is_refused(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, 0, &token), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_share_export(rig.share, buf, peer + 1, &token), DP_ERR_NOT_FOUND);
    dp_buf_set_size(buf, 0);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_ERR_INVALID);
    dp_put(buf);
    dp_request request = {.size_bytes = 100, .kind = DP_KIND_TEXT};
    assert_int_equal(dp_get(rig.pool, &request, &buf), DP_OK);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_ERR_INVALID);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void a_peer_holds_no_more_than_grants_max(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token tokens[9];
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(dp_share_export(rig.share, buf, peer, &tokens[i]), DP_OK);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &tokens[8]), DP_ERR_BUSY);
    assert_int_equal(dp_share_acquire(view, &tokens[3], &data, &size_bytes), DP_OK);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &tokens[8]), DP_ERR_BUSY);
    assert_int_equal(dp_share_release(view, &tokens[3]), DP_OK);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &tokens[8]), DP_OK);
    share_check(rig.share);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void a_full_share_takes_in_what_its_peers_gave_back(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    dp_buf *buf = NULL;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *whole = share_rig_get(&rig, 256 << 10, 1);
    assert_int_equal(dp_share_export(rig.share, whole, peer, &token), DP_OK);
    dp_put(whole);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    assert_int_equal(dp_share_get(rig.share, 1, &buf), DP_ERR_QUOTA);
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    assert_int_equal(dp_share_get(rig.share, 256 << 10, &buf), DP_OK);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

/* ---- what is never claimed ---- */

static void a_token_that_nobody_claims_lapses_with_its_lease(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token claimed;
    dp_share_token lapsed;
    dp_share_reaped reaped;
    const void *data = NULL;
    size_t size_bytes = 0;
    const uint64_t second = 1000000000u;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(share_export_at(rig.share, buf, peer, 5 * second, &claimed), DP_OK);
    assert_int_equal(share_export_at(rig.share, buf, peer, 5 * second, &lapsed), DP_OK);
    dp_put(buf);
    assert_int_equal(dp_share_acquire(view, &claimed, &data, &size_bytes), DP_OK);
    share_reap_at(rig.share, 0, &reaped); /* a lease before the clock's beginning */
    assert_int_equal(reaped.expired, 0);
    share_reap_at(rig.share, 6 * second - 1, &reaped);
    assert_int_equal(reaped.expired, 0);
    share_reap_at(rig.share, 6 * second, &reaped);
    assert_int_equal(reaped.expired, 1);
    assert_int_equal(reaped.peers_dead, 0);
    assert_int_equal(dp_share_acquire(view, &lapsed, &data, &size_bytes), DP_ERR_NOT_FOUND);
    share_reap_at(rig.share, 1000 * second, &reaped);
    assert_int_equal(reaped.expired, 0);
    assert_int_equal(share_rig_stats(&rig).buffers, 1);
    assert_int_equal(dp_share_release(view, &claimed), DP_OK);
    share_reap_at(rig.share, 1000 * second, &reaped);
    assert_int_equal(reaped.released, 1);
    assert_int_equal(share_rig_stats(&rig).buffers, 0);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void only_an_unclaimed_grant_can_be_revoked(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_OK);
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_ERR_BUSY);
    assert_int_equal(*(const char *)data, 'a');
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_ERR_NOT_FOUND);
    token.bytes[0] ^= 1;
    assert_int_equal(dp_share_revoke(rig.share, &token), DP_ERR_NOT_FOUND);
    assert_int_equal(share_rig_stats(&rig).revoked, 1);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

/* ---- the end ---- */

static void a_dropped_peer_is_told_and_holds_nothing(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token tokens[2];
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'a');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &tokens[0]), DP_OK);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &tokens[1]), DP_OK);
    assert_int_equal(dp_share_acquire(view, &tokens[0], &data, &size_bytes), DP_OK);
    dp_put(buf);
    assert_true(dp_share_view_is_open(view));
    assert_int_equal(dp_share_drop(rig.share, peer), DP_OK);
    assert_int_equal(dp_share_drop(rig.share, peer), DP_ERR_NOT_FOUND);
    assert_false(dp_share_view_is_open(view));
    assert_int_equal(dp_share_acquire(view, &tokens[1], &data, &size_bytes), DP_ERR_CLOSED);
    dp_share_stats stats = share_rig_stats(&rig);
    assert_int_equal(stats.used_bytes, 0);
    assert_int_equal(stats.peers, 0);
    assert_int_equal(stats.dropped, 2);
    assert_int_equal(dp_share_release(view, &tokens[0]), DP_OK);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void bytes_stay_readable_when_the_owner_has_gone(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_share_view *view = share_rig_peer(&rig, &peer);
    dp_buf *buf = share_rig_get(&rig, 100, 'z');
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    dp_put(buf);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    share_rig_close(&rig);
    assert_false(dp_share_view_is_open(view));
    assert_int_equal(((const char *)data)[99], 'z');
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    dp_share_detach(view);
    dp_share_detach(NULL);
}

static void destroy_share(void *user)
{
    dp_share_destroy(user);
}

static void detach_view(void *user)
{
    dp_share_detach(user);
}

static void leaving_while_something_is_held_is_caught(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t peer = 0;
    dp_share_token token;
    const void *data = NULL;
    size_t size_bytes = 0;
    share_rig_open(&rig);
    dp_buf *buf = share_rig_get(&rig, 100, 'z');
    /* Before there is a peer: the child would tell it that the share is closed. */
    assert_true(dies_of(destroy_share, rig.share, "assertion failed"));
    dp_share_view *view = share_rig_peer(&rig, &peer);
    assert_int_equal(dp_share_export(rig.share, buf, peer, &token), DP_OK);
    assert_int_equal(dp_share_acquire(view, &token, &data, &size_bytes), DP_OK);
    assert_true(dies_of(detach_view, view, "assertion failed"));
    assert_int_equal(dp_share_release(view, &token), DP_OK);
    dp_put(buf);
    dp_share_detach(view);
    share_rig_close(&rig);
}

static void a_place_is_given_up_and_its_number_never_comes_again(void **state)
{
    (void)state;
    share_rig rig;
    uint32_t seen[40];
    dp_share_invitation made;
    dp_share_view *views[4];
    share_rig_open(&rig);
    for (size_t i = 0; i < 4; i++)
        views[i] = share_rig_peer(&rig, &seen[i]);
    assert_int_equal(dp_share_invite(rig.share, &made), DP_ERR_QUOTA);
    for (size_t i = 0; i < 4; i++)
        dp_share_detach(views[i]);
    for (size_t i = 4; i < 40; i++) {
        /* No call of reap: a share without a place looks for the dead by itself. */
        dp_share_view *view = share_rig_peer(&rig, &seen[i]);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
        dp_share_detach(view);
    }
    dp_share_reap(rig.share, NULL);
    assert_int_equal(share_rig_stats(&rig).peers, 0);
    share_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_of_a_share_is_an_ordinary_one_in_tier_shm),
        cmocka_unit_test(a_size_that_cannot_be_is_told_from_one_that_does_not_fit_now),
        cmocka_unit_test(a_configuration_out_of_range_is_refused),
        cmocka_unit_test(a_pool_without_the_tier_has_no_shares),
        cmocka_unit_test(a_granted_buffer_is_read_in_place_and_is_free_when_given_back),
        cmocka_unit_test(a_granted_buffer_is_immutable_until_the_grant_has_ended),
        cmocka_unit_test(a_token_is_claimed_once),
        cmocka_unit_test(an_old_token_never_gives_the_bytes_of_a_later_buffer),
        cmocka_unit_test(a_grant_outlives_the_words_that_the_one_before_left),
        cmocka_unit_test(a_grant_that_has_ended_is_gone_for_whoever_shares_the_control),
        cmocka_unit_test(a_buffer_of_another_share_is_refused),
        cmocka_unit_test(a_token_is_worth_nothing_to_another_peer),
        cmocka_unit_test(what_cannot_be_granted_is_refused),
        cmocka_unit_test(a_peer_holds_no_more_than_grants_max),
        cmocka_unit_test(a_full_share_takes_in_what_its_peers_gave_back),
        cmocka_unit_test(a_token_that_nobody_claims_lapses_with_its_lease),
        cmocka_unit_test(only_an_unclaimed_grant_can_be_revoked),
        cmocka_unit_test(a_dropped_peer_is_told_and_holds_nothing),
        cmocka_unit_test(bytes_stay_readable_when_the_owner_has_gone),
        cmocka_unit_test(leaving_while_something_is_held_is_caught),
        cmocka_unit_test(a_place_is_given_up_and_its_number_never_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
