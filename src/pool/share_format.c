/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 1: what makes a control and a token valid.  Pure functions of private copies: whoever wrote
 * the bytes may go on writing them, so nothing is checked in place.
 */
#include "pool/share_format.h"

#include <stdbool.h>
#include <string.h>

#include "pool/os.h"

static size_t table_bytes(uint32_t grants)
{
    return (size_t)grants * SHARE_ENTRY_BYTES;
}

void share_layout_plan(share_layout *layout)
{
    size_t step = os_align_up(table_bytes(layout->grants), SHARE_ALIGNMENT);
    layout->grants_offset = SHARE_ALIGNMENT;
    layout->claims_offset = layout->grants_offset + step;
    layout->control_bytes = layout->claims_offset + step;
}

void share_header_write(share_header *header, const share_layout *layout)
{
    memcpy(header->magic, SHARE_MAGIC, SHARE_MAGIC_BYTES);
    header->version = SHARE_VERSION;
    header->header_bytes = SHARE_HEADER_BYTES;
    header->share_id = layout->share_id;
    header->data_bytes = layout->data_bytes;
    header->block_bytes = layout->block_bytes;
    header->peer = layout->peer;
    header->grants = layout->grants;
    header->entry_bytes = SHARE_ENTRY_BYTES;
    header->grants_offset = layout->grants_offset;
    header->claims_offset = layout->claims_offset;
    header->control_bytes = layout->control_bytes;
    header->lease_ms = layout->lease_ms;
    memcpy(header->name, layout->name, sizeof header->name);
    atomic_store_explicit(&header->state, SHARE_OPEN, memory_order_release);
}

/* `offset` is where a table may begin that ends before `end`; no sum here can overflow. */
static bool table_fits(uint64_t offset, uint32_t grants, uint64_t end)
{
    return offset % SHARE_ALIGNMENT == 0 && offset >= SHARE_ALIGNMENT && offset <= end &&
           table_bytes(grants) <= end - offset;
}

static bool blocks_are_valid(const share_header *copy)
{
    uint32_t block = copy->block_bytes;
    return block >= SHARE_BLOCK_BYTES_MIN && block <= SHARE_BLOCK_BYTES_MAX &&
           (block & (block - 1)) == 0 && copy->data_bytes > 0 &&
           copy->data_bytes <= SHARE_DATA_BYTES_MAX && copy->data_bytes % SHARE_ALIGNMENT == 0;
}

static bool tables_are_valid(const share_header *copy)
{
    return copy->entry_bytes == SHARE_ENTRY_BYTES && copy->grants > 0 &&
           copy->grants <= DP_SHARE_GRANTS_MAX &&
           table_fits(copy->claims_offset, copy->grants, copy->control_bytes) &&
           table_fits(copy->grants_offset, copy->grants, copy->claims_offset);
}

dp_status share_header_check(const share_header *copy, uint64_t control_bytes, uint64_t data_bytes,
                             share_layout *out)
{
    if (memcmp(copy->magic, SHARE_MAGIC, SHARE_MAGIC_BYTES) != 0)
        return DP_ERR_FORMAT;
    if (copy->version != SHARE_VERSION)
        return DP_ERR_UNSUPPORTED;
    uint32_t state = atomic_load_explicit(&copy->state, memory_order_relaxed);
    bool sound = copy->header_bytes >= SHARE_HEADER_BYTES &&
                 copy->header_bytes <= SHARE_ALIGNMENT && copy->control_bytes == control_bytes &&
                 copy->data_bytes == data_bytes && copy->peer != 0 &&
                 (state == SHARE_OPEN || state == SHARE_CLOSED) &&
                 memchr(copy->name, '\0', sizeof copy->name) != NULL;
    if (!sound || !blocks_are_valid(copy) || !tables_are_valid(copy))
        return DP_ERR_FORMAT;
    if (state == SHARE_CLOSED)
        return DP_ERR_CLOSED;
    *out = (share_layout){.share_id = copy->share_id,
                          .data_bytes = copy->data_bytes,
                          .block_bytes = copy->block_bytes,
                          .peer = copy->peer,
                          .grants = copy->grants,
                          .lease_ms = copy->lease_ms,
                          .grants_offset = (size_t)copy->grants_offset,
                          .claims_offset = (size_t)copy->claims_offset,
                          .control_bytes = (size_t)copy->control_bytes};
    memcpy(out->name, copy->name, sizeof out->name);
    return DP_OK;
}

dp_status share_token_check(const share_layout *layout, const share_token *token)
{
    bool possible = token->share_id == layout->share_id && token->peer == layout->peer &&
                    token->grant < layout->grants && token->serial != 0;
    return possible ? DP_OK : DP_ERR_NOT_FOUND;
}

dp_status share_grant_check(const share_layout *layout, const share_token *token,
                            uint64_t offset_bytes, uint64_t size_bytes)
{
    bool inside = size_bytes > 0 && size_bytes <= layout->data_bytes &&
                  offset_bytes <= layout->data_bytes - size_bytes &&
                  offset_bytes % layout->block_bytes == 0;
    if (!inside)
        return DP_ERR_CORRUPT;
    return size_bytes == token->size_bytes ? DP_OK : DP_ERR_NOT_FOUND;
}
