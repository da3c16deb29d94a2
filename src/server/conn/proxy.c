/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of proxies and of those behind them.  Everything is compared in the form of IPv6, in
 * which an IPv4 address is ::ffff:a.b.c.d.
 *
 * The layout of version 2 (the HAProxy documents, proxy-protocol.txt, section 2.2):
 *
 *     12 bytes signature | version 2 and command | family and transport | length, big endian | body
 */
#include "server/conn/proxy.h"

#include <string.h>

#include <arpa/inet.h>

#define SEPARATORS    ", \t"
#define COMMAND_LOCAL 0x20u
#define COMMAND_PROXY 0x21u
#define FAMILY_INET   0x10u
#define FAMILY_INET6  0x20u
#define BODY_INET     12u /* two addresses, two ports */
#define BODY_INET6    36u

static const unsigned char signature[12] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                            0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

static identity_address from_ipv4(const void *four)
{
    identity_address address = {.bytes = {[10] = 0xFF, [11] = 0xFF}};
    memcpy(address.bytes + 12, four, 4);
    return address;
}

bool proxy_address_read(const char *text, size_t text_bytes, identity_address *out)
{
    char copy[64];
    if (text_bytes == 0 || text_bytes >= sizeof copy || memchr(text, '\0', text_bytes) != NULL) {
        return false;
    }
    memcpy(copy, text, text_bytes);
    copy[text_bytes] = '\0';
    char *at = copy;
    char *colon = strchr(copy, ':');
    if (copy[0] == '[') {
        char *close = strchr(copy, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            return false;
        }
        *close = '\0';
        at++;
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0'; /* one colon alone: a port behind an IPv4 address */
    }
    return identity_address_parse(at, out, NULL);
}

static bool read_net(const char *text, size_t text_bytes, proxy_net *out)
{
    char copy[64];
    if (text_bytes >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, text_bytes);
    copy[text_bytes] = '\0';
    return identity_address_parse(copy, &out->address, &out->bits);
}

dp_status proxy_list_read(const char *text, proxy_list *out, char wrong[64])
{
    proxy_list list = {.count = 0};
    for (const char *at = text + strspn(text, SEPARATORS); *at != '\0';) {
        size_t length = strcspn(at, SEPARATORS);
        if (list.count == PROXY_NETS_MAX || !read_net(at, length, &list.nets[list.count])) {
            size_t shown = length < 63 ? length : 63;
            memcpy(wrong, at, shown);
            wrong[shown] = '\0';
            return DP_ERR_INVALID;
        }
        list.count++;
        at += length;
        at += strspn(at, SEPARATORS);
    }
    *out = list;
    return DP_OK;
}

static bool net_has(const proxy_net *net, const identity_address *address)
{
    unsigned whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    if (memcmp(net->address.bytes, address->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || ((net->address.bytes[whole] ^ address->bytes[whole]) &
                         (0xFFu << (8 - rest)) & 0xFFu) == 0;
}

bool proxy_list_has(const proxy_list *list, const identity_address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (net_has(&list->nets[i], address)) {
            return true;
        }
    }
    return false;
}

static proxy_result read_body(unsigned family, const unsigned char *body, size_t body_bytes,
                              identity_address *out)
{
    if ((family & 0xF0u) == FAMILY_INET) {
        if (body_bytes < BODY_INET) {
            return PROXY_INVALID;
        }
        *out = from_ipv4(body);
        return PROXY_ADDRESS;
    }
    if ((family & 0xF0u) == FAMILY_INET6) {
        if (body_bytes < BODY_INET6) {
            return PROXY_INVALID;
        }
        memcpy(out->bytes, body, sizeof out->bytes);
        return PROXY_ADDRESS;
    }
    return PROXY_LOCAL; /* a UNIX socket, or unspecified */
}

proxy_result proxy_read(const void *bytes, size_t size_bytes, size_t *used, identity_address *out)
{
    const unsigned char *at = bytes;
    size_t compared = size_bytes < sizeof signature ? size_bytes : sizeof signature;
    if (memcmp(at, signature, compared) != 0) {
        return PROXY_INVALID;
    }
    if (size_bytes < PROXY_HEADER_BYTES) {
        return PROXY_MORE;
    }
    size_t body_bytes = (size_t)at[14] << 8 | at[15];
    if ((at[12] != COMMAND_LOCAL && at[12] != COMMAND_PROXY) || body_bytes > PROXY_BODY_MAX) {
        return PROXY_INVALID;
    }
    if (size_bytes < PROXY_HEADER_BYTES + body_bytes) {
        return PROXY_MORE;
    }
    proxy_result result = at[12] == COMMAND_LOCAL
                              ? PROXY_LOCAL
                              : read_body(at[13], at + PROXY_HEADER_BYTES, body_bytes, out);
    if (result != PROXY_INVALID) {
        *used = PROXY_HEADER_BYTES + body_bytes;
    }
    return result;
}

identity_address proxy_forwarded_for(const proxy_list *list, const identity_address *peer,
                                     const char *text, size_t text_bytes)
{
    identity_address seen = *peer;
    size_t end = text_bytes;
    while (end > 0 && proxy_list_has(list, &seen)) {
        size_t begin = end;
        while (begin > 0 && text[begin - 1] != ',') {
            begin--;
        }
        size_t from = begin;
        size_t to = end;
        while (from < to && (text[from] == ' ' || text[from] == '\t')) {
            from++;
        }
        while (to > from && (text[to - 1] == ' ' || text[to - 1] == '\t')) {
            to--;
        }
        if (!proxy_address_read(text + from, to - from, &seen)) {
            break;
        }
        end = begin > 0 ? begin - 1 : 0;
    }
    return seen;
}
