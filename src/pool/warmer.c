/* Decides when another connection is opened. */
#include "pool/warmer.h"

#include "base/macros.h"

enum { DRAW_STEPS = 1024 };

bool warmer_is_open(const struct warmer *warmer)
{
	return warmer->failures >= WARMER_BREAKER_FAILURES &&
	       warmer->last_failure_ms - warmer->first_failure_ms >= WARMER_BREAKER_SPAN_MS;
}

static uint64_t backoff_ms(const struct warmer *warmer, bool has_demand)
{
	uint64_t longest_ms = has_demand ? WARMER_BACKOFF_DEMAND_MS : WARMER_BACKOFF_QUIET_MS;
	unsigned doublings = MIN(warmer->failures - 1, 10u);
	uint64_t full_ms = (uint64_t)WARMER_BACKOFF_FIRST_MS << doublings;

	full_ms = MIN(full_ms, longest_ms);
	if (warmer_is_open(warmer)) {
		full_ms = MIN(full_ms, (uint64_t)WARMER_PROBE_MS);
	}
	return full_ms * (1 + warmer->draw % DRAW_STEPS) / DRAW_STEPS;
}

static uint64_t resume_ms(const struct warmer *warmer, const struct warmer_view *view)
{
	if (warmer->failures == 0) {
		return 0;
	}
	return warmer->last_failure_ms + backoff_ms(warmer, view->waiting + view->urgent > 0);
}

/* Without regard to back-off. */
static uint64_t missing(const struct warmer *warmer, const struct warmer_view *view)
{
	uint64_t room = view->size > view->bound ? view->size - view->bound : 0;
	uint64_t usual = view->waiting + MIN(view->min_idle, view->size);
	uint64_t wanted = view->urgent + (usual > view->idle ? usual - view->idle : 0);

	if (warmer_is_open(warmer) && view->bound == 0) {
		wanted = MAX(wanted, 1); /* the probe: nobody waits while the breaker is open */
	}
	return wanted > view->connecting ? MIN(wanted - view->connecting, room) : 0;
}

uint64_t warmer_wanted(const struct warmer *warmer, const struct warmer_view *view, uint64_t now_ms)
{
	uint64_t at_a_time = view->max_connecting;

	if (now_ms < resume_ms(warmer, view)) {
		return 0;
	}
	if (warmer->failures > 0) {
		at_a_time = 1;
	} else if (warmer->ramp > 0) {
		at_a_time = MIN(at_a_time, (uint64_t)warmer->ramp);
	}
	if (view->connecting >= at_a_time) {
		return 0;
	}
	return MIN(missing(warmer, view), at_a_time - view->connecting);
}

uint64_t warmer_wake_ms(const struct warmer *warmer, const struct warmer_view *view)
{
	return missing(warmer, view) > 0 && warmer->failures > 0 && view->connecting == 0
		       ? resume_ms(warmer, view)
		       : UINT64_MAX;
}

void warmer_failed(struct warmer *warmer, uint64_t now_ms, uint64_t draw)
{
	if (warmer->failures == 0) {
		warmer->first_failure_ms = now_ms;
	}
	warmer->failures++;
	warmer->last_failure_ms = now_ms;
	warmer->draw = draw;
	warmer->ramp = 1;
}

void warmer_succeeded(struct warmer *warmer)
{
	if (warmer->failures > 0) {
		warmer->failures = 0;
		return;
	}
	/* Doubles until it is above any bound that matters, then is of no account. */
	if (warmer->ramp > 0) {
		warmer->ramp = warmer->ramp < 1024 ? warmer->ramp * 2 : 0;
	}
}
