/* Fits a model of queueing to a window of load. */
#include "admin/load_model.h"

#include "admin/erlang.h"
#include "base/macros.h"

enum {
	SOURCES_MOST =
		10000, /* more than so many are as good as unlimited, and would take long to sum up */
	SIGMAS = 4,    /* beyond chance */
	FEW_REQUESTS = 20, /* fewer prove nothing */
};

const char *load_model_name(enum load_kind kind)
{
	switch (kind) {
	case LOAD_CLOSED:
		return "callers that wait for their answers";
	case LOAD_BURSTY:
		return "many requests at once";
	case LOAD_OPEN:
		break;
	}
	return "independent requests";
}

static const double DIFFERENCE_FROM = 0.01; /* shares below this are all the same: few */

/* How many callers make demand over time stand `gap` above the demand found. */
static uint64_t count_sources(const struct load_model *model, const struct load_window *window,
			      double variance, double gap)
{
	double estimate = model->demand + variance / gap;
	uint64_t seen = MAX(window->peak_demand, window->peak_clients);

	if (estimate >= SOURCES_MOST || seen >= SOURCES_MOST) {
		return SOURCES_MOST;
	}
	return MAX((uint64_t)(estimate + 0.5), seen);
}

static void close_loop(struct load_model *model, uint64_t sources)
{
	/* Little: those who pause are the rate times the pause. */
	double pausing = MAX((double)sources - model->demand, 1e-3);
	double pause_s = pausing / model->rate;

	if (sources >= SOURCES_MOST) {
		return;
	}
	model->kind = LOAD_CLOSED;
	model->sources = sources;
	model->ratio = model->lease_s / pause_s;
	model->offered = (double)sources * model->lease_s / (model->lease_s + pause_s);
}

static bool waits_more(const struct load_model *model, const struct load_window *window,
		       uint64_t size)
{
	double predicted = load_model_wait(model, size);

	return model->measured > predicted && load_model_differs(model, window, predicted);
}

struct load_model load_model_fit(const struct load_window *window, uint64_t size)
{
	double span_us = (double)window->span_us;
	double asked = (double)window->asked;
	struct load_model model = {
		.rate = asked / (span_us / 1e6),
		.lease_s =
			(double)load_lease_sum_us(window) / 1e6 / (double)load_lease_count(window),
		.demand = (double)window->demand_us / span_us,
		.found = (double)window->found / asked,
		.measured = (double)window->waited_full / asked,
	};
	double variance = (double)window->demand_square_us / span_us - model.demand * model.demand;
	double gap = model.demand - model.found;
	/* Of independent requests, the mean found has a variance of variance / asked. */
	bool is_chance = gap * gap * asked <= SIGMAS * SIGMAS * variance;

	model.offered = model.rate * model.lease_s;
	if (gap > 0 && !is_chance) {
		close_loop(&model, count_sources(&model, window, MAX(variance, 0), gap));
	} else if (!is_chance && model.found > 1.2 * model.demand + 0.5) {
		model.kind = LOAD_BURSTY;
	}
	model.is_beyond_model = model.kind == LOAD_BURSTY || waits_more(&model, window, size);
	return model;
}

double load_model_wait(const struct load_model *model, uint64_t size)
{
	return model->kind == LOAD_CLOSED ? finite_wait(size, model->sources, model->ratio)
					  : erlang_c(size, model->offered);
}

double load_model_expect(const struct load_model *model, const struct load_window *window,
			 uint64_t size, uint64_t now)
{
	double wait = load_model_wait(model, size);

	if (size < now || model->is_beyond_model) {
		return MAX(wait, load_share_found(window, size));
	}
	return wait;
}

/* The smallest size that so small a share of the requests found in demand. */
static uint64_t size_by_found(const struct load_window *window, double share)
{
	uint64_t too_small = 0;
	uint64_t enough = (uint64_t)window->peak_demand + 1;

	while (enough - too_small > 1) {
		uint64_t middle = too_small + (enough - too_small) / 2;

		if (load_share_found(window, middle) <= share) {
			enough = middle;
		} else {
			too_small = middle;
		}
	}
	return enough;
}

uint64_t load_model_size(const struct load_model *model, const struct load_window *window,
			 double share, uint64_t now, uint64_t most)
{
	uint64_t size = model->kind == LOAD_CLOSED
				? finite_wait_servers(model->sources, model->ratio, share, most)
				: erlang_c_servers(model->offered, share, most);
	uint64_t found = size_by_found(window, share);

	if (!model->is_beyond_model) {
		found = MIN(found, now); /* beyond the present size it is but a bound */
	}
	return MIN(MAX(size, found), most + 1);
}

bool load_model_differs(const struct load_model *model, const struct load_window *window,
			double predicted)
{
	double less = MIN(predicted, model->measured);
	double more = MAX(predicted, model->measured);
	/* Those that wait do so in groups of some of those that are served at a time. */
	double enough = FEW_REQUESTS + 4 * model->offered;

	return more >= DIFFERENCE_FROM && more > 2 * less &&
	       (more - less) * (double)window->asked > enough;
}
