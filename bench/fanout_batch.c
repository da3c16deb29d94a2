/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches by room and first sequence number, CACHE_SLOTS of them kept: a viewer is rarely further
 * behind than that, and one that is costs a scan of its own.
 *
 * The search strings below cannot occur inside a comment's text, where quotes are escaped.
 */
#define _GNU_SOURCE /* memmem */

#include "fanout_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_SLOTS 2048u
#define ROOM_STRIDE 97u

static const char batch_head[] = "{\"op\":\"batch\",\"seq\":";
static const char missed_key[] = "\"missed\":";
static const char ext_head[] = "\"ext\":{\"n\":";

struct batch_cache {
    batch slots[CACHE_SLOTS];
};

batch_cache *batch_cache_create(void)
{
    return calloc(1, sizeof(batch_cache));
}

void batch_cache_destroy(batch_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        free(cache->slots[i].bytes);
        free(cache->slots[i].messages);
    }
    free(cache);
}

/* Reads digits up to `end`; advances *at.  False when there are none or too many. */
static bool read_number(const char **at, const char *end, uint64_t *out)
{
    const char *start = *at;
    uint64_t value = 0;
    while (*at < end && **at >= '0' && **at <= '9' && *at - start < 20) {
        value = value * 10 + (uint64_t)(**at - '0');
        (*at)++;
    }
    *out = value;
    return *at > start;
}

static bool skip(const char **at, const char *end, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(end - *at) < length || memcmp(*at, text, length) != 0) {
        return false;
    }
    *at += length;
    return true;
}

/* Makes room for `wanted` elements of `size`; the old content stays. */
static bool grow(void **data, size_t *have, size_t wanted, size_t size)
{
    if (wanted <= *have) {
        return true;
    }
    size_t target = wanted < 64 ? 64 : wanted + wanted / 2;
    void *larger = realloc(*data, target * size);
    if (larger == NULL) {
        return false;
    }
    *data = larger;
    *have = target;
    return true;
}

static bool message_add(batch *b, const char **at, const char *end)
{
    batch_message m = {0};
    uint64_t sender = 0;
    if (!read_number(at, end, &m.n) || !skip(at, end, ",\"s\":") ||
        !read_number(at, end, &sender) || !skip(at, end, ",\"t\":") ||
        !read_number(at, end, &m.sent_ns) || sender >= BATCH_SENDERS_MAX) {
        return false;
    }
    m.sender = (uint32_t)sender;
    void *messages = b->messages;
    bool ok = grow(&messages, &b->message_size, b->message_count + 1, sizeof m);
    b->messages = messages;
    if (ok) {
        b->messages[b->message_count++] = m;
    }
    return ok;
}

/* Scans b->bytes from `at`, which is behind the sequence number. */
static bool scan(batch *b, const char *at)
{
    const char *end = b->bytes + b->byte_count;
    b->message_count = 0;
    b->missed = 0;
    if (!skip(&at, end, ",") || !skip(&at, end, missed_key) || !read_number(&at, end, &b->missed)) {
        return false;
    }
    for (;;) {
        at = memmem(at, (size_t)(end - at), ext_head, sizeof ext_head - 1);
        if (at == NULL) {
            return true;
        }
        at += sizeof ext_head - 1;
        if (!message_add(b, &at, end)) {
            return false;
        }
    }
}

const batch *batch_read(batch_cache *cache, size_t room, const char *payload, size_t count,
                        bool *broken)
{
    const char *at = payload;
    uint64_t seq = 0;
    *broken = false;
    if (!skip(&at, payload + count, batch_head)) {
        return NULL;
    }
    *broken = true;
    if (!read_number(&at, payload + count, &seq)) {
        return NULL;
    }
    /* Many rooms run through the same numbers: each has slots of its own, as far as there are. */
    batch *b = &cache->slots[(seq + room * ROOM_STRIDE) % CACHE_SLOTS];
    if (b->byte_count != count || memcmp(b->bytes, payload, count) != 0) {
        void *bytes = b->bytes;
        bool ok = grow(&bytes, &b->byte_size, count, 1);
        b->bytes = bytes;
        b->byte_count = 0;
        if (!ok) {
            return NULL;
        }
        memcpy(b->bytes, payload, count);
        b->byte_count = count;
        if (!scan(b, b->bytes + (at - payload))) {
            b->byte_count = 0;
            return NULL;
        }
    }
    *broken = false;
    return b;
}

size_t batch_message_write(char *out, size_t out_size, const batch_message *message,
                           size_t text_bytes)
{
    static const char filler[] = "the quick brown fox jumps over the lazy dog and runs on; ";
    char text[256];
    /* The number makes every text different: equal comments may be merged by a server. */
    int start =
        snprintf(text, sizeof text, "%" PRIu32 "/%" PRIu64 " ", message->sender, message->n);
    if (start < 0 || text_bytes >= sizeof text) {
        return 0;
    }
    size_t length = (size_t)start;
    while (length < text_bytes) {
        text[length] = filler[length % (sizeof filler - 1)];
        length++;
    }
    text[length - 1] = '.'; /* white space at the end would be trimmed */
    text[length] = '\0';
    int written = snprintf(out, out_size,
                           "{\"op\":\"send\",\"text\":\"%s\",\"ext\":{\"n\":%" PRIu64
                           ",\"s\":%" PRIu32 ",\"t\":%" PRIu64 "}}",
                           text, message->n, message->sender, message->sent_ns);
    return written > 0 && (size_t)written < out_size ? (size_t)written : 0;
}
