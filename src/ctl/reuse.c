/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of danpoolctl reuse, by sorting twice: by buffer, to see which get was put, and by
 * site, to add up.  Sorting needs no hash that a hostile file could make slow.
 */
#include "ctl/reuse.h"

#include <stdlib.h>

#include "pool/os.h"

/* A get or a put, in the order that it was recorded. */
typedef struct step {
    uint64_t key; /* the buffer, then the site */
    size_t at;    /* index of the event */
    bool held;
} step;

static int by_key(const void *left, const void *right)
{
    const step *a = left;
    const step *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static int by_gets(const void *left, const void *right)
{
    const reuse_row *a = left;
    const reuse_row *b = right;
    if (a->gets != b->gets)
        return a->gets > b->gets ? -1 : 1;
    return (a->site > b->site) - (a->site < b->site);
}

static void row_add(reuse_row *row, const trace_event *get, bool held)
{
    row->gets++;
    row->fresh += (get->detail & TRACE_GET_FRESH) != 0;
    row->bytes += get->size_bytes;
    row->held += held;
    row->held_bytes += held ? get->size_bytes : 0;
}

/* The gets among the steps, with whether they are held, keyed by site; their number. */
static size_t gets_keep(const trace_file *file, step *steps, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const trace_event *event = &file->events[steps[i].at];
        if (event->type != DP_TRACE_GET)
            continue;
        bool is_last = i + 1 == count || steps[i + 1].key != steps[i].key;
        steps[kept++] = (step){.key = event->site, .at = steps[i].at, .held = is_last};
    }
    return kept;
}

static void rows_fill(const trace_file *file, const step *gets, size_t count, reuse_table *table)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || gets[i].key != gets[i - 1].key)
            table->rows[table->count++] = (reuse_row){.site = gets[i].key};
        row_add(&table->rows[table->count - 1], &file->events[gets[i].at], gets[i].held);
        row_add(&table->total, &file->events[gets[i].at], gets[i].held);
    }
}

static size_t steps_fill(const trace_file *file, step *steps)
{
    size_t count = 0;
    for (size_t i = 0; i < file->event_count; i++) {
        const trace_event *event = &file->events[i];
        if (event->type != DP_TRACE_GET && event->type != DP_TRACE_PUT)
            continue;
        if (steps != NULL)
            steps[count] = (step){.key = event->id, .at = i};
        count++;
    }
    return count;
}

dp_status reuse_make(const trace_file *file, reuse_table *out)
{
    size_t count = steps_fill(file, NULL);
    reuse_table table = {.count = 0};
    if (count != 0) {
        step *steps = os_calloc(count, sizeof *steps);
        if (steps == NULL)
            return DP_ERR_NOMEM;
        (void)steps_fill(file, steps);
        qsort(steps, count, sizeof *steps, by_key);
        count = gets_keep(file, steps, count);
        qsort(steps, count, sizeof *steps, by_key);
        size_t sites = 0;
        for (size_t i = 0; i < count; i++)
            sites += i == 0 || steps[i].key != steps[i - 1].key;
        table.rows = os_calloc(sites + 1, sizeof *table.rows);
        if (table.rows == NULL) {
            os_free(steps);
            return DP_ERR_NOMEM;
        }
        rows_fill(file, steps, count, &table);
        qsort(table.rows, table.count, sizeof *table.rows, by_gets);
        os_free(steps);
    }
    *out = table;
    return DP_OK;
}

void reuse_clear(reuse_table *table)
{
    os_free(table->rows);
    *table = (reuse_table){.count = 0};
}
