/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path data and basic shapes, and where a path in error ends.
 */
#include "svg_rig.h"

static void path_is(const char *data, const char *wanted)
{
    char content[2000], command[2000];
    snprintf(content, sizeof content, "<path d='%s'/>", data);
    snprintf(command, sizeof command, "fill %s #000000ff\n", wanted);
    draws(content, wanted[0] == '\0' ? "" : command);
}

static void all_commands_are_drawn(void **state)
{
    (void)state;
    path_is("M1 2L3 4H5V6Z", "M1,2 L3,4 L5,4 L5,6 Z");
    path_is("m1 2l3 4h5v6z", "M1,2 L4,6 L9,6 L9,12 Z");
    path_is("M1 2 3 4 5 6", "M1,2 L3,4 L5,6");
    path_is("m1 2 3 4 5 6", "M1,2 L4,6 L9,12");
    path_is("M0 0C1 2 3 4 5 6S7 8 9 10", "M0,0 C1,2 3,4 5,6 C7,8 7,8 9,10");
    path_is("M0 0c1 2 3 4 5 6s7 8 9 10", "M0,0 C1,2 3,4 5,6 C7,8 12,14 14,16");
    path_is("M0 0S7 8 9 10", "M0,0 C0,0 7,8 9,10");
    path_is("M0 0Q1 2 3 4T5 6T7 8", "M0,0 Q1,2 3,4 Q5,6 5,6 Q5,6 7,8");
    path_is("M0 0q1 2 3 4t5 6", "M0,0 Q1,2 3,4 Q5,6 8,10");
    path_is("M0 0L1 1T5 6", "M0,0 L1,1 Q1,1 5,6");
    path_is("M0 0C1 2 3 4 5 6T7 8", "M0,0 C1,2 3,4 5,6 Q5,6 7,8");
    path_is("M0 0h1 2 3", "M0,0 L1,0 L3,0 L6,0");
}

static void contours_go_on_where_they_began(void **state)
{
    (void)state;
    path_is("M1 1H5V5ZL9 9", "M1,1 L5,1 L5,5 Z M1,1 L9,9");
    path_is("m1 1h5v5zm1 1h1", "M1,1 L6,1 L6,6 Z M2,2 L3,2");
    path_is("M1 1H2ZZ", "M1,1 L2,1 Z");
    path_is("M1 1 M2 2 L3 3", "M2,2 L3,3");
    path_is("M1 1 L2 2 M3 3", "M1,1 L2,2");
    path_is("M1 1", "");
    path_is("M1 1z", "M1,1 Z");
}

static void numbers_need_no_spaces(void **state)
{
    (void)state;
    path_is("M.5.5-1-1", "M0.5,0.5 L-1,-1");
    path_is("M1e1,2e-1L-.5-.5", "M10,0.2 L-0.5,-0.5");
    path_is(" M 1 , 2\n\t3\r4 ", "M1,2 L3,4");
    path_is("M0 0a5 5 0 0110 0", "M0,0 C0,-2.7614 2.2386,-5 5,-5 C7.7614,-5 10,-2.7614 10,0");
    path_is("M0 0a5 5 0 01 10 0", "M0,0 C0,-2.7614 2.2386,-5 5,-5 C7.7614,-5 10,-2.7614 10,0");
    path_is("M0 0a5,5,0,0,1,10,0", "M0,0 C0,-2.7614 2.2386,-5 5,-5 C7.7614,-5 10,-2.7614 10,0");
    path_is("M0 0a5 5 0 00.5.5.5 5 0 1 1 0 0", "M0,0 C0.1547,0.1783 0.3217,0.3453 0.5,0.5");
}

static void arcs_end_exactly_and_degenerate_to_lines(void **state)
{
    (void)state;
    path_is("M0 0A0 5 0 0 1 10 0", "M0,0 L10,0");
    path_is("M0 0A5 0 0 0 1 10 0", "M0,0 L10,0");
    path_is("M3 3A5 5 0 0 1 3 3L4 4", "M3,3 L4,4");
    /* Radii that do not reach grow until they do. */
    path_is("M0 0A1 1 0 0 1 10 0", "M0,0 C0,-2.7614 2.2386,-5 5,-5 C7.7614,-5 10,-2.7614 10,0");
    path_is("M0 0A-5 -5 0 0 0 10 0", "M0,0 C0,2.7614 2.2386,5 5,5 C7.7614,5 10,2.7614 10,0");
}

