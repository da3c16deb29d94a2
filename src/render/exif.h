/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thing we read of EXIF: how the camera was held.
 */
#ifndef DP_RENDER_EXIF_H
#define DP_RENDER_EXIF_H

#include <stddef.h>
#include <stdint.h>

/*
 * The orientation (1 .. 8) in a block of EXIF: a TIFF header first, behind "Exif\0\0" in a JPEG's
 * marker and in some WebP files; 1 when there is none or it makes no sense.  NULL is fine for none.
 * Reads nothing outside the bytes; pure function.
 */
unsigned exif_orientation(const uint8_t *bytes, size_t size_bytes);

#endif
