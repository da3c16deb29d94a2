/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: a recording as a file, and as JSON.
 *
 * The file, all numbers little endian:
 *
 *     8   "dptrace\n"
 *     4   version, 1                4  number of modules, at most 64
 *     4   number of the process     4  0
 *     8   number of events          8  events that were dropped
 *     then each module:   8 load bias, 8 first address, 8 address behind the last,
 *                         4 length of the path (1 .. 4,095), the path without a NUL
 *     then each event:    40 bytes, the fields of trace_event in their order
 *
 * Events are in the order of time.  Modules are the files that call sites lie in, so that a site
 * can be found in the file on disk (address - load bias) after the process is gone.
 *
 * A file from elsewhere is hostile: trace_file_parse() takes it only if every number is in its
 * range, and takes no memory that the file's own size does not justify.
 */
#ifndef DP_POOL_TRACE_FILE_H
#define DP_POOL_TRACE_FILE_H

#include <stdio.h>

#include "pool/trace.h"

#define TRACE_FILE_VERSION     1u
#define TRACE_MODULES_MAX      64u
#define TRACE_MODULE_PATH_MAX  4095u
#define TRACE_FILE_BYTES_MAX   ((size_t)1 << 31)
#define TRACE_FILE_EVENT_BYTES 40u

typedef struct trace_module {
    uint64_t bias;  /* what the loader added to the file's addresses */
    uint64_t begin; /* the first address, and the one behind the last */
    uint64_t end;
    char *path;
} trace_module;

typedef struct trace_file {
    trace_module modules[TRACE_MODULES_MAX];
    uint32_t module_count;
    trace_event *events;
    size_t event_count;
    uint64_t dropped;
    uint32_t process; /* the kernel's number of it, below 2^31 */
} trace_file;

/* Takes a snapshot of a recording, with the modules that its call sites are in.  DP_ERR_NOMEM. */
dp_status trace_file_from(trace *from, trace_file *out);

/* Reads a file's bytes.  DP_ERR_FORMAT: they are no such file.  DP_ERR_NOMEM. */
dp_status trace_file_parse(const void *bytes, size_t size_bytes, trace_file *out);

/* The same for a file by its name.  DP_ERR_IO; DP_ERR_TOO_LARGE: over 2 GiB. */
dp_status trace_file_load(const char *path, trace_file *out);

/* Frees what it holds. */
void trace_file_clear(trace_file *file);

/* DP_ERR_IO: `to` has not taken all of it. */
dp_status trace_file_write(const trace_file *file, FILE *to);
dp_status trace_file_write_chrome(const trace_file *file, FILE *to);

/* The module that an address lies in, NULL when it lies in none. */
const trace_module *trace_file_module(const trace_file *file, uint64_t address);

/* The name of an event's type for people; "unknown" outside their range. */
const char *trace_event_name(unsigned type);

#endif
