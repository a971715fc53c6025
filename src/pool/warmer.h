/*
 * When to open another connection: demand, spares, back-off, breaker, slow start. Pure policy under the caller's clock.
 *
 * Back-off after failures in a row: full jitter over 250 ms doubling, to 500 ms while requests wait and to 15 s without
 * demand. The breaker opens after 5 failures in a row spanning at least 2 s; then one probe at a time, at most 750 ms apart.
 * An attempt is made when those 2 s are over, so that the breaker opens then and not a back-off later.
 * After a success that ended a row of failures the pool opens 1, 2, 4, … at a time (slow start) up to max_connecting.
 *
 * Stalls: while requests wait, a connect that takes longer than 1 s and twice the usual time (doubling with each one given up, so that
 * a slow line is not starved) is not counted on any more. Others are opened beside it, and when every place of max_connecting is taken, the oldest of
 * those that stall gives its place up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	WARMER_BACKOFF_FIRST_MS = 250,
	WARMER_BACKOFF_DEMAND_MS = 500,
	WARMER_BACKOFF_QUIET_MS = 15000,
	WARMER_BREAKER_FAILURES = 5,
	WARMER_BREAKER_SPAN_MS = 2000,
	WARMER_PROBE_MS = 750, /* with the connect itself, a recovery is seen within a second */
	WARMER_STALL_MS = 1000,
};

struct warmer {
	unsigned failures; /* in a row */
	uint64_t first_failure_ms;
	uint64_t last_failure_ms;
	uint64_t draw;     /* a random number: the jitter of the present wait */
	unsigned given_up; /* stalled connects in a row */
	unsigned ramp;     /* how many may be opened at a time; 0: no bound of its own */
};

struct warmer_view {
	uint64_t size;
	uint64_t min_idle;
	uint64_t max_connecting;
	uint64_t connecting; /* handshaking too; those that stall are not among them */
	uint64_t stalled;    /* older than warmer_stall_ms() */
	uint64_t stall_ms;   /* when the next of those connecting will stall; UINT64_MAX: none */
	uint64_t idle;       /* fit to be lent for a while yet */
	uint64_t bound;      /* connections that count in the bound, connecting ones included */
	uint64_t waiting;    /* requests in the queue */
	uint64_t urgent; /* repeats: only a connection yet to be opened serves them, no idle one */
};

/* How many connections to open now. */
uint64_t warmer_wanted(const struct warmer *warmer, const struct warmer_view *view,
		       uint64_t now_ms);

/* When warmer_wanted() should be asked again although nothing changed; UINT64_MAX: never. */
uint64_t warmer_wake_ms(const struct warmer *warmer, const struct warmer_view *view);

/* A connect that begins now stalls when it takes longer than this; `usual_ms` is what they took lately. */
uint64_t warmer_stall_ms(const struct warmer *warmer, uint64_t usual_ms);

/* Should the oldest connect that stalls give its place up now? */
bool warmer_gives_up(const struct warmer *warmer, const struct warmer_view *view, uint64_t now_ms);
void warmer_gave_up(struct warmer *warmer);

/* `draw` is a random number. */
void warmer_failed(struct warmer *warmer, uint64_t now_ms, uint64_t draw);
void warmer_succeeded(struct warmer *warmer);

bool warmer_is_open(const struct warmer *warmer);
