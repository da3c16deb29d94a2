/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a share, as docs/share.md promises them to other languages, and every field of a
 * header, a grant and a token planted wrong.
 */
#include "share_rig.h"

static share_layout sound_layout(void)
{
    share_layout layout = {
        .share_id = 0x1122334455667788,
        .data_bytes = 1 << 20,
        .block_bytes = 4096,
        .peer = 7,
        .grants = 1024,
        .lease_ms = 5000,
        .name = "room",
    };
    share_layout_plan(&layout);
    return layout;
}

static share_header sound_header(void)
{
    share_header header;
    share_layout layout = sound_layout();
    memset(&header, 0, sizeof header);
    share_header_write(&header, &layout);
    return header;
}

static dp_status check(const share_header *header)
{
    share_layout layout;
    return share_header_check(header, 192 << 10, 1 << 20, &layout);
}

static void a_header_has_the_bytes_of_its_description(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        'D',  'P',  'S',  'H',  'A',  'R',  'E',  '\n', /* 0: magic */
        1,    0,    0,    0,    0,    1,    0,    0,    /* 8: version, header_bytes */
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* 16: share_id */
        0,    0,    0x10, 0,    0,    0,    0,    0,    /* 24: data_bytes */
        0,    0x10, 0,    0,    7,    0,    0,    0,    /* 32: block_bytes, peer */
        0,    4,    0,    0,    64,   0,    0,    0,    /* 40: grants, entry_bytes */
        0,    0,    1,    0,    0,    0,    0,    0,    /* 48: grants_offset */
        0,    0,    2,    0,    0,    0,    0,    0,    /* 56: claims_offset */
        0,    0,    3,    0,    0,    0,    0,    0,    /* 64: control_bytes */
        1,    0,    0,    0,    0x88, 0x13, 0,    0,    /* 72: state, lease_ms */
        'r',  'o',  'o',  'm',  0,                      /* 80: name */
    };
    share_header header = sound_header();
    assert_memory_equal(&header, bytes, sizeof bytes);
    assert_int_equal(sizeof header, 256);
}

static void entries_and_tokens_have_the_bytes_of_their_description(void **state)
{
    (void)state;
    assert_int_equal(offsetof(share_grant_entry, serial), 0);
    assert_int_equal(offsetof(share_grant_entry, offset_bytes), 8);
    assert_int_equal(offsetof(share_grant_entry, size_bytes), 16);
    assert_int_equal(offsetof(share_grant_entry, granted_ns), 24);
    assert_int_equal(offsetof(share_claim_entry, claimed), 0);
    assert_int_equal(offsetof(share_claim_entry, released), 8);
    assert_int_equal(offsetof(share_token, share_id), 0);
    assert_int_equal(offsetof(share_token, serial), 8);
    assert_int_equal(offsetof(share_token, size_bytes), 16);
    assert_int_equal(offsetof(share_token, peer), 24);
    assert_int_equal(offsetof(share_token, grant), 28);
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    share_header header = sound_header();
    share_layout want = sound_layout();
    share_layout got;
    memset(&got, 0xff, sizeof got);
    assert_int_equal(share_header_check(&header, 192 << 10, 1 << 20, &got), DP_OK);
    assert_int_equal(got.share_id, want.share_id);
    assert_int_equal(got.data_bytes, want.data_bytes);
    assert_int_equal(got.grants_offset, want.grants_offset);
    assert_int_equal(got.claims_offset, want.claims_offset);
    assert_int_equal(got.control_bytes, want.control_bytes);
    assert_string_equal(got.name, "room");
}

/* One field is overwritten by `bytes`; nothing else is touched. */
typedef struct planted {
    const char *what;
    size_t at;
    size_t size;
    uint64_t value;
    dp_status want;
} planted;

#define FIELD(field) offsetof(share_header, field), sizeof(((share_header *)0)->field)

