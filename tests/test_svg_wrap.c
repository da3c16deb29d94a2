/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is put around content: clips, masks, filters, and their order.
 */
#include "svg_rig.h"

#define R                         "<rect width='2' height='1'/>"
#define RM                        "M0,0 L2,0 L2,1 L0,1 Z"
#define F                         "fill " RM " #000000ff\n"
#define C                         "<path d='M0 0L9 0L0 9'/>"
#define CM                        "M0,0 L9,0 L0,9"
#define CLIP(attributes, content) "<clipPath id='c' " attributes ">" content "</clipPath>"
#define MASK(attributes, content) "<mask id='m' " attributes ">" content "</mask>"
#define USE(what)                 "<rect width='2' height='1' " what "/>"

static void a_clip_holds_its_shapes_before_what_it_clips(void **state)
{
    (void)state;
    draws(CLIP("", C) USE("clip-path='url(#c)'"), "clip {\nfill " CM "\nready\n" F "} clip\n");
    draws(CLIP("",
               C "<g>" C
                 "</g><path d='M1 1L2 2L3 1' clip-rule='evenodd'/>") "<g clip-path='url(#c)'>" R R
                                                                     "</g>",
          "clip {\nfill " CM "\nfill evenodd M1,1 L2,2 L3,1\nready\n" F F "} clip\n");
    draws(CLIP("transform='scale(2)'", C) "<g transform='translate(5 0)' clip-path='url(#c)'>" R
                                          "</g>",
          "clip {\nfill [2 0 0 2 5 0] " CM "\nready\nfill [1 0 0 1 5 0] " RM
          " #000000ff\n} clip\n");
    draws(CLIP("", "<use href='#p' x='1'/>") "<defs><path id='p' d='M0 0L9 0L0 9'/></defs>" USE(
              "clip-path='url(#c)'"),
          "clip {\nfill [1 0 0 1 1 0] " CM "\nready\n" F "} clip\n");
    draws(CLIP("", "<use href='#u' x='1'/>") "<defs><path id='p' d='M0 0L9 0L0 9'/>"
                                             "<use id='u' y='1' href='#p'/></defs>" USE(
                                                 "clip-path='url(#c)'"),
          "clip {\nfill [1 0 0 1 1 1] " CM "\nready\n" F "} clip\n");
}

static void a_clip_of_the_box_is_measured(void **state)
{
    (void)state;
    draws(CLIP("clipPathUnits='objectBoundingBox'", "<path d='M0 0L1 0L0 1'/>")
              "<g transform='scale(2)' clip-path='url(#c)'><rect x='1' y='1' width='2' height='3'/>"
              "<rect x='5' width='5' height='1' fill='none'/></g>",
          "clip {\nfill [18 0 0 8 2 0] M0,0 L1,0 L0,1\nready\n"
          "fill [2 0 0 2 0 0] M1,1 L3,1 L3,4 L1,4 Z #000000ff\n} clip\n");
}

static void clips_nest_in_all_ways(void **state)
{
    (void)state;
    /* A child with a clip, a clip path with one, content with one. */
    draws("<clipPath id='d'><path d='M1 1L2 2L3 1'/></clipPath>" CLIP(
              "", "<path d='M0 0L9 0L0 9' clip-path='url(#d)'/>") USE("clip-path='url(#c)'"),
          "clip {\nclip {\nfill M1,1 L2,2 L3,1\nready\nfill " CM "\n} clip\nready\n" F "} clip\n");
    draws("<clipPath id='d'><path d='M1 1L2 2L3 1'/></clipPath>" CLIP("clip-path='url(#d)'", C)
              USE("clip-path='url(#c)'"),
          "clip {\nfill M1,1 L2,2 L3,1\nready\nclip {\nfill " CM "\nready\n" F "} clip\n} clip\n");
    draws("<clipPath id='d'><path d='M1 1L2 2L3 1'/></clipPath>" CLIP(
              "", C) "<g clip-path='url(#d)'>" USE("clip-path='url(#c)'") "</g>",
          "clip {\nfill M1,1 L2,2 L3,1\nready\nclip {\nfill " CM "\nready\n" F "} clip\n} clip\n");
}

static void clips_that_cut_nothing_are_left_out(void **state)
{
    (void)state;
    draws(CLIP("", "<rect width='100' height='100'/>") "<g clip-path='url(#c)'>" R "</g>", F);
    draws(CLIP("", "<rect width='3' height='3'/>") USE("clip-path='url(#c)'"), F);
    draws(CLIP("", "<rect width='1' height='3'/>") USE("clip-path='url(#c)'"),
          "clip {\nfill M0,0 L1,0 L1,3 L0,3 Z\nready\n" F "} clip\n");
    /* The pen is as wide as what the page cuts off. */
    draws(CLIP("", "<rect width='2' height='1'/>")
              USE("clip-path='url(#c)' stroke='red' fill='none'"),
          "clip {\nfill " RM "\nready\nstroke " RM " #ff0000ff width 1\n} clip\n");
}

