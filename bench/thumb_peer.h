/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvips as bench_thumb's peer: the same file to the same box and format by vips_thumbnail, from
 * memory to memory, one thread, its operation cache off.
 */
#ifndef DP_BENCH_THUMB_PEER_H
#define DP_BENCH_THUMB_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "render/render.h"

/* False where this build has no libvips, or it does not start. */
bool thumb_peer_start(void);
void thumb_peer_stop(void);
const char *thumb_peer_name(void); /* with its version.  Static. */

/* *out is given back with thumb_peer_free().  False when libvips says no. */
bool thumb_peer_run(const uint8_t *bytes, size_t size_bytes, const uint32_t box[2],
                    dp_media_format format, uint8_t **out, size_t *out_bytes);
void thumb_peer_free(uint8_t *bytes);

#endif
