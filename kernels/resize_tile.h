/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tiles that a batch of resizes is cut into: one block of the device makes one tile of a
 * target.
 */
#ifndef DP_KERNELS_RESIZE_TILE_H
#define DP_KERNELS_RESIZE_TILE_H

#define RESIZE_TILE_WIDTH  32u
#define RESIZE_TILE_HEIGHT 16u

#endif
