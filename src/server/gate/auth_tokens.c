/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of API tokens: a line for each, "sha256 name roles rooms", comments behind '#'.
 *
 *     9f86d081...0f00a08  shop  backend  *
 *     60303ae2...9356a4c  bot   publisher,mod  lobby,game-*
 *
 * The tokens themselves are nowhere: they are long and random, so that a plain hash of one tells
 * nothing about it, and a file that leaks opens no door.
 */
#include <stdio.h>
#include <string.h>

#include "pool/os.h"
#include "server/gate/auth_keys_internal.h"

#define WHITE_SPACE " \t\r"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(const char *text, uint8_t hash[32])
{
    if (strlen(text) != 64) {
        return false;
    }
    for (size_t i = 0; i < 32; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_roles(const char *text, uint32_t *roles)
{
    for (const char *at = text;;) {
        size_t length = strcspn(at, ",");
        uint32_t role = jwt_role(at, length);
        if (role == 0) {
            return false;
        }
        *roles |= role;
        if (at[length] == '\0') {
            return true;
        }
        at += length + 1;
    }
}

static bool read_rooms(const char *text, identity *who)
{
    if (strlen(text) >= sizeof who->rooms) {
        return false;
    }
    for (const char *at = text;;) {
        size_t length = strcspn(at, ",");
        if (!jwt_room_pattern_valid(at, length)) {
            return false;
        }
        if (at[length] == '\0') {
            break;
        }
        at += length + 1;
    }
    snprintf(who->rooms, sizeof who->rooms, "%s", strcmp(text, "*") == 0 ? "" : text);
    return true;
}

/* Which word of the line is wrong, NULL when none is. */
static const char *read_line(char *line, auth_api_token *out)
{
    char *rest = NULL;
    const char *words[5] = {NULL};
    size_t count = 0;
    for (char *word = strtok_r(line, WHITE_SPACE, &rest); word != NULL && count < 5;
         word = strtok_r(NULL, WHITE_SPACE, &rest)) {
        words[count++] = word;
    }
    if (count != 4) {
        return "a line is: sha256 name roles rooms";
    }
    if (!read_hash(words[0], out->sha256)) {
        return "the hash must be 64 of 0-9 a-f (sha256sum)";
    }
    if (strlen(words[1]) >= sizeof out->who.sub) {
        return "the name is too long";
    }
    snprintf(out->who.sub, sizeof out->who.sub, "%s", words[1]);
    snprintf(out->who.name, sizeof out->who.name, "%s", words[1]);
    if (!read_roles(words[2], &out->who.roles)) {
        return "roles are viewer, publisher, moderator, backend and admin, with commas";
    }
    return read_rooms(words[3], &out->who) ? NULL : "rooms are names or starts of names with *";
}

dp_status auth_tokens_read(auth_keys *keys, const char *path, char *text, auth_error *error)
{
    size_t lines = 1;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    keys->tokens = os_calloc(lines, sizeof *keys->tokens);
    if (keys->tokens == NULL) {
        auth_fail(error, "%s: out of memory", path);
        return DP_ERR_NOMEM;
    }
    unsigned number = 0;
    for (char *line = text; line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        number++;
        line[strcspn(line, "#")] = '\0';
        if (line[strspn(line, WHITE_SPACE)] != '\0') {
            const char *wrong = read_line(line, &keys->tokens[keys->token_count]);
            if (wrong != NULL) {
                return auth_fail(error, "%s:%u: %s", path, number, wrong);
            }
            keys->token_count++;
        }
        line = next;
    }
    return DP_OK;
}
