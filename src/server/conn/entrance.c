/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token is never logged and never leaves this file but into auth_verify().
 */
#include "server/conn/entrance.h"

#include <stdio.h>
#include <string.h>

#include "server/gate/gate.h"
#include "server/ops/metrics.h"
#include "server/server.h"

#define TOKEN_BYTES_MAX   2048u
#define ADDRESS_BYTES_MAX 64u
#define BEARER            "Bearer "

void entrance_address(struct lws *wsi, identity_address *out)
{
    char text[ADDRESS_BYTES_MAX] = "";
    *out = (identity_address){.bytes = {0}};
    lws_get_peer_simple(wsi, text, sizeof text);
    (void)identity_address_parse(text, out, NULL);
}

identity *entrance_who(struct lws *wsi)
{
    dp_session *session = lws_wsi_user(wsi);
    return &session->who;
}

/* Finds the token in what the request brought, "" where there is none; false: it is too long. */
static bool find_token(struct lws *wsi, char space[TOKEN_BYTES_MAX], const char **token)
{
    *token = "";
    int header_bytes = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
    if (header_bytes > 0) {
        if (lws_hdr_copy(wsi, space, TOKEN_BYTES_MAX, WSI_TOKEN_HTTP_AUTHORIZATION) <= 0) {
            return false;
        }
        if (strncmp(space, BEARER, sizeof BEARER - 1) == 0) {
            *token = space + sizeof BEARER - 1;
            return true;
        }
    }
    const char *argument = lws_get_urlarg_by_name(wsi, "token=", space, TOKEN_BYTES_MAX);
    if (argument != NULL) {
        *token = argument;
    }
    return true;
}

static protocol_error refuse(protocol_error error, protocol_message *why, const char *words,
                             const char *detail)
{
    (void)snprintf(why->text, sizeof why->text, "%s%s", words, detail);
    return error;
}

/* A token that does not verify is an error of its own, not a guest: its owner must hear of it. */
static protocol_error identify(const dp_server *server, const char *token, identity *who,
                               protocol_message *why)
{
    const identity_address address = who->address;
    if (!auth_is_enabled(server->auth)) {
        identity_guest(true, &address, who);
        return PROTOCOL_OK;
    }
    if (token[0] == '\0') {
        if (server->config.auth_guests == 0) {
            return refuse(PROTOCOL_UNAUTHORIZED, why, "a token is needed", "");
        }
        identity_guest(server->config.auth_guests_send != 0, &address, who);
        return PROTOCOL_OK;
    }
    auth_result result =
        auth_verify(server->auth, token, strlen(token), server_wall_ms() / 1000, who);
    who->address = address;
    return result == AUTH_OK ? PROTOCOL_OK
                             : refuse(PROTOCOL_UNAUTHORIZED, why,
                                      "the token is refused: ", auth_result_name(result));
}

protocol_error entrance_admit(server_loop *loop, const char *token, const char *room, identity *who,
                              protocol_message *why)
{
    dp_server *server = loop->server;
    protocol_error error = identify(server, token, who, why);
    if (error != PROTOCOL_OK || room == NULL) {
        return error;
    }
    if (!identity_allows_room(who, room)) {
        return refuse(PROTOCOL_FORBIDDEN, why, "this token is for other rooms", "");
    }
    if (moderation_is_banned(server->gate->moderation, room, who, server_wall_ms())) {
        return refuse(PROTOCOL_BANNED, why, "you are banned from this room", "");
    }
    return PROTOCOL_OK;
}

protocol_error entrance_check(server_loop *loop, struct lws *wsi, const char *room, identity *who,
                              protocol_message *why)
{
    char space[TOKEN_BYTES_MAX];
    const char *token;
    memset(who, 0, sizeof *who);
    entrance_address(wsi, &who->address);
    if (!find_token(wsi, space, &token)) {
        return refuse(PROTOCOL_UNAUTHORIZED, why, "the token is too long", "");
    }
    return entrance_admit(loop, token, room, who, why);
}
