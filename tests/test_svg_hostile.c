/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that mean harm, or that are for another engine: each ends in an error, with words,
 * within bounded work.
 */
#include "pool/os.h"
#include "render/svg/svg_limits.h"
#include "repeated.h"
#include "svg_rig.h"

#define RECT "<rect width='9' height='9'/>"

static void refused_when_repeated(const char *const parts[3], size_t count, dp_status wanted,
                                  const char *words)
{
    char *text = repeated(parts[0], parts[1], count, parts[2]);
    refused(text, wanted, words);
    free(text);
}

static void references_out_of_the_document_are_refused(void **state)
{
    static const char *const local[] = {
        OPEN "<use href='other.svg#a'/></svg>",
        OPEN "<rect width='1' height='1' fill='url(file:///etc/passwd#a)'/></svg>",
        OPEN "<rect style=\"fill: URL( 'a.svg#b' )\"/></svg>",
        OPEN "<style>rect{fill:url(\"a.svg#b\")}</style></svg>",
        OPEN "<style>rect{fill:ur<!-- x -->l(a.svg)}</style></svg>",
        OPEN
        "<linearGradient id='g' href='/a#b'/><rect width='1' height='1' fill='url(#g)'/></svg>",
        OPEN "<g clip-path='url(a#b)'/></svg>",
        OPEN "<g filter='url(a#b)'/></svg>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        refused(local[i], DP_ERR_FORMAT, "svg refers to a local file");
    }
    refused(OPEN "<use href='http://example.com/a.svg#b'/></svg>", DP_ERR_FORMAT, "another site");
    refused(OPEN "<rect fill='url(//example.com/#a)'/></svg>", DP_ERR_FORMAT, "another site");
    refused(OPEN "<use href='data:image/svg+xml,x'/></svg>", DP_ERR_FORMAT, "embeds something");
    refused(OPEN "<style>@import 'a.css';</style></svg>", DP_ERR_FORMAT, "imports");
    refused(OPEN "<style>@im\\70ort 'a.css';</style></svg>", DP_ERR_FORMAT, "escapes");
    refused(OPEN "<rect fill='\\75rl(a.svg)'/></svg>", DP_ERR_FORMAT, "escapes");
    refused("<?xml-stylesheet href='a.css'?>" OPEN "</svg>", DP_ERR_FORMAT, "style sheet");
    refused(OPEN "<g xml:base='file:///etc/'/></svg>", DP_ERR_FORMAT, "xml:base");
    refused(OPEN "<i:include xmlns:i='http://www.w3.org/2001/XInclude'/></svg>", DP_ERR_FORMAT,
            "includes");
    refused(OPEN "<style>a<g/>b</style></svg>", DP_ERR_FORMAT, "inside a style");
}

static void doctypes_and_entities_are_refused(void **state)
{
    (void)state;
    refused("<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" OPEN "&a;</svg>",
            DP_ERR_FORMAT, "DOCTYPE");
    refused("<!DOCTYPE svg [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>" OPEN "&b;</svg>", DP_ERR_FORMAT,
            "DOCTYPE");
    refused(OPEN "&nbsp;</svg>", DP_ERR_FORMAT, "undefined entity");
}

static void what_is_no_svg_is_refused(void **state)
{
    (void)state;
    refused("", DP_ERR_FORMAT, "no element found");
    refused("hello", DP_ERR_FORMAT, "line 1");
    refused("<html/>", DP_ERR_FORMAT, "the document is no svg");
    refused("<svg xmlns='http://example.com/'/>", DP_ERR_FORMAT, "the document is no svg");
    refused(OPEN "\n<g></svg>", DP_ERR_FORMAT, "line 2: mismatched tag");
    refused(OPEN, DP_ERR_FORMAT, "no element found");
    refused(OPEN "</svg><svg/>", DP_ERR_FORMAT, "junk after document");
    refused(SVG_TAG "viewBox='0 0 0 10'/>", DP_ERR_FORMAT, "shows nothing");
    refused(SVG_TAG "viewBox='0 0 1e15 1e-9' width='1' height='1'/>", DP_ERR_FORMAT,
            "shows nothing");
}

