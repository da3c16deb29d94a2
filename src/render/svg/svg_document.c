/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expat's handlers build the tree.  Refused here are what could make work or reach out before
 * anything is drawn: DOCTYPE (entities), style sheets by instruction, inclusion, xml:base, and
 * elements, levels and bytes beyond the limits.
 *
 * The parser is reset between documents, not made again; the salt of its hash tables is drawn once,
 * because expat would ask the kernel for one at every document.
 */
#include "render/svg/svg_document.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <expat.h>

#include "pool/os.h"
#include "render/svg/svg_address.h"
#include "render/svg/svg_limits.h"

#define PIECE_BYTES   ((size_t)64 << 10)
#define SVG_NAMESPACE "http://www.w3.org/2000/svg"
#define PREFIX_BYTES  16u

struct svg_reader {
    XML_Parser parser;
    unsigned long salt;
    svg_names names;
    /* Of the document at hand. */
    svg_job *job;
    svg_document *document;
    svg_element *open;
    unsigned elements, depth;
    unsigned left_out_depth; /* of the element that is left out with its children, 0 = none */
    unsigned style_depth, text_depth;
    char prefix[PREFIX_BYTES]; /* "svg:" when the root binds it */
    size_t prefix_length;
    bool plain_is_ours; /* names without a prefix are of SVG */
    char *sheet;        /* of the style at hand */
    size_t sheet_bytes, sheet_capacity;
};

static void refuse(svg_reader *r, dp_status status, const char *words)
{
    svg_fail(r->job, status, "%s", words);
    XML_StopParser(r->parser, XML_FALSE);
}

/* Which SVG element the name means here; OTHER for those of other namespaces. */
static svg_element_kind kind_of(const svg_reader *r, const char *name)
{
    const char *colon = strchr(name, ':');
    if (colon != NULL) {
        if (r->prefix_length == 0 || strncmp(name, r->prefix, r->prefix_length) != 0) {
            return SVG_EL_OTHER;
        }
        name = colon + 1;
    } else if (!r->plain_is_ours) {
        return SVG_EL_OTHER;
    }
    return svg_element_of(&r->names, name, strlen(name));
}

static void remember_prefix(svg_reader *r, const char *prefix)
{
    const size_t length = strlen(prefix);
    if (length + 1 < PREFIX_BYTES) {
        memcpy(r->prefix, prefix, length);
        r->prefix[length] = ':';
        r->prefix_length = length + 1;
    }
}

/* Looks at what binds names; false when the element belongs to another namespace. */
static bool look_at_namespaces(svg_reader *r, const XML_Char **attributes, bool prefixed)
{
    bool ours = true;
    for (size_t i = 0; attributes[i] != NULL; i += 2) {
        const char *name = attributes[i];
        if (name[0] != 'x' || strncmp(name, "xml", 3) != 0) {
            continue;
        }
        if (strcmp(name, "xml:base") == 0) {
            refuse(r, DP_ERR_FORMAT, "svg has an xml:base");
        } else if (strcmp(name, "xmlns") == 0 && !prefixed) {
            ours = strcmp(attributes[i + 1], SVG_NAMESPACE) == 0;
            r->plain_is_ours = r->plain_is_ours || ours;
        } else if (strncmp(name, "xmlns:", 6) == 0 &&
                   strcmp(attributes[i + 1], SVG_NAMESPACE) == 0) {
            remember_prefix(r, name + 6);
        }
    }
    return ours;
}

static svg_attribute_name attribute_name_of(const svg_reader *r, const char *name)
{
    const size_t length = strlen(name);
    const svg_attribute_name found = svg_attribute_of(&r->names, name, length);
    if (found == SVG_AT_OTHER && length > 5 && strcmp(name + length - 5, ":href") == 0) {
        return SVG_AT_HREF;
    }
    return found;
}

/* Whose values are CSS, and may hold an address. */
static bool is_css(svg_attribute_name name)
{
    return name >= SVG_PROPERTY_FIRST || name == SVG_AT_STYLE;
}

