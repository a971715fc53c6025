/*
 * Lets THROTTLE_MOST within WINDOW_SECONDS through and counts the rest: for lines of the log that a stranger can cause.
 * Zeroed memory is a valid one.
 */
#pragma once

#include "base/window.h"

#include <stdbool.h>
#include <stdint.h>

enum { THROTTLE_MOST = 10 };

struct throttle {
	struct window let;
	uint64_t held; /* since the last that was let through; whoever says so sets it to 0 */
};

/* Is there room for this one? If not, it counts as held. */
bool throttle_lets(struct throttle *throttle, uint64_t now_ms);

/* This one goes through, room or not. */
void throttle_let(struct throttle *throttle, uint64_t now_ms);
