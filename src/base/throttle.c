/* How many lines of a kind the log takes. */
#include "base/throttle.h"

void throttle_let(struct throttle *throttle, uint64_t now_ms)
{
	window_add(&throttle->let, now_ms);
}

bool throttle_lets(struct throttle *throttle, uint64_t now_ms)
{
	if (window_count(&throttle->let, now_ms) >= THROTTLE_MOST) {
		throttle->held++;
		return false;
	}
	throttle_let(throttle, now_ms);
	return true;
}
