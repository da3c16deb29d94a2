/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed request on its way to viewers: packed, and written as JSON, each into malloc()ed memory
 * of exactly the promised size, so that a sanitizer sees a byte too many. */
#ifndef DP_TESTS_JSON_MESSAGE_H
#define DP_TESTS_JSON_MESSAGE_H

#include <stdlib.h>

#include "server/wire/format_json.h"

/* NULL without memory; else to be freed. */
static inline char *json_of_request(const protocol_request *asked, size_t *size_bytes)
{
    message in;
    message view;
    message_from_request(asked, &in);
    in.ts_ms = 1790000000000;
    void *packed = malloc(message_packed_bytes(&in));
    if (packed == NULL) {
        return NULL;
    }
    message_pack(&in, packed);
    message_view(packed, &view);
    const format_message entry = {.seq = 1, .count = 1, .packed = packed};
    char *to = malloc(format_json_message_bytes_max(&view));
    if (to != NULL) {
        *size_bytes = (size_t)(format_json_message(&entry, &view, to) - to);
    }
    free(packed);
    return to;
}

#endif
