/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of elements, attributes and properties as small numbers.
 *
 * A property is an attribute that also stands in styles: one list serves both.
 */
#ifndef DP_RENDER_SVG_NAMES_H
#define DP_RENDER_SVG_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* X(enumerator, name) */
#define SVG_ELEMENT_LIST(X)                                                                        \
    X(A, "a")                                                                                      \
    X(CIRCLE, "circle")                                                                            \
    X(CLIP_PATH, "clipPath")                                                                       \
    X(DEFS, "defs")                                                                                \
    X(ELLIPSE, "ellipse")                                                                          \
    X(FE_BLEND, "feBlend")                                                                         \
    X(FE_COLOR_MATRIX, "feColorMatrix")                                                            \
    X(FE_COMPONENT_TRANSFER, "feComponentTransfer")                                                \
    X(FE_COMPOSITE, "feComposite")                                                                 \
    X(FE_CONVOLVE_MATRIX, "feConvolveMatrix")                                                      \
    X(FE_DIFFUSE_LIGHTING, "feDiffuseLighting")                                                    \
    X(FE_DISPLACEMENT_MAP, "feDisplacementMap")                                                    \
    X(FE_DROP_SHADOW, "feDropShadow")                                                              \
    X(FE_FLOOD, "feFlood")                                                                         \
    X(FE_FUNC_A, "feFuncA")                                                                        \
    X(FE_FUNC_B, "feFuncB")                                                                        \
    X(FE_FUNC_G, "feFuncG")                                                                        \
    X(FE_FUNC_R, "feFuncR")                                                                        \
    X(FE_GAUSSIAN_BLUR, "feGaussianBlur")                                                          \
    X(FE_IMAGE, "feImage")                                                                         \
    X(FE_MERGE, "feMerge")                                                                         \
    X(FE_MERGE_NODE, "feMergeNode")                                                                \
    X(FE_MORPHOLOGY, "feMorphology")                                                               \
    X(FE_OFFSET, "feOffset")                                                                       \
    X(FE_SPECULAR_LIGHTING, "feSpecularLighting")                                                  \
    X(FE_TILE, "feTile")                                                                           \
    X(FE_TURBULENCE, "feTurbulence")                                                               \
    X(FILTER, "filter")                                                                            \
    X(FOREIGN_OBJECT, "foreignObject")                                                             \
    X(G, "g")                                                                                      \
    X(IMAGE, "image")                                                                              \
    X(LINE, "line")                                                                                \
    X(LINEAR_GRADIENT, "linearGradient")                                                           \
    X(MARKER, "marker")                                                                            \
    X(MASK, "mask")                                                                                \
    X(PATH, "path")                                                                                \
    X(PATTERN, "pattern")                                                                          \
    X(POLYGON, "polygon")                                                                          \
    X(POLYLINE, "polyline")                                                                        \
    X(RADIAL_GRADIENT, "radialGradient")                                                           \
    X(RECT, "rect")                                                                                \
    X(STOP, "stop")                                                                                \
    X(STYLE, "style")                                                                              \
    X(SVG, "svg")                                                                                  \
    X(SWITCH, "switch")                                                                            \
    X(SYMBOL, "symbol")                                                                            \
    X(TEXT, "text")                                                                                \
    X(TSPAN, "tspan")                                                                              \
    X(TEXT_PATH, "textPath")                                                                       \
    X(TREF, "tref")                                                                                \
    X(USE, "use")

typedef enum svg_element_kind {
    SVG_EL_OTHER,
#define SVG_NAME_ENUM(id, name) SVG_EL_##id,
    SVG_ELEMENT_LIST(SVG_NAME_ENUM)
#undef SVG_NAME_ENUM
        SVG_EL_COUNT
} svg_element_kind;

#define SVG_ATTRIBUTE_LIST(ROW)                                                                    \
    ROW(CLASS, "class")                                                                            \
    ROW(CLIP_PATH_UNITS, "clipPathUnits")                                                          \
    ROW(CX, "cx")                                                                                  \
    ROW(CY, "cy")                                                                                  \
    ROW(D, "d")                                                                                    \
    ROW(DX, "dx")                                                                                  \
    ROW(DY, "dy")                                                                                  \
    ROW(FILTER_UNITS, "filterUnits")                                                               \
    ROW(FR, "fr")                                                                                  \
    ROW(FX, "fx")                                                                                  \
    ROW(FY, "fy")                                                                                  \
    ROW(GRADIENT_TRANSFORM, "gradientTransform")                                                   \
    ROW(GRADIENT_UNITS, "gradientUnits")                                                           \
    ROW(HEIGHT, "height")                                                                          \
    ROW(HREF, "href")                                                                              \
    ROW(ID, "id")                                                                                  \
    ROW(IN, "in")                                                                                  \
    ROW(IN2, "in2")                                                                                \
    ROW(INTERCEPT, "intercept")                                                                    \
    ROW(K1, "k1")                                                                                  \
    ROW(K2, "k2")                                                                                  \
    ROW(K3, "k3")                                                                                  \
    ROW(K4, "k4")                                                                                  \
    ROW(MASK_CONTENT_UNITS, "maskContentUnits")                                                    \
    ROW(MASK_UNITS, "maskUnits")                                                                   \
    ROW(MODE, "mode")                                                                              \
    ROW(OFFSET, "offset")                                                                          \
    ROW(OPERATOR, "operator")                                                                      \
    ROW(POINTS, "points")                                                                          \
    ROW(PRESERVE_ASPECT_RATIO, "preserveAspectRatio")                                              \
    ROW(PRIMITIVE_UNITS, "primitiveUnits")                                                         \
    ROW(R, "r")                                                                                    \
    ROW(REQUIRED_EXTENSIONS, "requiredExtensions")                                                 \
    ROW(RESULT, "result")                                                                          \
    ROW(RX, "rx")                                                                                  \
    ROW(RY, "ry")                                                                                  \
    ROW(SLOPE, "slope")                                                                            \
    ROW(SPREAD_METHOD, "spreadMethod")                                                             \
    ROW(STD_DEVIATION, "stdDeviation")                                                             \
    ROW(STYLE, "style")                                                                            \
    ROW(SYSTEM_LANGUAGE, "systemLanguage")                                                         \
    ROW(TABLE_VALUES, "tableValues")                                                               \
    ROW(TYPE, "type")                                                                              \
    ROW(VALUES, "values")                                                                          \
    ROW(VIEW_BOX, "viewBox")                                                                       \
    ROW(WIDTH, "width")                                                                            \
    ROW(X, "x")                                                                                    \
    ROW(X1, "x1")                                                                                  \
    ROW(X2, "x2")                                                                                  \
    ROW(Y, "y")                                                                                    \
    ROW(Y1, "y1")                                                                                  \
    ROW(Y2, "y2")                                                                                  \
    SVG_PROPERTY_LIST(ROW)