static const planted planted_headers[] = {
    {"magic", 0, 1, 'd', DP_ERR_FORMAT},
    {"a later version", FIELD(version), 2, DP_ERR_UNSUPPORTED},
    {"version 0", FIELD(version), 0, DP_ERR_UNSUPPORTED},
    {"a short header", FIELD(header_bytes), 255, DP_ERR_FORMAT},
    {"a header over the tables", FIELD(header_bytes), 65537, DP_ERR_FORMAT},
    {"data larger than the file", FIELD(data_bytes), (1 << 20) + 65536, DP_ERR_FORMAT},
    {"data smaller than the file", FIELD(data_bytes), 65536, DP_ERR_FORMAT},
    {"no data", FIELD(data_bytes), 0, DP_ERR_FORMAT},
    {"blocks of 0", FIELD(block_bytes), 0, DP_ERR_FORMAT},
    {"blocks of 32", FIELD(block_bytes), 32, DP_ERR_FORMAT},
    {"blocks of 4097", FIELD(block_bytes), 4097, DP_ERR_FORMAT},
    {"blocks of 128 KiB", FIELD(block_bytes), 131072, DP_ERR_FORMAT},
    {"peer 0", FIELD(peer), 0, DP_ERR_FORMAT},
    {"no grants", FIELD(grants), 0, DP_ERR_FORMAT},
    {"one grant too many for the table", FIELD(grants), 1025, DP_ERR_FORMAT},
    {"grants whose size wraps round", FIELD(grants), 0x04000001, DP_ERR_FORMAT},
    {"entries of 32", FIELD(entry_bytes), 32, DP_ERR_FORMAT},
    {"grants in the header", FIELD(grants_offset), 0, DP_ERR_FORMAT},
    {"grants not aligned", FIELD(grants_offset), 65544, DP_ERR_FORMAT},
    {"grants over the claims", FIELD(grants_offset), 131072, DP_ERR_FORMAT},
    {"grants at the end of numbers", FIELD(grants_offset), UINT64_MAX - 65535, DP_ERR_FORMAT},
    {"claims over the grants", FIELD(claims_offset), 65536, DP_ERR_FORMAT},
    {"claims behind the file", FIELD(claims_offset), 196608, DP_ERR_FORMAT},
    {"claims at the end of numbers", FIELD(claims_offset), UINT64_MAX - 65535, DP_ERR_FORMAT},
    {"a control larger than the file", FIELD(control_bytes), 1 << 20, DP_ERR_FORMAT},
    {"a state that is none", FIELD(state), 3, DP_ERR_FORMAT},
    {"closed", FIELD(state), SHARE_CLOSED, DP_ERR_CLOSED},
};

static void a_header_with_one_wrong_field_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof planted_headers / sizeof planted_headers[0]; i++) {
        const planted *plan = &planted_headers[i];
        share_header header = sound_header();
        memcpy((char *)&header + plan->at, &plan->value, plan->size);
        if (check(&header) != plan->want)
            fail_msg("%s: %s", plan->what, dp_status_name(check(&header)));
    }
}

static void a_name_without_end_is_refused(void **state)
{
    (void)state;
    share_header header = sound_header();
    memset(header.name, 'x', sizeof header.name);
    assert_int_equal(check(&header), DP_ERR_FORMAT);
    header.name[sizeof header.name - 1] = '\0';
    assert_int_equal(check(&header), DP_OK);
}

static void a_token_that_names_no_grant_here_is_not_found(void **state)
{
    (void)state;
    const share_layout layout = sound_layout();
    const share_token good = {
        .share_id = layout.share_id, .serial = 1, .size_bytes = 10, .peer = 7, .grant = 1023};
    assert_int_equal(share_token_check(&layout, &good), DP_OK);
    share_token token = good;
    token.share_id++;
    assert_int_equal(share_token_check(&layout, &token), DP_ERR_NOT_FOUND);
    token = good;
    token.peer = 8;
    assert_int_equal(share_token_check(&layout, &token), DP_ERR_NOT_FOUND);
    token = good;
    token.grant = 1024;
    assert_int_equal(share_token_check(&layout, &token), DP_ERR_NOT_FOUND);
    token = good;
    token.serial = 0;
    assert_int_equal(share_token_check(&layout, &token), DP_ERR_NOT_FOUND);
}

static void a_grant_outside_the_data_is_corrupt(void **state)
{
    (void)state;
    const share_layout layout = sound_layout();
    const uint64_t end = layout.data_bytes;
    share_token token = {.size_bytes = 4096};
    assert_int_equal(share_grant_check(&layout, &token, end - 4096, 4096), DP_OK);
    assert_int_equal(share_grant_check(&layout, &token, end, 4096), DP_ERR_CORRUPT);
    assert_int_equal(share_grant_check(&layout, &token, UINT64_MAX - 4095, 4096), DP_ERR_CORRUPT);
    assert_int_equal(share_grant_check(&layout, &token, 64, 4096), DP_ERR_CORRUPT);
    assert_int_equal(share_grant_check(&layout, &token, 0, 0), DP_ERR_CORRUPT);
    token.size_bytes = UINT64_MAX;
    assert_int_equal(share_grant_check(&layout, &token, 4096, UINT64_MAX), DP_ERR_CORRUPT);
    token.size_bytes = end;
    assert_int_equal(share_grant_check(&layout, &token, 0, end), DP_OK);
    assert_int_equal(share_grant_check(&layout, &token, 4096, end), DP_ERR_CORRUPT);
    assert_int_equal(share_grant_check(&layout, &token, 0, 4096), DP_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_has_the_bytes_of_its_description),
        cmocka_unit_test(entries_and_tokens_have_the_bytes_of_their_description),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(a_header_with_one_wrong_field_is_refused),
        cmocka_unit_test(a_name_without_end_is_refused),
        cmocka_unit_test(a_token_that_names_no_grant_here_is_not_found),
        cmocka_unit_test(a_grant_outside_the_data_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
