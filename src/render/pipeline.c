/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pipeline.h.  What is held at a time: the decoded picture until every output has its pixels,
 * then those until each is encoded.
 */
#include "render/pipeline.h"

#include <string.h>

#include "pool/nvtx_mark.h"
#include "pool/os.h"
#include "render/drawing.h"

void pipeline_fit(const uint32_t source[2], const uint32_t box[2], bool enlarge, uint32_t out[2])
{
    /* The side that meets the box first: compare the ratios by cross multiplication. */
    const uint64_t wide = (uint64_t)box[0] * source[1];
    const uint64_t high = (uint64_t)box[1] * source[0];
    const int tight = wide <= high ? 0 : 1;

    if (!enlarge && source[tight] <= box[tight]) {
        out[0] = source[0];
        out[1] = source[1];
        return;
    }
    const uint64_t other =
        ((uint64_t)source[1 - tight] * box[tight] + source[tight] / 2) / source[tight];
    out[tight] = box[tight];
    out[1 - tight] = other == 0 ? 1 : (uint32_t)other;
}

void pipeline_cut(const uint32_t source[2], const uint32_t box[2], backend_cut *out)
{
    const uint64_t wide = (uint64_t)source[0] * box[1];
    const uint64_t high = (uint64_t)source[1] * box[0];
    const int loose = wide >= high ? 0 : 1; /* the side that hangs over */
    uint32_t sides[2] = {source[0], source[1]};

    const uint64_t kept =
        ((uint64_t)source[1 - loose] * box[loose] + box[1 - loose] / 2) / box[1 - loose];
    if (kept < sides[loose]) {
        sides[loose] = kept == 0 ? 1 : (uint32_t)kept;
    }
    *out = (backend_cut){.x = (source[0] - sides[0]) / 2,
                         .y = (source[1] - sides[1]) / 2,
                         .width = sides[0],
                         .height = sides[1]};
}

/* sides x numerator / denominator, each rounded up. */
static void scale_up(const uint32_t sides[2], const uint32_t numerator[2],
                     const uint32_t denominator[2], uint32_t out[2])
{
    for (int i = 0; i < 2; i++) {
        const uint64_t scaled =
            ((uint64_t)sides[i] * numerator[i] + denominator[i] - 1) / denominator[i];
        out[i] = scaled < UINT32_MAX ? (uint32_t)scaled : UINT32_MAX;
    }
}

/* An output's target and the whole source's size behind it, as the picture is shown. */
static void plan_shown(const dp_render_output *wanted, const uint32_t shown[2],
                       const media_info *info, pipeline_output *out)
{
    const bool drawing = info->drawing;
    const bool stretches = !drawing || info->scene;
    const uint32_t box[2] = {wanted->width, wanted->height};
    backend_cut cut;

    memcpy(out->target, box, sizeof box);
    if (wanted->fit == DP_RENDER_CONTAIN) {
        pipeline_fit(shown, box, drawing, out->target);
        memcpy(out->whole, out->target, sizeof out->whole);
        return;
    }
    if (wanted->fit == DP_RENDER_EXACT && stretches) {
        memcpy(out->whole, box, sizeof box);
        return;
    }
    /* librsvg draws in proportion; what is stretched is drawn so first, with no side too small. */
    pipeline_cut(shown, box, &cut);
    const uint32_t sides[2] = {cut.width, cut.height};
    if (!drawing && (cut.width < box[0] || cut.height < box[1])) {
        memcpy(out->target, sides, sizeof sides);
    }
    scale_up(shown, out->target, sides, out->whole);
}

static void swap(uint32_t sides[2])
{
    const uint32_t first = sides[0];
    sides[0] = sides[1];
    sides[1] = first;
}

static dp_media_format format_of(const dp_render_output *wanted)
{
    return wanted->format == DP_MEDIA_UNKNOWN ? DP_MEDIA_WEBP : wanted->format;
}

/* An animation's other frames are for outputs that can hold them. */
static bool moves(const pipeline *p, const dp_render_output *wanted)
{
    return p->job->animation == DP_RENDER_KEEP_ANIMATION && codec_can_move(format_of(wanted));
}

