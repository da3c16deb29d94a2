/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over the SVG front end and over scene_open().
 *
 * Input that begins with a scene's magic is a scene, whose size field is put right; all other is a
 * document.  A document that is taken must give a scene that opens, and the same scene again from
 * the same context; what opens is gone through as a drawing would.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pool/os.h"
#include "render/svg/scene.h"
#include "render/svg/svg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static svg_context *context;
static volatile double sink;

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static double walk_paint(const scene *s, const scene_command *c)
{
    double sum = 0;
    if (c->paint == SCENE_NONE || s->paints[c->paint].kind == SCENE_SOLID) {
        return 0;
    }
    const scene_paint *paint = &s->paints[c->paint];
    for (uint32_t i = 0; i < paint->stop_count; i++) {
        sum += (double)s->stops[paint->first_stop + i].offset;
    }
    return sum + (double)paint->matrix.a + (double)paint->geometry[5];
}

static double walk_command(const scene *s, const scene_command *c)
{
    double sum = 0;
    if (c->op == SCENE_FILL || c->op == SCENE_STROKE) {
        const scene_path *path = &s->paths[c->path];
        sum += (double)s->points[path->first_point + path->point_count - 1].y;
        sum += s->verbs[path->first_verb + path->verb_count - 1];
        sum += (double)s->matrices[c->matrix].f + walk_paint(s, c);
    }
    if (c->op == SCENE_STROKE) {
        const scene_stroke *stroke = &s->strokes[c->stroke];
        for (uint32_t i = 0; i < stroke->dash_count; i++) {
            sum += (double)s->dashes[stroke->first_dash + i];
        }
    }
    if (c->op == SCENE_GROUP_BEGIN && c->filter != SCENE_NONE) {
        const scene_filter *filter = &s->filters[c->filter];
        for (uint32_t i = 0; i < filter->part_count; i++) {
            sum += (double)s->parts[filter->first_part + i].values[19];
        }
        sum += (double)s->matrices[c->matrix].a;
    }
    return sum;
}

static void walk(const scene *s)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->command_count; i++) {
        sum += walk_command(s, &s->commands[i]);
    }
    require(isfinite(sum));
    sink = sum;
}

static void open_bytes(const uint8_t *data, size_t size)
{
    scene s;
    uint64_t *copy = malloc(size + 8);
    require(copy != NULL);
    memcpy(copy, data, size);
    if (size >= sizeof(scene_header)) {
        ((scene_header *)copy)->size_bytes = (uint32_t)size;
    }
    if (scene_open(copy, size, &s) == DP_OK) {
        walk(&s);
    }
    free(copy);
}

static void parse(const uint8_t *data, size_t size)
{
    scene_block first, again;
    char message[SVG_MESSAGE_BYTES];
    scene s;
    const uint64_t begun_ns = os_clock_ns();
    const dp_status status =
        svg_parse(context, data, size, begun_ns + UINT64_C(5000000000), &first, message);
    require(memchr(message, '\0', sizeof message) != NULL);
    require((status == DP_OK) == (message[0] == '\0'));
    if (status != DP_OK) {
        return;
    }
    require(scene_open(first.bytes, first.size_bytes, &s) == DP_OK);
    walk(&s);
    void *kept = malloc(first.size_bytes);
    require(kept != NULL);
    memcpy(kept, first.bytes, first.size_bytes);
    const size_t kept_bytes = first.size_bytes;
    require(svg_parse(context, data, size, 0, &again, message) == DP_OK);
    require(again.size_bytes == kept_bytes && memcmp(kept, again.bytes, kept_bytes) == 0);
    free(kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint32_t magic = SCENE_MAGIC;
    if (context == NULL) {
        require(svg_context_create(&context) == DP_OK);
    }
    if (size >= sizeof magic && memcmp(data, &magic, sizeof magic) == 0) {
        open_bytes(data, size);
    } else {
        parse(data, size);
    }
    return 0;
}
