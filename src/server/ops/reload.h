/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running danpoold takes on without a restart: on SIGHUP its settings, and by themselves the
 * files of keys when they change.
 *
 * Everything new is read before anything is replaced, and what cannot be read leaves the old in
 * use.  The main thread alone reloads.
 */
#ifndef DP_SERVER_RELOAD_H
#define DP_SERVER_RELOAD_H

#include <stdint.h>

#include "server/server.h"

/* Reads the settings anew, as at the start: file, environment, flags. */
typedef dp_status (*reload_settings)(const void *user, config *out, config_error *error);

typedef struct reload_state reload_state;

/* Remembers what the watched files look like.  NULL where there is no memory. */
reload_state *reload_watch(const dp_server *server);
void reload_watch_end(reload_state *state);

/* SIGHUP: settings and files; says in the log what failed, and what needs a restart. */
void reload_all(dp_server *server, reload_settings read, const void *user);

/* From time to time: when a watched file has changed and then kept still for a second, the files
 * are read again. */
void reload_look(reload_state *state, dp_server *server, uint64_t now_ns);

#endif
