/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who says the same again and again: each sender's last few texts, and how often each was said.
 *
 * Texts are the same when their foldings are (confusable.h), runs of a character counting as one.
 * They are nearly the same when enough of their pairs of neighbours are: each text leaves a sketch
 * of 16 numbers, the smallest hash of a pair in each of 16 classes (one-permutation min-wise
 * hashing: Li, Owen, Zhang 2012), and sketches are compared.  Of a text the first 256 characters
 * count.
 *
 * Bounded: sets of four senders, of whom the longest silent goes.  Thread safe, a lock a set.
 */
#ifndef DP_SERVER_GATE_REPEAT_H
#define DP_SERVER_GATE_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

typedef struct repeat_table repeat_table;

typedef struct repeat_config {
    uint32_t times;         /* the n-th of the same is refused; 0 = none is, 1 is not allowed */
    uint32_t window_s;      /* from the first of them on */
    uint32_t alike_percent; /* of the sketches, for nearly the same; 100 = the same alone */
    size_t senders_max;     /* rounded up to a power of two */
} repeat_config;

/* DP_ERR_NOMEM. */
dp_status repeat_create(const repeat_config *config, repeat_table **out);
void repeat_destroy(repeat_table *table);
void repeat_configure(repeat_table *table, const repeat_config *config);

/*
 * Counts a text of the sender.  True: it is the n-th of the window, or a later one; *retry_ms says
 * when the window ends.
 */
bool repeat_check(repeat_table *table, uint64_t sender_key, const char *text, size_t size_bytes,
                  uint64_t now_ns, uint32_t *retry_ms);

#endif
