/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thumbnails on one thread, beside libvips: time and quality of each way from a file to a file, and
 * what one decode for several sizes saves.
 *
 * The time of a row is one picture's, from bytes in memory to bytes in memory, in CPU time of the
 * whole process on one core: libvips has a thread of its own for the file even where it is told to
 * use one, and neighbours on the machine do not count.  Ours and the peer's runs alternate.  The
 * quality rows give 1 - SSIM of the finished file, decoded again, against a reference-quality
 * reduction (thumb_ssim.h): less is better.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "thumb_peer.h"
#include "thumb_source.h"
#include "thumb_ssim.h"
#include "thumb_work.h"

#define WIDTH      1920u
#define HEIGHT     1080u
#define BOX_WIDTH  160u
#define BOX_HEIGHT 90u

/* Pictures a sample. */
#define RUNS       3
#define RUNS_QUICK 1

typedef struct thumb_row {
    const char *name;
    dp_media_format from, to;
    double speed_min; /* how many times the peer's */
} thumb_row;

static const thumb_row rows[] = {
    {"jpeg to webp", DP_MEDIA_JPEG, DP_MEDIA_WEBP, 1.7},
    {"jpeg to jpeg", DP_MEDIA_JPEG, DP_MEDIA_JPEG, 1.7},
    {"png to jpeg", DP_MEDIA_PNG, DP_MEDIA_JPEG, 1.2},
    {"webp to webp", DP_MEDIA_WEBP, DP_MEDIA_WEBP, 1.2},
};

typedef struct rig {
    bench *b;
    dp_pool *pool;
    render_task task;
    bool peer;
    double *linear, *codes; /* the two references */
    thumb_file files[DP_MEDIA_FORMAT_COUNT];
} rig;

/* CPU time of all threads. */
static double cpu_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double ours_us(rig *r, const thumb_row *row, dp_buf **last)
{
    const thumb_output output = {BOX_WIDTH, BOX_HEIGHT, row->to};
    const media_bytes file = {r->files[row->from].bytes, r->files[row->from].size_bytes};
    const int runs = bench_is_quick(r->b) ? RUNS_QUICK : RUNS;
    const double begun = cpu_us();
    for (int i = 0; i < runs; i++) {
        dp_buf *result = NULL;
        if (thumb_work_run(&r->task, file, &output, 1, &result) != DP_OK) {
            bench_fail(r->b, "%s: %s", row->name, r->task.message);
            return (double)NAN;
        }
        dp_put(*last);
        *last = result;
    }
    return (cpu_us() - begun) / runs;
}

static double peer_us(rig *r, const thumb_row *row, uint8_t **last, size_t *last_bytes)
{
    const uint32_t box[2] = {BOX_WIDTH, BOX_HEIGHT};
    const thumb_file *file = &r->files[row->from];
    const int runs = bench_is_quick(r->b) ? RUNS_QUICK : RUNS;
    const double begun = cpu_us();
    for (int i = 0; i < runs; i++) {
        uint8_t *result = NULL;
        if (!thumb_peer_run(file->bytes, file->size_bytes, box, row->to, &result, last_bytes)) {
            bench_fail(r->b, "%s: the peer failed", row->name);
            return (double)NAN;
        }
        thumb_peer_free(*last);
        *last = result;
    }
    return (cpu_us() - begun) / runs;
}

/* 1 - SSIM against both references: out[0] in linear light, out[1] in codes. */
static void judge(rig *r, media_bytes file, double out[2])
{
    const decode_hints hints = {.width = BOX_WIDTH, .height = BOX_HEIGHT, .frames_max = 1};
    picture p = {0};
    decoder *d = NULL;

    out[0] = out[1] = (double)NAN;
    if (codec_open(&r->task, file, &d) != DP_OK) {
        return;
    }
    if (codec_decode(d, &hints, &p) == DP_OK && p.width == BOX_WIDTH && p.height == BOX_HEIGHT) {
        double *luma = thumb_luma(p.bytes, p.width, p.height);
        if (luma != NULL) {
            out[0] = 1 - thumb_ssim(luma, r->linear, p.width, p.height);
            out[1] = 1 - thumb_ssim(luma, r->codes, p.width, p.height);
        }
        free(luma);
    }
    codec_close(d);
    picture_drop(&p);
}

