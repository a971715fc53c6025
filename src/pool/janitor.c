/* Owns what happens to connections that nobody uses at present. */
#include "pool/janitor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/str.h"
#include "pool/heartbeat.h"
#include "pool/pool.h"

#include <inttypes.h>

enum {
	SETTLE_LEAST_MS = 100, /* tickets come a round trip after the handshake, or never */
	SUSPECT_MS = 1000,     /* idle that long, a connection's end says something of others */
	PROBE_SIZE_LEAST = 3,  /* pool.size */
	RETIRE_STEP_MS = 250,  /* of connections to an address that has gone */
	TOLD_PART = 10,        /* a change of the safe age is logged from a tenth of it on */
};

uint64_t janitor_lead_ms(uint64_t safe_idle_ms, uint64_t connect_ms, unsigned draw)
{
	uint64_t eighth_ms = safe_idle_ms / 8;
	uint64_t share_ms = eighth_ms + eighth_ms * (draw % 1024) / 1024;

	return MIN(MAX(share_ms, 2 * connect_ms), safe_idle_ms / 2);
}

/* --- one idle connection --- */

static uint64_t settled_at_ms(const struct conn *conn)
{
	uint64_t connect_ms = (conn->ready_us - conn->opened_us) / 1000;

	return conn->ready_us / 1000 + MAX(2 * connect_ms, (uint64_t)SETTLE_LEAST_MS);
}

/* When its replacement should be under way: before its rest is too long, and before its life is over. */
static uint64_t aging_at_ms(const struct conn *conn)
{
	const struct pool *pool = conn->pool;
	uint64_t connect_ms = pool->connect_us / 1000;
	uint64_t safe_ms = idle_learner_safe_ms(&pool->learner);
	uint64_t life_ms = conn->expires_ms - conn->ready_us / 1000;
	uint64_t rested_ms =
		conn->idle_since_ms + safe_ms - janitor_lead_ms(safe_ms, connect_ms, conn->draw);

	if (conn->expires_ms == UINT64_MAX) {
		return rested_ms;
	}
	return MIN(rested_ms, conn->expires_ms - janitor_lead_ms(MIN(safe_ms, life_ms), connect_ms,
								 conn->draw));
}

/* A heartbeat is for the spares that are kept; what is idle beyond them grows old. */
static bool is_kept_spare(const struct conn *conn)
{
	const struct pool *pool = conn->pool;
	uint64_t place = pool->heartbeats.count; /* those return to the front */

	list_foreach (node, &pool->conns[CONN_IDLE]) {
		if (++place > pool->settings.min_idle) {
			return false;
		}
		if (node == &conn->node) {
			return true;
		}
	}
	return false;
}

static uint64_t beat_at_ms(const struct conn *conn)
{
	uint64_t heartbeat_ms = conn->pool->settings.heartbeat_ms;

	return heartbeat_ms > 0 ? conn->idle_since_ms + heartbeat_ms : UINT64_MAX;
}

/* When it has to be looked at next, of the moments after `after_ms`. */
static uint64_t look_at_ms(const struct conn *conn, uint64_t after_ms)
{
	const uint64_t moments[] = {
		conn->has_settled ? UINT64_MAX : settled_at_ms(conn),
		beat_at_ms(conn),
		aging_at_ms(conn),
		conn->idle_since_ms + idle_learner_safe_ms(&conn->pool->learner),
		conn->expires_ms,
	};
	uint64_t soonest_ms = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		if (moments[i] > after_ms) {
			soonest_ms = MIN(soonest_ms, moments[i]);
		}
	}
	return soonest_ms;
}

void janitor_watch(struct conn *conn)
{
	/* What is past already is looked at in the next turn. */
	timer_set(&conn->timer, look_at_ms(conn, 0));
}

/* Do the settings want one? Beside it there must be room for the spares, and for one more while one of those is replaced. */
static bool wants_probe(const struct pool_settings *settings)
{
	return settings->idle_timeout_ms == 0 && settings->heartbeat_ms == 0 &&
	       settings->size >= PROBE_SIZE_LEAST && settings->size >= settings->min_idle + 2;
}

static bool may_probe(const struct pool *pool)
{
	return wants_probe(&pool->settings) && list_is_empty(&pool->conns[CONN_PROBE]) &&
	       pool_is_in_use(pool);
}

static void let_go(struct conn *conn, enum end end)
{
	struct pool *pool = conn->pool;
	bool is_too_idle =
		conn->retire == END_NONE && pool->clock->now_ms < conn->expires_ms &&
		pool->clock->now_ms - conn->idle_since_ms >= idle_learner_safe_ms(&pool->learner);

	if (is_too_idle && may_probe(pool)) {
		list_remove(&conn->aging_node);
		conn_move(conn, CONN_PROBE);
		timer_set(&conn->timer, conn->expires_ms);
		pool_changed(pool);
		return;
	}
	conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, end, NULL);
}

