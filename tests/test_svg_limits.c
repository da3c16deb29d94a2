/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit of a drawing from its bytes to its pixels, by the codec: a document at the limit is
 * drawn, one step beyond it is refused, in words.  Where a step cannot be told exactly (lines that
 * a curve becomes), one well beyond.
 */
#include <stdlib.h>

#include "pool/os.h"
#include "render/drawing.h"
#include "render/svg/svg_limits.h"
#include "render_rig.h"

#define OPEN  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 100'>"
#define RECT  "<rect width='9' height='9'/>"
#define CLOSE "</svg>"
#define SIDE  160u

/* What does not come to an end is for the test's own time limit. */
#define PATIENCE_NS UINT64_C(600000000000)

#define NEED_FRONT_END                                                                             \
    if (!drawing_can_parse())                                                                      \
    skip()

/* head, count times part, tail, count times end. */
typedef struct repeated {
    const char *head, *part, *tail, *end;
} repeated;

static size_t append(char *at, const char *text, size_t count)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(at + i * length, text, length);
    }
    return length * count;
}

static media_bytes text_of(const repeated *r, size_t count)
{
    const char *tail = r->tail == NULL ? "" : r->tail, *end = r->end == NULL ? "" : r->end;
    char *text = malloc(sizeof OPEN + strlen(r->head) + (strlen(r->part) + strlen(end)) * count +
                        strlen(tail) + sizeof CLOSE);
    assert_non_null(text);
    size_t size_bytes = append(text, OPEN, 1);
    size_bytes += append(text + size_bytes, r->head, 1);
    size_bytes += append(text + size_bytes, r->part, count);
    size_bytes += append(text + size_bytes, tail, 1);
    size_bytes += append(text + size_bytes, end, count);
    size_bytes += append(text + size_bytes, CLOSE, 1);
    return (media_bytes){(uint8_t *)text, size_bytes};
}

/* Opens and draws; whatever comes of it, nothing is held afterwards. */
static dp_status draw(render_rig *rig, media_bytes bytes, uint64_t time_ns)
{
    const decode_hints hints = {.width = SIDE, .height = SIDE, .frames_max = 1};
    decoder *d;
    picture drawn;

    rig->task.own_engine_only = true;
    rig->task.message[0] = '\0';
    rig->task.deadline_ns = os_clock_ns() + time_ns;
    dp_status status = codec_open(&rig->task, bytes, &d);
    if (status == DP_OK) {
        status = codec_decode(d, &hints, &drawn);
        codec_close(d);
    }
    if (status == DP_OK) {
        assert_int_equal(picture_check(&drawn, dp_buf_size(drawn.buf)), DP_OK);
        picture_drop(&drawn);
    }
    assert_true((status == DP_OK) == (rig->task.message[0] == '\0'));
    return status;
}

static void becomes(render_rig *rig, const repeated *r, size_t count, const char *words)
{
    const media_bytes bytes = text_of(r, count);
    const dp_status status = draw(rig, bytes, PATIENCE_NS);
    if ((status == DP_OK) != (words == NULL)) {
        print_error("%zu times %.40s after %.40s: %s \"%s\"\n", count, r->part, r->head,
                    dp_status_name(status), rig->task.message);
    }
    if (words == NULL) {
        assert_int_equal(status, DP_OK);
    } else {
        assert_int_equal(status, DP_ERR_TOO_LARGE);
        assert_non_null(strstr(rig->task.message, words));
    }
    free((void *)(uintptr_t)bytes.data);
}

