/* Learns the server's idle timeout from its hints and from the ages at which it closed. */
#include "pool/idle_learner.h"

#include "base/macros.h"

enum {
	AGREE_MS = 500,
	AGREE_PART = 10,
	HINT_RISE_PART = 8,
	HINT_RISE_AFTER_MS = 10000, /* so long without a low one: servers behind one name differ */
	HINT_FORGOTTEN_AFTER = 16,  /* responses without one */
	RISE_PART = 4,
	LOW_PART = 10,
	TOO_SOON_MS = 1000, /* after a response: that was no idle timeout */
};

const char *idle_source_name(enum idle_source source)
{
	static const char *const names[IDLE_SOURCES] = {
		[IDLE_ASSUMED] = "assumed",
		[IDLE_OBSERVED] = "observed",
		[IDLE_HINT] = "hint",
		[IDLE_CONFIGURED] = "configured",
	};

	return names[source];
}

void idle_learner_configure(struct idle_learner *learner, uint64_t idle_timeout_ms)
{
	learner->configured_ms = idle_timeout_ms;
}

/* A step of `part` of the way up from `from_ms`; 1 ms at least, so that it arrives. */
static uint64_t rise(uint64_t from_ms, uint64_t to_ms, uint64_t part)
{
	return from_ms + MAX((to_ms - from_ms) / part, 1);
}

void idle_learner_hint(struct idle_learner *learner, uint64_t seconds, uint64_t now_ms)
{
	uint64_t safe_ms = MIN(seconds, UINT32_MAX) * 1000;

	if (seconds == 0) {
		if (learner->hint_ms > 0 && ++learner->without_hint >= HINT_FORGOTTEN_AFTER) {
			learner->hint_ms = 0;
		}
		return;
	}
	learner->without_hint = 0;
	safe_ms = safe_ms > IDLE_HINT_MARGIN_MS ? safe_ms - IDLE_HINT_MARGIN_MS : 0;
	safe_ms = MAX(safe_ms, (uint64_t)IDLE_LEAST_MS);
	if (learner->hint_ms == 0 || safe_ms <= learner->hint_ms) {
		learner->hint_ms = safe_ms;
		learner->low_hint_ms = now_ms;
	} else if (now_ms >= learner->low_hint_ms + HINT_RISE_AFTER_MS) {
		learner->hint_ms = rise(learner->hint_ms, safe_ms, HINT_RISE_PART);
	}
}

void idle_learner_close(struct idle_learner *learner, const struct idle_close *close)
{
	learner->pending += learner->closes[learner->next].at_ms == 0 ||
			    learner->verdicts[learner->next] != IDLE_PENDING;
	learner->closes[learner->next] = *close;
	learner->verdicts[learner->next] = IDLE_PENDING;
	learner->next = (learner->next + 1) % IDLE_CLOSES_KEPT;
}

/* --- one close among the others --- */

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static bool agrees(uint64_t a_ms, uint64_t b_ms)
{
	return distance(a_ms, b_ms) <= MAX((uint64_t)AGREE_MS, MIN(a_ms, b_ms) / AGREE_PART);
}

static bool is_same_moment(const struct idle_close *a, const struct idle_close *b)
{
	return distance(a->at_ms, b->at_ms) <= IDLE_JUDGE_AFTER_MS;
}

struct company {
	unsigned restart;   /* closed within a second of it, at another idle age */
	unsigned same_idle; /* at another time, at its idle age */
	unsigned same_life; /* at another idle age, but at its age or number of requests */
};

static struct company company_of(const struct idle_learner *learner, unsigned place)
{
	const struct idle_close *close = &learner->closes[place];
	struct company company = {0};

	for (unsigned i = 0; i < IDLE_CLOSES_KEPT; i++) {
		const struct idle_close *other = &learner->closes[i];

		if (i == place || other->at_ms == 0) {
			continue;
		}
		if (agrees(close->idle_ms, other->idle_ms)) {
			company.same_idle += !is_same_moment(close, other) &&
					     learner->verdicts[i] != IDLE_RESTART &&
					     other->idle_ms >= TOO_SOON_MS;
			continue;
		}
		company.restart += is_same_moment(close, other);
		company.same_life += agrees(close->age_ms, other->age_ms) ||
				     (close->requests > 1 && close->requests == other->requests);
	}
	return company;
}

/* --- what the counted ones say --- */

static uint64_t safe_of(uint64_t idle_ms, uint64_t round_trip_ms)
{
	uint64_t margin_ms = IDLE_CLOSE_MARGIN_MS + round_trip_ms;

	return MAX(idle_ms > margin_ms ? idle_ms - margin_ms : 0, (uint64_t)IDLE_LEAST_MS);
}

/* The lowest idle age that agrees with that of the close at `place`, its own included. */
static uint64_t lowest_agreeing(const struct idle_learner *learner, unsigned place)
{
	uint64_t lowest_ms = learner->closes[place].idle_ms;

	for (unsigned i = 0; i < IDLE_CLOSES_KEPT; i++) {
		if (learner->closes[i].at_ms != 0 && learner->verdicts[i] == IDLE_COUNTED &&
		    agrees(learner->closes[i].idle_ms, learner->closes[place].idle_ms)) {
			lowest_ms = MIN(lowest_ms, learner->closes[i].idle_ms);
		}
	}
	return lowest_ms;
}

