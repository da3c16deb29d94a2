/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor over the letters and numbers of path data.  Flags of arcs are single digits that need no
 * space behind them; a number may follow another without one, too (".5.5", "1-1").
 */
#include "render/svg/svg_path.h"

#include <math.h>

#include "render/svg/svg_number.h"

#define PI 3.14159265358979323846

typedef struct path_reader {
    scene_builder *builder;
    const char *at;
    double x, y;             /* where the pen is */
    double start_x, start_y; /* of the contour */
    double last_x, last_y;   /* the last control point, for S and T */
    char last;               /* the last command, as a capital letter */
} path_reader;

/* The angle from u to v. */
static double angle_between(double ux, double uy, double vx, double vy)
{
    return atan2(ux * vy - uy * vx, ux * vx + uy * vy);
}

/* What an arc is around its centre: appendix F.6.5 and F.6.6. */
typedef struct arc_centre {
    double cx, cy, rx, ry, cos_turn, sin_turn;
    double x, y; /* where it begins, on the unit circle */
    double sweep;
} arc_centre;

static void find_centre(const double from[2], const svg_arc *arc, arc_centre *out)
{
    const double turn = fmod(arc->turn_degrees, 360) * PI / 180;
    const double c = cos(turn), s = sin(turn);
    double rx = fabs(arc->rx), ry = fabs(arc->ry);
    const double dx = (from[0] - arc->x) / 2, dy = (from[1] - arc->y) / 2;
    const double x1 = c * dx + s * dy, y1 = -s * dx + c * dy;
    const double lambda = x1 * x1 / (rx * rx) + y1 * y1 / (ry * ry);
    if (lambda > 1) {
        rx *= sqrt(lambda);
        ry *= sqrt(lambda);
    }
    const double below = rx * rx * y1 * y1 + ry * ry * x1 * x1;
    double k = below > 0 ? sqrt(fmax(0, rx * rx * ry * ry / below - 1)) : 0;
    k = arc->large == arc->sweep ? -k : k;
    const double cx1 = k * rx * y1 / ry, cy1 = -k * ry * x1 / rx;
    const double ux = (x1 - cx1) / rx, uy = (y1 - cy1) / ry;
    const double vx = (-x1 - cx1) / rx, vy = (-y1 - cy1) / ry;
    double sweep = angle_between(ux, uy, vx, vy);
    if (arc->sweep && sweep < 0) {
        sweep += 2 * PI;
    } else if (!arc->sweep && sweep > 0) {
        sweep -= 2 * PI;
    }
    *out = (arc_centre){.cx = c * cx1 - s * cy1 + (from[0] + arc->x) / 2,
                        .cy = s * cx1 + c * cy1 + (from[1] + arc->y) / 2,
                        .rx = rx,
                        .ry = ry,
                        .cos_turn = c,
                        .sin_turn = s,
                        .x = ux,
                        .y = uy,
                        .sweep = sweep};
}

static void place(const arc_centre *a, double x, double y, double out[2])
{
    out[0] = a->cx + a->rx * x * a->cos_turn - a->ry * y * a->sin_turn;
    out[1] = a->cy + a->rx * x * a->sin_turn + a->ry * y * a->cos_turn;
}

