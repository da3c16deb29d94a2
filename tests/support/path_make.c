/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays of fixed size inside the maker: a test that asks for more verbs than fit is stopped.
 */
#include "path_make.h"

#include <math.h>
#include <stdlib.h>

void path_clear(path_make *m)
{
    m->scene = (scene){.verbs = m->verbs, .points = m->points, .dashes = m->dashes};
    m->path = (scene_path){.bounds = {INFINITY, INFINITY, -INFINITY, -INFINITY}};
}

static void verb(path_make *m, scene_verb which)
{
    if (m->path.verb_count == PATH_VERBS_MAX) {
        abort();
    }
    m->verbs[m->path.verb_count++] = (uint8_t)which;
}

static void point(path_make *m, float x, float y)
{
    scene_box *b = &m->path.bounds;
    b->x0 = fminf(b->x0, x), b->x1 = fmaxf(b->x1, x);
    b->y0 = fminf(b->y0, y), b->y1 = fmaxf(b->y1, y);
    m->points[m->path.point_count++] = (scene_point){x, y};
}

void path_move(path_make *m, float x, float y)
{
    verb(m, SCENE_MOVE);
    point(m, x, y);
}

void path_line(path_make *m, float x, float y)
{
    verb(m, SCENE_LINE);
    point(m, x, y);
}

void path_quad(path_make *m, float x1, float y1, float x, float y)
{
    verb(m, SCENE_QUAD);
    point(m, x1, y1);
    point(m, x, y);
}

void path_cubic(path_make *m, const float xy[6])
{
    verb(m, SCENE_CUBIC);
    for (int i = 0; i < 6; i += 2) {
        point(m, xy[i], xy[i + 1]);
    }
}

void path_close(path_make *m)
{
    verb(m, SCENE_CLOSE);
}

void path_rect(path_make *m, float x, float y, float width, float height)
{
    path_move(m, x, y);
    path_line(m, x, y + height);
    path_line(m, x + width, y + height);
    path_line(m, x + width, y);
    path_close(m);
}

void path_circle(path_make *m, float x, float y, float radius)
{
    const float k = 0.5522847f * radius, r = radius;
    path_move(m, x + r, y);
    path_cubic(m, (float[]){x + r, y - k, x + k, y - r, x, y - r});
    path_cubic(m, (float[]){x - k, y - r, x - r, y - k, x - r, y});
    path_cubic(m, (float[]){x - r, y + k, x - k, y + r, x, y + r});
    path_cubic(m, (float[]){x + k, y + r, x + r, y + k, x + r, y});
    path_close(m);
}

float path_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(*state >> 40) / 16777216.0f;
}

void path_any(path_make *m, uint64_t *state, float low, float high)
{
    path_clear(m);
    int contours = 1 + (int)(path_random(state) * 3.0f);
    for (int i = 0; i < contours; ++i) {
        float at[6];
        for (int verb_left = 2 + (int)(path_random(state) * 6.0f); verb_left >= 0; --verb_left) {
            for (int k = 0; k < 6; ++k) {
                at[k] = low + (high - low) * path_random(state);
            }
            bool first = m->path.verb_count == 0 ||
                         m->verbs[m->path.verb_count - 1] == SCENE_CLOSE || verb_left == 7;
            int which = first ? 0 : 1 + (int)(path_random(state) * 3.0f);
            if (which == 0) {
                path_move(m, at[0], at[1]);
            } else if (which == 1) {
                path_line(m, at[0], at[1]);
            } else if (which == 2) {
                path_quad(m, at[0], at[1], at[2], at[3]);
            } else {
                path_cubic(m, at);
            }
        }
        if (path_random(state) < 0.5f) {
            path_close(m);
        }
    }
}
