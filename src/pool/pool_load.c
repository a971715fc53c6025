/* Tells the load what is asked of the pool and what it does. */
#include "base/clock.h"
#include "pool/pool.h"

/* Requests that wait and could be served: the others would wait in a larger pool, too. */
static uint64_t servable(const struct pool *pool)
{
	uint64_t count = pool->urgent.count;

	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		count += queue_servable(&pool->queue, i);
	}
	return count;
}

void pool_count_asked(struct pool *pool, const struct waiter *waiter, bool is_lent)
{
	const struct load_ask ask = {
		.found = pool->leased - is_lent + servable(pool),
		.size = pool->settings.size,
		.is_lent = is_lent,
		.is_held =
			!is_lent && (!tenant_has_room(waiter->tenant) ||
				     (waiter->class == QUEUE_SOLVE && !pool_may_lend_solve(pool))),
	};

	if (waiter->fresh_after == 0) {
		load_ask(&pool->load, pool->clock->now_us, &ask);
	}
}

void pool_count_wait(struct pool *pool, const struct waiter *waiter)
{
	if (waiter->fresh_after == 0) {
		load_wait_over(&pool->load, pool->clock->now_us,
			       pool->clock->now_us - waiter->asked_us);
	}
}

void pool_count_load(struct pool *pool, uint64_t clients)
{
	const struct load_state state = {
		.leased = pool->leased, .waiting = servable(pool), .clients = clients};

	load_turn(&pool->load, pool->clock->now_us, &state);
}
