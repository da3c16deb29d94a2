/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scene packs: scenes one after the other in a file, each at a multiple of 8 bytes, each as long as
 * its own header says.  So pictures reach machines where nothing but a C compiler reads them, such
 * as one with a GPU and without expat.
 */
#ifndef DP_RENDER_SVG_SCENE_PACK_H
#define DP_RENDER_SVG_SCENE_PACK_H

#include "render/svg/scene.h"

/* What a scene of `size_bytes` takes in a pack; the rest is zeros. */
size_t scene_pack_bytes(size_t size_bytes);

/*
 * Opens the scene at *offset of a pack (aligned to 8) and moves on to the next one.
 * DP_ERR_NOT_FOUND at the end, DP_ERR_CORRUPT where there is no scene: the offset stays.
 */
dp_status scene_pack_next(const void *pack, size_t size_bytes, size_t *offset, scene *out);

#endif