static void what_is_for_another_engine_is_told(void **state)
{
    static const char *const shown[] = {
        "<text>x</text>",
        "<text><tspan>x</tspan></text>",
        "<defs><text id='t'>x</text></defs><use href='#t'/>",
        "<clipPath id='c'><text>x</text></clipPath><g clip-path='url(#c)'>" RECT "</g>",
        "<image href='data:image/png;base64,AAAA' width='1' height='1'/>",
        "<image href='a.png' width='1' height='1'/>",
        "<foreignObject width='1' height='1'><p/></foreignObject>",
        "<pattern id='p'>" RECT "</pattern><rect width='1' height='1' fill='url(#p)'/>",
        "<marker id='m'>" RECT "</marker><path d='M0 0L1 1' marker-end='url(#m)'/>",
        "<marker id='m'>" RECT "</marker><g style='marker:url(#m)'><line x2='1' y2='1'/></g>",
        "<filter id='f'><feTurbulence/></filter><g filter='url(#f)'>" RECT "</g>",
        "<filter id='f'><feImage href='#x'/></filter><g filter='url(#f)'>" RECT "</g>",
        "<g filter='blur(2px)'>" RECT "</g>",
        "<style>rect[width]{fill:red}</style>" RECT,
        "<style>g,g + rect{fill:red}</style>" RECT,
        "<style>:first-child{fill:red}</style>" RECT,
        "<g style='mix-blend-mode:hue'>" RECT "</g>",
        "<path d='M0 0L1 1' stroke='red' vector-effect='non-scaling-stroke'/>",
        "<filter id='f'><feComponentTransfer><feFuncA type='gamma'/></feComponentTransfer></filter>"
        "<g filter='url(#f)'>" RECT "</g>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        char text[1000];
        snprintf(text, sizeof text, OPEN "%s</svg>", shown[i]);
        refused(text, DP_ERR_UNSUPPORTED, "svg shows ");
    }
}

static void what_nobody_sees_does_not_count(void **state)
{
    (void)state;
    draws("<defs><text>x</text><image href='a.png'/><pattern id='p'>" RECT
          "</pattern></defs>"
          "<g display='none'><text>x</text><foreignObject/></g><g visibility='hidden'>"
          "<image href='a.png'/><foreignObject/></g><text> \n </text><image/>"
          "<marker id='m'>" RECT
          "</marker><rect width='0' height='9' fill='url(#p)'/>"
          "<g style='fill:url(#p)'/><filter id='f'><feTurbulence/></filter>"
          "<switch><foreignObject requiredExtensions='x'/><g/></switch>",
          "");
}

static void circles_are_refused(void **state)
{
    static const char *const circles[] = {
        "<g id='a'><use href='#a'/></g>",
        "<use id='a' href='#a'/>",
        "<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>",
        "<linearGradient id='a' href='#b'/><linearGradient id='b' href='#a'/>"
        "<rect width='1' height='1' fill='url(#a)'/>",
        "<clipPath id='a' clip-path='url(#a)'>" RECT
        "</clipPath>"
        "<rect x='5' width='9' height='9' clip-path='url(#a)'/>",
        "<clipPath id='a'><rect width='9' height='9' clip-path='url(#a)'/></clipPath>"
        "<rect x='5' width='9' height='9' clip-path='url(#a)'/>",
        "<mask id='a'><rect width='9' height='9' mask='url(#a)'/></mask><g mask='url(#a)'>" RECT
        "</g>",
        "<mask id='a' mask='url(#b)'>" RECT "</mask><mask id='b' mask='url(#a)'>" RECT
        "</mask>"
        "<g mask='url(#a)'>" RECT "</g>",
        "<symbol id='a'><use href='#a'/></symbol><use href='#a'/>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof circles / sizeof circles[0]; i++) {
        char text[1000];
        snprintf(text, sizeof text, OPEN "%s</svg>", circles[i]);
        refused(text, DP_ERR_FORMAT, "in a circle");
    }
}

/* Ten times ten times ...: `levels` groups of ten <use> each. */
static char *nested_uses(int levels, const char *leaf)
{
    char *text = malloc((size_t)levels * 300 + 1000);
    assert_non_null(text);
    int length = sprintf(text, "%s<defs><g id='l0'>%s</g>", OPEN, leaf);
    for (int level = 1; level <= levels; level++) {
        length += sprintf(text + length, "<g id='l%d'>", level);
        for (int i = 0; i < 10; i++) {
            length += sprintf(text + length, "<use href='#l%d'/>", level - 1);
        }
        length += sprintf(text + length, "</g>");
    }
    sprintf(text + length, "</defs><use href='#l%d'/></svg>", levels);
    return text;
}

static void references_that_explode_are_refused(void **state)
{
    scene s;
    (void)state;
    char *text = nested_uses(3, RECT);
    assert_int_equal(rig_parse(text, &s), DP_OK);
    assert_int_equal(s.command_count, 1000);
    free(text);
    text = nested_uses(9, RECT);
    refused(text, DP_ERR_TOO_LARGE, "once its references are followed");
    free(text);
    text = nested_uses(9, "");
    refused(text, DP_ERR_TOO_LARGE, "once its references are followed");
    free(text);
}

