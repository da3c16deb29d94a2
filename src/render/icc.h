/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colour profiles of files, by Little CMS: from what the profile says to sRGB.
 *
 * A profile is as untrusted as the pixels: its size is limited, and one that is damaged, of another
 * kind than the pixels, or no different from sRGB is as good as none, so there is no error. Without
 * the library all are ignored.  A transform is used by one thread.
 */
#ifndef DP_RENDER_ICC_H
#define DP_RENDER_ICC_H

#include "render/codec.h"

#define ICC_BYTES_MAX ((size_t)4 << 20)

typedef enum icc_input {
    ICC_RGBA,         /* alpha stays as it is */
    ICC_CMYK,         /* 255 is full ink */
    ICC_CMYK_INVERTED /* 0 is full ink, as Adobe writes */
} icc_input;

typedef struct icc_transform icc_transform;

/* NULL: leave the pixels alone. */
icc_transform *icc_open(media_bytes profile, icc_input input);
/* Four bytes a pixel in and out, which may be the same memory; CMYK becomes opaque. */
void icc_pixels(const icc_transform *t, const uint8_t *in, uint8_t *out, size_t pixels);
void icc_close(icc_transform *t);

/* Every frame, row by row, in place.  DP_ERR_TIMEOUT. */
dp_status icc_picture(render_task *task, media_bytes profile, const picture *p);

#endif