static void plan_outputs(pipeline *p, const media_info *info, decode_hints *hints)
{
    const bool side = orientation_lies_on_side(info->orientation);
    const uint32_t shown[2] = {side ? info->height : info->width,
                               side ? info->width : info->height};

    p->drawing = info->drawing;
    p->orientation = info->orientation;
    p->result.source_width = shown[0];
    p->result.source_height = shown[1];
    *hints = (decode_hints){.frames_max = 1, .bytes_max = p->animation_bytes_max};
    for (unsigned i = 0; i < p->job->output_count; i++) {
        pipeline_output *output = &p->outputs[i];
        plan_shown(&p->job->outputs[i], shown, info, output);
        if (side) {
            swap(output->target);
            swap(output->whole);
        }
        hints->width = output->whole[0] > hints->width ? output->whole[0] : hints->width;
        hints->height = output->whole[1] > hints->height ? output->whole[1] : hints->height;
        if (moves(p, &p->job->outputs[i])) {
            hints->frames_max = PICTURE_FRAMES_MAX;
        }
    }
    if (!p->drawing) {
        hints->width = hints->width < info->width ? hints->width : info->width;
        hints->height = hints->height < info->height ? hints->height : info->height;
        /* Where much is scaled away, how chroma lay between the pixels does not show. */
        hints->want_planes = hints->width <= info->width / 2 && hints->height <= info->height / 2;
    }
}

/* Whether an earlier output has the same pixels. */
static bool is_same(const pipeline *p, unsigned earlier, unsigned later)
{
    const pipeline_output *a = &p->outputs[earlier], *b = &p->outputs[later];
    return a->same_as == earlier && memcmp(a->target, b->target, sizeof a->target) == 0 &&
           p->job->outputs[earlier].fit == p->job->outputs[later].fit &&
           a->frame_count >= b->frame_count;
}

static void find_same(pipeline *p)
{
    for (unsigned i = 0; i < p->job->output_count; i++) {
        pipeline_output *output = &p->outputs[i];
        output->same_as = i;
        output->frame_count = moves(p, &p->job->outputs[i]) ? p->result.source_frame_count : 1;
        for (unsigned k = 0; k < i; k++) {
            if (is_same(p, k, i)) {
                output->same_as = k;
                break;
            }
        }
    }
}

/* Gives the output its pixels where none have to be made, else memory and an item. */
static dp_status make_item(pipeline *p, unsigned index, picture *source)
{
    pipeline_output *output = &p->outputs[index];
    const dp_render_output *wanted = &p->job->outputs[index];
    const bool side = orientation_lies_on_side(p->orientation);
    const uint32_t sides[2] = {source->width, source->height};
    const uint32_t box[2] = {side ? wanted->height : wanted->width,
                             side ? wanted->width : wanted->height};
    backend_cut cut = {.width = source->width, .height = source->height};

    if (wanted->fit == DP_RENDER_COVER) {
        pipeline_cut(sides, box, &cut);
    }
    if (source->kind == PICTURE_RGBA && memcmp(sides, output->target, sizeof sides) == 0) {
        output->pixels = *source;
        output->borrowed = true;
        return DP_OK;
    }
    const dp_status status = picture_take(&p->task, output->target[0], output->target[1],
                                          output->frame_count, &output->pixels);
    if (status != DP_OK) {
        return status;
    }
    output->pixels.loop_count = source->loop_count;
    if (output->frame_count > 1) {
        memcpy(picture_durations_ms(&output->pixels), picture_durations_ms(source),
               output->frame_count * sizeof(uint32_t));
    }
    p->items[p->item_count++] = (backend_item){.kind = BACKEND_RESAMPLE,
                                               .task = &p->task,
                                               .source = source,
                                               .cut = cut,
                                               .target = &output->pixels};
    return DP_OK;
}

