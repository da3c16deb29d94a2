/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What documents become: styles, transforms, viewports, references, paints.
 */
#include "svg_rig.h"

#define R  "<rect width='2' height='1'/>"
#define RM "M0,0 L2,0 L2,1 L0,1 Z"

static void presentation_attributes_are_inherited(void **state)
{
    (void)state;
    draws(
        "<g fill='red' stroke='blue' stroke-width='2'><rect width='2' height='1' fill='none'/>"
        "<g stroke='none'>" R "</g></g>",
        "stroke " RM
        " #0000ffff width 2\n"
        "fill " RM " #ff0000ff\n");
    draws("<g fill='red'><g fill='blue'><rect width='2' height='1' fill='inherit'/></g></g>",
          "fill " RM " #0000ffff\n");
    draws("<g color='lime' fill='currentColor'><g color='red'>" R "</g></g>",
          "fill " RM " #ff0000ff\n");
    draws("<g fill='red'><rect width='2' height='1' fill='nonsense'/></g>",
          "fill " RM " #ff0000ff\n");
    draws("<g fill='red'><rect width='2' height='1' fill='initial'/></g>",
          "fill " RM " #000000ff\n");
}

static void styles_beat_attributes_and_sheets(void **state)
{
    (void)state;
    draws("<rect width='2' height='1' fill='red' style='fill:blue;;stroke : lime ; x'/>",
          "fill " RM " #0000ffff\nstroke " RM " #00ff00ff width 1\n");
    draws("<style>rect{fill:red}</style><rect width='2' height='1' fill='blue'/>",
          "fill " RM " #ff0000ff\n");
    draws("<style>rect{fill:red}</style><rect width='2' height='1' style='fill:lime'/>",
          "fill " RM " #00ff00ff\n");
    draws("<style>rect{fill:red ! important}</style><rect width='2' height='1' style='fill:lime'/>",
          "fill " RM " #ff0000ff\n");
    draws(
        "<style>rect{fill:red!important}</style>"
        "<rect width='2' height='1' style='fill:lime!important'/>",
        "fill " RM " #00ff00ff\n");
}

static void selector_paints(const char *selector, bool paints)
{
    char content[500];
    snprintf(content, sizeof content,
             "<style>%s{fill:red}</style><g class='k l'><g id='i'>"
             "<rect id='r' class='a b' width='2' height='1'/></g></g>",
             selector);
    draws(content, paints ? "fill " RM " #ff0000ff\n" : "fill " RM " #000000ff\n");
}

static void selectors_match_what_they_say(void **state)
{
    static const char *const good[] = {
        "rect",        "*",
        ".a",          ".b",
        ".a.b",        "rect.b",
        "#r",          "rect#r.a",
        "g rect",      "g>rect",
        "#i > rect",   ".k rect",
        ".k > g > *",  "svg .l .b",
        "circle,rect", "rect , circle",
        "g g > rect",  "svg>g>#i>rect",
    };
    static const char *const bad[] = {
        "circle",
        ".c",
        ".a.c",
        "Rect",
        ".k > rect",
        "rect rect",
        "g > g > g > rect",
        "rect:hover",
        "rect:active",
        "a:hover rect",
        "> rect",
        "rect >",
        "ar",
        ".",
        "circle rect",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        selector_paints(good[i], true);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        selector_paints(bad[i], false);
    }
}

static void the_more_specific_rule_wins_then_the_later(void **state)
{
    (void)state;
    draws(
        "<style>#r{fill:red}.a{fill:blue}rect{fill:lime}</style>"
        "<rect id='r' class='a' width='2' height='1'/>",
        "fill " RM " #ff0000ff\n");
    draws("<style>.a.b{fill:red}.a{fill:blue}</style><rect class='b a' width='2' height='1'/>",
          "fill " RM " #ff0000ff\n");
    draws("<style>.a{fill:red}.b{fill:blue}</style><rect class='b a' width='2' height='1'/>",
          "fill " RM " #0000ffff\n");
    draws(
        "<style>/* .x{ */ @media print{rect{fill:red}} </style>"
        "<style type='text/css'><![CDATA[<!-- rect{fill:blue} "
        "-->rect{stroke:red;/*x*/stroke-width:3}]]></style>"
        "<style type='text/x'>rect{fill:lime}</style>" R,
        "fill " RM " #0000ffff\nstroke " RM " #ff0000ff width 3\n");
}

