/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over jwt_parse() and jwt_read_claims(): a token as it comes, and, since base64url would
 * hide JSON from the fuzzer, the input's two halves encoded as header and claims too.  What is read
 * is ended, and rooms are never an empty list that looks like all of them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/gate/auth_jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check(const char *token, size_t token_bytes)
{
    jwt parsed;
    jwt_claims claims;
    if (!jwt_parse(token, token_bytes, &parsed)) {
        return;
    }
    require(memchr(parsed.header.kid, '\0', sizeof parsed.header.kid) != NULL);
    if (!jwt_read_claims(&parsed, "danpool", &claims)) {
        return;
    }
    require(memchr(claims.sub, '\0', sizeof claims.sub) != NULL);
    require(memchr(claims.name, '\0', sizeof claims.name) != NULL);
    require(memchr(claims.rooms, '\0', sizeof claims.rooms) != NULL);
    require(claims.has_rooms == (claims.rooms[0] != '\0'));
}

static size_t encode(const uint8_t *bytes, size_t size, char *to)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t used = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8) | bytes[i];
        for (have += 8; have >= 6; have -= 6) {
            to[used++] = alphabet[(bits >> (have - 6)) & 63u];
        }
    }
    if (have > 0) {
        to[used++] = alphabet[(bits << (6 - have)) & 63u];
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check((const char *)data, size);
    const uint8_t *cut = size == 0 ? NULL : memchr(data, '\n', size);
    if (cut == NULL || size > 5000) {
        return 0;
    }
    char token[8192];
    size_t used = encode(data, (size_t)(cut - data), token);
    token[used++] = '.';
    used += encode(cut + 1, size - (size_t)(cut - data) - 1, token + used);
    memcpy(token + used, ".AAAA", 5);
    check(token, used + 5);
    return 0;
}
