/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up a file of the page.  About twenty rows, asked once per page load: a scan is enough.
 */
#include "server/http/assets.h"

#include <string.h>

const asset *asset_find(const char *path, size_t path_bytes)
{
    for (const asset *row = asset_table; row->path != NULL; row++) {
        if (strlen(row->path) == path_bytes && memcmp(row->path, path, path_bytes) == 0) {
            return row;
        }
    }
    return NULL;
}
