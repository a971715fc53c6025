/*
 * One connection to the upstream, in one state at a time: the state is the list of the pool that it is on, and conn_move() is the
 * only writer, checked against one table.
 *
 *   CONNECTING → HANDSHAKING → IDLE ⇄ LEASED → CLOSING → freed at the end of a loop turn
 *   RACING ↗                    ↓
 *                             PROBE → CLOSING
 *
 * An opening goes to one address and, when that is slow or fails, to others (RFC 8305; address_book.h): the attempt beside
 * the first is RACING and shares its place in the bound; the first whose TCP connection stands goes on, the other ends.
 *
 * CLOSING counts in the bound until the peer has ended its side too (1 s at most): the server never sees more than pool.size.
 * A connection that the peer ended, or that failed, leaves at once.
 */
#pragma once

#include "base/ends.h"
#include "base/list.h"
#include "net/stream.h"
#include "net/timer.h"
#include "pool/address_book.h"
#include "pool/codec.h"

#include <stdbool.h>
#include <stdint.h>

struct pool;

enum conn_state {
	CONN_CONNECTING,   /* TCP */
	CONN_HANDSHAKING,  /* TLS */
	CONN_IDLE,         /* no slot is lent */
	CONN_LEASED,       /* at least one slot is lent */
	CONN_PROBE,        /* idle past the safe age and never lent: shows when the server closes */
	CONN_CLOSING,      /* our side is shut, the peer's is awaited */
	CONN_BOUND_STATES, /* those above count in the bound */
	CONN_RACING = CONN_BOUND_STATES, /* TCP, beside a connecting one whose place it shares */
	CONN_DEAD,                       /* closed; freed at the end of the turn */
	CONN_STATES
};

const char *conn_state_name(enum conn_state state);

struct conn {
	struct list_node node;       /* on pool->conns[state] */
	struct list_node open_node;  /* on pool->open_slots while leased with a free slot */
	struct list_node aging_node; /* on pool->aging while idle and due for replacement */
	struct pool *pool;           /* borrowed; outlives us */
	enum conn_state state;
	const struct codec *codec; /* borrowed */
	struct stream stream;      /* owned */
	struct timer timer;
	struct address_use address_use;
	struct conn *rival;    /* borrowed; the other attempt of the same opening, or NULL */
	uint64_t number;       /* for logs; counts up */
	uint64_t ready_serial; /* order in which connections became ready; 0: not yet */
	uint64_t opened_us;    /* when its opening began, at whichever address */
	uint64_t ready_us;
	uint64_t connect_deadline_ms;
	uint64_t stall_ms; /* from then on its opening stalls (warmer.h) */
	uint64_t idle_since_ms;
	uint64_t lent_ms;      /* when it was last lent, coming from idle */
	uint64_t lent_idle_ms; /* how long it had been idle when it was last lent */
	uint64_t expires_ms;   /* max_lifetime with its jitter; UINT64_MAX: never */
	uint64_t requests;     /* carried so far */
	unsigned slots_used;
	unsigned draw; /* 0 to 1023: its own share of what is spread over connections */
	bool was_resumed;
	bool has_settled; /* its session tickets were read, or none is to be expected */
	enum end retire;  /* not lent again, and why; END_NONE: fit */
			  /* codec->state_bytes follow: conn_codec_state() */
};

static inline void *conn_codec_state(const struct conn *conn)
{
	return (char *)(uintptr_t)conn + sizeof(*conn);
}

/* Opens one, at the address that the book picks; false when there is no address or all fail at once. */
bool conn_open(struct pool *pool);

/* Ends an opening that stalls: its address is left aside, and it counts as failed. */
void conn_give_up(struct conn *conn);

/* The only writer of conn->state. */
void conn_move(struct conn *conn, enum conn_state state);

/* For codecs: the exchange in this slot is over (before its callback is called). */
void conn_slot_done(struct conn *conn);

/* For codecs: on_deadline at this time, in place of an earlier one. */
void conn_set_deadline(struct conn *conn, uint64_t deadline_ms);

/*
 * Ends a connection; its transfers fail with `err` after it has left its state. CONN_END_IN_PEACE says that we end and waits for the peer's end;
 * CONN_END_AT_ONCE is for one that the peer ended, that is broken, or that the peer has not seen yet. `detail` (NULL: the text of `end`) goes to
 * the log and to the transfers.
 */
enum conn_end_how { CONN_END_IN_PEACE, CONN_END_AT_ONCE };
void conn_end(struct conn *conn, enum conn_end_how how, enum err err, enum end end,
	      const char *detail);

/* It is not lent again: ends when its last slot comes back, or when it is up. */
void conn_retire(struct conn *conn, enum end end);

/* A slot of an idle or leased connection is lent. */
void conn_lend(struct conn *conn);

/* --- between conn.c and conn_open.c --- */
void conn_become_ready(struct conn *conn);
void conn_on_timer(void *owner);
void conn_on_readable(void *owner);
void conn_on_writable(void *owner);
/* The deadline of an opening, or the head start of its first address, has passed. */
void conn_open_on_timer(struct conn *conn);

/* Pure: may an idle connection be lent now? END_NONE, or why not. */
struct conn_rules {
	uint64_t safe_idle_ms;
	uint64_t max_requests; /* 0: no bound */
};
enum end conn_refuse_lending(const struct conn *conn, const struct conn_rules *rules,
			     uint64_t now_ms);