void svg_path_arc(scene_builder *builder, const double from[2], const svg_arc *arc)
{
    arc_centre a;
    if (arc->rx == 0 || arc->ry == 0) {
        scene_path_line(builder, arc->x, arc->y);
        return;
    }
    if (from[0] == arc->x && from[1] == arc->y) {
        return;
    }
    find_centre(from, arc, &a);
    if (!isfinite(a.cx + a.cy + a.rx + a.ry + a.sweep)) {
        scene_path_line(builder, arc->x, arc->y);
        return;
    }
    /* A quarter is within 0.03 % of the radius; a hair more than one is no reason for two. */
    const int parts = (int)fmax(1, ceil(fabs(a.sweep) / (PI / 2 + 1e-3)));
    const double half = a.sweep / parts / 2;
    const double s = sin(half), c = cos(half);
    /* A part's turn, and 4/3 of the tangent of its quarter, by the sine and cosine of its half. */
    const double sin_step = 2 * s * c, cos_step = c * c - s * s, k = 4.0 / 3 * s / (1 + c);
    double x = a.x, y = a.y;
    for (int i = 0; i < parts; i++) {
        const double to_x = x * cos_step - y * sin_step, to_y = x * sin_step + y * cos_step;
        double p[6];
        place(&a, x - k * y, y + k * x, p);
        place(&a, to_x + k * to_y, to_y - k * to_x, p + 2);
        place(&a, to_x, to_y, p + 4);
        if (i + 1 == parts) {
            p[4] = arc->x;
            p[5] = arc->y;
        }
        scene_path_cubic(builder, p);
        x = to_x;
        y = to_y;
    }
}

static bool read_flag(const char **at, bool *out)
{
    const char *p = svg_skip_comma(*at);
    if (*p != '0' && *p != '1') {
        return false;
    }
    *out = *p == '1';
    *at = p + 1;
    return true;
}

static bool read_arc(path_reader *r, double ox, double oy)
{
    svg_arc arc;
    double v[3], to[2];
    const char *p = r->at;
    for (int i = 0; i < 3; i++) {
        p = svg_skip_comma(p);
        if (!svg_read_number(&p, &v[i])) {
            return false;
        }
    }
    if (!read_flag(&p, &arc.large) || !read_flag(&p, &arc.sweep)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        p = svg_skip_comma(p);
        if (!svg_read_number(&p, &to[i])) {
            return false;
        }
    }
    r->at = p;
    arc.rx = v[0];
    arc.ry = v[1];
    arc.turn_degrees = v[2];
    arc.x = ox + to[0];
    arc.y = oy + to[1];
    const double from[2] = {r->x, r->y};
    svg_path_arc(r->builder, from, &arc);
    r->x = arc.x;
    r->y = arc.y;
    return true;
}

/* Numbers that one round of a command takes; arcs are read by themselves. */
static int numbers_of(char command)
{
    switch (command) {
    case 'H':
    case 'V':
        return 1;
    case 'M':
    case 'L':
    case 'T':
        return 2;
    case 'S':
    case 'Q':
        return 4;
    default:
        return 6;
    }
}

static void pen_to(path_reader *r, double x, double y)
{
    r->x = x;
    r->y = y;
}

static void draw_line(path_reader *r, double x, double y)
{
    scene_path_line(r->builder, x, y);
    pen_to(r, x, y);
}

static void draw_cubic(path_reader *r, const double p[6])
{
    scene_path_cubic(r->builder, p);
    r->last_x = p[2];
    r->last_y = p[3];
    pen_to(r, p[4], p[5]);
}

static void draw_quad(path_reader *r, const double p[4])
{
    scene_path_quad(r->builder, p);
    r->last_x = p[0];
    r->last_y = p[1];
    pen_to(r, p[2], p[3]);
}

/* The last control point mirrored at the pen, if the last command was one of those. */
static void mirrored(const path_reader *r, char a, char b, double out[2])
{
    const bool smooth = r->last == a || r->last == b;
    out[0] = smooth ? 2 * r->x - r->last_x : r->x;
    out[1] = smooth ? 2 * r->y - r->last_y : r->y;
}

