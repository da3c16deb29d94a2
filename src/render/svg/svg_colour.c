/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSS Color 4, sections 4 to 6 and 12: what SVG documents use of it, all in sRGB.
 */
#include "render/svg/svg_colour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "render/svg/svg_number.h"

#define NAME_BYTES_MAX 21

/* In alphabetical order, for bsearch(). */
typedef struct colour_name {
    char name[NAME_BYTES_MAX];
    uint32_t rgb;
} colour_name;

static const colour_name names[] = {
    {"aliceblue", 0xf0f8ff},
    {"antiquewhite", 0xfaebd7},
    {"aqua", 0x00ffff},
    {"aquamarine", 0x7fffd4},
    {"azure", 0xf0ffff},
    {"beige", 0xf5f5dc},
    {"bisque", 0xffe4c4},
    {"black", 0x000000},
    {"blanchedalmond", 0xffebcd},
    {"blue", 0x0000ff},
    {"blueviolet", 0x8a2be2},
    {"brown", 0xa52a2a},
    {"burlywood", 0xdeb887},
    {"cadetblue", 0x5f9ea0},
    {"chartreuse", 0x7fff00},
    {"chocolate", 0xd2691e},
    {"coral", 0xff7f50},
    {"cornflowerblue", 0x6495ed},
    {"cornsilk", 0xfff8dc},
    {"crimson", 0xdc143c},
    {"cyan", 0x00ffff},
    {"darkblue", 0x00008b},
    {"darkcyan", 0x008b8b},
    {"darkgoldenrod", 0xb8860b},
    {"darkgray", 0xa9a9a9},
    {"darkgreen", 0x006400},
    {"darkgrey", 0xa9a9a9},
    {"darkkhaki", 0xbdb76b},
    {"darkmagenta", 0x8b008b},
    {"darkolivegreen", 0x556b2f},
    {"darkorange", 0xff8c00},
    {"darkorchid", 0x9932cc},
    {"darkred", 0x8b0000},
    {"darksalmon", 0xe9967a},
    {"darkseagreen", 0x8fbc8f},
    {"darkslateblue", 0x483d8b},
    {"darkslategray", 0x2f4f4f},
    {"darkslategrey", 0x2f4f4f},
    {"darkturquoise", 0x00ced1},
    {"darkviolet", 0x9400d3},
    {"deeppink", 0xff1493},
    {"deepskyblue", 0x00bfff},
    {"dimgray", 0x696969},
    {"dimgrey", 0x696969},
    {"dodgerblue", 0x1e90ff},
    {"firebrick", 0xb22222},
    {"floralwhite", 0xfffaf0},
    {"forestgreen", 0x228b22},
    {"fuchsia", 0xff00ff},
    {"gainsboro", 0xdcdcdc},
    {"ghostwhite", 0xf8f8ff},
    {"gold", 0xffd700},
    {"goldenrod", 0xdaa520},
    {"gray", 0x808080},
    {"green", 0x008000},
    {"greenyellow", 0xadff2f},
    {"grey", 0x808080},
    {"honeydew", 0xf0fff0},
    {"hotpink", 0xff69b4},
    {"indianred", 0xcd5c5c},
    {"indigo", 0x4b0082},
    {"ivory", 0xfffff0},
    {"khaki", 0xf0e68c},
    {"lavender", 0xe6e6fa},
    {"lavenderblush", 0xfff0f5},
    {"lawngreen", 0x7cfc00},
    {"lemonchiffon", 0xfffacd},
    {"lightblue", 0xadd8e6},
    {"lightcoral", 0xf08080},
    {"lightcyan", 0xe0ffff},
    {"lightgoldenrodyellow", 0xfafad2},
    {"lightgray", 0xd3d3d3},
    {"lightgreen", 0x90ee90},
    {"lightgrey", 0xd3d3d3},
    {"lightpink", 0xffb6c1},
    {"lightsalmon", 0xffa07a},
    {"lightseagreen", 0x20b2aa},
    {"lightskyblue", 0x87cefa},
    {"lightslategray", 0x778899},
    {"lightslategrey", 0x778899},
    {"lightsteelblue", 0xb0c4de},
    {"lightyellow", 0xffffe0},
    {"lime", 0x00ff00},
    {"limegreen", 0x32cd32},
    {"linen", 0xfaf0e6},
    {"magenta", 0xff00ff},
    {"maroon", 0x800000},
    {"mediumaquamarine", 0x66cdaa},
    {"mediumblue", 0x0000cd},
    {"mediumorchid", 0xba55d3},
    {"mediumpurple", 0x9370db},
    {"mediumseagreen", 0x3cb371},
    {"mediumslateblue", 0x7b68ee},
    {"mediumspringgreen", 0x00fa9a},
    {"mediumturquoise", 0x48d1cc},
    {"mediumvioletred", 0xc71585},
    {"midnightblue", 0x191970},
    {"mintcream", 0xf5fffa},
    {"mistyrose", 0xffe4e1},
    {"moccasin", 0xffe4b5},
    {"navajowhite", 0xffdead},
    {"navy", 0x000080},
    {"oldlace", 0xfdf5e6},
    {"olive", 0x808000},
    {"olivedrab", 0x6b8e23},
    {"orange", 0xffa500},
    {"orangered", 0xff4500},
    {"orchid", 0xda70d6},
    {"palegoldenrod", 0xeee8aa},
    {"palegreen", 0x98fb98},
    {"paleturquoise", 0xafeeee},
    {"palevioletred", 0xdb7093},
    {"papayawhip", 0xffefd5},
    {"peachpuff", 0xffdab9},
    {"peru", 0xcd853f},
    {"pink", 0xffc0cb},
    {"plum", 0xdda0dd},
    {"powderblue", 0xb0e0e6},
    {"purple", 0x800080},
    {"rebeccapurple", 0x663399},
    {"red", 0xff0000},
    {"rosybrown", 0xbc8f8f},
    {"royalblue", 0x4169e1},
    {"saddlebrown", 0x8b4513},
    {"salmon", 0xfa8072},
    {"sandybrown", 0xf4a460},
    {"seagreen", 0x2e8b57},
    {"seashell", 0xfff5ee},
    {"sienna", 0xa0522d},
    {"silver", 0xc0c0c0},
    {"skyblue", 0x87ceeb},
    {"slateblue", 0x6a5acd},
    {"slategray", 0x708090},
    {"slategrey", 0x708090},
    {"snow", 0xfffafa},
    {"springgreen", 0x00ff7f},
    {"steelblue", 0x4682b4},
    {"tan", 0xd2b48c},
    {"teal", 0x008080},
    {"thistle", 0xd8bfd8},
    {"tomato", 0xff6347},
    {"turquoise", 0x40e0d0},
    {"violet", 0xee82ee},
    {"wheat", 0xf5deb3},
    {"white", 0xffffff},
    {"whitesmoke", 0xf5f5f5},
    {"yellow", 0xffff00},
    {"yellowgreen", 0x9acd32},
};