void janitor_look(struct conn *conn)
{
	struct pool *pool = conn->pool;
	struct conn_rules rules = pool_rules(pool);
	uint64_t now_ms = pool->clock->now_ms;
	enum end end = conn_refuse_lending(conn, &rules, now_ms);

	if (conn->state == CONN_PROBE) {
		conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, END_MAX_LIFETIME, NULL);
		return;
	}
	if (end != END_NONE) {
		let_go(conn, end);
		return;
	}
	if (now_ms >= beat_at_ms(conn) && pool_is_in_use(pool) && is_kept_spare(conn)) {
		heartbeat_start(conn);
		return;
	}
	if (!conn->has_settled && now_ms >= settled_at_ms(conn)) {
		conn->has_settled = true;
		pool_changed(pool);
	}
	if (conn->aging_node.list == NULL && now_ms >= aging_at_ms(conn)) {
		list_push_back(&pool->aging, &conn->aging_node);
		pool_changed(pool);
	}
	timer_set(&conn->timer, look_at_ms(conn, now_ms));
}

static void look_at_all(struct pool *pool)
{
	list_foreach_safe (node, &pool->conns[CONN_IDLE]) {
		janitor_look(list_entry(node, struct conn, node));
	}
}

/* A longer life is for new connections, a shorter one for those that are open, too. */
static void shorten_lives(struct pool *pool)
{
	static const enum conn_state open[] = {CONN_IDLE, CONN_LEASED, CONN_PROBE};

	for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
		list_foreach (node, &pool->conns[open[i]]) {
			struct conn *conn = list_entry(node, struct conn, node);

			conn->expires_ms = MIN(conn->expires_ms, pool_expiry_ms(pool));
		}
	}
}

void janitor_apply_settings(struct pool *pool, bool is_other_lifetime)
{
	if (is_other_lifetime) {
		shorten_lives(pool);
	}
	if (!wants_probe(&pool->settings)) {
		janitor_give_up_probe(pool);
	}
	list_foreach (node, &pool->conns[CONN_PROBE]) {
		struct conn *conn = list_entry(node, struct conn, node);

		timer_set(&conn->timer, conn->expires_ms);
	}
	look_at_all(pool);
}

bool janitor_has_surplus(const struct pool *pool)
{
	return !list_is_empty(&pool->aging) &&
	       pool->conns[CONN_IDLE].count > pool->settings.min_idle;
}

void janitor_make_room(struct pool *pool, bool is_for_request)
{
	if (!list_is_empty(&pool->conns[CONN_CLOSING])) {
		return; /* a place comes free already */
	}
	if (is_for_request && !list_is_empty(&pool->conns[CONN_PROBE])) {
		janitor_give_up_probe(pool);
	} else if (janitor_has_surplus(pool)) {
		conn_end(list_entry(list_first(&pool->aging), struct conn, aging_node),
			 CONN_END_IN_PEACE, ERR_NONE, END_PLACE_WANTED, NULL);
	}
}

void janitor_give_up_probe(struct pool *pool)
{
	list_foreach_safe (node, &pool->conns[CONN_PROBE]) {
		conn_end(list_entry(node, struct conn, node), CONN_END_IN_PEACE, ERR_NONE,
			 END_PLACE_WANTED, NULL);
	}
}

/* --- what is learned --- */

/* Says so when it matters, and has the idle connections follow. */
static void follow_learner(struct pool *pool)
{
	const struct idle_learner *learner = &pool->learner;
	uint64_t safe_ms = idle_learner_safe_ms(learner);
	enum idle_source source = idle_learner_source(learner);
	uint64_t told_ms = pool->told_idle_ms;
	char text[32];

	if (safe_ms == pool->followed_idle_ms && source == pool->told_source) {
		return;
	}
	pool->followed_idle_ms = safe_ms;
	if (source != pool->told_source || safe_ms + told_ms / TOLD_PART < told_ms ||
	    safe_ms > told_ms + told_ms / TOLD_PART) {
		log_write(pool->log, LOG_INFO, "pool",
			  "idle timeout is %s source=%s observations=%" PRIu64,
			  str_write_duration(text, sizeof(text), safe_ms), idle_source_name(source),
			  learner->observations);
		pool->told_idle_ms = safe_ms;
		pool->told_source = source;
	}
	look_at_all(pool);
}

void janitor_hint(struct pool *pool, uint64_t seconds)
{
	idle_learner_hint(&pool->learner, seconds, pool->clock->now_ms);
	/* Called while a connection is on its way back: the others are looked at when the turn ends. */
	if (idle_learner_safe_ms(&pool->learner) != pool->followed_idle_ms) {
		pool_changed(pool);
	}
}

void janitor_idle_closed(struct conn *conn)
{
	struct pool *pool = conn->pool;
	uint64_t now_ms = pool->clock->now_ms;
	const struct idle_close close = {
		.at_ms = now_ms,
		.idle_ms = now_ms - conn->idle_since_ms,
		.age_ms = now_ms - conn->ready_us / 1000,
		.requests = conn->requests,
	};

	log_write(pool->log, LOG_DEBUG, "pool",
		  "idle close conn=%" PRIu64 " idle_ms=%" PRIu64 " requests=%" PRIu64, conn->number,
		  close.idle_ms, close.requests);
	if (!pool->clock->suspended && conn->retire == END_NONE) {
		idle_learner_close(&pool->learner, &close);
		pool_changed(pool);
	}
}

