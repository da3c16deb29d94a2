/* SPDX-License-Identifier: Apache-2.0 */
/* The gate as a whole: in which order its parts refuse, and with which words. */
#include "cm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/gate/gate.h"

#define SECOND 1000000000ull

static char list_path[64];
static config settings;

static void write_list(const char *text)
{
    FILE *to = fopen(list_path, "wb");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
}

static int defaults(void **state)
{
    (void)state;
    config_defaults(&settings);
    write_list("block badword\nmask mild\nhold doubtful\n");
    snprintf(settings.filter_lists, sizeof settings.filter_lists, "%s", list_path);
    settings.limits_user_messages_per_s = 2;
    settings.limits_repeat_times = 3;
    settings.moderation_held_max = 2;
    return 0;
}

static gate *opened(void)
{
    char error[256] = "";
    gate *all = NULL;
    if (gate_open(&settings, &all, error, sizeof error) != DP_OK) {
        fail_msg("%s", error);
    }
    return all;
}

static admit_result result;
static char text_sent[128];
static message sent;

static protocol_error says(gate *all, const identity *who, const char *text, uint64_t now_ns)
{
    result = (admit_result){.seq = 0};
    snprintf(text_sent, sizeof text_sent, "%s", text);
    sent = (message){.kind = MESSAGE_TEXT,
                     .ts_ms = (int64_t)(now_ns / 1000000),
                     .sender_key = who == NULL ? 0 : identity_key(who),
                     .text = {text_sent, (uint32_t)strlen(text)}};
    return gate_check(all, "lobby", who, &sent, now_ns, &result);
}

static identity ann(void)
{
    identity who = {.roles = IDENTITY_VIEWER | IDENTITY_PUBLISHER, .sub = "ann"};
    assert_true(identity_address_parse("192.0.2.1", &who.address, NULL));
    return who;
}

static void words_are_blocked_masked_and_held(void **state)
{
    (void)state;
    gate *all = opened();
    assert_int_equal(says(all, NULL, "a b.a.d.w.o.r.d", SECOND), PROTOCOL_BLOCKED);
    assert_int_equal(says(all, NULL, "a mild one", SECOND), PROTOCOL_OK);
    assert_int_equal(sent.text.size_bytes, 10);
    assert_memory_equal(sent.text.bytes, "a **** one", 10);
    assert_int_equal(says(all, NULL, "doubtful", SECOND), PROTOCOL_OK);
    assert_true(result.is_held);
    char *json;
    assert_int_equal(moderation_list(all->moderation, "lobby", 1000, &json), DP_OK);
    assert_non_null(strstr(json, "\"text\":\"doubtful\""));
    os_free(json);
    assert_int_equal(says(all, NULL, "fine", SECOND), PROTOCOL_OK);
    assert_false(result.is_held);
    gate_close(all);
}

static void a_user_has_one_bucket_over_all_connections(void **state)
{
    (void)state;
    gate *all = opened();
    identity who = ann();
    for (int i = 0; i < 4; i++) {
        char text[16];
        snprintf(text, sizeof text, "%c%c%c", 'b' + i, 'f' + i, 'j' + i);
        assert_int_equal(says(all, &who, text, SECOND), PROTOCOL_OK);
    }
    assert_int_equal(says(all, &who, "one more", SECOND), PROTOCOL_RATE_LIMITED);
    assert_int_equal(result.retry_ms, 500);
    assert_true(result.text.text[0] != '\0');
    assert_int_equal(says(all, &who, "one more", SECOND + SECOND / 2), PROTOCOL_OK);
    gate_close(all);
}

