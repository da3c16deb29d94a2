/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to decode in another process: each picture decoded on this thread and in a
 * danpool-decoder in turn, from bytes to a picture that was looked at.  The row of interest is the
 * difference: two messages there and back, the source's copy, and pages that both touch.
 *
 * Values are of the fastest twentieth of the samples, where both processes had a core at once: on a
 * machine with busy neighbours the median, which is shown too, says how long one waits for a core.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "render/decode_process.h"

#define PIXELS_MAX UINT64_C(40000000)
#define BYTES_MAX  ((size_t)8 << 20)
#define TIME_NS    UINT64_C(60000000000)
#define PAGE_BYTES 4096u

/* Samples a repeat where a picture is small: each is one picture, or a neighbour's turn on the core
 * would be in all of them. */
#define SMALL_SAMPLES 20

/* Which samples had the machine to themselves. */
#define QUIET 0.05

/* A small job's overhead. */
#define GOAL_US 100.0

static const char svg_text[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 36 36\"><path fill=\"#FFCC4D\" "
    "d=\"M36 18c0 9.9-8.1 18-18 18S0 27.900 0 18 8.100 0 18 0s18 8.100 18 18\"/><ellipse "
    "fill=\"#664500\" cx=\"11.500\" cy=\"12.500\" rx=\"2.500\" ry=\"5.500\"/></svg>";

typedef struct rig {
    bench *b;
    dp_pool *pool;
    process_reader process;
    sandbox *box;
    unsigned sum; /* of what was looked at, or the compiler would look away */
} rig;

typedef struct source {
    const char *name;
    media_bytes bytes;
    uint32_t sides[2]; /* wanted */
    bool has_goal;
} source;

/* One picture; NAN when it failed. */
static double decode_us(rig *r, const decode_reader *reader, const source *s)
{
    const uint64_t begun = bench_now_ns();
    render_task task = {
        .pool = r->pool, .deadline_ns = begun + TIME_NS, .input_pixels_max = PIXELS_MAX};
    const decode_hints hints = {.width = s->sides[0], .height = s->sides[1], .frames_max = 1};
    decode_session *session = NULL;
    picture made = {0};

    dp_status status = decode_open(reader, &task, s->bytes, &session);
    if (status == DP_OK) {
        status = decode_picture(session, &hints, &made);
    }
    decode_close(session);
    if (status != DP_OK) {
        bench_fail(r->b, "%s: %s", s->name, task.message);
        return (double)NAN;
    }
    for (size_t at = 0; at < made.frame_bytes; at += PAGE_BYTES) {
        r->sum += made.bytes[at];
    }
    picture_drop(&made);
    return (double)(bench_now_ns() - begun) / 1e3;
}

static void emit(rig *r, const source *s, const bench_samples *here, const bench_samples *there)
{
    const double thread_us = bench_samples_quantile(here, QUIET);
    const double process_us = bench_samples_quantile(there, QUIET);
    char name[64], note[160];

    (void)snprintf(name, sizeof name, "%s: in a process", s->name);
    bench_row row = {.name = name,
                     .unit = "us",
                     .value = process_us,
                     .min = bench_samples_min(there),
                     .p50 = bench_samples_quantile(there, 0.5),
                     .p99 = bench_samples_quantile(there, 0.99),
                     .peers = {{"thread", thread_us, bench_samples_quantile(here, 0.99)}},
                     .peer_count = 1};
    bench_emit(r->b, &row);
    (void)snprintf(name, sizeof name, "%s: on top", s->name);
    (void)snprintf(note, sizeof note, "%zu bytes of file, %u x %u pixels of picture",
                   s->bytes.size_bytes, s->sides[0], s->sides[1]);
    row = (bench_row){.name = name,
                      .unit = "us",
                      .value = process_us - thread_us,
                      .min = (double)NAN,
                      .p50 = bench_samples_quantile(there, 0.5) - bench_samples_quantile(here, 0.5),
                      .p99 = (double)NAN,
                      .note = note};
    if (s->has_goal) {
        row.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, GOAL_US, false};
    }
    bench_emit(r->b, &row);
}

static void measure(rig *r, const source *s)
{
    static bench_samples here, there;
    if (s->bytes.data == NULL) {
        bench_skip(r->b, s->name, "this build lacks the codec");
        return;
    }
    const int wanted = bench_repeats(r->b) * (s->has_goal ? SMALL_SAMPLES : 1);
    const int samples = wanted < BENCH_REPEATS_MAX ? wanted : BENCH_REPEATS_MAX;
    here.count = there.count = 0;
    for (int i = -1; i < samples; i++) {
        const double thread_us = decode_us(r, &decode_in_thread, s);
        const double process_us = decode_us(r, &r->process.base, s);
        if (i >= 0) {
            bench_samples_add(&here, thread_us);
            bench_samples_add(&there, process_us);
        }
    }
    emit(r, s, &here, &there);
}