static void transforms_are_folded_into_one_matrix(void **state)
{
    (void)state;
    draws("<g transform='translate(1 2)'>" R "<g transform='scale(3)'>" R R "</g></g>",
          "fill [1 0 0 1 1 2] " RM
          " #000000ff\n"
          "fill [3 0 0 3 1 2] " RM
          " #000000ff\n"
          "fill [3 0 0 3 1 2] " RM " #000000ff\n");
    draws("<rect width='2' height='1' style='transform:translate(3px,4px)'/>",
          "fill [1 0 0 1 3 4] " RM " #000000ff\n");
    draws("<g transform='scale(0)'>" R "</g><g transform='scale(1 0)'>" R "</g>", "");
    draws("<rect width='2' height='1' transform='rotate(90)' transform-origin='1 1'/>",
          "fill [0 1 -1 0 2 0] " RM " #000000ff\n");
}

static void what_is_not_displayed_is_not_drawn(void **state)
{
    (void)state;
    draws("<g display='none'>" R "</g><g style='display:none'>" R "</g>", "");
    draws("<g visibility='hidden'>" R "<rect width='2' height='1' visibility='visible'/></g>",
          "fill " RM " #000000ff\n");
    draws("<g display='inline'>" R "</g>", "fill " RM " #000000ff\n");
    draws("<defs>" R "</defs><symbol>" R "</symbol><clipPath>" R "</clipPath><mask>" R "</mask>",
          "");
    draws(
        "<rect width='2' height='1' fill='none'/><rect width='2' height='1' fill-opacity='0'/>"
        "<rect width='2' height='1' opacity='0'/><rect width='2' height='1' fill='transparent'/>",
        "");
}

static void what_is_none_of_ours_is_left_out(void **state)
{
    (void)state;
    draws(
        "<metadata><rdf:RDF xmlns:rdf='u'><rect width='9' height='9'/></rdf:RDF></metadata>"
        "<e:rect xmlns:e='urn:e' width='9' height='9'/><path2 d='M0 0L1 1'/><title>x</title>"
        "<script>var a = '&lt;g/>';</script><html xmlns='http://www.w3.org/1999/xhtml'>" R
        "</html>"
        "<animate/><a href='http://example.com/'>" R "</a><text/>",
        "fill " RM " #000000ff\n");
    becomes(
        "<s:svg xmlns:s='http://www.w3.org/2000/svg' viewBox='0 0 9 9'>"
        "<s:rect width='2' height='1'/><rect width='9' height='9'/></s:svg>",
        "fill " RM " #000000ff\n");
}

static void a_switch_shows_the_first_child_that_passes(void **state)
{
    (void)state;
    draws("<switch><g systemLanguage='de'>" R
          "</g><rect width='1' height='1' "
          "requiredExtensions='http://x'/><g systemLanguage='fr, en-GB'>" R R "</g>" R "</switch>",
          "fill " RM " #000000ff\nfill " RM " #000000ff\n");
    draws("<rect width='2' height='1' systemLanguage='de'/>", "");
    draws("<switch/>", "");
}

