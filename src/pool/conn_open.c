/* Owns the opening of a connection: its attempts, one address or several, until one is up or all have failed. */
#include "base/clock.h"
#include "base/log.h"
#include "pool/conn.h"
#include "pool/pool.h"

#include <inttypes.h>
#include <stdio.h>

static void on_tcp_up(void *owner);
static void on_connected(void *owner, enum err err);

static const struct stream_ops stream_ops = {
	.on_tcp_up = on_tcp_up,
	.on_connected = on_connected,
	.on_readable = conn_on_readable,
	.on_writable = conn_on_writable,
};

static bool may_race(const struct conn *conn)
{
	return conn->state == CONN_CONNECTING && conn->rival == NULL &&
	       conn->pool->book.current.count > 1;
}

/* One attempt; NULL, with its address left aside and *ret_err set, when it fails at once. */
static struct conn *attempt(struct pool *pool, struct address *address, enum conn_state state,
			    const struct conn *first, enum err *ret_err)
{
	struct conn *conn = mem_cache_take(&pool->conn_cache);
	const struct stream_setup setup = {
		.base = pool->base, .clock = pool->clock, .ops = &stream_ops, .owner = conn};
	uint64_t now_ms = pool->clock->now_ms;

	conn->pool = pool;
	conn->codec = pool->codec;
	conn->number = ++pool->last_number;
	conn->opened_us = first != NULL ? first->opened_us : pool->clock->now_us;
	conn->connect_deadline_ms = first != NULL ? first->connect_deadline_ms
						  : now_ms + pool->settings.connect_timeout_ms;
	conn->stall_ms = first != NULL
				 ? first->stall_ms
				 : now_ms + warmer_stall_ms(&pool->warmer, pool->connect_us / 1000);
	conn->expires_ms = UINT64_MAX;
	conn->state = state;
	list_push_front(&pool->conns[state], &conn->node);
	timer_init(&conn->timer, pool->base, pool->clock, conn_on_timer, conn);
	address_acquire(address, &conn->address_use, now_ms);
	*ret_err = stream_connect(&conn->stream, &setup, &address->addr, pool->tls);
	if (*ret_err != ERR_NONE) {
		if (*ret_err != ERR_NO_DESCRIPTORS) {
			address_failed(&conn->address_use, now_ms);
		}
		snprintf(pool->connect_error_text, sizeof(pool->connect_error_text), "%s",
			 conn->stream.error_text);
		conn_end(conn, CONN_END_AT_ONCE, *ret_err, END_CONNECT_FAILED,
			 conn->stream.error_text);
		return NULL;
	}
	timer_set(&conn->timer, may_race(conn) ? MIN(now_ms + address_head_start_ms(address),
						     conn->connect_deadline_ms)
					       : conn->connect_deadline_ms);
	return conn;
}

/* The next address that is not aside, beside or instead of that of `first`; NULL when none is left. */
static struct conn *attempt_another(const struct conn *first)
{
	struct pool *pool = first->pool;
	struct address *address;
	struct conn *conn = NULL;
	enum err err = ERR_NONE;

	while (conn == NULL && err != ERR_NO_DESCRIPTORS &&
	       (address = address_book_alternative(&pool->book, first->address_use.address,
						   pool->clock->now_ms)) != NULL) {
		conn = attempt(pool, address, CONN_RACING, first, &err);
	}
	return conn;
}

bool conn_open(struct pool *pool)
{
	enum err err = ERR_NONE;
	struct address *address = NULL;

	/* One that fails at once (no route) is aside by then, so each is tried once at most. */
	for (size_t i = 0; i < pool->book.current.count && err != ERR_NO_DESCRIPTORS; i++) {
		address = address_book_pick(&pool->book, pool->clock->now_ms);
		if (attempt(pool, address, CONN_CONNECTING, NULL, &err) != NULL) {
			return true;
		}
	}
	if (address != NULL) {
		pool_connect_failed(pool, &address->addr, err, pool->connect_error_text);
	}
	return false;
}

