/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's watch: an escape is counted and logged with its place, a room's history is none. */
#include "cm.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <danpool/lifecycle.h>

#include "server/ops/metrics.h"
#include "server/server.h"

static int64_t counted(void)
{
    return metrics_read(METRIC_ESCAPES_LOW) + metrics_read(METRIC_ESCAPES_MEDIUM) +
           metrics_read(METRIC_ESCAPES_HIGH);
}

static dp_buf *text_get(dp_pool *pool)
{
    const dp_request request = {.size_bytes = 100, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    dp_buf *buf = NULL;
    assert_int_equal(dp_get(pool, &request, &buf), DP_OK);
    memcpy(dp_buf_data(buf), "\"text\":\"x\"}", 11);
    dp_buf_set_size(buf, 11);
    return buf;
}

static void nobody(void *loop, room_view *view)
{
    (void)loop;
    (void)view;
}

/* Epochs take a quarter of a second at least: the only wait in here. */
static void let_an_epoch_pass(void)
{
    const struct timespec wait = {.tv_nsec = 300000000};
    (void)nanosleep(&wait, NULL);
}

/* What `server` logs in a scan, after the epoch of whatever is held is over. */
static void scan_logged(dp_server *server, char *text, size_t text_bytes)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    while (!escapes_scan(server))
        ;
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    (void)close(ends[1]);
    ssize_t got = read(ends[0], text, text_bytes - 1);
    text[got < 0 ? 0 : got] = '\0';
    (void)close(ends[0]);
}

static void an_escape_is_counted_and_logged_and_what_a_room_keeps_is_not(void **state)
{
    (void)state;
    dp_server server = {.config = {.pool_lease_ms = 1}};
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    assert_int_equal(dp_pool_create(&pool_config, &server.pool), DP_OK);
    const room_config rooms = {.pool = server.pool,
                               .ring_batches = 4,
                               .ring_bytes_max = 1 << 20,
                               .history_max = 10,
                               .rooms_max = 4,
                               .notify = nobody};
    assert_int_equal(room_table_create(&rooms, &server.rooms), DP_OK);
    dp_room *room = NULL;
    assert_int_equal(room_acquire(server.rooms, "lobby", true, &room), DP_OK);
    for (uint64_t i = 0; i < 20; i++) {
        room_admitted admitted;
        const message in = {.text = {.bytes = "x", .size_bytes = 1}};
        assert_int_equal(room_admit(room, &in, i, &admitted), DP_OK);
    }
    char text[4096];
    scan_logged(&server, text, sizeof text);
    let_an_epoch_pass();
    scan_logged(&server, text, sizeof text);
    let_an_epoch_pass();
    scan_logged(&server, text, sizeof text);
    assert_int_equal(counted(), 0);
    assert_string_equal(text, "");

    dp_buf *forgotten = text_get(server.pool);
    let_an_epoch_pass();
    scan_logged(&server, text, sizeof text);
    let_an_epoch_pass();
    scan_logged(&server, text, sizeof text);
    assert_int_equal(counted(), 1);
    assert_int_equal(metrics_read(METRIC_ESCAPES_LOW), 1);
    assert_non_null(strstr(text, "msg=\"buffer escaped\" severity=low module=\""));
    assert_non_null(strstr(text, "test_escapes\" offset=0x"));
    assert_non_null(strstr(text, "references=1 state=pending"));
    dp_put(forgotten);
    room_release(room);
    room_table_destroy(server.rooms);
    dp_pool_destroy(server.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_escape_is_counted_and_logged_and_what_a_room_keeps_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