static void strokes_keep_their_pens(void **state)
{
    (void)state;
    draws(
        "<path d='M0 0L1 1' stroke='red' fill='none' stroke-linecap='round' "
        "stroke-linejoin='bevel' stroke-width='.5' stroke-dasharray='1,2 3' "
        "stroke-dashoffset='-1'/>",
        "stroke M0,0 L1,1 #ff0000ff width 0.5 round-cap bevel-join dash 1,2,3,1,2,3 from -1\n");
    draws(
        "<path d='M0 0L1 1' stroke='red' fill='none' stroke-linecap='square' "
        "stroke-miterlimit='9' stroke-dasharray='0 0'/>",
        "stroke M0,0 L1,1 #ff0000ff width 1 square-cap miter 9\n");
    draws(
        "<path d='M0 0L1 1' stroke='red' fill='none' stroke-miterlimit='.5' "
        "stroke-dasharray='1 -2' stroke-linejoin='round'/>",
        "stroke M0,0 L1,1 #ff0000ff width 1 round-join\n");
    draws(
        "<path d='M0 0L1 1' stroke='red' stroke-width='0'/>"
        "<path d='M0 0L1 1' stroke='red' stroke-width='-1' fill='none'/>",
        "fill M0,0 L1,1 #000000ff\n");
    draws("<path d='M0 0L1 1' stroke='red' fill='none' stroke-width='10%'/>",
          "stroke M0,0 L1,1 #ff0000ff width 10\n");
}

static void paint_order_is_kept(void **state)
{
    (void)state;
    draws("<rect width='2' height='1' stroke='red' paint-order='stroke'/>",
          "stroke " RM " #ff0000ff width 1\nfill " RM " #000000ff\n");
    draws("<rect width='2' height='1' stroke='red' paint-order='markers stroke'/>",
          "stroke " RM " #ff0000ff width 1\nfill " RM " #000000ff\n");
    draws("<rect width='2' height='1' stroke='red' paint-order='markers fill'/>",
          "fill " RM " #000000ff\nstroke " RM " #ff0000ff width 1\n");
}

static void opacity_is_folded_where_nothing_overlaps(void **state)
{
    (void)state;
    draws("<rect width='2' height='1' opacity='.5' fill-opacity='.5'/>",
          "fill " RM " #000000ff x0.25\n");
    draws("<g opacity='.5'><g opacity='50%'>" R "</g></g>", "fill " RM " #000000ff x0.25\n");
    draws("<g opacity='.5'>" R R "</g>",
          "group { x0.5\nfill " RM " #000000ff\nfill " RM " #000000ff\n} group\n");
    draws("<rect width='2' height='1' stroke='red' opacity='.5'/>",
          "group { x0.5\nfill " RM " #000000ff\nstroke " RM " #ff0000ff width 1\n} group\n");
    draws("<g opacity='.5'/>", "");
    draws(
        "<clipPath id='c'><circle r='1'/><path d='M0 0L9 9L0 9'/></clipPath>"
        "<rect width='2' height='1' clip-path='url(#c)' opacity='.5'/>",
        "clip {\nfill M1,0 C1,0.5523 0.5523,1 0,1 C-0.5523,1 -1,0.5523 -1,0 C-1,-0.5523 -0.5523,-1 "
        "0,-1 C0.5523,-1 1,-0.5523 1,0 Z\nfill M0,0 L9,9 L0,9\nready\nfill " RM
        " #000000ff x0.5\n} clip\n");
    draws("<g opacity='1.5'>" R "</g>", "fill " RM " #000000ff\n");
}

static void blending_groups_are_isolated_by_what_clips_them(void **state)
{
    (void)state;
    draws("<rect width='2' height='1' style='mix-blend-mode:multiply'/>",
          "group { blend 1\nfill " RM " #000000ff\n} group\n");
    draws("<g style='isolation:isolate'>" R
          "<rect width='2' height='1' "
          "style='mix-blend-mode:screen'/></g>",
          "group {\nfill " RM " #000000ff\ngroup { blend 2\nfill " RM
          " #000000ff\n} group\n} group\n");
    draws("<g style='isolation:isolate'>" R "</g>", "fill " RM " #000000ff\n");
}

static void size_is(const char *attributes, float width, float height, const char *matrix)
{
    char text[500], wanted[200];
    scene s;
    snprintf(text, sizeof text, SVG_TAG "%s>" R "</svg>", attributes);
    snprintf(wanted, sizeof wanted, "fill %s" RM " #000000ff\n", matrix);
    becomes(text, wanted);
    assert_int_equal(rig_parse(text, &s), DP_OK);
    if (s.header->width != width || s.header->height != height) {
        print_error("%s: %g x %g\n", attributes, (double)s.header->width, (double)s.header->height);
        fail();
    }
}