/* How many of the counted ones were closed at a lower age (of equal ones, at a lower place)? */
static unsigned rank_of(const struct idle_learner *learner, unsigned place)
{
	unsigned rank = 0;

	for (unsigned i = 0; i < IDLE_CLOSES_KEPT; i++) {
		uint64_t idle_ms = learner->closes[i].idle_ms;

		if (learner->closes[i].at_ms != 0 && learner->verdicts[i] == IDLE_COUNTED) {
			rank += idle_ms < learner->closes[place].idle_ms ||
				(idle_ms == learner->closes[place].idle_ms && i < place);
		}
	}
	return rank;
}

static uint64_t low_quantile(const struct idle_learner *learner)
{
	unsigned counted = 0;

	for (unsigned i = 0; i < IDLE_CLOSES_KEPT; i++) {
		counted += learner->closes[i].at_ms != 0 && learner->verdicts[i] == IDLE_COUNTED;
	}
	for (unsigned i = 0; i < IDLE_CLOSES_KEPT; i++) {
		if (learner->closes[i].at_ms != 0 && learner->verdicts[i] == IDLE_COUNTED &&
		    rank_of(learner, i) == counted / LOW_PART) {
			return learner->closes[i].idle_ms;
		}
	}
	return 0;
}

static void learn(struct idle_learner *learner, unsigned place, uint64_t round_trip_ms)
{
	uint64_t present_ms = learner->observed_ms > 0 ? learner->observed_ms : IDLE_ASSUMED_MS;
	uint64_t low_ms = safe_of(lowest_agreeing(learner, place), round_trip_ms);
	uint64_t high_ms = safe_of(low_quantile(learner), round_trip_ms);

	if (low_ms < present_ms) {
		present_ms = low_ms;
	} else if (high_ms > present_ms) {
		present_ms = rise(present_ms, high_ms, RISE_PART);
	}
	learner->observed_ms = present_ms;
}

static enum idle_verdict verdict_of(const struct idle_close *close, const struct company *company)
{
	if (company->restart > 0) {
		return IDLE_RESTART;
	}
	if (close->idle_ms < TOO_SOON_MS) {
		return IDLE_OTHER_BOUND;
	}
	if (company->same_life > company->same_idle) {
		return IDLE_OTHER_BOUND;
	}
	return IDLE_COUNTED;
}

void idle_learner_judge(struct idle_learner *learner, uint64_t now_ms, uint64_t round_trip_ms)
{
	for (unsigned i = 0; i < IDLE_CLOSES_KEPT && learner->pending > 0; i++) {
		/* The oldest first. */
		unsigned place = (learner->next + i) % IDLE_CLOSES_KEPT;
		const struct idle_close *close = &learner->closes[place];
		struct company company;

		if (close->at_ms == 0 || learner->verdicts[place] != IDLE_PENDING ||
		    now_ms <= close->at_ms + IDLE_JUDGE_AFTER_MS) {
			continue;
		}
		company = company_of(learner, place);
		learner->verdicts[place] = verdict_of(close, &company);
		learner->pending--;
		if (learner->verdicts[place] != IDLE_COUNTED) {
			continue;
		}
		learner->observations++;
		if (company.same_idle > 0) {
			learn(learner, place, round_trip_ms);
		}
	}
}

uint64_t idle_learner_judge_ms(const struct idle_learner *learner)
{
	uint64_t soonest_ms = UINT64_MAX;

	for (unsigned i = 0; i < IDLE_CLOSES_KEPT && learner->pending > 0; i++) {
		if (learner->closes[i].at_ms != 0 && learner->verdicts[i] == IDLE_PENDING) {
			soonest_ms =
				MIN(soonest_ms, learner->closes[i].at_ms + IDLE_JUDGE_AFTER_MS + 1);
		}
	}
	return soonest_ms;
}

/* --- what to go by --- */

enum idle_source idle_learner_source(const struct idle_learner *learner)
{
	if (learner->configured_ms > 0) {
		return IDLE_CONFIGURED;
	}
	if (learner->observed_ms > 0 &&
	    (learner->hint_ms == 0 || learner->observed_ms < learner->hint_ms)) {
		return IDLE_OBSERVED;
	}
	return learner->hint_ms > 0 ? IDLE_HINT : IDLE_ASSUMED;
}

uint64_t idle_learner_safe_ms(const struct idle_learner *learner)
{
	switch (idle_learner_source(learner)) {
	case IDLE_CONFIGURED:
		return learner->configured_ms;
	case IDLE_OBSERVED:
		return learner->observed_ms;
	case IDLE_HINT:
		return learner->hint_ms;
	case IDLE_ASSUMED:
	case IDLE_SOURCES:
		break;
	}
	return IDLE_ASSUMED_MS;
}
