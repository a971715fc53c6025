/* Counts over the last seconds. */
#include "base/window.h"

#include "base/macros.h"

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

uint64_t window_span_ms(struct window *window, uint64_t now_ms)
{
	advance(window, now_ms);
	for (uint64_t back = WINDOW_SECONDS - 1; back < WINDOW_SECONDS; back--) {
		uint64_t second = window->second - back;

		if (back <= window->second && window->counts[second % WINDOW_SECONDS] > 0) {
			return MAX(now_ms, window->second * 1000) - second * 1000 + 1;
		}
	}
	return 0;
}