static void the_natural_size_is_found(void **state)
{
    (void)state;
    size_is("width='30' height='20'", 30, 20, "");
    size_is("width='1in' height='20px'", 96, 20, "");
    size_is("viewBox='5 5 70 40'", 70, 40, "[1 0 0 1 -5 -5] ");
    size_is("width='140' viewBox='0 0 70 40'", 140, 80, "[2 0 0 2 0 0] ");
    size_is("height='80' viewBox='0 0 70 40'", 140, 80, "[2 0 0 2 0 0] ");
    size_is("width='100%' height='100%' viewBox='0 0 7 4'", 7, 4, "");
    size_is("width='0' height='-3' viewBox='0 0 7 4'", 7, 4, "");
    size_is("", 2, 1, "");
    size_is("width='50'", 50, 1, "");
    size_is("height='1e15'", 2, 65535, "");
    size_is("width='131070' height='65535'", 65535, 32767.5f, "[0.5 0 0 0.5 0 0] ");
}

static void the_view_box_is_fitted_as_asked(void **state)
{
    static const struct {
        const char *fit, *matrix;
    } rows[] = {
        {"", "[2 0 0 2 20 0] "},
        {"xMidYMid", "[2 0 0 2 20 0] "},
        {"xMinYMid meet", "[2 0 0 2 0 0] "},
        {"xMaxYMin", "[2 0 0 2 40 0] "},
        {"none", "[6 0 0 2 0 0] "},
        {"xMidYMid slice", "[6 0 0 6 0 -20] "},
        {"xMidYMin slice", "[6 0 0 6 0 0] "},
        {"xMidYMax slice", "[6 0 0 6 0 -40] "},
        {"nonsense", "[2 0 0 2 20 0] "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char attributes[200];
        snprintf(attributes, sizeof attributes,
                 "width='60' height='20' viewBox='0 0 10 10' preserveAspectRatio='%s'",
                 rows[i].fit);
        size_is(attributes, 60, 20, rows[i].matrix);
    }
}

static void nested_viewports_move_scale_and_clip(void **state)
{
    (void)state;
    draws("<svg x='10' y='20' width='20' height='20' viewBox='0 0 10 10'>" R "</svg>",
          "fill [2 0 0 2 10 20] " RM " #000000ff\n");
    draws("<svg x='10' width='1' height='1'>" R "</svg>",
          "clip {\nfill M10,0 L11,0 L11,1 L10,1 Z\nready\nfill [1 0 0 1 10 0] " RM
          " #000000ff\n} clip\n");
    draws("<svg x='10' width='1' height='1' overflow='visible'>" R "</svg>",
          "fill [1 0 0 1 10 0] " RM " #000000ff\n");
    draws("<svg width='0' height='1'>" R "</svg><svg viewBox='0 0 0 1'>" R "</svg>", "");
    draws("<svg width='50%' height='50%'><rect width='50%' height='10%'/></svg>",
          "fill M0,0 L25,0 L25,5 L0,5 Z #000000ff\n");
}

static void uses_place_what_they_refer_to(void **state)
{
    (void)state;
    draws(
        "<defs><rect id='r' width='2' height='1'/></defs><use href='#r' x='3' y='4' fill='red'/>"
        "<use xlink:href='#r' transform='scale(2)'/><use href='#absent'/><use/>",
        "fill [1 0 0 1 3 4] " RM " #ff0000ff\nfill [2 0 0 2 0 0] " RM " #000000ff\n");
    draws("<symbol id='s' viewBox='0 0 10 10'>" R
          "</symbol>"
          "<use href='#s' x='5' width='20' height='20'/>",
          "fill [2 0 0 2 5 0] " RM " #000000ff\n");
    draws("<symbol id='s' viewBox='0 0 1 1'>" R "</symbol><use href='#s' width='20' height='20'/>",
          "clip {\nfill M0,0 L20,0 L20,20 L0,20 Z\nready\nfill [20 0 0 20 0 0] " RM
          " #000000ff\n} clip\n");
    draws("<svg width='0' height='0'><g id='g'>" R "</g></svg><use href='#g'/>",
          "fill " RM " #000000ff\n");
    draws("<defs><g id='a'>" R
          "</g><g id='b'><use href='#a'/><use href='#a'/></g></defs>"
          "<use href='#b'/>",
          "fill " RM " #000000ff\nfill " RM " #000000ff\n");
    draws(
        "<rect id='x' width='2' height='1'/><circle id='x' r='1'/><use href=' #x'/>"
        "<use href='#x' xlink:href='http://example.com/'/>",
        "fill " RM
        " #000000ff\n"
        "fill M1,0 C1,0.5523 0.5523,1 0,1 C-0.5523,1 -1,0.5523 -1,0 C-1,-0.5523 -0.5523,-1 0,-1 "
        "C0.5523,-1 1,-0.5523 1,0 Z #000000ff\nfill " RM " #000000ff\nfill " RM " #000000ff\n");
}

static void uses_share_geometry(void **state)
{
    scene s;
    (void)state;
    assert_int_equal(rig_parse(OPEN "<path id='p' d='M0 0L9 9L0 9'/><use href='#p' x='1'/>"
                                    "<use href='#p' x='2'/></svg>",
                               &s),
                     DP_OK);
    assert_int_equal(s.command_count, 3);
    assert_int_equal(s.header->sections[SCENE_PATHS].count, 1);
}

#define STOPS "<stop stop-color='red'/><stop offset='1' stop-color='blue' stop-opacity='.5'/>"
#define TWO   " 0:#ff0000ff 1:#0000ff80\n"

static void gradient_is(const char *gradient, const char *wanted)
{
    char content[1000], command[1000];
    snprintf(content, sizeof content, "%s<rect width='2' height='1' fill='url(#g) lime'/>",
             gradient);
    snprintf(command, sizeof command, "fill " RM "%s", wanted);
    draws(content, wanted[0] == '\0' ? "" : command);
}

static void gradients_are_placed(void **state)
{
    (void)state;
    gradient_is("<linearGradient id='g'>" STOPS "</linearGradient>",
                " linear(0 0 1 0) @[2 0 0 1 0 0]" TWO);
    gradient_is("<linearGradient id='g' gradientUnits='userSpaceOnUse' x1='1' y2='50%'>" STOPS
                "</linearGradient>",
                " linear(1 0 100 50)" TWO);
    gradient_is(
        "<linearGradient id='g' gradientTransform='rotate(90)' spreadMethod='reflect'>" STOPS
        "</linearGradient>",
        " linear(0 0 1 0) reflect @[0 1 -2 0 0 0]" TWO);
    gradient_is("<radialGradient id='g' spreadMethod='repeat'>" STOPS "</radialGradient>",
                " radial(0.5 0.5 0.5 0.5 0.5 0) repeat @[2 0 0 1 0 0]" TWO);
    gradient_is(
        "<radialGradient id='g' gradientUnits='userSpaceOnUse' cx='1' cy='2' r='3' fx='2' "
        "fr='.5'>" STOPS "</radialGradient>",
        " radial(1 2 3 2 2 0.5)" TWO);
}

static void gradients_take_from_others(void **state)
{
    (void)state;
    gradient_is("<linearGradient id='a'>" STOPS
                "</linearGradient>"
                "<linearGradient id='g' href='#a' x2='.5'/>",
                " linear(0 0 0.5 0) @[2 0 0 1 0 0]" TWO);
    gradient_is("<linearGradient id='a' x1='.25' x2='3' gradientUnits='userSpaceOnUse'>" STOPS
                "</linearGradient><linearGradient id='b' xlink:href='#a' y1='1'/>"
                "<linearGradient id='g' xlink:href='#b' x2='.5'/>",
                " linear(0.25 1 0.5 0)" TWO);
    gradient_is("<radialGradient id='a' cx='1' spreadMethod='reflect'>" STOPS
                "</radialGradient>"
                "<linearGradient id='g' href='#a'/>",
                " linear(0 0 1 0) reflect @[2 0 0 1 0 0]" TWO);
}

static void degenerate_gradients_are_plain_paints(void **state)
{
    (void)state;
    gradient_is("<linearGradient id='g'/>", "");
    gradient_is("<linearGradient id='g'><stop offset='.3' stop-color='red'/></linearGradient>",
                " #ff0000ff\n");
    gradient_is("<linearGradient id='g' x2='0'>" STOPS "</linearGradient>", " #0000ff80\n");
    gradient_is("<radialGradient id='g' r='0'>" STOPS "</radialGradient>", " #0000ff80\n");
    gradient_is("<linearGradient id='g' gradientTransform='scale(0)'>" STOPS "</linearGradient>",
                "");
    gradient_is("<linearGradient id='h'/>", " #00ff00ff\n");
    gradient_is("<circle id='g'/>", " #00ff00ff\n");
    draws("<linearGradient id='g'>" STOPS
          "</linearGradient><path d='M0 0H9' stroke='url(#g)' fill='none'/>"
          "<path d='M0 0H9' stroke='url(#g) lime' fill='none'/>",
          "stroke M0,0 L9,0 #00ff00ff width 1\n");
}

static void stops_never_go_back(void **state)
{
    (void)state;
    gradient_is(
        "<linearGradient id='g'><stop offset='50%' stop-color='red'/>"
        "<stop offset='.2' stop-color='lime'/><stop offset='7' stop-color='blue'/>"
        "<stop offset='-1' style='stop-color:currentColor;color:white'/></linearGradient>",
        " linear(0 0 1 0) @[2 0 0 1 0 0] 0.5:#ff0000ff 0.5:#00ff00ff 1:#0000ffff "
        "1:#ffffffff\n");
    gradient_is(
        "<style>.s{stop-color:red}</style><linearGradient id='g' color='blue'>"
        "<stop class='s'/><stop offset='1' stop-color='currentColor' stop-opacity='.5'/>"
        "</linearGradient>",
        " linear(0 0 1 0) @[2 0 0 1 0 0]" TWO);
}

/* Bounding boxes are of the curve, not of its control points. */
static void gradients_fit_the_box_of_the_curve(void **state)
{
    (void)state;
    draws("<linearGradient id='g'>" STOPS
          "</linearGradient>"
          "<path d='M0 0C0 4 4 4 4 0' fill='url(#g)'/><path d='M0 0Q2 4 4 0' fill='url(#g)'/>",
          "fill M0,0 C0,4 4,4 4,0 linear(0 0 1 0) @[4 0 0 3 0 0]" TWO
          "fill M0,0 Q2,4 4,0 linear(0 0 1 0) @[4 0 0 2 0 0]" TWO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presentation_attributes_are_inherited),
        cmocka_unit_test(styles_beat_attributes_and_sheets),
        cmocka_unit_test(selectors_match_what_they_say),
        cmocka_unit_test(the_more_specific_rule_wins_then_the_later),
        cmocka_unit_test(transforms_are_folded_into_one_matrix),
        cmocka_unit_test(what_is_not_displayed_is_not_drawn),
        cmocka_unit_test(what_is_none_of_ours_is_left_out),
        cmocka_unit_test(a_switch_shows_the_first_child_that_passes),
        cmocka_unit_test(strokes_keep_their_pens),
        cmocka_unit_test(paint_order_is_kept),
        cmocka_unit_test(opacity_is_folded_where_nothing_overlaps),
        cmocka_unit_test(blending_groups_are_isolated_by_what_clips_them),
        cmocka_unit_test(the_natural_size_is_found),
        cmocka_unit_test(the_view_box_is_fitted_as_asked),
        cmocka_unit_test(nested_viewports_move_scale_and_clip),
        cmocka_unit_test(uses_place_what_they_refer_to),
        cmocka_unit_test(uses_share_geometry),
        cmocka_unit_test(gradients_are_placed),
        cmocka_unit_test(gradients_take_from_others),
        cmocka_unit_test(degenerate_gradients_are_plain_paints),
        cmocka_unit_test(stops_never_go_back),
        cmocka_unit_test(gradients_fit_the_box_of_the_curve),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
