/* Opens connections for the pool: how many are missing, and what became of each attempt. */
#include "base/clock.h"
#include "base/log.h"
#include "pool/pool.h"

#include <inttypes.h>

static uint64_t random_next(struct pool *pool)
{
	/* xorshift64: spreads turnovers and retries; nothing secret hangs on it. */
	pool->random_state ^= pool->random_state << 13;
	pool->random_state ^= pool->random_state >> 7;
	pool->random_state ^= pool->random_state << 17;
	return pool->random_state;
}

uint64_t pool_expiry_ms(struct pool *pool)
{
	uint64_t life_ms = pool->settings.max_lifetime_ms;

	if (life_ms == 0) {
		return UINT64_MAX;
	}
	return pool->clock->now_ms + life_ms - random_next(pool) % (life_ms / 4 + 1);
}

void pool_connected(struct pool *pool, struct conn *conn)
{
	char peer[ADDR_TEXT_BYTES];

	if (conn->was_resumed) {
		pool->handshakes_resumed++;
	} else {
		pool->handshakes_full++;
	}
	if (warmer_is_open(&pool->warmer)) {
		log_write(pool->log, LOG_WARNING, "pool", "the upstream is reachable again");
	}
	warmer_succeeded(&pool->warmer);
	log_write(pool->log, LOG_DEBUG, "pool",
		  "connected conn=%" PRIu64 " peer=%s tls=%s resumed=%d ms=%" PRIu64, conn->number,
		  addr_write(&conn->stream.peer, peer), stream_tls_version(&conn->stream),
		  conn->was_resumed, (pool->clock->now_us - conn->opened_us) / 1000);
	pool_changed(pool);
}

void pool_connect_failed(struct pool *pool, struct conn *conn, enum err err)
{
	char peer[ADDR_TEXT_BYTES];
	bool was_open = warmer_is_open(&pool->warmer);

	warmer_failed(&pool->warmer, pool->clock->now_ms, random_next(pool));
	pool->last_connect_err = err;
	log_write(pool->log, was_open ? LOG_DEBUG : LOG_WARNING, "pool",
		  "connect failed conn=%" PRIu64 " peer=%s error=%s reason=\"%s\"", conn->number,
		  addr_write(&conn->stream.peer, peer), err_name(err), conn->stream.error_text);
	if (!was_open && warmer_is_open(&pool->warmer)) {
		log_write(
			pool->log, LOG_ERROR, "pool",
			"the upstream is unreachable (%s): requests fail at once until a probe succeeds",
			err_name(err));
	}
	pool_changed(pool);
}

void pool_idle_closed(struct pool *pool, const struct conn *conn)
{
	log_write(pool->log, LOG_DEBUG, "pool", "idle close conn=%" PRIu64 " idle_ms=%" PRIu64,
		  conn->number, pool->clock->now_ms - conn->idle_since_ms);
}

/* Is anybody likely to want a spare soon? */
static bool is_in_use(const struct pool *pool)
{
	uint64_t window_ms = pool->settings.warm_window_ms;

	return window_ms == 0 || pool->clock->now_ms - pool->last_request_ms < window_ms;
}

/* Queued requests that could use a connection now: solves held back by their share could not. */
static uint64_t demand_of(const struct pool *pool)
{
	uint64_t solves = pool->queue.counts[QUEUE_SOLVE];
	uint64_t places = pool_solve_places(pool);
	uint64_t allowed = places > pool->solves_leased ? places - pool->solves_leased : 0;

	return queue_count(&pool->queue) - solves + MIN(solves, allowed);
}

static struct warmer_view view_of(const struct pool *pool)
{
	return (struct warmer_view){
		.size = pool->settings.size,
		.min_idle = is_in_use(pool) ? pool->settings.min_idle : 0,
		.max_connecting = pool->settings.max_connecting,
		.connecting =
			pool->conns[CONN_CONNECTING].count + pool->conns[CONN_HANDSHAKING].count,
		.idle = pool->conns[CONN_IDLE].count,
		.bound = pool_bound_count(pool),
		.waiting = demand_of(pool),
		.urgent = pool->urgent.count,
	};
}

void pool_open_missing(struct pool *pool)
{
	struct warmer_view view = view_of(pool);
	uint64_t wanted =
		pool->is_stopping ? 0 : warmer_wanted(&pool->warmer, &view, pool->clock->now_ms);

	for (; wanted > 0; wanted--) {
		struct address *address = address_book_pick(&pool->book, pool->clock->now_ms);
		enum err err;

		if (address == NULL || conn_open(pool, address, &err) == NULL) {
			break;
		}
	}
	view = view_of(pool);
	timer_set(&pool->wake,
		  pool->is_stopping ? TIMER_NEVER : warmer_wake_ms(&pool->warmer, &view));
}