static dp_status decode_once(pipeline *p, decode_session *session, const decode_hints *hints)
{
    dp_status status = decode_picture(session, hints, &p->source);
    if (status != DP_OK) {
        return status;
    }
    p->result.surface_tier = dp_buf_tier(p->source.buf);
    p->result.source_frame_count = p->source.frame_count;
    find_same(p);
    for (unsigned i = 0; i < p->job->output_count && status == DP_OK; i++) {
        if (p->outputs[i].same_as == i) {
            status = make_item(p, i, &p->source);
        }
    }
    return status;
}

static dp_status draw_each(pipeline *p, decode_session *session)
{
    dp_status status = DP_OK;
    p->result.source_frame_count = 1;
    find_same(p);
    for (unsigned i = 0; i < p->job->output_count && status == DP_OK; i++) {
        pipeline_output *output = &p->outputs[i];
        const decode_hints hints = {
            .width = output->whole[0], .height = output->whole[1], .frames_max = 1};
        if (output->same_as != i) {
            continue;
        }
        status = task_check_pixels(&p->task, hints.width, hints.height);
        if (status == DP_OK) {
            nvtx_push(NVTX_RASTER, NVTX_CATEGORY_RENDER, (uint64_t)hints.width * hints.height);
            status = decode_picture(session, &hints, &output->drawn);
            nvtx_pop();
        }
        if (status == DP_OK) {
            p->result.surface_tier = dp_buf_tier(output->drawn.buf);
            status = make_item(p, i, &output->drawn);
        }
    }
    return status;
}

/* An output that is drawn as it is to be is an item; one that is cut is drawn here first. */
static dp_status make_scene_item(pipeline *p, unsigned index)
{
    pipeline_output *output = &p->outputs[index];
    const bool whole = memcmp(output->whole, output->target, sizeof output->whole) == 0;
    picture *canvas = whole ? &output->pixels : &output->drawn;

    dp_status status = task_check_pixels(&p->task, output->whole[0], output->whole[1]);
    if (status == DP_OK) {
        status = picture_take(&p->task, output->whole[0], output->whole[1], 1, canvas);
    }
    if (status != DP_OK) {
        return status;
    }
    if (whole) {
        p->items[p->item_count++] = (backend_item){
            .kind = BACKEND_RASTER, .task = &p->task, .scene = &p->scene, .target = canvas};
        return DP_OK;
    }
    status = drawing_raster(&p->task, &p->scene, canvas);
    return status == DP_OK ? make_item(p, index, canvas) : status;
}

static dp_status plan_scene(pipeline *p)
{
    media_info info = {.orientation = 1, .drawing = true, .scene = true};
    decode_hints hints;
    uint32_t sides[2];

    dp_status status = DP_OK;
    drawing_sides(&p->scene, sides);
    info.width = sides[0];
    info.height = sides[1];
    plan_outputs(p, &info, &hints);
    p->result.source_format = DP_MEDIA_SVG;
    p->result.source_frame_count = 1;
    find_same(p);
    for (unsigned i = 0; i < p->job->output_count && status == DP_OK; i++) {
        if (p->outputs[i].same_as == i) {
            status = make_scene_item(p, i);
        }
    }
    return status;
}

/* A scene that an earlier job of the same source left; a damaged one is forgotten. */
static bool find_scene(pipeline *p, media_bytes bytes)
{
    dp_cache_entry entry;
    if (p->scenes == NULL || p->job->scene_key == NULL ||
        dp_media_sniff(bytes.data, bytes.size_bytes) != DP_MEDIA_SVG ||
        dp_cache_lookup(p->scenes, p->job->scene_key, &entry) != DP_OK) {
        return false;
    }
    if (scene_open(dp_buf_data(entry.buf), dp_buf_size(entry.buf), &p->scene) != DP_OK) {
        dp_put(entry.buf);
        (void)dp_cache_remove(p->scenes, p->job->scene_key);
        return false;
    }
    p->scene_bytes = entry.buf;
    return true;
}

