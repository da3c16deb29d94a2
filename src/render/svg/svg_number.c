/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decimal of up to 19 digits is one integer and a power of ten: exact to the last bit of a double
 * but for very long ones, and far finer than the floats of a scene.  SVG 2, section 4.2 (numbers,
 * lengths); CSS Values 3, section 5.2 (96 px are an inch).
 */
#include "render/svg/svg_number.h"

#include <math.h>
#include <string.h>

const double svg_number_shares[SVG_SHORT_DIGITS + 1] = {1e0,  1e-1, 1e-2, 1e-3, 1e-4,
                                                        1e-5, 1e-6, 1e-7, 1e-8, 1e-9};

#define MANTISSA_MAX   (UINT64_MAX / 10 - 1)
#define POWER_MAX      22
#define EXPONENT_LIMIT 400

static const double powers[POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                             1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                             1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double scaled(uint64_t mantissa, int exponent)
{
    double value = (double)mantissa;
    while (exponent > POWER_MAX && value < SVG_NUMBER_MAX) {
        value *= powers[POWER_MAX];
        exponent -= POWER_MAX;
    }
    while (exponent < -POWER_MAX && value > 0) {
        value /= powers[POWER_MAX];
        exponent += POWER_MAX;
    }
    if (exponent > 0) {
        value *= powers[exponent < POWER_MAX ? exponent : POWER_MAX];
    } else if (exponent < 0) {
        value /= powers[exponent > -POWER_MAX ? -exponent : POWER_MAX];
    }
    return value < SVG_NUMBER_MAX ? value : SVG_NUMBER_MAX;
}

/* "e-5"; "em" and "ex" are units. */
static int read_exponent(const char **at)
{
    const char *p = *at;
    int exponent = 0;
    if (*p != 'e' && *p != 'E') {
        return 0;
    }
    p++;
    const bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    if (!svg_is_digit(*p)) {
        return 0;
    }
    for (; svg_is_digit(*p); p++) {
        exponent = exponent < EXPONENT_LIMIT ? exponent * 10 + (*p - '0') : exponent;
    }
    *at = p;
    return negative ? -exponent : exponent;
}

bool svg_read_long_number(const char **at, double *out)
{
    const char *p = *at;
    const bool negative = *p == '-';
    uint64_t mantissa = 0;
    int exponent = 0;

    p += *p == '-' || *p == '+';
    const char *digits = p;
    for (; svg_is_digit(*p); p++) {
        if (mantissa < MANTISSA_MAX) {
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
        } else if (exponent < EXPONENT_LIMIT) {
            exponent++;
        }
    }
    bool any = p != digits;
    if (*p == '.' && (any || svg_is_digit(p[1]))) {
        any = true;
        for (p++; svg_is_digit(*p); p++) {
            if (mantissa < MANTISSA_MAX) {
                mantissa = mantissa * 10 + (uint64_t)(*p - '0');
                exponent--;
            }
        }
    }
    if (!any) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        exponent += read_exponent(&p);
    }
    double value = (double)mantissa;
    if (exponent != 0 || value > SVG_NUMBER_MAX) {
        value = scaled(mantissa, exponent);
    }
    *out = negative ? -value : value;
    *at = p;
    return true;
}

bool svg_read_numbers(const char **at, double *out, size_t count)
{
    const char *p = svg_skip_space(*at);
    for (size_t i = 0; i < count; i++) {
        if (!svg_read_number(&p, &out[i])) {
            return false;
        }
        p = svg_skip_comma(p);
    }
    *at = p;
    return true;
}

static const struct {
    char name[3];
    uint8_t unit;
    double px;
} units[] = {
    {"px", SVG_UNIT_PX, 1},         {"em", SVG_UNIT_EM, 1},  {"ex", SVG_UNIT_EX, 1},
    {"pt", SVG_UNIT_PX, 96.0 / 72}, {"pc", SVG_UNIT_PX, 16}, {"mm", SVG_UNIT_PX, 96 / 25.4},
    {"cm", SVG_UNIT_PX, 96 / 2.54}, {"in", SVG_UNIT_PX, 96},
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool svg_read_length(const char **at, svg_length *out)
{
    double value;
    if (!svg_read_number(at, &value)) {
        return false;
    }
    *out = (svg_length){(float)value, SVG_UNIT_PX};
    const char *p = *at;
    if (*p == '%') {
        out->unit = SVG_UNIT_PERCENT;
        *at = p + 1;
        return true;
    }
    if (*p == '\0' || p[1] == '\0') {
        return true;
    }
    const char name[2] = {lower(p[0]), lower(p[1])};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (memcmp(name, units[i].name, sizeof name) == 0) {
            *out = (svg_length){(float)(value * units[i].px), units[i].unit};
            *at = p + 2;
            break;
        }
    }
    return true;
}

bool svg_parse_length(const char *text, svg_length *out)
{
    svg_length length;
    text = svg_skip_space(text);
    if (!svg_read_length(&text, &length) || *svg_skip_space(text) != '\0') {
        return false;
    }
    *out = length;
    return true;
}

bool svg_parse_share(const char *text, float *out)
{
    svg_length length;
    if (!svg_parse_length(text, &length) ||
        (length.unit != SVG_UNIT_PX && length.unit != SVG_UNIT_PERCENT)) {
        return false;
    }
    const float share = length.unit == SVG_UNIT_PERCENT ? length.value / 100 : length.value;
    *out = share < 0 ? 0 : (share > 1 ? 1 : share);
    return true;
}

double svg_resolve(svg_length length, svg_axis axis, const svg_metrics *metrics)
{
    const double value = (double)length.value;
    switch (length.unit) {
    case SVG_UNIT_PERCENT:
        if (axis == SVG_AXIS_X) {
            return value / 100 * metrics->width;
        }
        if (axis == SVG_AXIS_Y) {
            return value / 100 * metrics->height;
        }
        return value / 100 *
               sqrt((metrics->width * metrics->width + metrics->height * metrics->height) / 2);
    case SVG_UNIT_EM:
        return value * metrics->font_size;
    case SVG_UNIT_EX:
        return value * metrics->font_size / 2;
    default:
        return value;
    }
}
