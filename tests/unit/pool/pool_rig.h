/*
 * A pool under a false clock, with real sockets on loopback and a protocol of its own, "echo3": three exchanges at a time
 * on a connection; a request is any bytes up to a newline, the answer to the oldest one a newline.
 *
 * The rig is one and global: a test begins with rig_begin() and ends with rig_end(). Time passes by rig_pass() only, which fires
 * the timers that are due. rig_settle() lets what is on its way over loopback arrive.
 */
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "pool/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RIG_ADDRESSES = 3, RIG_PEERS = 512, RIG_CLIENTS = 64 };

/* The server's end of a connection; fd -1: closed. */
struct rig_peer {
	int fd;
	unsigned address; /* 0: 127.0.0.1, 1: 127.0.0.2, … */
	unsigned requests;
};

struct rig_client {
	struct waiter waiter;
	struct transfer transfer;
	struct conn *conn; /* while lent */
	enum err refused;  /* ERR_NONE: not */
	unsigned answers;
	unsigned failures;
};

struct rig {
	struct event_base *base;
	struct clock clock;
	struct log log;
	struct buffer_pool buffers;
	struct metrics metrics;
	struct client_rows rows; /* none; a test sets them before rig_begin() */
	struct tenants tenants;
	struct tenant *tenant;
	struct pool pool;
	int listeners[RIG_ADDRESSES];
	int fillers[RIG_ADDRESSES][8]; /* what fills the backlog of a deaf address */
	struct addr addrs[RIG_ADDRESSES];
	struct rig_peer peers[RIG_PEERS];
	size_t peer_count;
	struct rig_client clients[RIG_CLIENTS];
	size_t most_bound; /* the most connections that ever counted in the bound */
	bool answers_at_once;
};

extern struct rig rig;
extern const struct pool_settings
	rig_settings; /* size 25, min_idle 4, max_connecting 4, no lifetime, auto */

/* The upstream has the first `addresses` ones. */
void rig_begin(const struct pool_settings *settings, size_t addresses);
void rig_end(void);

void rig_settle(void);
void rig_pass(uint64_t ms);
/* In steps, so that every timer sees its own moment. */
void rig_pass_slowly(uint64_t ms, uint64_t step_ms);
/* The same in steps of 50 ms, with so many spares there after each. */
void rig_pass_with_spares(uint64_t ms, size_t least);

/* From now on connects to it get no answer. */
void rig_make_deaf(unsigned address);
/* DNS says: these, a bit each. */
void rig_resolve(unsigned addresses);

/* A client asks for a slot; the request goes out when it is lent. */
struct rig_client *rig_ask(enum queue_class class);
struct rig_client *rig_ask_as(struct tenant *tenant, enum queue_class class);

size_t rig_count(enum conn_state state);
/* Idle connections that are not about to be replaced. */
size_t rig_spares(void);
size_t rig_open_peers(unsigned address);
/* The server's end of a connection. */
struct rig_peer *rig_peer_of(const struct conn *conn);
void rig_close_peer(struct rig_peer *peer);
void rig_close_idle_peers(void);
/* The server answers the oldest request on it. */
void rig_answer(const struct conn *conn);
