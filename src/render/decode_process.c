/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions in the sandbox; see decode_process.h.  The format is told here by the first bytes, as
 * the codec in the worker tells it; who draws is the codec's row in our own table, never the
 * worker's word.
 */
#include "render/decode_process.h"

#include "pool/os.h"

typedef struct process_session {
    decode_session base;
    sandbox_job job;
} process_session;

static dp_status open_there(const decode_reader *base, render_task *task, media_bytes bytes,
                            decode_session **out)
{
    const process_reader *reader = (const process_reader *)(const void *)base;
    const codec *found = codec_find(dp_media_sniff(bytes.data, bytes.size_bytes));
    if (found == NULL) {
        return task_fail(task, DP_ERR_FORMAT, "not a picture we know");
    }
    process_session *session = os_calloc(1, sizeof *session);
    if (session == NULL) {
        return task_fail(task, DP_ERR_NOMEM, "no memory for a decoder");
    }
    const dp_status status = sandbox_open(reader->box, task, bytes, &session->job);
    if (status != DP_OK) {
        os_free(session);
        return status;
    }
    session->base = (decode_session){.reader = base,
                                     .task = task,
                                     .format = found->format,
                                     .engine = found->engine,
                                     .info = session->job.info};
    *out = &session->base;
    return DP_OK;
}

static dp_status picture_there(decode_session *base, const decode_hints *hints, picture *out)
{
    return sandbox_decode(&((process_session *)(void *)base)->job, hints, out);
}

static void close_there(decode_session *base)
{
    sandbox_close(&((process_session *)(void *)base)->job);
    os_free(base);
}

void process_reader_init(process_reader *reader, sandbox *box)
{
    *reader = (process_reader){.base = {.name = "process",
                                        .open = open_there,
                                        .picture = picture_there,
                                        .close = close_there},
                               .box = box};
}
