/* Owns the upstream connections and the queue of who waits for one. */
#include "pool/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"

#include <assert.h>
#include <inttypes.h>
#include <sys/random.h>

enum {
	IDLE_TIMEOUT_ASSUMED_MS = 50000,
	IDLE_TIMEOUT_LEAST_MS = 2000,
	HINT_MARGIN_MS = 2000,
	CHECK_AFTER_MS = 100, /* a connection idle this long is looked at before it is lent */
	CONNS_KEPT = 64,
};

static void on_wake(void *owner)
{
	pool_changed(owner);
}

void pool_init(struct pool *pool, const struct pool_setup *setup,
	       const struct pool_settings *settings)
{
	*pool = (struct pool){
		.base = setup->base,
		.clock = setup->clock,
		.log = setup->log,
		.buffers = setup->buffers,
		.codec = setup->codec,
		.tls = setup->tls,
		.settings = *settings,
		.is_changed = true,
	};
	for (unsigned i = 0; i < CONN_STATES; i++) {
		list_init(&pool->conns[i]);
	}
	list_init(&pool->open_slots);
	list_init(&pool->urgent);
	list_init(&pool->queue);
	address_book_init(&pool->book);
	mem_cache_init(&pool->conn_cache, sizeof(struct conn), CONNS_KEPT);
	pool->last_request_ms = setup->clock->now_ms;
	timer_init(&pool->wake, setup->base, setup->clock, on_wake, pool);
	if (getrandom(&pool->random_state, sizeof(pool->random_state), GRND_NONBLOCK) < 0) {
		pool->random_state = setup->clock->now_us;
	}
	pool->random_state |= 1;
}

static void free_dead(struct pool *pool)
{
	struct list_node *node;

	while ((node = list_pop_front(&pool->conns[CONN_DEAD])) != NULL) {
		struct conn *conn = list_entry(node, struct conn, node);

		timer_fini(&conn->timer);
		mem_cache_give(&pool->conn_cache, conn);
	}
}

static void end_all(struct pool *pool, enum conn_state state, enum err err, const char *reason)
{
	list_foreach_safe (node, &pool->conns[state]) {
		conn_end(list_entry(node, struct conn, node), CONN_END_AT_ONCE, err, reason);
	}
}

void pool_end_leased(struct pool *pool, enum err err, const char *reason)
{
	end_all(pool, CONN_LEASED, err, reason);
}

void pool_fini(struct pool *pool)
{
	assert(list_is_empty(&pool->queue) && list_is_empty(&pool->urgent));
	end_all(pool, CONN_CONNECTING, ERR_SHUTTING_DOWN, "shutdown");
	end_all(pool, CONN_HANDSHAKING, ERR_SHUTTING_DOWN, "shutdown");
	end_all(pool, CONN_IDLE, ERR_SHUTTING_DOWN, "shutdown");
	end_all(pool, CONN_LEASED, ERR_SHUTTING_DOWN, "shutdown");
	list_foreach_safe (node, &pool->conns[CONN_CLOSING]) {
		struct conn *conn = list_entry(node, struct conn, node);

		stream_close(&conn->stream);
		address_release(&conn->address_use);
		conn_move(conn, CONN_DEAD);
	}
	free_dead(pool);
	timer_fini(&pool->wake);
	mem_cache_fini(&pool->conn_cache);
	address_book_fini(&pool->book);
}

void pool_set_settings(struct pool *pool, const struct pool_settings *settings)
{
	pool->settings = *settings;
	pool_changed(pool);
}

void pool_set_addresses(struct pool *pool, const struct addr *addrs, size_t count, enum err err)
{
	pool->dns_err = count == 0 ? err : ERR_NONE;
	address_book_update(&pool->book, addrs, count, pool->clock->now_ms);
	pool_changed(pool);
}

size_t pool_bound_count(const struct pool *pool)
{
	size_t count = 0;

	for (unsigned i = 0; i < CONN_DEAD; i++) {
		count += pool->conns[i].count;
	}
	return count;
}

