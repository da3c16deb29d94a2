/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Affine arithmetic, and the `transform` lists of SVG 1.1, section 7.6.
 */
#include "render/svg/svg_matrix.h"

#include <math.h>
#include <string.h>

#include "render/svg/svg_number.h"

#define PI 3.14159265358979323846
/* A plane squeezed below this share of its longer axis is a line. */
#define FLAT 1e-12

svg_matrix svg_matrix_mul(const svg_matrix *outer, const svg_matrix *inner)
{
    const svg_matrix *o = outer, *i = inner;
    return (svg_matrix){.a = o->a * i->a + o->c * i->b,
                        .b = o->b * i->a + o->d * i->b,
                        .c = o->a * i->c + o->c * i->d,
                        .d = o->b * i->c + o->d * i->d,
                        .e = o->a * i->e + o->c * i->f + o->e,
                        .f = o->b * i->e + o->d * i->f + o->f};
}

static double largest(const svg_matrix *m)
{
    return fmax(fmax(fabs(m->a), fabs(m->b)), fmax(fabs(m->c), fabs(m->d)));
}

bool svg_matrix_usable(const svg_matrix *m)
{
    const double size = largest(m);
    const double determinant = m->a * m->d - m->b * m->c;
    /* Written so that a NaN is refused. */
    return size <= (double)SCENE_MATRIX_MAX && size >= 1e-12 &&
           fabs(m->e) <= (double)SCENE_MATRIX_MAX && fabs(m->f) <= (double)SCENE_MATRIX_MAX &&
           fabs(determinant) > FLAT * size * size;
}

bool svg_matrix_invert(const svg_matrix *m, svg_matrix *out)
{
    const double determinant = m->a * m->d - m->b * m->c;
    const double k = 1 / determinant;
    if (!(fabs(determinant) > 0) || !isfinite(k)) {
        return false;
    }
    const svg_matrix in = *m;
    *out = (svg_matrix){.a = in.d * k,
                        .b = -in.b * k,
                        .c = -in.c * k,
                        .d = in.a * k,
                        .e = (in.c * in.f - in.d * in.e) * k,
                        .f = (in.b * in.e - in.a * in.f) * k};
    return true;
}

scene_matrix svg_matrix_pack(const svg_matrix *m)
{
    return (scene_matrix){(float)m->a, (float)m->b, (float)m->c,
                          (float)m->d, (float)m->e, (float)m->f};
}

svg_matrix svg_matrix_of(const scene_matrix *m)
{
    return (svg_matrix){(double)m->a, (double)m->b, (double)m->c,
                        (double)m->d, (double)m->e, (double)m->f};
}

svg_matrix svg_matrix_of_box(const svg_box *box)
{
    return (svg_matrix){box->x1 - box->x0, 0, 0, box->y1 - box->y0, box->x0, box->y0};
}

svg_box svg_matrix_box(const svg_matrix *m, const svg_box *box)
{
    svg_box out = SVG_BOX_EMPTY;
    if (svg_box_is_empty(box)) {
        return out;
    }
    for (int corner = 0; corner < 4; corner++) {
        const double x = (corner & 1) != 0 ? box->x1 : box->x0;
        const double y = (corner & 2) != 0 ? box->y1 : box->y0;
        svg_box_add(&out, m->a * x + m->c * y + m->e, m->b * x + m->d * y + m->f);
    }
    return out;
}

#define ARGUMENTS_MAX 6

typedef enum transform_kind {
    TRANSFORM_MATRIX,
    TRANSFORM_TRANSLATE,
    TRANSFORM_TRANSLATE_X,
    TRANSFORM_TRANSLATE_Y,
    TRANSFORM_SCALE,
    TRANSFORM_SCALE_X,
    TRANSFORM_SCALE_Y,
    TRANSFORM_ROTATE,
    TRANSFORM_SKEW_X,
    TRANSFORM_SKEW_Y,
} transform_kind;

