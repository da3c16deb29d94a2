/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generated table between confusable_make.c, which writes it when building, and confusable.c.
 *
 * An entry is 0 (the character itself), a character with its property bits, or the place of several
 * such in `confusable_sequences`, whose first element is their number.
 */
#ifndef DP_SERVER_GATE_CONFUSABLE_TABLE_H
#define DP_SERVER_GATE_CONFUSABLE_TABLE_H

#include <stdint.h>

#define CONFUSABLE_POINT_MASK 0x1FFFFFu
#define CONFUSABLE_SEPARATOR  (1u << 21)
#define CONFUSABLE_SEQUENCE   (1u << 22) /* the rest is a place in confusable_sequences */
#define CONFUSABLE_DROPPED    (1u << 23) /* invisible, or a mark on the character before it */

#define CONFUSABLE_BLOCK_BITS 7u
#define CONFUSABLE_BLOCKS     (0x110000u >> CONFUSABLE_BLOCK_BITS)

extern const uint16_t confusable_index[CONFUSABLE_BLOCKS];
extern const uint32_t confusable_blocks[][1u << CONFUSABLE_BLOCK_BITS];
extern const uint32_t confusable_sequences[];

#endif
