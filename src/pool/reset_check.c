/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: the checker of the reset contract.
 *
 * The table of fields is first made flat: a list of leaves, each with the offsets that lead to it
 * (a pointer is followed between two of them).  A leaf behind a pointer that is NULL is not there.
 * Each round then takes two new objects, uses one, and looks at every leaf before the reset, after
 * it and after the second one; what was seen is kept as bytes, a slice for each leaf.
 *
 * One thread, no state beyond the call.  For tests: speed does not matter here.
 */
#include <danpool/reset.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "pool/os.h"

typedef struct leaf {
    char path[DP_RESET_PATH_BYTES];
    size_t offsets[DP_RESET_DEPTH_MAX]; /* from struct to struct */
    unsigned steps;
    size_t size_bytes;
    size_t at; /* of its slice */
    dp_field_kind kind;
    bool nested;
    bool changed; /* in some round, by use or pattern */
    bool told[DP_RESET_BREACH_KIND_COUNT];
} leaf;

typedef struct check {
    const dp_object_type *type;
    const dp_reset_options *options;
    leaf *leaves;
    size_t leaf_count;
    size_t slices_bytes;
    uint8_t *before; /* slices: used, not yet reset */
    uint8_t *after;  /* reset once */
    bool outside_told;
    bool descriptors_told;
    dp_reset_report report;
} check;

static const char *const breach_names[DP_RESET_BREACH_KIND_COUNT] = {
    [DP_RESET_FORGOTTEN] = "forgotten",           [DP_RESET_FORGOTTEN_NESTED] = "forgotten_nested",
    [DP_RESET_NOT_IDEMPOTENT] = "not_idempotent", [DP_RESET_RELEASED] = "released",
    [DP_RESET_LEFT_NULL] = "left_null",
};

const char *dp_reset_breach_name(dp_reset_breach_kind kind)
{
    return (unsigned)kind < DP_RESET_BREACH_KIND_COUNT ? breach_names[kind] : "unknown";
}

/* ---- the table, made flat ---- */

/* A struct whose fields are being gone through. */
typedef struct frame {
    const dp_field *fields;
    size_t count;
    size_t index;
    size_t bytes; /* of the struct; SIZE_MAX behind a pointer, where it is not known */
    leaf prefix;  /* how to get there */
} frame;

static void path_append(char path[DP_RESET_PATH_BYTES], const char *name)
{
    size_t length = strlen(path);
    (void)snprintf(path + length, DP_RESET_PATH_BYTES - length, "%s%s", length == 0 ? "" : ".",
                   name);
}

static bool leaf_add(check *self, const leaf *made)
{
    if (self->leaf_count == DP_RESET_FIELDS_MAX)
        return false;
    leaf *to = &self->leaves[self->leaf_count++];
    *to = *made;
    to->at = self->slices_bytes;
    self->slices_bytes += made->size_bytes;
    return true;
}

static bool field_is_valid(const dp_field *field, size_t struct_bytes)
{
    bool has_fields = field->kind == DP_FIELD_EMBEDDED || field->kind == DP_FIELD_NESTED;
    bool is_pointer = field->kind == DP_FIELD_POINTER || field->kind == DP_FIELD_NESTED;
    return field->name != NULL && field->size_bytes != 0 && field->kind <= DP_FIELD_FD &&
           field->offset_bytes <= struct_bytes &&
           field->size_bytes <= struct_bytes - field->offset_bytes &&
           has_fields == (field->fields != NULL && field->field_count != 0) &&
           (!is_pointer || field->size_bytes == sizeof(void *)) &&
           (field->kind != DP_FIELD_FD || field->size_bytes == sizeof(int));
}

/* Goes into a struct with fields of its own. */
static void frame_open(const dp_field *field, const leaf *here, frame *to)
{
    *to = (frame){.fields = field->fields, .count = field->field_count, .prefix = *here};
    to->bytes = field->size_bytes;
    if (field->kind == DP_FIELD_NESTED) {
        to->bytes = SIZE_MAX;
        to->prefix.steps = here->steps + 1;
        to->prefix.offsets[to->prefix.steps] = 0;
    }
    to->prefix.nested = true;
}

static dp_status leaves_make(check *self)
{
    frame stack[DP_RESET_DEPTH_MAX];
    unsigned depth = 1;
    stack[0] = (frame){.fields = self->options->fields,
                       .count = self->options->field_count,
                       .bytes = self->type->size_bytes};
    while (depth > 0) {
        frame *top = &stack[depth - 1];
        if (top->index == top->count) {
            depth--;
            continue;
        }
        const dp_field *field = &top->fields[top->index++];
        if (!field_is_valid(field, top->bytes))
            return DP_ERR_INVALID;
        leaf here = top->prefix;
        path_append(here.path, field->name);
        here.offsets[here.steps] += field->offset_bytes;
        here.size_bytes = field->size_bytes;
        here.kind = field->kind == DP_FIELD_NESTED ? DP_FIELD_POINTER : field->kind;
        if (field->kind != DP_FIELD_EMBEDDED && !leaf_add(self, &here))
            return DP_ERR_INVALID;
        if (field->fields != NULL) {
            if (depth == DP_RESET_DEPTH_MAX)
                return DP_ERR_INVALID;
            frame_open(field, &here, &stack[depth++]);
        }
    }
    return DP_OK;
}