/* For the next job; one that cannot be kept is made again. */
static void keep_scene(pipeline *p)
{
    const dp_cache_entry entry = {.buf = p->scene_bytes, .priority = DP_PRIORITY_LOW};
    if (p->scenes != NULL && p->job->scene_key != NULL) {
        (void)dp_cache_insert(p->scenes, p->job->scene_key, &entry, NULL);
    }
}

static dp_status use_session(pipeline *p, decode_session *session)
{
    decode_hints hints;

    p->result.source_format = session->format;
    p->result.engine = session->engine;
    if (session->info.scene) {
        dp_status status = decode_scene(session, &p->scene_bytes);
        if (status == DP_OK) {
            status = drawing_open(&p->task, p->scene_bytes, &p->scene);
        }
        status = status == DP_OK ? plan_scene(p) : status;
        if (status == DP_OK) {
            keep_scene(p);
        }
        return status;
    }
    plan_outputs(p, &session->info, &hints);
    return p->drawing ? draw_each(p, session) : decode_once(p, session, &hints);
}

dp_status pipeline_decode(pipeline *p)
{
    const media_bytes bytes = {.data = dp_buf_data(p->job->source),
                               .size_bytes = dp_buf_size(p->job->source)};
    const uint64_t begun = os_clock_ns();
    decode_session *session;

    DP_ASSERT(p->job->output_count >= 1 && p->job->output_count <= DP_RENDER_OUTPUTS_MAX);
    nvtx_push(NVTX_DECODE, NVTX_CATEGORY_RENDER, bytes.size_bytes);
    dp_status status = task_check_time(&p->task);
    if (status == DP_OK && find_scene(p, bytes)) {
        status = plan_scene(p);
    } else if (status == DP_OK) {
        status = decode_open(p->reader, &p->task, bytes, &session);
        if (status == DP_OK) {
            status = use_session(p, session);
            decode_close(session);
        }
    }
    nvtx_pop();
    p->result.decode_ns = os_clock_ns() - begun;
    return status == DP_OK ? task_check_time(&p->task) : status;
}

static dp_status plan_item(pipeline *p, plan_cache *plans, backend_item *item)
{
    const uint32_t size[2] = {item->target->width, item->target->height};
    const dp_cache_key *key = plans == NULL ? NULL : p->job->scene_key;

    item->plan = key == NULL ? NULL : plan_cache_find(plans, key, size);
    if (item->plan != NULL) {
        return DP_OK;
    }
    const dp_status status = drawing_plan_make(&p->task, item->scene, size, &item->plan);
    if (status == DP_OK && key != NULL) {
        plan_cache_keep(plans, key, size, item->plan);
    }
    return status;
}

bool pipeline_plan(pipeline *p, plan_cache *plans)
{
    dp_status status = DP_OK;
    for (unsigned i = 0; i < p->item_count && status == DP_OK; i++) {
        if (p->items[i].kind == BACKEND_RASTER) {
            status = plan_item(p, plans, &p->items[i]);
        }
    }
    return status == DP_OK;
}

dp_status pipeline_settle(pipeline *p, const char *engine, backend *spare, unsigned *spare_items)
{
    char detail[BACKEND_DETAIL_BYTES] = "";
    dp_status status = DP_OK;

    *spare_items = 0;
    p->item_engine = engine;
    for (unsigned i = 0; i < p->item_count && status == DP_OK; i++) {
        backend_item *item = &p->items[i];
        if (spare != NULL && backend_spare_can_help(item->status)) {
            p->task.message[0] = '\0';
            status = spare->ops->run(spare, &item, 1, detail);
            p->item_engine = PIPELINE_ENGINE_SPARE;
            ++*spare_items;
        }
        status = status == DP_OK ? item->status : status;
        p->result.surface_tier = item->tier;
    }
    return status;
}

