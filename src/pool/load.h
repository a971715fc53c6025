/*
 * What was asked of the pool and what it did: counted over the last hour, for the sizing advice (admin/advice.h). Pure: the caller
 * brings the time and the numbers.
 *
 * Counting is cheap, since it happens for every request: a few additions, no allocation, no division unless 10 s have passed.
 * Slices of 10 s make up the last five minutes, windows of five minutes the hour; some 50 kB in all, whatever the load.
 *
 * "Demand" is what would be leased if the pool were large enough: slots that are lent, and requests that wait and could be served.
 * Those held back by a bound of their own (max_inflight, pool.solve_share) are no demand: a larger pool would not serve them.
 */
#pragma once

#include "pool/tenant.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOAD_SLICE_S = 10,
	LOAD_SLICES = 30, /* of a window */
	LOAD_WINDOW_S = LOAD_SLICE_S * LOAD_SLICES,
	LOAD_WINDOWS = 12, /* whole ones that are kept */
	LOAD_DEMAND_MOST = 65535,
	/* How many requests found so much demand: exact below LOAD_EXACT, 16 cells for each doubling above. */
	LOAD_EXACT = 64,
	LOAD_CELLS = LOAD_EXACT + 10 * 16,
};

struct load_window {
	uint64_t span_us;
	uint64_t asked;          /* requests that asked for a slot; a repeat is no other request */
	uint64_t waited_full;    /* of those: had to wait, or were refused, because all was lent */
	uint64_t waited_opening; /* because a connection had to be opened first */
	uint64_t held;           /* because of a bound of their own */
	uint64_t wait_us;        /* all waits together, those that ended without a slot included */
	uint64_t leases[QUEUE_CLASSES];   /* that ended */
	uint64_t lease_us[QUEUE_CLASSES]; /* all together */
	uint64_t openings;                /* connections that became ready */
	uint64_t opening_us;              /* all together, from connect to ready */
	uint64_t demand_us;               /* demand over time: its mean times span_us */
	uint64_t demand_square_us;        /* the same of its square */
	uint64_t found; /* demand that each request found, itself not counted: the sum */
	uint32_t found_cells[LOAD_CELLS]; /* and how it is spread */
	uint32_t peak_leased;
	uint32_t peak_demand;
	uint32_t peak_clients;
};

/* What holds from now on. */
struct load_state {
	uint64_t leased;
	uint64_t waiting; /* could be served */
	uint64_t clients; /* open client connections */
};

struct load {
	uint64_t since_us;
	uint64_t at_us;  /* counted up to here */
	uint64_t number; /* of the present slice, from since_us on */
	uint64_t demand; /* since at_us */
	struct load_state state;
	struct load_window slices[LOAD_SLICES];       /* at number % LOAD_SLICES */
	struct load_window windows[LOAD_WINDOWS + 1]; /* the present, unfinished one among them */
};

/* How a request was met. */
struct load_ask {
	uint64_t found; /* demand before it */
	uint64_t size;  /* pool.size */
	bool is_lent;   /* at once */
	bool is_held;   /* back, by its tenant's max_inflight or pool.solve_share */
};

void load_init(struct load *load, uint64_t now_us);

/* Everything counted so far is forgotten: another pool.size makes other waits. */
void load_restart(struct load *load, uint64_t now_us);

/* A request asked for a slot (once, whatever becomes of it). */
void load_ask(struct load *load, uint64_t now_us, const struct load_ask *ask);
/* It waits no longer: it was lent one, or gave up. */
void load_wait_over(struct load *load, uint64_t now_us, uint64_t wait_us);
/* A slot was given back. */
void load_lease_over(struct load *load, uint64_t now_us, enum queue_class class, uint64_t lease_us);
/* A connection became ready. */
void load_opened(struct load *load, uint64_t now_us, uint64_t opening_us);
/* At the end of a loop turn in which one of these changed. */
void load_turn(struct load *load, uint64_t now_us, const struct load_state *state);

struct load_report {
	uint64_t observed_us; /* how long it has been counting; not more than is kept */
	uint64_t asked;       /* in that time */
	size_t count;
	struct load_window
		windows[LOAD_WINDOWS + 1]; /* whole ones, the oldest first; the last is `recent` */
	struct load_window recent;         /* the last five minutes, or less at the beginning */
	struct load_window
		before; /* all whole windows that ended before those; empty in the beginning */
};

void load_read(struct load *load, uint64_t now_us, struct load_report *ret_report);

/* The share of the requests that found at least `demand`; inside a wide cell they are taken to be spread evenly. */
double load_share_found(const struct load_window *window, uint64_t demand);

uint64_t load_lease_count(const struct load_window *window);
uint64_t load_lease_sum_us(const struct load_window *window);