static void keep_attribute(svg_reader *r, svg_element *e, svg_attribute_name name,
                           const char *value)
{
    const size_t length = strlen(value);
    if (length > SVG_ATTRIBUTE_BYTES_MAX && e->kind != SVG_EL_IMAGE) {
        refuse(r, DP_ERR_TOO_LARGE, "svg has an attribute of more than 256 KiB");
        return;
    }
    if (is_css(name)) {
        const char *words = svg_css_refusal(value);
        if (words != NULL) {
            refuse(r, DP_ERR_FORMAT, words);
            return;
        }
    } else if (name == SVG_AT_ID) {
        e->id = svg_copy(r->job, value, length);
        return;
    }
    if (name == SVG_AT_CLASS && length > r->document->class_bytes_max) {
        r->document->class_bytes_max = length;
    }
    /* Geometry is read once; what else it says, each time it is shown. */
    if (name != SVG_AT_D && name != SVG_AT_POINTS) {
        e->cost += (uint32_t)length / SVG_BYTES_PER_STEP;
    }
    e->conditional =
        e->conditional || name == SVG_AT_SYSTEM_LANGUAGE || name == SVG_AT_REQUIRED_EXTENSIONS;
    /* Pictures are for another engine: that there is one is all we need to know. */
    const bool picture = name == SVG_AT_HREF && e->kind == SVG_EL_IMAGE;
    char *copy = svg_copy(r->job, value, picture && length > 16 ? 16 : length);
    if (copy != NULL) {
        e->attributes[e->attribute_count++] =
            (svg_attribute){.value = copy, .length = (uint32_t)length, .name = (uint32_t)name};
    }
}

static void keep_attributes(svg_reader *r, svg_element *e, const XML_Char **attributes)
{
    const char *href = NULL;
    for (size_t i = 0; attributes[i] != NULL && r->job->status == DP_OK; i += 2) {
        const svg_attribute_name name = attribute_name_of(r, attributes[i]);
        if (name == SVG_AT_HREF) {
            /* xlink:href beside href is for readers of old: it counts only without the new one. */
            const bool plain = strchr(attributes[i], ':') == NULL;
            href = href == NULL || plain ? attributes[i + 1] : href;
        } else if (name != SVG_AT_OTHER) {
            keep_attribute(r, e, name, attributes[i + 1]);
        }
    }
    if (href != NULL && r->job->status == DP_OK) {
        keep_attribute(r, e, SVG_AT_HREF, href);
    }
}

static svg_element *make_element(svg_reader *r, svg_element_kind kind, const XML_Char **attributes)
{
    size_t count = 0;
    while (attributes[2 * count] != NULL) {
        count++;
    }
    svg_element *e = svg_take(r->job, sizeof *e + count * sizeof(svg_attribute));
    if (e == NULL) {
        return NULL;
    }
    memset(e, 0, sizeof *e);
    e->kind = (uint8_t)kind;
    e->path = e->first_stop = UINT32_MAX;
    e->attributes = (svg_attribute *)(e + 1);
    keep_attributes(r, e, attributes);
    return e;
}

static uint32_t id_slot(const char *id, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (uint8_t)id[i]) * 16777619u;
    }
    return (hash ^ hash >> 16) % SVG_ID_SLOTS;
}

static void link_element(svg_reader *r, svg_element *e)
{
    svg_element *parent = r->open;
    e->parent = parent;
    if (parent == NULL) {
        r->document->root = e;
    } else if (parent->last == NULL) {
        parent->first = parent->last = e;
    } else {
        parent->last->next = e;
        parent->last = e;
    }
    if (e->id != NULL) {
        svg_element **slot = &r->document->ids[id_slot(e->id, strlen(e->id))];
        e->next_id = *slot;
        *slot = e;
    }
    r->open = e;
}

static bool check_place(svg_reader *r, const char *name)
{
    const char *colon = strrchr(name, ':');
    const char *local = colon == NULL ? name : colon + 1;
    if (++r->elements > SVG_ELEMENTS_MAX) {
        refuse(r, DP_ERR_TOO_LARGE, "svg has more than 20000 elements");
    } else if (r->depth > SVG_DEPTH_MAX) {
        refuse(r, DP_ERR_TOO_LARGE, "svg is nested more than 64 levels deep");
    } else if (r->style_depth != 0) {
        refuse(r, DP_ERR_FORMAT, "svg has elements inside a style");
    } else if (strcmp(local, "include") == 0) {
        refuse(r, DP_ERR_FORMAT, "svg includes another document");
    }
    return r->job->status == DP_OK;
}

