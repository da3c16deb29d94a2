/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of formats; each row lives in the file of its format.  A row of a format that this
 * build lacks has its name and no build().
 */
#include "server/wire/format.h"

#include "pool/os.h"

#define FORMAT_DECLARE(id, ops) extern const format_ops ops;
FORMAT_LIST(FORMAT_DECLARE)
#undef FORMAT_DECLARE

static const format_ops *const formats[FORMAT_COUNT] = {
#define FORMAT_ROW(id, ops) [id] = &ops,
    FORMAT_LIST(FORMAT_ROW)
#undef FORMAT_ROW
};

const format_ops *format_of(format_id id)
{
    DP_ASSERT((unsigned)id < FORMAT_COUNT);
    return formats[id];
}
