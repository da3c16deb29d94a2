/* SPDX-License-Identifier: Apache-2.0 */
/* Parked connections: when they come out, how many there may be, and that none is left open. */
#include "cm.h"

#include <fcntl.h>
#include <unistd.h>

#include "server/conn/tarpit.h"

static void a_connection_comes_out_when_its_time_has_come(void **state)
{
    (void)state;
    tarpit pit = {0};
    assert_int_equal(tarpit_take(&pit, UINT64_MAX), -1);
    assert_true(tarpit_park(&pit, 100, 30));
    assert_true(tarpit_park(&pit, 101, 10));
    assert_true(tarpit_park(&pit, 102, 20));
    assert_int_equal(tarpit_take(&pit, 9), -1);
    assert_int_equal(tarpit_take(&pit, 10), 101);
    assert_int_equal(tarpit_take(&pit, 10), -1);
    assert_int_equal(tarpit_take(&pit, 29), 102);
    assert_int_equal(tarpit_take(&pit, 30), 100);
    assert_int_equal(tarpit_take(&pit, UINT64_MAX), -1);
    tarpit_close(&pit);
}

static void places_are_bounded_and_come_back(void **state)
{
    (void)state;
    tarpit pit = {0};
    for (unsigned i = 0; i < TARPIT_PLACES; i++) {
        assert_true(tarpit_park(&pit, (int)(1000 + i), i));
    }
    assert_false(tarpit_park(&pit, 1, 0));
    assert_int_equal(tarpit_take(&pit, 0), 1000);
    assert_true(tarpit_park(&pit, 999, 7));
    assert_false(tarpit_park(&pit, 1, 0));
    for (unsigned i = 0; i < TARPIT_PLACES; i++) {
        assert_true(tarpit_take(&pit, UINT64_MAX) >= 999);
    }
    assert_int_equal(tarpit_take(&pit, UINT64_MAX), -1);
    tarpit_close(&pit);
}

static void what_is_parked_is_closed_with_it(void **state)
{
    (void)state;
    tarpit pit = {0};
    int fd = open("/dev/null", O_RDONLY);
    assert_true(fd >= 0);
    assert_true(tarpit_park(&pit, fd, 5));
    tarpit_close(&pit);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(tarpit_take(&pit, UINT64_MAX), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_comes_out_when_its_time_has_come),
        cmocka_unit_test(places_are_bounded_and_come_back),
        cmocka_unit_test(what_is_parked_is_closed_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
