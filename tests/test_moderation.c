/* SPDX-License-Identifier: Apache-2.0 */
/* Moderation: who is muted, banned or slowed and until when; what survives a restart, and what not.
 */
#include "cm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/gate/moderation.h"
#include "server/wire/message.h"

static char folder[64], state_path[96], audit_path[96];
static uint32_t retry_ms;

static moderation *opened(size_t entries_max)
{
    const moderation_config config = {.state_path = state_path,
                                      .audit_path = audit_path,
                                      .entries_max = entries_max,
                                      .held_max = 3};
    char error[256] = "";
    moderation *table = NULL;
    if (moderation_create(&config, &table, error, sizeof error) != DP_OK) {
        fail_msg("%s", error);
    }
    return table;
}

static int fresh_files(void **state)
{
    (void)state;
    (void)chmod(folder, 0700);
    (void)unlink(state_path);
    (void)unlink(audit_path);
    return 0;
}

static dp_status order(moderation *table, moderation_action action, const char *room,
                       const char *target, uint32_t duration_s)
{
    const moderation_order one = {.action = action,
                                  .room = room,
                                  .target = target,
                                  .by = "mod",
                                  .reason = "so \"it\" is",
                                  .duration_s = duration_s};
    return moderation_apply(table, &one, 1000);
}

static dp_status set_room(moderation *table, moderation_action action, const char *room,
                          uint32_t value)
{
    const moderation_order one = {.action = action, .room = room, .by = "mod", .value = value};
    return moderation_apply(table, &one, 1000);
}

static identity user(const char *sub, const char *address)
{
    identity who = {.roles = IDENTITY_VIEWER | IDENTITY_PUBLISHER};
    snprintf(who.sub, sizeof who.sub, "%s", sub);
    assert_true(identity_address_parse(address, &who.address, NULL));
    return who;
}

static char *whole_file(const char *path)
{
    static char text[65536];
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    size_t size = fread(text, 1, sizeof text - 1, from);
    text[size] = '\0';
    (void)fclose(from);
    return text;
}

static void a_muted_user_is_muted_in_that_room_until_then(void **state)
{
    (void)state;
    moderation *table = opened(100);
    identity ann = user("ann", "192.0.2.1");
    identity bob = user("bob", "192.0.2.1");
    assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms), MODERATION_OK);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "a", "ann", 60), DP_OK);
    assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms), MODERATION_MUTED);
    assert_int_equal(retry_ms, 60000);
    assert_int_equal(moderation_check(table, "b", &ann, 1000, &retry_ms), MODERATION_OK);
    assert_int_equal(moderation_check(table, "a", &bob, 1000, &retry_ms), MODERATION_OK);
    assert_false(moderation_is_banned(table, "a", &ann, 1000));
    assert_int_equal(moderation_check(table, "a", &ann, 60999, &retry_ms), MODERATION_MUTED);
    assert_int_equal(retry_ms, 1);
    assert_int_equal(moderation_check(table, "a", &ann, 61000, &retry_ms), MODERATION_OK);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "bob", 0), DP_OK);
    assert_int_equal(moderation_check(table, "b", &bob, 1 << 30, &retry_ms), MODERATION_MUTED);
    assert_int_equal(retry_ms, 0);
    assert_int_equal(order(table, MODERATION_UNMUTE_USER, "", "bob", 0), DP_OK);
    assert_int_equal(moderation_check(table, "b", &bob, 1000, &retry_ms), MODERATION_OK);
    assert_int_equal(order(table, MODERATION_UNMUTE_USER, "", "bob", 0), DP_ERR_NOT_FOUND);
    moderation_destroy(table);
}

