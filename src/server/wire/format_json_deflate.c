/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native JSON, compressed for permessage-deflate (RFC 7692) once a batch for all viewers.
 *
 * So no frame may need what an earlier one said: the extension must be negotiated with
 * server_no_context_takeover and without server_max_window_bits.  Each payload is one raw DEFLATE
 * stream (RFC 1951) flushed to a byte, without the four bytes 00 00 FF FF that every receiver adds.
 *
 * A thread keeps one compressor, a quarter of a MiB, from its first batch until it ends.
 */
#include "server/wire/format.h"

#include <dp_features.h>

extern const format_ops format_json_deflate;

#if DP_HAVE_ZLIB

#include <pthread.h>
#include <string.h>

#include <zlib.h>

#include <danpool/stats.h>

#include "pool/os.h"

/* Comments are short and alike: most of what there is to gain is gained by the fastest level. */
#define LEVEL        1
#define MEMORY_LEVEL 8
#define TAIL_BYTES   4u

static pthread_key_t compressor_key;
static pthread_once_t compressor_once = PTHREAD_ONCE_INIT;

static voidpf zlib_take(voidpf unused, uInt count, uInt size_bytes)
{
    (void)unused;
    return os_calloc(count, size_bytes);
}

static void zlib_leave(voidpf unused, voidpf memory)
{
    (void)unused;
    os_free(memory);
}

static void compressor_drop(void *compressor)
{
    (void)deflateEnd(compressor);
    os_free(compressor);
}

static void compressor_key_make(void)
{
    DP_ASSERT(pthread_key_create(&compressor_key, compressor_drop) == 0);
}

/* The thread's own, at the beginning of a stream; NULL without memory. */
static z_stream *compressor_get(void)
{
    pthread_once(&compressor_once, compressor_key_make);
    z_stream *compressor = pthread_getspecific(compressor_key);
    if (compressor != NULL) {
        return deflateReset(compressor) == Z_OK ? compressor : NULL;
    }
    compressor = os_calloc(1, sizeof *compressor);
    if (compressor == NULL) {
        return NULL;
    }
    compressor->zalloc = zlib_take;
    compressor->zfree = zlib_leave;
    if (deflateInit2(compressor, LEVEL, Z_DEFLATED, -MAX_WBITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        os_free(compressor);
        return NULL;
    }
    if (pthread_setspecific(compressor_key, compressor) != 0) {
        compressor_drop(compressor);
        return NULL;
    }
    return compressor;
}

/* A buffer of just the size takes the place of one that had to be of the largest. */
static dp_status cut(dp_pool *pool, const dp_buf *full, size_t size_bytes, dp_buf **out)
{
    const dp_request request = {
        .size_bytes = size_bytes, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    dp_buf *frame;
    dp_status status = dp_get(pool, &request, &frame);
    if (status == DP_OK) {
        memcpy((char *)dp_buf_data(frame) + FORMAT_HEADROOM,
               (const char *)dp_buf_data(full) + FORMAT_HEADROOM, size_bytes - FORMAT_HEADROOM);
        dp_buf_set_size(frame, size_bytes);
        dp_stats_copied(pool, size_bytes - FORMAT_HEADROOM);
        *out = frame;
    }
    return status;
}

static dp_status compress_into(dp_buf *to, const dp_buf *plain, size_t *size_bytes)
{
    z_stream *compressor = compressor_get();
    if (compressor == NULL) {
        return DP_ERR_NOMEM;
    }
    compressor->next_in = (Bytef *)dp_buf_data(plain) + FORMAT_HEADROOM;
    compressor->avail_in = (uInt)(dp_buf_size(plain) - FORMAT_HEADROOM);
    compressor->next_out = (Bytef *)dp_buf_data(to) + FORMAT_HEADROOM;
    compressor->avail_out = (uInt)(dp_buf_capacity(to) - FORMAT_HEADROOM);
    int result = deflate(compressor, Z_SYNC_FLUSH);
    DP_ASSERT(result == Z_OK && compressor->avail_in == 0 && compressor->avail_out > 0);
    DP_ASSERT(compressor->total_out >= TAIL_BYTES);
    *size_bytes = FORMAT_HEADROOM + compressor->total_out - TAIL_BYTES;
    return DP_OK;
}

static dp_status build(dp_pool *pool, const format_batch *batch, dp_buf **out)
{
    dp_buf *plain;
    dp_buf *full;
    dp_status status = format_of(FORMAT_JSON)->build(pool, batch, &plain);
    if (status != DP_OK) {
        return status;
    }
    /* Of incompressible bytes DEFLATE makes a few more; compressBound() knows how many at most. */
    size_t plain_bytes = dp_buf_size(plain) - FORMAT_HEADROOM;
    const dp_request request = {.size_bytes = FORMAT_HEADROOM + compressBound(plain_bytes) + 16u,
                                .kind = DP_KIND_TEXT,
                                .need = DP_NEED_HOST};
    status = dp_get(pool, &request, &full);
    if (status == DP_OK) {
        size_t size_bytes = 0;
        status = compress_into(full, plain, &size_bytes);
        if (status == DP_OK) {
            status = cut(pool, full, size_bytes, out);
        }
        dp_put(full);
    }
    dp_put(plain);
    return status;
}

const format_ops format_json_deflate = {
    .name = "json_deflate", .is_deflated = true, .build = build};

#else

const format_ops format_json_deflate = {.name = "json_deflate", .is_deflated = true};

#endif
