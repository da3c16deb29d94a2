/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the folding table as C, once a build:  confusable_make OUTPUT.c
 *
 * libunistring gives case, width, decomposition and properties; ICU's uspoof, where the build has
 * it, the look-alikes of Unicode TS 39.  Both work character by character here, so that danpoold
 * needs neither of them to fold a comment.
 *
 * Of a character, in this order: nothing where it is invisible or a mark; a digit; its
 * compatibility form in lower case without marks, where that is ASCII; what it looks like, where
 * that is ASCII; what its capital looks like, likewise (so that both Cyrillic EN are h); else that
 * form, each part of it as its look-alike.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

#include <dp_features.h>
#if DP_HAVE_ICU
#include <unicode/uspoof.h>
#include <unicode/ustring.h>
#endif

#include "server/gate/confusable.h"
#include "server/gate/confusable_table.h"

#define POINTS_MAX      32u
#define BLOCK_POINTS    (1u << CONFUSABLE_BLOCK_BITS)
#define SEQUENCES_MAX   65536u
#define BLOCKS_MADE_MAX 2048u

/* Some characters in a row. */
typedef struct run {
    uint32_t points[POINTS_MAX];
    size_t count;
} run;

static uint32_t blocks[BLOCKS_MADE_MAX][BLOCK_POINTS];
static size_t block_count;
static uint16_t block_of[CONFUSABLE_BLOCKS];
static uint32_t sequences[SEQUENCES_MAX];
static size_t sequence_size = 1; /* place 0 is nobody's */

static void fail(const char *what)
{
    fprintf(stderr, "confusable_make: %s\n", what);
    exit(1);
}

/* Kana's voice marks make another letter, not the same one with a mark. */
static bool is_mark(uint32_t point)
{
    const uc_script_t *script = uc_script(point);
    return uc_is_general_category_withtable(point, UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Me) &&
           script != NULL && strcmp(script->name, "Inherited") == 0 && point != 0x3099 &&
           point != 0x309A;
}

static bool is_dropped(uint32_t point)
{
    return uc_is_property_default_ignorable_code_point(point) || is_mark(point) ||
           uc_is_general_category_withtable(point, UC_CATEGORY_MASK_Cf);
}

static bool is_separator(uint32_t point)
{
    return uc_is_property_white_space(point) ||
           uc_is_general_category_withtable(point, UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S |
                                                       UC_CATEGORY_MASK_Z | UC_CATEGORY_MASK_Cc);
}

static bool is_ascii(const run *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->points[i] >= 0x80) {
            return false;
        }
    }
    return in->count > 0;
}

static void lower_ascii(run *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->points[i] >= 'A' && in->points[i] <= 'Z') {
            in->points[i] += 'a' - 'A';
        }
    }
}

/* Takes marks out; the others stay in order. */
static void drop_marks(run *in)
{
    size_t kept = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (!is_dropped(in->points[i])) {
            in->points[kept++] = in->points[i];
        }
    }
    in->count = kept;
}

static run normalised(uninorm_t form, const run *in)
{
    run out = {.count = POINTS_MAX};
    uint32_t *made = u32_normalize(form, in->points, in->count, out.points, &out.count);
    if (made == NULL || made != out.points) {
        fail("a character has more parts than thought");
    }
    return out;
}

/* The compatibility form in lower case without marks. */
static run compatible(uint32_t point)
{
    run in = {.points = {point}, .count = 1};
    run parts = normalised(UNINORM_NFKD, &in);
    drop_marks(&parts);
    run folded = {.count = POINTS_MAX};
    if (u32_casefold(parts.points, parts.count, NULL, NULL, folded.points, &folded.count) !=
        folded.points) {
        fail("a character has more parts in lower case than thought");
    }
    drop_marks(&folded);
    return normalised(UNINORM_NFC, &folded);
}

#if DP_HAVE_ICU
static USpoofChecker *checker;

static void open_checker(void)
{
    UErrorCode error = U_ZERO_ERROR;
    checker = uspoof_open(&error);
    if (U_FAILURE(error)) {
        fail(u_errorName(error));
    }
}

/* What the character looks like, without marks; false when it looks like nothing else. */
static bool look_alike(uint32_t point, run *out)
{
    UChar text[2];
    UChar made[128];
    UChar32 parts[POINTS_MAX];
    UChar32 whole = (UChar32)point;
    int32_t size = 0;
    int32_t count = 0;
    UErrorCode error = U_ZERO_ERROR;
    (void)u_strFromUTF32(text, 2, &size, &whole, 1, &error);
    int32_t length = uspoof_getSkeleton(checker, 0, text, size, made, 128, &error);
    (void)u_strToUTF32(parts, (int32_t)POINTS_MAX, &count, made, length, &error);
    if (U_FAILURE(error)) {
        return false;
    }
    out->count = (size_t)count;
    for (int32_t i = 0; i < count; i++) {
        out->points[i] = (uint32_t)parts[i];
    }
    drop_marks(out);
    *out = normalised(UNINORM_NFC, out);
    return out->count > 0 && !(out->count == 1 && out->points[0] == point);
}
#else
static void open_checker(void)
{
}