static void emit_quality(rig *r, const thumb_row *row, media_bytes ours, media_bytes theirs)
{
    double us[2], peer[2] = {(double)NAN, (double)NAN};
    char name[64], note[200];

    judge(r, ours, us);
    if (theirs.data != NULL) {
        judge(r, theirs, peer);
    }
    (void)snprintf(name, sizeof name, "%s: 1 - SSIM", row->name);
    (void)snprintf(note, sizeof note,
                   "reference in linear light; against one in sRGB codes: ours %.4f, peer %.4f; "
                   "%zu bytes, peer %zu",
                   us[1], peer[1], ours.size_bytes, theirs.size_bytes);
    bench_row quality = {.name = name,
                         .unit = "",
                         .value = us[0],
                         .min = (double)NAN,
                         .p50 = (double)NAN,
                         .p99 = (double)NAN,
                         .goal = {BENCH_GOAL_RATIO_MAX, 1.0, false},
                         .note = note};
    if (isfinite(peer[0])) {
        quality.peers[quality.peer_count++] = (bench_peer){thumb_peer_name(), peer[0], (double)NAN};
    }
    bench_emit(r->b, &quality);
}

static bench_row time_row(const char *name, const bench_samples *values)
{
    const double median = bench_samples_quantile(values, 0.5);
    return (bench_row){.name = name,
                       .unit = "us",
                       .value = median,
                       .min = bench_samples_min(values),
                       .p50 = median,
                       .p99 = bench_samples_quantile(values, 0.99)};
}

static void measure(rig *r, const thumb_row *row)
{
    static bench_samples ours, theirs;
    dp_buf *our_last = NULL;
    uint8_t *peer_last = NULL;
    size_t peer_bytes = 0;
    char note[120];

    if (r->files[row->from].bytes == NULL || !dp_media_can_decode(row->to)) {
        bench_skip(r->b, row->name, "this build lacks a codec");
        return;
    }
    ours.count = theirs.count = 0;
    for (int i = -1; i < bench_repeats(r->b); i++) {
        const double us = ours_us(r, row, &our_last);
        const double peer = r->peer ? peer_us(r, row, &peer_last, &peer_bytes) : (double)NAN;
        if (i >= 0) {
            bench_samples_add(&ours, us);
            bench_samples_add(&theirs, peer);
        }
    }
    bench_row out = time_row(row->name, &ours);
    (void)snprintf(note, sizeof note, "1920 x 1080 to 160 x 90, %.0f/s; goal: %.1f x the peer",
                   1e6 / out.value, row->speed_min);
    out.note = note;
    out.goal = (bench_goal){BENCH_GOAL_RATIO_MAX, 1 / row->speed_min, false};
    if (r->peer) {
        out.peers[out.peer_count++] =
            (bench_peer){thumb_peer_name(), bench_samples_quantile(&theirs, 0.5),
                         bench_samples_quantile(&theirs, 0.99)};
    }
    bench_emit(r->b, &out);
    if (our_last != NULL) {
        emit_quality(r, row, (media_bytes){dp_buf_data(our_last), dp_buf_size(our_last)},
                     (media_bytes){peer_last, peer_bytes});
    }
    dp_put(our_last);
    thumb_peer_free(peer_last);
}

