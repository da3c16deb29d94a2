/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader that has untrusted bytes decoded in a process of the sandbox; see decode.h, sandbox.h.
 */
#ifndef DP_RENDER_DECODE_PROCESS_H
#define DP_RENDER_DECODE_PROCESS_H

#include "render/decode.h"
#include "render/sandbox.h"

typedef struct process_reader {
    decode_reader base;
    sandbox *box;
} process_reader;

/* Makes a reader over a sandbox, which stays its owner's and outlives it. */
void process_reader_init(process_reader *reader, sandbox *box);

#endif
