/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: what tests need of a share beside its public calls: the clock in their hand, and a walk.
 */
#ifndef DP_POOL_SHARE_INTERNAL_H
#define DP_POOL_SHARE_INTERNAL_H

#include <stdint.h>

#include <danpool/share.h>

/* dp_share_export() and dp_share_reap() at a time on os_clock_ns(). */
dp_status share_export_at(dp_share *share, dp_buf *buf, uint32_t peer, uint64_t now_ns,
                          dp_share_token *out);
void share_reap_at(dp_share *share, uint64_t now_ns, dp_share_reaped *out);

/* Asserts the invariants of the space and of every slot, and that blocks and buffers agree. */
void share_check(dp_share *share);

#endif
