/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SVG front end: bytes of a document to a flat scene (scene.h).
 *
 *     bytes --expat--> elements in an arena --cascade, references--> commands --> scene block
 *
 * A context holds what is worth keeping warm between documents (the parser, the arena, growing
 * arrays); it belongs to one thread at a time.  Nothing is global.  The bytes are a stranger's: any
 * DOCTYPE is refused, no reference leaves the document, and every loop has a limit of svg_limits.h.
 */
#ifndef DP_RENDER_SVG_SVG_H
#define DP_RENDER_SVG_SVG_H

#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

/* Room for the words of a failure, their end included. */
#define SVG_MESSAGE_BYTES 160u

typedef struct svg_context svg_context;

/* Bytes of a scene; they are the context's and stay until its next svg_parse(). */
typedef struct scene_block {
    const void *bytes;
    size_t size_bytes;
} scene_block;

/* DP_ERR_NOMEM. */
dp_status svg_context_create(svg_context **out);
void svg_context_destroy(svg_context *context); /* NULL is fine */

/*
 * Makes a scene of a document.  `deadline_ns` is a time of os_clock_ns(), 0 for none.
 *
 * DP_ERR_UNSUPPORTED: the document shows something that the front end does not cover (text, image,
 * pattern, marker, other filters); all of it is for another engine.  DP_ERR_FORMAT: no well-formed
 * SVG, a reference that leaves the document or goes in a circle.  DP_ERR_TOO_LARGE: beyond a limit.
 * DP_ERR_TIMEOUT, DP_ERR_NOMEM.  On failure `message` says why in words for the sender.
 */
dp_status svg_parse(svg_context *context, const void *bytes, size_t size_bytes,
                    uint64_t deadline_ns, scene_block *out, char message[SVG_MESSAGE_BYTES]);

#endif