static bool look_alike(uint32_t point, run *out)
{
    (void)point;
    (void)out;
    return false;
}
#endif

static run folded(uint32_t point)
{
    run made = {.points = {point}, .count = 1};
    run looks;
    if (uc_is_general_category_withtable(point, UC_CATEGORY_MASK_Nd)) {
        made.points[0] = (uint32_t)('0' + uc_decimal_value(point));
        return made;
    }
    made = compatible(point);
    if (!is_ascii(&made)) {
        uint32_t capital = uc_toupper(point);
        if (look_alike(point, &looks) && is_ascii(&looks)) {
            made = looks;
        } else if (capital != point && look_alike(capital, &looks) && is_ascii(&looks)) {
            made = looks;
        } else {
            for (size_t i = 0; i < made.count; i++) {
                if (made.points[i] >= 0x80 && look_alike(made.points[i], &looks) &&
                    looks.count == 1) {
                    made.points[i] = looks.points[0];
                }
            }
        }
    }
    lower_ascii(&made);
    if (made.count == 0 || made.count > CONFUSABLE_GROWTH_MAX) {
        made = (run){.points = {point}, .count = 1};
    }
    return made;
}

static uint32_t with_bits(uint32_t point)
{
    return point | (is_separator(point) ? CONFUSABLE_SEPARATOR : 0);
}

static uint32_t entry_of(uint32_t point)
{
    if (point >= 0xD800 && point < 0xE000) {
        return 0;
    }
    if (point >= 0x80 && is_dropped(point)) {
        return CONFUSABLE_DROPPED;
    }
    run made = {.points = {point}, .count = 1};
    if (point >= 0x80) {
        made = folded(point);
    } else {
        lower_ascii(&made);
    }
    if (made.count == 1) {
        uint32_t entry = with_bits(made.points[0]);
        return entry == point ? 0 : entry;
    }
    if (sequence_size + made.count + 1 > SEQUENCES_MAX) {
        fail("more sequences than thought");
    }
    uint32_t place = (uint32_t)sequence_size;
    sequences[sequence_size++] = (uint32_t)made.count;
    for (size_t i = 0; i < made.count; i++) {
        sequences[sequence_size++] = with_bits(made.points[i]);
    }
    return CONFUSABLE_SEQUENCE | place;
}

static void make_blocks(void)
{
    for (uint32_t block = 0; block < CONFUSABLE_BLOCKS; block++) {
        if (block_count == BLOCKS_MADE_MAX) {
            fail("more blocks than thought");
        }
        uint32_t *made = blocks[block_count];
        for (uint32_t i = 0; i < BLOCK_POINTS; i++) {
            made[i] = entry_of(block << CONFUSABLE_BLOCK_BITS | i);
        }
        size_t same = 0;
        while (memcmp(blocks[same], made, sizeof blocks[0]) != 0) {
            same++;
        }
        block_of[block] = (uint16_t)same;
        block_count += same == block_count;
    }
}

static void write_row(FILE *to, uint32_t value, size_t i)
{
    fprintf(to, "%s0x%xu,", i % 12 == 0 ? "\n    " : " ", (unsigned)value);
}

static void write_table(FILE *to)
{
    fprintf(to,
            "/* Generated by confusable_make: do not edit. */\n"
            "#include \"server/gate/confusable_table.h\"\n\n"
            "const uint16_t confusable_index[CONFUSABLE_BLOCKS] = {");
    for (size_t i = 0; i < CONFUSABLE_BLOCKS; i++) {
        write_row(to, block_of[i], i);
    }
    fprintf(to, "\n};\nconst uint32_t confusable_blocks[][1u << CONFUSABLE_BLOCK_BITS] = {");
    for (size_t block = 0; block < block_count; block++) {
        fprintf(to, "\n    {");
        for (size_t i = 0; i < BLOCK_POINTS; i++) {
            write_row(to, blocks[block][i], i);
        }
        fprintf(to, "\n    },");
    }
    fprintf(to, "\n};\nconst uint32_t confusable_sequences[] = {");
    for (size_t i = 0; i < sequence_size; i++) {
        write_row(to, sequences[i], i);
    }
    fprintf(to, "\n};\n");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fail("usage: confusable_make OUTPUT.c");
    }
    open_checker();
    make_blocks();
    FILE *to = fopen(argv[1], "w");
    if (to == NULL) {
        fail("cannot write the output");
    }
    write_table(to);
    if (fclose(to) != 0) {
        fail("cannot write the output");
    }
    return 0;
}
