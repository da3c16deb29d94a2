/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Style sheets: declarations, and rules with selectors of types, classes, ids, `*`, and their
 * descendant and child combinations.  States such as :hover match nothing, at-rules are skipped; a
 * sheet with selectors of other kinds makes the document another engine's.
 */
#ifndef DP_RENDER_SVG_CSS_H
#define DP_RENDER_SVG_CSS_H

#include "render/svg/svg_document.h"

typedef struct svg_declaration {
    const char *value; /* ends with NUL */
    uint16_t name;     /* svg_attribute_name of a property */
    bool important;
} svg_declaration;

/* One compound of a selector: what an element must be. */
typedef struct svg_compound {
    const char *id; /* with its length; NULL = any */
    const char *type;
    const char *classes; /* ".a.b", NULL = any */
    uint16_t id_length, type_length, classes_length;
    uint8_t kind; /* of the type; SVG_EL_OTHER where `type` is NULL */
    bool child;   /* the compound to the left is the parent's, not any ancestor's */
} svg_compound;

#define SVG_COMPOUNDS_MAX 8u

typedef struct svg_rule svg_rule;

struct svg_rule {
    svg_rule *next;
    svg_compound *compounds; /* right to left */
    uint32_t compound_count;
    uint32_t specificity, order;
    uint32_t cost; /* steps of applying it */
    const svg_declaration *declarations;
    uint32_t declaration_count;
};

typedef struct svg_sheet {
    svg_rule **rules; /* the strongest last */
    uint32_t rule_count;
    bool has_important;
    uint32_t compound_cost; /* steps of trying one compound */
} svg_sheet;

/* Cuts `text` of `length` bytes, and a NUL behind, into declarations of properties we know. */
const svg_declaration *svg_css_declarations(svg_job *job, const svg_names *names, char *text,
                                            size_t length, uint32_t *count);

void svg_css_read(svg_job *job, const svg_names *names, const svg_document *document,
                  svg_sheet *out);

/* The rules that match the element, the strongest last, behind them NULL; made once. */
const svg_rule **svg_css_rules(svg_job *job, const svg_sheet *sheet, svg_element *element);

#endif