static void a_banned_prefix_covers_its_addresses(void **state)
{
    (void)state;
    moderation *table = opened(100);
    identity in = user("", "192.0.2.77");
    identity out = user("", "192.0.3.77");
    identity six = user("", "2001:db8:1:2::9");
    assert_int_equal(order(table, MODERATION_BAN_ADDRESS, "", "192.0.2.0/24", 0), DP_OK);
    assert_int_equal(order(table, MODERATION_BAN_ADDRESS, "a", "2001:db8:1::/48", 0), DP_OK);
    assert_int_equal(moderation_check(table, "a", &in, 1000, &retry_ms), MODERATION_BANNED);
    assert_true(moderation_is_banned(table, "a", &in, 1000));
    assert_int_equal(moderation_check(table, "a", &out, 1000, &retry_ms), MODERATION_OK);
    assert_true(moderation_is_banned(table, "a", &six, 1000));
    assert_false(moderation_is_banned(table, "b", &six, 1000));
    /* Written another way, it is the same prefix. */
    assert_int_equal(order(table, MODERATION_UNBAN_ADDRESS, "", "192.0.2.9/24", 0), DP_OK);
    assert_false(moderation_is_banned(table, "a", &in, 1000));
    assert_int_equal(order(table, MODERATION_BAN_ADDRESS, "", "nonsense", 0), DP_ERR_INVALID);
    moderation_destroy(table);
}

static void moderators_pass(void **state)
{
    (void)state;
    moderation *table = opened(100);
    identity ann = user("ann", "192.0.2.1");
    assert_int_equal(order(table, MODERATION_CLOSE_ROOM, "a", NULL, 0), DP_OK);
    assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms), MODERATION_ROOM_CLOSED);
    ann.roles |= IDENTITY_MODERATOR;
    assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms), MODERATION_OK);
    moderation_destroy(table);
}

static void a_slow_room_makes_each_sender_pause(void **state)
{
    (void)state;
    moderation *table = opened(100);
    identity ann = user("ann", "192.0.2.1");
    identity bob = user("bob", "192.0.2.1");
    assert_int_equal(set_room(table, MODERATION_SLOW_ROOM, "a", 5), DP_OK);
    assert_int_equal(moderation_check(table, "a", &ann, 10000, &retry_ms), MODERATION_OK);
    assert_int_equal(moderation_check(table, "a", &ann, 11000, &retry_ms), MODERATION_SLOW);
    assert_int_equal(retry_ms, 4000);
    assert_int_equal(moderation_check(table, "a", &bob, 11000, &retry_ms), MODERATION_OK);
    assert_int_equal(moderation_check(table, "b", &ann, 11000, &retry_ms), MODERATION_OK);
    assert_int_equal(moderation_check(table, "a", &ann, 15000, &retry_ms), MODERATION_OK);
    assert_int_equal(moderation_check(table, "a", &ann, 15001, &retry_ms), MODERATION_SLOW);
    assert_int_equal(set_room(table, MODERATION_SLOW_ROOM, "a", 0), DP_OK);
    assert_int_equal(moderation_check(table, "a", &ann, 15002, &retry_ms), MODERATION_OK);
    moderation_destroy(table);
}

static void settings_of_a_room_add_up_and_can_be_taken_back(void **state)
{
    (void)state;
    moderation *table = opened(1);
    uint64_t version = moderation_version(table);
    assert_int_equal(moderation_room_settings(table, "a").budget, MODERATION_UNSET);
    assert_int_equal(set_room(table, MODERATION_BUDGET_ROOM, "a", 50), DP_OK);
    assert_true(moderation_version(table) > version);
    assert_int_equal(set_room(table, MODERATION_MERGE_ROOM, "a", 7), DP_OK);
    assert_int_equal(moderation_room_settings(table, "a").budget, 50);
    assert_int_equal(moderation_room_settings(table, "a").merge, 1);
    assert_int_equal(moderation_room_settings(table, "b").merge, MODERATION_UNSET);
    assert_int_equal(set_room(table, MODERATION_BUDGET_ROOM, "a", MODERATION_UNSET), DP_OK);
    assert_int_equal(set_room(table, MODERATION_MERGE_ROOM, "a", MODERATION_UNSET), DP_OK);
    /* With nothing left to say it has gone, and its place is free. */
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "ann", 1), DP_OK);
    moderation_destroy(table);
}

