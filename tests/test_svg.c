/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard in front of librsvg, and what is drawn behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render/svg_guard.h"
#include "render_rig.h"
#include "repeated.h"

#define SVG  "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
#define OPEN SVG "viewBox='0 0 10 10'>"

static dp_status check(render_rig *rig, const char *text)
{
    const media_bytes bytes = {(const uint8_t *)text, strlen(text)};
    rig->task.message[0] = '\0';
    return svg_guard_check(&rig->task, bytes);
}

static void refused(render_rig *rig, const char *text, const char *words)
{
    const dp_status status = check(rig, text);
    if (status == DP_OK || strstr(rig->task.message, words) == NULL) {
        print_error("%s\ngave \"%s\"\n", text, rig->task.message);
    }
    assert_true(status == DP_ERR_FORMAT || status == DP_ERR_TOO_LARGE);
    assert_non_null(strstr(rig->task.message, words));
}

static int need_svg(void **state)
{
    (void)state;
    return dp_media_can_decode(DP_MEDIA_SVG);
}

#define NEED_SVG                                                                                   \
    do {                                                                                           \
        if (!need_svg(state)) {                                                                    \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void references_out_of_the_document_are_refused(void **state)
{
    static const char *const local[] = {
        OPEN "<image xlink:href='file:///etc/passwd'/></svg>",
        OPEN "<image href='picture.png'/></svg>",
        OPEN "<use href='other.svg#a'/></svg>",
        OPEN "<image href=' /etc/passwd'/></svg>",
        OPEN "<image x:href='FILE:///a' xmlns:x='http://www.w3.org/1999/xlink'/></svg>",
        OPEN "<rect fill='url(file:///etc/passwd#a)'/></svg>",
        OPEN "<rect style=\"fill: URL( 'a.svg#b' )\"/></svg>",
        OPEN "<style>rect{fill:url(\"a.svg#b\")}</style></svg>",
        OPEN "<style><![CDATA[rect{fill:url(a.svg)}]]></style></svg>",
        OPEN "<style>rect{fill:ur<!-- x -->l(a.svg)}</style></svg>",
        OPEN "<image href='&#102;ile:///etc/passwd'/></svg>",
    };
    NEED_SVG;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        refused(*state, local[i], "svg refers to a local file");
    }
    refused(*state, OPEN "<image href='http://example.com/a.png'/></svg>", "another site");
    refused(*state, OPEN "<image href='//example.com/a.png'/></svg>", "another site");
    refused(*state, OPEN "<rect fill='url(https://example.com/#a)'/></svg>", "another site");
}

static void other_ways_out_are_refused(void **state)
{
    NEED_SVG;
    refused(*state, "<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" OPEN "&a;</svg>",
            "DOCTYPE");
    refused(*state, "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'a.dtd'>" OPEN "</svg>",
            "DOCTYPE");
    refused(*state, "<?xml-stylesheet href='a.css'?>" OPEN "</svg>", "style sheet");
    refused(*state, OPEN "<style>@IMPORT 'a.css';</style></svg>", "imports");
    refused(*state, OPEN "<style>@im\\70ort 'a.css';</style></svg>", "escapes");
    refused(*state, OPEN "<rect fill='\\75rl(a.svg)'/></svg>", "escapes");
    refused(*state, OPEN "<style>a<g/>b</style></svg>", "inside a style");
    refused(*state, OPEN "<g xml:base='file:///etc/'/></svg>", "xml:base");
    refused(*state, OPEN "<i:include xmlns:i='http://www.w3.org/2001/XInclude'/></svg>",
            "includes");
    refused(*state, OPEN "<image href='data:image/svg+xml;base64,AAAA'/></svg>", "embeds");
    refused(*state, OPEN "<image href='data:text/html,x'/></svg>", "embeds");
}

static void broken_xml_is_refused_with_its_line(void **state)
{
    NEED_SVG;
    refused(*state, OPEN "\n<g></svg>", "line 2: mismatched tag");
    refused(*state, OPEN, "no element found");
    refused(*state, OPEN "&nbsp;</svg>", "undefined entity");
}

static void references_inside_the_document_are_taken(void **state)
{
    NEED_SVG;
    assert_int_equal(
        check(*state,
              OPEN "<defs><linearGradient id='a'/></defs><style>.b{fill:url(#a)}</style>"
                   "<rect class='b' stroke=\"url('#a')\" style='filter: url( #f )'/>"
                   "<use xlink:href='#c'/><g e:file='C:\\a.svg' xmlns:e='urn:editor'/></svg>"),
        DP_OK);
}

static void numbers_beyond_the_limits_are_refused(void **state)
{
    NEED_SVG;
    char *many = repeated(OPEN, "<g/>", SVG_ELEMENTS_MAX, "</svg>");
    refused(*state, many, "more than 20000 elements");
    free(many);
    char *deep = repeated(OPEN, "<g>", SVG_DEPTH_MAX, "");
    refused(*state, deep, "64 levels");
    free(deep);
    char *filters = repeated(OPEN, "<feFlood/>", SVG_FILTER_PARTS_MAX + 1, "</svg>");
    refused(*state, filters, "filter parts");
    free(filters);
    char *path = repeated(OPEN "<path d='", "L1 1", SVG_ATTRIBUTE_BYTES_MAX / 4 + 1, "'/></svg>");
    refused(*state, path, "attribute of more than");
    free(path);
    char *style = repeated(OPEN "<style>", "a{}\n", SVG_STYLE_BYTES_MAX / 4 + 1, "</style></svg>");
    refused(*state, style, "style of more than");
    free(style);
}

static void filters_that_take_too_long_are_refused(void **state)
{
    NEED_SVG;
    refused(*state, OPEN "<filter width='1e9'/></svg>", "too long");
    refused(*state, OPEN "<feMorphology radius='3 2000'/></svg>", "too long");
    refused(*state, OPEN "<feTurbulence numOctaves='1000000'/></svg>", "too long");
    refused(*state, OPEN "<feGaussianBlur stdDeviation='inf 99999'/></svg>", "too long");
    assert_int_equal(check(*state, OPEN "<filter x='-10%' width='120%'>"
                                        "<feGaussianBlur stdDeviation='2.5'/></filter></svg>"),
                     DP_OK);
}

/* Ten times ten times ...: `levels` groups of ten <use> each, and one more behind `last`. */
static char *nested_uses(int levels, const char *last)
{
    char *text = malloc((size_t)levels * 300 + 1000);
    assert_non_null(text);
    int length = sprintf(text, "%s<rect id='l0'/>", OPEN);
    for (int level = 1; level <= levels; level++) {
        length += sprintf(text + length, "<g id='l%d'>", level);
        for (int i = 0; i < 10; i++) {
            length += sprintf(text + length, "<use href='#l%d'/>", level - 1);
        }
        length += sprintf(text + length, "</g>");
    }
    sprintf(text + length, "%s</svg>", last);
    return text;
}

static void references_that_explode_are_refused(void **state)
{
    static const char *const words = "once its references are followed";
    NEED_SVG;
    char *text = nested_uses(3, "");
    assert_int_equal(check(*state, text), DP_OK);
    free(text);
    text = nested_uses(8, "");
    refused(*state, text, words);
    free(text);
    /* As a pattern in an attribute, as a style of everything, as a marker of many vertices. */
    text = nested_uses(3, "<rect fill='url(#l3)'/>");
    assert_int_equal(check(*state, text), DP_OK);
    free(text);
    text = nested_uses(3, "<style>rect{fill:url(#l3)}</style>");
    refused(*state, text, words);
    free(text);
    text = repeated(OPEN "<marker id='m'><g/><g/><g/></marker><g marker-mid='url(#m)'><path d='M1",
                    " 1 1 1 1", 8000, "'/></g></svg>");
    refused(*state, text, words);
    free(text);
    text = repeated(OPEN "<filter id='f'><feFlood/><feFlood/></filter>", "<g filter='url(#f)'/>",
                    500, "</svg>");
    refused(*state, text, words);
    free(text);
    refused(*state, OPEN "<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g></svg>",
            words);
}

/* What drawing programs write: gradients by the dozen from a style sheet, ids used twice. */
static void ordinary_references_are_taken(void **state)
{
    NEED_SVG;
    char *text =
        repeated(OPEN
                 "<linearGradient id='g'><stop/><stop/></linearGradient><style>"
                 ".a{fill:url(#g)}.b{stroke:url(#g)}</style>",
                 "<g id='same'><rect id='r' class='a'/><use href='#r'/></g>", 3000, "</svg>");
    assert_int_equal(check(*state, text), DP_OK);
    free(text);
}

static char *embedded(const made_media *media, const char *label)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(media->size_bytes * 2 + 400);
    assert_non_null(text);
    int length = sprintf(text, "%s<image width='10' height='10' xlink:href='%s", OPEN, label);
    for (size_t i = 0; i < media->size_bytes; i += 3) {
        uint32_t bits = (uint32_t)media->bytes[i] << 16;
        bits |= i + 1 < media->size_bytes ? (uint32_t)media->bytes[i + 1] << 8 : 0;
        bits |= i + 2 < media->size_bytes ? media->bytes[i + 2] : 0;
        for (int d = 0; d < 4; d++) {
            const bool beyond = i + (size_t)d > media->size_bytes;
            text[length++] = beyond ? '=' : digits[bits >> (18 - 6 * d) & 63];
        }
    }
    strcpy(text + length, "'/></svg>");
    return text;
}

