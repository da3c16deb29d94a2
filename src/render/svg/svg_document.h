/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document as a tree of the elements that SVG knows, in the job's arena.
 *
 * Elements of other namespaces and of unknown names are left out with all that they hold, and so
 * are attributes that nobody asks for.  Values are copies that end with NUL.
 */
#ifndef DP_RENDER_SVG_DOCUMENT_H
#define DP_RENDER_SVG_DOCUMENT_H

#include "render/svg/svg_job.h"
#include "render/svg/svg_names.h"

/* A style attribute is cut into declarations in place, hence not const. */
typedef struct svg_attribute {
    char *value;
    uint32_t length;
    uint32_t name; /* svg_attribute_name */
} svg_attribute;

typedef struct svg_element svg_element;

struct svg_element {
    svg_element *parent, *first, *last, *next;
    svg_element *next_id; /* of the same slot of the table of ids */
    const char *id;       /* or NULL */
    svg_attribute *attributes;
    uint16_t attribute_count;
    uint8_t kind; /* svg_element_kind */
    bool has_text;
    bool conditional;                           /* has attributes of conditional processing */
    bool has_rules, has_declarations, has_path; /* those below are made */
    uint16_t declaration_count;
    uint32_t cost; /* steps of a look at all its attributes, geometry aside */
    /* What the compiler found out about it, to be used again. */
    uint32_t path;
    uint32_t first_stop, stop_count;
    const struct svg_rule **rules; /* of the style sheets that match it, ends with NULL */
    const struct svg_declaration *declarations; /* of its style attribute */
};

/* Bytes of text that are looked at in one step of the budget. */
#define SVG_BYTES_PER_STEP 4u

#define SVG_ID_SLOTS 256u

typedef struct svg_document {
    svg_element *root;
    svg_element *ids[SVG_ID_SLOTS];
    char *sheets; /* text of all style elements, ends with NUL; NULL when there is none */
    size_t sheets_bytes;
    size_t class_bytes_max; /* of the longest list of classes */
} svg_document;

typedef struct svg_reader svg_reader;

/* Holds expat; NULL when there is no memory. */
svg_reader *svg_reader_create(void);
void svg_reader_destroy(svg_reader *reader); /* NULL is fine */
const svg_names *svg_reader_names(const svg_reader *reader);

/* Reads all of it; look at the job's status. */
void svg_reader_read(svg_reader *reader, svg_job *job, const char *bytes, size_t size_bytes,
                     svg_document *out);

/* The first element of that id; NULL when there is none, or no budget left to look. */
svg_element *svg_document_find(const svg_document *document, svg_job *job, const char *id,
                               size_t length);

/* The attribute's value; NULL when the element has none. */
char *svg_attribute_get(const svg_element *element, svg_attribute_name name);

#endif