static void entries_are_bounded_and_expired_ones_make_room(void **state)
{
    (void)state;
    moderation *table = opened(2);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "a", 1), DP_OK);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "b", 0), DP_OK);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "c", 0), DP_ERR_BUSY);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "b", 9), DP_OK); /* the same again */
    const moderation_order late = {.action = MODERATION_MUTE_USER, .target = "c"};
    assert_int_equal(moderation_apply(table, &late, 2000), DP_OK);
    moderation_destroy(table);
}

static void a_restart_finds_what_was_decided(void **state)
{
    (void)state;
    moderation *table = opened(100);
    identity ann = user("ann", "192.0.2.1");
    assert_int_equal(order(table, MODERATION_MUTE_USER, "a", "ann", 60), DP_OK);
    assert_int_equal(order(table, MODERATION_BAN_ADDRESS, "", "198.51.100.0/24", 0), DP_OK);
    assert_int_equal(set_room(table, MODERATION_SLOW_ROOM, "b", 9), DP_OK);
    char *before;
    char *after;
    assert_int_equal(moderation_list(table, "", 1000, &before), DP_OK);
    moderation_destroy(table);
    table = opened(100);
    assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms), MODERATION_MUTED);
    assert_int_equal(moderation_list(table, "", 1000, &after), DP_OK);
    assert_string_equal(before, after);
    assert_string_equal(
        after,
        "{\"mutes\":[{\"room\":\"a\",\"user\":\"ann\",\"by\":\"mod\",\"reason\":\"so "
        "\\\"it\\\" is\",\"until\":61000}],\"bans\":[{\"room\":\"\",\"address\":"
        "\"198.51.100.0/24\",\"by\":\"mod\",\"reason\":\"so \\\"it\\\" is\"}],\"rooms\":[{"
        "\"room\":\"b\",\"closed\":false,\"slow_s\":9,\"by\":\"mod\"}],\"held\":[]}");
    os_free(before);
    os_free(after);
    moderation_destroy(table);
}

static void every_damaged_state_file_is_refused_and_left_alone(void **state)
{
    (void)state;
    moderation *table = opened(100);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "a", "ann", 60), DP_OK);
    assert_int_equal(order(table, MODERATION_BAN_ADDRESS, "", "192.0.2.1", 0), DP_OK);
    moderation_destroy(table);
    char good[4096];
    size_t size = (size_t)snprintf(good, sizeof good, "%s", whole_file(state_path));
    const moderation_config config = {
        .state_path = state_path, .audit_path = "", .entries_max = 100, .held_max = 1};
    for (size_t i = 0; i < 2 * size; i++) {
        /* Each byte changed, and each length that is too short. */
        FILE *to = fopen(state_path, "wb");
        char bad[4096];
        memcpy(bad, good, size);
        bad[i % size] = (char)(bad[i % size] ^ 1);
        size_t bytes = i < size ? size : i - size;
        assert_non_null(to);
        assert_int_equal(fwrite(i < size ? bad : good, 1, bytes, to), bytes);
        assert_int_equal(fclose(to), 0);
        char error[256] = "";
        moderation *none = NULL;
        struct stat about;
        dp_status status = moderation_create(&config, &none, error, sizeof error);
        assert_int_equal(status, DP_ERR_CORRUPT);
        assert_null(none);
        assert_non_null(strstr(error, state_path));
        assert_int_equal(stat(state_path, &about), 0);
        assert_int_equal(about.st_size, bytes);
    }
}