/* Without a table: a leaf for each byte that the mask leaves. */
static dp_status bytes_make(check *self)
{
    if (self->type->size_bytes > DP_RESET_FIELDS_MAX)
        return DP_ERR_INVALID;
    for (size_t i = 0; i < self->type->size_bytes; i++) {
        leaf here = {.offsets = {i}, .size_bytes = 1, .kind = DP_FIELD_PLAIN};
        (void)snprintf(here.path, sizeof here.path, "byte %zu", i);
        if (self->options->mask == NULL || self->options->mask[i] != 0)
            (void)leaf_add(self, &here);
    }
    return DP_OK;
}

/* Where the leaf lies in that object, NULL behind a NULL. */
static uint8_t *leaf_in(const leaf *of, void *object)
{
    uint8_t *at = object;
    for (unsigned i = 0; at != NULL; i++) {
        at += of->offsets[i];
        if (i == of->steps)
            break;
        void *next;
        memcpy(&next, at, sizeof next);
        at = next;
    }
    return at;
}

/* ---- telling ---- */

static void tell(check *self, dp_reset_breach_kind kind, const char *path)
{
    dp_reset_report *report = &self->report;
    if (report->breach_count < DP_RESET_BREACHES_MAX) {
        dp_reset_breach *breach = &report->breaches[report->breach_count];
        breach->kind = kind;
        (void)snprintf(breach->path, sizeof breach->path, "%s", path);
    }
    report->breach_count++;
}

static void tell_leaf(check *self, leaf *of, dp_reset_breach_kind kind)
{
    if (!of->told[kind])
        tell(self, kind, of->path);
    of->told[kind] = true;
}

/* ---- what is outside ---- */

typedef struct outside {
    uint64_t counted;
    uint64_t descriptors;
} outside;

static uint64_t descriptors_count(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint64_t count = 0;
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        (void)closedir(folder);
    return count;
}

static outside outside_read(const check *self)
{
    const dp_reset_options *options = self->options;
    return (outside){.counted = options->outside == NULL ? 0 : options->outside(options->user),
                     .descriptors = options->watch_descriptors ? descriptors_count() : 0};
}

static void outside_compare(check *self, const outside *before)
{
    outside now = outside_read(self);
    if (now.counted < before->counted && !self->outside_told) {
        self->outside_told = true;
        tell(self, DP_RESET_RELEASED, "outside");
    }
    if (now.descriptors < before->descriptors && !self->descriptors_told) {
        self->descriptors_told = true;
        tell(self, DP_RESET_RELEASED, "descriptors");
    }
}

/* ---- leaves, before and after ---- */

static bool is_null(const uint8_t *pointer)
{
    void *value;
    memcpy(&value, pointer, sizeof value);
    return value == NULL;
}

static bool is_outside(const leaf *of)
{
    return of->kind == DP_FIELD_RESOURCE || of->kind == DP_FIELD_FD;
}

static bool is_compared(const leaf *of)
{
    return of->kind == DP_FIELD_PLAIN || of->kind == DP_FIELD_VALUE;
}

static void leaves_keep(const check *self, void *object, uint8_t *slices)
{
    for (size_t i = 0; i < self->leaf_count; i++) {
        const leaf *of = &self->leaves[i];
        const uint8_t *at = leaf_in(of, object);
        if (at != NULL)
            memcpy(slices + of->at, at, of->size_bytes);
        else
            memset(slices + of->at, 0, of->size_bytes);
    }
}

static void leaves_fill(const check *self, void *object, uint8_t pattern)
{
    for (size_t i = 0; i < self->leaf_count; i++) {
        const leaf *of = &self->leaves[i];
        uint8_t *at = of->kind == DP_FIELD_PLAIN ? leaf_in(of, object) : NULL;
        if (at != NULL)
            memset(at, pattern, of->size_bytes);
    }
}

/* Which leaves the use of the object has changed: only of those can the rest say anything. */
static void leaves_note_changes(check *self, void *fresh)
{
    for (size_t i = 0; i < self->leaf_count; i++) {
        leaf *of = &self->leaves[i];
        const uint8_t *clean = leaf_in(of, fresh);
        if (clean != NULL && memcmp(clean, self->before + of->at, of->size_bytes) != 0)
            of->changed = true;
    }
}

static void leaf_compare_outside(check *self, leaf *of, const uint8_t *at, const uint8_t *was)
{
    bool same = at != NULL && memcmp(at, was, of->size_bytes) == 0;
    if (same && of->kind == DP_FIELD_FD) {
        int descriptor;
        memcpy(&descriptor, at, sizeof descriptor);
        same = descriptor < 0 || fcntl(descriptor, F_GETFD) >= 0;
    }
    if (!same)
        tell_leaf(self, of, DP_RESET_RELEASED);
}

