/*
 * An intrusive doubly linked list that counts its nodes; a node knows its list.
 *
 * The list an object is on is its state (see pool/conn.h), so membership can be asked of the node and a
 * gauge is a list's count. A node is on one list at most; adding one that is on a list is a bug (assert).
 * The list owns nothing. Zeroed memory is a valid unlinked node; a list needs list_init().
 */
#pragma once

#include "base/macros.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list;

struct list_node {
	struct list_node *prev;
	struct list_node *next;
	struct list *list; /* NULL when on no list */
};

struct list {
	struct list_node head; /* sentinel: head.next is the first node */
	size_t count;
};

static inline void list_init(struct list *list)
{
	list->head.prev = &list->head;
	list->head.next = &list->head;
	list->head.list = NULL;
	list->count = 0;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->count == 0;
}

static inline void list_insert_before(struct list *list, struct list_node *at,
				      struct list_node *node)
{
	assert(node->list == NULL);
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
	node->list = list;
	list->count++;
}

static inline void list_push_front(struct list *list, struct list_node *node)
{
	list_insert_before(list, list->head.next, node);
}

static inline void list_push_back(struct list *list, struct list_node *node)
{
	list_insert_before(list, &list->head, node);
}

/* Takes the node off whatever list it is on; does nothing when it is on none. */
static inline void list_remove(struct list_node *node)
{
	if (node->list == NULL) {
		return;
	}
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->list->count--;
	node->prev = NULL;
	node->next = NULL;
	node->list = NULL;
}

static inline struct list_node *list_first(const struct list *list)
{
	return list->count > 0 ? list->head.next : NULL;
}

static inline struct list_node *list_last(const struct list *list)
{
	return list->count > 0 ? list->head.prev : NULL;
}

static inline struct list_node *list_pop_front(struct list *list)
{
	struct list_node *node = list_first(list);

	if (node != NULL) {
		list_remove(node);
	}
	return node;
}

#define list_entry(node, type, member) CONTAINER_OF(node, type, member)

/* The body may remove `it` only with the _safe form. */
#define list_foreach(it, list) \
	for (struct list_node *it = (list)->head.next; (it) != &(list)->head; (it) = (it)->next)

#define list_foreach_safe(it, list)                                             \
	for (struct list_node *it = (list)->head.next, *it##_next = (it)->next; \
	     (it) != &(list)->head; (it) = it##_next, it##_next = (it)->next)
