/*
 * The sizing advice: is the pool the right size? Pure arithmetic on what was counted (pool/load.h); docs/sizing.md explains it.
 *
 * Judged is the five minutes of the last hour that need the largest pool. The size aimed at is the one at which 1 % of the requests
 * wait. No advice is given on fewer than ADVICE_REQUESTS requests or ADVICE_OBSERVED_S seconds.
 */
#pragma once

#include "admin/load_model.h"
#include "pool/load.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ADVICE_REQUESTS = 1000,
	ADVICE_OBSERVED_S = 600,
	ADVICE_SIZE_MOST = 10000,  /* of pool.size */
	ADVICE_CONN_BYTES = 30000, /* at most: tests/functional/test_memory_per_connection.py */
	ADVICE_STEPS = 36,         /* the rows from 1 to twice the present size, about */
	ADVICE_ROWS = ADVICE_STEPS + 7, /* and those that are named */
	ADVICE_LINES = 16,
	ADVICE_LINE_BYTES = 320,
};

struct advice_settings {
	uint64_t size;     /* pool.size */
	uint64_t min_idle; /* pool.min_idle */
	uint64_t conn_bytes;
	uint64_t other_descriptors; /* limits.clients and the daemon's own */
	uint64_t descriptor_limit;  /* 0: not known */
	uint64_t opening_us;        /* of late, where none is counted; 0: not known */
};

enum advice_verdict {
	ADVICE_FEW_REQUESTS, /* these three: no advice */
	ADVICE_SHORT_TIME,
	ADVICE_NO_ANSWER, /* no request came to an end */
	ADVICE_TOO_SMALL,
	ADVICE_RIGHT,
	ADVICE_TOO_LARGE,
};

/* The last five minutes beside the time before them. */
enum advice_trend { ADVICE_STEADY, ADVICE_UP, ADVICE_DOWN };

enum advice_fit {
	ADVICE_AGREES,
	ADVICE_WAITS_MORE, /* more than twice what the model says */
	ADVICE_WAITS_LESS, /* less than half of it */
};

struct advice_row {
	uint64_t size;
	double use;    /* share of the connections that are leased on average */
	double wait;   /* share of the requests that wait: the model's */
	double expect; /* what to expect, with what was found; the size is chosen by this */
	uint64_t memory_bytes;
	uint64_t descriptors; /* the daemon's, all together */
	bool is_now;
	bool is_suggested;
	bool is_seed; /* the lower or the upper end of the rule of thumb */
};

struct advice {
	enum advice_verdict verdict;
	uint64_t observed_us;
	uint64_t asked;
	struct advice_settings settings;
	/* The rest is 0 when there is no advice. */
	struct load_model model; /* of the window that is judged */
	uint64_t peak_leased;
	uint64_t peak_demand;
	double used;      /* share of the connections that were leased on average */
	double predicted; /* share that waits at the present size, by the model; beside model.measured */
	double opening; /* share that waited for a connection to be opened in a pool that was not full */
	double held;   /* share that waited for a bound of their own, whatever the pool's size */
	double wait_s; /* mean wait of those that waited, for whatever reason; 0: none did */
	enum advice_fit fit;
	uint64_t needed; /* the size for 1 %; ADVICE_SIZE_MOST + 1: larger than a pool can be */
	uint64_t size;   /* what to set pool.size to; the present one when it is right */
	bool is_step;    /* `size` is only a step: too little is known of what lies beyond */
	uint64_t
		min_idle; /* spares: what can be needed while a connection is opened, in 99 % of the cases */
	double opening_s; /* mean time to open one; 0: not known */
	enum advice_trend arrivals;
	enum advice_trend lease;
	double arrivals_factor; /* now by before; 0: not known */
	double lease_factor;    /* the same, class by class: another mix of requests is no trend */
	uint64_t callers;       /* at once, at most: open client connections, or requests if more */
	uint64_t seed_low;      /* callers × one request each, + 10 % */
	uint64_t seed_high;     /* + 20 % */
	size_t row_count;
	struct advice_row rows[ADVICE_ROWS]; /* ascending */
};

void advice_compute(const struct load_report *report, const struct advice_settings *settings,
		    struct advice *ret_advice);

const char *advice_verdict_name(enum advice_verdict verdict); /* "too small", … */

/* --- advice_words.c --- */
struct advice_words {
	size_t count;
	char lines[ADVICE_LINES][ADVICE_LINE_BYTES]; /* plain text, one thing each */
};

void advice_words(const struct advice *advice, struct advice_words *ret_words);
