/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording to replay when none is given: the buffers of a chat room, by script.
 */
#ifndef DP_BENCH_REPLAY_RECORD_H
#define DP_BENCH_REPLAY_RECORD_H

#include <danpool/trace.h>

/*
 * Runs the script on a pool of its own and writes what it did with buffers to `to`.  Sizes and
 * order are the same each time; only how the two threads interleave is the machine's.
 *
 * For each message a receiving thread takes a buffer for the frame and one for the text (which the
 * last 100 keep); every 20 messages become one batch that a second thread holds among its last 64;
 * every 200th brings a sticker: its source, a surface, and a result that the last 64 keep.
 */
dp_status replay_record(unsigned messages, FILE *to);

#endif