/* One upload for a page: three widths as WebP, and how much of it one decode saves. */
static double set_us(rig *r, bool together)
{
    static const thumb_output outputs[THUMB_OUTPUTS_MAX] = {
        {160, 90, DP_MEDIA_WEBP}, {320, 180, DP_MEDIA_WEBP}, {480, 270, DP_MEDIA_WEBP}};
    const media_bytes file = {r->files[DP_MEDIA_JPEG].bytes, r->files[DP_MEDIA_JPEG].size_bytes};
    const double begun = cpu_us();
    for (size_t i = 0; i < THUMB_OUTPUTS_MAX; i += together ? THUMB_OUTPUTS_MAX : 1) {
        const size_t count = together ? THUMB_OUTPUTS_MAX : 1;
        dp_buf *results[THUMB_OUTPUTS_MAX] = {NULL};
        if (thumb_work_run(&r->task, file, outputs + i, count, results) != DP_OK) {
            bench_fail(r->b, "srcset: %s", r->task.message);
            return (double)NAN;
        }
        for (size_t k = 0; k < count; k++) {
            dp_put(results[k]);
        }
    }
    return cpu_us() - begun;
}

static void measure_set(rig *r)
{
    static bench_samples together, apart;
    const char *name = "jpeg to 3 webp: one decode";

    if (!bench_wants(r->b, name)) {
        return;
    }
    if (r->files[DP_MEDIA_JPEG].bytes == NULL || !dp_media_can_decode(DP_MEDIA_WEBP)) {
        bench_skip(r->b, name, "this build lacks a codec");
        return;
    }
    for (int i = -1; i < bench_repeats(r->b); i++) {
        const double one = set_us(r, true), three = set_us(r, false);
        if (i >= 0) {
            bench_samples_add(&together, one);
            bench_samples_add(&apart, three);
        }
    }
    bench_row row = time_row(name, &together);
    row.note = "1920 x 1080 to 160, 320 and 480 pixels of width, against three jobs of one";
    row.goal = (bench_goal){BENCH_GOAL_RATIO_MAX, 1.0, false};
    row.peers[row.peer_count++] = (bench_peer){"three decodes", bench_samples_quantile(&apart, 0.5),
                                               bench_samples_quantile(&apart, 0.99)};
    bench_emit(r->b, &row);
}

static bool rig_start(rig *r)
{
    const uint32_t from[2] = {WIDTH, HEIGHT}, to[2] = {BOX_WIDTH, BOX_HEIGHT};
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    uint8_t *rgb = thumb_source_pixels(WIDTH, HEIGHT);

    r->task = (render_task){.input_pixels_max = 40000000};
    if (rgb == NULL || dp_pool_create(&config, &r->pool) != DP_OK) {
        free(rgb);
        return false;
    }
    r->task.pool = r->pool;
    r->files[DP_MEDIA_JPEG] = thumb_source_jpeg(rgb, WIDTH, HEIGHT);
    r->files[DP_MEDIA_PNG] = thumb_source_png(rgb, WIDTH, HEIGHT);
    r->files[DP_MEDIA_WEBP] = thumb_source_webp(rgb, WIDTH, HEIGHT);
    r->linear = thumb_reference(rgb, from, to, true);
    r->codes = thumb_reference(rgb, from, to, false);
    r->peer = thumb_peer_start();
    free(rgb);
    return r->linear != NULL && r->codes != NULL;
}

static void rig_stop(rig *r)
{
    for (int i = 0; i < DP_MEDIA_FORMAT_COUNT; i++) {
        free(r->files[i].bytes);
    }
    free(r->linear);
    free(r->codes);
    if (r->pool != NULL) {
        dp_pool_destroy(r->pool);
    }
    if (r->peer) {
        thumb_peer_stop();
    }
}

int main(int argc, char **argv)
{
    static const bench_config config = {.name = "thumb",
                                        .summary =
                                            "pictures to thumbnails on one thread, beside libvips",
                                        .repeats_default = 15,
                                        .repeats_quick = 1};
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    if (b == NULL) {
        return status;
    }
    static rig r;
    r.b = b;
    (void)bench_pin(0); /* before the peer's threads, which then stay there too */
    if (!rig_start(&r)) {
        bench_fail(b, "no memory for the picture");
    } else {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            if (bench_wants(b, rows[i].name)) {
                measure(&r, &rows[i]);
            }
        }
        measure_set(&r);
    }
    rig_stop(&r);
    return bench_close(b);
}
