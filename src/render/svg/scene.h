/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenes: what the SVG front end makes of a document, and all that drawing needs of it.
 *
 *     bytes of an SVG --front end--> scene --outline, coarse pass--> plan --fine pass--> pixels
 *
 * A scene is one flat block: a header, then arrays found by offsets, so that it can be cached, sent
 * from another process, and drawn again at any size without a parser.  Styles are resolved, `use`
 * and `symbol` are expanded into commands (the geometry behind them is shared), percentages, units
 * and bounding boxes are numbers.  Curves stay curves and strokes stay strokes: how finely they are
 * cut depends on the size they are drawn at.
 *
 * Space.  The root's viewBox is already mapped onto the document's natural size: a scene fills
 * [0, width] x [0, height], and drawing it at W x H pixels scales by W / width and H / height.
 * A command's matrix leads from the path's own (local) space to that root space.
 *
 * Commands are a program for a stack machine, in paint order:
 *
 *     FILL, STROKE                     paint one path
 *     CLIP_BEGIN shapes CLIP_READY content CLIP_END
 *         The FILLs between BEGIN and READY are united (their paint is ignored) into a coverage
 * that multiplies the content's.  They may stand inside clips of their own (a child of clipPath
 *         with a clip-path); a clipPath's own clip-path is a CLIP around the whole CLIP's content.
 *     GROUP_BEGIN content GROUP_END
 *         Content is composited alone, filtered if `filter` is not SCENE_NONE, multiplied by
 *         opacity, and blended with what lies below.
 *     MASK_BEGIN picture MASK_READY content MASK_END
 *         The picture (its own group on transparent black) becomes a coverage, by luminance or by
 *         alpha; the content, a group too, is multiplied by it.
 *
 * They are balanced and at most SCENE_DEPTH_MAX deep.  A scene is hostile input until scene_open()
 * has looked at it: it comes out of a sandbox or out of a file.
 */
#ifndef DP_RENDER_SVG_SCENE_H
#define DP_RENDER_SVG_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#define SCENE_MAGIC     UINT32_C(0x4e435344) /* "DSCN" */
#define SCENE_VERSION   1u
#define SCENE_NONE      UINT32_MAX
#define SCENE_DEPTH_MAX 32u
#define SCENE_BYTES_MAX ((size_t)16 << 20)
/* Coordinates beyond it are refused or clamped by the front end: no float below loses whole pixels.
 */
#define SCENE_COORDINATE_MAX 1.0e6f

/* x' = a x + c y + e, y' = b x + d y + f. */
typedef struct scene_matrix {
    float a, b, c, d, e, f;
} scene_matrix;

typedef struct scene_point {
    float x, y;
} scene_point;

/* Empty when x1 < x0. */
typedef struct scene_box {
    float x0, y0, x1, y1;
} scene_box;

/* One byte each; the comment says how many points it takes.  A path begins with a MOVE. */
typedef enum scene_verb {
    SCENE_MOVE,  /* 1 */
    SCENE_LINE,  /* 1 */
    SCENE_QUAD,  /* 2 */
    SCENE_CUBIC, /* 3 */
    SCENE_CLOSE, /* 0: the next verb, if any, is a MOVE */
    SCENE_VERB_COUNT
} scene_verb;

typedef struct scene_path {
    uint32_t first_verb, verb_count;
    uint32_t first_point, point_count;
    scene_box bounds; /* of all its points, control points included */
} scene_path;

typedef enum scene_paint_kind { SCENE_SOLID, SCENE_LINEAR, SCENE_RADIAL } scene_paint_kind;
typedef enum scene_spread { SCENE_PAD, SCENE_REFLECT, SCENE_REPEAT } scene_spread;

/* Straight sRGB, r in the lowest byte, alpha in the highest. */
typedef uint32_t scene_rgba;

typedef struct scene_stop {
    float offset; /* 0 .. 1, never falling within one gradient */
    scene_rgba colour;
} scene_stop;

typedef struct scene_paint {
    uint32_t kind;   /* scene_paint_kind */
    uint32_t spread; /* scene_spread */
    scene_rgba colour;
    uint32_t first_stop, stop_count; /* gradients: at least two (fewer are a SOLID) */
    scene_matrix matrix;             /* gradient space -> local space of the painted path */
    float geometry[6];               /* LINEAR x1 y1 x2 y2; RADIAL cx cy r fx fy fr */
} scene_paint;

typedef enum scene_cap { SCENE_CAP_BUTT, SCENE_CAP_ROUND, SCENE_CAP_SQUARE } scene_cap;
typedef enum scene_join { SCENE_JOIN_MITER, SCENE_JOIN_ROUND, SCENE_JOIN_BEVEL } scene_join;

typedef struct scene_stroke {
    float width, miter_limit;
    float dash_offset;
    uint32_t cap, join;
    uint32_t first_dash, dash_count; /* 0: solid; else even, lengths >= 0, of a sum > 0 */
} scene_stroke;

typedef enum scene_rule { SCENE_NON_ZERO, SCENE_EVEN_ODD } scene_rule;

/* CSS compositing's names; what feBlend and mix-blend-mode share. */
typedef enum scene_blend {
    SCENE_BLEND_NORMAL,
    SCENE_BLEND_MULTIPLY,
    SCENE_BLEND_SCREEN,
    SCENE_BLEND_DARKEN,
    SCENE_BLEND_LIGHTEN,
    SCENE_BLEND_OVERLAY,
    SCENE_BLEND_COLOR_DODGE,
    SCENE_BLEND_COLOR_BURN,
    SCENE_BLEND_HARD_LIGHT,
    SCENE_BLEND_SOFT_LIGHT,
    SCENE_BLEND_DIFFERENCE,
    SCENE_BLEND_EXCLUSION,
    SCENE_BLEND_COUNT
} scene_blend;

