/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSS as drawing programs write it (CSS Syntax 3 and Selectors 3, the small part of them): comments
 * are blanked, then rules are cut in place, each value ending with a NUL where its ";" was.
 */
#include "render/svg/svg_css.h"

#include <stdlib.h>
#include <string.h>

#include "render/svg/svg_number.h"

/* A compound is tried on an element and, at worst, on all that hold it. */
#define STEPS_PER_COMPOUND 8u

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || svg_is_digit(c) || c == '-' ||
           c == '_' || (c & '\x80') != 0;
}

static size_t name_length(const char *text)
{
    size_t length = 0;
    while (is_name(text[length])) {
        length++;
    }
    return length;
}

/* Cuts spaces, and "!important", off the end of a value. */
static bool trim(char *value)
{
    static const char word[] = "important";
    size_t length = strlen(value);
    bool important = false;
    for (;;) {
        while (length > 0 && svg_is_space(value[length - 1])) {
            length--;
        }
        if (important && length > 0 && value[length - 1] == '!') {
            length--;
            value[length] = '\0';
            return trim(value) || true;
        }
        if (important || length <= sizeof word ||
            memcmp(value + length - (sizeof word - 1), word, sizeof word - 1) != 0) {
            break;
        }
        important = true;
        length -= sizeof word - 1;
    }
    value[length] = '\0';
    return false;
}

/* The end of the declaration at `text`: its ";", not one inside quotes or brackets. */
static char *declaration_end(char *text, const char *end)
{
    char quote = '\0';
    int open = 0;
    for (; text < end; text++) {
        if (quote != '\0') {
            quote = *text == quote ? '\0' : quote;
        } else if (*text == '"' || *text == '\'') {
            quote = *text;
        } else if (*text == '(') {
            open++;
        } else if (*text == ')') {
            open -= open > 0;
        } else if (*text == ';' && open == 0) {
            break;
        }
    }
    return text;
}

static bool read_declaration(const svg_names *names, char *text, svg_declaration *out)
{
    char *name = text + strspn(text, " \t\r\n\f");
    const size_t length = name_length(name);
    char *p = name + length;
    p += strspn(p, " \t\r\n\f");
    if (*p != ':') {
        return false;
    }
    p++;
    p += strspn(p, " \t\r\n\f");
    const svg_attribute_name found = svg_attribute_of(names, name, length);
    if (found < SVG_PROPERTY_FIRST) {
        return false;
    }
    *out = (svg_declaration){.name = (uint16_t)found, .important = trim(p), .value = p};
    return true;
}

const svg_declaration *svg_css_declarations(svg_job *job, const svg_names *names, char *text,
                                            size_t length, uint32_t *count)
{
    const char *end = text + length;
    size_t room = 1;
    for (const char *p = text; p < end; p++) {
        room += *p == ';';
    }
    *count = 0;
    svg_declaration *made = svg_take(job, room * sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    while (text < end) {
        char *stop = declaration_end(text, end);
        *stop = '\0';
        if (read_declaration(names, text, &made[*count])) {
            ++*count;
        }
        text = stop + 1;
    }
    return made;
}

static void blank_comments(char *text)
{
    for (char *p = strstr(text, "/*"); p != NULL; p = strstr(p, "/*")) {
        char *stop = strstr(p + 2, "*/");
        stop = stop == NULL ? p + strlen(p) : stop + 2;
        memset(p, ' ', (size_t)(stop - p));
        p = stop;
    }
}

/* One compound at the cursor: `*`, a type, then classes and ids.  False: none that we know. */
static bool read_compound(const char **at, const svg_names *names, svg_compound *out)
{
    const char *p = *at;
    *out = (svg_compound){0};
    if (*p == '*') {
        p++;
    } else if (is_name(*p)) {
        out->type = p;
        out->type_length = (uint16_t)name_length(p);
        out->kind = (uint8_t)svg_element_of(names, p, out->type_length);
        p += out->type_length;
    }
    while (*p == '.' || *p == '#') {
        const size_t length = name_length(p + 1);
        if (length == 0 || length > UINT16_MAX / 2) {
            return false;
        }
        if (*p == '#') {
            out->id = p + 1;
            out->id_length = (uint16_t)length;
        } else {
            /* Classes stand together, or the selector is not taken. */
            if (out->classes != NULL && out->classes + out->classes_length != p) {
                return false;
            }
            out->classes = out->classes == NULL ? p : out->classes;
            out->classes_length = (uint16_t)(out->classes_length + length + 1);
        }
        p += length + 1;
    }
    const bool any = p != *at;
    *at = p;
    return any;
}

static uint32_t specificity_of(const svg_compound *c)
{
    uint32_t value = (c->id != NULL ? 1u << 20 : 0) + (c->type != NULL ? 1u : 0);
    for (size_t i = 0; i < c->classes_length; i++) {
        value += c->classes[i] == '.' ? 1u << 10 : 0;
    }
    return value;
}

/*
 * What a selector is refused for: a state that no still picture is in matches nothing; a selector
 * of another kind could match, and that is another engine's to know.
 */
static void check_selector(svg_job *job, const char *at, const char *end)
{
    static const char *const states[] = {":hover",   ":active",  ":focus", ":visited",
                                         ":checked", ":enabled", ":target"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strncmp(at, states[i], strlen(states[i])) == 0) {
            return;
        }
    }
    if (at < end && strchr(":[+~", *at) != NULL) {
        svg_fail(job, DP_ERR_UNSUPPORTED, "svg shows styles by selectors that are not read here");
    }
}