/* A soft picture of that size in that format; empty where the build cannot write it. */
static dp_buf *make_file(rig *r, uint32_t width, uint32_t height, dp_media_format format)
{
    render_task task = {.pool = r->pool, .input_pixels_max = PIXELS_MAX};
    const encode_hints hints = {.drawing = false};
    dp_buf *file = NULL;
    picture p;
    if (picture_take(&task, width, height, 1, &p) != DP_OK) {
        return NULL;
    }
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            const uint8_t rgba[4] = {(uint8_t)(x * 255 / width), (uint8_t)(y * 255 / height),
                                     (uint8_t)((x ^ y) & 31), 255};
            memcpy(p.bytes + ((size_t)y * width + x) * 4, rgba, 4);
        }
    }
    if (codec_encode(&task, format, &p, &hints, &file) != DP_OK) {
        file = NULL;
    }
    picture_drop(&p);
    return file;
}

static media_bytes bytes_of(const dp_buf *file)
{
    return file == NULL ? (media_bytes){0}
                        : (media_bytes){.data = dp_buf_data(file), .size_bytes = dp_buf_size(file)};
}

static void measure_all(rig *r)
{
    dp_buf *png = make_file(r, 128, 128, DP_MEDIA_PNG);
    dp_buf *jpeg = make_file(r, 320, 240, DP_MEDIA_JPEG);
    dp_buf *large = make_file(r, 1920, 1080, DP_MEDIA_JPEG);
    const media_bytes drawing = {(const uint8_t *)svg_text, sizeof svg_text - 1};
    const source sources[] = {{"png 128", bytes_of(png), {128, 128}, true},
                              {"jpeg 320 to 160", bytes_of(jpeg), {160, 120}, true},
                              {"svg at 72",
                               dp_media_can_decode(DP_MEDIA_SVG) ? drawing : (media_bytes){0},
                               {72, 72},
                               true},
                              {"jpeg 1920 to 480", bytes_of(large), {480, 270}, false},
                              {"jpeg 1920, whole", bytes_of(large), {1920, 1080}, false}};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (bench_wants(r->b, sources[i].name)) {
            measure(r, &sources[i]);
        }
    }
    dp_put(png);
    dp_put(jpeg);
    dp_put(large);
}

/* From nothing to a process that has said hello, as after each death. */
static void measure_start(rig *r, const char *program)
{
    static bench_samples starts;
    for (int i = 0; i < bench_repeats(r->b); i++) {
        sandbox_process process;
        const uint64_t begun = bench_now_ns();
        if (process_start(program, SANDBOX_MEMORY_DEFAULT, &process) != DP_OK) {
            bench_fail(r->b, "%s does not start", program);
            return;
        }
        bench_samples_add(&starts, (double)(bench_now_ns() - begun) / 1e6);
        process_dismiss(&process);
    }
    const bench_row row = {.name = "start of a process",
                           .unit = "ms",
                           .value = bench_samples_quantile(&starts, 0.5),
                           .min = bench_samples_min(&starts),
                           .p50 = bench_samples_quantile(&starts, 0.5),
                           .p99 = bench_samples_quantile(&starts, 0.99)};
    bench_emit(r->b, &row);
}

int main(int argc, char **argv)
{
    const char *program = "";
    const bench_option options[] = {
        {.name = "--decoder", .value_name = "PATH", .help = "danpool-decoder", .text = &program}};
    const bench_config config = {.name = "decoder",
                                 .summary = "what decoding in another process costs",
                                 .repeats_default = 40,
                                 .repeats_quick = 3,
                                 .options = options,
                                 .option_count = 1};
    int exit_status;
    rig r = {.b = bench_open(&config, argc, argv, &exit_status)};
    if (r.b == NULL) {
        return exit_status;
    }
    const dp_pool_config pool = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    const sandbox_config box = {.program = program,
                                .workers = 1,
                                .jobs_max = UINT32_MAX,
                                .input_bytes_max = BYTES_MAX,
                                .input_pixels_max = PIXELS_MAX};
    char detail[SANDBOX_DETAIL_BYTES] = "", path[PROCESS_PATH_BYTES];
    if (dp_pool_create(&pool, &r.pool) != DP_OK) {
        bench_fail(r.b, "no pool");
        return bench_close(r.b);
    }
    if (sandbox_create(r.pool, &box, detail, &r.box) == DP_OK) {
        process_reader_init(&r.process, r.box);
        measure_all(&r);
        if (bench_wants(r.b, "start of a process") && process_find_program(program, path)) {
            measure_start(&r, path);
        }
        sandbox_destroy(r.box);
    } else {
        bench_skip(r.b, "all", detail);
    }
    dp_pool_destroy(r.pool);
    return bench_close(r.b);
}
