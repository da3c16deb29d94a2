/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of addresses in files on disk, by addr2line (binutils) where it is installed.
 *
 * The path may come from a foreign recording: only a regular file is ever opened, it is given to
 * addr2line as one argument without a shell, and what comes back is printed with every byte that is
 * not plain text replaced.
 */
#ifndef DP_CTL_SYMBOL_H
#define DP_CTL_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

#define SYMBOL_BYTES_MAX 256u
#define SYMBOL_COUNT_MAX 512u /* in one call: they are arguments of one process */

/*
 * Finds the names of `count` addresses of one file, each "function at file:line" or as much of it
 * as is known; a name that is not found is left empty.  Without addr2line all are.
 */
void symbol_find(const char *path, const uint64_t *addresses, size_t count,
                 char (*names)[SYMBOL_BYTES_MAX]);

/* Replaces what is not plain text. */
void symbol_clean(char *text);

#endif
