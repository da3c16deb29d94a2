/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches for clients of Bilibili's live protocol (docs/protocol.md, "Bilibili clients").
 */
#ifndef DP_SERVER_WIRE_FORMAT_BILI_H
#define DP_SERVER_WIRE_FORMAT_BILI_H

/*
 * What stands before /v1/media/ID in a sticker's address, e.g. "https://live.example.org": those
 * clients want whole addresses.  Kept as a copy, at most 255 bytes; before any batch is built.
 */
void format_bili_media_base(const char *base);

#endif
