/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over what proxies say: a header of version 2 in front of bytes, read whole and in every
 * shorter piece; the same bytes as X-Forwarded-For and as a list of networks.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/conn/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t used = 0;
    identity_address address = {{0}};
    proxy_result whole = proxy_read(data, size, &used, &address);
    if (whole == PROXY_ADDRESS || whole == PROXY_LOCAL) {
        require(used >= PROXY_HEADER_BYTES && used <= size);
        for (size_t part = 0; part < used; part++) {
            size_t unused;
            require(proxy_read(data, part, &unused, &address) == PROXY_MORE);
        }
    }
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    char wrong[64];
    proxy_list list = {.count = 0};
    if (proxy_list_read(text, &list, wrong) == DP_OK) {
        require(list.count <= PROXY_NETS_MAX);
        for (size_t i = 0; i < list.count; i++) {
            require(proxy_list_has(&list, &list.nets[i].address));
        }
    } else {
        require(memchr(wrong, '\0', sizeof wrong) != NULL);
    }
    proxy_list all = {.count = 1};
    (void)proxy_forwarded_for(&all, &address, (const char *)data, size);
    free(text);
    return 0;
}
