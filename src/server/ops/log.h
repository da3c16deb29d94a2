/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines in logfmt on standard error: ts=... level=info msg="..." key=value.  No user text ever.
 *
 * One write() a line, so that threads never mix theirs.  Thread safe.
 */
#ifndef DP_SERVER_LOG_H
#define DP_SERVER_LOG_H

typedef enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
} log_level;

/* The level of that name, -1 when there is none. */
int log_level_by_name(const char *name);
void log_level_set(log_level level);

/* `format` gives the rest of the line behind msg, as "key=value key=%d"; values with spaces are the
 * caller's to quote. */
void log_line(log_level level, const char *msg, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
