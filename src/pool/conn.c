/* Owns one upstream connection from its opening to its end; the only writer of its state. */
#include "pool/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "pool/janitor.h"
#include "pool/pool.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { CLOSING_MS = 1000, DRAIN_BYTES = 4096, STALE_WITHIN_MS = 1000 };

static const char *const state_names[] = {
	[CONN_CONNECTING] = "connecting",
	[CONN_HANDSHAKING] = "handshaking",
	[CONN_IDLE] = "idle",
	[CONN_LEASED] = "leased",
	[CONN_PROBE] = "probe",
	[CONN_CLOSING] = "closing",
	[CONN_RACING] = "racing",
	[CONN_DEAD] = "dead",
};

/* Bit n of a row: the state n may follow. */
static const unsigned allowed[] = {
	[CONN_CONNECTING] = 1u << CONN_HANDSHAKING | 1u << CONN_IDLE | 1u << CONN_DEAD,
	[CONN_HANDSHAKING] = 1u << CONN_IDLE | 1u << CONN_CLOSING | 1u << CONN_DEAD,
	[CONN_IDLE] = 1u << CONN_LEASED | 1u << CONN_PROBE | 1u << CONN_CLOSING | 1u << CONN_DEAD,
	[CONN_LEASED] = 1u << CONN_IDLE | 1u << CONN_CLOSING | 1u << CONN_DEAD,
	[CONN_PROBE] = 1u << CONN_CLOSING | 1u << CONN_DEAD,
	[CONN_CLOSING] = 1u << CONN_DEAD,
	[CONN_RACING] =
		1u << CONN_CONNECTING | 1u << CONN_HANDSHAKING | 1u << CONN_IDLE | 1u << CONN_DEAD,
	[CONN_DEAD] = 0,
};

const char *conn_state_name(enum conn_state state)
{
	return state_names[state];
}

void conn_move(struct conn *conn, enum conn_state state)
{
	assert((allowed[conn->state] & 1u << state) != 0);
	list_remove(&conn->node);
	conn->state = state;
	/* The idle list is by age, the youngest first: what is lent is the least likely to be stale, the rest grows old. */
	list_push_front(&conn->pool->conns[state], &conn->node);
}

enum end conn_refuse_lending(const struct conn *conn, const struct conn_rules *rules,
			     uint64_t now_ms)
{
	if (conn->retire != END_NONE) {
		return conn->retire;
	}
	if (now_ms >= conn->expires_ms) {
		return END_MAX_LIFETIME;
	}
	if (rules->max_requests > 0 && conn->requests >= rules->max_requests) {
		return END_MAX_REQUESTS;
	}
	if (conn->slots_used == 0 && now_ms - conn->idle_since_ms >= rules->safe_idle_ms) {
		return END_IDLE_TIMEOUT;
	}
	return END_NONE;
}

static void log_end_of(const struct conn *conn, const char *reason)
{
	char object[32];
	char peer[ADDR_TEXT_BYTES];

	if (!log_wants(conn->pool->log, LOG_DEBUG)) {
		return;
	}
	snprintf(object, sizeof(object), "conn=%" PRIu64, conn->number);
	log_write(conn->pool->log, LOG_DEBUG, object,
		  "ended state=%s requests=%" PRIu64 " peer=%s reason=\"%s\"",
		  conn_state_name(conn->state), conn->requests,
		  addr_write(&conn->stream.peer, peer), reason);
}

static void leave_side_lists(struct conn *conn)
{
	list_remove(&conn->open_node);
	list_remove(&conn->aging_node);
}

static void become_dead(struct conn *conn)
{
	leave_side_lists(conn);
	timer_set(&conn->timer, TIMER_NEVER);
	stream_close(&conn->stream);
	address_release(&conn->address_use);
	conn_move(conn, CONN_DEAD);
}

static void become_closing(struct conn *conn)
{
	leave_side_lists(conn);
	stream_shutdown_write(&conn->stream);
	stream_set_reading(&conn->stream, true);
	conn_move(conn, CONN_CLOSING);
	timer_set(&conn->timer, conn->pool->clock->now_ms + CLOSING_MS);
}

/* Ended by the server just as we wrote, and not after it had thought about the request. */
static bool has_proved_stale(const struct conn *conn, enum err err)
{
	const struct pool *pool = conn->pool;
	uint64_t soon_ms = STALE_WITHIN_MS + 2 * pool->round_trip_us / 1000;

	return conn->state == CONN_LEASED && err == ERR_CONNECTION_ENDED &&
	       pool->clock->now_ms - conn->lent_ms <= soon_ms;
}

void conn_retire(struct conn *conn, enum end end)
{
	conn->retire = end;
	list_remove(&conn->open_node);
}

