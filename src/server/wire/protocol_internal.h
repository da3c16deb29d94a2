/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the protocol's own files and tests share: the arena that yajl allocates from.
 *
 * yajl 2 does not check what its allocator returns.  So the arena never returns NULL: when it is
 * full it jumps out of the parse, to the point that arena_guard was set at.  Nothing leaks by that,
 * since everything yajl holds lives in the arena.
 *
 * Bound for one frame of PROTOCOL_FRAME_BYTES_MAX bytes: handle and lexer take under 512 bytes, a
 * state stack of one byte a level grows by 128, and one buffer for strings with escapes doubles
 * from 2 KiB to at most 16 KiB, 30 KiB if no step could grow in place (they do: 11 KiB were
 * measured). PROTOCOL_ARENA_BYTES covers that; test_protocol_hostile measures it.
 */
#ifndef DP_SERVER_PROTOCOL_INTERNAL_H
#define DP_SERVER_PROTOCOL_INTERNAL_H

#include <setjmp.h>
#include <stddef.h>

#include <yajl/yajl_common.h>

#include "server/wire/protocol.h"

#define PROTOCOL_ARENA_BYTES (40u * 1024u)

typedef struct protocol_arena {
    jmp_buf full; /* valid while a parse runs */
    unsigned char *bytes;
    size_t capacity_bytes;
    size_t used_bytes;
    size_t high_bytes; /* most that was ever used */
} protocol_arena;

/* An allocator for yajl that takes from the arena and jumps to `full` when there is no more. */
yajl_alloc_funcs protocol_arena_funcs(protocol_arena *arena);

/* protocol_parser_create() with another arena size, for tests of a full arena. */
dp_status protocol_parser_create_sized(const protocol_limits *limits, size_t arena_bytes,
                                       protocol_parser **out);
size_t protocol_parser_arena_high_bytes(const protocol_parser *parser);

#endif