/* A whole selector up to `end`; its compounds are kept right to left. */
static bool read_selector(svg_job *job, const svg_names *names, const char *text, const char *end,
                          svg_rule *out)
{
    svg_compound compounds[SVG_COMPOUNDS_MAX];
    uint32_t count = 0;
    bool child = false;
    out->specificity = 0;
    for (const char *p = svg_skip_space(text); p < end; p = svg_skip_space(p)) {
        if (*p == '>' && count > 0 && !child) {
            child = true;
            p++;
            continue;
        }
        if (count == SVG_COMPOUNDS_MAX || !read_compound(&p, names, &compounds[count])) {
            check_selector(job, p, end);
            return false;
        }
        compounds[count].child = child;
        out->specificity += specificity_of(&compounds[count]);
        child = false;
        count++;
    }
    if (count == 0 || child) {
        return false;
    }
    out->compounds = svg_take(job, count * sizeof(svg_compound));
    if (out->compounds == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        out->compounds[i] = compounds[count - 1 - i];
    }
    out->compound_count = count;
    return true;
}

typedef struct sheet_reader {
    svg_job *job;
    const svg_names *names;
    svg_rule *first;
    uint32_t count;
    bool has_important;
} sheet_reader;

/* The selectors between `text` and `end`, each a rule of the same declarations. */
static void read_prelude(sheet_reader *r, const char *text, const char *end, const svg_rule *body)
{
    while (text < end && r->job->status == DP_OK) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma == NULL ? end : comma;
        svg_rule rule = *body;
        if (read_selector(r->job, r->names, text, stop, &rule)) {
            svg_rule *kept = svg_take(r->job, sizeof *kept);
            if (kept != NULL) {
                rule.next = r->first;
                rule.order = r->count++;
                *kept = rule;
                r->first = kept;
            }
        }
        text = stop + 1;
    }
}

/* Behind an at-rule: its ";" or its block, blocks inside it included. */
static char *skip_at_rule(char *p)
{
    int open = 0;
    for (; *p != '\0'; p++) {
        if (*p == '{') {
            open++;
        } else if (*p == '}' && --open <= 0) {
            return p + 1;
        } else if (*p == ';' && open == 0) {
            return p + 1;
        }
    }
    return p;
}

/* One rule from `p` on; returns what is behind it, NULL at the end. */
static char *read_rule(sheet_reader *r, char *p)
{
    char *open = strchr(p, '{');
    if (open == NULL) {
        return NULL;
    }
    char *stop = strchr(open, '}');
    char *behind = stop == NULL ? NULL : stop + 1;
    stop = stop == NULL ? open + strlen(open) : stop;
    *stop = '\0';
    svg_rule body = {0};
    body.declarations = svg_css_declarations(r->job, r->names, open + 1, (size_t)(stop - open - 1),
                                             &body.declaration_count);
    body.cost = 4 * body.declaration_count + (uint32_t)(stop - open) / SVG_BYTES_PER_STEP;
    for (uint32_t i = 0; i < body.declaration_count; i++) {
        r->has_important = r->has_important || body.declarations[i].important;
    }
    if (body.declaration_count > 0) {
        read_prelude(r, p, open, &body);
    }
    return behind;
}

static int compare_rules(const void *a, const void *b)
{
    const svg_rule *x = *(svg_rule *const *)a, *y = *(svg_rule *const *)b;
    if (x->specificity != y->specificity) {
        return x->specificity < y->specificity ? -1 : 1;
    }
    return x->order < y->order ? -1 : 1;
}

