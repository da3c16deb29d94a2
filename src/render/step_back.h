/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures wait for comments, never the other way round: who renders or decodes steps back behind
 * the event loops when there are more threads than cores.
 *
 * A nice value of 5 leaves a third of a core to a renderer that shares it with a busy loop (the
 * scheduler weighs 335 against 1024), and all of it when the loop sleeps.  On Linux the value is a
 * thread's own (setpriority(2), "C library/kernel differences").
 */
#ifndef DP_RENDER_STEP_BACK_H
#define DP_RENDER_STEP_BACK_H

#include <sys/resource.h>

#define STEP_BACK_NICE 5

/* Called by a thread, or by a process of one, about itself.  Where it is refused all goes on as it
 * was. */
static inline void step_back(void)
{
    (void)setpriority(PRIO_PROCESS, 0, STEP_BACK_NICE);
}

#endif
