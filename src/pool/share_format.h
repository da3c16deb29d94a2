/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: the bytes of a share's control memory and of its tokens, and what makes them valid.
 * docs/share.md describes the same for other languages.
 *
 * A control holds, each at a multiple of 64 KiB, so that any page size can map them apart:
 *
 *     header     written by the owner once, but for `state`
 *     grants[]   one line each, written by the owner only
 *     claims[]   one line each, written by the peer only
 *
 * Words are little-endian and lie at multiples of their size.  A grant exists while its `serial`
 * is not 0; the peer holds it while claims[].claimed is that serial and claims[].released is not.
 */
#ifndef DP_POOL_SHARE_FORMAT_H
#define DP_POOL_SHARE_FORMAT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/share.h>

#define SHARE_MAGIC           "DPSHARE\n"
#define SHARE_MAGIC_BYTES     8u
#define SHARE_VERSION         1u
#define SHARE_HEADER_BYTES    256u
#define SHARE_ENTRY_BYTES     64u
#define SHARE_ALIGNMENT       ((size_t)64 << 10)
#define SHARE_BLOCK_BYTES_MIN 64u
#define SHARE_BLOCK_BYTES_MAX 65536u
#define SHARE_DATA_BYTES_MAX  ((uint64_t)1 << 44)

/* share_header.state */
#define SHARE_OPEN   1u
#define SHARE_CLOSED 2u

/* Byte ranges of the control that are locked while their party lives; see share_os.h. */
#define SHARE_LOCK_PEER  0
#define SHARE_LOCK_OWNER 1

typedef struct share_header {
    uint8_t magic[SHARE_MAGIC_BYTES];
    uint32_t version;
    uint32_t header_bytes; /* SHARE_HEADER_BYTES; a later version may add fields behind */
    uint64_t share_id;     /* random */
    uint64_t data_bytes;   /* the whole data memory */
    uint32_t block_bytes;
    uint32_t peer;        /* this control's, never 0 */
    uint32_t grants;      /* entries in either table */
    uint32_t entry_bytes; /* SHARE_ENTRY_BYTES */
    uint64_t grants_offset;
    uint64_t claims_offset;
    uint64_t control_bytes;
    _Atomic uint32_t state;
    uint32_t lease_ms;
    char name[DP_SHARE_NAME_BYTES_MAX + 1]; /* zero-terminated */
    uint8_t zero[SHARE_HEADER_BYTES - 144];
} share_header;
_Static_assert(sizeof(share_header) == SHARE_HEADER_BYTES, "the header is 256 bytes");
_Static_assert(offsetof(share_header, share_id) == 16 && offsetof(share_header, name) == 80,
               "no padding");

typedef struct share_grant_entry {
    _Atomic uint64_t serial;       /* written last; 0: none */
    _Atomic uint64_t offset_bytes; /* in the data memory, a multiple of block_bytes */
    _Atomic uint64_t size_bytes;
    uint64_t granted_ns; /* CLOCK_MONOTONIC; for people */
    uint8_t zero[SHARE_ENTRY_BYTES - 32];
} share_grant_entry;
_Static_assert(sizeof(share_grant_entry) == SHARE_ENTRY_BYTES, "a grant is one cache line");

typedef struct share_claim_entry {
    _Atomic uint64_t claimed;  /* the last serial that was claimed here */
    _Atomic uint64_t released; /* the last one that was given back */
    uint8_t zero[SHARE_ENTRY_BYTES - 16];
} share_claim_entry;
_Static_assert(sizeof(share_claim_entry) == SHARE_ENTRY_BYTES, "a claim is one cache line");

/* What dp_share_token.bytes hold. */
typedef struct share_token {
    uint64_t share_id;
    uint64_t serial; /* unique in the share, never 0 */
    uint64_t size_bytes;
    uint32_t peer;
    uint32_t grant; /* index into both tables */
} share_token;
_Static_assert(sizeof(share_token) == DP_SHARE_TOKEN_BYTES, "a token is 32 bytes");

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the words of a share are little-endian, and this machine's are not"
#endif
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "words that two processes share need no lock");

/* The facts of a checked header, safe to compute with. */
typedef struct share_layout {
    uint64_t share_id;
    uint64_t data_bytes;
    uint32_t block_bytes;
    uint32_t peer;
    uint32_t grants;
    uint32_t lease_ms;
    size_t grants_offset;
    size_t claims_offset;
    size_t control_bytes;
    char name[DP_SHARE_NAME_BYTES_MAX + 1];
} share_layout;

/* Lays out a control for `grants` entries: sets the offsets and control_bytes. */
void share_layout_plan(share_layout *layout);

/* Writes the header of a fresh, zeroed control. */
void share_header_write(share_header *header, const share_layout *layout);

/*
 * Checks the private copy of a header against the sizes that the two files really have.
 * DP_ERR_FORMAT, DP_ERR_UNSUPPORTED (version), DP_ERR_CLOSED.
 */
dp_status share_header_check(const share_header *copy, uint64_t control_bytes, uint64_t data_bytes,
                             share_layout *out);

/* DP_ERR_NOT_FOUND unless the token can name a grant of this control. */
dp_status share_token_check(const share_layout *layout, const share_token *token);

/*
 * DP_ERR_CORRUPT unless the granted bytes lie inside the data memory; DP_ERR_NOT_FOUND unless they
 * are as many as the token said.
 */
dp_status share_grant_check(const share_layout *layout, const share_token *token,
                            uint64_t offset_bytes, uint64_t size_bytes);

#endif