static void who_repeats_himself_is_muted_for_a_while(void **state)
{
    (void)state;
    gate *all = opened();
    identity who = ann();
    assert_int_equal(says(all, &who, "same", 10 * SECOND), PROTOCOL_OK);
    assert_int_equal(says(all, &who, "same", 11 * SECOND), PROTOCOL_OK);
    assert_int_equal(says(all, &who, "SAME!", 12 * SECOND), PROTOCOL_REPEATED);
    assert_int_equal(result.retry_ms, 60000);
    assert_int_equal(says(all, &who, "sorry", 13 * SECOND), PROTOCOL_MUTED);
    assert_int_equal(result.retry_ms, 59000);
    assert_int_equal(says(all, &who, "sorry", 73 * SECOND), PROTOCOL_OK);
    gate_close(all);
}

static void moderators_and_events_pass(void **state)
{
    (void)state;
    gate *all = opened();
    identity who = ann();
    who.roles |= IDENTITY_MODERATOR;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(says(all, &who, "badword", SECOND), PROTOCOL_OK);
    }
    gate_close(all);
}

static void each_decision_has_its_own_error(void **state)
{
    (void)state;
    gate *all = opened();
    identity who = ann();
    moderation_order order = {.action = MODERATION_SLOW_ROOM, .room = "lobby", .value = 9};
    assert_int_equal(moderation_apply(all->moderation, &order, 1), DP_OK);
    assert_int_equal(says(all, &who, "a", SECOND), PROTOCOL_OK);
    assert_int_equal(says(all, &who, "b", 2 * SECOND), PROTOCOL_SLOW_MODE);
    assert_int_equal(result.retry_ms, 8000);
    order.action = MODERATION_CLOSE_ROOM;
    assert_int_equal(moderation_apply(all->moderation, &order, 1), DP_OK);
    assert_int_equal(says(all, &who, "c", 2 * SECOND), PROTOCOL_ROOM_CLOSED);
    order = (moderation_order){.action = MODERATION_BAN_ADDRESS, .target = "192.0.2.0/24"};
    assert_int_equal(moderation_apply(all->moderation, &order, 1), DP_OK);
    assert_int_equal(says(all, &who, "d", 2 * SECOND), PROTOCOL_BANNED);
    gate_close(all);
}

static void a_reload_takes_lists_and_limits(void **state)
{
    (void)state;
    char error[256];
    gate *all = opened();
    identity who = ann();
    write_list("block other\n");
    settings.limits_user_messages_per_s = 0;
    settings.limits_repeat_times = 0;
    assert_int_equal(gate_reload(all, &settings, error, sizeof error), DP_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(says(all, &who, "badword", SECOND), PROTOCOL_OK);
    }
    assert_int_equal(says(all, &who, "other", SECOND), PROTOCOL_BLOCKED);
    write_list("nonsense\n");
    assert_int_equal(gate_reload(all, &settings, error, sizeof error), DP_ERR_INVALID);
    assert_non_null(strstr(error, ":1: "));
    assert_int_equal(says(all, &who, "other", SECOND), PROTOCOL_BLOCKED);
    gate_close(all);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        char error[256] = "";
        gate *all = NULL;
        os_malloc_fail_nth(nth);
        dp_status status = gate_open(&settings, &all, error, sizeof error);
        bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, fired ? DP_ERR_NOMEM : DP_OK);
        assert_int_equal(error[0] != '\0', fired);
        gate_close(all);
        if (!fired) {
            assert_true(nth > 10);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(words_are_blocked_masked_and_held, defaults),
        cmocka_unit_test_setup(a_user_has_one_bucket_over_all_connections, defaults),
        cmocka_unit_test_setup(who_repeats_himself_is_muted_for_a_while, defaults),
        cmocka_unit_test_setup(moderators_and_events_pass, defaults),
        cmocka_unit_test_setup(each_decision_has_its_own_error, defaults),
        cmocka_unit_test_setup(a_reload_takes_lists_and_limits, defaults),
        cmocka_unit_test_setup(no_memory_is_said, defaults),
    };
    snprintf(list_path, sizeof list_path, "/tmp/danpool-gate-%d.txt", (int)getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(list_path);
    return failed;
}