void conn_end(struct conn *conn, enum conn_end_how how, enum err err, enum end end,
	      const char *detail)
{
	const char *reason = detail != NULL ? detail : end_text(end);
	bool is_seen = conn->state != CONN_CONNECTING && conn->state != CONN_RACING;
	bool is_stale = has_proved_stale(conn, err);
	struct stream_facts facts;
	struct transfer *transfer;

	if (conn->state == CONN_CLOSING || conn->state == CONN_DEAD) {
		return;
	}
	log_end_of(conn, reason);
	conn->pool->metrics->ended[end]++;
	if (conn->ready_serial != 0) {
		histogram_add(&conn->pool->metrics->reuse, conn->requests);
	}
	stream_facts(&conn->stream, &facts);
	if (is_seen && how == CONN_END_IN_PEACE) {
		become_closing(conn);
	} else {
		become_dead(conn);
	}
	pool_changed(conn->pool);
	if (is_stale) {
		janitor_suspect(conn->pool, conn->lent_idle_ms);
	}
	while ((transfer = conn->codec->take_transfer(conn)) != NULL) {
		conn->slots_used--;
		transfer->ops->on_failed(transfer, err, &facts, reason);
	}
}

/* --- slots --- */

void conn_lend(struct conn *conn)
{
	conn->slots_used++;
	if (conn->state == CONN_IDLE) {
		conn->lent_ms = conn->pool->clock->now_ms;
		conn->lent_idle_ms = conn->lent_ms - conn->idle_since_ms;
		list_remove(&conn->aging_node);
		conn_move(conn, CONN_LEASED);
		timer_set(&conn->timer, TIMER_NEVER);
	}
	if (conn->slots_used < conn->codec->slots(conn)) {
		if (conn->open_node.list == NULL) {
			list_push_front(&conn->pool->open_slots, &conn->open_node);
		}
	} else {
		list_remove(&conn->open_node);
	}
}

static void become_idle(struct conn *conn)
{
	conn->idle_since_ms = conn->pool->clock->now_ms;
	conn_move(conn, CONN_IDLE);
	janitor_watch(conn);
}

void conn_become_ready(struct conn *conn)
{
	struct pool *pool = conn->pool;

	conn->ready_us = pool->clock->now_us;
	conn->ready_serial = ++pool->last_ready_serial;
	conn->was_resumed = stream_was_resumed(&conn->stream);
	conn->has_settled = !stream_expects_tickets(&conn->stream);
	conn->expires_ms = pool_expiry_ms(pool);
	conn->draw = pool_random(pool) % 1024;
	become_idle(conn);
	if (conn->retire != END_NONE) {
		conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, conn->retire, NULL);
	}
}

void conn_slot_done(struct conn *conn)
{
	struct conn_rules rules = pool_rules(conn->pool);
	enum end end;

	assert(conn->state == CONN_LEASED && conn->slots_used > 0);
	conn->slots_used--;
	conn->requests++;
	conn->idle_since_ms = conn->pool->clock->now_ms;
	end = conn->codec->refuse_reuse(conn);
	if (end == END_NONE) {
		end = conn_refuse_lending(conn, &rules, conn->pool->clock->now_ms);
	}
	if (end != END_NONE) {
		conn_retire(conn, end);
	}
	if (conn->slots_used == 0) {
		if (end != END_NONE) {
			conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, end, NULL);
		} else {
			list_remove(&conn->open_node);
			become_idle(conn);
		}
	} else if (end == END_NONE && conn->open_node.list == NULL) {
		list_push_front(&conn->pool->open_slots, &conn->open_node);
	}
	pool_changed(conn->pool);
}

void conn_set_deadline(struct conn *conn, uint64_t deadline_ms)
{
	timer_set(&conn->timer, deadline_ms);
}

/* --- what the stream and the timer say --- */

static void drain(struct conn *conn)
{
	char bytes[DRAIN_BYTES];
	struct io io;

	io = stream_discard(&conn->stream, bytes, sizeof(bytes));
	if (io.status == IO_FAILED || io.status == IO_END) {
		become_dead(conn);
		pool_changed(conn->pool);
	}
}

void conn_on_readable(void *owner)
{
	struct conn *conn = owner;

	if (conn->state == CONN_CLOSING) {
		drain(conn);
	} else {
		conn->codec->on_readable(conn);
	}
}

void conn_on_writable(void *owner)
{
	struct conn *conn = owner;

	if (conn->state == CONN_LEASED) {
		conn->codec->on_writable(conn);
	}
}

void conn_on_timer(void *owner)
{
	struct conn *conn = owner;

	switch (conn->state) {
	case CONN_CONNECTING:
	case CONN_HANDSHAKING:
	case CONN_RACING:
		conn_open_on_timer(conn);
		break;
	case CONN_IDLE:
	case CONN_PROBE:
		janitor_look(conn);
		break;
	case CONN_LEASED:
		conn->codec->on_deadline(conn);
		break;
	case CONN_CLOSING:
		become_dead(conn);
		pool_changed(conn->pool);
		break;
	case CONN_DEAD:
	case CONN_STATES:
		break;
	}
}
