/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checker of the reset contract (danpool/object.h), for the tests of whoever writes a type.
 *
 * It constructs an object, lets the owner use it, overwrites what may hold any bytes with patterns,
 * resets it, and compares it with one that was just constructed; then resets it once more.  What
 * there is to compare, the owner says in a table of fields.
 */
#ifndef DANPOOL_RESET_H
#define DANPOOL_RESET_H

#include <danpool/object.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dp_field_kind {
    DP_FIELD_PLAIN,    /* any bytes are valid: overwritten by patterns, compared */
    DP_FIELD_VALUE,    /* only the owner changes it; compared */
    DP_FIELD_POINTER,  /* NULL after a reset exactly if it is NULL after construction */
    DP_FIELD_EMBEDDED, /* a struct with fields of its own */
    DP_FIELD_NESTED,   /* a pointer, as above, to such a struct */
    DP_FIELD_RESOURCE, /* a handle to something outside: a reset leaves it as it was */
    DP_FIELD_FD        /* an int, likewise; it is still open */
} dp_field_kind;

typedef struct dp_field {
    const char *name;
    size_t offset_bytes;
    size_t size_bytes;
    dp_field_kind kind;
    const struct dp_field *fields; /* of EMBEDDED and NESTED */
    size_t field_count;
} dp_field;

/* {DP_FIELD(struct message, text_bytes, DP_FIELD_PLAIN), ...} */
#define DP_FIELD(type, member, kind)                                                               \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)0)->member), kind, NULL, 0                \
    }
#define DP_FIELD_WITH(type, member, kind, table)                                                   \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)0)->member), kind, table,                 \
            sizeof(table) / sizeof((table)[0])                                                     \
    }

#define DP_RESET_DEPTH_MAX    8u
#define DP_RESET_FIELDS_MAX   4096u
#define DP_RESET_BREACHES_MAX 32u
#define DP_RESET_PATH_BYTES   96u

typedef struct dp_reset_options {
    const dp_field *fields; /* NULL: the object is one DP_FIELD_PLAIN, but for `mask` */
    size_t field_count;
    const uint8_t *mask; /* (optional) without fields: bytes that are 0 here are not looked at */
    void (*dirty)(void *object, void *user); /* (optional) uses the object as its users do */
    uint64_t (*outside)(void *user); /* (optional) how much is held outside: allocations, rows */
    void *user;                      /* (optional) what these two are called with */
    bool watch_descriptors;          /* (optional) count the process's open files as well */
} dp_reset_options;

/* What a reset can do wrong. */
typedef enum dp_reset_breach_kind {
    DP_RESET_FORGOTTEN,        /* a field is not as the constructor leaves it */
    DP_RESET_FORGOTTEN_NESTED, /* one of a nested struct */
    DP_RESET_NOT_IDEMPOTENT,   /* the second reset changed it again */
    DP_RESET_RELEASED,         /* what the object held outside is gone */
    DP_RESET_LEFT_NULL,        /* NULL where the constructor leaves an empty one */
    DP_RESET_BREACH_KIND_COUNT
} dp_reset_breach_kind;

/* "forgotten", "forgotten_nested", "not_idempotent", "released", "left_null". */
DP_API const char *dp_reset_breach_name(dp_reset_breach_kind kind);

typedef struct dp_reset_breach {
    dp_reset_breach_kind kind;
    char path[DP_RESET_PATH_BYTES]; /* "queue.head"; "outside", "descriptors" or "byte 12" */
} dp_reset_breach;

typedef struct dp_reset_report {
    size_t breach_count; /* each field and kind once; 0: the contract is kept */
    dp_reset_breach breaches[DP_RESET_BREACHES_MAX]; /* the first ones */
    size_t untested_count;                           /* compared fields that nothing ever changed */
    char untested[DP_RESET_PATH_BYTES];              /* the first of them */
} dp_reset_report;

/*
 * Checks the type, and says what it found; needs no pool.  `destroy` is called for each object, one
 * whose reset is wrong too.
 *
 * Errors: DP_ERR_INVALID (a table that goes past the object or the limits above, a field of no
 * size, fields and a mask), DP_ERR_NOMEM, the constructor's.
 */
DP_API dp_status dp_reset_check(const dp_object_type *type, const dp_reset_options *options,
                                dp_reset_report *out);

#ifdef __cplusplus
}
#endif

#endif
