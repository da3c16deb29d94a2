/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scene of one path, built verb by verb, and random ones.  For tests.
 */
#ifndef DP_TESTS_PATH_MAKE_H
#define DP_TESTS_PATH_MAKE_H

#include <stdint.h>

#include "render/svg/scene.h"

#define PATH_VERBS_MAX 4096

typedef struct path_make {
    uint8_t verbs[PATH_VERBS_MAX];
    scene_point points[3 * PATH_VERBS_MAX];
    float dashes[16];
    scene scene;
    scene_path path;
} path_make;

/* Begins again with nothing. */
void path_clear(path_make *m);
void path_move(path_make *m, float x, float y);
void path_line(path_make *m, float x, float y);
void path_quad(path_make *m, float x1, float y1, float x, float y);
void path_cubic(path_make *m, const float xy[6]);
void path_close(path_make *m);
/* Closed, with the winding number +1 inside (down along the left side). */
void path_rect(path_make *m, float x, float y, float width, float height);
/* Four cubics, +1 inside. */
void path_circle(path_make *m, float x, float y, float radius);

/* The next of a sequence that `state` holds, 0 <= value < 1. */
float path_random(uint64_t *state);
/* One to three contours of every verb, open and closed, within [low, high]^2. */
void path_any(path_make *m, uint64_t *state, float low, float high);

#endif