static scene_rgba pack(const double rgb[3], double alpha)
{
    scene_rgba out = 0;
    for (int i = 0; i < 4; i++) {
        const double value = i < 3 ? rgb[i] : alpha * 255;
        const double cut = value > 0 ? (value < 255 ? value : 255) : 0;
        out |= (scene_rgba)(cut + 0.5) << (8 * i);
    }
    return out;
}

static scene_rgba from_rgb(uint32_t rgb)
{
    return (rgb >> 16 & 0xffu) | (rgb & 0xff00u) | (rgb & 0xffu) << 16 | SVG_BLACK;
}

static int compare_name(const void *key, const void *row)
{
    return strcmp(key, ((const colour_name *)row)->name);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The word at the cursor in small letters, cut to what a name can be; returns its length. */
static size_t read_word(const char *at, char out[NAME_BYTES_MAX])
{
    size_t length = 0;
    for (char c = lower(at[length]); c >= 'a' && c <= 'z'; c = lower(at[length])) {
        if (length + 1 == NAME_BYTES_MAX) {
            return 0;
        }
        out[length++] = c;
    }
    out[length] = '\0';
    return length;
}

static int hex_value(char c)
{
    if (svg_is_digit(c)) {
        return c - '0';
    }
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char **at, scene_rgba *out)
{
    uint32_t digits[8];
    size_t count = 0;
    const char *p = *at + 1;
    for (; count < 8 && hex_value(p[count]) >= 0; count++) {
        digits[count] = (uint32_t)hex_value(p[count]);
    }
    if (hex_value(p[count]) >= 0) {
        return false;
    }
    scene_rgba colour = SVG_BLACK;
    if (count == 3 || count == 4) {
        for (size_t i = 0; i < count; i++) {
            colour &= ~(UINT32_C(0xff) << (8 * i));
            colour |= digits[i] * 17u << (8 * i);
        }
    } else if (count == 6 || count == 8) {
        for (size_t i = 0; i < count / 2; i++) {
            colour &= ~(UINT32_C(0xff) << (8 * i));
            colour |= (digits[2 * i] << 4 | digits[2 * i + 1]) << (8 * i);
        }
    } else {
        return false;
    }
    *at = p + count;
    *out = colour;
    return true;
}

/* One argument: a number in `scale` units to the whole, or a percentage of it. */
static bool read_part(const char **at, double whole, double *out, bool *percent)
{
    const char *p = svg_skip_space(*at);
    if (!svg_read_number(&p, out)) {
        return false;
    }
    *percent = *p == '%';
    if (*percent) {
        *out = *out / 100 * whole;
        p++;
    }
    *at = p;
    return true;
}

/* Degrees to parts of a turn. */
static bool read_hue(const char **at, double *out)
{
    static const struct {
        char unit[5];
        double turns;
    } angles[] = {
        {"deg", 1.0 / 360}, {"grad", 1.0 / 400}, {"rad", 0.15915494309189535}, {"turn", 1}};
    const char *p = svg_skip_space(*at);
    double turns = 1.0 / 360;
    if (!svg_read_number(&p, out)) {
        return false;
    }
    for (size_t i = 0; i < sizeof angles / sizeof angles[0]; i++) {
        const size_t length = strlen(angles[i].unit);
        if (strncmp(p, angles[i].unit, length) == 0) {
            turns = angles[i].turns;
            p += length;
            break;
        }
    }
    *out *= turns;
    *out -= floor(*out);
    *at = p;
    return true;
}

/* CSS Color 4, section 7.1: hue in turns, saturation and lightness in 0 .. 1. */
static void hsl_to_rgb(double hue, double saturation, double lightness, double rgb[3])
{
    saturation = saturation < 0 ? 0 : (saturation > 1 ? 1 : saturation);
    lightness = lightness < 0 ? 0 : (lightness > 1 ? 1 : lightness);
    const double a = saturation * (lightness < 0.5 ? lightness : 1 - lightness);
    static const double offsets[3] = {0, 8, 4};
    for (int i = 0; i < 3; i++) {
        const double k = fmod(offsets[i] + hue * 12, 12);
        const double step = fmax(-1, fmin(fmin(k - 3, 9 - k), 1));
        rgb[i] = 255 * (lightness - a * step);
    }
}

/* Behind "(": three arguments and an alpha, with commas, or with spaces and a slash. */
static bool read_arguments(const char **at, bool hsl, scene_rgba *out)
{
    double rgb[3], alpha = 1;
    bool percent;
    const char *p = *at;
    for (int i = 0; i < 3; i++) {
        p = i == 0 ? p : svg_skip_comma(p);
        const bool good =
            hsl && i == 0 ? read_hue(&p, &rgb[0]) : read_part(&p, hsl ? 1 : 255, &rgb[i], &percent);
        if (!good) {
            return false;
        }
        if (hsl && i > 0 && !percent) {
            rgb[i] /= 100;
        }
    }
    p = svg_skip_space(p);
    if (*p == ',' || *p == '/') {
        p++;
        if (!read_part(&p, 1, &alpha, &percent)) {
            return false;
        }
        p = svg_skip_space(p);
    }
    if (*p != ')') {
        return false;
    }
    if (hsl) {
        hsl_to_rgb(rgb[0], rgb[1], rgb[2], rgb);
    }
    *at = p + 1;
    *out = pack(rgb, alpha);
    return true;
}

bool svg_read_colour(const char **at, scene_rgba *out)
{
    char word[NAME_BYTES_MAX];
    if (**at == '#') {
        return read_hex(at, out);
    }
    const size_t length = read_word(*at, word);
    const char *p = *at + length;
    if (length == 0) {
        return false;
    }
    if (*p == '(') {
        const bool hsl = strcmp(word, "hsl") == 0 || strcmp(word, "hsla") == 0;
        if (!hsl && strcmp(word, "rgb") != 0 && strcmp(word, "rgba") != 0) {
            return false;
        }
        p++;
        if (!read_arguments(&p, hsl, out)) {
            return false;
        }
        *at = p;
        return true;
    }
    if (strcmp(word, "transparent") == 0) {
        *out = 0;
        *at = p;
        return true;
    }
    const colour_name *found =
        bsearch(word, names, sizeof names / sizeof names[0], sizeof names[0], compare_name);
    if (found == NULL) {
        return false;
    }
    *out = from_rgb(found->rgb);
    *at = p;
    return true;
}

scene_rgba svg_colour_fade(scene_rgba colour, float share)
{
    const uint32_t alpha = (uint32_t)((float)(colour >> 24) * share + 0.5f);
    return (colour & 0xffffffu) | alpha << 24;
}
