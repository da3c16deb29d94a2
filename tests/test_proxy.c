/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a listed proxy speaks for, and that nobody else is believed. */
#include "cm.h"

#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "server/conn/proxy.h"

static identity_address address_of(const char *text)
{
    identity_address address;
    assert_true(proxy_address_read(text, strlen(text), &address));
    return address;
}

static const char *name_of(const identity_address *address)
{
    static char text[INET6_ADDRSTRLEN];
    assert_non_null(inet_ntop(AF_INET6, address->bytes, text, sizeof text));
    return text;
}

static proxy_list list_of(const char *text)
{
    proxy_list list;
    char wrong[64];
    assert_int_equal(proxy_list_read(text, &list, wrong), DP_OK);
    return list;
}

static void addresses_are_read_with_and_without_a_port(void **state)
{
    (void)state;
    static const char *const same[] = {"192.0.2.7", "192.0.2.7:443", "::ffff:192.0.2.7",
                                       "[::ffff:192.0.2.7]:1"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        identity_address address = address_of(same[i]);
        assert_string_equal(name_of(&address), "::ffff:192.0.2.7");
    }
    static const char *const wrong[] = {"",          "unknown", "192.0.2",   "[::1",   "[::1]x",
                                        "1.2.3.4.5", "::1::",   "256.1.1.1", "_hidden"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        identity_address address;
        assert_false(proxy_address_read(wrong[i], strlen(wrong[i]), &address));
    }
}

static void a_list_holds_networks_of_both_families(void **state)
{
    (void)state;
    proxy_list list = list_of("10.0.0.0/8, 192.0.2.1\t2001:db8::/33,,");
    static const struct {
        const char *address;
        bool is_in;
    } rows[] = {{"10.255.0.1", true},      {"11.0.0.1", false},        {"192.0.2.1", true},
                {"192.0.2.2", false},      {"2001:db8:7fff::1", true}, {"2001:db8:8000::1", false},
                {"::ffff:10.0.0.1", true}, {"::a00:1", false}};
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        identity_address address = address_of(rows[i].address);
        assert_int_equal(proxy_list_has(&list, &address), rows[i].is_in);
    }
    identity_address any = address_of("203.0.113.1");
    proxy_list none = list_of("");
    assert_false(proxy_list_has(&none, &any));
    proxy_list everybody = list_of("0.0.0.0/0");
    assert_true(proxy_list_has(&everybody, &any));
}

static void a_wrong_entry_is_shown(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "10.0.0.0/33", "::/129", "x", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/0x8", "10.0.0.0/0008"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        char wrong[64] = "";
        proxy_list list;
        snprintf(text, sizeof text, "127.0.0.1 %s", rows[i]);
        assert_int_equal(proxy_list_read(text, &list, wrong), DP_ERR_INVALID);
        assert_string_equal(wrong, rows[i]);
    }
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static proxy_result read_all(const char *bytes, size_t size_bytes, size_t *used,
                             identity_address *out)
{
    for (size_t part = 0; part < size_bytes; part++) {
        proxy_result early = proxy_read(bytes, part, used, out);
        if (early != PROXY_MORE) {
            return early;
        }
    }
    return proxy_read(bytes, size_bytes, used, out);
}

static void a_header_says_whom_it_speaks_for_and_where_it_ends(void **state)
{
    (void)state;
    size_t used = 0;
    identity_address address;
    static const char four[] = SIGNATURE "\x21\x11\0\x0c\xcb\0\x71\x05\x7f\0\0\1\x30\x39\x1f\x90";
    assert_int_equal(read_all(four, sizeof four - 1, &used, &address), PROXY_ADDRESS);
    assert_int_equal(used, 28);
    assert_string_equal(name_of(&address), "::ffff:203.0.113.5");
    static const char six[] = SIGNATURE
        "\x21\x21\0\x29\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
        "\x30\x39\x1f\x90\x03\0\2hi"; /* and a TLV behind */
    assert_int_equal(read_all(six, sizeof six - 1, &used, &address), PROXY_ADDRESS);
    assert_int_equal(used, 57);
    assert_string_equal(name_of(&address), "2001:db8::1");
    assert_int_equal(proxy_read("GET / HTTP/1.1", 14, &used, &address), PROXY_INVALID);
}

static void a_health_check_speaks_for_the_proxy(void **state)
{
    (void)state;
    size_t used = 0;
    identity_address address;
    static const char local[] = SIGNATURE "\x20\0\0\0";
    assert_int_equal(read_all(local, sizeof local - 1, &used, &address), PROXY_LOCAL);
    assert_int_equal(used, 16);
    static const char unknown[] = SIGNATURE "\x21\0\0\2xx";
    assert_int_equal(read_all(unknown, sizeof unknown - 1, &used, &address), PROXY_LOCAL);
    assert_int_equal(used, 18);
}

static void a_broken_header_is_refused_as_early_as_it_shows(void **state)
{
    (void)state;
    size_t used = 77;
    identity_address address;
    static const struct {
        const char *bytes;
        size_t size_bytes;
    } rows[] = {{SIGNATURE "\x11\x11\0\x0c", 16}, /* version 1 */
                {SIGNATURE "\x22\x11\0\x0c", 16}, /* a command that there is not */
                {SIGNATURE "\x21\x11\xff\xff", 16},
                {SIGNATURE "\x21\x11\0\x04"
                           "abcd",
                 20}, /* too short for its family */
                {SIGNATURE "\x21\x21\0\x0c"
                           "abcdabcdabcd",
                 28},
                {"\r\n\r\r", 4},
                {"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", 32}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_all(rows[i].bytes, rows[i].size_bytes, &used, &address),
                         PROXY_INVALID);
        assert_int_equal(used, 77);
    }
}

static void forwarded_for_is_followed_only_as_far_as_proxies_are_listed(void **state)
{
    (void)state;
    proxy_list list = list_of("127.0.0.0/8 10.0.0.0/8");
    static const struct {
        const char *peer, *text, *client;
    } rows[] = {
        {"127.0.0.1", "203.0.113.5", "::ffff:203.0.113.5"},
        {"127.0.0.1", "203.0.113.5, 10.0.0.3", "::ffff:203.0.113.5"},
        {"127.0.0.1", "6.6.6.6, 203.0.113.5,10.0.0.3",
         "::ffff:203.0.113.5"},                           /* forged on the left */
        {"203.0.113.9", "6.6.6.6", "::ffff:203.0.113.9"}, /* not a proxy */
        {"127.0.0.1", "", "::ffff:127.0.0.1"},
        {"127.0.0.1", "203.0.113.5, unknown", "::ffff:127.0.0.1"},
        {"127.0.0.1", "10.0.0.1, 10.0.0.2", "::ffff:10.0.0.1"},
        {"127.0.0.1", " , ,", "::ffff:127.0.0.1"},
        {"127.0.0.1", "[2001:db8::1]:55", "2001:db8::1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        identity_address peer = address_of(rows[i].peer);
        identity_address client =
            proxy_forwarded_for(&list, &peer, rows[i].text, strlen(rows[i].text));
        assert_string_equal(name_of(&client), rows[i].client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_with_and_without_a_port),
        cmocka_unit_test(a_list_holds_networks_of_both_families),
        cmocka_unit_test(a_wrong_entry_is_shown),
        cmocka_unit_test(a_header_says_whom_it_speaks_for_and_where_it_ends),
        cmocka_unit_test(a_health_check_speaks_for_the_proxy),
        cmocka_unit_test(a_broken_header_is_refused_as_early_as_it_shows),
        cmocka_unit_test(forwarded_for_is_followed_only_as_far_as_proxies_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
