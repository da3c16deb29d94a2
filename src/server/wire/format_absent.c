/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of formats that this build cannot write: a name for metrics and messages, and no build(), so
 * that nobody is given them.  A format that comes takes its row away from here.
 */
#include "server/wire/format.h"

extern const format_ops format_cbor, format_bili_plain, format_bili_zlib, format_bili_brotli;

const format_ops format_cbor = {.name = "cbor", .is_binary = true};
const format_ops format_bili_plain = {.name = "bili_plain", .is_binary = true};
const format_ops format_bili_zlib = {.name = "bili_zlib", .is_binary = true};
const format_ops format_bili_brotli = {.name = "bili_brotli", .is_binary = true};
