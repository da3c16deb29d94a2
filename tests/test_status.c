/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes: every one has a name of its own and a message, and nonsense is answered too. */
#include "cm.h"

#include <string.h>

#include <danpool/status.h>

static void every_status_has_a_name_of_its_own_and_a_message(void **state)
{
    (void)state;
    for (int i = 0; i < DP_STATUS_COUNT; i++) {
        const char *name = dp_status_name((dp_status)i);
        assert_true(strlen(name) > 0 && strcmp(name, "unknown") != 0);
        assert_true(strlen(dp_status_message((dp_status)i)) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, dp_status_name((dp_status)k));
    }
}

static void names_are_the_ones_that_protocols_know(void **state)
{
    (void)state;
    assert_int_equal(DP_OK, 0);
    assert_string_equal(dp_status_name(DP_OK), "ok");
    assert_string_equal(dp_status_name(DP_ERR_NOMEM), "nomem");
    assert_string_equal(dp_status_name(DP_ERR_CLOSED), "closed");
}

static void a_code_outside_the_list_is_unknown_not_a_crash(void **state)
{
    (void)state;
    assert_string_equal(dp_status_name((dp_status)DP_STATUS_COUNT), "unknown");
    assert_string_equal(dp_status_name((dp_status)-1), "unknown");
    assert_true(strlen(dp_status_message((dp_status)9999)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_of_its_own_and_a_message),
        cmocka_unit_test(names_are_the_ones_that_protocols_know),
        cmocka_unit_test(a_code_outside_the_list_is_unknown_not_a_crash),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
