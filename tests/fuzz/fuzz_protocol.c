/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over protocol_parse(), and over what is written from its result: whatever comes in, a
 * request that is accepted must give a message that is UTF-8, JSON, and holds `ext` as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_message.h"
#include "server/wire/protocol.h"
#include "server/wire/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static protocol_parser *parser;

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check_message(const protocol_request *request)
{
    size_t bytes = 0;
    char *written = json_of_request(request, &bytes);
    require(written != NULL);
    require(text_is_utf8(written, bytes));
    if (request->ext != NULL) {
        require(memcmp(written + bytes - 1 - request->ext_bytes, request->ext,
                       request->ext_bytes) == 0);
    }
    /* What we write is again a message (seq, ts and kind are unknown fields of it) with the same
     * meaning. */
    if (bytes <= PROTOCOL_FRAME_BYTES_MAX) {
        protocol_request again;
        protocol_message refusal;
        char *text = malloc(request->text_bytes);
        size_t text_bytes = request->text_bytes;
        size_t ext_bytes = request->ext_bytes;
        require(text != NULL);
        memcpy(text, request->text, text_bytes);
        require(protocol_parse(parser, written, bytes, false, &again, &refusal) == PROTOCOL_OK);
        require(again.text_bytes == text_bytes && memcmp(again.text, text, text_bytes) == 0);
        require(again.ext_bytes == ext_bytes);
        free(text);
    }
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const protocol_limits limits = {.text_chars_max = 200, .ext_bytes_max = 1024};
    protocol_request request;
    protocol_message refusal;
    if (parser == NULL) {
        require(protocol_parser_create(&limits, &parser) == DP_OK);
    }
    if (size == 0) {
        return 0;
    }
    /* The first byte chooses the form, so that one corpus serves both. */
    protocol_error error =
        protocol_parse(parser, data + 1, size - 1, (data[0] & 1) != 0, &request, &refusal);
    require(error != PROTOCOL_BUSY);
    require(memchr(refusal.text, '\0', sizeof refusal.text) != NULL);
    require((error == PROTOCOL_OK) == (refusal.text[0] == '\0'));
    if (error == PROTOCOL_OK && request.op == PROTOCOL_OP_SEND) {
        check_message(&request);
    }
    return 0;
}
