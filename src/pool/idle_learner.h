/*
 * How long may a connection sit idle before the server closes it? Pure policy under the caller's clock.
 *
 * What it learns from:
 *   hint      Keep-Alive: timeout=N of a response: N less 2 s. Forgotten after 16 responses in a row without one.
 *   closes    the idle age at which the server closed connections, less one round trip and 1 s. The age is counted here, from the
 *             last byte read to the FIN: both were half a round trip on their way, so it is the server's own figure.
 * Until then 50 s are assumed. The lower of hint and closes holds, never under 2 s. A number in the
 * configuration switches all of it off.
 *
 * Falls at once, rises slowly: a lower hint counts at once, a higher one lifts the value by an eighth of the difference a response, once
 * no lower one came for 10 s.
 * A close counts only when another one, at least a second apart, agrees with it (within 10 % or 500 ms). Then a lower
 * age holds at once; else the value rises by a quarter of the way to the tenth percentile of the ages remembered.
 *
 * Not learned from (idle_learner_judge() waits a second before it decides):
 *   - two or more closes within a second at ages that do not agree: the server was restarted;
 *   - closes within a second of the last response, and closes that share the connection's age, or its number of requests (of two
 *     or more), with more of the others than they share the idle age with: the server bounds those;
 *   - resets, and closes after a suspend: the caller does not report them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	IDLE_ASSUMED_MS = 50000,
	IDLE_LEAST_MS = 2000,
	IDLE_HINT_MARGIN_MS = 2000,
	IDLE_CLOSE_MARGIN_MS = 1000,
	IDLE_JUDGE_AFTER_MS = 1000,
	IDLE_CLOSES_KEPT = 16,
};

enum idle_source { IDLE_ASSUMED, IDLE_OBSERVED, IDLE_HINT, IDLE_CONFIGURED, IDLE_SOURCES };

const char *idle_source_name(enum idle_source source); /* "observed" */

/* One connection that the server closed, in order, while it was idle. */
struct idle_close {
	uint64_t at_ms;
	uint64_t idle_ms;
	uint64_t age_ms; /* since it was ready */
	uint64_t requests;
};

enum idle_verdict { IDLE_PENDING, IDLE_COUNTED, IDLE_RESTART, IDLE_OTHER_BOUND };

/* Zeroed memory is a valid one that knows nothing. */
struct idle_learner {
	uint64_t configured_ms;                     /* 0: learn */
	uint64_t hint_ms;                           /* 0: none yet */
	uint64_t low_hint_ms;                       /* when the hint was last as low as that */
	unsigned without_hint;                      /* responses in a row */
	uint64_t observed_ms;                       /* 0: none yet */
	uint64_t observations;                      /* closes that counted, all told */
	struct idle_close closes[IDLE_CLOSES_KEPT]; /* the last ones; at_ms 0: none */
	enum idle_verdict verdicts[IDLE_CLOSES_KEPT];
	unsigned next;    /* the place of the next close */
	unsigned pending; /* closes not judged yet */
};

/* 0: learn. What was learned is kept meanwhile. */
void idle_learner_configure(struct idle_learner *learner, uint64_t idle_timeout_ms);

/* At each response; 0 seconds: it had no hint. */
void idle_learner_hint(struct idle_learner *learner, uint64_t seconds, uint64_t now_ms);
void idle_learner_close(struct idle_learner *learner, const struct idle_close *close);

/* Decides about the closes that are a second old. */
void idle_learner_judge(struct idle_learner *learner, uint64_t now_ms, uint64_t round_trip_ms);
/* When to call it next; UINT64_MAX: no close waits. */
uint64_t idle_learner_judge_ms(const struct idle_learner *learner);

/* A connection idle this long is not lent any more. */
uint64_t idle_learner_safe_ms(const struct idle_learner *learner);
enum idle_source idle_learner_source(const struct idle_learner *learner);
