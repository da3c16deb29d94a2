/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: the walk over every descriptor of a slab, in steps that hold the lock for a short time.
 *
 * Between two steps regions and runs come and go.  The walk follows the list of regions by age, at
 * whose end new ones are put, and a region's runs from front to back; what ends under it moves it
 * on (slab_walk_pass_run() and its neighbour, called by slab.c).
 */
#include "pool/slab_state.h"

void slab_walk_begin(slab *self)
{
    os_lock(&self->lock);
    list_node *first = self->regions.next;
    self->walk = (slab_place){
        .region = first == &self->regions ? NULL : LIST_OF(first, slab_region, age_link)};
    os_unlock(&self->lock);
}

/* The run that is to be gone on with, NULL when that was all. */
static slab_run *walk_run(slab *self)
{
    slab_place *at = &self->walk;
    while (at->run == NULL && at->region != NULL) {
        if (list_is_empty(&at->region->runs))
            slab_walk_pass_region(self, at->region);
        else
            at->run = LIST_OF(at->region->runs.next, slab_run, region_link);
    }
    return at->run;
}

bool slab_walk_step(slab *self, unsigned blocks_max, slab_visit *visit, void *user)
{
    unsigned shown = 0;
    bool enough = false;
    os_lock(&self->lock);
    slab_run *run = walk_run(self);
    while (run != NULL && !enough) {
        while (self->walk.index < run->fresh && !enough) {
            enough = shown == blocks_max || !visit(user, &run_bufs(run)[self->walk.index]);
            if (!enough) {
                self->walk.index++;
                shown++;
            }
        }
        if (!enough)
            slab_walk_pass_run(self, run);
        run = walk_run(self);
    }
    os_unlock(&self->lock);
    return run != NULL;
}
