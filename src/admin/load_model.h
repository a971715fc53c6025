/*
 * Which model of queueing fits the load of a window, and what it says about other sizes. Pure.
 *
 * Told by whom a request meets. Requests that come independently of each other (Poisson) find, on average, the demand that there is
 * over time. Then Erlang C holds.
 *
 * Callers that wait for their answer before they ask again do not meet themselves: their requests find less. From how much less follows
 * how many callers there are: in M/M/c//N the mean of the demand over time is above the mean found by var/(N - mean), at any
 * size. It shows when the number of callers matters: when they ask again at once, or when the pool is so small that most of them wait in it.
 * Then what is observed are not the requests that would come: each answer that comes late makes the next request later.
 *
 * Requests that come together (timers in lock step, a list that is worked off at once) find more. No formula holds then for other
 * sizes; what the requests found does.
 */
#pragma once

#include "pool/load.h"

#include <stdint.h>

enum load_kind {
	LOAD_OPEN,   /* independent requests: Erlang C */
	LOAD_CLOSED, /* a limited number of callers: M/M/c//N */
	LOAD_BURSTY, /* many at once: Erlang C falls short */
};

const char *load_model_name(enum load_kind kind); /* "independent requests", … */

struct load_model {
	enum load_kind kind;
	double rate;          /* requests a second */
	double lease_s;       /* mean time that one holds a connection */
	double offered;       /* erlangs: what would be leased on average if nobody ever waited */
	double demand;        /* mean of what was leased or waited, over time */
	double found;         /* mean of the same as the requests found it */
	double measured;      /* share of the requests that waited because all was lent */
	uint64_t sources;     /* LOAD_CLOSED: how many callers */
	double ratio;         /* LOAD_CLOSED: mean lease by mean pause */
	bool is_beyond_model; /* more waited than the model says: what was found counts too */
};

/* `size` is the pool's during the window, which holds requests and ended leases. */
struct load_model load_model_fit(const struct load_window *window, uint64_t size);

/* What the formula says: the share of the requests that would wait in a pool of this size. */
double load_model_wait(const struct load_model *model, uint64_t size);

/*
 * What to expect, the formula and what was found taken together. `now` is the pool's size during the window. In a smaller pool at least
 * those wait that found so much demand; in a larger one it is no more than those, and as many when they come in bursts.
 */
double load_model_expect(const struct load_model *model, const struct load_window *window,
			 uint64_t size, uint64_t now);

/* The smallest size at which no more than this share is expected to wait; most + 1 when `most` is too small. */
uint64_t load_model_size(const struct load_model *model, const struct load_window *window,
			 double share, uint64_t now, uint64_t most);

/* Do the shares differ by more than a factor of two, and by more than chance and single moments make of it? */
bool load_model_differs(const struct load_model *model, const struct load_window *window,
			double predicted);
