/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See thumb_peer.h.  Without libvips every function says no, and the bench's rows have no peer.
 * libvips decodes on a thread of its own even where one is asked for, so its time is that of one
 * core and a part of the other.
 */
#include "thumb_peer.h"

#include "dp_features.h"

#if DP_HAVE_VIPS

#include <stdio.h>

#include <vips/vips.h>

#define WEBP_QUALITY 80
#define JPEG_QUALITY 85

bool thumb_peer_start(void)
{
    if (vips_init("bench_thumb") != 0) {
        return false;
    }
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    return true;
}

void thumb_peer_stop(void)
{
    vips_shutdown();
}

const char *thumb_peer_name(void)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "libvips %s", vips_version_string());
    return name;
}

bool thumb_peer_run(const uint8_t *bytes, size_t size_bytes, const uint32_t box[2],
                    dp_media_format format, uint8_t **out, size_t *out_bytes)
{
    VipsImage *image = NULL;
    void *written = NULL;
    int failed = vips_thumbnail_buffer((void *)(uintptr_t)bytes, size_bytes, &image, (int)box[0],
                                       "height", (int)box[1], NULL);
    if (failed == 0 && format == DP_MEDIA_WEBP) {
        failed = vips_webpsave_buffer(image, &written, out_bytes, "Q", WEBP_QUALITY, "strip", TRUE,
                                      NULL);
    } else if (failed == 0) {
        failed = vips_jpegsave_buffer(image, &written, out_bytes, "Q", JPEG_QUALITY, "strip", TRUE,
                                      NULL);
    }
    if (image != NULL) {
        g_object_unref(image);
    }
    if (failed != 0) {
        vips_error_clear();
        return false;
    }
    *out = written;
    return true;
}

void thumb_peer_free(uint8_t *bytes)
{
    g_free(bytes);
}

#else

bool thumb_peer_start(void)
{
    return false;
}

void thumb_peer_stop(void)
{
}

const char *thumb_peer_name(void)
{
    return "libvips";
}

bool thumb_peer_run(const uint8_t *bytes, size_t size_bytes, const uint32_t box[2],
                    dp_media_format format, uint8_t **out, size_t *out_bytes)
{
    (void)bytes;
    (void)size_bytes;
    (void)box;
    (void)format;
    (void)out;
    (void)out_bytes;
    return false;
}

void thumb_peer_free(uint8_t *bytes)
{
    (void)bytes;
}

#endif