static void sizes_beyond_the_limits_are_refused(void **state)
{
    static const struct {
        const char *parts[3];
        size_t count;
        const char *words;
    } rows[] = {
        {{OPEN, "<g/>", "</svg>"}, 1000000, "more than 20000 elements"},
        {{OPEN, "<g>", ""}, 1000000, "64 levels"},
        {{OPEN, "<u:g xmlns:u='u'/>", "</svg>"}, 100000, "more than 20000 elements"},
        {{OPEN "<path d='M1 1", "L1 1", "'/></svg>"}, 100000, "attribute of more than"},
        {{OPEN "<style>", "a{}\n", "</style></svg>"}, 100000, "style of more than"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refused_when_repeated(rows[i].parts, rows[i].count, DP_ERR_TOO_LARGE, rows[i].words);
    }
}

/* Each path of 120,000 points is made once for each attribute that says so. */
static void points_beyond_the_limit_are_refused(void **state)
{
    const size_t each = SVG_ATTRIBUTE_BYTES_MAX / 2 - 100, paths = 16;
    char *text = malloc(paths * (each * 2 + 100) + 1000);
    assert_non_null(text);
    char *at = text + sprintf(text, OPEN);
    (void)state;
    for (size_t p = 0; p < paths; p++) {
        at += sprintf(at, "<path d='M0 0");
        for (size_t i = 0; i < each; i++) {
            memcpy(at, "h1", 2);
            at += 2;
        }
        at += sprintf(at, "'/>");
    }
    strcpy(at, "</svg>");
    refused(text, DP_ERR_TOO_LARGE, "draws too much");
    free(text);
}

/* A box is asked for at every level, of everything inside it. */
static void measuring_is_bounded(void **state)
{
    char *text = malloc(2000000);
    assert_non_null(text);
    char *at =
        text + sprintf(text, OPEN
                       "<clipPath id='c' clipPathUnits='objectBoundingBox'><path d='M0 0L1 0L0 1'/>"
                       "</clipPath><defs><path id='p' d='M0 0");
    (void)state;
    for (size_t i = 0; i < 100000; i++) {
        memcpy(at, "h1", 2);
        at += 2;
    }
    at += sprintf(at, "v9'/></defs>");
    for (size_t i = 0; i < 1000; i++) {
        at += sprintf(at, "<use href='#p' clip-path='url(#c)'/>");
    }
    strcpy(at, "</svg>");
    refused(text, DP_ERR_TOO_LARGE, "too much work");
    free(text);
}

static void selectors_are_bounded(void **state)
{
    char *text = malloc(2000000);
    assert_non_null(text);
    char *at = text + sprintf(text, OPEN "<style>");
    (void)state;
    for (size_t i = 0; i < 1600; i++) {
        at += sprintf(at, "g g g g g g g g{fill:red}");
    }
    at += sprintf(at, "</style>");
    for (size_t i = 0; i < 19000; i++) {
        at += sprintf(at, "<g/>");
    }
    strcpy(at, "</svg>");
    refused(text, DP_ERR_TOO_LARGE, "too much work");
    free(text);
}

/* A long value is read again at each use of its element. */
static void long_values_are_bounded(void **state)
{
    static const char *const begins[] = {
        "<g id='l0' transform='", "<g id='l0' fill='", "<g id='l0' style='",
        "<path id='l0' d='M1 1", "<path id='l0' stroke='red' d='M0 0L1 1' stroke-dasharray='"};
    static const char *const repeats[] = {"scale(1)", " ", "fill:red;", "M1 1", " "};
    (void)state;
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        char *leaf = repeated(begins[i], repeats[i], 200000 / strlen(repeats[i]), "'/>");
        char *uses = nested_uses(4, "");
        char *text = malloc(strlen(leaf) + strlen(uses) + 100);
        assert_non_null(text);
        /* In the place of the innermost group. */
        const char *behind = strstr(uses, "</g>") + 4;
        sprintf(text, "%s<defs>%s%s", OPEN, leaf, behind);
        scene s;
        const dp_status status = rig_parse(text, &s);
        assert_true(status == DP_OK || status == DP_ERR_TOO_LARGE);
        free(text);
        free(uses);
        free(leaf);
    }
}

static void nesting_of_groups_is_bounded(void **state)
{
    static const char *const groups[3] = {OPEN, "<g opacity='.9'>" RECT, ""};
    char *head = repeated(groups[0], groups[1], 40, "");
    char *text = repeated(head, "</g>", 40, CLOSE);
    (void)state;
    refused(text, DP_ERR_TOO_LARGE, "svg nests more than 32");
    free(head);
    free(text);
    text = repeated(OPEN "<linearGradient id='g'>", "<stop/>", 257,
                    "</linearGradient><rect width='1' height='1' fill='url(#g)'/></svg>");
    refused(text, DP_ERR_TOO_LARGE, "256 stops");
    free(text);
    text =
        repeated(OPEN "<path d='M0 0L1 1' stroke='red' stroke-dasharray='", "1 ", 129, "'/></svg>");
    refused(text, DP_ERR_TOO_LARGE, "dash pattern");
    free(text);
    text = repeated(OPEN "<filter id='f'>", "<feOffset/>", 101,
                    "</filter><rect width='1' height='1' filter='url(#f)'/></svg>");
    refused(text, DP_ERR_TOO_LARGE, "filter parts");
    free(text);
}