static void XMLCALL on_text(void *user, const XML_Char *text, int length);

static void begin_text(svg_reader *r, const svg_element *e)
{
    if (e->kind == SVG_EL_STYLE) {
        const char *type = svg_attribute_get(e, SVG_AT_TYPE);
        if (type == NULL || *type == '\0' || strcasecmp(type, "text/css") == 0) {
            r->style_depth = r->depth;
            XML_SetCharacterDataHandler(r->parser, on_text);
        }
    } else if (e->kind == SVG_EL_TEXT && r->text_depth == 0) {
        r->text_depth = r->depth;
        XML_SetCharacterDataHandler(r->parser, on_text);
    }
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    svg_reader *r = user;
    r->depth++;
    if (!check_place(r, name)) {
        return;
    }
    const bool prefixed = strchr(name, ':') != NULL;
    /* A root without any namespace is taken for SVG. */
    r->plain_is_ours = r->plain_is_ours || (r->depth == 1 && !prefixed);
    const bool ours = look_at_namespaces(r, attributes, prefixed);
    if (r->left_out_depth != 0 || r->job->status != DP_OK) {
        return;
    }
    const svg_element_kind kind = ours ? kind_of(r, name) : SVG_EL_OTHER;
    if (r->open == NULL && kind != SVG_EL_SVG) {
        refuse(r, DP_ERR_FORMAT, "the document is no svg");
        return;
    }
    if (kind == SVG_EL_OTHER) {
        r->left_out_depth = r->depth;
        return;
    }
    svg_element *e = make_element(r, kind, attributes);
    if (e != NULL && r->job->status == DP_OK) {
        link_element(r, e);
        begin_text(r, e);
    }
}

static void end_sheet(svg_reader *r)
{
    if (r->sheet_bytes == 0) {
        return;
    }
    r->sheet[r->sheet_bytes] = '\0';
    const char *words = svg_css_refusal(r->sheet);
    if (words != NULL) {
        refuse(r, DP_ERR_FORMAT, words);
    }
    /* Sheets follow each other as one text; a comment that is left open ends with its own. */
    r->document->sheets = r->sheet;
    r->document->sheets_bytes = r->sheet_bytes;
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    svg_reader *r = user;
    (void)name;
    if (r->job->status != DP_OK) {
        return; /* a stopped parser may still end the element that it stopped in */
    }
    if (r->left_out_depth == 0) {
        if (r->style_depth == r->depth || r->text_depth == r->depth) {
            if (r->style_depth == r->depth) {
                end_sheet(r);
                r->style_depth = 0;
            } else {
                r->text_depth = 0;
            }
            XML_SetCharacterDataHandler(r->parser, r->text_depth != 0 ? on_text : NULL);
        }
        r->open = r->open->parent;
    } else if (r->left_out_depth == r->depth) {
        r->left_out_depth = 0;
    }
    r->depth--;
}

/* Text of all styles together, growing in the arena by doubling. */
static void keep_sheet(svg_reader *r, const char *text, size_t length)
{
    if (length > SVG_STYLE_BYTES_MAX - r->sheet_bytes) {
        refuse(r, DP_ERR_TOO_LARGE, "svg has a style of more than 64 KiB");
        return;
    }
    if (r->sheet_bytes + length + 1 > r->sheet_capacity) {
        size_t capacity = r->sheet_capacity == 0 ? 1024 : r->sheet_capacity;
        while (capacity < r->sheet_bytes + length + 1) {
            capacity *= 2;
        }
        char *grown = svg_take(r->job, capacity);
        if (grown == NULL) {
            XML_StopParser(r->parser, XML_FALSE);
            return;
        }
        if (r->sheet_bytes > 0) {
            memcpy(grown, r->sheet, r->sheet_bytes);
        }
        r->sheet = grown;
        r->sheet_capacity = capacity;
    }
    memcpy(r->sheet + r->sheet_bytes, text, length);
    r->sheet_bytes += length;
}

