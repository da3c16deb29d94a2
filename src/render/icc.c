/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See icc.h.  Every transform has a context of its own, so that no state of the library is shared
 * between workers.
 */
#include "render/icc.h"

#include "dp_features.h"

#if DP_HAVE_LCMS2

#include <stdlib.h>
#include <string.h>

#include <lcms2.h>

#include "pool/os.h"

/* The header and a table of no tags. */
#define ICC_BYTES_MIN 132u

/* A profile whose colours come out as they went in, to within this many codes, is sRGB. */
#define SAME_CODES 1

#define ROWS_BETWEEN_LOOKS 64u

struct icc_transform {
    cmsContext context;
    cmsHTRANSFORM transform;
    bool makes_opaque;
};

/* Whether the transform changes nothing that can be seen, by the cube's corners and some between.
 */
static bool is_identity(cmsHTRANSFORM transform)
{
    static const uint8_t steps[] = {0, 16, 51, 102, 153, 204, 240, 255};
    for (size_t i = 0; i < 8 * 8 * 8; i++) {
        const uint8_t in[4] = {steps[i % 8], steps[i / 8 % 8], steps[i / 64], 255};
        uint8_t out[4];
        cmsDoTransform(transform, in, out, 1);
        for (int c = 0; c < 3; c++) {
            if (abs(in[c] - out[c]) > SAME_CODES) {
                return false;
            }
        }
    }
    return true;
}

static cmsHTRANSFORM make_transform(cmsContext context, media_bytes profile, icc_input input)
{
    static const cmsUInt32Number types[] = {
        [ICC_RGBA] = TYPE_RGBA_8, [ICC_CMYK] = TYPE_CMYK_8, [ICC_CMYK_INVERTED] = TYPE_CMYK_8_REV};
    const cmsColorSpaceSignature wanted = input == ICC_RGBA ? cmsSigRgbData : cmsSigCmykData;
    cmsHTRANSFORM transform = NULL;

    cmsHPROFILE from =
        cmsOpenProfileFromMemTHR(context, profile.data, (cmsUInt32Number)profile.size_bytes);
    cmsHPROFILE to = from == NULL ? NULL : cmsCreate_sRGBProfileTHR(context);
    if (to != NULL && cmsGetColorSpace(from) == wanted) {
        transform =
            cmsCreateTransformTHR(context, from, types[input], to, TYPE_RGBA_8, INTENT_PERCEPTUAL,
                                  input == ICC_RGBA ? cmsFLAGS_COPY_ALPHA : 0);
    }
    if (to != NULL) {
        cmsCloseProfile(to);
    }
    if (from != NULL) {
        cmsCloseProfile(from);
    }
    return transform;
}

icc_transform *icc_open(media_bytes profile, icc_input input)
{
    if (profile.data == NULL || profile.size_bytes < ICC_BYTES_MIN ||
        profile.size_bytes > ICC_BYTES_MAX) {
        return NULL;
    }
    icc_transform *t = os_calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->context = cmsCreateContext(NULL, NULL);
    t->makes_opaque = input != ICC_RGBA;
    if (t->context != NULL) {
        t->transform = make_transform(t->context, profile, input);
    }
    if (t->transform == NULL || (input == ICC_RGBA && is_identity(t->transform))) {
        icc_close(t);
        return NULL;
    }
    return t;
}

void icc_pixels(const icc_transform *t, const uint8_t *in, uint8_t *out, size_t pixels)
{
    cmsDoTransform(t->transform, in, out, (cmsUInt32Number)pixels);
    for (size_t i = 0; t->makes_opaque && i < pixels; i++) {
        out[4 * i + 3] = 255;
    }
}

void icc_close(icc_transform *t)
{
    if (t == NULL) {
        return;
    }
    if (t->transform != NULL) {
        cmsDeleteTransform(t->transform);
    }
    if (t->context != NULL) {
        cmsDeleteContext(t->context);
    }
    os_free(t);
}

dp_status icc_picture(render_task *task, media_bytes profile, const picture *p)
{
    icc_transform *t = icc_open(profile, ICC_RGBA);
    dp_status status = DP_OK;

    for (uint32_t i = 0; t != NULL && i < p->frame_count && status == DP_OK; i++) {
        const surface frame = picture_frame(p, i);
        for (uint32_t y = 0; y < frame.height && status == DP_OK; y++) {
            uint8_t *row = surface_row(&frame, y);
            icc_pixels(t, row, row, frame.width);
            status = y % ROWS_BETWEEN_LOOKS == 0 ? task_check_time(task) : DP_OK;
        }
    }
    icc_close(t);
    return status;
}

#else

icc_transform *icc_open(media_bytes profile, icc_input input)
{
    (void)profile;
    (void)input;
    return NULL;
}

void icc_pixels(const icc_transform *t, const uint8_t *in, uint8_t *out, size_t pixels)
{
    (void)t;
    (void)in;
    (void)out;
    (void)pixels;
}

void icc_close(icc_transform *t)
{
    (void)t;
}

dp_status icc_picture(render_task *task, media_bytes profile, const picture *p)
{
    (void)task;
    (void)profile;
    (void)p;
    return DP_OK;
}

#endif
