/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two files of the configuration share: config.c, which reads plain settings, and
 * config_routes.c, which reads the one that is a list.
 */
#ifndef DP_SERVER_CONFIG_INTERNAL_H
#define DP_SERVER_CONFIG_INTERNAL_H

#include <libconfig.h>
#include <stdio.h>

#include "server/config/config.h"

/* Fills the message and gives DP_ERR_INVALID, so that a check can end in `return config_fail(...)`.
 */
dp_status config_fail(config_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "danpoold.conf:12", with the file that an @include named where there was one. */
void config_where(const config_setting_t *node, const char *path, char where[CONFIG_WHERE_BYTES]);

/* "a whole number", for messages. */
const char *config_type_name(int type);

/* DP_OK, unless a number in the node's file is one that libconfig wrapped (config_scan.h). */
dp_status config_check_wrapped(const config_setting_t *node, config_error *error);

/* Reads pool.routes in place of what `out` has; on failure `out` may hold some of it. */
dp_status config_routes_read(config *out, const config_setting_t *list, const char *path,
                             config_error *error);

/* The same as lines of the group pool. */
void config_routes_print(FILE *to, const config *in);

#endif