/* After the first reset: as the constructor leaves it?  False where a NULL was left. */
static bool leaves_compare(check *self, void *object, void *fresh)
{
    bool whole = true;
    for (size_t i = 0; i < self->leaf_count; i++) {
        leaf *of = &self->leaves[i];
        const uint8_t *at = leaf_in(of, object);
        const uint8_t *clean = leaf_in(of, fresh);
        dp_reset_breach_kind forgotten =
            of->nested ? DP_RESET_FORGOTTEN_NESTED : DP_RESET_FORGOTTEN;
        if (is_outside(of)) {
            leaf_compare_outside(self, of, at, self->before + of->at);
        } else if (at == NULL || clean == NULL) {
            continue; /* told of the pointer that leads there */
        } else if (of->kind == DP_FIELD_POINTER && is_null(at) != is_null(clean)) {
            tell_leaf(self, of, is_null(at) ? DP_RESET_LEFT_NULL : forgotten);
            whole = whole && !is_null(at);
        } else if (is_compared(of) && memcmp(at, clean, of->size_bytes) != 0) {
            tell_leaf(self, of, forgotten);
        }
    }
    return whole;
}

/* After the second: as after the first? */
static void leaves_compare_again(check *self, void *object)
{
    for (size_t i = 0; i < self->leaf_count; i++) {
        leaf *of = &self->leaves[i];
        const uint8_t *at = leaf_in(of, object);
        const uint8_t *was = self->after + of->at;
        if (at == NULL)
            continue;
        if (is_outside(of))
            leaf_compare_outside(self, of, at, was);
        else if (of->kind == DP_FIELD_POINTER ? is_null(at) != is_null(was)
                                              : memcmp(at, was, of->size_bytes) != 0)
            tell_leaf(self, of, DP_RESET_NOT_IDEMPOTENT);
    }
}

/* ---- rounds ---- */

static dp_status object_make(const dp_object_type *type, void **out)
{
    size_t alignment = type->alignment_bytes < 16 ? 16 : type->alignment_bytes;
    void *object = os_aligned(alignment, type->size_bytes);
    if (object == NULL)
        return DP_ERR_NOMEM;
    memset(object, 0, type->size_bytes);
    dp_status status = type->construct == NULL ? DP_OK : type->construct(object, type->user);
    if (status != DP_OK) {
        os_free(object);
        return status;
    }
    *out = object;
    return DP_OK;
}

static void object_unmake(const dp_object_type *type, void *object)
{
    if (type->destroy != NULL)
        type->destroy(object, type->user);
    os_free(object);
}

/* `pattern` below 0: what the owner does to it, alone. */
static dp_status round_run(check *self, int pattern)
{
    const dp_object_type *type = self->type;
    void *fresh = NULL;
    void *object = NULL;
    dp_status status = object_make(type, &fresh);
    if (status != DP_OK)
        return status;
    status = object_make(type, &object);
    if (status != DP_OK) {
        object_unmake(type, fresh);
        return status;
    }
    if (self->options->dirty != NULL)
        self->options->dirty(object, self->options->user);
    if (pattern >= 0)
        leaves_fill(self, object, (uint8_t)pattern);
    leaves_keep(self, object, self->before);
    leaves_note_changes(self, fresh);
    const outside before = outside_read(self);
    type->reset(object, type->user);
    outside_compare(self, &before);
    if (leaves_compare(self, object, fresh)) { /* else the next user would fall over it, too */
        leaves_keep(self, object, self->after);
        type->reset(object, type->user);
        outside_compare(self, &before);
        leaves_compare_again(self, object);
    }
    object_unmake(type, object);
    object_unmake(type, fresh);
    return DP_OK;
}

static void untested_count(check *self)
{
    dp_reset_report *report = &self->report;
    for (size_t i = 0; i < self->leaf_count; i++) {
        const leaf *of = &self->leaves[i];
        if (!is_compared(of) || of->changed)
            continue;
        if (report->untested_count++ == 0)
            memcpy(report->untested, of->path, sizeof report->untested);
    }
}

dp_status dp_reset_check(const dp_object_type *type, const dp_reset_options *options,
                         dp_reset_report *out)
{
    static const int patterns[] = {-1, 0x00, 0xff, 0xa5};
    if (type->reset == NULL || type->size_bytes == 0 ||
        (options->fields != NULL && options->mask != NULL))
        return DP_ERR_INVALID;
    check self = {.type = type, .options = options};
    self.leaves = os_calloc(DP_RESET_FIELDS_MAX, sizeof(leaf));
    if (self.leaves == NULL)
        return DP_ERR_NOMEM;
    dp_status status = options->fields != NULL ? leaves_make(&self) : bytes_make(&self);
    if (status == DP_OK) {
        self.before = os_calloc(self.slices_bytes + 1, 1);
        self.after = os_calloc(self.slices_bytes + 1, 1);
        status = self.before == NULL || self.after == NULL ? DP_ERR_NOMEM : DP_OK;
    }
    for (unsigned i = 0; status == DP_OK && i < sizeof patterns / sizeof patterns[0]; i++)
        status = round_run(&self, patterns[i]);
    untested_count(&self);
    os_free(self.before);
    os_free(self.after);
    os_free(self.leaves);
    if (status == DP_OK)
        *out = self.report;
    return status;
}