static void embedded_pictures_obey_the_pixel_limit(void **state)
{
    made_media small = media_png(8, 8, &(png_options){.bit_depth = 8, .color_type = 2});
    made_media large = media_png_header(30000, 30000);
    if (!need_svg(state) || small.bytes == NULL) {
        skip();
    }
    char *text = embedded(&small, "data:image/png;base64,");
    assert_int_equal(check(*state, text), DP_OK);
    free(text);
    text = embedded(&large, "data:image/gif;base64,");
    refused(*state, text, "30000 x 30000 pixels");
    free(text);
    refused(*state, OPEN "<image href='data:image/png;base64,%41'/></svg>", "not base64");
    refused(*state, OPEN "<image href='data:image/png;base64,PHN2Zy8+'/></svg>",
            "embeds another svg");
    media_free(&small);
    media_free(&large);
}

static dp_status draw(render_rig *rig, const char *text, const uint32_t size[2], surface *out)
{
    made_media media = media_text(text);
    return rig_decode(rig, &media, size, out);
}

static void shapes_are_drawn_at_any_size(void **state)
{
    const uint32_t size[2] = {200, 100};
    surface s;
    NEED_SVG;
    assert_int_equal(draw(*state,
                          SVG "width='20' height='10'><rect width='10' height='10' fill='#ff8000' "
                              "fill-opacity='.5'/></svg>",
                          size, &s),
                     DP_OK);
    /* Straight colours: half transparent orange is still orange. */
    const uint8_t *pixel = surface_row(&s, 50) + 4 * 50;
    assert_in_range(pixel[0], 254, 255);
    assert_in_range(pixel[1], 127, 129);
    assert_int_equal(pixel[2], 0);
    assert_in_range(pixel[3], 127, 128);
    assert_int_equal(surface_row(&s, 50)[4 * 150 + 3], 0);
    surface_drop(&s);
}

