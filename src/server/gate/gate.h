/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: moderation, limits, filter and repeats behind one call, in the order of admit.h.
 *
 * One for the server, its parts thread safe each by itself.
 */
#ifndef DP_SERVER_GATE_GATE_H
#define DP_SERVER_GATE_GATE_H

#include "server/config/config.h"
#include "server/gate/admit.h"
#include "server/gate/filter.h"
#include "server/gate/limits.h"
#include "server/gate/moderation.h"
#include "server/gate/repeat.h"

typedef struct gate {
    moderation *moderation;
    limits_table *limits;
    filter_set *filter;
    repeat_table *repeats;
    _Atomic uint32_t repeat_mute_s;
} gate;

/* `error` says which file and why. */
dp_status gate_open(const config *settings, gate **out, char *error, size_t error_bytes);
void gate_close(gate *all);

/*
 * Reads the filter lists again, opens the audit log anew and takes the limits of `settings`.  Lists
 * that cannot be read leave all as it was, and `error` says why.  Thread safe.
 */
dp_status gate_reload(gate *all, const config *settings, char *error, size_t error_bytes);

/* Every second or so, by a thread that may wait for the disk. */
void gate_maintain(gate *all, int64_t now_ms);

/*
 * What becomes of a message, `in` filled but for the room's number.  `who` NULL: only the filter
 * looks at it.  PROTOCOL_OK with out->is_held: it waits for a moderator.  The text may be masked in
 * place. Events and recalls always pass.
 */
protocol_error gate_check(gate *all, const char *room, const identity *who, message *in,
                          uint64_t now_ns, admit_result *out);

#endif