static void a_path_is_drawn_up_to_its_first_error(void **state)
{
    (void)state;
    path_is("L1 1", "");
    path_is("", "");
    path_is("1 2 3", "");
    path_is("M1 1L2 2L3", "M1,1 L2,2");
    path_is("M1 1L2 2X3 3L4 4", "M1,1 L2,2");
    path_is("M1 1L2 2,L3 3", "M1,1 L2,2");
    path_is("M1 1L2 2 3 3,", "M1,1 L2,2 L3,3");
    path_is("M1 1L2 2 3", "M1,1 L2,2");
    path_is("M1 1L2,,2", "");
    path_is("M1 1L2 2A5 5 0 2 1 3 3L9 9", "M1,1 L2,2");
    path_is("M1 1L2 2 nan 3", "M1,1 L2,2");
    path_is("M1 1 L inf 3", "");
    path_is("M1 1L2 2z3 3", "M1,1 L2,2 Z");
    path_is("M1 1C1 2 3 4 5 6 7 8 9 10 11", "M1,1 C1,2 3,4 5,6");
}

static void huge_coordinates_are_cut(void **state)
{
    (void)state;
    path_is("M1e38 -1e38L1e999 0", "M1e+06,-1e+06 L1e+06,0");
}

static void basic_shapes_are_paths(void **state)
{
    (void)state;
    draws("<rect x='1' y='2' width='3' height='4'/>", "fill M1,2 L4,2 L4,6 L1,6 Z #000000ff\n");
    draws("<rect width='10' height='20' rx='1'/>",
          "fill M1,0 L9,0 C9.5523,0 10,0.4477 10,1 L10,19 C10,19.5523 9.5523,20 9,20 L1,20 "
          "C0.4477,20 0,19.5523 0,19 L0,1 C0,0.4477 0.4477,0 1,0 Z #000000ff\n");
    draws("<rect width='10' height='4' rx='99' ry='1'/>",
          "fill M5,0 L5,0 C7.7614,0 10,0.4477 10,1 L10,3 C10,3.5523 7.7614,4 5,4 L5,4 "
          "C2.2386,4 0,3.5523 0,3 L0,1 C0,0.4477 2.2386,0 5,0 Z #000000ff\n");
    draws("<circle cx='5' cy='5' r='5'/>",
          "fill M10,5 C10,7.7614 7.7614,10 5,10 C2.2386,10 0,7.7614 0,5 C0,2.2386 2.2386,0 5,0 "
          "C7.7614,0 10,2.2386 10,5 Z #000000ff\n");
    draws("<ellipse rx='2' ry='1'/>",
          "fill M2,0 C2,0.5523 1.1046,1 0,1 C-1.1046,1 -2,0.5523 -2,0 C-2,-0.5523 -1.1046,-1 0,-1 "
          "C1.1046,-1 2,-0.5523 2,0 Z #000000ff\n");
    draws("<line x1='1' x2='3' y2='4' stroke='red'/>", "stroke M1,0 L3,4 #ff0000ff width 1\n");
    draws("<polyline points='1,2 3 4,5-6'/>", "fill M1,2 L3,4 L5,-6 #000000ff\n");
    draws("<polygon points='1,2 3 4,5-6 7'/>", "fill M1,2 L3,4 L5,-6 Z #000000ff\n");
    draws("<rect x='10%' width='1em' height='1cm' font-size='12'/>",
          "fill M10,0 L22,0 L22,37.7953 L10,37.7953 Z #000000ff\n");
}

static void shapes_without_extent_draw_nothing(void **state)
{
    (void)state;
    draws(
        "<rect width='0' height='4'/><rect width='4'/><rect width='-1' height='1'/>"
        "<circle r='0'/><circle r='-1'/><ellipse rx='1' ry='0'/><ellipse/><line/>"
        "<polyline points=''/><polygon/><path/><rect width='a' height='b'/>",
        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_commands_are_drawn),
        cmocka_unit_test(contours_go_on_where_they_began),
        cmocka_unit_test(numbers_need_no_spaces),
        cmocka_unit_test(arcs_end_exactly_and_degenerate_to_lines),
        cmocka_unit_test(a_path_is_drawn_up_to_its_first_error),
        cmocka_unit_test(huge_coordinates_are_cut),
        cmocka_unit_test(basic_shapes_are_paths),
        cmocka_unit_test(shapes_without_extent_draw_nothing),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
