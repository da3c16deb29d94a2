/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priority x LRU as one ring per priority class: every operation is a few pointer writes, and a
 * search looks at a bounded number of candidates.  What a judge calls used goes to the young end,
 * so the next search starts behind it instead of meeting it again.
 */
#include "pool/evict.h"

#include "pool/os.h"

void evict_init(evict *order)
{
    *order = (evict){.bytes = 0};
    for (unsigned class = 0; class < DP_PRIORITY_COUNT; class ++) {
        list_init(&order->classes[class]);
    }
}

void evict_add(evict *order, evict_node *node, dp_priority priority, size_t size_bytes)
{
    DP_ASSERT((unsigned)priority < DP_PRIORITY_COUNT);
    node->priority = priority;
    node->size_bytes = size_bytes;
    list_push_back(&order->classes[priority], &node->link);
    order->bytes += size_bytes;
    order->count++;
}

void evict_remove(evict *order, evict_node *node)
{
    DP_ASSERT(order->count > 0 && order->bytes >= node->size_bytes);
    list_remove(&node->link);
    order->bytes -= node->size_bytes;
    order->count--;
}

void evict_touch(evict *order, evict_node *node)
{
    list_remove(&node->link);
    list_push_back(&order->classes[node->priority], &node->link);
}

static evict_node *class_victim(evict *order, list_node *class, evict_judge *judge, void *user)
{
    list_node *link = class->next;
    for (unsigned step = 0; step < EVICT_STEPS_MAX && link != class; step++) {
        evict_node *node = LIST_OF(link, evict_node, link);
        link = link->next;
        switch (judge(user, node)) {
        case EVICT_TAKE:
            return node;
        case EVICT_PASS:
            break;
        case EVICT_USED:
            evict_touch(order, node);
            break;
        }
    }
    return NULL;
}

evict_node *evict_victim(evict *order, dp_priority priority_max, evict_judge *judge, void *user)
{
    DP_ASSERT((unsigned)priority_max < DP_PRIORITY_COUNT);
    for (unsigned class = 0; class <= (unsigned)priority_max; class ++) {
        evict_node *node = class_victim(order, &order->classes[class], judge, user);
        if (node != NULL) {
            return node;
        }
    }
    return NULL;
}
