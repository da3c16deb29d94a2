/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: a circular doubly linked list whose links live in the members.
 *
 * The head is a node too; a node that is in no list points to itself, so that removing it twice is
 * harmless.  No locking, no memory.
 */
#ifndef DP_POOL_LIST_H
#define DP_POOL_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list_node {
    struct list_node *next;
    struct list_node *previous;
} list_node;

/* The struct around a node: LIST_OF(node, slab_run, link). */
#define LIST_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walks from the front; `node` must not be removed in the body. */
#define LIST_EACH(node, head)                                                                      \
    for (list_node *node = (head)->next; node != (head); node = node->next)

static inline void list_init(list_node *node)
{
    node->next = node;
    node->previous = node;
}

static inline bool list_is_empty(const list_node *head)
{
    return head->next == head;
}

static inline void list_push_front(list_node *head, list_node *node)
{
    node->previous = head;
    node->next = head->next;
    head->next->previous = node;
    head->next = node;
}

/* The list is a ring: behind the last member is before the head. */
static inline void list_push_back(list_node *head, list_node *node)
{
    list_push_front(head->previous, node);
}

static inline void list_remove(list_node *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

#endif
