/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of one resized pixel, the same on both backends to the last bit: integers only.
 *
 *     (Y, Cb, Cr -->) sRGB byte --table--> 14-bit linear light --x alpha--> premultiplied
 *         --row weights, rounded to int16--> --column weights--> un-premultiplied --search--> sRGB
 * byte
 *
 * Light and alpha are 14-bit (RESIZE_ONE = 1.0) in an int16_t: that leaves a factor of two for the
 * overshoot of Lanczos lobes, and lets a CPU multiply eight of them at once.  A step of the darkest
 * sRGB codes is still five steps of 14-bit light, so every code survives the way there and back.
 * Weights have RESIZE_WEIGHT_BITS fraction bits and sum to exactly 1, so flat areas stay what they
 * are. A 32-bit sum cannot overflow: |weights| of Lanczos-3 sum to less than 2, so |sum| < 2 * 2^14
 * * 2^15.
 *
 * The tables follow IEC 61966-2-1 (sRGB); tests/test_resize.c computes them again.
 */
#ifndef DP_RESIZE_MATH_H
#define DP_RESIZE_MATH_H

#include "kernels/dp_kernel.h"

#define RESIZE_ONE         16383
#define RESIZE_WEIGHT_BITS 14

/* clang-format off */
/* [code] = the code's linear light, rounded. */
DP_TABLE int16_t resize_linear_of_code[256] = {
    0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 66, 72, 78, 85, 92, 99, 107, 115, 123, 131,
    140, 150, 159, 169, 180, 190, 201, 213, 224, 237, 249, 262, 275, 289, 303, 318, 332, 348, 363,
    379, 396, 413, 430, 448, 466, 484, 503, 523, 542, 563, 583, 604, 626, 648, 670, 693, 717, 740,
    765, 789, 814, 840, 866, 893, 920, 947, 975, 1003, 1032, 1062, 1092, 1122, 1153, 1184, 1216,
    1248, 1281, 1314, 1348, 1382, 1417, 1452, 1488, 1525, 1561, 1599, 1637, 1675, 1714, 1753, 1793,
    1834, 1875, 1916, 1958, 2001, 2044, 2088, 2132, 2177, 2222, 2268, 2314, 2361, 2409, 2457, 2505,
    2555, 2604, 2655, 2705, 2757, 2809, 2861, 2914, 2968, 3022, 3077, 3132, 3188, 3245, 3302, 3360,
    3418, 3477, 3536, 3596, 3657, 3718, 3780, 3843, 3906, 3969, 4034, 4098, 4164, 4230, 4296, 4364,
    4432, 4500, 4569, 4639, 4709, 4780, 4852, 4924, 4997, 5070, 5144, 5219, 5294, 5370, 5447, 5524,
    5602, 5680, 5759, 5839, 5919, 6000, 6082, 6164, 6247, 6331, 6415, 6500, 6586, 6672, 6759, 6846,
    6934, 7023, 7113, 7203, 7294, 7385, 7477, 7570, 7664, 7758, 7853, 7948, 8044, 8141, 8239, 8337,
    8436, 8535, 8636, 8737, 8838, 8941, 9044, 9147, 9252, 9357, 9463, 9569, 9676, 9784, 9893, 10002,
    10112, 10222, 10334, 10446, 10559, 10672, 10786, 10901, 11017, 11133, 11250, 11368, 11486,
    11605, 11725, 11846, 11967, 12089, 12212, 12335, 12460, 12585, 12710, 12837, 12964, 13092,
    13220, 13350, 13480, 13611, 13742, 13874, 14007, 14141, 14276, 14411, 14547, 14684, 14821,
    14959, 15098, 15238, 15378, 15520, 15662, 15804, 15948, 16092, 16237, 16383,
};

