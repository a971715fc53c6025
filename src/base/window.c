/* Counts over the last seconds. */
#include "base/window.h"

/* Empties the slots of the seconds that have passed since the newest one. */
static void advance(struct window *window, uint64_t now_ms)
{
	uint64_t second = now_ms / 1000;

	if (second <= window->second) {
		return;
	}
	if (second - window->second >= WINDOW_SECONDS) {
		*window = (struct window){.second = second};
		return;
	}
	while (window->second < second) {
		window->counts[++window->second % WINDOW_SECONDS] = 0;
	}
}

void window_add(struct window *window, uint64_t now_ms)
{
	advance(window, now_ms);
	window->counts[window->second % WINDOW_SECONDS]++;
}

uint64_t window_count(struct window *window, uint64_t now_ms)
{
	uint64_t count = 0;

	advance(window, now_ms);
	for (unsigned i = 0; i < WINDOW_SECONDS; i++) {
		count += window->counts[i];
	}
	return count;
}
