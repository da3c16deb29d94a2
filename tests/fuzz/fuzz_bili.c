/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer over packets and auth bodies of Bilibili's protocol: a room that is found is a name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire/bili_packet.h"
#include "server/wire/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bili_packet packet;
    bili_auth auth;
    bili_read result = bili_packet_read(data, size, &packet);
    if (result == BILI_READ_PACKET) {
        require(packet.packet_bytes <= size && packet.body + packet.body_bytes <= data + size);
    }
    const uint8_t *body = result == BILI_READ_PACKET ? packet.body : data;
    size_t body_bytes = result == BILI_READ_PACKET ? packet.body_bytes : size;
    if (bili_auth_read(body, body_bytes, &auth)) {
        require(protocol_room_name_valid(auth.room, strlen(auth.room)));
        require(auth.version >= 0 && auth.version <= 3);
        require(memchr(auth.token, '\0', sizeof auth.token) != NULL);
    }
    return 0;
}