/* One round of a command whose numbers are read and absolute. */
static void draw(path_reader *r, char command, const double *v)
{
    double p[6];
    switch (command) {
    case 'M':
        scene_path_move(r->builder, v[0], v[1]);
        pen_to(r, v[0], v[1]);
        r->start_x = v[0];
        r->start_y = v[1];
        break;
    case 'L':
        draw_line(r, v[0], v[1]);
        break;
    case 'C':
        draw_cubic(r, v);
        break;
    case 'S':
        mirrored(r, 'C', 'S', p);
        for (int i = 0; i < 4; i++) {
            p[2 + i] = v[i];
        }
        draw_cubic(r, p);
        break;
    case 'Q':
        draw_quad(r, v);
        break;
    default: /* 'T' */
        mirrored(r, 'Q', 'T', p);
        p[2] = v[0];
        p[3] = v[1];
        draw_quad(r, p);
        break;
    }
}

/* One round; false at an error.  Lines along an axis are told from the others by their count. */
static bool read_round(path_reader *r, char command, bool relative)
{
    double v[6];
    const double ox = relative ? r->x : 0, oy = relative ? r->y : 0;
    if (command == 'A') {
        return read_arc(r, ox, oy);
    }
    const int count = numbers_of(command);
    const char *p = r->at;
    for (int i = 0; i < count; i++) {
        p = i == 0 ? p : svg_skip_comma(p);
        if (!svg_read_number(&p, &v[i])) {
            return false;
        }
    }
    r->at = p;
    if (command == 'H') {
        draw_line(r, ox + v[0], r->y);
    } else if (command == 'V') {
        draw_line(r, r->x, oy + v[0]);
    } else {
        for (int i = 0; i < count; i += 2) {
            v[i] += ox;
            v[i + 1] += oy;
        }
        draw(r, command, v);
    }
    return true;
}

static bool begins_number(char c)
{
    return svg_is_digit(c) || c == '.' || c == '-' || c == '+';
}

static bool is_command(char c)
{
    switch (c) {
    case 'M':
    case 'L':
    case 'H':
    case 'V':
    case 'C':
    case 'S':
    case 'Q':
    case 'T':
    case 'A':
    case 'Z':
        return true;
    default:
        return false;
    }
}

/* One command and all its rounds; false at an error. */
static bool read_command(path_reader *r, char letter)
{
    const bool relative = letter >= 'a';
    char command = relative ? (char)(letter - ('a' - 'A')) : letter;
    if (command == 'Z') {
        scene_path_close(r->builder);
        pen_to(r, r->start_x, r->start_y);
        r->last = 'Z';
        return true;
    }
    r->at = svg_skip_space(r->at);
    do {
        if (!read_round(r, command, relative)) {
            return false;
        }
        r->last = command;
        /* Further pairs behind a move are lines. */
        command = command == 'M' ? 'L' : command;
        const char *next = svg_skip_comma(r->at);
        if (!begins_number(*next)) {
            /* A comma may stand between numbers only. */
            const char *comma = svg_skip_space(r->at);
            r->at = comma;
            return *comma != ',';
        }
        r->at = next;
    } while (r->builder->job->status == DP_OK);
    return false;
}

uint32_t svg_path_read(scene_builder *builder, const char *data)
{
    path_reader r = {.builder = builder, .at = svg_skip_space(data)};
    bool good = *r.at == 'M' || *r.at == 'm';
    scene_path_begin(builder);
    while (good && *r.at != '\0') {
        const char letter = *r.at++;
        const char capital = letter >= 'a' ? (char)(letter - ('a' - 'A')) : letter;
        good = is_command(capital) && read_command(&r, letter);
        r.at = svg_skip_space(r.at);
    }
    return scene_path_end(builder);
}

uint32_t svg_points_read(scene_builder *builder, const char *data, bool closed)
{
    double v[2];
    bool first = true;
    const char *p = svg_skip_space(data);
    scene_path_begin(builder);
    while (svg_read_numbers(&p, v, 2) && builder->job->status == DP_OK) {
        if (first) {
            scene_path_move(builder, v[0], v[1]);
        } else {
            scene_path_line(builder, v[0], v[1]);
        }
        first = false;
    }
    if (closed && !first) {
        scene_path_close(builder);
    }
    return scene_path_end(builder);
}