size_t pool_waiting_count(const struct pool *pool)
{
	return pool->urgent.count + pool->queue.count;
}

bool pool_queue_is_full(const struct pool *pool)
{
	return list_is_empty(&pool->conns[CONN_IDLE]) && list_is_empty(&pool->open_slots) &&
	       pool->queue.count >= pool->settings.queue_size;
}

bool pool_is_warm(const struct pool *pool)
{
	return pool->conns[CONN_IDLE].count >= MIN(pool->settings.min_idle, pool->settings.size);
}

uint64_t pool_safe_idle_ms(const struct pool *pool)
{
	if (pool->settings.idle_timeout_ms > 0) {
		return pool->settings.idle_timeout_ms;
	}
	if (pool->hint_idle_ms > 0) {
		return pool->hint_idle_ms;
	}
	return IDLE_TIMEOUT_ASSUMED_MS;
}

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

void pool_learn_hint(struct pool *pool, uint64_t seconds)
{
	uint64_t hint_ms = seconds * 1000;

	hint_ms = hint_ms > HINT_MARGIN_MS + IDLE_TIMEOUT_LEAST_MS ? hint_ms - HINT_MARGIN_MS
								   : IDLE_TIMEOUT_LEAST_MS;
	if (hint_ms != pool->hint_idle_ms) {
		log_write(pool->log, LOG_INFO, "pool",
			  "the server says Keep-Alive: timeout=%" PRIu64, seconds);
		pool->hint_idle_ms = hint_ms;
	}
}

/* --- lending --- */

/* The machine slept: what was idle then is dead on the way more often than not. */
static void handle_suspend(struct pool *pool)
{
	if (pool->clock->suspended) {
		pool->clock->suspended = false;
		log_write(pool->log, LOG_INFO, "pool",
			  "the machine was suspended: every idle connection is retired");
		pool_retire_all(pool, "suspend");
	}
}

/* The newest idle connection that may be lent to someone who wants one ready after `fresh_after`. */
static struct conn *find_idle(struct pool *pool, uint64_t fresh_after)
{
	const struct conn_rules rules = {.safe_idle_ms = pool_safe_idle_ms(pool),
					 .max_requests = pool->settings.max_requests};
	uint64_t now_ms = pool->clock->now_ms;

	list_foreach_safe (node, &pool->conns[CONN_IDLE]) {
		struct conn *conn = list_entry(node, struct conn, node);
		const char *reason = conn_refuse_lending(conn, &rules, now_ms);

		if (reason != NULL) {
			conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, reason);
			continue;
		}
		if (conn->ready_serial <= fresh_after) {
			continue;
		}
		if (now_ms - conn->idle_since_ms >= CHECK_AFTER_MS &&
		    !stream_is_quiet(&conn->stream)) {
			/* Tickets, stray bytes or an end: the codec reads what it is. */
			conn->codec->on_readable(conn);
			if (conn->state != CONN_IDLE) {
				continue;
			}
		}
		return conn;
	}
	return NULL;
}

static struct conn *find_slot(struct pool *pool, uint64_t fresh_after)
{
	list_foreach (node, &pool->open_slots) {
		struct conn *conn = list_entry(node, struct conn, open_node);

		if (conn->ready_serial > fresh_after) {
			return conn;
		}
	}
	return find_idle(pool, fresh_after);
}

/* Why a request cannot be served at all now, or ERR_NONE. */
static enum err unreachable(const struct pool *pool)
{
	if (pool->conns[CONN_IDLE].count + pool->conns[CONN_LEASED].count > 0) {
		return ERR_NONE;
	}
	if (warmer_is_open(&pool->warmer)) {
		return ERR_BREAKER_OPEN;
	}
	return pool->dns_err;
}

