/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol's vocabulary: error codes, modes, room names.  Tables and pure functions, no state.
 */
#include "server/wire/protocol.h"

#include <string.h>

#include "pool/os.h"

#define ROOM_NAME_BYTES_MAX 64u

static const struct {
    const char *code;
    unsigned http_status;
} errors[] = {
#define ERROR_ROW(id, code, http) {code, http},
    PROTOCOL_ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
};

/* In the order of protocol_mode. */
static const char *const modes[] = {"scroll", "top", "bottom", "reverse"};
#define MODE_COUNT (sizeof modes / sizeof modes[0])

const char *protocol_error_code(protocol_error error)
{
    DP_ASSERT((unsigned)error < PROTOCOL_ERROR_COUNT);
    return errors[error].code;
}

unsigned protocol_error_http_status(protocol_error error)
{
    DP_ASSERT((unsigned)error < PROTOCOL_ERROR_COUNT);
    return errors[error].http_status;
}

bool protocol_mode_by_name(const char *name, size_t name_bytes, protocol_mode *out)
{
    for (size_t i = 0; i < MODE_COUNT; i++) {
        if (strlen(modes[i]) == name_bytes && memcmp(modes[i], name, name_bytes) == 0) {
            *out = (protocol_mode)i;
            return true;
        }
    }
    return false;
}

const char *protocol_mode_name(protocol_mode mode)
{
    DP_ASSERT((unsigned)mode < MODE_COUNT);
    return modes[mode];
}

bool protocol_room_name_valid(const char *name, size_t name_bytes)
{
    if (name_bytes == 0 || name_bytes > ROOM_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name_bytes; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '_' && c != '.' && c != '-') {
            return false;
        }
    }
    return true;
}