static void clips_without_shapes_hide_everything(void **state)
{
    (void)state;
    draws(CLIP("", "") USE("clip-path='url(#c)'"), "");
    draws(CLIP("", "<path d='M0 0L9 0L0 9' visibility='hidden'/>") USE("clip-path='url(#c)'"), "");
    draws(CLIP("", "<path d='M0 0L9 0L0 9' display='none'/>") USE("clip-path='url(#c)'"), "");
    draws(USE("clip-path='url(#absent)'"), F);
    draws("<rect id='c'/>" USE("clip-path='url(#c)'"), F);
    draws(CLIP("clipPathUnits='objectBoundingBox'", C) "<g clip-path='url(#c)'/>", "");
}

static void a_mask_holds_its_picture_before_what_it_masks(void **state)
{
    (void)state;
    draws(MASK("maskUnits='userSpaceOnUse' x='0' y='0' width='50' height='50'",
               "<path d='M0 0L9 0L0 9' fill='white'/>") "<g mask='url(#m)'>" R R "</g>",
          "mask {\nfill " CM " #ffffffff\nready\n" F F "} mask\n");
    draws(MASK("style='mask-type:alpha'", "<path d='M0 0L9 0L0 9' fill='white'/>")
              USE("mask='url(#m)'"),
          "mask { alpha\nclip {\nfill M-0.2,-0.1 L2.2,-0.1 L2.2,1.1 L-0.2,1.1 Z\nready\n"
          "fill " CM " #ffffffff\n} clip\nready\n" F "} mask\n");
    draws(MASK("maskContentUnits='objectBoundingBox'", "<path d='M0 0L1 0L0 1' fill='white'/>")
              USE("mask='url(#m)'"),
          "mask {\nfill [2 0 0 1 0 0] M0,0 L1,0 L0,1 #ffffffff\nready\n" F "} mask\n");
    draws(MASK("", "") USE("mask='url(#m)'"), "");
    draws(MASK("width='0'", C) USE("mask='url(#m)'"), "");
    draws(USE("mask='url(#absent)'"), F);
}

static void the_order_is_filter_clip_mask_opacity(void **state)
{
    (void)state;
    draws(CLIP("", C) MASK("maskUnits='userSpaceOnUse' x='0' y='0' width='50' height='50'", C)
          "<filter id='f' filterUnits='userSpaceOnUse' x='0' y='0' width='9' height='9' "
          "color-interpolation-filters='sRGB'><feOffset dx='1'/></filter>"
          "<g clip-path='url(#c)' mask='url(#m)' filter='url(#f)' opacity='.5'>" R "</g>",
          "group { x0.5\nmask {\nfill " CM " #000000ff\nready\nclip {\nfill " CM "\nready\n"
          "group { filter (0 0 9 9)\n  0 = offset graphic [1 0]\n" F
          "} group\n} clip\n} mask\n} group\n");
    draws(
        "<filter id='f' filterUnits='userSpaceOnUse' x='0' y='0' width='9' height='9'>"
        "<feOffset dx='1'/></filter><g filter='url(#f)' opacity='.5'>" R "</g>",
        "group { filter (0 0 9 9)\n  0 = offset graphic [1 0] linear x0.5\n" F "} group\n");
}

static void filter_is(const char *attributes, const char *content, const char *wanted)
{
    char text[3000], command[3000];
    snprintf(text, sizeof text, "<filter id='f' %s>%s</filter>" USE("filter='url(#f)'"), attributes,
             content);
    snprintf(command, sizeof command, "group { filter (0 0 9 9)%s\n" F "} group\n", wanted);
    draws(text, command);
}

#define SRGB                                                                                       \
    "filterUnits='userSpaceOnUse' x='0' y='0' width='9' height='9' "                               \
    "color-interpolation-filters='sRGB'"

static void primitives_become_parts(void **state)
{
    (void)state;
    filter_is(SRGB, "<feGaussianBlur stdDeviation='1 2'/>", "\n  0 = blur graphic [1 2]");
    filter_is(SRGB, "<feGaussianBlur in='SourceAlpha' stdDeviation='1'/>",
              "\n  0 = blur alpha [1 1]");
    filter_is(SRGB, "<feFlood flood-color='red' flood-opacity='.5'/>", "\n  0 = flood #ff000080");
    filter_is(
        SRGB,
        "<feFlood result='a'/><feOffset in='SourceGraphic' dx='1' dy='2' result='b'/>"
        "<feComposite in='a' in2='b' operator='in'/><feBlend in2='SourceGraphic' mode='multiply'/>",
        "\n  0 = flood #000000ff\n  1 = offset graphic [1 2]\n  2 = composite 0 1 mode 1"
        "\n  3 = blend 2 graphic mode 1");
    filter_is(SRGB, "<feComposite in2='SourceAlpha' operator='arithmetic' k2='-1' k3='1'/>",
              "\n  0 = composite graphic alpha mode 5 [0 -1 1 0]");
    filter_is(
        SRGB,
        "<feOffset result='o'/><feMerge><feMergeNode in='o'/><feMergeNode in='SourceGraphic'/>"
        "<feMergeNode/></feMerge>",
        "\n  0 = offset graphic [0 0]\n  1 = merge 0 graphic\n  2 = merge 1 0");
    filter_is(SRGB, "<feMerge/>", "\n  0 = flood #00000000");
    filter_is(SRGB, "<feDropShadow dx='3' dy='4' stdDeviation='2' flood-color='blue'/>",
              "\n  0 = blur graphic [2 2]\n  1 = offset 0 [3 4]\n  2 = flood #0000ffff"
              "\n  3 = composite 2 1 mode 1\n  4 = merge 3 graphic");
    filter_is(SRGB, "<feOffset in='unknown' dx='1'/>", "\n  0 = offset graphic [1 0]");
}

