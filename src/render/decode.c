/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader that runs the codecs on the calling thread; see decode.h.
 */
#include "render/decode.h"

#include "pool/os.h"

typedef struct thread_session {
    decode_session base;
    decoder *decoder;
} thread_session;

static dp_status open_here(const decode_reader *reader, render_task *task, media_bytes bytes,
                           decode_session **out)
{
    thread_session *session = os_calloc(1, sizeof *session);
    if (session == NULL) {
        return task_fail(task, DP_ERR_NOMEM, "no memory for a decoder");
    }
    const dp_status status = codec_open(task, bytes, &session->decoder);
    if (status != DP_OK) {
        os_free(session);
        return status;
    }
    session->base = (decode_session){.reader = reader,
                                     .task = task,
                                     .format = session->decoder->codec->format,
                                     .engine = session->decoder->codec->engine,
                                     .info = session->decoder->info};
    *out = &session->base;
    return DP_OK;
}

static dp_status picture_here(decode_session *base, const decode_hints *hints, picture *out)
{
    return codec_decode(((thread_session *)(void *)base)->decoder, hints, out);
}

static void close_here(decode_session *base)
{
    codec_close(((thread_session *)(void *)base)->decoder);
    os_free(base);
}

const decode_reader decode_in_thread = {
    .name = "thread", .open = open_here, .picture = picture_here, .close = close_here};
