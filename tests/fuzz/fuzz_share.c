/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a peer of a share whose owner is an attacker.
 *
 * The input is laid over a sound header, a table of sound grants and sound tokens by exclusive or,
 * so that the fuzzer begins behind the first check and not before it: 256 bytes of header, 4 grants
 * of 24 bytes, then tokens of 32.  Whatever is accepted must lie in the data, whose bytes are all
 * 'd'; a step outside is the sanitizer's to see, or a fault.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/memfd.h"
#include "pool/share_format.h"

#define GRANTS     4u
#define DATA_BYTES ((size_t)65536)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    int control_fd;
    int data_fd;
    char *control;
    size_t control_bytes;
    share_header header;
} files;

static void require(int condition)
{
    if (!condition)
        abort();
}

static void files_make(void)
{
    share_layout layout = {.share_id = 1,
                           .data_bytes = DATA_BYTES,
                           .block_bytes = 4096,
                           .peer = 3,
                           .grants = GRANTS,
                           .name = "fuzz"};
    void *control = NULL;
    void *bytes = NULL;
    share_layout_plan(&layout);
    require(memfd_make("fuzz", layout.control_bytes, MEMFD_WRITE, &files.control_fd, &control) ==
            DP_OK);
    require(memfd_make("fuzz", DATA_BYTES, MEMFD_READ, &files.data_fd, &bytes) == DP_OK);
    memset(bytes, 'd', DATA_BYTES);
    files.control = control;
    files.control_bytes = layout.control_bytes;
    share_header_write(&files.header, &layout);
}

/* Takes up to `want` bytes of the input into `bytes` by exclusive or. */
static void overlay(void *bytes, size_t want, const uint8_t **data, size_t *size)
{
    uint8_t *to = bytes;
    size_t count = want < *size ? want : *size;
    for (size_t i = 0; i < count; i++)
        to[i] ^= (*data)[i];
    *data += count;
    *size -= count;
}

static void control_write(const uint8_t **data, size_t *size)
{
    memset(files.control, 0, files.control_bytes);
    memcpy(files.control, &files.header, sizeof files.header);
    overlay(files.control, sizeof files.header, data, size);
    for (uint32_t i = 0; i < GRANTS; i++) {
        uint64_t words[3] = {100 + i, i * 4096u, 4096 - i};
        overlay(words, sizeof words, data, size);
        memcpy(files.control + files.header.grants_offset + i * SHARE_ENTRY_BYTES, words,
               sizeof words);
    }
}

static void token_try(dp_share_view *view, uint32_t turn, const uint8_t **data, size_t *size)
{
    share_token token = {.share_id = 1,
                         .serial = 100 + turn % GRANTS,
                         .size_bytes = 4096 - turn % GRANTS,
                         .peer = 3,
                         .grant = turn % GRANTS};
    dp_share_token outer;
    const void *bytes = NULL;
    size_t size_bytes = 0;
    overlay(&token, sizeof token, data, size);
    memcpy(outer.bytes, &token, sizeof token);
    if (dp_share_acquire(view, &outer, &bytes, &size_bytes) != DP_OK)
        return;
    require(size_bytes > 0 && size_bytes <= DATA_BYTES);
    require(((const char *)bytes)[0] == 'd' && ((const char *)bytes)[size_bytes - 1] == 'd');
    require(dp_share_acquire(view, &outer, &bytes, &size_bytes) == DP_ERR_EXISTS);
    require(dp_share_release(view, &outer) == DP_OK);
    require(dp_share_acquire(view, &outer, &bytes, &size_bytes) == DP_ERR_NOT_FOUND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dp_share_view *view = NULL;
    if (files.control == NULL)
        files_make();
    control_write(&data, &size);
    if (dp_share_attach(files.control_fd, files.data_fd, &view) != DP_OK)
        return 0;
    for (uint32_t turn = 0; turn < 64 && size > 0; turn++)
        token_try(view, turn, &data, &size);
    dp_share_detach(view);
    return 0;
}