static const struct {
    char name[12];
    uint8_t kind, least, most;
} transforms[] = {
    {"matrix", TRANSFORM_MATRIX, 6, 6},
    {"translate", TRANSFORM_TRANSLATE, 1, 2},
    {"translateX", TRANSFORM_TRANSLATE_X, 1, 1},
    {"translateY", TRANSFORM_TRANSLATE_Y, 1, 1},
    {"scale", TRANSFORM_SCALE, 1, 2},
    {"scaleX", TRANSFORM_SCALE_X, 1, 1},
    {"scaleY", TRANSFORM_SCALE_Y, 1, 1},
    {"rotate", TRANSFORM_ROTATE, 1, 3},
    {"skewX", TRANSFORM_SKEW_X, 1, 1},
    {"skewY", TRANSFORM_SKEW_Y, 1, 1},
};

static svg_matrix rotation(const double *v, size_t count)
{
    const double angle = v[0] * PI / 180;
    const double s = sin(angle), c = cos(angle);
    svg_matrix m = {c, s, -s, c, 0, 0};
    if (count == 3) {
        m.e = v[1] - c * v[1] + s * v[2];
        m.f = v[2] - s * v[1] - c * v[2];
    }
    return m;
}

static svg_matrix made_of(transform_kind kind, const double *v, size_t count)
{
    switch (kind) {
    case TRANSFORM_MATRIX:
        return (svg_matrix){v[0], v[1], v[2], v[3], v[4], v[5]};
    case TRANSFORM_TRANSLATE:
        return (svg_matrix){1, 0, 0, 1, v[0], count > 1 ? v[1] : 0};
    case TRANSFORM_TRANSLATE_X:
        return (svg_matrix){1, 0, 0, 1, v[0], 0};
    case TRANSFORM_TRANSLATE_Y:
        return (svg_matrix){1, 0, 0, 1, 0, v[0]};
    case TRANSFORM_SCALE:
        return (svg_matrix){v[0], 0, 0, count > 1 ? v[1] : v[0], 0, 0};
    case TRANSFORM_SCALE_X:
        return (svg_matrix){v[0], 0, 0, 1, 0, 0};
    case TRANSFORM_SCALE_Y:
        return (svg_matrix){1, 0, 0, v[0], 0, 0};
    case TRANSFORM_SKEW_X:
        return (svg_matrix){1, 0, tan(v[0] * PI / 180), 1, 0, 0};
    case TRANSFORM_SKEW_Y:
        return (svg_matrix){1, tan(v[0] * PI / 180), 0, 1, 0, 0};
    default:
        return rotation(v, count);
    }
}

/* Arguments up to ")"; their number, or 0 when something is wrong. */
static size_t read_arguments(const char **at, double v[ARGUMENTS_MAX])
{
    size_t count = 0;
    const char *p = svg_skip_space(*at);
    while (*p != ')') {
        if (count == ARGUMENTS_MAX || !svg_read_number(&p, &v[count])) {
            return 0;
        }
        if (strncmp(p, "deg", 3) == 0) {
            p += 3;
        } else if (strncmp(p, "px", 2) == 0) {
            p += 2;
        }
        count++;
        p = svg_skip_comma(p);
    }
    *at = p + 1;
    return count;
}

static bool read_one(const char **at, svg_matrix *out)
{
    const char *p = *at;
    size_t length = 0;
    double v[ARGUMENTS_MAX] = {0};
    while ((p[length] >= 'a' && p[length] <= 'z') || (p[length] >= 'A' && p[length] <= 'Z')) {
        length++;
    }
    for (size_t i = 0; i < sizeof transforms / sizeof transforms[0]; i++) {
        if (length != strlen(transforms[i].name) || memcmp(p, transforms[i].name, length) != 0) {
            continue;
        }
        p = svg_skip_space(p + length);
        if (*p != '(') {
            return false;
        }
        p++;
        const size_t count = read_arguments(&p, v);
        const bool pair = transforms[i].kind == TRANSFORM_ROTATE && count == 2;
        if (count < transforms[i].least || count > transforms[i].most || pair) {
            return false;
        }
        *out = made_of((transform_kind)transforms[i].kind, v, count);
        *at = p;
        return true;
    }
    return false;
}

bool svg_parse_transform(const char *text, svg_matrix *out)
{
    svg_matrix product = *out;
    const char *p = svg_skip_space(text);
    if (strncmp(p, "none", 4) == 0) {
        return true;
    }
    while (*p != '\0') {
        svg_matrix one;
        if (!read_one(&p, &one)) {
            return false;
        }
        product = svg_matrix_mul(&product, &one);
        p = svg_skip_comma(p);
    }
    *out = product;
    return true;
}
