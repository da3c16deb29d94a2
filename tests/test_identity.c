/* SPDX-License-Identifier: Apache-2.0 */
/* Identities: rooms that a token allows, numbers of senders, addresses and prefixes as text. */
#include "cm.h"

#include <string.h>

#include "server/gate/identity.h"

static identity with_rooms(const char *rooms)
{
    identity who = {.roles = IDENTITY_VIEWER};
    strcpy(who.rooms, rooms);
    return who;
}

static void rooms_are_allowed_by_name_or_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *rooms, *room;
        bool allowed;
    } cases[] = {
        {"", "lobby", true},          {"lobby", "lobby", true},  {"lobby", "lobby2", false},
        {"lobby", "lobb", false},     {"a,b,c", "c", true},      {"a,b,c", "d", false},
        {"live-*", "live-1", true},   {"live-*", "live-", true}, {"live-*", "live", false},
        {"a,live-*", "live-x", true}, {"*", "anything", true},   {",", "", false},
        {"a,,b", "b", true},          {"a,", "a", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        identity who = with_rooms(cases[i].rooms);
        assert_int_equal(identity_allows_room(&who, cases[i].room), cases[i].allowed);
    }
}

static void a_guest_views_and_sends_only_where_that_is_set(void **state)
{
    (void)state;
    identity_address address = {.bytes = {[15] = 1}};
    identity who;
    identity_guest(false, &address, &who);
    assert_true(who.is_guest);
    assert_int_equal(who.roles, IDENTITY_VIEWER);
    assert_string_equal(who.sub, "");
    identity_guest(true, &address, &who);
    assert_int_equal(who.roles, IDENTITY_VIEWER | IDENTITY_PUBLISHER);
    assert_memory_equal(who.address.bytes, address.bytes, 16);
}

static identity at(const char *address)
{
    identity who = {.is_guest = true};
    assert_true(identity_address_parse(address, &who.address, NULL));
    return who;
}

static void a_sender_has_one_number_wherever_it_sits(void **state)
{
    (void)state;
    identity a = at("192.0.2.1");
    identity b = at("192.0.2.2");
    assert_int_equal(identity_key(&a), identity_key(&a));
    assert_true(identity_key(&a) != identity_key(&b));
    strcpy(a.sub, "ann");
    strcpy(b.sub, "ann");
    assert_int_equal(identity_key(&a), identity_key(&b));
    assert_int_equal(identity_key(&a), identity_user_key("ann"));
    strcpy(b.sub, "bob");
    assert_true(identity_key(&a) != identity_key(&b));
}

static void an_ipv6_host_is_its_64_bit_network(void **state)
{
    (void)state;
    identity a = at("2001:db8::1");
    identity b = at("2001:db8::ffff:2");
    identity c = at("2001:db8:0:1::1");
    assert_int_equal(identity_key(&a), identity_key(&b));
    assert_true(identity_key(&a) != identity_key(&c));
}

static void hashes_of_all_lengths_differ(void **state)
{
    (void)state;
    static const char zeros[40];
    uint64_t seen[sizeof zeros];
    for (size_t i = 0; i < sizeof zeros; i++) {
        seen[i] = identity_hash(zeros, i);
        assert_int_equal(seen[i], identity_hash(zeros, i));
        for (size_t j = 0; j < i; j++) {
            assert_true(seen[i] != seen[j]);
        }
    }
}

static void addresses_and_prefixes_come_back_as_they_are_usually_written(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        unsigned bits;
    } good[] = {
        {"192.0.2.7", "192.0.2.7", 128},
        {"192.0.2.7/32", "192.0.2.7", 128},
        {"192.0.2.7/24", "192.0.2.0/24", 120},
        {"0.0.0.0/0", "0.0.0.0/0", 96},
        {"2001:DB8::1", "2001:db8::1", 128},
        {"2001:db8::1/32", "2001:db8::/32", 32},
        {"2001:db8::ff/121", "2001:db8::80/121", 121},
        {"::/0", "::/0", 0},
        {"::ffff:192.0.2.7", "192.0.2.7", 128},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        identity_address address;
        unsigned bits = 0;
        char text[IDENTITY_ADDRESS_TEXT_BYTES];
        assert_true(identity_address_parse(good[i].from, &address, &bits));
        assert_int_equal(bits, good[i].bits);
        identity_address_print(&address, bits, text);
        assert_string_equal(text, good[i].to);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/",
                                      "1.2.3",
                                      "1.2.3.4/",
                                      "1.2.3.4/33",
                                      "1.2.3.4/-1",
                                      "1.2.3.4/01",
                                      "1.2.3.4/4294967297",
                                      "::/129",
                                      "host",
                                      "1.2.3.4/8/8",
                                      "::1%lo",
                                      "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
    identity_address address = {.bytes = {[0] = 7}};
    unsigned bits = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(identity_address_parse(bad[i], &address, &bits));
    }
    assert_false(identity_address_parse("1.2.3.4/8", &address, NULL));
    assert_int_equal(address.bytes[0], 7);
    assert_int_equal(bits, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rooms_are_allowed_by_name_or_prefix),
        cmocka_unit_test(a_guest_views_and_sends_only_where_that_is_set),
        cmocka_unit_test(a_sender_has_one_number_wherever_it_sits),
        cmocka_unit_test(an_ipv6_host_is_its_64_bit_network),
        cmocka_unit_test(hashes_of_all_lengths_differ),
        cmocka_unit_test(addresses_and_prefixes_come_back_as_they_are_usually_written),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
