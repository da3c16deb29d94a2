/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 3: who goes first when a tier is full: priority classes, each in order of last use.
 *
 * The links live in the members (evict_node), so nothing here allocates or fails.  The owner's lock
 * guards an evict and the nodes on it; the owner also decides, by its judge function, whether a
 * candidate may go: evict only knows the order.
 */
#ifndef DP_POOL_EVICT_H
#define DP_POOL_EVICT_H

#include <danpool/buf.h>

#include "pool/list.h"

typedef struct evict_node {
    list_node link;
    size_t size_bytes;
    dp_priority priority;
} evict_node;

/* Invariant: bytes and count are the sums over the members of all classes. */
typedef struct evict {
    list_node classes[DP_PRIORITY_COUNT]; /* the front is the oldest */
    size_t bytes;
    size_t count;
} evict;

typedef enum evict_verdict {
    EVICT_TAKE, /* the victim */
    EVICT_PASS, /* not now, and it stays where it is in the order */
    EVICT_USED  /* somebody holds it, which is as good as a use: moved to the young end */
} evict_verdict;

typedef evict_verdict evict_judge(void *user, evict_node *node);

/* Candidates that one search looks at in each class: what bounds its cost. */
#define EVICT_STEPS_MAX 32u

void evict_init(evict *order);

/* Adds a node that is on no list, as the most recently used of its class. */
void evict_add(evict *order, evict_node *node, dp_priority priority, size_t size_bytes);
void evict_remove(evict *order, evict_node *node);

/* Makes a member the most recently used of its class. */
void evict_touch(evict *order, evict_node *node);

/*
 * The lowest class's oldest member that the judge takes; only classes up to priority_max are
 * searched, EVICT_STEPS_MAX members of each.  NULL when there is none.  The victim stays a member.
 */
evict_node *evict_victim(evict *order, dp_priority priority_max, evict_judge *judge, void *user);

#endif
