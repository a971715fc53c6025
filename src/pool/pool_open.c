/* Opens connections for the pool: how many are missing, and what became of each attempt. */
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "pool/janitor.h"
#include "pool/pool.h"

#include <inttypes.h>

uint64_t pool_random(struct pool *pool)
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
	return pool->clock->now_ms + life_ms - pool_random(pool) % (life_ms / 4 + 1);
}

/* An eighth of each new measurement, as TCP smooths its own (RFC 6298 section 2). */
static void smooth(uint64_t *average_us, uint64_t measured_us)
{
	*average_us = *average_us == 0 ? measured_us : (*average_us * 7 + measured_us) / 8;
}

static void count_opening(struct metrics *metrics, const struct conn *conn)
{
	const struct stream *stream = &conn->stream;

	metrics->opened++;
	load_opened(&conn->pool->load, conn->ready_us, conn->ready_us - conn->opened_us);
	histogram_add(&metrics->connect[METRIC_STEP_TCP], stream->tcp_up_us - stream->connect_us);
	if (stream->ssl != NULL) {
		histogram_add(&metrics->connect[METRIC_STEP_TLS],
			      stream->tls_up_us - stream->tcp_up_us);
		metrics->handshakes[conn->was_resumed ? METRIC_HANDSHAKE_RESUMED
						      : METRIC_HANDSHAKE_FULL]++;
	}
}

void pool_connected(struct pool *pool, const struct conn *conn)
{
	char peer[ADDR_TEXT_BYTES];
	uint64_t took_us = conn->ready_us - conn->opened_us;

	count_opening(pool->metrics, conn);
	smooth(&pool->connect_us, took_us);
	smooth(&pool->round_trip_us, conn->stream.tcp_up_us - conn->stream.connect_us);
	if (warmer_is_open(&pool->warmer)) {
		log_write(pool->log, LOG_WARNING, "pool", "the upstream is reachable again");
	}
	warmer_succeeded(&pool->warmer);
	log_write(pool->log, LOG_DEBUG, "pool",
		  "connected conn=%" PRIu64 " peer=%s tls=%s resumed=%d ms=%" PRIu64, conn->number,
		  addr_write(&conn->stream.peer, peer), stream_tls_version(&conn->stream),
		  conn->was_resumed, took_us / 1000);
	pool_changed(pool);
}

void pool_connect_failed(struct pool *pool, const struct addr *peer, enum err err,
			 const char *reason)
{
	char text[ADDR_TEXT_BYTES];
	bool was_open = warmer_is_open(&pool->warmer);

	warmer_failed(&pool->warmer, pool->clock->now_ms, pool_random(pool));
	pool->last_connect_err = err;
	pool->metrics->open_failures[err]++;
	pool->wants_addresses = true;
	log_write(pool->log, was_open ? LOG_DEBUG : LOG_WARNING, "pool",
		  "connect failed peer=%s error=%s reason=\"%s\"", addr_write(peer, text),
		  err_name(err), reason);
	if (!was_open && warmer_is_open(&pool->warmer)) {
		pool->metrics->breaker_trips++;
		log_write(
			pool->log, LOG_ERROR, "pool",
			"the upstream is unreachable (%s): requests fail at once until a probe succeeds",
			err_name(err));
	}
	pool_changed(pool);
}

/* Queued requests that could use a connection now: those held back by a share or a bound could not. */
static uint64_t demand_of(const struct pool *pool)
{
	uint64_t places = pool_solve_places(pool);
	uint64_t allowed = places > pool->solves_leased ? places - pool->solves_leased : 0;

	return queue_servable(&pool->queue, QUEUE_POLL) + queue_servable(&pool->queue, QUEUE_WORK) +
	       MIN(queue_servable(&pool->queue, QUEUE_SOLVE), allowed);
}

/* Takes one that is being opened into account; true when it stalls. */
static bool view_opening(struct warmer_view *view, const struct conn *conn, uint64_t now_ms)
{
	if (now_ms < conn->stall_ms) {
		view->connecting++;
		view->stall_ms = MIN(view->stall_ms, conn->stall_ms);
		return false;
	}
	view->stalled++;
	return true;
}

/* The oldest of the openings that stall; the view learns how many do, and when the next one will. */
static struct conn *find_stalled(const struct pool *pool, struct warmer_view *view)
{
	static const enum conn_state states[] = {CONN_CONNECTING, CONN_HANDSHAKING};
	struct conn *oldest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		list_foreach (node, &pool->conns[states[i]]) {
			struct conn *conn = list_entry(node, struct conn, node);

			bool is_stalled = view_opening(view, conn, pool->clock->now_ms);
			bool is_older = oldest == NULL || conn->opened_us < oldest->opened_us;

			oldest = is_stalled && is_older ? conn : oldest;
		}
	}
	return oldest;
}

/* That janitor_make_room() can free: the probe's for requests, one of a surplus for a spare, too. */
static uint64_t places_to_free(const struct pool *pool, const struct warmer_view *view)
{
	bool is_for_request = view->waiting + view->urgent > 0;

	/* While one closes, its place comes free by itself. */
	if (view->bound < view->size || !list_is_empty(&pool->conns[CONN_CLOSING])) {
		return 0;
	}
	if (is_for_request && !list_is_empty(&pool->conns[CONN_PROBE])) {
		return view->bound - view->size + 1;
	}
	return janitor_has_surplus(pool) ? view->bound - view->size + 1 : 0;
}

static struct warmer_view view_of(const struct pool *pool, struct conn **ret_stalled)
{
	bool wants_spares = pool_is_in_use(pool) && !pool->is_draining;
	struct warmer_view view = {
		.size = pool->settings.size,
		.min_idle = wants_spares ? pool->settings.min_idle : 0,
		.max_connecting = pool->settings.max_connecting,
		.stall_ms = UINT64_MAX,
		.idle = pool->conns[CONN_IDLE].count - pool->aging.count + pool->heartbeats.count,
		.bound = pool_bound_count(pool),
		.waiting = demand_of(pool),
		.urgent = pool->urgent.count,
	};

	view.bound -= places_to_free(pool, &view);
	*ret_stalled = find_stalled(pool, &view);
	return view;
}

/* Is there a place now? Else it may come when the server has seen the end of a connection that gave its own up. */
static bool has_place(struct pool *pool, const struct warmer_view *view)
{
	if (pool_bound_count(pool) < pool->settings.size) {
		return true;
	}
	janitor_make_room(pool, view->waiting + view->urgent > 0);
	return false;
}

uint64_t pool_open_missing(struct pool *pool)
{
	struct conn *stalled;
	struct warmer_view view;
	uint64_t wanted;

	view = view_of(pool, &stalled);
	if (warmer_gives_up(&pool->warmer, &view, pool->clock->now_ms)) {
		conn_give_up(stalled);
		warmer_gave_up(&pool->warmer);
		view = view_of(pool, &stalled);
	}
	wanted = warmer_wanted(&pool->warmer, &view, pool->clock->now_ms);
	if (wanted > 0) {
		while (wanted > 0 && has_place(pool, &view) && conn_open(pool)) {
			wanted--;
		}
		view = view_of(pool, &stalled);
	}
	return warmer_wake_ms(&pool->warmer, &view);
}