static void XMLCALL on_text(void *user, const XML_Char *text, int length)
{
    svg_reader *r = user;
    if (r->job->status != DP_OK || r->left_out_depth != 0) {
        return;
    }
    if (r->style_depth != 0) {
        keep_sheet(r, text, (size_t)length);
        return;
    }
    for (int i = 0; i < length; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL) {
            /* Of the text element: its spans stand inside it. */
            svg_element *e = r->open;
            while (e->kind != SVG_EL_TEXT) {
                e = e->parent;
            }
            e->has_text = true;
            return;
        }
    }
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    refuse(user, DP_ERR_FORMAT, "svg has a DOCTYPE, which is not taken; remove it");
}

static void XMLCALL on_instruction(void *user, const XML_Char *target, const XML_Char *data)
{
    (void)data;
    if (strncasecmp(target, "xml-stylesheet", 14) == 0) {
        refuse(user, DP_ERR_FORMAT, "svg refers to a style sheet");
    }
}

svg_reader *svg_reader_create(void)
{
    svg_reader *r = os_calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->parser = XML_ParserCreate(NULL);
    if (r->parser == NULL) {
        os_free(r);
        return NULL;
    }
    svg_names_fill(&r->names);
    /* Without it expat draws one itself, at every document. */
    if (getrandom(&r->salt, sizeof r->salt, GRND_NONBLOCK) != (ssize_t)sizeof r->salt) {
        r->salt = 0;
    }
    return r;
}

void svg_reader_destroy(svg_reader *r)
{
    if (r != NULL) {
        XML_ParserFree(r->parser);
        os_free(r);
    }
}

const svg_names *svg_reader_names(const svg_reader *reader)
{
    return &reader->names;
}

static bool begin(svg_reader *r, svg_job *job, svg_document *document)
{
    if (XML_ParserReset(r->parser, NULL) != XML_TRUE) {
        svg_fail_memory(job);
        return false;
    }
    r->job = job;
    r->document = document;
    r->open = NULL;
    r->elements = r->depth = r->left_out_depth = r->style_depth = r->text_depth = 0;
    r->prefix_length = 0;
    r->plain_is_ours = false;
    r->sheet = NULL;
    r->sheet_bytes = r->sheet_capacity = 0;
    memset(document, 0, sizeof *document);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    XML_SetProcessingInstructionHandler(r->parser, on_instruction);
    if (r->salt != 0) {
        XML_SetHashSalt(r->parser, r->salt);
    }
    return true;
}

/* Slots hold the newest first; the first of an id is the one that counts. */
svg_element *svg_document_find(const svg_document *document, svg_job *job, const char *id,
                               size_t length)
{
    svg_element *found = NULL;
    svg_element *e = document->ids[id_slot(id, length)];
    for (; e != NULL && svg_spend(job, 1); e = e->next_id) {
        if (strncmp(e->id, id, length) == 0 && e->id[length] == '\0') {
            found = e;
        }
    }
    return found;
}

char *svg_attribute_get(const svg_element *element, svg_attribute_name name)
{
    for (size_t i = 0; i < element->attribute_count; i++) {
        if (element->attributes[i].name == (uint32_t)name) {
            return element->attributes[i].value;
        }
    }
    return NULL;
}

void svg_reader_read(svg_reader *r, svg_job *job, const char *bytes, size_t size_bytes,
                     svg_document *out)
{
    size_t at = 0;
    if (!begin(r, job, out)) {
        return;
    }
    do {
        const size_t left = size_bytes - at;
        const size_t length = left < PIECE_BYTES ? left : PIECE_BYTES;
        if (!svg_in_time(job)) {
            return;
        }
        if (XML_Parse(r->parser, bytes + at, (int)length, length == left) == XML_STATUS_ERROR) {
            svg_fail(job, DP_ERR_FORMAT, "svg, line %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(r->parser),
                     XML_ErrorString(XML_GetErrorCode(r->parser)));
        }
        at += length;
    } while (job->status == DP_OK && at < size_bytes);
    if (job->status == DP_OK && out->root == NULL) {
        svg_fail(job, DP_ERR_FORMAT, "the document is no svg");
    }
}