typedef enum scene_op {
    SCENE_FILL,
    SCENE_STROKE,
    SCENE_CLIP_BEGIN,
    SCENE_CLIP_READY,
    SCENE_CLIP_END,
    SCENE_GROUP_BEGIN,
    SCENE_GROUP_END,
    SCENE_MASK_BEGIN,
    SCENE_MASK_READY,
    SCENE_MASK_END,
    SCENE_OP_COUNT
} scene_op;

/* Fields that an op does not name are 0 (indices: SCENE_NONE). */
typedef struct scene_command {
    uint8_t op;       /* scene_op */
    uint8_t rule;     /* FILL: scene_rule */
    uint8_t blend;    /* GROUP_BEGIN: scene_blend */
    uint8_t alpha;    /* MASK_BEGIN: 1 = by alpha, 0 = by luminance (of sRGB values) */
    uint32_t path;    /* FILL, STROKE */
    uint32_t matrix;  /* FILL, STROKE; GROUP_BEGIN with a filter: of the filtered element */
    uint32_t paint;   /* FILL (SCENE_NONE inside a clip's shapes), STROKE */
    uint32_t stroke;  /* STROKE */
    uint32_t filter;  /* GROUP_BEGIN, else SCENE_NONE */
    float opacity;    /* FILL, STROKE, GROUP_BEGIN: 0 .. 1 */
    uint32_t partner; /* BEGIN: index of its END; READY and END: index of their BEGIN */
} scene_command;

typedef enum scene_filter_op {
    SCENE_FE_FLOOD,        /* colour */
    SCENE_FE_COLOR_MATRIX, /* values[20], whatever type it was written as */
    SCENE_FE_OFFSET,       /* values[0 .. 1]: dx, dy */
    SCENE_FE_COMPOSITE,    /* mode; arithmetic: values[0 .. 3] = k1 .. k4 */
    SCENE_FE_BLUR,         /* values[0 .. 1]: deviations in x and y */
    SCENE_FE_BLEND,        /* mode: scene_blend */
    SCENE_FE_MERGE,        /* `input`, then `other` over it: a merge of n is n - 1 of these */
    SCENE_FE_COUNT
} scene_filter_op;

typedef enum scene_composite {
    SCENE_COMPOSITE_OVER,
    SCENE_COMPOSITE_IN,
    SCENE_COMPOSITE_OUT,
    SCENE_COMPOSITE_ATOP,
    SCENE_COMPOSITE_XOR,
    SCENE_COMPOSITE_ARITHMETIC,
    SCENE_COMPOSITE_COUNT
} scene_composite;

/* Inputs of a filter's parts: an earlier part's index within the filter, or one of these. */
#define SCENE_IN_GRAPHIC UINT32_C(0xfffffffe)
#define SCENE_IN_ALPHA   UINT32_C(0xfffffffd)

typedef struct scene_filter_part {
    uint32_t op; /* scene_filter_op */
    uint32_t mode;
    uint32_t input, other; /* SCENE_NONE where the op has none */
    scene_rgba colour;
    uint32_t linear;  /* 1: computed in linearRGB, 0: in sRGB */
    scene_box region; /* the part's subregion, in the filtered element's local space */
    float values[20]; /* lengths in local units */
} scene_filter_part;

typedef struct scene_filter {
    scene_box region; /* in the filtered element's local space */
    uint32_t first_part, part_count;
} scene_filter;

typedef struct scene_section {
    uint32_t offset_bytes, count;
} scene_section;

typedef enum scene_section_id {
    SCENE_VERBS,    /* uint8_t */
    SCENE_POINTS,   /* scene_point */
    SCENE_PATHS,    /* scene_path */
    SCENE_MATRICES, /* scene_matrix */
    SCENE_PAINTS,   /* scene_paint */
    SCENE_STOPS,    /* scene_stop */
    SCENE_STROKES,  /* scene_stroke */
    SCENE_DASHES,   /* float */
    SCENE_FILTERS,  /* scene_filter */
    SCENE_PARTS,    /* scene_filter_part */
    SCENE_COMMANDS, /* scene_command */
    SCENE_SECTION_COUNT
} scene_section_id;

typedef struct scene_header {
    uint32_t magic, version;
    uint32_t size_bytes;
    float width, height; /* natural size in pixels, > 0 */
    scene_section sections[SCENE_SECTION_COUNT];
} scene_header;

/* A scene that has been looked at; points into bytes that stay the caller's. */
typedef struct scene {
    const scene_header *header;
    const uint8_t *verbs;
    const scene_point *points;
    const scene_path *paths;
    const scene_matrix *matrices;
    const scene_paint *paints;
    const scene_stop *stops;
    const scene_stroke *strokes;
    const float *dashes;
    const scene_filter *filters;
    const scene_filter_part *parts;
    const scene_command *commands;
    uint32_t command_count;
} scene;

/*
 * Checks every offset, count, index, enumerator, balance and number (finite, within its range) of
 * `bytes`, which are aligned to 8, and gives the pointers.  What passes can be drawn without a
 * further look.  DP_ERR_CORRUPT otherwise.  O(size).  The bytes must not change afterwards: where
 * somebody else could still write to them, copy them first.
 */
dp_status scene_open(const void *bytes, size_t size_bytes, scene *out);

#endif