void svg_css_read(svg_job *job, const svg_names *names, const svg_document *document,
                  svg_sheet *out)
{
    sheet_reader r = {.job = job, .names = names};
    *out = (svg_sheet){0};
    if (document->sheets == NULL) {
        return;
    }
    blank_comments(document->sheets);
    char *p = document->sheets;
    while (p != NULL && job->status == DP_OK) {
        p += strspn(p, " \t\r\n\f");
        if (*p == '\0') {
            break;
        }
        if (strncmp(p, "<!--", 4) == 0) {
            p += 4;
        } else if (strncmp(p, "-->", 3) == 0) {
            p += 3;
        } else {
            p = *p == '@' ? skip_at_rule(p) : read_rule(&r, p);
        }
    }
    if (r.count == 0) {
        return;
    }
    out->rules = svg_take(job, r.count * sizeof(svg_rule *));
    if (out->rules == NULL) {
        return;
    }
    for (svg_rule *rule = r.first; rule != NULL; rule = rule->next) {
        out->rules[out->rule_count++] = rule;
    }
    qsort(out->rules, out->rule_count, sizeof(svg_rule *), compare_rules);
    out->has_important = r.has_important;
    out->compound_cost =
        STEPS_PER_COMPOUND + (uint32_t)document->class_bytes_max / (SVG_BYTES_PER_STEP / 2);
}

/* Every class of `.a.b` is a word of the attribute. */
static bool has_classes(const svg_element *e, const svg_compound *c)
{
    const char *words = svg_attribute_get(e, SVG_AT_CLASS);
    if (words == NULL) {
        return false;
    }
    const char *end = c->classes + c->classes_length;
    for (const char *p = c->classes; p < end;) {
        const size_t length = name_length(p + 1);
        const char *word = svg_skip_space(words);
        bool found = false;
        while (*word != '\0' && !found) {
            const size_t word_length = strcspn(word, " \t\r\n\f");
            found = word_length == length && memcmp(word, p + 1, length) == 0;
            word = svg_skip_space(word + word_length);
        }
        if (!found) {
            return false;
        }
        p += length + 1;
    }
    return true;
}

static bool matches_compound(const svg_element *e, const svg_compound *c)
{
    if (c->type != NULL && (c->kind == SVG_EL_OTHER || c->kind != e->kind)) {
        return false;
    }
    if (c->id != NULL && (e->id == NULL || strncmp(e->id, c->id, c->id_length) != 0 ||
                          e->id[c->id_length] != '\0')) {
        return false;
    }
    return c->classes == NULL || has_classes(e, c);
}

/*
 * Right to left.  When a step to a parent fails, the nearest "any ancestor" to the right of it is
 * tried one element further up: as with the stars of file names, no other needs to be tried again.
 */
static bool matches(const svg_element *e, const svg_rule *rule)
{
    const svg_element *retry = NULL;
    uint32_t retry_at = 0;
    if (!matches_compound(e, &rule->compounds[0])) {
        return false;
    }
    for (uint32_t i = 1; i < rule->compound_count;) {
        const bool child = rule->compounds[i - 1].child;
        e = e->parent;
        if (!child) {
            while (e != NULL && !matches_compound(e, &rule->compounds[i])) {
                e = e->parent;
            }
            if (e == NULL) {
                return false;
            }
            retry = e;
            retry_at = i;
            i++;
        } else if (e != NULL && matches_compound(e, &rule->compounds[i])) {
            i++;
        } else if (retry == NULL) {
            return false;
        } else {
            e = retry;
            i = retry_at;
            retry = NULL;
        }
    }
    return true;
}

const svg_rule **svg_css_rules(svg_job *job, const svg_sheet *sheet, svg_element *element)
{
    if (element->has_rules) {
        return element->rules;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < sheet->rule_count; i++) {
        if (!svg_spend(job, sheet->rules[i]->compound_count * sheet->compound_cost)) {
            return NULL;
        }
        count += matches(element, sheet->rules[i]);
    }
    const svg_rule **found = svg_take(job, (count + 1) * sizeof *found);
    if (found == NULL) {
        return NULL;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < sheet->rule_count && at < count; i++) {
        if (matches(element, sheet->rules[i])) {
            found[at++] = sheet->rules[i];
        }
    }
    found[at] = NULL;
    element->rules = found;
    element->has_rules = true;
    return found;
}