static void a_document_at_its_limit_is_drawn_and_one_beyond_it_is_not(void **state)
{
    static const struct {
        repeated text;
        size_t most, beyond;
        const char *words;
    } rows[] = {
        /* The root and the rectangle count. */
        {{.head = RECT, .part = "<g/>"},
         SVG_ELEMENTS_MAX - 2,
         SVG_ELEMENTS_MAX - 1,
         "more than 20000 elements"},
        {{.head = "", .part = "<g>", .tail = "", .end = "</g>"},
         SVG_DEPTH_MAX - 1,
         SVG_DEPTH_MAX,
         "64 levels"},
        {{.head = RECT "<g id='", .part = "a", .tail = "'/>"},
         SVG_ATTRIBUTE_BYTES_MAX,
         SVG_ATTRIBUTE_BYTES_MAX + 1,
         "attribute of more than 256 KiB"},
        {{.head = "<style>", .part = " ", .tail = "</style>" RECT},
         SVG_STYLE_BYTES_MAX,
         SVG_STYLE_BYTES_MAX + 1,
         "style of more than 64 KiB"},
        {{.head = "<filter id='f'>",
          .part = "<feOffset/>",
          .tail = "</filter><rect width='9' height='9' filter='url(#f)'/>"},
         SVG_FILTER_PARTS_MAX - 10, /* room is kept for what one element becomes at most */
         SVG_FILTER_PARTS_MAX + 1,
         "filter parts"},
        {{.head = "<linearGradient id='g'>",
          .part = "<stop/>",
          .tail = "</linearGradient><rect width='9' height='9' fill='url(#g)'/>"},
         SCENE_STOPS_MAX,
         SCENE_STOPS_MAX + 1,
         "256 stops"},
        {{.head = "<path d='M0 0L9 9' stroke='red' stroke-dasharray='",
          .part = "1 ",
          .tail = "'/>"},
         SCENE_DASHES_MAX / 2,
         SCENE_DASHES_MAX / 2 + 1,
         "dash pattern"},
        /* The innermost is no group: its opacity becomes that of its only rectangle. */
        {{.head = "", .part = "<g opacity='.9'>" RECT, .tail = "", .end = "</g>"},
         SCENE_DEPTH_MAX + 1,
         SCENE_DEPTH_MAX + 2,
         "groups, clips and masks"},
    };
    render_rig *rig = *state;
    NEED_FRONT_END;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        becomes(rig, &rows[i].text, rows[i].most, NULL);
        becomes(rig, &rows[i].text, rows[i].beyond, rows[i].words);
    }
    drawing_forget();
}

static void what_becomes_too_much_on_the_canvas_is_refused(void **state)
{
    static const char words[] = "too much in it for its size";
    static const struct {
        repeated text;
        size_t few, many;
    } rows[] = {
        /* Dashes of a stroke. */
        {{.head = "<path stroke='red' stroke-dasharray='.",
          .part = "0",
          .tail = "1' d='M0 0H99'/>"},
         0,
         6},
        /* Lines of all strokes together. */
        {{.head = "<path stroke='red' stroke-linejoin='round' stroke-dasharray='.1' d='",
          .part = "M0 0L99 99",
          .tail = "'/>"},
         2,
         2000},
        /* Surfaces of filters inside each other. */
        {{.head = "<filter id='f' x='-9' y='-9' width='99' height='99'><feGaussianBlur "
                  "stdDeviation='300'/></filter>",
          .part = "<g filter='url(#f)'>",
          .tail = "<rect width='100' height='100'/>",
          .end = "</g>"},
         1,
         SCENE_DEPTH_MAX},
    };
    render_rig *rig = *state;
    NEED_FRONT_END;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        becomes(rig, &rows[i].text, rows[i].few, NULL);
        becomes(rig, &rows[i].text, rows[i].many, words);
    }
    drawing_forget();
}

/* Lines that all cross the canvas and each other, so that every pixel is cut by thousands. */
static void a_drawing_that_is_slow_is_given_up(void **state)
{
    static const repeated scribble = {
        .head = "<path d='M0 0", .part = "L37 100L74 0L1 100L88 0", .tail = "'/>"};
    static const uint64_t time_ns = 30000000;
    render_rig *rig = *state;
    NEED_FRONT_END;
    const media_bytes bytes = text_of(&scribble, 10000);
    assert_int_equal(draw(rig, bytes, time_ns), DP_ERR_TIMEOUT);
    assert_non_null(strstr(rig->task.message, "too long"));
    free((void *)(uintptr_t)bytes.data);
    drawing_forget();
}

/* No tile of it has a command. */
static void a_drawing_with_nothing_in_sight_is_transparent(void **state)
{
    static const repeated far = {.head = "<rect x='500'", .part = " ", .tail = " width='9'/>"};
    render_rig *rig = *state;
    NEED_FRONT_END;
    becomes(rig, &far, 1, NULL);
    drawing_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_document_at_its_limit_is_drawn_and_one_beyond_it_is_not),
        RIG_TEST(what_becomes_too_much_on_the_canvas_is_refused),
        RIG_TEST(a_drawing_that_is_slow_is_given_up),
        RIG_TEST(a_drawing_with_nothing_in_sight_is_transparent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
