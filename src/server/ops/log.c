/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: built whole in a buffer on the stack, then handed to the kernel in one write().
 *
 * The only state is the level, an atomic read once a line.  A line never holds a line feed or
 * another control character except the one at its end, whatever the arguments were, so that a log
 * reader cannot be fed a forged line.  errno is kept, because people log before they look at it.
 */
#include "server/ops/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Lines up to PIPE_BUF (4096) bytes are atomic on a pipe too; no line of ours needs half of it. */
#define LINE_BYTES 2048u

static const char *const level_names[] = {"error", "warn", "info", "debug"};
#define LEVEL_COUNT (sizeof level_names / sizeof level_names[0])

static _Atomic int level_max = LOG_LEVEL_INFO;
static _Atomic int line_format = LOG_FORMAT_LOGFMT;

int log_format_by_name(const char *name)
{
    return strcmp(name, "logfmt") == 0 ? LOG_FORMAT_LOGFMT
           : strcmp(name, "json") == 0 ? LOG_FORMAT_JSON
                                       : -1;
}

void log_format_set(log_format format)
{
    atomic_store_explicit(&line_format, (int)format, memory_order_relaxed);
}

int log_level_by_name(const char *name)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void log_level_set(log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

/* ts=2026-01-02T03:04:05.678Z level=info */
static size_t write_head(char *line, log_level level)
{
    struct timespec now = {0};
    struct tm utc = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, LINE_BYTES, "ts=%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + used, LINE_BYTES - used, ".%03dZ level=%s ",
                        (int)(now.tv_nsec / 1000000), level_names[level]);
    return used + (size_t)more;
}

/* msg="..." with quotes and backslashes escaped; ends early rather than overflow. */
static size_t write_msg(char *line, size_t used, const char *msg)
{
    static const char start[] = "msg=\"";
    memcpy(line + used, start, sizeof start - 1);
    used += sizeof start - 1;
    for (; *msg != '\0' && used < LINE_BYTES - 4; msg++) {
        if (*msg == '"' || *msg == '\\') {
            line[used++] = '\\';
        }
        line[used++] = *msg;
    }
    line[used++] = '"';
    return used;
}

/* Makes one line of it: control characters become '?', trailing spaces go, the line feed comes. */
static size_t finish(char *line, size_t used)
{
    for (size_t i = 0; i < used; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 || c == 0x7F) {
            line[i] = '?';
        }
    }
    while (used > 0 && line[used - 1] == ' ') {
        used--;
    }
    line[used++] = '\n';
    return used;
}

static void write_all(const char *line, size_t used)
{
    size_t done = 0;
    while (done < used) {
        ssize_t wrote = write(STDERR_FILENO, line + done, used - done);
        if (wrote > 0) {
            done += (size_t)wrote;
        } else if (wrote < 0 && errno == EINTR) {
            continue;
        } else {
            return; /* Nobody is left to be told that logging fails. */
        }
    }
}

void log_line(log_level level, const char *msg, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed)) {
        return;
    }
    int saved_errno = errno;
    char line[LINE_BYTES];
    size_t used = write_msg(line, write_head(line, level), msg);
    /* One byte stays free for the line feed. */
    size_t left = LINE_BYTES - 1 - used;
    if (left > 1) {
        line[used++] = ' ';
        left--;
        va_list arguments;
        va_start(arguments, format);
        int wanted = vsnprintf(line + used, left, format, arguments);
        va_end(arguments);
        if (wanted > 0) {
            used += (size_t)wanted < left ? (size_t)wanted : left - 1;
        }
    }
    used = finish(line, used);
    if (atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_FORMAT_JSON) {
        char json[LOG_JSON_BYTES];
        used = log_json(line, used, json);
        write_all(json, used);
    } else {
        write_all(line, used);
    }
    errno = saved_errno;
}
