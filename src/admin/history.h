/*
 * The last ten minutes, a sample a second, for the dashboard's plots: so that a page that is opened now shows what has been.
 */
#pragma once

#include "net/timer.h"

#include <stddef.h>
#include <stdint.h>

struct admin_view;
struct clock;
struct event_base;
struct page;

enum { HISTORY_SAMPLES = 600, HISTORY_STEP_MS = 1000 };

/* What was at its end, and what happened in its second. */
struct history_sample {
	uint32_t second; /* since 1970 */
	uint16_t leased, idle, opening,
		other; /* connections: opening ones connect or shake hands; others close or probe */
	uint16_t size; /* pool.size */
	uint32_t waiting;
	uint32_t requests;      /* answered in that second */
	uint32_t errors;        /* of them, with an error of ours */
	uint32_t wait_us;       /* their mean wait for a connection */
	uint32_t first_byte_us; /* and mean time to the first byte */
};

struct history {
	const struct admin_view *view; /* borrowed */
	struct timer timer;
	struct history_sample samples[HISTORY_SAMPLES];
	uint64_t taken; /* in all */
	/* Sums at the last sample. */
	uint64_t requests, errors, waits, wait_us, answers, first_byte_us;
};

void history_init(struct history *history, const struct admin_view *view, struct event_base *base,
		  struct clock *clock);
void history_fini(struct history *history);

/* {"step_ms":1000,"columns":[…],"samples":[[…],…]}, the oldest first. */
int history_write_page(const struct admin_view *view, struct page *page);
