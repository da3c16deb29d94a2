/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command lines of render and thumb, which differ in how sizes are said.
 */
#ifndef DP_CTL_BATCH_OPTIONS_H
#define DP_CTL_BATCH_OPTIONS_H

#include "ctl/batch.h"

/* False after saying what is wrong.  `o->command` says which of the two it is. */
bool batch_read_options(int argc, char **argv, batch_options *o);

#endif
