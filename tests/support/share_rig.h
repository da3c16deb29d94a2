/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of sharing have in common: a pool and a small share, peers in this process or in a
 * child, and a look at a control from outside, as an attacker would have it.  Main thread only.
 */
#ifndef DP_TESTS_SHARE_RIG_H
#define DP_TESTS_SHARE_RIG_H

#include "cm.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <danpool/pool.h>
#include <danpool/share.h>

#include "pool/memfd.h"
#include "pool/os.h"
#include "pool/pool_internal.h"
#include "pool/share_format.h"
#include "pool/share_internal.h"

typedef struct share_rig {
    dp_pool *pool;
    dp_share *share;
} share_rig;

#define SHARE_RIG_CONFIG                                                                           \
    {                                                                                              \
        .name = "rig", .size_bytes = 256 << 10, .block_bytes = 4096, .peers_max = 4,               \
        .grants_max = 8, .lease_ms = 1000,                                                         \
    }

static inline dp_pool *share_rig_pool(void)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool = NULL;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST) | DP_TIER_BIT(DP_TIER_SHM);
    assert_int_equal(dp_pool_create(&config, &pool), DP_OK);
    return pool;
}

static inline void share_rig_open(share_rig *rig)
{
    const dp_share_config config = SHARE_RIG_CONFIG;
    rig->pool = share_rig_pool();
    assert_int_equal(dp_share_create(rig->pool, &config, &rig->share), DP_OK);
}

static inline void share_rig_close(share_rig *rig)
{
    share_check(rig->share);
    dp_share_destroy(rig->share);
    pool_check(rig->pool);
    dp_pool_destroy(rig->pool);
}

static inline dp_share_stats share_rig_stats(const share_rig *rig)
{
    dp_share_stats stats;
    dp_share_stats_read(rig->share, &stats);
    return stats;
}

/* A buffer whose bytes all are `fill`. */
static inline dp_buf *share_rig_get(const share_rig *rig, size_t size_bytes, int fill)
{
    dp_buf *buf = NULL;
    assert_int_equal(dp_share_get(rig->share, size_bytes, &buf), DP_OK);
    memset(dp_buf_data(buf), fill, size_bytes);
    return buf;
}

/* A peer in this very process. */
static inline dp_share_view *share_rig_peer(const share_rig *rig, uint32_t *peer)
{
    dp_share_invitation made;
    dp_share_view *view = NULL;
    assert_int_equal(dp_share_invite(rig->share, &made), DP_OK);
    assert_int_equal(dp_share_attach(made.control_fd, made.data_fd, &view), DP_OK);
    assert_int_equal(close(made.control_fd), 0);
    assert_int_equal(close(made.data_fd), 0);
    assert_int_equal(dp_share_view_peer(view), made.peer);
    *peer = made.peer;
    return view;
}

/* A control as whoever holds its descriptor can write to it. */
typedef struct share_rig_control {
    void *bytes;
    size_t size_bytes;
} share_rig_control;

static inline share_rig_control share_rig_control_map(int control_fd)
{
    share_rig_control control;
    assert_int_equal(memfd_attach(control_fd, MEMFD_WRITE, &control.bytes, &control.size_bytes),
                     DP_OK);
    return control;
}

static inline share_header *share_rig_header(const share_rig_control *control)
{
    return control->bytes;
}

static inline share_grant_entry *share_rig_entry(const share_rig_control *control, uint32_t index)
{
    char *table = (char *)control->bytes + share_rig_header(control)->grants_offset;
    return (share_grant_entry *)(void *)table + index;
}

static inline share_claim_entry *share_rig_claim(const share_rig_control *control, uint32_t index)
{
    char *table = (char *)control->bytes + share_rig_header(control)->claims_offset;
    return (share_claim_entry *)(void *)table + index;
}

static inline share_token share_rig_token(const dp_share_token *token)
{
    share_token read;
    memcpy(&read, token->bytes, sizeof read);
    return read;
}

/* Open descriptors of this process. */
static inline int share_rig_fds(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    assert_int_equal(closedir(directory), 0);
    return count;
}

/* Mappings of shares' memories in this process. */
static inline int share_rig_maps(void)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, "memfd:danpool share") != NULL;
    assert_int_equal(fclose(maps), 0);
    return count;
}

#endif
