/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on standard error, in logfmt (ts=... level=info msg="..." key=value) or as JSON objects
 * of the same members.  No user text ever.
 *
 * One write() a line, so that threads never mix theirs.  Thread safe.
 */
#ifndef DP_SERVER_LOG_H
#define DP_SERVER_LOG_H

#include <stddef.h>

typedef enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
} log_level;

typedef enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON } log_format;

/* The format of that name, -1 when there is none. */
int log_format_by_name(const char *name);
void log_format_set(log_format format);

/* The level of that name, -1 when there is none. */
int log_level_by_name(const char *name);
void log_level_set(log_level level);

/*
 * Writes the line in logfmt, which log_line() makes, as a JSON object: whole numbers as such, all
 * else as texts.  Returns the bytes written; pairs that do not fit are left out.
 */
#define LOG_JSON_BYTES 4096u
size_t log_json(const char *line, size_t line_bytes, char to[LOG_JSON_BYTES]);

/* `format` gives the rest of the line behind msg, as "key=value key=%d"; values with spaces are the
 * caller's to quote. */
void log_line(log_level level, const char *msg, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
