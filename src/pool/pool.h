/*
 * The pool: a hard bound on upstream connections, kept warm, lent slot by slot to waiters.
 *
 * Life: pool_init, pool_set_addresses (from the resolver), then any number of acquire/release/cancel; pool_turn() once at the end
 * of every loop turn does the rest: lends what came free, opens what is missing, frees what is dead. Nothing but
 * pool_acquire() lends inside a call, so no callback comes before the call that asked for it has returned.
 *
 * The bound counts connecting, handshaking, idle, leased, probe and closing connections: never above settings.size.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/window.h"
#include "net/timer.h"
#include "pool/address_book.h"
#include "pool/codec.h"
#include "pool/conn.h"
#include "pool/heartbeat.h"
#include "pool/idle_learner.h"
#include "pool/load.h"
#include "pool/queue.h"
#include "pool/tenant.h"
#include "pool/warmer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer_pool;
struct clock;
struct log;
struct metrics;
struct tls_client;
struct waiter;

struct waiter_ops {
	/* A slot of `conn` is the waiter's: start a transfer on it before returning. */
	void (*on_lent)(struct waiter *waiter, struct conn *conn);
	/* It left the queue without one: ERR_QUEUE_TIMEOUT, or why the upstream cannot be reached. */
	void (*on_refused)(struct waiter *waiter, enum err err);
};

/* Embedded by who wants a slot; borrowed by the queue while it waits. */
struct waiter {
	struct list_node node;        /* on pool->urgent or in pool->queue */
	const struct waiter_ops *ops; /* borrowed */
	struct pool *pool;            /* borrowed */
	struct tenant *tenant;        /* borrowed; who it is counted for */
	enum queue_class class;
	struct timer timer;
	uint64_t deadline_ms; /* of the wait */
	uint64_t asked_us;    /* when it joined the queue */
	uint64_t lent_us;     /* when it was lent a slot */
	uint64_t
		fresh_after; /* take only a connection that became ready after this serial; 0: any */
};

struct pool_settings {
	uint64_t size;
	uint64_t min_idle;
	uint64_t max_connecting;
	uint64_t max_lifetime_ms; /* 0: never */
	uint64_t idle_timeout_ms; /* 0: learned */
	uint64_t heartbeat_ms;    /* 0: off */
	uint64_t max_requests;    /* 0: no bound */
	uint64_t warm_window_ms;  /* so long without a request, the spares are let go; 0: never */
	uint64_t solve_share; /* percent of the pool that QUEUE_SOLVE may hold; at least one slot */
	uint64_t queue_size;
	uint64_t connect_timeout_ms;
};

struct pool_setup {
	struct event_base *base; /* borrowed, as all of these */
	struct clock *clock;
	struct log *log;
	struct buffer_pool *buffers;
	struct metrics *metrics;
	const struct codec *codec;
	struct tls_client *tls; /* NULL: plain */
	const char *authority;  /* of the upstream, for heartbeats; copied */
};

struct pool {
	struct event_base *base;     /* borrowed */
	struct clock *clock;         /* borrowed */
	struct log *log;             /* borrowed */
	struct buffer_pool *buffers; /* borrowed */
	struct metrics *metrics;     /* borrowed */
	const struct codec *codec;   /* borrowed */
	struct tls_client *tls;      /* borrowed */
	struct pool_settings settings;
	struct list conns[CONN_STATES];
	struct list open_slots; /* leased connections with a free slot */
	struct list aging;      /* idle connections near their end, to be replaced */
	struct list heartbeats; /* on their way; each leases a spare */
	struct list urgent;     /* repeats: ahead of the queue */
	struct queue queue;
	uint64_t leased;        /* slots that are lent */
	uint64_t solves_leased; /* those that QUEUE_SOLVE holds */
	struct load load;       /* what was asked of it, for the sizing advice */
	struct address_book book;
	struct mem_cache conn_cache;
	struct mem_cache heartbeat_cache;
	char *heartbeat_head; /* owned */
	struct warmer warmer;
	struct idle_learner learner;
	uint64_t followed_idle_ms; /* the learner's value that timers were set by */
	uint64_t told_idle_ms;     /* and the one that was logged last */
	enum idle_source told_source;
	struct window served; /* waiters that were lent a slot: how fast the queue drains */
	struct timer wake;    /* for the warmer and the janitor */
	enum err
		dns_err; /* why there is no address; ERR_NONE while there is one, or none is known yet */
	enum err last_connect_err;
	char connect_error_text[160]; /* of an opening that failed at once */
	uint64_t
		round_trip_us; /* of the line, smoothed: TCP connects took so long; 0: not known yet */
	uint64_t connect_us; /* of a whole opening, smoothed */
	uint64_t last_number;
	uint64_t last_ready_serial;
	uint64_t last_request_ms;
	uint64_t random_state;
	bool wants_addresses; /* asks its owner, who clears it, for a fresh look at DNS */
	bool is_changed;      /* pool_turn() has something to do */
	bool is_draining;     /* keeps no spares */
};

