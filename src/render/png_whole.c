/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See png_whole.h.  After the PNG specification, third edition: chunks (5.3), filters (9.2).
 *
 * The IDAT chunks are found by walking the file, their checksums are compared, and their content,
 * where it comes in several, is put together in a pooled block.  What it must inflate to is known
 * exactly from the header, and taken before: no ratio of compression can ask for more.
 */
#include "render/png_whole.h"

#include "dp_features.h"

#if DP_HAVE_LIBDEFLATE

#include <string.h>

#include <libdeflate.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <danpool/stats.h>

#include "pool/os.h"

/* A picture that would take longer to inflate than a worker should be deaf. */
#define RAW_BYTES_MAX ((size_t)64 << 20)

#define SIGNATURE_BYTES    8u
#define CHUNK_EXTRA_BYTES  12u /* length, type and checksum */
#define ROWS_BETWEEN_LOOKS 64u

typedef enum png_filter {
    FILTER_NONE,
    FILTER_SUB,
    FILTER_UP,
    FILTER_AVERAGE,
    FILTER_PAETH
} png_filter;

static size_t row_bytes(const png_whole *png)
{
    return (size_t)png->width * png->channels;
}

static size_t raw_bytes(const png_whole *png)
{
    return (row_bytes(png) + 1) * png->height;
}

bool png_whole_can(const png_whole *png)
{
    return (png->channels == 3 || png->channels == 4) && raw_bytes(png) <= RAW_BYTES_MAX;
}

static dp_status damaged(render_task *task, const char *words)
{
    return task_fail(task, DP_ERR_FORMAT, "png: %s", words);
}

static uint32_t read32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

typedef struct chunk {
    const uint8_t *type, *data;
    uint32_t length;
} chunk;

/* Reads the chunk at *at and steps behind it; false when the file ends in it. */
static bool next_chunk(media_bytes file, size_t *at, chunk *out)
{
    const size_t left = file.size_bytes - *at;
    if (left < CHUNK_EXTRA_BYTES) {
        return false;
    }
    const uint8_t *start = file.data + *at;
    const uint32_t length = read32(start);
    if (length > left - CHUNK_EXTRA_BYTES) {
        return false;
    }
    *out = (chunk){start + 4, start + 8, length};
    *at += CHUNK_EXTRA_BYTES + (size_t)length;
    return true;
}

/* The run of IDAT chunks: where the first begins, and what is in all of them. */
static dp_status find_data(render_task *task, media_bytes file, size_t *first, size_t *total)
{
    size_t at = SIGNATURE_BYTES, start = at;
    chunk c;
    *total = 0;
    for (;;) {
        start = at;
        if (!next_chunk(file, &at, &c)) {
            return damaged(task, "the file ends early");
        }
        if (memcmp(c.type, "IDAT", 4) == 0) {
            break;
        }
    }
    *first = start;
    while (memcmp(c.type, "IDAT", 4) == 0) {
        if (libdeflate_crc32(0, c.type, 4 + (size_t)c.length) != read32(c.data + c.length)) {
            return damaged(task, "a checksum is wrong");
        }
        *total += c.length;
        if (!next_chunk(file, &at, &c)) {
            return damaged(task, "the file ends early");
        }
    }
    return DP_OK;
}

static dp_status take(render_task *task, size_t size_bytes, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes, .need = DP_NEED_HOST};
    const dp_status status = task_get(task, &request, out);
    return status == DP_OK ? DP_OK : task_fail(task, status, "no memory to decode the png");
}

