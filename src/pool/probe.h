/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: USDT probes of provider "danpool", for bpftrace, perf and SystemTap.
 *
 * A probe is one nop in the code and a note in the ELF file (`readelf -n` lists them), placed on
 * slow paths only; its arguments are values that are in registers anyway.  Nothing is called, and
 * nothing is read from memory, until a tracer replaces the nop.  Where <sys/sdt.h> was not found
 * when configuring (Debian: systemtap-sdt-dev) they are left out.
 *
 *   get_slow(tier, size_class, size_bytes, ns)     a get that no magazine could serve at once
 *   put_slow(tier, size_class)                     a put that did not end in the loaded magazine
 *   refill(tier, size_class, status)               an empty magazine was filled
 *   region_get(tier, size_bytes, status, ns)       the tier was asked for a region
 *   region_put(tier, size_bytes, ns)               a region went back to it
 *   evict(tier, size_bytes, priority)              a cached copy left that tier
 *   migrate(from, to, size_bytes)                  bytes moved from tier to tier
 *   reclaim(tier)                                  memory at rest was taken back for another class
 *   health(tier, size_class, from, to)             a class changed its state
 *
 * Tiers are numbers of dp_tier_id, status those of dp_status.
 */
#ifndef DP_POOL_PROBE_H
#define DP_POOL_PROBE_H

#include "dp_features.h"

#if DP_HAVE_USDT
#include <sys/sdt.h>
#if defined(__clang__)
/* The header's own macros; clang reports them where they are used. */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
#define DP_PROBE1(name, a)          DTRACE_PROBE1(danpool, name, a)
#define DP_PROBE2(name, a, b)       DTRACE_PROBE2(danpool, name, a, b)
#define DP_PROBE3(name, a, b, c)    DTRACE_PROBE3(danpool, name, a, b, c)
#define DP_PROBE4(name, a, b, c, d) DTRACE_PROBE4(danpool, name, a, b, c, d)
#else
#define DP_PROBE1(name, a)          ((void)(a))
#define DP_PROBE2(name, a, b)       ((void)(a), (void)(b))
#define DP_PROBE3(name, a, b, c)    ((void)(a), (void)(b), (void)(c))
#define DP_PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

#endif