/* [code] = the smallest linear light that rounds to a code above it; the last is never reached. */
DP_TABLE int16_t resize_code_ends[256] = {
    3, 8, 13, 18, 23, 28, 33, 38, 43, 48, 53, 58, 64, 69, 76, 82, 89, 96, 103, 111, 119, 128, 136,
    145, 155, 165, 175, 185, 196, 207, 219, 231, 243, 256, 269, 283, 297, 311, 325, 340, 356, 372,
    388, 405, 422, 439, 457, 475, 494, 513, 533, 553, 573, 594, 616, 637, 660, 682, 705, 729, 753,
    777, 802, 828, 853, 880, 906, 934, 961, 990, 1018, 1047, 1077, 1107, 1138, 1169, 1200, 1232,
    1265, 1298, 1332, 1366, 1400, 1435, 1471, 1507, 1543, 1581, 1618, 1656, 1695, 1734, 1774, 1814,
    1855, 1896, 1938, 1980, 2023, 2066, 2110, 2155, 2200, 2245, 2292, 2338, 2385, 2433, 2482, 2530,
    2580, 2630, 2680, 2731, 2783, 2835, 2888, 2942, 2996, 3050, 3105, 3161, 3217, 3274, 3331, 3389,
    3448, 3507, 3567, 3627, 3688, 3750, 3812, 3875, 3938, 4002, 4066, 4131, 4197, 4264, 4331, 4398,
    4466, 4535, 4604, 4674, 4745, 4816, 4888, 4961, 5034, 5107, 5182, 5257, 5332, 5409, 5486, 5563,
    5641, 5720, 5799, 5880, 5960, 6042, 6124, 6206, 6289, 6373, 6458, 6543, 6629, 6716, 6803, 6891,
    6979, 7068, 7158, 7249, 7340, 7432, 7524, 7617, 7711, 7806, 7901, 7997, 8093, 8190, 8288, 8387,
    8486, 8586, 8687, 8788, 8890, 8993, 9096, 9200, 9305, 9410, 9516, 9623, 9730, 9839, 9948, 10057,
    10167, 10278, 10390, 10503, 10616, 10729, 10844, 10959, 11075, 11192, 11309, 11427, 11546,
    11666, 11786, 11907, 12029, 12151, 12274, 12398, 12523, 12648, 12774, 12901, 13028, 13156,
    13285, 13415, 13546, 13677, 13809, 13941, 14075, 14209, 14344, 14479, 14616, 14753, 14891,
    15029, 15169, 15309, 15450, 15591, 15733, 15877, 16020, 16165, 16311, 32767,
};
/* clang-format on */

DP_FN int32_t resize_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : (value > high ? high : value);
}

/*
 * JFIF's way back from Y, Cb and Cr (ITU-R BT.601, full range), in 16-bit fractions as libjpeg does
 * it; `chroma` is Cr for red, Cb for blue.
 */
DP_FN uint32_t resize_red_of(uint32_t luma, uint32_t chroma)
{
    const int32_t offset = (91881 * ((int32_t)chroma - 128) + 32768) >> 16;
    return (uint32_t)resize_clamp((int32_t)luma + offset, 0, 255);
}

DP_FN uint32_t resize_green_of(uint32_t luma, uint32_t cb, uint32_t cr)
{
    const int32_t offset =
        (-22554 * ((int32_t)cb - 128) - 46802 * ((int32_t)cr - 128) + 32768) >> 16;
    return (uint32_t)resize_clamp((int32_t)luma + offset, 0, 255);
}

DP_FN uint32_t resize_blue_of(uint32_t luma, uint32_t chroma)
{
    const int32_t offset = (116130 * ((int32_t)chroma - 128) + 32768) >> 16;
    return (uint32_t)resize_clamp((int32_t)luma + offset, 0, 255);
}

/* An 8-bit alpha as 14 bits; 255 becomes exactly RESIZE_ONE. */
DP_FN int32_t resize_alpha_of_byte(uint32_t alpha)
{
    return (int32_t)((alpha * (uint32_t)RESIZE_ONE + 127u) / 255u);
}

/* Light times 8-bit alpha; an alpha of 255 leaves it alone. */
DP_FN int32_t resize_premultiply(int32_t linear, uint32_t alpha)
{
    return (int32_t)(((uint32_t)linear * alpha + 127u) / 255u);
}

/*
 * A weighted sum back to light, rounded half up and saturated.  The shift of a negative number is
 * arithmetic in every compiler we build with; resize_cpu.c asserts it at compile time.
 */
DP_FN int32_t resize_narrow(int32_t sum)
{
    return resize_clamp((sum + (1 << (RESIZE_WEIGHT_BITS - 1))) >> RESIZE_WEIGHT_BITS, -32768,
                        32767);
}

/* The sRGB code that is nearest (in sRGB's own steps) to a light of 0 .. RESIZE_ONE. */
DP_FN uint32_t resize_code_of_linear(int32_t linear)
{
    uint32_t code = 0;
    for (uint32_t step = 128; step != 0; step >>= 1) {
        code += linear >= resize_code_ends[code + step - 1] ? step : 0u;
    }
    return code;
}

/*
 * One finished pixel: premultiplied light and alpha, overshoot included, to straight light of
 * 0 .. RESIZE_ONE in out[0 .. 2] (still to be looked up as codes) and an alpha byte in out[3].
 * Light above its alpha cannot be shown and is clamped; alpha 0 gives four zeros.
 */
DP_FN void resize_finish(const int32_t light[4], int32_t out[4])
{
    const int32_t cover = resize_clamp(light[3], 0, RESIZE_ONE);

    out[3] = (int32_t)(((uint32_t)cover * 255u + RESIZE_ONE / 2u) / RESIZE_ONE);
    for (int i = 0; i < 3; i++) {
        int32_t value = resize_clamp(light[i], 0, cover);
        if (cover != RESIZE_ONE && out[3] != 0) {
            value = (value * RESIZE_ONE + cover / 2) / cover;
        }
        out[i] = out[3] == 0 ? 0 : value;
    }
}

#endif
