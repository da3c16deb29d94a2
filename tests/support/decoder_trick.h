/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What danpool-decoder-test does when it is told to: things that a decoder which was taken over
 * would do.  Only that program has them.
 */
#ifndef DP_TESTS_DECODER_TRICK_H
#define DP_TESTS_DECODER_TRICK_H

typedef enum decoder_trick_kind {
    TRICK_NONE, /* answers DP_OK */
    TRICK_CRASH,
    TRICK_ABORT,
    TRICK_EXIT,
    TRICK_HANG,
    TRICK_SLEEP,      /* 100 ms, then answers */
    TRICK_EAT_MEMORY, /* as GLib does it: takes, and aborts when there is no more */
    TRICK_LIE,        /* a reply to another job */
    TRICK_READ_FILE,  /* answers DP_OK when it was told no */
    TRICK_LOOK_AT_FILE,
    TRICK_WRITE_FILE,
    TRICK_SOCKET,
    TRICK_FORK,
    TRICK_THREAD, /* which libraries do */
    TRICK_EXEC,
    TRICK_TRACE,
    TRICK_MAKE_CODE,    /* memory that can be executed */
    TRICK_SHARE_MEMORY, /* shared memory of its own making, which no limit would count */
    TRICK_KILL,         /* somebody else */
    TRICK_RAISE_LIMIT,
    TRICK_FIND_OLD, /* answers DP_OK unless something lies in the region behind the source */
    TRICK_LEAVE     /* writes something there, 1 MiB */
} decoder_trick_kind;

#endif
