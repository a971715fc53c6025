/*
 * Who is served next: the order of those that wait for a slot. Pure: no time, no connections.
 *
 *   1. Class first: polls and reads (a paid, finished task must not wait behind new work) before submits, solves and
 *      the rest; but while the rest waits, at least every fourth slot is theirs, work and solves taking turns.
 *   2. Inside a class round robin over tenants, `weight` turns each.
 *   3. First in first out for a tenant and class.
 * So one tenant with 500 requests delays another's single one by about one service time, and alone it gets every slot.
 *
 * Solves may be held back (pool.solve_share): then they are passed over. So are tenants that hold max_inflight slots: theirs wait
 * off the lanes, and queue_lend()/queue_give_back() keep count of what each tenant holds.
 */
#pragma once

#include "base/list.h"
#include "pool/tenant.h"

#include <stdbool.h>
#include <stddef.h>

enum { QUEUE_POLLS_IN_A_ROW = 3 };

struct queue {
	struct list lanes[QUEUE_CLASSES]; /* flows that may be served, the next one first */
	size_t counts[QUEUE_CLASSES];     /* waiters by class, held back ones included */
	bool has_bounds;                  /* some tenant had max_inflight */
	unsigned polls_in_a_row;          /* served while others waited */
	bool is_solve_turn;
};

void queue_init(struct queue *queue);

/* Takes a place; the node is borrowed until queue_remove() or queue_pop(). */
void queue_push(struct queue *queue, struct tenant *tenant, enum queue_class class,
		struct list_node *node);

/* Gives up a place. */
void queue_remove(struct queue *queue, struct tenant *tenant, enum queue_class class,
		  struct list_node *node);

/* The next to be served, still in the queue; NULL when nobody may be served. */
struct list_node *queue_peek(const struct queue *queue, bool solves_allowed);

/* The next to be served, off the queue; NULL when nobody may be served. */
struct list_node *queue_pop(struct queue *queue, bool solves_allowed);

/* The tenant was lent a slot, whether it waited or not; and gave it back. */
void queue_lend(struct queue *queue, struct tenant *tenant);
void queue_give_back(struct queue *queue, struct tenant *tenant);

/* The rows of access.clients changed: every tenant's limits are looked up again. */
void queue_apply_rows(struct queue *queue, struct tenants *tenants);

size_t queue_count(const struct queue *queue);
/* How many of a class could be served if slots came free now. */
size_t queue_servable(const struct queue *queue, enum queue_class class);
bool queue_has_next(const struct queue *queue, bool solves_allowed);
