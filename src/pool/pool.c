/* Owns the upstream connections and the queue of who waits for one. */
#include "pool/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"
#include "pool/janitor.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
	CHECK_AFTER_MS = 100, /* a connection idle this long is looked at before it is lent */
	CONNS_KEPT = 64,
	HEARTBEATS_KEPT = 8,
	RETRY_AFTER_MOST_S = 60,
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
		.metrics = setup->metrics,
		.codec = setup->codec,
		.tls = setup->tls,
		.settings = *settings,
		.is_changed = true,
	};
	for (unsigned i = 0; i < CONN_STATES; i++) {
		list_init(&pool->conns[i]);
	}
	list_init(&pool->open_slots);
	list_init(&pool->aging);
	list_init(&pool->heartbeats);
	list_init(&pool->urgent);
	queue_init(&pool->queue);
	load_init(&pool->load, setup->clock->now_us);
	address_book_init(&pool->book);
	mem_cache_init(&pool->conn_cache, sizeof(struct conn) + setup->codec->state_bytes,
		       CONNS_KEPT);
	mem_cache_init(&pool->heartbeat_cache, sizeof(struct heartbeat), HEARTBEATS_KEPT);
	pool->heartbeat_head = heartbeat_new_head(setup->authority);
	idle_learner_configure(&pool->learner, settings->idle_timeout_ms);
	pool->followed_idle_ms = idle_learner_safe_ms(&pool->learner);
	pool->told_idle_ms = pool->followed_idle_ms;
	pool->told_source = idle_learner_source(&pool->learner);
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

static void end_all(struct pool *pool, enum conn_state state, enum err err, enum end end,
		    const char *detail)
{
	list_foreach_safe (node, &pool->conns[state]) {
		conn_end(list_entry(node, struct conn, node), CONN_END_AT_ONCE, err, end, detail);
	}
}

void pool_end_leased(struct pool *pool, enum err err, const char *reason)
{
	end_all(pool, CONN_LEASED, err, END_SHUTDOWN, reason);
}

void pool_fini(struct pool *pool)
{
	assert(pool_waiting_count(pool) == 0);
	for (unsigned i = 0; i < CONN_DEAD; i++) {
		end_all(pool, i, ERR_SHUTTING_DOWN, END_SHUTDOWN, NULL);
	}
	list_foreach_safe (node, &pool->conns[CONN_CLOSING]) {
		struct conn *conn = list_entry(node, struct conn, node);

		stream_close(&conn->stream);
		address_release(&conn->address_use);
		conn_move(conn, CONN_DEAD);
	}
	free_dead(pool);
	timer_fini(&pool->wake);
	mem_cache_fini(&pool->conn_cache);
	mem_cache_fini(&pool->heartbeat_cache);
	free(pool->heartbeat_head);
	address_book_fini(&pool->book);
}

void pool_set_settings(struct pool *pool, const struct pool_settings *settings)
{
	bool is_other_lifetime = pool->settings.max_lifetime_ms != settings->max_lifetime_ms;

	if (pool->settings.size != settings->size) {
		load_restart(&pool->load, pool->clock->now_us);
	}
	pool->settings = *settings;
	idle_learner_configure(&pool->learner, settings->idle_timeout_ms);
	janitor_apply_settings(pool, is_other_lifetime);
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

	for (unsigned i = 0; i < CONN_BOUND_STATES; i++) {
		count += pool->conns[i].count;
	}
	return count;
}

size_t pool_waiting_count(const struct pool *pool)
{
	return pool->urgent.count + queue_count(&pool->queue);
}

bool pool_queue_is_full(const struct pool *pool)
{
	return list_is_empty(&pool->conns[CONN_IDLE]) && list_is_empty(&pool->open_slots) &&
	       queue_count(&pool->queue) >= pool->settings.queue_size;
}

bool pool_is_warm(const struct pool *pool)
{
	uint64_t settled = 0;

	list_foreach (node, &pool->conns[CONN_IDLE]) {
		settled += list_entry(node, struct conn, node)->has_settled;
	}
	return settled >= MIN(pool->settings.min_idle, pool->settings.size);
}

bool pool_is_in_use(const struct pool *pool)
{
	uint64_t window_ms = pool->settings.warm_window_ms;

	return window_ms == 0 || pool->clock->now_ms - pool->last_request_ms < window_ms;
}

struct conn_rules pool_rules(const struct pool *pool)
{
	return (struct conn_rules){.safe_idle_ms = idle_learner_safe_ms(&pool->learner),
				   .max_requests = pool->settings.max_requests};
}

