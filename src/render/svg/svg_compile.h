/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From elements to commands: what the files of the compiler share.
 *
 * The walk keeps its own stack of frames, one for each open element, clip path and mask: nothing
 * recurses on input.  An element's content is laid down first; what wraps it (filter, clip, mask,
 * group) is put around it when the element ends, because all of them may need its bounding box.
 * A shape that is not painted but belongs to somebody's box leaves an OP_BOX, which goes in the
 * end.
 */
#ifndef DP_RENDER_SVG_COMPILE_H
#define DP_RENDER_SVG_COMPILE_H

#include "render/svg/scene_builder.h"
#include "render/svg/svg_limits.h"
#include "render/svg/svg_style.h"

/* Path and matrix count for boxes and are not painted; only while a scene grows. */
#define SVG_OP_BOX ((uint8_t)SCENE_OP_COUNT)

typedef enum svg_frame_kind { SVG_FRAME_ELEMENT, SVG_FRAME_CLIP, SVG_FRAME_MASK } svg_frame_kind;

/* What is done with a frame next; the wraps are in the order in which they go around. */
typedef enum svg_phase {
    SVG_PHASE_CHILDREN,
    SVG_PHASE_SELF, /* nested viewport's clip; assembling a clip or a mask */
    SVG_PHASE_FILTER,
    SVG_PHASE_CLIP,
    SVG_PHASE_MASK,
    SVG_PHASE_GROUP,
    SVG_PHASE_DONE
} svg_phase;

typedef struct svg_frame {
    svg_element *element;
    svg_element *child; /* the next one to enter */
    svg_style style;
    svg_matrix outer;      /* user space of the element itself to root */
    svg_matrix matrix;     /* user space of its content to root */
    svg_metrics metrics;   /* of its content */
    svg_box viewport;      /* in outer space, where has_viewport */
    uint32_t matrix_index; /* of `matrix`, SCENE_NONE until it is needed */
    uint32_t range;        /* the first command of what the phases wrap */
    uint32_t first;        /* the first command of its own content */
    uint32_t blends;       /* made before it */
    uint8_t kind, phase;
    bool single;  /* only `child` is entered, not its siblings */
    bool in_clip; /* its shapes make a clip */
    bool has_viewport;
    bool measures; /* somebody will ask for its box */
    bool grouped;  /* the filter's group has its opacity and blending already */
} svg_frame;

typedef struct svg_compiler {
    svg_job *job;
    svg_document *document;
    svg_cascade cascade;
    scene_builder *builder;
    svg_frame *frames; /* SVG_FRAMES_MAX and one for leaves */
    uint32_t depth;
    uint32_t visits;
    uint32_t measuring;    /* frames that measure */
    uint32_t blends;       /* groups that blend */
    uint32_t filter_parts; /* of the whole document */
    double width, height;  /* natural size, 0 until it is known */
} svg_compiler;

/* Lays the whole document down; look at the job's status. */
void svg_compile(svg_compiler *c);

/* svg_compile.c */
uint32_t svg_frame_matrix(svg_compiler *c, svg_frame *f);
/* A new frame on top for `element`; NULL, and the job has failed, when it is open already or the
 * stack is full.  Pointers to frames stay good. */
svg_frame *svg_frame_push(svg_compiler *c, svg_element *element);
void svg_unsupported(svg_compiler *c, const char *what);
/* The element that "url(#id)" or "#id" leads to; NULL when there is none. */
svg_element *svg_find_url(svg_compiler *c, const char *value);
svg_element *svg_find_href(svg_compiler *c, const svg_element *element);

/* svg_draw.c: a leaf's commands. */
void svg_draw_shape(svg_compiler *c, svg_frame *f);

/* svg_paint.c: index of the paint, SCENE_NONE for none. */
uint32_t svg_paint_make(svg_compiler *c, svg_frame *f, const svg_paint *paint, uint32_t path);

/* svg_view.c */
bool svg_view_box_of(const svg_element *element, svg_box *out);
/* The matrix from the viewBox to `viewport`, with preserveAspectRatio. */
svg_matrix svg_view_matrix(const svg_element *element, const svg_box *view_box,
                           const svg_box *viewport);
/* Sets root's size and matrix; a nested viewport's; false when it shows nothing. */
bool svg_view_root(svg_compiler *c, svg_frame *f);
bool svg_view_nested(svg_frame *f, const svg_frame *parent, const svg_element *use);

/* svg_wrap.c: around the commands from f->range on. */
void svg_wrap_viewport(svg_compiler *c, svg_frame *f);
void svg_wrap_filter(svg_compiler *c, svg_frame *f);
void svg_wrap_group(svg_compiler *c, svg_frame *f);
/* These push the frame that makes the shapes or the picture, and end when it is popped. */
void svg_wrap_clip(svg_compiler *c, svg_frame *f);
void svg_wrap_mask(svg_compiler *c, svg_frame *f);
void svg_finish_clip(svg_compiler *c, svg_frame *f);
void svg_finish_mask(svg_compiler *c, svg_frame *f);
/* x, y, width, height of a mask or a filter; false when there is no such region. */
bool svg_region_of(const svg_element *element, bool of_box, const svg_box *box,
                   const svg_metrics *metrics, svg_box *out);
/* Takes OP_BOX out. */
void svg_drop_boxes(svg_compiler *c);

/* svg_measure.c */
/* The box of shapes from command `first` on, in the space that `matrix` leads out of. */
svg_box svg_range_box(svg_compiler *c, uint32_t first, const svg_matrix *matrix);
/* The same with room for strokes: nothing is painted outside. */
svg_box svg_range_ink(svg_compiler *c, uint32_t first, const svg_matrix *matrix);
/* Something from command `first` on is filtered, and reaches beyond its ink. */
bool svg_range_has_filters(const svg_compiler *c, uint32_t first);
/* Where the shapes of a clip or the picture of a mask that begins at `i` end. */
uint32_t svg_skip_to_ready(const svg_compiler *c, uint32_t i);

static inline bool svg_is_paint(const scene_command *command)
{
    return command->op == SCENE_FILL || command->op == SCENE_STROKE;
}

/* svg_filter.c: the filter's index; SCENE_NONE: the element is not shown. */
uint32_t svg_filter_make(svg_compiler *c, svg_frame *f, svg_element *filter, const svg_box *box);

#endif
