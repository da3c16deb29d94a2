/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers, lengths and lists of them as SVG writes them, in no locale.
 *
 * A cursor is a pointer into text that ends with NUL; readers move it behind what they took and
 * leave it alone when they take nothing.  Numbers are cut to +-1e15: what is larger has no use in a
 * picture, and products of a few of them stay finite.
 */
#ifndef DP_RENDER_SVG_NUMBER_H
#define DP_RENDER_SVG_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SVG_NUMBER_MAX 1e15

typedef enum svg_unit {
    SVG_UNIT_PX, /* or none */
    SVG_UNIT_PERCENT,
    SVG_UNIT_EM,
    SVG_UNIT_EX
} svg_unit;

/* Absolute units are px already. */
typedef struct svg_length {
    float value;
    uint8_t unit; /* svg_unit */
} svg_length;

/* What a percentage is of. */
typedef enum svg_axis { SVG_AXIS_X, SVG_AXIS_Y, SVG_AXIS_DIAGONAL } svg_axis;

/* What lengths are relative to. */
typedef struct svg_metrics {
    double width, height; /* of the viewport, user units */
    double font_size;
} svg_metrics;

static inline bool svg_is_space(char c)
{
    /* The first comparison answers for nearly all that is asked about. */
    return (unsigned char)c <= ' ' &&
           (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f');
}

static inline bool svg_is_digit(char c)
{
    return (unsigned)(c - '0') < 10u;
}

static inline const char *svg_skip_space(const char *at)
{
    while (svg_is_space(*at)) {
        at++;
    }
    return at;
}

/* Spaces and at most one comma. */
static inline const char *svg_skip_comma(const char *at)
{
    at = svg_skip_space(at);
    return *at == ',' ? svg_skip_space(at + 1) : at;
}

/* Numbers of any length, with exponents. */
bool svg_read_long_number(const char **at, double *out);

#define SVG_SHORT_DIGITS 9
/* 10^-n: a product with it is off by a last bit of a double. */
extern const double svg_number_shares[SVG_SHORT_DIGITS + 1];

/* Most numbers of a document have few digits, which fit one register. */
static inline bool svg_read_number(const char **at, double *out)
{
    const char *p = *at;
    const bool negative = *p == '-';
    uint32_t digits = 0;
    ptrdiff_t behind = 0;

    p += *p == '-' || *p == '+';
    const char *first = p;
    for (; svg_is_digit(*p); p++) {
        digits = digits * 10 + (uint32_t)(*p - '0');
    }
    ptrdiff_t count = p - first;
    if (*p == '.') {
        first = ++p;
        for (; svg_is_digit(*p); p++) {
            digits = digits * 10 + (uint32_t)(*p - '0');
        }
        behind = p - first;
        count += behind;
    }
    if (count == 0 || count > SVG_SHORT_DIGITS || (*p | 0x20) == 'e') {
        return svg_read_long_number(at, out);
    }
    /* Signs come as they like: no branch on them. */
    const int64_t whole = ((int64_t)digits ^ -(int64_t)negative) + negative;
    *out = (double)whole * svg_number_shares[behind];
    *at = p;
    return true;
}

bool svg_read_length(const char **at, svg_length *out);

/* `count` numbers with spaces or commas between; false unless all are there. */
bool svg_read_numbers(const char **at, double *out, size_t count);

/* The whole text, space around it aside, is one length. */
bool svg_parse_length(const char *text, svg_length *out);
/* A number or a percentage (50% = 0.5), cut to 0 .. 1. */
bool svg_parse_share(const char *text, float *out);

double svg_resolve(svg_length length, svg_axis axis, const svg_metrics *metrics);

#endif