void pool_init(struct pool *pool, const struct pool_setup *setup,
	       const struct pool_settings *settings);
/* Ends every connection at once; no waiter may be left. */
void pool_fini(struct pool *pool);

void pool_set_settings(struct pool *pool, const struct pool_settings *settings);

/* The resolver's answer; err is why there is none. */
void pool_set_addresses(struct pool *pool, const struct addr *addrs, size_t count, enum err err);

/*
 * Lends a slot at once (returns its connection), or queues the waiter (NULL, *ret_err ERR_NONE), or refuses it
 * (NULL and ERR_QUEUE_FULL, ERR_CLIENT_QUEUE_FULL or why the upstream cannot be reached). The waiter's ops, tenant, class, deadline_ms and fresh_after
 * are set. Once lent, pool_lease_over() must follow when the transfer has ended.
 * With fresh_after it goes ahead of the queue, and queue.size does not count for it.
 */
MUST_USE struct conn *pool_acquire(struct pool *pool, struct waiter *waiter, enum err *ret_err);

/* What the waiter was lent is given back: the shares of solves and of each tenant are bounded. */
void pool_lease_over(struct pool *pool, const struct waiter *waiter);

/* Takes a waiter out of the queue; no callback comes. Does nothing when it is in none. */
void pool_cancel(struct pool *pool, struct waiter *waiter);

/* Would a request have to be refused for want of room in the queue? */
bool pool_queue_is_full(const struct pool *pool);

/* At the end of each loop turn. */
void pool_turn(struct pool *pool);
/* After it: how many clients are connected, for the load. */
void pool_count_load(struct pool *pool, uint64_t clients);

/* Ends every leased connection: its transfers fail with `err`. */
void pool_end_leased(struct pool *pool, enum err err, const char *reason);

size_t pool_bound_count(const struct pool *pool);
size_t pool_waiting_count(const struct pool *pool);

/* In so many seconds a request that joins the queue now would probably be served: 1 to 60, by how fast the queue drains. */
unsigned pool_retry_after_s(struct pool *pool);

/* Is it warm: min_idle spare connections ready, their tickets read, or every connection that the bound allows? */
bool pool_is_warm(const struct pool *pool);

/* --- between pool.c, pool_open.c and pool_load.c --- */
uint64_t pool_solve_places(const struct pool *pool); /* the most slots that solves may hold */
bool pool_may_lend_solve(const struct pool *pool);
/* Returns when it should be asked again although nothing changed; UINT64_MAX: never. */
uint64_t pool_open_missing(struct pool *pool);
/* A request asked for a slot, and was lent one at once or not; one waits no longer. A repeat is no other request. */
void pool_count_asked(struct pool *pool, const struct waiter *waiter, bool is_lent);
void pool_count_wait(struct pool *pool, const struct waiter *waiter);

/* --- for the other files of this folder --- */
static inline void pool_changed(struct pool *pool)
{
	pool->is_changed = true;
}
struct conn_rules pool_rules(const struct pool *pool);
uint64_t pool_random(struct pool *pool);
/* For a connection that is ready now: max_lifetime with jitter. */
uint64_t pool_expiry_ms(struct pool *pool);
/* Was there a request within warm_window? */
bool pool_is_in_use(const struct pool *pool);
void pool_connected(struct pool *pool, const struct conn *conn);
void pool_connect_failed(struct pool *pool, const struct addr *peer, enum err err,
			 const char *reason);