/* The two attempts of an opening go separate ways. */
static struct conn *part(struct conn *conn)
{
	struct conn *rival = conn->rival;

	if (rival != NULL) {
		rival->rival = NULL;
		conn->rival = NULL;
	}
	return rival;
}

/* Its TCP connection stands first: the opening goes on with this one. */
static void win(struct conn *conn)
{
	bool was_second = conn->state == CONN_RACING;
	struct conn *rival = part(conn);

	if (rival == NULL) {
		return;
	}
	if (was_second) {
		/* The first had the start, and lost; a second that loses did nothing wrong. */
		address_failed(&rival->address_use, conn->pool->clock->now_ms);
	}
	conn_end(rival, CONN_END_AT_ONCE, ERR_NONE, END_CONNECT_FAILED,
		 "another address was faster");
}

/* The attempt that is left goes on alone, and after another head start with one more beside it. */
static void go_on(struct conn *other)
{
	if (other->state == CONN_RACING) {
		conn_move(other, CONN_CONNECTING); /* in the place that has just come free */
	}
	if (may_race(other)) {
		timer_set(&other->timer, MIN(other->pool->clock->now_ms + ADDRESS_HEAD_START_MS,
					     other->connect_deadline_ms));
	}
}

static void fail(struct conn *conn, enum err err)
{
	struct pool *pool = conn->pool;
	struct conn *other = part(conn);
	/* The server may have accepted it, and counts it until it has seen its end. */
	bool is_seen = conn->state == CONN_HANDSHAKING && err == ERR_CONNECT_TIMEOUT;

	address_failed(&conn->address_use, pool->clock->now_ms);
	/* One that took too long leaves no time for another. */
	if (other == NULL && err != ERR_CONNECT_TIMEOUT) {
		other = attempt_another(conn);
	}
	if (other == NULL) {
		pool_connect_failed(pool, &conn->stream.peer, err, conn->stream.error_text);
	}
	conn_end(conn, is_seen ? CONN_END_IN_PEACE : CONN_END_AT_ONCE, err, END_CONNECT_FAILED,
		 conn->stream.error_text);
	if (other != NULL) {
		go_on(other);
	}
}

static void on_tcp_up(void *owner)
{
	struct conn *conn = owner;

	win(conn);
	conn_move(conn, CONN_HANDSHAKING);
	timer_set(&conn->timer, conn->connect_deadline_ms);
}

static void on_connected(void *owner, enum err err)
{
	struct conn *conn = owner;

	if (err != ERR_NONE) {
		fail(conn, err);
		return;
	}
	win(conn); /* without TLS nothing said so before */
	address_succeeded(&conn->address_use);
	conn_become_ready(conn);
	pool_connected(conn->pool, conn);
}

static void time_out(struct conn *conn, const char *how)
{
	snprintf(conn->stream.error_text, sizeof(conn->stream.error_text), "no %s %s",
		 conn->state == CONN_HANDSHAKING ? "end of the TLS handshake" : "TCP connection",
		 how);
	fail(conn, ERR_CONNECT_TIMEOUT);
}

void conn_open_on_timer(struct conn *conn)
{
	if (conn->pool->clock->now_ms >= conn->connect_deadline_ms) {
		time_out(conn, "within timeouts.connect");
		return;
	}
	if (may_race(conn)) {
		conn->rival = attempt_another(conn);
		if (conn->rival != NULL) {
			conn->rival->rival = conn;
		}
	}
	timer_set(&conn->timer, conn->connect_deadline_ms);
}

void conn_give_up(struct conn *conn)
{
	struct conn *rival = part(conn);

	if (rival != NULL) {
		address_failed(&rival->address_use, conn->pool->clock->now_ms);
		conn_end(rival, CONN_END_AT_ONCE, ERR_NONE, END_CONNECT_FAILED,
			 "its opening is given up");
	}
	time_out(conn, "so far; its place is given to a fresh attempt");
}
