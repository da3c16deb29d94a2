/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between the pipeline and whoever reads untrusted bytes.
 *
 *     decode_open()     what it is: the header only, limits checked
 *     decode_picture()  the pixels; of a drawing as often as there are sizes, of a picture once
 *     decode_close()
 *
 * A reader is a table of these three: decode_in_thread runs the codecs on the calling thread.  A
 * session is used by one thread at a time, and the bytes stay where they are until it is closed.
 * Errors come with words in the task.
 */
#ifndef DP_RENDER_DECODE_H
#define DP_RENDER_DECODE_H

#include "render/codec.h"

typedef struct decode_session decode_session;
typedef struct decode_reader decode_reader;

/* The first member of every reader's own session. */
struct decode_session {
    const decode_reader *reader;
    render_task *task;
    dp_media_format format;
    const char *engine; /* who draws, where that is not the backend, else NULL.  Static. */
    media_info info;
};

struct decode_reader {
    const char *name;
    /* As codec_open(). */
    dp_status (*open)(const decode_reader *reader, render_task *task, media_bytes bytes,
                      decode_session **out);
    /* As codec_decode(). */
    dp_status (*picture)(decode_session *session, const decode_hints *hints, picture *out);
    void (*close)(decode_session *session);
};

extern const decode_reader decode_in_thread;

static inline dp_status decode_open(const decode_reader *reader, render_task *task,
                                    media_bytes bytes, decode_session **out)
{
    return reader->open(reader, task, bytes, out);
}

static inline dp_status decode_picture(decode_session *session, const decode_hints *hints,
                                       picture *out)
{
    return session->reader->picture(session, hints, out);
}

/* NULL is fine. */
static inline void decode_close(decode_session *session)
{
    if (session != NULL) {
        session->reader->close(session);
    }
}

#endif