/* --- what is suspect --- */

void janitor_suspect(struct pool *pool, uint64_t idle_ms)
{
	uint64_t now_ms = pool->clock->now_ms;

	list_foreach_safe (node, &pool->conns[CONN_IDLE]) {
		struct conn *conn = list_entry(node, struct conn, node);

		if (now_ms - conn->idle_since_ms < idle_ms) {
			continue;
		}
		if (idle_ms >= SUSPECT_MS) {
			conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, END_STALE_NEIGHBOUR, NULL);
		} else if (!stream_is_quiet(&conn->stream)) {
			conn->codec->on_readable(conn);
		}
	}
}

void janitor_retire_all(struct pool *pool, enum end end)
{
	static const enum conn_state unfinished[] = {CONN_LEASED, CONN_CONNECTING, CONN_HANDSHAKING,
						     CONN_RACING};

	list_foreach_safe (node, &pool->conns[CONN_IDLE]) {
		conn_end(list_entry(node, struct conn, node), CONN_END_IN_PEACE, ERR_NONE, end,
			 NULL);
	}
	janitor_give_up_probe(pool);
	for (size_t i = 0; i < ARRAY_SIZE(unfinished); i++) {
		list_foreach (node, &pool->conns[unfinished[i]]) {
			conn_retire(list_entry(node, struct conn, node), end);
		}
	}
	pool_changed(pool);
}

/* The warm window is over: nobody is likely to want a spare soon. */
static void rest(struct pool *pool)
{
	list_foreach_safe (node, &pool->conns[CONN_IDLE]) {
		conn_end(list_entry(node, struct conn, node), CONN_END_IN_PEACE, ERR_NONE,
			 END_UNUSED, NULL);
	}
	janitor_give_up_probe(pool);
}

/* After pool.size was made smaller: those that rested longest go first, leased ones when they come back. */
static void shrink(struct pool *pool)
{
	struct list_node *oldest;

	while (pool_bound_count(pool) - pool->conns[CONN_CLOSING].count > pool->settings.size &&
	       (oldest = list_last(&pool->conns[CONN_IDLE])) != NULL) {
		conn_end(list_entry(oldest, struct conn, node), CONN_END_IN_PEACE, ERR_NONE,
			 END_SETTINGS, "pool.size was made smaller");
	}
}

/* --- addresses that have gone --- */

static bool is_ending(const struct conn *conn)
{
	return conn->retire != END_NONE || conn->state == CONN_CLOSING || conn->state == CONN_DEAD;
}

/* Ends so many of its connections, idle ones first; leased ones end when given back. */
static void retire_some(const struct address *address, size_t count)
{
	list_foreach (node, &address->uses) {
		count -= count > 0 && is_ending(CONTAINER_OF(node, struct conn, address_use.node));
	}
	list_foreach_safe (node, &address->uses) {
		struct conn *conn = CONTAINER_OF(node, struct conn, address_use.node);

		if (count > 0 && (conn->state == CONN_IDLE || conn->state == CONN_PROBE)) {
			conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, END_ADDRESS_GONE, NULL);
			count--;
		}
	}
	list_foreach (node, &address->uses) {
		struct conn *conn = CONTAINER_OF(node, struct conn, address_use.node);

		if (count > 0 && conn->state == CONN_LEASED && conn->retire == END_NONE) {
			conn_retire(conn, END_ADDRESS_GONE);
			count--;
		}
	}
}

static void retire_gone(struct pool *pool)
{
	list_foreach_safe (node, &pool->book.gone) {
		const struct address *address = list_entry(node, struct address, node);

		retire_some(address, address_retire_count(address, pool->clock->now_ms));
	}
}

void janitor_turn(struct pool *pool)
{
	idle_learner_judge(&pool->learner, pool->clock->now_ms, pool->round_trip_us / 1000);
	follow_learner(pool);
	retire_gone(pool);
	shrink(pool);
	/* Not over the heads of those that wait: what comes free is theirs first. */
	if (!pool_is_in_use(pool) && pool_waiting_count(pool) == 0) {
		rest(pool);
	}
}

uint64_t janitor_wake_ms(const struct pool *pool)
{
	uint64_t wake_ms = idle_learner_judge_ms(&pool->learner);

	if (!list_is_empty(&pool->book.gone)) {
		wake_ms = MIN(wake_ms, pool->clock->now_ms + RETIRE_STEP_MS);
	}
	if (pool->settings.warm_window_ms > 0 && pool_is_in_use(pool)) {
		wake_ms = MIN(wake_ms, pool->last_request_ms + pool->settings.warm_window_ms);
	}
	return wake_ms;
}