static void an_order_that_cannot_be_written_changes_nothing(void **state)
{
    (void)state;
    moderation *table = opened(100);
    identity ann = user("ann", "192.0.2.1");
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "bob", 0), DP_OK);
    /* A folder where the new file should go: this fails for root too. */
    char beside[128];
    snprintf(beside, sizeof beside, "%s.new", state_path);
    assert_int_equal(mkdir(beside, 0700), 0);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "ann", 0), DP_ERR_IO);
    assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms), MODERATION_OK);
    assert_int_equal(order(table, MODERATION_UNMUTE_USER, "", "bob", 0), DP_ERR_IO);
    ann = user("bob", "192.0.2.1");
    assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms), MODERATION_MUTED);
    assert_int_equal(rmdir(beside), 0);
    assert_int_equal(order(table, MODERATION_UNMUTE_USER, "", "bob", 0), DP_OK);
    assert_non_null(strstr(whole_file(audit_path), "\"failed\":\"io\""));
    moderation_destroy(table);
}

static void the_audit_log_only_grows_and_can_be_moved_away(void **state)
{
    (void)state;
    moderation *table = opened(100);
    const moderation_order recall = {
        .action = MODERATION_RECALL, .room = "a", .by = "mod", .seq = 17};
    assert_int_equal(moderation_apply(table, &recall, 5), DP_OK);
    assert_string_equal(whole_file(audit_path),
                        "{\"ts\":5,\"action\":\"recall\",\"room\":\"a\","
                        "\"by\":\"mod\",\"seq\":17}\n");
    char moved[128];
    snprintf(moved, sizeof moved, "%s.1", audit_path);
    assert_int_equal(rename(audit_path, moved), 0);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "ann", 3), DP_OK);
    assert_int_equal(moderation_audit_reopen(table), DP_OK);
    assert_int_equal(order(table, MODERATION_UNMUTE_USER, "", "ann", 0), DP_OK);
    assert_non_null(strstr(whole_file(moved), "\"duration_s\":3}\n"));
    assert_int_equal(strncmp(whole_file(audit_path), "{\"ts\":1000,\"action\":\"unmute_user\"", 33),
                     0);
    moderation_destroy(table);
    assert_int_equal(unlink(moved), 0);
}

static void texts_that_would_break_a_line_are_refused(void **state)
{
    (void)state;
    moderation *table = opened(100);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "a\nb", 0), DP_ERR_INVALID);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "a\tb", 0), DP_ERR_INVALID);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "", 0), DP_ERR_INVALID);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "no/room", "a", 0), DP_ERR_INVALID);
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "\xFF", 0), DP_ERR_INVALID);
    moderation_destroy(table);
}

static void the_servers_own_mute_holds_at_once_and_is_written_later(void **state)
{
    (void)state;
    moderation *table = opened(100);
    identity guest = user("", "2001:db8::5");
    identity neighbour = user("", "2001:db8::6");
    assert_int_equal(moderation_mute(table, "a", &guest, "repeated", 60, 1000), DP_OK);
    assert_int_equal(moderation_check(table, "a", &guest, 1000, &retry_ms), MODERATION_MUTED);
    assert_int_equal(moderation_check(table, "a", &neighbour, 1000, &retry_ms), MODERATION_MUTED);
    assert_int_equal(access(state_path, F_OK), -1);
    assert_int_equal(moderation_maintain(table, 1000), DP_OK);
    assert_non_null(strstr(whole_file(state_path), "2001:db8::/64"));
    assert_int_equal(moderation_maintain(table, 61000), DP_OK);
    assert_null(strstr(whole_file(state_path), "2001:db8::/64"));
    moderation_destroy(table);
}

