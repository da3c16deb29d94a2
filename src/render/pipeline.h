/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job from bytes to bytes, in steps that may run on different threads, one at a time:
 *
 *     pipeline_decode()   header -> plan of the outputs -> one decode for all -> items
 *     pipeline_plan()     for a device: drawings among the items are planned
 *     (the caller has the items run: by the CPU where it stands, or by a device in a batch)
 *     pipeline_encode()   turn -> encode, output by output
 *
 * A job's source is a picture, decoded once at the size that the largest output needs and cut and
 * scaled for each; or a drawing, which is made anew at the size of each output, so that none is
 * blurred: from a scene that is kept for the next job of the same source, or by librsvg.  Outputs
 * of the same pixels share them.
 */
#ifndef DP_RENDER_PIPELINE_H
#define DP_RENDER_PIPELINE_H

#include "render/backend.h"
#include "render/decode.h"
#include "render/plan_cache.h"
#include "render/render.h"

/* Whose pixels an output shows, and how they come about. */
typedef struct pipeline_output {
    uint32_t target[2]; /* before the picture is turned */
    uint32_t whole[2];  /* the whole source's sides at that scale, as decode_hints want them */
    unsigned same_as;   /* the first output of the same pixels: itself, or an earlier one */
    uint32_t frame_count;
    picture drawn; /* a drawing, made for this output alone, where it is not yet the result */
    picture pixels;
    bool borrowed; /* pixels are the source's own */
} pipeline_output;

typedef struct pipeline {
    render_task task;
    const dp_render_job *job;
    const decode_reader *reader;
    size_t animation_bytes_max; /* of an animation's frames, 0 = any */
    dp_cache *scenes;           /* (optional) where scenes of drawings are kept */
    dp_render_result result; /* filled step by step; queued_ns, batch_ns, resize_ns are not ours */
    bool drawing;
    unsigned orientation;
    picture source;      /* of a picture */
    dp_buf *scene_bytes; /* of a drawing that our own engine draws, else NULL */
    scene scene;         /* points into them */
    pipeline_output outputs[DP_RENDER_OUTPUTS_MAX];
    backend_item items[DP_RENDER_OUTPUTS_MAX]; /* to be run before pipeline_encode() */
    unsigned item_count;
    const char *item_engine; /* who ran them, NULL = nobody had to */
} pipeline;

/* Reads the source and makes the items; on an error the task has words.  Ends in pipeline_drop().
 */
dp_status pipeline_decode(pipeline *p);

/*
 * Plans the drawings among the items, or finds their plans in `plans` (NULL: nobody keeps any).
 * False: a device cannot draw one of them, the CPU may or will say why not.
 */
bool pipeline_plan(pipeline *p, plan_cache *plans);

/*
 * To be called when the items have been run by `engine`: runs those again on the spare that a
 * device failed at, and says so.  The first error of an item.
 */
dp_status pipeline_settle(pipeline *p, const char *engine, backend *spare, unsigned *spare_items);

/* Turns and encodes; on DP_OK the caller owns result.pictures. */
dp_status pipeline_encode(pipeline *p);

/* Gives back every surface; results are not touched.  Twice is fine. */
void pipeline_drop(pipeline *p);

/* Gives back the results, too: for a job that failed between two of them. */
void pipeline_drop_results(pipeline *p);

/* What an item that had to be made by the spare says of its engine. */
#define PIPELINE_ENGINE_SPARE "cpu (cuda failed)"

/*
 * All steps on this thread, the items by `runner`.  p->task, p->job and p->reader are filled in by
 * the caller, the rest is zero.  On DP_OK the caller owns p->result.pictures.
 */
dp_status pipeline_run(pipeline *p, backend *runner, backend *spare);

/*
 * The size of a picture of width x height fitted into a box: the largest with the same proportions,
 * never larger than the picture itself unless `enlarge`; no side below 1.
 */
void pipeline_fit(const uint32_t source[2], const uint32_t box[2], bool enlarge, uint32_t out[2]);

/* The largest cut of the box's shape out of the middle. */
void pipeline_cut(const uint32_t source[2], const uint32_t box[2], backend_cut *out);

#endif
