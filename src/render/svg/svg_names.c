/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names by a hash of their length and three of their letters; tables are less than half full, so
 * that a look-up is one or two comparisons.
 */
#include "render/svg/svg_names.h"

#include <string.h>

#include "pool/os.h"

typedef struct name_row {
    const char *name;
    size_t length;
} name_row;

static const name_row element_names[SVG_EL_COUNT] = {
#define SVG_NAME_ROW(id, name) [SVG_EL_##id] = {name, sizeof(name) - 1},
    SVG_ELEMENT_LIST(SVG_NAME_ROW)
#undef SVG_NAME_ROW
};

static const name_row attribute_names[SVG_AT_COUNT] = {
#define SVG_NAME_ROW(id, name) [SVG_AT_##id] = {name, sizeof(name) - 1},
    SVG_ATTRIBUTE_LIST(SVG_NAME_ROW)
#undef SVG_NAME_ROW
};

_Static_assert(SVG_EL_COUNT * 2 <= SVG_ELEMENT_SLOTS, "elements fill half of their table");
_Static_assert(SVG_AT_COUNT * 2 <= SVG_ATTRIBUTE_SLOTS, "attributes fill half of their table");

static uint32_t hash_of(const char *name, size_t length)
{
    const uint32_t first = (uint8_t)name[0], last = (uint8_t)name[length - 1],
                   middle = (uint8_t)name[length / 2];
    return (first * 61u + last * 17u + middle * 5u + (uint32_t)length * 29u) * 2654435761u >> 20;
}

static void fill(uint8_t *slots, uint32_t slot_count, const name_row *rows, uint32_t row_count)
{
    memset(slots, 0, slot_count);
    for (uint32_t i = 1; i < row_count; i++) {
        uint32_t slot = hash_of(rows[i].name, rows[i].length) & (slot_count - 1);
        while (slots[slot] != 0) {
            slot = (slot + 1) & (slot_count - 1);
        }
        slots[slot] = (uint8_t)i;
    }
}

static uint8_t find(const uint8_t *slots, uint32_t slot_count, const name_row *rows,
                    const name_row *wanted)
{
    if (wanted->length == 0) {
        return 0;
    }
    uint32_t slot = hash_of(wanted->name, wanted->length) & (slot_count - 1);
    for (; slots[slot] != 0; slot = (slot + 1) & (slot_count - 1)) {
        const name_row *row = &rows[slots[slot]];
        if (row->length == wanted->length && memcmp(row->name, wanted->name, wanted->length) == 0) {
            return slots[slot];
        }
    }
    return 0;
}

void svg_names_fill(svg_names *names)
{
    fill(names->elements, SVG_ELEMENT_SLOTS, element_names, SVG_EL_COUNT);
    fill(names->attributes, SVG_ATTRIBUTE_SLOTS, attribute_names, SVG_AT_COUNT);
}

svg_element_kind svg_element_of(const svg_names *names, const char *name, size_t length)
{
    const name_row wanted = {name, length};
    return (svg_element_kind)find(names->elements, SVG_ELEMENT_SLOTS, element_names, &wanted);
}

svg_attribute_name svg_attribute_of(const svg_names *names, const char *name, size_t length)
{
    const name_row wanted = {name, length};
    return (svg_attribute_name)find(names->attributes, SVG_ATTRIBUTE_SLOTS, attribute_names,
                                    &wanted);
}
