/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libraries want from the file system, had before it is closed: fonts, their configuration,
 * loaders of embedded pictures, tables that are read once.
 */
#ifndef DP_DECODER_WARM_H
#define DP_DECODER_WARM_H

#include <danpool/pool.h>

/* Best effort: what is missing then is missing in pictures, and in nothing else. */
void warm_up(dp_pool *pool);

#endif