/* The compressed bytes in one piece: in the file itself, or in *joined. */
static dp_status join_data(render_task *task, media_bytes file, media_bytes *out, dp_buf **joined)
{
    size_t at = 0, total = 0, done = 0;
    chunk c;
    dp_status status = find_data(task, file, &at, &total);
    if (status != DP_OK) {
        return status;
    }
    const bool found = next_chunk(file, &at, &c);
    DP_ASSERT(found);
    if (c.length == total) {
        *out = (media_bytes){c.data, total};
        return DP_OK;
    }
    status = take(task, total, joined);
    if (status != DP_OK) {
        return status;
    }
    uint8_t *bytes = dp_buf_data(*joined);
    for (;;) {
        memcpy(bytes + done, c.data, c.length);
        done += c.length;
        if (done == total) {
            break;
        }
        (void)next_chunk(file, &at, &c);
    }
    dp_stats_copied(task->pool, total);
    *out = (media_bytes){bytes, total};
    return DP_OK;
}

static dp_status inflate_all(render_task *task, media_bytes data, uint8_t *raw, size_t size_bytes)
{
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    if (inflater == NULL) {
        return task_fail(task, DP_ERR_NOMEM, "no memory to decode the png");
    }
    size_t made = 0;
    const enum libdeflate_result result =
        libdeflate_zlib_decompress(inflater, data.data, data.size_bytes, raw, size_bytes, &made);
    libdeflate_free_decompressor(inflater);
    if (result == LIBDEFLATE_SUCCESS && made == size_bytes) {
        return DP_OK;
    }
    return damaged(task, result == LIBDEFLATE_INSUFFICIENT_SPACE ? "more data than pixels"
                                                                 : "the pixels are damaged");
}

/* --- filters: each turns a row of differences into bytes, in place ------------------------ */

static void undo_sub(uint8_t *row, size_t bytes, size_t channels)
{
    for (size_t i = channels; i < bytes; i++) {
        row[i] = (uint8_t)(row[i] + row[i - channels]);
    }
}

static void undo_up(uint8_t *restrict row, const uint8_t *restrict above, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)(row[i] + above[i]);
    }
}

static void undo_average(uint8_t *restrict row, const uint8_t *restrict above, size_t bytes,
                         size_t channels)
{
    for (size_t i = 0; i < channels; i++) {
        row[i] = (uint8_t)(row[i] + above[i] / 2);
    }
    for (size_t i = channels; i < bytes; i++) {
        row[i] = (uint8_t)(row[i] + (row[i - channels] + above[i]) / 2);
    }
}

static uint8_t paeth(int left, int up, int corner)
{
    const int from_left = up - corner, from_up = left - corner;
    const int a = from_left < 0 ? -from_left : from_left;
    const int b = from_up < 0 ? -from_up : from_up;
    const int both = from_left + from_up;
    const int c = both < 0 ? -both : both;
    if (a <= b && a <= c) {
        return (uint8_t)left;
    }
    return (uint8_t)(b <= c ? up : corner);
}

static void undo_paeth_bytes(uint8_t *row, const uint8_t *above, size_t from, size_t bytes,
                             size_t channels)
{
    for (size_t i = from; i < bytes; i++) {
        const int left = i < channels ? 0 : row[i - channels];
        const int corner = i < channels ? 0 : above[i - channels];
        row[i] = (uint8_t)(row[i] + paeth(left, above[i], corner));
    }
}

#if defined(__SSE2__)

static __m128i load_pixel(const uint8_t *at)
{
    int32_t word;
    memcpy(&word, at, sizeof word);
    return _mm_unpacklo_epi8(_mm_cvtsi32_si128(word), _mm_setzero_si128());
}

static __m128i absolute(__m128i value)
{
    return _mm_max_epi16(value, _mm_sub_epi16(_mm_setzero_si128(), value));
}

static __m128i choose(__m128i mask, __m128i yes, __m128i no)
{
    return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}

/*
 * All channels of a pixel at once, in 16 bits.  Four bytes are read and written for three: the
 * fourth is the next pixel's first, put back as it was; the last pixels are left to the plain loop.
 */
