/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the decoder's process shuts itself in: what it is born with goes first, then, once every
 * library has what it needs, memory, descriptors and system calls are limited for good.
 *
 *     confine_early()   nothing inherited, no new privileges, not to be traced, dies with its
 * parent
 *     ... libraries are loaded, fonts opened, threads of libraries started ...
 *     confine_for_good()
 *
 * One thread; the filter covers the threads that libraries have started by then.
 */
#ifndef DP_DECODER_CONFINE_H
#define DP_DECODER_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

void confine_early(void);

/*
 * Limits private memory to memory_bytes, descriptors to what one request may bring, and system
 * calls to what decoding needs; the first call beyond them ends the process with SIGSYS.  What
 * libraries probe without harm (opening a file for reading, looking at one) is answered EACCES.
 * False: no filter is in force, because the build has none or the kernel refused; the limits are.
 */
bool confine_for_good(size_t memory_bytes);

#endif
