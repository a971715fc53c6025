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

static bool has_demand(const struct warmer_view *view)
{
	return view->waiting + view->urgent > 0;
}

static uint64_t resume_ms(const struct warmer *warmer, const struct warmer_view *view)
{
	uint64_t open_ms = warmer->first_failure_ms + WARMER_BREAKER_SPAN_MS;
	uint64_t next_ms = warmer->last_failure_ms + backoff_ms(warmer, has_demand(view));

	if (warmer->failures == 0) {
		return 0;
	}
	return warmer->last_failure_ms < open_ms && has_demand(view) ? MIN(next_ms, open_ms)
								     : next_ms;
}

/* How many should be opened, without regard to back-off and places. */
static uint64_t missing(const struct warmer *warmer, const struct warmer_view *view)
{
	uint64_t usual = view->waiting + MIN(view->min_idle, view->size);
	uint64_t wanted = view->urgent + (usual > view->idle ? usual - view->idle : 0);
	uint64_t coming = view->connecting + (has_demand(view) ? 0 : view->stalled);

	if (warmer_is_open(warmer) && view->bound == 0) {
		wanted = MAX(wanted, 1); /* the probe: nobody waits while the breaker is open */
	}
	return wanted > coming ? wanted - coming : 0;
}

static uint64_t room_of(const struct warmer_view *view)
{
	return view->size > view->bound ? view->size - view->bound : 0;
}

/* How many may be connecting at a time now, those that stall aside. */
static uint64_t at_a_time(const struct warmer *warmer, const struct warmer_view *view)
{
	if (warmer->failures > 0) {
		return 1;
	}
	return warmer->ramp > 0 ? MIN(view->max_connecting, (uint64_t)warmer->ramp)
				: view->max_connecting;
}

uint64_t warmer_wanted(const struct warmer *warmer, const struct warmer_view *view, uint64_t now_ms)
{
	uint64_t taken = view->connecting + view->stalled;
	uint64_t most = at_a_time(warmer, view);
	uint64_t wanted = MIN(missing(warmer, view), room_of(view));

	if (now_ms < resume_ms(warmer, view)) {
		return 0;
	}
	if (view->connecting >= most || taken >= view->max_connecting) {
		return 0;
	}
	wanted = MIN(wanted, most - view->connecting);
	return MIN(wanted, view->max_connecting - taken);
}

uint64_t warmer_stall_ms(const struct warmer *warmer, uint64_t usual_ms)
{
	return MAX((uint64_t)WARMER_STALL_MS, 2 * usual_ms) << MIN(warmer->given_up, 10u);
}

bool warmer_gives_up(const struct warmer *warmer, const struct warmer_view *view, uint64_t now_ms)
{
	bool is_full =
		view->connecting + view->stalled >= view->max_connecting || room_of(view) == 0;

	return view->stalled > 0 && is_full && has_demand(view) && missing(warmer, view) > 0 &&
	       view->connecting < at_a_time(warmer, view) && now_ms >= resume_ms(warmer, view);
}

void warmer_gave_up(struct warmer *warmer)
{
	warmer->given_up++;
}

uint64_t warmer_wake_ms(const struct warmer *warmer, const struct warmer_view *view)
{
	bool may_open =
		view->connecting + view->stalled < view->max_connecting && room_of(view) > 0;
	bool may_give_up = view->stalled > 0 && has_demand(view);
	uint64_t wake_ms = UINT64_MAX;

	/* Only for what could be done then: else the same moment would come again at once. */
	if (warmer->failures > 0 && view->connecting == 0 && missing(warmer, view) > 0 &&
	    (may_open || may_give_up)) {
		wake_ms = resume_ms(warmer, view);
	}
	return has_demand(view) ? MIN(wake_ms, view->stall_ms) : wake_ms;
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
	warmer->given_up = 0;
	if (warmer->failures > 0) {
		warmer->failures = 0;
		return;
	}
	/* Doubles until it is above any bound that matters, then is of no account. */
	if (warmer->ramp > 0) {
		warmer->ramp = warmer->ramp < 1024 ? warmer->ramp * 2 : 0;
	}
}
