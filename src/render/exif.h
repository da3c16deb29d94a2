/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thing we read of EXIF: how the camera was held.
 */
#ifndef DP_RENDER_EXIF_H
#define DP_RENDER_EXIF_H

#include <stddef.h>
#include <stdint.h>

/*
 * The orientation (1 .. 8) in an APP1 marker's content ("Exif\0\0" and a TIFF header first); 1 when
 * there is none or it makes no sense.  Reads nothing outside the bytes; pure function.
 */
unsigned exif_orientation(const uint8_t *bytes, size_t size_bytes);

#endif
