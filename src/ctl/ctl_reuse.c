/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl reuse and danpoolctl trace: what a recording of dp_trace_write() holds, as a table by
 * call site and as JSON for a trace viewer.  Nothing of the pool that was recorded is needed.
 */
#define _DEFAULT_SOURCE /* getopt_long */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/reuse.h"
#include "ctl/symbol.h"
#include "pool/os.h"

static int load(const char *path, trace_file *out)
{
    const dp_status status = trace_file_load(path, out);
    if (status != DP_OK) {
        ctl_error("%s: %s", path,
                  status == DP_ERR_IO ? "cannot be read" : dp_status_message(status));
    }
    return status == DP_OK;
}

/* "danpoold+0x1234", or the bare address where no module is known. */
static void name_by_number(const trace_file *file, uint64_t site, char name[SYMBOL_BYTES_MAX])
{
    const trace_module *module = trace_file_module(file, site);
    if (module == NULL) {
        (void)snprintf(name, SYMBOL_BYTES_MAX, "0x%" PRIx64, site);
        return;
    }
    const char *slash = strrchr(module->path, '/');
    (void)snprintf(name, SYMBOL_BYTES_MAX, "%.200s+0x%" PRIx64,
                   slash == NULL ? module->path : slash + 1, site - module->bias);
    symbol_clean(name);
}

/* Asks for all rows of one module at once, and keeps the names that are found. */
static void name_by_symbol(const trace_file *file, const trace_module *module,
                           const reuse_table *table, char (*names)[SYMBOL_BYTES_MAX])
{
    static char found[SYMBOL_COUNT_MAX][SYMBOL_BYTES_MAX];
    uint64_t addresses[SYMBOL_COUNT_MAX];
    size_t rows[SYMBOL_COUNT_MAX];
    size_t count = 0;
    for (size_t i = 0; i < table->count && count < SYMBOL_COUNT_MAX; i++) {
        if (trace_file_module(file, table->rows[i].site) == module) {
            /* The call is the instruction before the one it returns to. */
            addresses[count] = table->rows[i].site - module->bias - 1;
            rows[count++] = i;
        }
    }
    symbol_find(module->path, addresses, count, found);
    for (size_t i = 0; i < count; i++) {
        if (found[i][0] != '\0') {
            memcpy(names[rows[i]], found[i], SYMBOL_BYTES_MAX);
        }
    }
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0.0 : 100.0 * (double)part / (double)whole;
}

static void print_row(const reuse_row *row, const char *name)
{
    printf("%10" PRIu64 " %7.2f%% %9" PRIu64 " %9" PRIu64 " %12" PRIu64 " %10.0f  %s\n", row->gets,
           percent(row->gets - row->fresh, row->gets), row->fresh, row->held, row->held_bytes,
           row->gets == 0 ? 0.0 : (double)row->bytes / (double)row->gets, name);
}

static int print_table(const trace_file *file, int raw)
{
    reuse_table table;
    char(*names)[SYMBOL_BYTES_MAX] = NULL;
    dp_status status = reuse_make(file, &table);
    if (status == DP_OK) {
        names = os_calloc(table.count + 1, sizeof *names);
        if (names == NULL) {
            reuse_clear(&table);
            status = DP_ERR_NOMEM;
        }
    }
    if (status != DP_OK) {
        ctl_error("%s", dp_status_message(status));
        return CTL_FAILED;
    }
    for (size_t i = 0; i < table.count; i++) {
        name_by_number(file, table.rows[i].site, names[i]);
    }
    for (uint32_t i = 0; !raw && i < file->module_count; i++) {
        name_by_symbol(file, &file->modules[i], &table, names);
    }
    printf("%10s %8s %9s %9s %12s %10s  %s\n", "gets", "reused", "fresh", "held", "held bytes",
           "mean size", "call site");
    for (size_t i = 0; i < table.count; i++) {
        print_row(&table.rows[i], names[i]);
    }
    print_row(&table.total, "all");
    if (file->dropped != 0) {
        printf("%" PRIu64
               " events were overwritten before the recording was written: counts are "
               "of its end\n",
               file->dropped);
    }
    os_free(names);
    reuse_clear(&table);
    return CTL_OK;
}

int ctl_reuse(int argc, char **argv)
{
    static const struct option options[] = {{"raw", no_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    int raw = 0;
    int option;
    trace_file file;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'r') {
            return CTL_USAGE;
        }
        raw = 1;
    }
    if (argc - optind != 1) {
        ctl_error("reuse needs one file name");
        return CTL_USAGE;
    }
    if (!load(argv[optind], &file)) {
        return CTL_FAILED;
    }
    const int result = print_table(&file, raw);
    trace_file_clear(&file);
    return result;
}

int ctl_trace(int argc, char **argv)
{
    trace_file file;

    if (argc != 2) {
        ctl_error("trace needs one file name");
        return CTL_USAGE;
    }
    if (!load(argv[1], &file)) {
        return CTL_FAILED;
    }
    const dp_status status = trace_file_write_chrome(&file, stdout);
    if (status != DP_OK) {
        ctl_error("cannot write: %s", dp_status_message(status));
    }
    trace_file_clear(&file);
    return status == DP_OK ? CTL_OK : CTL_FAILED;
}
