/*
 * One connection to the upstream, in one state at a time: the state is the list of the pool that it is on, and conn_move() is the
 * only writer, checked against one table.
 *
 *   CONNECTING → HANDSHAKING → IDLE ⇄ LEASED → CLOSING → freed at the end of a loop turn
 *
 * CLOSING counts in the bound until the peer has ended its side too (1 s at most): the server never sees more than pool.size.
 * A connection that the peer ended, or that failed, leaves at once.
 */
#pragma once

#include "base/list.h"
#include "http/body.h"
#include "http/head.h"
#include "http/parser.h"
#include "net/stream.h"
#include "net/timer.h"
#include "pool/address_book.h"
#include "pool/codec.h"

#include <stdbool.h>
#include <stdint.h>

struct pool;

enum conn_state {
	CONN_CONNECTING,  /* TCP */
	CONN_HANDSHAKING, /* TLS */
	CONN_IDLE,        /* no slot is lent */
	CONN_LEASED,      /* at least one slot is lent */
	CONN_CLOSING,     /* our side is shut, the peer's is awaited */
	CONN_DEAD,        /* closed; freed at the end of the turn; not in the bound */
	CONN_STATES
};

const char *conn_state_name(enum conn_state state);

/* What codec_h1 keeps for its one exchange. */
struct h1 {
	struct transfer *transfer; /* borrowed; NULL between exchanges */
	size_t sent_bytes;         /* of head and body */
	struct http_parser parser;
	struct http_chunked chunked;
	enum http_framing framing;
	bool has_head;
	bool close_after;       /* the response said so, or its end was the connection's */
	bool has_surplus;       /* bytes came after a response, or before a request */
	unsigned interim_count; /* 1xx responses skipped */
	size_t body_at;         /* in the response buffer */
	size_t body_bytes;      /* decoded so far */
};

struct conn {
	struct list_node node;      /* on pool->conns[state] */
	struct list_node open_node; /* on pool->open_slots while leased with a free slot */
	struct pool *pool;          /* borrowed; outlives us */
	enum conn_state state;
	const struct codec *codec; /* borrowed */
	struct stream stream;      /* owned */
	struct timer timer;
	struct address_use address_use;
	uint64_t number;       /* for logs; counts up */
	uint64_t ready_serial; /* order in which connections became ready; 0: not yet */
	uint64_t opened_us;
	uint64_t ready_us;
	uint64_t idle_since_ms;
	uint64_t expires_ms; /* max_lifetime with its jitter; UINT64_MAX: never */
	uint64_t requests;   /* carried so far */
	unsigned slots_used;
	bool was_resumed;
	const char *retire_reason; /* not lent again; NULL: fit */
	struct h1 h1;
};

/* Opens one to the address; NULL and *ret_err when it fails at once. */
struct conn *conn_open(struct pool *pool, struct address *address, enum err *ret_err);

/* The only writer of conn->state. */
void conn_move(struct conn *conn, enum conn_state state);

/* For codecs: the exchange in this slot is over (before its callback is called). */
void conn_slot_done(struct conn *conn);

/* For codecs: on_deadline at this time, in place of an earlier one. */
void conn_set_deadline(struct conn *conn, uint64_t deadline_ms);

/*
 * Ends a connection; its transfers fail with `err` after it has left its state. CONN_END_IN_PEACE says that we end and waits for the peer's end;
 * CONN_END_AT_ONCE is for one that the peer ended or that is broken. `reason` goes to the log and to the transfers.
 */
enum conn_end_how { CONN_END_IN_PEACE, CONN_END_AT_ONCE };
void conn_end(struct conn *conn, enum conn_end_how how, enum err err, const char *reason);

/* A slot of an idle or leased connection is lent. */
void conn_lend(struct conn *conn);

/* Pure: may an idle connection be lent now? NULL, or why not. */
struct conn_rules {
	uint64_t safe_idle_ms;
	uint64_t max_requests; /* 0: no bound */
};
const char *conn_refuse_lending(const struct conn *conn, const struct conn_rules *rules,
				uint64_t now_ms);
