/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tier around another one whose copies wait at a gate, so that a test can stop the world in the
 * middle of one.  It lies with the test, which destroys it after the pool has closed it.
 */
#ifndef DP_TESTS_GATE_TIER_H
#define DP_TESTS_GATE_TIER_H

#include <string.h>

#include "pool/os.h"
#include "pool/tier.h"

/* What waits. */
#define GATE_READS  1u
#define GATE_WRITES 2u

typedef struct gate_tier {
    dp_tier tier;
    tier_ops ops;
    tier_copy_ops copy;
    dp_tier *inner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned shut; /* GATE_* bits */
    unsigned waiting;
} gate_tier;

static inline void gate_close(dp_tier *tier)
{
    tier_close(((gate_tier *)tier)->inner);
}

static inline dp_status gate_region_get(dp_tier *tier, size_t size_bytes, tier_region *out)
{
    return tier_region_get(((gate_tier *)tier)->inner, size_bytes, out);
}

static inline void gate_region_put(dp_tier *tier, const tier_region *region)
{
    tier_region_put(((gate_tier *)tier)->inner, region);
}

static inline void gate_pass(gate_tier *self, unsigned what)
{
    os_lock(&self->lock);
    self->waiting++;
    pthread_cond_broadcast(&self->changed);
    while ((self->shut & what) != 0) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    self->waiting--;
    os_unlock(&self->lock);
}

static inline dp_status gate_write(dp_tier *tier, uint64_t device, const void *from,
                                   size_t size_bytes)
{
    gate_tier *self = (gate_tier *)tier;
    gate_pass(self, GATE_WRITES);
    return self->inner->ops->copy->write(self->inner, device, from, size_bytes);
}

static inline dp_status gate_read(dp_tier *tier, uint64_t device, void *to, size_t size_bytes)
{
    gate_tier *self = (gate_tier *)tier;
    gate_pass(self, GATE_READS);
    return self->inner->ops->copy->read(self->inner, device, to, size_bytes);
}

/* Takes `inner`, which the CPU cannot see, over; open. */
static inline void gate_init(gate_tier *self, dp_tier *inner)
{
    memset(self, 0, sizeof *self);
    self->inner = inner;
    self->tier = *inner;
    self->copy = (tier_copy_ops){.write = gate_write, .read = gate_read};
    self->ops = (tier_ops){.close = gate_close,
                           .region_get = gate_region_get,
                           .region_put = gate_region_put,
                           .copy = &self->copy};
    self->tier.ops = &self->ops;
    os_mutex_init(&self->lock);
    pthread_cond_init(&self->changed, NULL);
}

static inline void gate_destroy(gate_tier *self)
{
    pthread_cond_destroy(&self->changed);
    os_mutex_destroy(&self->lock);
}

static inline void gate_set(gate_tier *self, unsigned shut)
{
    os_lock(&self->lock);
    self->shut = shut;
    pthread_cond_broadcast(&self->changed);
    os_unlock(&self->lock);
}

/* Until somebody stands at the gate. */
static inline void gate_wait(gate_tier *self)
{
    os_lock(&self->lock);
    while (self->waiting == 0) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    os_unlock(&self->lock);
}

#endif