static void held_comments_wait_are_listed_and_taken_once(void **state)
{
    (void)state;
    moderation *table = opened(100);
    const message in = {.kind = MESSAGE_TEXT, .text = {"a \"b\"", 5}, .user_id = {"ann", 3}};
    size_t bytes = message_packed_bytes(&in);
    void *packed = malloc(bytes);
    uint64_t ids[4];
    char *json;
    char room[MODERATION_ROOM_BYTES];
    void *taken;
    assert_non_null(packed);
    message_pack(&in, packed);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(moderation_hold(table, i == 2 ? "b" : "a", packed, bytes, 7, &ids[i]),
                         DP_OK);
    }
    free(packed);
    assert_int_equal(moderation_held_dropped(table), 1);
    assert_int_equal(moderation_held_take(table, ids[0], room, &taken), DP_ERR_NOT_FOUND);
    assert_int_equal(moderation_list(table, "b", 1000, &json), DP_OK);
    assert_string_equal(json,
                        "{\"mutes\":[],\"bans\":[],\"rooms\":[],\"held\":[{\"id\":\"3\","
                        "\"room\":\"b\",\"ts\":7,\"text\":\"a \\\"b\\\"\",\"user\":\"ann\"}]}");
    os_free(json);
    assert_int_equal(moderation_held_take(table, ids[2], room, &taken), DP_OK);
    assert_string_equal(room, "b");
    message out;
    message_view(taken, &out);
    assert_memory_equal(out.text.bytes, "a \"b\"", 5);
    os_free(taken);
    assert_int_equal(moderation_held_take(table, ids[2], room, &taken), DP_ERR_NOT_FOUND);
    moderation_destroy(table);
}

static void no_memory_is_said_and_changes_nothing(void **state)
{
    (void)state;
    const moderation_config config = {
        .state_path = state_path, .audit_path = audit_path, .entries_max = 9, .held_max = 3};
    moderation *table = opened(9);
    identity ann = user("ann", "192.0.2.1");
    assert_int_equal(order(table, MODERATION_MUTE_USER, "", "bob", 0), DP_OK);
    for (uint64_t nth = 1;; nth++) {
        os_malloc_fail_nth(nth);
        dp_status status = order(table, MODERATION_MUTE_USER, "", "ann", 0);
        bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, fired ? DP_ERR_NOMEM : DP_OK);
        assert_int_equal(moderation_check(table, "a", &ann, 1000, &retry_ms),
                         fired ? MODERATION_OK : MODERATION_MUTED);
        if (!fired) {
            assert_true(nth > 2);
            break;
        }
    }
    moderation_destroy(table);
    for (uint64_t nth = 1;; nth++) {
        char error[256];
        moderation *other = NULL;
        os_malloc_fail_nth(nth);
        dp_status status = moderation_create(&config, &other, error, sizeof error);
        bool fired = os_malloc_fail_nth(0) == 0;
        assert_int_equal(status, fired ? DP_ERR_NOMEM : DP_OK);
        moderation_destroy(other);
        if (!fired) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_muted_user_is_muted_in_that_room_until_then, fresh_files),
        cmocka_unit_test_setup(a_banned_prefix_covers_its_addresses, fresh_files),
        cmocka_unit_test_setup(moderators_pass, fresh_files),
        cmocka_unit_test_setup(a_slow_room_makes_each_sender_pause, fresh_files),
        cmocka_unit_test_setup(settings_of_a_room_add_up_and_can_be_taken_back, fresh_files),
        cmocka_unit_test_setup(entries_are_bounded_and_expired_ones_make_room, fresh_files),
        cmocka_unit_test_setup(a_restart_finds_what_was_decided, fresh_files),
        cmocka_unit_test_setup(every_damaged_state_file_is_refused_and_left_alone, fresh_files),
        cmocka_unit_test_setup(an_order_that_cannot_be_written_changes_nothing, fresh_files),
        cmocka_unit_test_setup(the_audit_log_only_grows_and_can_be_moved_away, fresh_files),
        cmocka_unit_test_setup(texts_that_would_break_a_line_are_refused, fresh_files),
        cmocka_unit_test_setup(the_servers_own_mute_holds_at_once_and_is_written_later,
                               fresh_files),
        cmocka_unit_test_setup(held_comments_wait_are_listed_and_taken_once, fresh_files),
        cmocka_unit_test_setup(no_memory_is_said_and_changes_nothing, fresh_files),
    };
    snprintf(folder, sizeof folder, "/tmp/danpool-moderation-%d", (int)getpid());
    snprintf(state_path, sizeof state_path, "%s/state", folder);
    snprintf(audit_path, sizeof audit_path, "%s/audit", folder);
    if (mkdir(folder, 0700) != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)fresh_files(NULL);
    (void)rmdir(folder);
    return failed;
}