static inline void undo_paeth_of(uint8_t *row, const uint8_t *above, size_t bytes, size_t channels)
{
    __m128i left = _mm_setzero_si128(), corner = left;
    const __m128i low_bytes = _mm_set1_epi16(0xff);
    size_t i = 0;

    for (; i + 4 <= bytes; i += channels) {
        const __m128i up = load_pixel(above + i);
        const __m128i from_left = _mm_sub_epi16(up, corner), from_up = _mm_sub_epi16(left, corner);
        const __m128i a = absolute(from_left), b = absolute(from_up);
        const __m128i c = absolute(_mm_add_epi16(from_left, from_up));
        const __m128i least = _mm_min_epi16(c, _mm_min_epi16(a, b));
        const __m128i guess =
            choose(_mm_cmpeq_epi16(least, a), left, choose(_mm_cmpeq_epi16(least, b), up, corner));
        left = _mm_and_si128(_mm_add_epi16(load_pixel(row + i), guess), low_bytes);
        corner = up;
        const int32_t word = _mm_cvtsi128_si32(_mm_packus_epi16(left, left));
        memcpy(row + i, &word, channels);
    }
    undo_paeth_bytes(row, above, i, bytes, channels);
}

static void undo_paeth(uint8_t *row, const uint8_t *above, size_t bytes, size_t channels)
{
    /* Two copies, in which a pixel is moved by one or two instructions. */
    if (channels == 3) {
        undo_paeth_of(row, above, bytes, 3);
    } else {
        undo_paeth_of(row, above, bytes, 4);
    }
}

#else

static void undo_paeth(uint8_t *row, const uint8_t *above, size_t bytes, size_t channels)
{
    undo_paeth_bytes(row, above, 0, bytes, channels);
}

#endif

/* `above` is a row of zeros for the first one.  False: no such filter. */
static bool undo_filter(uint8_t *row, const uint8_t *above, size_t bytes, size_t channels,
                        unsigned filter)
{
    switch (filter) {
    case FILTER_NONE:
        return true;
    case FILTER_SUB:
        undo_sub(row, bytes, channels);
        return true;
    case FILTER_UP:
        undo_up(row, above, bytes);
        return true;
    case FILTER_AVERAGE:
        undo_average(row, above, bytes, channels);
        return true;
    case FILTER_PAETH:
        undo_paeth(row, above, bytes, channels);
        return true;
    default:
        return false;
    }
}

static dp_status put_rows(render_task *task, const png_whole *png, uint8_t *raw, rows *out)
{
    const size_t bytes = row_bytes(png);
    uint8_t *const nothing = raw + raw_bytes(png);
    const uint8_t *above = nothing;

    memset(nothing, 0, bytes);
    for (uint32_t y = 0; y < png->height; y++) {
        uint8_t *row = raw + y * (bytes + 1) + 1;
        if (y % ROWS_BETWEEN_LOOKS == 0 && task_check_time(task) != DP_OK) {
            return DP_ERR_TIMEOUT;
        }
        if (!undo_filter(row, above, bytes, png->channels, row[-1])) {
            return damaged(task, "a row has an unknown filter");
        }
        if (png->channels == 3) {
            rows_put_rgb(out, row);
        } else {
            memcpy(rows_room(out), row, bytes);
            rows_put(out);
        }
        above = row;
    }
    return DP_OK;
}

dp_status png_whole_read(render_task *task, const png_whole *png, rows *out)
{
    dp_buf *joined = NULL, *raw = NULL;
    media_bytes data = {0};

    dp_status status = join_data(task, png->file, &data, &joined);
    if (status == DP_OK) {
        status = take(task, raw_bytes(png) + row_bytes(png), &raw); /* and a row of zeros */
    }
    if (status == DP_OK) {
        status = inflate_all(task, data, dp_buf_data(raw), raw_bytes(png));
    }
    if (status == DP_OK) {
        status = put_rows(task, png, dp_buf_data(raw), out);
    }
    dp_put(raw);
    dp_put(joined);
    return status;
}

#else

bool png_whole_can(const png_whole *png)
{
    (void)png;
    return false;
}

dp_status png_whole_read(render_task *task, const png_whole *png, rows *out)
{
    (void)png;
    (void)out;
    return task_fail(task, DP_ERR_UNSUPPORTED, "built without libdeflate");
}

#endif