static void check_size(render_rig *rig, const char *text, uint32_t width, uint32_t height)
{
    const media_bytes bytes = {(const uint8_t *)text, strlen(text)};
    decoder *d;
    rig->task.message[0] = '\0';
    assert_int_equal(codec_open(&rig->task, bytes, &d), DP_OK);
    assert_int_equal(d->info.width, width);
    assert_int_equal(d->info.height, height);
    assert_true(d->info.drawing);
    codec_close(d);
}

static void the_natural_size_is_found(void **state)
{
    NEED_SVG;
    check_size(*state, SVG "width='30' height='20'/>", 30, 20);
    check_size(*state, SVG "viewBox='5 5 70 40'/>", 70, 40);
    check_size(*state, SVG "width='100%' height='100%' viewBox='0 0 7 4'/>", 7, 4);
    /* Without any, what is drawn says how far the canvas has to reach. */
    check_size(*state, SVG "><rect x='3' y='4' width='50' height='60'/></svg>", 53, 64);
    check_size(*state, SVG "/>", 100, 100);
    check_size(*state, SVG "width='4000000' height='1000000'/>", 65535, 16384);
    check_size(*state, SVG "viewBox='0 0 1e30 1'/>", 65535, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(references_out_of_the_document_are_refused),
        RIG_TEST(other_ways_out_are_refused),
        RIG_TEST(broken_xml_is_refused_with_its_line),
        RIG_TEST(references_inside_the_document_are_taken),
        RIG_TEST(numbers_beyond_the_limits_are_refused),
        RIG_TEST(filters_that_take_too_long_are_refused),
        RIG_TEST(references_that_explode_are_refused),
        RIG_TEST(ordinary_references_are_taken),
        RIG_TEST(embedded_pictures_obey_the_pixel_limit),
        RIG_TEST(shapes_are_drawn_at_any_size),
        RIG_TEST(the_natural_size_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
