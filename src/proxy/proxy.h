/*
 * The serving side: owns the clients and their exchanges, borrows the pool and everything below.
 */
#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/throttle.h"
#include "config/config.h"
#include "config/config_key.h"
#include "pool/tenant.h"
#include "proxy/guesses.h"
#include "proxy/records.h"
#include "proxy/retry.h"
#include "proxy/usage.h"

#include <stdbool.h>
#include <stdint.h>

struct access;
struct clock;
struct event_base;
struct log;
struct metrics;
struct pool;
struct tokens;

enum client_phase {
	CLIENT_IDLE,      /* between requests; the longest idle is last */
	CLIENT_HEAD,      /* part of a head is here */
	CLIENT_BODY,      /* the head was admitted, the body is coming */
	CLIENT_WAITING,   /* its request is on its way */
	CLIENT_REPLYING,  /* its reply is being written */
	CLIENT_LINGERING, /* answered and half-closed: what it still sends is read and dropped */
	CLIENT_DEAD,      /* closed; freed at the end of the turn */
	CLIENT_PHASES
};

/* Who must give a token, and who has guessed. */
struct guard {
	const struct tokens *tokens; /* borrowed; NULL: none are asked for */
	struct guesses guesses;
	struct throttle lines; /* of the log, for missing and wrong tokens */
};

struct proxy {
	struct event_base *base;     /* borrowed */
	struct clock *clock;         /* borrowed */
	struct log *log;             /* borrowed */
	struct metrics *metrics;     /* borrowed */
	const struct config *config; /* borrowed */
	struct pool *pool;           /* borrowed */
	struct access *access;       /* owned */
	struct guard guard;
	struct throttle handshake_lines; /* of the log, for TLS handshakes of clients that failed */
	const char *upstream_host;       /* borrowed; the URL's name */
	const char *upstream_authority;  /* borrowed; with a port that is not the scheme's own */
	uint16_t upstream_port;
	const struct api_key
		*api_key; /* borrowed; put into requests without one; len 0: there is none */
	struct buffer_pool buffers;
	struct mem_cache client_cache;
	struct mem_cache exchange_cache;
	struct list clients[CLIENT_PHASES];
	struct list exchanges; /* all of them */
	struct list pending;   /* clients of which TLS holds bytes: for the next loop turn */
	struct tenants tenants;
	struct retry_budget budget;
	struct records ledger; /* paid requests of whose fate a user must know */
	struct usage usage;
	struct records errors;        /* the last that we answered with an error */
	void (*on_room)(void *owner); /* is_full was set, and a client has gone or become idle */
	void *owner;                  /* borrowed */
	uint64_t last_client_number;
	size_t turn_read_bytes; /* from clients, in this loop turn */
	size_t most_exchanges;  /* at a time, since memory was given back last */
	size_t most_clients;    /* likewise: each that shook hands took memory of OpenSSL */
	uint64_t gave_back_ms;
	bool is_full; /* accepting pauses: limits.clients is reached and none is idle */
	bool is_over; /* the drain's time is over: nothing is repeated any more */
	bool is_draining; /* every reply says Connection: close; what still comes on open connections is served */
};

/* The caller has set metrics, upstream_*, api_key, pool and on_room before; guard.tokens and the key's contents may change at any time. */
void proxy_init(struct proxy *proxy, struct event_base *base, struct clock *clock, struct log *log,
		const struct config *config);
/* Closes every client; exchanges that were sent end with pool_fini(), which must come between these two. */
void proxy_fini(struct proxy *proxy);
void proxy_free(struct proxy *proxy);

/* The configuration's contents changed in their place. */
void proxy_apply_config(struct proxy *proxy);

/* At the end of each loop turn, after pool_turn(). */
void proxy_turn(struct proxy *proxy);

/* Connections that count under limits.clients. */
size_t proxy_client_count(const struct proxy *proxy);

/* Closes the longest idle client, keep-alive or refused, on which nothing waits to be read; false when there is none. */
bool proxy_close_idle_client(struct proxy *proxy);

/* Shutdown: no more keep-alive; idle clients are closed after 1 s of rest. */
void proxy_drain(struct proxy *proxy);
/* Nothing is in flight any more, and no reply is being written? */
bool proxy_is_drained(const struct proxy *proxy);
/* The drain's time is over: what is queued is answered 503, what is in flight fails. */
void proxy_refuse_all(struct proxy *proxy);
