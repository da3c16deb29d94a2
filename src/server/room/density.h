/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an overfull room shows: a budget of messages a second, and the counting of identical ones.
 *
 * Both decide when a message is admitted, by what they know then, so that a flood never waits in
 * memory to be thrown away, and the sender learns at once what became of his message.
 *
 * Budget: a token bucket that holds a quarter of a second's worth.  Once a flood has emptied it,
 * the tokens come evenly in time, and each takes the first comment after it: of 10,000 a second
 * with a budget of 50 that is one every 20 ms, not the first 50.  The lanes above the ordinary may
 * run into debt, super chats by a second's budget, moderators by half of one, and the ordinary
 * comments after them wait until it is paid back: important ones are shown at once, at their cost.
 *
 * Merging: an ordinary comment whose text is like one that was shown less than merge_ns ago is not
 * shown again.  While that one waits in the window its count rises; later ones are added to the
 * count of the next that is shown.  The table of recent texts is of a fixed size and may forget.
 *
 * No lock: a room's, under the room's.
 */
#ifndef DP_SERVER_ROOM_DENSITY_H
#define DP_SERVER_ROOM_DENSITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#include "server/wire/message.h"

typedef struct room_budget {
    int64_t tokens_milli;
    uint64_t filled_ns;
} room_budget;

void room_budget_fill(room_budget *budget, uint32_t per_s, uint64_t now_ns);
/* Whether a message of this lane is shown; takes its token.  per_s 0: everything is. */
bool room_budget_take(room_budget *budget, uint32_t per_s, message_lane lane, uint64_t now_ns);
/* More than half of what it holds is used: the room is filling up. */
bool room_budget_is_tight(const room_budget *budget, uint32_t per_s);

#define ROOM_MERGE_TEXT_BYTES_MAX 512u /* longer ones are never merged */

/* A text that was shown. */
typedef struct merge_slot {
    uint64_t key; /* 0: free */
    uint64_t shown_ns;
    uint64_t seq;     /* under which it was shown last */
    uint32_t pending; /* merged into it since */
} merge_slot;

typedef struct merge_table {
    merge_slot *slots; /* NULL before the first text */
} merge_table;

void merge_table_clear(merge_table *table);

/* What makes two comments identical: the text but for case, width and white space, the mode and
 * roughly the colour.  0: this one is never merged (not an ordinary text, too long, or it brings
 * `ext`, which would be lost). */
uint64_t merge_key(const message *in);

/* The slot of that key, however old; NULL. */
merge_slot *merge_find(merge_table *table, uint64_t key);

/* Notes that the text is shown now as `seq`; the least recent of its set gives way.  Without memory
 * it is not noted, and nothing will be merged into it. */
void merge_note(merge_table *table, uint64_t key, uint64_t seq, uint64_t now_ns);

#endif