static void colour_matrices_of_all_types_are_written_out(void **state)
{
    (void)state;
    filter_is(SRGB, "<feColorMatrix values='0 0 0 0 .1 0 0 0 0 .2 0 0 0 0 .3 0 0 0 1 0'/>",
              "\n  0 = matrix graphic [0 0 0 0 0.1 0 0 0 0 0.2 0 0 0 0 0.3 0 0 0 1 0]");
    filter_is(SRGB, "<feColorMatrix type='saturate' values='1'/>",
              "\n  0 = matrix graphic [1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 0 0 0 1 0]");
    filter_is(SRGB, "<feColorMatrix type='hueRotate' values='0'/>",
              "\n  0 = matrix graphic [1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 0 0 0 1 0]");
    filter_is(SRGB, "<feColorMatrix type='luminanceToAlpha'/>",
              "\n  0 = matrix graphic [0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0.2125 0.7154 0.0721 0 0]");
    filter_is(SRGB, "<feColorMatrix values='1 2 3'/>",
              "\n  0 = matrix graphic [1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 0 0 0 1 0]");
    filter_is(SRGB,
              "<feComponentTransfer><feFuncA type='linear' slope='.5'/>"
              "<feFuncR type='table' tableValues='.2 1'/><feFuncG "
              "type='identity'/></feComponentTransfer>",
              "\n  0 = matrix graphic [0.8 0 0 0 0.2 0 1 0 0 0 0 0 1 0 0 0 0 0 0.5 0]");
}

static void regions_are_of_the_box_or_of_the_user(void **state)
{
    (void)state;
    draws("<filter id='f'><feOffset/></filter>" USE("filter='url(#f)'"),
          "group { filter (-0.2 -0.1 2.2 1.1)\n  0 = offset graphic [0 0] linear\n" F "} group\n");
    draws(
        "<filter id='f' primitiveUnits='objectBoundingBox'><feOffset dx='.5' dy='.5' x='.5' "
        "width='.5'/></filter>" USE("transform='scale(3)' filter='url(#f)'"),
        "group { [3 0 0 3 0 0] filter (-0.2 -0.1 2.2 1.1)\n"
        "  0 = offset graphic [1 0.5] linear (1 -0.1 2 1.1)\n"
        "fill [3 0 0 3 0 0] " RM " #000000ff\n} group\n");
    draws("<filter id='f' " SRGB
          "><feOffset x='1' y='2' width='3' height='4'/></filter>" USE("filter='url(#f)'"),
          "group { filter (0 0 9 9)\n  0 = offset graphic [0 0] (1 2 4 6)\n" F "} group\n");
}

static void filters_without_parts_hide_their_element(void **state)
{
    (void)state;
    draws("<filter id='f'/>" USE("filter='url(#f)'"), "");
    draws("<filter id='f' width='0'><feFlood/></filter>" USE("filter='url(#f)'"), "");
    draws(USE("filter='url(#absent)'"), F);
    draws("<filter id='f' " SRGB "><feFlood/></filter><g filter='url(#f)'/>",
          "group { filter (0 0 9 9)\n  0 = flood #000000ff\n} group\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clip_holds_its_shapes_before_what_it_clips),
        cmocka_unit_test(a_clip_of_the_box_is_measured),
        cmocka_unit_test(clips_nest_in_all_ways),
        cmocka_unit_test(clips_that_cut_nothing_are_left_out),
        cmocka_unit_test(clips_without_shapes_hide_everything),
        cmocka_unit_test(a_mask_holds_its_picture_before_what_it_masks),
        cmocka_unit_test(the_order_is_filter_clip_mask_opacity),
        cmocka_unit_test(primitives_become_parts),
        cmocka_unit_test(colour_matrices_of_all_types_are_written_out),
        cmocka_unit_test(regions_are_of_the_box_or_of_the_user),
        cmocka_unit_test(filters_without_parts_hide_their_element),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