static void on_wait_over(void *owner)
{
	struct waiter *waiter = owner;
	struct pool *pool = waiter->pool;
	bool reachable = pool->conns[CONN_IDLE].count + pool->conns[CONN_LEASED].count > 0;

	pool_cancel(pool, waiter);
	waiter->ops->on_refused(waiter, !reachable && pool->warmer.failures > 0
						? pool->last_connect_err
						: ERR_QUEUE_TIMEOUT);
}

struct conn *pool_acquire(struct pool *pool, struct waiter *waiter, enum err *ret_err)
{
	struct conn *conn = NULL;
	bool is_urgent = waiter->fresh_after > 0;

	*ret_err = ERR_NONE;
	pool->last_request_ms = pool->clock->now_ms;
	handle_suspend(pool);
	if (is_urgent || pool_waiting_count(pool) == 0) {
		conn = find_slot(pool, waiter->fresh_after);
	}
	if (conn != NULL) {
		conn_lend(conn);
		pool_changed(pool); /* a spare may have to be opened */
		return conn;
	}
	*ret_err = unreachable(pool);
	if (*ret_err == ERR_NONE && !is_urgent && pool_queue_is_full(pool)) {
		*ret_err = ERR_QUEUE_FULL;
	}
	if (*ret_err != ERR_NONE) {
		return NULL;
	}
	waiter->pool = pool;
	waiter->queued_us = pool->clock->now_us;
	timer_init(&waiter->timer, pool->base, pool->clock, on_wait_over, waiter);
	timer_set(&waiter->timer, waiter->deadline_ms);
	list_push_back(is_urgent ? &pool->urgent : &pool->queue, &waiter->node);
	pool_changed(pool);
	return NULL;
}

void pool_cancel(struct pool *pool, struct waiter *waiter)
{
	(void)pool;
	if (waiter->node.list != NULL) {
		list_remove(&waiter->node);
		timer_fini(&waiter->timer);
	}
}

/* False when nobody on the list can be served now. */
static bool serve_first(struct pool *pool, struct list *list)
{
	struct list_node *node = list_first(list);
	struct waiter *waiter;
	struct conn *conn;

	if (node == NULL) {
		return false;
	}
	waiter = list_entry(node, struct waiter, node);
	conn = find_slot(pool, waiter->fresh_after);
	if (conn == NULL) {
		return false;
	}
	pool_cancel(pool, waiter);
	conn_lend(conn);
	waiter->ops->on_lent(waiter, conn);
	return true;
}

static void refuse_all(struct pool *pool, struct list *list, enum err err)
{
	struct list_node *node;

	while ((node = list_first(list)) != NULL) {
		struct waiter *waiter = list_entry(node, struct waiter, node);

		pool_cancel(pool, waiter);
		waiter->ops->on_refused(waiter, err);
	}
}

/* --- opening --- */

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
		.waiting = pool_waiting_count(pool),
	};
}

static void open_missing(struct pool *pool)
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

void pool_turn(struct pool *pool)
{
	handle_suspend(pool);
	if (!pool->is_changed) {
		return;
	}
	/* What follows may change more: that is for the same turn, in bounded rounds, else for the next. */
	for (int round = 0; pool->is_changed && round < 4; round++) {
		enum err err;

		pool->is_changed = false;
		while (serve_first(pool, &pool->urgent)) {
		}
		while (serve_first(pool, &pool->queue)) {
		}
		err = unreachable(pool);
		if (err != ERR_NONE) {
			refuse_all(pool, &pool->urgent, err);
			refuse_all(pool, &pool->queue, err);
		}
		open_missing(pool);
	}
	if (pool->is_changed) {
		timer_set(&pool->wake, pool->clock->now_ms);
	}
	free_dead(pool);
}

void pool_retire_all(struct pool *pool, const char *reason)
{
	list_foreach_safe (node, &pool->conns[CONN_IDLE]) {
		conn_end(list_entry(node, struct conn, node), CONN_END_IN_PEACE, ERR_NONE, reason);
	}
	list_foreach (node, &pool->conns[CONN_LEASED]) {
		list_entry(node, struct conn, node)->retire_reason = reason;
	}
	pool_changed(pool);
}
