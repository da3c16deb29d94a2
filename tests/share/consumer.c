/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer in C: libdanpool's own peer behind the protocol of tests/share/README.md.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <danpool/share.h>

#include "crc32.h"

#define SOCKET 3

static void answer(char letter, const void *bytes, size_t size)
{
    char message[13] = {letter};
    memcpy(message + 1, bytes, size);
    if (write(SOCKET, message, sizeof message) != sizeof message)
        exit(1);
}

static void answer_status(char letter, dp_status status)
{
    const char *name = dp_status_name(status);
    if (status == DP_OK)
        answer(letter, "", 0);
    else
        answer('E', name, strlen(name));
}

static void claim(dp_share_view *view, const dp_share_token *token)
{
    const void *data = NULL;
    size_t size_bytes = 0;
    dp_status status = dp_share_acquire(view, token, &data, &size_bytes);
    if (status != DP_OK) {
        answer_status('G', status);
        return;
    }
    char bytes[12];
    uint64_t size = size_bytes;
    uint32_t sum = crc32_of(data, size_bytes);
    memcpy(bytes, &size, 8);
    memcpy(bytes + 8, &sum, 4);
    answer('G', bytes, sizeof bytes);
}

static char ways_to_write(int data_fd)
{
    bool mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, data_fd, 0) != MAP_FAILED;
    bool written = write(data_fd, "x", 1) == 1;
    return (char)(mapped + written);
}

int main(void)
{
    int control_fd = -1;
    int data_fd = -1;
    dp_share_view *view = NULL;
    char message[1 + DP_SHARE_TOKEN_BYTES];
    dp_share_token token;
    dp_status status = dp_share_recv(SOCKET, &control_fd, &data_fd);
    if (status == DP_OK)
        status = dp_share_attach(control_fd, data_fd, &view);
    answer_status('A', status);
    if (status != DP_OK)
        return 0;
    (void)close(control_fd);
    while (read(SOCKET, message, sizeof message) == sizeof message) {
        memcpy(token.bytes, message + 1, sizeof token.bytes);
        switch (message[0]) {
        case 'g':
            claim(view, &token);
            break;
        case 'r':
            answer_status('R', dp_share_release(view, &token));
            break;
        case 'o':
            answer('O', dp_share_view_is_open(view) ? "\1" : "\0", 1);
            break;
        case 'w':
            answer('W', &(char){ways_to_write(data_fd)}, 1);
            break;
        default:
            dp_share_detach(view);
            answer('Q', "", 0);
            return 0;
        }
    }
    return 1;
}
