/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds whole numbers that libconfig would wrap.
 *
 * libconfig 1.5 keeps a number without the suffix L in 32 bits and drops the rest unseen, so that
 * "port = 4294967376" would quietly listen on port 80.  Later releases widen the type themselves.
 */
#ifndef DP_SERVER_CONFIG_SCAN_H
#define DP_SERVER_CONFIG_SCAN_H

#include <stddef.h>

/*
 * The line (from 1) of the first number in this configuration text that does not fit 32 bits and
 * has no L behind it; 0 when there is none.  Strings and comments are skipped.  Thread safe.
 */
unsigned config_scan_wrapped(const char *text, size_t size_bytes);

/* The same for a file; 0 too when it cannot be read, which the caller has found out before. */
unsigned config_scan_wrapped_file(const char *path);

#endif