unsigned pool_retry_after_s(struct pool *pool)
{
	uint64_t served = window_count(&pool->served, pool->clock->now_ms);
	uint64_t span_ms = window_span_ms(&pool->served, pool->clock->now_ms);
	uint64_t ahead = pool_waiting_count(pool) + 1;

	if (served == 0) {
		return WINDOW_SECONDS; /* nothing moved for so long */
	}
	return (unsigned)MIN(ahead * span_ms / served / 1000 + 1, (uint64_t)RETRY_AFTER_MOST_S);
}

/* --- lending --- */

/* The machine slept: what was idle then is dead on the way more often than not. */
static void handle_suspend(struct pool *pool)
{
	if (pool->clock->suspended) {
		pool->clock->suspended = false;
		log_write(pool->log, LOG_INFO, "pool",
			  "the machine was suspended: every idle connection is retired");
		pool->wants_addresses = true;
		janitor_retire_all(pool, END_SUSPEND);
	}
}

/* A poll is repeated if need be: a look is worth its price only after a rest. */
static bool is_worth_a_look(const struct conn *conn, const struct waiter *waiter, uint64_t now_ms)
{
	return waiter->class != QUEUE_POLL || now_ms - conn->idle_since_ms >= CHECK_AFTER_MS;
}

/* Has nothing come on it since? Tickets, stray bytes or an end: the codec reads what it is. */
static bool stays_idle(struct conn *conn)
{
	if (!stream_is_quiet(&conn->stream)) {
		conn->codec->on_readable(conn);
	}
	return conn->state == CONN_IDLE;
}

/* The idle connection that was used last of those that may be lent to this waiter. */
static struct conn *find_idle(struct pool *pool, const struct waiter *waiter)
{
	const struct conn_rules rules = pool_rules(pool);
	uint64_t now_ms = pool->clock->now_ms;

	list_foreach_safe (node, &pool->conns[CONN_IDLE]) {
		struct conn *conn = list_entry(node, struct conn, node);
		enum end end = conn_refuse_lending(conn, &rules, now_ms);

		if (end != END_NONE) {
			janitor_look(conn);
			continue;
		}
		if (conn->ready_serial <= waiter->fresh_after) {
			continue;
		}
		if (is_worth_a_look(conn, waiter, now_ms) && !stays_idle(conn)) {
			continue;
		}
		return conn;
	}
	return NULL;
}

