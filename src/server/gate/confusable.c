/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding by table: one pass, one look-up a character.
 *
 * The table holds the plain folding.  A skeleton is made of it on the way: separators only leave
 * their trace in the character behind them, and ASCII goes through a second table of 128 bytes.
 */
#include "server/gate/confusable.h"

#include <string.h>

#include "server/gate/confusable_table.h"

/* What looks alike within ASCII; 0 = a separator.  Capitals are small by now. */
static const uint8_t ascii_skeleton[128] = {
    ['$'] = 's', ['0'] = 'o', ['1'] = 'l', ['2'] = '2', ['3'] = 'e', ['4'] = 'a', ['5'] = 's',
    ['6'] = '6', ['7'] = 't', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c',
    ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'l', ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z', ['|'] = 'l',
};

/* Where one pass stands. */
typedef struct fold {
    const uint8_t *text;
    size_t size_bytes, at;
    confusable_point *to;
    size_t capacity, count;
    size_t gap; /* separators since the last character */
    bool is_skeleton;
} fold;

static bool is_continuation(const fold *in, size_t ahead)
{
    return in->at + ahead < in->size_bytes && (in->text[in->at + ahead] & 0xC0) == 0x80;
}

/* The next character and its bytes; a broken byte is a character of its own value. */
static uint32_t read_point(const fold *in, size_t *bytes)
{
    const uint8_t *at = in->text + in->at;
    if (at[0] >= 0xE0 && at[0] < 0xF0 && is_continuation(in, 1) && is_continuation(in, 2)) {
        *bytes = 3;
        return (at[0] & 0xFu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    }
    if (at[0] >= 0xC0 && at[0] < 0xE0 && is_continuation(in, 1)) {
        *bytes = 2;
        return (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
    }
    if (at[0] >= 0xF0 && is_continuation(in, 1) && is_continuation(in, 2) &&
        is_continuation(in, 3)) {
        uint32_t point =
            (at[0] & 7u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
        *bytes = 4;
        return point < 0x110000 ? point : 0xFFFD;
    }
    *bytes = 1;
    return at[0];
}

/* False when there is no room. */
static bool put(fold *in, uint32_t entry, size_t bytes)
{
    uint32_t point = entry & CONFUSABLE_POINT_MASK;
    bool separates = (entry & CONFUSABLE_SEPARATOR) != 0;
    if (in->is_skeleton) {
        if (point < 0x80) {
            point = ascii_skeleton[point];
            separates = point == 0;
        }
        if (separates) {
            in->gap++;
            return true;
        }
        if (in->gap > CONFUSABLE_GAP_MAX) {
            if (in->count == in->capacity) {
                return false;
            }
            in->to[in->count++] = (confusable_point){
                .point = CONFUSABLE_BREAK, .from = (uint16_t)in->at, .to = (uint16_t)in->at};
        }
    }
    if (in->count == in->capacity) {
        return false;
    }
    in->to[in->count++] = (confusable_point){.point = point & 0xFFFFFFu,
                                             .has_gap = in->gap > 0,
                                             .from = (uint16_t)in->at,
                                             .to = (uint16_t)(in->at + bytes)};
    in->gap = 0;
    return true;
}

static uint32_t entry_of(uint32_t point)
{
    return confusable_blocks[confusable_index[point >> CONFUSABLE_BLOCK_BITS]]
                            [point & ((1u << CONFUSABLE_BLOCK_BITS) - 1)];
}

static bool put_entry(fold *in, uint32_t point, size_t bytes)
{
    uint32_t entry = entry_of(point);
    if (entry == 0) {
        return put(in, point, bytes);
    }
    if ((entry & CONFUSABLE_DROPPED) != 0) {
        /* A mark belongs to what it stands on, unless a separator lies between. */
        if (in->count > 0 && in->gap == 0) {
            in->to[in->count - 1].to = (uint16_t)(in->at + bytes);
        }
        return true;
    }
    if ((entry & CONFUSABLE_SEQUENCE) == 0) {
        return put(in, entry, bytes);
    }
    const uint32_t *sequence = confusable_sequences + (entry & CONFUSABLE_POINT_MASK);
    for (uint32_t i = 1; i <= sequence[0]; i++) {
        if (!put(in, sequence[i], bytes)) {
            return false;
        }
    }
    return true;
}

static size_t fold_all(fold *in, size_t *rest)
{
    while (in->at < in->size_bytes) {
        size_t bytes;
        uint32_t point = read_point(in, &bytes);
        if (!put_entry(in, point, bytes)) {
            break;
        }
        in->at += bytes;
    }
    if (rest != NULL) {
        *rest = in->size_bytes - in->at;
    }
    return in->count;
}

size_t confusable_skeleton(const char *text, size_t size_bytes, confusable_point *to,
                           size_t capacity, size_t *rest)
{
    fold in = {.text = (const uint8_t *)text,
               .size_bytes = size_bytes,
               .to = to,
               .capacity = capacity,
               .is_skeleton = true};
    return fold_all(&in, rest);
}

size_t confusable_plain(const char *text, size_t size_bytes, confusable_point *to, size_t capacity,
                        size_t *rest)
{
    fold in = {
        .text = (const uint8_t *)text, .size_bytes = size_bytes, .to = to, .capacity = capacity};
    return fold_all(&in, rest);
}

size_t confusable_mask(char *text, size_t size_bytes, const uint64_t *bits)
{
    fold in = {.text = (const uint8_t *)text, .size_bytes = size_bytes};
    size_t written = 0;
    while (in.at < size_bytes) {
        size_t bytes;
        uint32_t point = read_point(&in, &bytes);
        if ((bits[in.at / 64] >> in.at % 64 & 1) == 0) {
            memmove(text + written, text + in.at, bytes);
            written += bytes;
        } else if ((entry_of(point) & CONFUSABLE_DROPPED) == 0) {
            text[written++] = '*';
        }
        in.at += bytes;
    }
    return written;
}

/* Thai, Lao, Khmer, CJK and what follows them are written without; Korean hangs endings on. */
bool confusable_is_spaced(uint32_t point)
{
    return point < 0x0E00;
}
