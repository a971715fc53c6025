/*
 * How often something happened in the last WINDOW_SECONDS, the present second included, in slots of a second.
 * Zeroed memory is a valid empty one. A clock that goes back counts for the newest second.
 */
#pragma once

#include <stdint.h>

enum { WINDOW_SECONDS = 10 };

struct window {
	uint64_t second;                 /* of the newest slot */
	uint32_t counts[WINDOW_SECONDS]; /* at second % WINDOW_SECONDS */
};

void window_add(struct window *window, uint64_t now_ms);
uint64_t window_count(struct window *window, uint64_t now_ms);

/* Over which time the count came together: since the oldest second in which something happened; 0 when nothing did. */
uint64_t window_span_ms(struct window *window, uint64_t now_ms);