static void wild_numbers_are_drawn_or_left_out_but_never_crash(void **state)
{
    static const char *const numbers[] = {"1e38",  "-1e38", "1e999", "nan",
                                          "1e-45", "0",     "1e15",  "inf"};
    scene s;
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char text[3000];
        const char *n = numbers[i];
        snprintf(text, sizeof text,
                 OPEN
                 "<linearGradient id='g' x1='%s' y2='%s' gradientTransform='scale(%s)'><stop/>"
                 "<stop offset='%s'/></linearGradient><radialGradient id='h' r='%s' fx='%s'><stop/>"
                 "<stop offset='1'/></radialGradient>"
                 "<g transform='matrix(%s 1 1 1 %s 1)'><rect x='%s' width='%s' height='5' "
                 "fill='url(#g)' stroke='url(#h)' stroke-width='%s' stroke-dasharray='%s 1'/></g>"
                 "<path d='M%s 0A%s 5 %s 0 1 9 9T%s 4' opacity='%s'/>"
                 "<svg viewBox='0 0 %s 1'><circle r='%s'/></svg></svg>",
                 n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n);
        assert_int_equal(rig_parse(text, &s), DP_OK);
    }
}

static void a_late_document_is_given_up(void **state)
{
    char *text = repeated(OPEN, RECT, 15000, CLOSE);
    scene_block block;
    char message[SVG_MESSAGE_BYTES];
    (void)state;
    assert_int_equal(svg_parse(rig_context, text, strlen(text), os_clock_ns() - 1, &block, message),
                     DP_ERR_TIMEOUT);
    assert_string_equal(message, "the picture takes too long to render");
    free(text);
}

/* A context that failed in the middle of anything serves the next document. */
static void a_failure_leaves_nothing_behind(void **state)
{
    (void)state;
    refused(OPEN "<style>rect{fill:red}</style><g><g>", DP_ERR_FORMAT, "no element");
    draws(RECT, "fill M0,0 L9,0 L9,9 L0,9 Z #000000ff\n");
    refused(OPEN "<style>rect{fill:red}", DP_ERR_FORMAT, "no element");
    draws(RECT, "fill M0,0 L9,0 L9,9 L0,9 Z #000000ff\n");
}

static void every_allocation_may_fail(void **state)
{
    static const char text[] = OPEN
        "<style>.a{fill:red}</style><clipPath id='c'><circle r='5'/></clipPath>"
        "<linearGradient id='g'><stop/><stop offset='1'/></linearGradient>"
        "<filter id='f'><feDropShadow/></filter><g clip-path='url(#c)' filter='url(#f)'>"
        "<rect class='a' width='9' height='9' stroke='url(#g)' stroke-dasharray='1'/></g></svg>";
    uint64_t nth = 0, left;
    dp_status status = DP_ERR_NOMEM;
    (void)state;
    do {
        svg_context *context;
        scene_block block;
        char message[SVG_MESSAGE_BYTES];
        (void)os_malloc_fail_nth(++nth);
        status = svg_context_create(&context);
        if (status == DP_OK) {
            status = svg_parse(context, text, sizeof text - 1, 0, &block, message);
            left = os_malloc_fail_nth(0);
            svg_context_destroy(context);
        } else {
            left = os_malloc_fail_nth(0);
        }
        assert_true(left != 0 || status == DP_ERR_NOMEM);
        assert_true(nth < 1000);
    } while (left == 0);
    assert_int_equal(status, DP_OK);
    assert_true(nth > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_out_of_the_document_are_refused),
        cmocka_unit_test(doctypes_and_entities_are_refused),
        cmocka_unit_test(what_is_no_svg_is_refused),
        cmocka_unit_test(what_is_for_another_engine_is_told),
        cmocka_unit_test(what_nobody_sees_does_not_count),
        cmocka_unit_test(circles_are_refused),
        cmocka_unit_test(references_that_explode_are_refused),
        cmocka_unit_test(sizes_beyond_the_limits_are_refused),
        cmocka_unit_test(points_beyond_the_limit_are_refused),
        cmocka_unit_test(measuring_is_bounded),
        cmocka_unit_test(selectors_are_bounded),
        cmocka_unit_test(long_values_are_bounded),
        cmocka_unit_test(nesting_of_groups_is_bounded),
        cmocka_unit_test(wild_numbers_are_drawn_or_left_out_but_never_crash),
        cmocka_unit_test(a_late_document_is_given_up),
        cmocka_unit_test(a_failure_leaves_nothing_behind),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
