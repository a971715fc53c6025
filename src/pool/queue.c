/* Owns the order in which waiters are served. */
#include "pool/queue.h"

#include "base/macros.h"

#include <assert.h>

void queue_init(struct queue *queue)
{
	*queue = (struct queue){0};
	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		list_init(&queue->lanes[i]);
	}
}

size_t queue_count(const struct queue *queue)
{
	size_t count = 0;

	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		count += queue->counts[i];
	}
	return count;
}

/* On its lane exactly while it has waiters and its tenant has room. */
static void place(struct queue *queue, struct tenant *tenant, enum queue_class class)
{
	struct queue_flow *flow = &tenant->flows[class];

	if (list_is_empty(&flow->waiters) || !tenant_has_room(tenant)) {
		list_remove(&flow->node);
	} else if (flow->node.list == NULL) {
		flow->turns = tenant->limits.weight;
		list_push_back(&queue->lanes[class], &flow->node);
	}
}

static void place_all(struct queue *queue, struct tenant *tenant)
{
	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		place(queue, tenant, i);
	}
}

void queue_lend(struct queue *queue, struct tenant *tenant)
{
	tenant->leased++;
	if (tenant->leased == tenant->limits.max_inflight) {
		place_all(queue, tenant);
	}
}

void queue_give_back(struct queue *queue, struct tenant *tenant)
{
	assert(tenant->leased > 0);
	tenant->leased--;
	if (tenant->leased + 1 == tenant->limits.max_inflight) {
		place_all(queue, tenant);
	}
}

void queue_apply_rows(struct queue *queue, struct tenants *tenants)
{
	for (unsigned i = 0; i < TENANT_BUCKETS; i++) {
		list_foreach (node, &tenants->buckets[i]) {
			struct tenant *tenant = list_entry(node, struct tenant, node);

			tenant_look_up(tenant);
			queue->has_bounds |= tenant->limits.max_inflight > 0;
			place_all(queue, tenant);
		}
	}
}

/* Of a tenant's waiters in a class, how many fit below its bound after those of the classes before. */
static size_t servable_of(const struct tenant *tenant, enum queue_class class)
{
	size_t waiting = tenant->flows[class].waiters.count;
	uint64_t taken = tenant->leased;

	if (tenant->limits.max_inflight == 0) {
		return waiting;
	}
	for (unsigned i = 0; i < class; i++) {
		taken += tenant->flows[i].waiters.count;
	}
	return tenant->limits.max_inflight > taken
		       ? MIN(waiting, tenant->limits.max_inflight - taken)
		       : 0;
}

size_t queue_servable(const struct queue *queue, enum queue_class class)
{
	size_t count = 0;

	if (!queue->has_bounds) {
		return queue->counts[class];
	}
	list_foreach (node, &queue->lanes[class]) {
		struct queue_flow *flow = list_entry(node, struct queue_flow, node);

		count += servable_of(CONTAINER_OF(flow, struct tenant, flows[class]), class);
	}
	return count;
}

void queue_push(struct queue *queue, struct tenant *tenant, enum queue_class class,
		struct list_node *node)
{
	struct queue_flow *flow = &tenant->flows[class];

	list_push_back(&flow->waiters, node);
	queue->counts[class]++;
	queue->has_bounds |= tenant->limits.max_inflight > 0;
	place(queue, tenant, class);
}

void queue_remove(struct queue *queue, struct tenant *tenant, enum queue_class class,
		  struct list_node *node)
{
	struct queue_flow *flow = &tenant->flows[class];

	assert(node->list == &flow->waiters);
	list_remove(node);
	queue->counts[class]--;
	place(queue, tenant, class);
}

/* Whose turn is it? QUEUE_CLASSES: nobody's. */
static enum queue_class next_class(const struct queue *queue, bool solves_allowed)
{
	bool has_poll = !list_is_empty(&queue->lanes[QUEUE_POLL]);
	bool has_work = !list_is_empty(&queue->lanes[QUEUE_WORK]);
	bool has_solve = solves_allowed && !list_is_empty(&queue->lanes[QUEUE_SOLVE]);

	if (has_poll &&
	    (queue->polls_in_a_row < QUEUE_POLLS_IN_A_ROW || (!has_work && !has_solve))) {
		return QUEUE_POLL;
	}
	if (has_work && has_solve) {
		return queue->is_solve_turn ? QUEUE_SOLVE : QUEUE_WORK;
	}
	if (has_work) {
		return QUEUE_WORK;
	}
	return has_solve ? QUEUE_SOLVE : QUEUE_CLASSES;
}

bool queue_has_next(const struct queue *queue, bool solves_allowed)
{
	return next_class(queue, solves_allowed) != QUEUE_CLASSES;
}

/* One of this class was served while others may have waited. */
static void count_turn(struct queue *queue, enum queue_class class)
{
	if (class == QUEUE_POLL) {
		bool others_wait = queue->counts[QUEUE_WORK] + queue->counts[QUEUE_SOLVE] > 0;

		queue->polls_in_a_row = others_wait ? queue->polls_in_a_row + 1 : 0;
		return;
	}
	queue->polls_in_a_row = 0;
	queue->is_solve_turn = class == QUEUE_WORK;
}

struct list_node *queue_peek(const struct queue *queue, bool solves_allowed)
{
	enum queue_class class = next_class(queue, solves_allowed);
	struct list_node *first = class != QUEUE_CLASSES ? list_first(&queue->lanes[class]) : NULL;

	return first != NULL ? list_first(&list_entry(first, struct queue_flow, node)->waiters)
			     : NULL;
}

struct list_node *queue_pop(struct queue *queue, bool solves_allowed)
{
	enum queue_class class = next_class(queue, solves_allowed);
	struct list_node *first = class != QUEUE_CLASSES ? list_first(&queue->lanes[class]) : NULL;
	struct queue_flow *flow;
	struct list_node *node;

	if (first == NULL) {
		return NULL;
	}
	flow = list_entry(first, struct queue_flow, node);
	node = list_pop_front(&flow->waiters);
	queue->counts[class]--;
	count_turn(queue, class);
	if (--flow->turns == 0 || list_is_empty(&flow->waiters)) {
		list_remove(&flow->node);
		place(queue, CONTAINER_OF(flow, struct tenant, flows[class]), class);
	}
	return node;
}