#define SVG_PROPERTY_LIST(ROW)                                                                     \
    ROW(CLIP_PATH, "clip-path")                                                                    \
    ROW(CLIP_RULE, "clip-rule")                                                                    \
    ROW(COLOR, "color")                                                                            \
    ROW(COLOR_INTERPOLATION_FILTERS, "color-interpolation-filters")                                \
    ROW(DISPLAY, "display")                                                                        \
    ROW(FILL, "fill")                                                                              \
    ROW(FILL_OPACITY, "fill-opacity")                                                              \
    ROW(FILL_RULE, "fill-rule")                                                                    \
    ROW(FILTER, "filter")                                                                          \
    ROW(FLOOD_COLOR, "flood-color")                                                                \
    ROW(FLOOD_OPACITY, "flood-opacity")                                                            \
    ROW(FONT_SIZE, "font-size")                                                                    \
    ROW(ISOLATION, "isolation")                                                                    \
    ROW(MARKER, "marker")                                                                          \
    ROW(MARKER_END, "marker-end")                                                                  \
    ROW(MARKER_MID, "marker-mid")                                                                  \
    ROW(MARKER_START, "marker-start")                                                              \
    ROW(MASK, "mask")                                                                              \
    ROW(MASK_TYPE, "mask-type")                                                                    \
    ROW(MIX_BLEND_MODE, "mix-blend-mode")                                                          \
    ROW(OPACITY, "opacity")                                                                        \
    ROW(OVERFLOW, "overflow")                                                                      \
    ROW(PAINT_ORDER, "paint-order")                                                                \
    ROW(STOP_COLOR, "stop-color")                                                                  \
    ROW(STOP_OPACITY, "stop-opacity")                                                              \
    ROW(STROKE, "stroke")                                                                          \
    ROW(STROKE_DASHARRAY, "stroke-dasharray")                                                      \
    ROW(STROKE_DASHOFFSET, "stroke-dashoffset")                                                    \
    ROW(STROKE_LINECAP, "stroke-linecap")                                                          \
    ROW(STROKE_LINEJOIN, "stroke-linejoin")                                                        \
    ROW(STROKE_MITERLIMIT, "stroke-miterlimit")                                                    \
    ROW(STROKE_OPACITY, "stroke-opacity")                                                          \
    ROW(STROKE_WIDTH, "stroke-width")                                                              \
    ROW(TRANSFORM, "transform")                                                                    \
    ROW(TRANSFORM_ORIGIN, "transform-origin")                                                      \
    ROW(VECTOR_EFFECT, "vector-effect")                                                            \
    ROW(VISIBILITY, "visibility")

/* Properties are the last of them, from SVG_AT_CLIP_PATH on. */
typedef enum svg_attribute_name {
    SVG_AT_OTHER,
#define SVG_NAME_ENUM(id, name) SVG_AT_##id,
    SVG_ATTRIBUTE_LIST(SVG_NAME_ENUM)
#undef SVG_NAME_ENUM
        SVG_AT_COUNT
} svg_attribute_name;

#define SVG_PROPERTY_FIRST SVG_AT_CLIP_PATH

#define SVG_ELEMENT_SLOTS   128u
#define SVG_ATTRIBUTE_SLOTS 256u

/* Open-addressed tables of the names, filled once. */
typedef struct svg_names {
    uint8_t elements[SVG_ELEMENT_SLOTS];
    uint8_t attributes[SVG_ATTRIBUTE_SLOTS];
} svg_names;

void svg_names_fill(svg_names *names);
/* SVG_EL_OTHER, SVG_AT_OTHER when the name is none of the list. */
svg_element_kind svg_element_of(const svg_names *names, const char *name, size_t length);
svg_attribute_name svg_attribute_of(const svg_names *names, const char *name, size_t length);

#endif
