/* SPDX-License-Identifier: Apache-2.0 */
/* What a supervisor is told, read from a socket that stands in its place. */
#define _POSIX_C_SOURCE 200809L
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pool/os.h"
#include "server/ops/notify.h"

static char folder[] = "/tmp/test_notify_XXXXXX";
static char path[64];
static int supervisor = -1;
static char text[1024];

/* `name` begins with '/' or '@'. */
static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    supervisor = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(supervisor >= 0);
    assert_int_equal(bind(supervisor, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

/* The next datagram, "" when there is none. */
static const char *heard(void)
{
    ssize_t bytes = recv(supervisor, text, sizeof text - 1, MSG_DONTWAIT);
    text[bytes < 0 ? 0 : bytes] = '\0';
    return text;
}

static int leave(void **state)
{
    (void)state;
    notify_close();
    if (supervisor >= 0) {
        close(supervisor);
    }
    supervisor = -1;
    unlink(path);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static void each_state_is_one_datagram(void **state)
{
    (void)state;
    listen_at(path);
    notify_open();
    assert_string_equal(heard(), "");
    notify_ready("serving");
    assert_string_equal(heard(), "READY=1\nSTATUS=serving");
    notify_extend(5000000);
    assert_string_equal(heard(), "EXTEND_TIMEOUT_USEC=5000000");
    notify_stopping("draining");
    assert_string_equal(heard(), "STOPPING=1\nSTATUS=draining");
}

static void a_reload_carries_the_monotonic_clock_in_the_same_datagram(void **state)
{
    (void)state;
    listen_at(path);
    notify_open();
    unsigned long long before = os_clock_ns() / 1000u;
    notify_reloading();
    unsigned long long after = os_clock_ns() / 1000u;
    unsigned long long said = 0;
    assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%llu\n", &said), 1);
    assert_true(said >= before && said <= after);
}

static void the_watchdog_is_due_at_half_of_its_time(void **state)
{
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "2000000", 1);
    notify_open();
    assert_true(notify_watchdog_due(5000000000u));
    notify_watchdog(5000000000u);
    assert_string_equal(heard(), "WATCHDOG=1");
    assert_false(notify_watchdog_due(5999999999u));
    assert_true(notify_watchdog_due(6000000000u));
}

static void another_process_watchdog_is_not_ours(void **state)
{
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "2000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    notify_open();
    assert_false(notify_watchdog_due(UINT64_MAX));
}

static void children_inherit_no_socket_to_speak_to(void **state)
{
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "2000000", 1);
    notify_open();
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
}

static void an_abstract_socket_is_reached_too(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@danpool-test-notify-%ld", (long)getpid());
    listen_at(name);
    notify_open();
    notify_ready("x");
    assert_string_equal(heard(), "READY=1\nSTATUS=x");
}

static void without_a_socket_or_with_a_wrong_one_nothing_is_said(void **state)
{
    (void)state;
    notify_open();
    notify_ready("x");
    notify_watchdog(1);
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_open();
    notify_ready("x");
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    notify_open();
    notify_ready("x");
    assert_false(notify_watchdog_due(UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_state_is_one_datagram, leave),
        cmocka_unit_test_teardown(a_reload_carries_the_monotonic_clock_in_the_same_datagram, leave),
        cmocka_unit_test_teardown(the_watchdog_is_due_at_half_of_its_time, leave),
        cmocka_unit_test_teardown(another_process_watchdog_is_not_ours, leave),
        cmocka_unit_test_teardown(children_inherit_no_socket_to_speak_to, leave),
        cmocka_unit_test_teardown(an_abstract_socket_is_reached_too, leave),
        cmocka_unit_test_teardown(without_a_socket_or_with_a_wrong_one_nothing_is_said, leave),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/notify", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
