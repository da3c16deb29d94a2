/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench render: SVG to premultiplied pixels, one CPU thread, beside librsvg.
 *
 * A row is one set of documents at one size: microseconds of CPU time an icon, all icons of the set
 * one after the other, so that caches are as warm as in a daemon that draws unlike stickers. "parse
 * + draw" starts from the bytes; "cached scene" starts from a scene that an earlier drawing left,
 * its peer is the row above.  The repeats of all subjects take turns.
 *
 * Documents that our front end leaves to librsvg are left out for both; the note says how many.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dp_features.h"

#if DP_HAVE_LIBRSVG
#include <cairo.h>
#include <librsvg/rsvg.h>
#endif

#include "harness.h"
#include "render/svg/draw.h"
#include "render/svg/scene.h"
#include "render/svg/svg.h"
#include "svg_set.h"

#define SIDE_MAX 512u

static const char *icons_folder;

/* What is promised for one size: at most this share of librsvg's time. */
typedef struct size_row {
    uint32_t side;
    double share_max;
} size_row;

static const size_row sizes[] = {{72, 1 / 4.8}, {160, 1 / 4.2}, {512, 1 / 3.4}};
#define SIZES        (sizeof sizes / sizeof sizes[0])
#define CACHED_SIDE  160u
#define CACHED_SHARE 0.5

typedef enum subject { PARSE, PARSE_AND_DRAW, CACHED, LIBRSVG, SUBJECTS } subject;

/* One set while it is measured. */
typedef struct work {
    const char *name;
    svg_set set;
    void **scenes; /* one a document: blocks of memory */
    size_t *scene_bytes;
    size_t left_out;
    svg_context *parser;
    draw_context *drawer;
    uint8_t *pixels; /* SIDE_MAX x SIDE_MAX */
    size_t failures;
} work;

static bool draw_block(work *w, const void *bytes, size_t size_bytes, uint32_t side)
{
    scene s;
    return scene_open(bytes, size_bytes, &s) == DP_OK &&
           draw_scene(w->drawer, &s, side, side, w->pixels, (size_t)side * 4) == DP_OK;
}

static bool parse(work *w, const svg_document *document, scene_block *out)
{
    char message[SVG_MESSAGE_BYTES];
    return svg_parse(w->parser, document->bytes, document->size_bytes, 0, out, message) == DP_OK;
}

#if DP_HAVE_LIBRSVG
static bool librsvg_draw(work *w, const svg_document *document, uint32_t side)
{
    RsvgHandle *handle =
        rsvg_handle_new_from_data((const guint8 *)document->bytes, document->size_bytes, NULL);
    if (handle == NULL) {
        return false;
    }
    const RsvgRectangle viewport = {0, 0, side, side};
    memset(w->pixels, 0, (size_t)side * side * 4);
    cairo_surface_t *target = cairo_image_surface_create_for_data(
        w->pixels, CAIRO_FORMAT_ARGB32, (int)side, (int)side, (int)side * 4);
    cairo_t *cairo = cairo_create(target);
    const bool drawn = rsvg_handle_render_document(handle, cairo, &viewport, NULL) != FALSE;
    cairo_destroy(cairo);
    cairo_surface_destroy(target);
    g_object_unref(handle);
    return drawn;
}
#else
static bool librsvg_draw(work *w, const svg_document *document, uint32_t side)
{
    (void)w, (void)document, (void)side;
    return false;
}
#endif

