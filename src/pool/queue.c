/* Owns the order in which waiters are served. */
#include "pool/queue.h"

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

void queue_push(struct queue *queue, struct tenant *tenant, enum queue_class class,
		struct list_node *node)
{
	struct queue_flow *flow = &tenant->flows[class];

	list_push_back(&flow->waiters, node);
	queue->counts[class]++;
	if (flow->node.list == NULL) {
		list_push_back(&queue->lanes[class], &flow->node);
	}
}

void queue_remove(struct queue *queue, struct tenant *tenant, enum queue_class class,
		  struct list_node *node)
{
	struct queue_flow *flow = &tenant->flows[class];

	assert(node->list == &flow->waiters);
	list_remove(node);
	queue->counts[class]--;
	if (list_is_empty(&flow->waiters)) {
		list_remove(&flow->node);
	}
}

bool queue_has_next(const struct queue *queue, bool solves_allowed)
{
	return queue->counts[QUEUE_POLL] > 0 || queue->counts[QUEUE_WORK] > 0 ||
	       (solves_allowed && queue->counts[QUEUE_SOLVE] > 0);
}

/* Whose turn is it? QUEUE_CLASSES: nobody's. */
static enum queue_class next_class(const struct queue *queue, bool solves_allowed)
{
	bool has_work = queue->counts[QUEUE_WORK] > 0;
	bool has_solve = solves_allowed && queue->counts[QUEUE_SOLVE] > 0;

	if (queue->counts[QUEUE_POLL] > 0 &&
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
	struct list *lane = class != QUEUE_CLASSES ? &queue->lanes[class] : NULL;
	struct list_node *first = lane != NULL ? list_pop_front(lane) : NULL;
	struct queue_flow *flow;
	struct list_node *node;

	if (first == NULL) {
		return NULL;
	}
	flow = list_entry(first, struct queue_flow, node);
	node = list_pop_front(&flow->waiters);
	queue->counts[class]--;
	count_turn(queue, class);
	if (!list_is_empty(&flow->waiters)) {
		list_push_back(lane, &flow->node);
	}
	return node;
}
