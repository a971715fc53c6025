/*
 * The serving side whole, in this process: proxy, pool and HTTP/1.1 codec as the daemon puts them together, without TLS, in a time
 * that stands still until serving_pass() moves it. The upstream is a listener on loopback whose end of each connection is the caller's.
 *
 * What must hold at every moment is checked at the end of each turn, what must be left at the end by serving_end().
 */
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "config/config.h"
#include "pool/pool.h"
#include "proxy/proxy.h"

#include <stdbool.h>
#include <stdint.h>

enum serving_upstream {
	UPSTREAM_LISTENS,
	UPSTREAM_REFUSES,  /* its port is shut */
	UPSTREAM_NAMELESS, /* DNS has no address of it */
	UPSTREAM_KINDS
};

struct serving {
	struct event_base *base; /* owned; lives on, as all down to the addresses */
	struct log log;
	struct config config;
	int listener;
	struct addr upstream_addrs[UPSTREAM_NAMELESS];
	struct addr client_addr;

	struct clock clock;
	struct metrics metrics;
	struct api_key api_key;
	struct pool pool;
	struct proxy proxy;
	uint64_t size_highest; /* pool.size was never above this */
};

extern struct serving serving;

void serving_begin(void);
/* All connections from outside must have been ended. */
void serving_end(void);

/* One turn of the loop, as in daemon/worker.c. */
void serving_turn(void);

/* Lets time pass, and what is due by then happen, in one turn. */
void serving_pass(uint64_t ms);

void serving_resolve(enum serving_upstream upstream);
void serving_set_size(uint64_t size);
/* The daemon was told to stop. */
void serving_drain(void);

/* Does the serving side have no clients and no requests any more? */
bool serving_is_quiet(void);