static bool run_one(work *w, subject who, size_t i, uint32_t side)
{
    const svg_document *document = &w->set.documents[i];
    scene_block block;

    switch (who) {
    case PARSE:
        return parse(w, document, &block);
    case PARSE_AND_DRAW:
        return parse(w, document, &block) && draw_block(w, block.bytes, block.size_bytes, side);
    case CACHED:
        return draw_block(w, w->scenes[i], w->scene_bytes[i], side);
    default:
        return librsvg_draw(w, document, side);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Microseconds of CPU time an icon: one thread works, and what neighbours take is not counted. */
static double pass(work *w, subject who, uint32_t side)
{
    const uint64_t begun = cpu_ns();
    for (size_t i = 0; i < w->set.count; i++) {
        w->failures += run_one(w, who, i, side) ? 0 : 1;
    }
    return (double)(cpu_ns() - begun) / 1e3 / (double)w->set.count;
}

/* Keeps the scenes of what we cover, and drops the rest from the set. */
static bool keep_scenes(work *w)
{
    size_t kept = 0;
    scene_block block;

    w->scenes = calloc(w->set.count, sizeof *w->scenes);
    w->scene_bytes = calloc(w->set.count, sizeof *w->scene_bytes);
    for (size_t i = 0; i < w->set.count; i++) {
        if (!parse(w, &w->set.documents[i], &block)) {
            free(w->set.documents[i].bytes);
            w->left_out++;
            continue;
        }
        w->scenes[kept] = malloc(block.size_bytes);
        memcpy(w->scenes[kept], block.bytes, block.size_bytes);
        w->scene_bytes[kept] = block.size_bytes;
        w->set.documents[kept++] = w->set.documents[i];
    }
    w->set.count = kept;
    return kept > 0;
}

static void emit(bench *b, const char *name, const bench_samples *values, bench_peer peer,
                 bench_goal goal, const char *note)
{
    const double median = bench_samples_quantile(values, 0.5);
    bench_row row = {.name = name,
                     .unit = "us",
                     .value = median,
                     .min = bench_samples_min(values),
                     .p50 = median,
                     .p99 = bench_samples_quantile(values, 0.99),
                     .goal = goal,
                     .note = note};
    if (isfinite(peer.value)) {
        row.peers[row.peer_count++] = peer;
    }
    bench_emit(b, &row);
}

static bench_peer peer_of(const char *name, const bench_samples *values)
{
    return (bench_peer){name, bench_samples_quantile(values, 0.5),
                        bench_samples_quantile(values, 0.99)};
}

static void measure_size(bench *b, work *w, const size_row *size)
{
    static bench_samples values[SUBJECTS];
    char name[96], note[160];

    (void)snprintf(name, sizeof name, "%s %u px: parse + draw", w->name, size->side);
    if (!bench_wants(b, name)) {
        return;
    }
    memset(values, 0, sizeof values);
    for (int repeat = -1; repeat < bench_repeats(b); repeat++) {
        for (subject who = PARSE; who < SUBJECTS; who++) {
            const double us =
                who == LIBRSVG && !DP_HAVE_LIBRSVG ? (double)NAN : pass(w, who, size->side);
            if (repeat >= 0) {
                bench_samples_add(&values[who], us);
            }
        }
    }
    (void)snprintf(note, sizeof note,
                   "%zu icons, %zu left out; %.0f icons/s; parsing alone %.1f us", w->set.count,
                   w->left_out, 1e6 / bench_samples_quantile(&values[PARSE_AND_DRAW], 0.5),
                   bench_samples_quantile(&values[PARSE], 0.5));
    emit(b, name, &values[PARSE_AND_DRAW], peer_of("librsvg", &values[LIBRSVG]),
         (bench_goal){BENCH_GOAL_RATIO_MAX, size->share_max, false}, note);
    (void)snprintf(name, sizeof name, "%s %u px: cached scene", w->name, size->side);
    emit(b, name, &values[CACHED], peer_of("parse + draw", &values[PARSE_AND_DRAW]),
         size->side == CACHED_SIDE ? (bench_goal){BENCH_GOAL_RATIO_MAX, CACHED_SHARE, false}
                                   : (bench_goal){0},
         NULL);
}

static void work_end(work *w)
{
    for (size_t i = 0; w->scenes != NULL && i < w->set.count; i++) {
        free(w->scenes[i]);
    }
    free(w->scenes);
    free(w->scene_bytes);
    free(w->pixels);
    svg_set_drop(&w->set);
    draw_context_destroy(w->drawer);
    svg_context_destroy(w->parser);
}

/* Takes the set over. */
static void measure_set(bench *b, const char *name, svg_set set)
{
    work w = {.name = name, .set = set, .pixels = malloc((size_t)SIDE_MAX * SIDE_MAX * 4)};

    if (w.pixels == NULL || svg_context_create(&w.parser) != DP_OK ||
        draw_context_create(&w.drawer) != DP_OK) {
        bench_fail(b, "%s: no memory", name);
    } else if (!keep_scenes(&w)) {
        bench_fail(b, "%s: not one document could be parsed", name);
    } else {
        for (size_t i = 0; i < SIZES; i++) {
            measure_size(b, &w, &sizes[i]);
        }
        if (w.failures > 0) {
            bench_fail(b, "%s: %zu drawings failed", name, w.failures);
        }
    }
    work_end(&w);
}

static int run(bench *b)
{
    static const char *const names[] = {"twemoji", "openmoji", "noto"};
    svg_set set;

    if (icons_folder == NULL) {
        if (svg_set_own(&set, bench_is_quick(b) ? 4 : 100)) {
            measure_set(b, "own drawings", set);
        }
        return bench_close(b);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char folder[4096];
        (void)snprintf(folder, sizeof folder, "%s/%s", icons_folder, names[i]);
        if (svg_set_load(&set, folder)) {
            measure_set(b, names[i], set);
        } else {
            bench_skip(b, names[i], "no such set in the folder of --icons");
        }
    }
    return bench_close(b);
}

int main(int argc, char **argv)
{
    static const bench_option options[] = {
        {.name = "--icons",
         .value_name = "DIR",
         .help =
             "folder with the sets twemoji, openmoji and noto (default: a few drawings of ours)",
         .text = &icons_folder},
    };
    static const bench_config config = {.name = "render",
                                        .summary = "SVG to pixels on one thread, beside librsvg",
                                        .repeats_default = 9,
                                        .repeats_quick = 1,
                                        .options = options,
                                        .option_count = 1};
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    return b == NULL ? status : run(b);
}