/* An output's pixels are whole: turned, and no longer waiting for others of the same. */
static dp_status encode_one(pipeline *p, unsigned index)
{
    const encode_hints hints = {.drawing = p->drawing};
    const dp_media_format format = format_of(&p->job->outputs[index]);
    dp_render_picture *out = &p->result.pictures[index];
    /* A view: the output stays the owner. */
    picture shown = p->outputs[p->outputs[index].same_as].pixels;

    shown.frame_count = p->outputs[index].frame_count;
    const dp_status status = codec_encode(&p->task, format, &shown, &hints, &out->bytes);
    if (status == DP_OK) {
        out->format = format;
        out->width = shown.width;
        out->height = shown.height;
        out->frame_count = shown.frame_count;
        p->result.picture_count++;
    }
    return status;
}

/* The first frame's view of what is borrowed must not be turned twice. */
static dp_status turn(pipeline *p)
{
    dp_status status = DP_OK;
    bool source_turned = false;
    for (unsigned i = 0; i < p->job->output_count && status == DP_OK; i++) {
        pipeline_output *output = &p->outputs[i];
        if (output->same_as != i) {
            continue;
        }
        if (!output->borrowed) {
            status = picture_orient(&p->task, &output->pixels, p->orientation);
        } else if (p->orientation > 1) {
            if (!source_turned) {
                status = picture_orient(&p->task, &p->source, p->orientation);
                source_turned = true;
            }
            output->pixels = p->source;
        }
    }
    return status;
}

dp_status pipeline_encode(pipeline *p)
{
    const uint64_t begun = os_clock_ns();
    dp_status status = task_check_time(&p->task);

    if (status == DP_OK) {
        status = turn(p);
    }
    for (unsigned i = 0; i < p->job->output_count && status == DP_OK; i++) {
        const pipeline_output *output = &p->outputs[p->outputs[i].same_as];
        nvtx_push(NVTX_ENCODE, NVTX_CATEGORY_RENDER, dp_buf_size(output->pixels.buf));
        status = encode_one(p, i);
        nvtx_pop();
        if (status == DP_OK && i + 1 < p->job->output_count) {
            status = task_check_time(&p->task);
        }
    }
    p->result.engine = p->result.engine != NULL ? p->result.engine
                       : p->item_engine != NULL ? p->item_engine
                                                : "cpu";
    p->result.encode_ns = os_clock_ns() - begun;
    if (status != DP_OK) {
        pipeline_drop_results(p);
    }
    return status;
}

void pipeline_drop(pipeline *p)
{
    for (unsigned i = 0; i < DP_RENDER_OUTPUTS_MAX; i++) {
        pipeline_output *output = &p->outputs[i];
        if (output->borrowed) {
            output->pixels = (picture){0};
        }
        picture_drop(&output->pixels);
        picture_drop(&output->drawn);
        output->borrowed = false;
    }
    for (unsigned i = 0; i < p->item_count; i++) {
        drawing_plan_put(p->items[i].plan);
    }
    picture_drop(&p->source);
    dp_put(p->scene_bytes);
    p->scene_bytes = NULL;
    p->item_count = 0;
}

void pipeline_drop_results(pipeline *p)
{
    for (unsigned i = 0; i < DP_RENDER_OUTPUTS_MAX; i++) {
        dp_put(p->result.pictures[i].bytes);
        p->result.pictures[i].bytes = NULL;
    }
    p->result.picture_count = 0;
}

dp_status pipeline_run(pipeline *p, backend *runner, backend *spare)
{
    char detail[BACKEND_DETAIL_BYTES] = "";
    unsigned spare_items;
    dp_status status = pipeline_decode(p);

    if (status == DP_OK && p->item_count > 0) {
        backend_item *items[DP_RENDER_OUTPUTS_MAX];
        const uint64_t begun = os_clock_ns();
        for (unsigned i = 0; i < p->item_count; i++) {
            items[i] = &p->items[i];
        }
        status = runner->ops->run(runner, items, p->item_count, detail);
        for (unsigned i = 0; status != DP_OK && i < p->item_count; i++) {
            items[i]->status = status;
        }
        status = pipeline_settle(p, runner->ops->name, spare, &spare_items);
        p->result.resize_ns = os_clock_ns() - begun;
    }
    if (status == DP_OK) {
        status = pipeline_encode(p);
    }
    pipeline_drop(p);
    return status;
}
