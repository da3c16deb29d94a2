/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scene as text, one line a command, so that tests can say what a document becomes.
 *
 *     fill M0,0 L10,0 L10,10 Z #ff0000ff
 *     fill evenodd M0,0 ... linear(0,0 1,0) @10,0,0,10,0,0 0:#000000ff 1:#ffffffff x0.5
 *     stroke M0,0 L10,10 #000000ff width 2 round
 *     clip { / ready / } and so on, with the matrix as [a b c d e f] where it is not the identity
 *
 * Colours are #rrggbbaa.
 */
#ifndef DP_TESTS_SCENE_DUMP_H
#define DP_TESTS_SCENE_DUMP_H

#include "render/svg/scene.h"

/* Text that the caller frees. */
char *scene_dump(const scene *s);

#endif
