/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of formats that this build cannot write: a name for metrics and messages, and no build(), so
 * that nobody is given them.  A format that comes takes its row away from here.
 */
#include "server/wire/format.h"

extern const format_ops format_cbor;

const format_ops format_cbor = {.name = "cbor", .is_binary = true};
