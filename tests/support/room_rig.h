/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rooms for tests: a pool, a table, one room "lobby", and messages in short.  Time is passed in.
 */
#ifndef DP_TESTS_ROOM_RIG_H
#define DP_TESTS_ROOM_RIG_H

#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include <danpool/pool.h>
#include <danpool/stats.h>

#include "server/room/room.h"

#define WINDOW_NS 20000000u
#define START_NS  1000000000u

typedef struct room_rig {
    dp_pool *pool;
    room_table *table;
    dp_room *room;
    unsigned notified;
} room_rig;

static inline void rig_count_notify(void *loop, room_view *view)
{
    (void)view;
    ((room_rig *)loop)->notified++;
}

/* `config` without pool and notify. */
static inline int rig_set_up(void **state, room_config config)
{
    room_rig *made = calloc(1, sizeof *made);
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    assert_non_null(made);
    assert_int_equal(dp_pool_create(&pool_config, &made->pool), DP_OK);
    config.pool = made->pool;
    if (config.notify == NULL) {
        config.notify = rig_count_notify;
    }
    assert_int_equal(room_table_create(&config, &made->table), DP_OK);
    assert_int_equal(room_acquire(made->table, "lobby", true, &made->room), DP_OK);
    *state = made;
    return 0;
}

static inline room_config rig_config(void)
{
    return (room_config){.ring_batches = 4,
                         .ring_bytes_max = 1u << 20,
                         .history_max = 3,
                         .rooms_max = 2,
                         .window_ns = WINDOW_NS};
}

/* Everything that was taken must have come back. */
static inline int rig_tear_down(void **state)
{
    room_rig *made = *state;
    room_release(made->room);
    room_table_destroy(made->table);
    dp_stats stats;
    dp_stats_read(made->pool, &stats);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        assert_int_equal(stats.tiers[id].used_bytes, 0);
    }
    dp_pool_destroy(made->pool);
    free(made);
    return 0;
}

static inline message_slice rig_slice(const char *text)
{
    return (message_slice){.bytes = text, .size_bytes = (uint32_t)strlen(text)};
}

static inline message rig_text(const char *text)
{
    return (message){.kind = MESSAGE_TEXT,
                     .lane = MESSAGE_LANE_NORMAL,
                     .color = 0xffffff,
                     .size_px = 25,
                     .text = rig_slice(text)};
}

static inline room_admitted rig_admit(room_rig *rig, const char *text, uint64_t now_ns)
{
    message in = rig_text(text);
    room_admitted admitted;
    assert_int_equal(room_admit(rig->room, &in, now_ns, &admitted), DP_OK);
    return admitted;
}

static inline room_view *rig_join(room_rig *rig, unsigned loop_index, format_id format)
{
    room_view *view;
    assert_int_equal(room_view_create(rig->room, rig, loop_index, format, &view), DP_OK);
    return view;
}

static inline void rig_part(room_view *view)
{
    room_view_leave(view);
    room_view_destroy(view);
}

static inline void assert_frame(const dp_buf *frame, const char *text)
{
    assert_int_equal(dp_buf_size(frame) - BATCH_HEADROOM, strlen(text));
    assert_memory_equal((const char *)dp_buf_data(frame) + BATCH_HEADROOM, text, strlen(text));
}

/* Whether the text stands somewhere in the buffer. */
static inline bool rig_holds(const dp_buf *buf, const char *text)
{
    const char *bytes = dp_buf_data(buf);
    size_t text_bytes = strlen(text);
    for (size_t at = 0; at + text_bytes <= dp_buf_size(buf); at++) {
        if (memcmp(bytes + at, text, text_bytes) == 0) {
            return true;
        }
    }
    return false;
}

#endif
