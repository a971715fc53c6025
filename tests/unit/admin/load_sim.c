/* Simulates a pool: next the event that comes first, until the time is over. */
#include "admin/load_sim.h"

#include <check.h>

#include <math.h>

enum { CALLERS_MOST = 512, WAITING_MOST = 8192 };

/* Moments, INFINITY where there is none, and which one comes first. */
struct moments {
	unsigned count;
	unsigned first;
	double at_s[CALLERS_MOST];
};

struct state {
	const struct sim *sim;
	struct load *load;
	uint64_t random;
	double now_s;
	double start_s;
	double next_s;        /* the next independent request */
	struct moments wakes; /* of callers; none while they wait or are served */
	struct moments ends;  /* of leases; none: free */
	double starts_s[CALLERS_MOST];
	unsigned users[CALLERS_MOST]; /* whose lease it is */
	unsigned leased;
	struct {
		double since_s;
		unsigned user;
	} waiting[WAITING_MOST];
	unsigned first;
	unsigned last;
};

static void set_moment(struct moments *moments, unsigned i, double at_s)
{
	moments->at_s[i] = at_s;
	if (at_s < moments->at_s[moments->first]) {
		moments->first = i;
	} else if (i == moments->first) {
		for (unsigned n = 0; n < moments->count; n++) {
			bool is_earlier = moments->at_s[n] < moments->at_s[moments->first];

			moments->first = is_earlier ? n : moments->first;
		}
	}
}

static double draw(struct state *state)
{
	state->random ^= state->random << 13;
	state->random ^= state->random >> 7;
	state->random ^= state->random << 17;
	return ((double)(state->random >> 11) + 0.5) / 9007199254740992.0;
}

static double draw_time(struct state *state, struct sim_time time)
{
	switch (time.spread) {
	case SIM_EXPONENTIAL:
		return -log(draw(state)) * time.mean_s;
	case SIM_JITTER:
		return (0.8 + 0.4 * draw(state)) * time.mean_s;
	case SIM_FIXED:
		break;
	}
	return time.mean_s;
}

static uint64_t us(double seconds)
{
	return (uint64_t)(seconds * 1e6);
}

static unsigned waiting(const struct state *state)
{
	return state->last - state->first;
}

static void lease(struct state *state, unsigned user)
{
	for (unsigned i = 0; i < state->sim->size; i++) {
		if (isinf(state->ends.at_s[i])) {
			state->starts_s[i] = state->now_s;
			set_moment(&state->ends, i,
				   state->now_s + draw_time(state, state->sim->lease));
			state->users[i] = user;
			state->leased++;
			return;
		}
	}
	ck_abort_msg("no connection is free");
}

static void ask(struct state *state, unsigned user)
{
	const struct load_ask ask = {
		.found = state->leased + waiting(state),
		.size = state->sim->size,
		.is_lent = state->leased < state->sim->size,
	};

	load_ask(state->load, us(state->now_s), &ask);
	if (ask.is_lent) {
		lease(state, user);
		return;
	}
	ck_assert_uint_lt(waiting(state), WAITING_MOST);
	state->waiting[state->last % WAITING_MOST].since_s = state->now_s;
	state->waiting[state->last++ % WAITING_MOST].user = user;
}

/* When a caller asks again that has its answer now. */
static double wake_s(struct state *state)
{
	double pause_s = state->sim->pause.mean_s;

	if (state->sim->is_in_step) {
		double passed = floor((state->now_s - state->start_s) / pause_s);

		return state->start_s + (passed + 1) * pause_s;
	}
	return state->now_s + draw_time(state, state->sim->pause);
}

static void finish(struct state *state, unsigned slot)
{
	unsigned user = state->users[slot];

	load_lease_over(state->load, us(state->now_s), QUEUE_POLL,
			us(state->now_s - state->starts_s[slot]));
	set_moment(&state->ends, slot, INFINITY);
	state->leased--;
	if (state->sim->callers > 0) {
		set_moment(&state->wakes, user, wake_s(state));
	}
	if (waiting(state) > 0) {
		unsigned place = state->first++ % WAITING_MOST;

		load_wait_over(state->load, us(state->now_s),
			       us(state->now_s - state->waiting[place].since_s));
		lease(state, state->waiting[place].user);
	}
}

/* False when the time is over. */
static bool step(struct state *state, double end_s)
{
	const struct sim *sim = state->sim;
	double end_lease_s = state->ends.at_s[state->ends.first];
	unsigned caller = state->wakes.first;
	double ask_s = sim->callers > 0 ? state->wakes.at_s[caller] : state->next_s;

	state->now_s = fmin(end_lease_s, ask_s);
	if (state->now_s > end_s) {
		return false;
	}
	if (end_lease_s <= ask_s) {
		finish(state, state->ends.first);
		return true;
	}
	if (sim->callers > 0) {
		set_moment(&state->wakes, caller, INFINITY);
	} else {
		state->next_s = ask_s - log(draw(state)) / sim->rate;
	}
	ask(state, caller);
	return true;
}

static void tell(struct state *state)
{
	const struct load_state now = {
		.leased = state->leased,
		.waiting = waiting(state),
		.clients = state->sim->clients > 0 ? state->sim->clients
						   : state->leased + waiting(state),
	};

	load_turn(state->load, us(state->now_s), &now);
}

void sim_run(const struct sim *sim, struct load *load, uint64_t *now_us)
{
	static struct state state;
	double end_s = (double)*now_us / 1e6 + sim->seconds;

	ck_assert(sim->size <= CALLERS_MOST && sim->callers <= CALLERS_MOST);
	state = (struct state){
		.sim = sim,
		.load = load,
		.random = 88172645463325252u,
		.now_s = (double)*now_us / 1e6,
		.start_s = (double)*now_us / 1e6,
		.wakes = {.count = sim->callers},
		.ends = {.count = sim->size},
	};
	state.next_s = state.now_s;
	for (unsigned i = 0; i < CALLERS_MOST; i++) {
		state.ends.at_s[i] = INFINITY;
		state.wakes.at_s[i] = INFINITY;
	}
	for (unsigned i = 0; i < sim->callers; i++) {
		/* At any phase in the beginning. */
		double phase_s = draw(&state) * sim->pause.mean_s;

		set_moment(&state.wakes, i, state.now_s + (sim->is_in_step ? 0 : phase_s));
	}
	while (step(&state, end_s)) {
		tell(&state);
	}
	*now_us = us(end_s);
}