static struct conn *find_slot(struct pool *pool, const struct waiter *waiter)
{
	list_foreach (node, &pool->open_slots) {
		struct conn *conn = list_entry(node, struct conn, open_node);

		if (conn->ready_serial > waiter->fresh_after) {
			return conn;
		}
	}
	return find_idle(pool, waiter);
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

uint64_t pool_solve_places(const struct pool *pool)
{
	return MAX(pool->settings.size * pool->settings.solve_share / 100, 1);
}

bool pool_may_lend_solve(const struct pool *pool)
{
	return pool->solves_leased < pool_solve_places(pool);
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

static void lend(struct conn *conn, struct waiter *waiter)
{
	waiter->lent_us = conn->pool->clock->now_us;
	conn_lend(conn);
	conn->pool->leased++;
	conn->pool->solves_leased += waiter->class == QUEUE_SOLVE;
	queue_lend(&conn->pool->queue, waiter->tenant);
	pool_changed(conn->pool); /* a spare may have to be opened */
}

void pool_lease_over(struct pool *pool, const struct waiter *waiter)
{
	pool->leased--;
	pool->solves_leased -= waiter->class == QUEUE_SOLVE;
	load_lease_over(&pool->load, pool->clock->now_us, waiter->class,
			pool->clock->now_us - waiter->lent_us);
	queue_give_back(&pool->queue, waiter->tenant);
	pool_changed(pool);
}

/* May this newcomer take a slot past those that wait? Only when none of them could. */
static bool may_pass(const struct pool *pool, const struct waiter *waiter)
{
	bool solves_allowed = pool_may_lend_solve(pool);

	if (waiter->fresh_after > 0) {
		return true;
	}
	return list_is_empty(&pool->urgent) && !queue_has_next(&pool->queue, solves_allowed) &&
	       tenant_has_room(waiter->tenant) && (waiter->class != QUEUE_SOLVE || solves_allowed);
}

/* Why there is no place in the queue for another one of this tenant, or ERR_NONE. */
static enum err refuse_place(const struct pool *pool, const struct tenant *tenant)
{
	uint64_t most = tenant->limits.max_queued;

	if (queue_count(&pool->queue) >= pool->settings.queue_size) {
		return ERR_QUEUE_FULL;
	}
	return most > 0 && tenant_waiting_count(tenant) >= most ? ERR_CLIENT_QUEUE_FULL : ERR_NONE;
}

static void take_place(struct pool *pool, struct waiter *waiter)
{
	waiter->pool = pool;
	waiter->asked_us = pool->clock->now_us;
	timer_init(&waiter->timer, pool->base, pool->clock, on_wait_over, waiter);
	timer_set(&waiter->timer, waiter->deadline_ms);
	if (waiter->fresh_after > 0) {
		list_push_back(&pool->urgent, &waiter->node);
	} else {
		queue_push(&pool->queue, waiter->tenant, waiter->class, &waiter->node);
	}
	pool_changed(pool);
}

struct conn *pool_acquire(struct pool *pool, struct waiter *waiter, enum err *ret_err)
{
	struct conn *conn = NULL;

	*ret_err = ERR_NONE;
	pool->last_request_ms = pool->clock->now_ms;
	handle_suspend(pool);
	if (may_pass(pool, waiter)) {
		conn = find_slot(pool, waiter);
	}
	if (conn != NULL) {
		lend(conn, waiter);
		pool_count_asked(pool, waiter, true);
		return conn;
	}
	pool_count_asked(pool, waiter, false);
	*ret_err = unreachable(pool);
	if (*ret_err == ERR_NONE && waiter->fresh_after == 0) {
		*ret_err = refuse_place(pool, waiter->tenant);
	}
	if (*ret_err == ERR_NONE) {
		take_place(pool, waiter);
	}
	return NULL;
}

void pool_cancel(struct pool *pool, struct waiter *waiter)
{
	if (waiter->node.list == NULL) {
		return;
	}
	if (waiter->node.list == &pool->urgent) {
		list_remove(&waiter->node);
	} else {
		queue_remove(&pool->queue, waiter->tenant, waiter->class, &waiter->node);
	}
	timer_fini(&waiter->timer);
	pool_count_wait(pool, waiter);
	pool_changed(pool);
}

/* A waiter that is off its list gets this slot. */
static void serve(struct conn *conn, struct waiter *waiter)
{
	struct pool *pool = conn->pool;

	timer_fini(&waiter->timer);
	pool_count_wait(pool, waiter);
	window_add(&pool->served, pool->clock->now_ms);
	lend(conn, waiter);
	waiter->ops->on_lent(waiter, conn);
}

/* False when no repeat can be served now. */
static bool serve_urgent(struct pool *pool)
{
	struct list_node *node = list_first(&pool->urgent);
	struct waiter *waiter;
	struct conn *conn;

	if (node == NULL) {
		return false;
	}
	waiter = list_entry(node, struct waiter, node);
	conn = find_slot(pool, waiter);
	if (conn == NULL) {
		return false;
	}
	list_remove(node);
	serve(conn, waiter);
	return true;
}

/* False when nobody in the queue can be served now. */
static bool serve_queue(struct pool *pool)
{
	bool solves_allowed = pool_may_lend_solve(pool);
	struct list_node *node = queue_peek(&pool->queue, solves_allowed);
	struct conn *conn;

	if (node == NULL) {
		return false;
	}
	conn = find_slot(pool, list_entry(node, struct waiter, node));
	if (conn == NULL) {
		return false;
	}
	queue_pop(&pool->queue, solves_allowed);
	serve(conn, list_entry(node, struct waiter, node));
	return true;
}

static void refuse_all(struct pool *pool, enum err err)
{
	struct list_node *node;

	while ((node = list_pop_front(&pool->urgent)) != NULL ||
	       (node = queue_pop(&pool->queue, true)) != NULL) {
		struct waiter *waiter = list_entry(node, struct waiter, node);

		timer_fini(&waiter->timer);
		pool_count_wait(pool, waiter);
		waiter->ops->on_refused(waiter, err);
	}
}

void pool_turn(struct pool *pool)
{
	uint64_t open_ms = UINT64_MAX;

	handle_suspend(pool);
	if (!pool->is_changed) {
		return;
	}
	/* What follows may change more: that is for the same turn, in bounded rounds, else for the next. */
	for (int round = 0; pool->is_changed && round < 4; round++) {
		enum err err;

		pool->is_changed = false;
		janitor_turn(pool);
		while (serve_urgent(pool) || serve_queue(pool)) {
		}
		err = unreachable(pool);
		if (err != ERR_NONE) {
			refuse_all(pool, err);
		}
		open_ms = pool_open_missing(pool);
	}
	timer_set(&pool->wake,
		  pool->is_changed ? pool->clock->now_ms : MIN(open_ms, janitor_wake_ms(pool)));
	free_dead(pool);
}
