/* Judges the size of the pool by what was counted. */
#include "admin/advice.h"

#include "admin/erlang.h"
#include "base/macros.h"

#include <assert.h>

enum {
	TREND_REQUESTS = 100, /* fewer show no trend */
	SPARE_AT_LEAST = 4,   /* a pool is not too large by less */
	SIZE_LEAST = 2,       /* with one, a request waits whenever it is replaced */
};

static const double TARGET = 0.01; /* share of the requests that may wait */
static const double TOO_MANY = 0.02;
static const double TREND = 1.5;
static const double TOO_LARGE = 1.5;

const char *advice_verdict_name(enum advice_verdict verdict)
{
	static const char *const names[] = {
		[ADVICE_FEW_REQUESTS] = "too few requests",
		[ADVICE_SHORT_TIME] = "too short a time",
		[ADVICE_NO_ANSWER] = "no answers",
		[ADVICE_TOO_SMALL] = "too small",
		[ADVICE_RIGHT] = "right",
		[ADVICE_TOO_LARGE] = "too large",
	};

	return names[verdict];
}

/* --- which window --- */

/* The window that needs the largest pool; the later of two. NULL when none has what a model takes. */
static const struct load_window *find_hardest(const struct load_report *report,
					      struct advice *advice)
{
	const struct load_window *hardest = NULL;
	uint64_t now = advice->settings.size;

	for (size_t i = 0; i < report->count; i++) {
		const struct load_window *window = &report->windows[i];
		struct load_model model;
		uint64_t needed;

		if (window->asked == 0 || load_lease_sum_us(window) == 0) {
			continue;
		}
		model = load_model_fit(window, now);
		needed = load_model_size(&model, window, TARGET, now, ADVICE_SIZE_MOST);
		if (hardest == NULL || needed >= advice->needed) {
			hardest = window;
			advice->model = model;
			advice->needed = needed;
		}
	}
	return hardest;
}

/* --- the verdict --- */

static enum advice_fit judge_fit(const struct advice *advice, const struct load_window *window)
{
	if (!load_model_differs(&advice->model, window, advice->predicted)) {
		return ADVICE_AGREES;
	}
	return advice->model.measured > advice->predicted ? ADVICE_WAITS_MORE : ADVICE_WAITS_LESS;
}

static enum advice_verdict judge_size(const struct advice *advice)
{
	uint64_t now = advice->settings.size;
	uint64_t enough = MAX(advice->needed, (uint64_t)SIZE_LEAST);

	/* What was measured decides: the model alone makes no pool too small. */
	if (advice->model.measured > TOO_MANY && advice->needed > now) {
		return ADVICE_TOO_SMALL;
	}
	if ((double)now > TOO_LARGE * (double)enough && now - enough >= SPARE_AT_LEAST) {
		return ADVICE_TOO_LARGE;
	}
	return ADVICE_RIGHT;
}

/* No more than twice the present size at a time: what is seen of a pool that is full says little about one that is not. */
static void suggest_size(struct advice *advice)
{
	uint64_t now = advice->settings.size;

	advice->size = now;
	if (advice->verdict == ADVICE_TOO_LARGE) {
		advice->size = MAX(advice->needed, (uint64_t)SIZE_LEAST);
	} else if (advice->verdict == ADVICE_TOO_SMALL) {
		advice->size = MIN(MIN(advice->needed, 2 * now), (uint64_t)ADVICE_SIZE_MOST);
		advice->is_step = advice->needed > advice->size;
	}
}

static double mean_wait_s(const struct load_window *window)
{
	uint64_t waited = window->waited_full + window->waited_opening + window->held;

	return waited > 0 ? (double)window->wait_us / 1e6 / (double)waited : 0;
}

/* --- spares --- */

/* What comes while one is opened, less what is done by then: its connections are free again. */
static void suggest_spares(struct advice *advice, const struct load_report *report)
{
	uint64_t openings = report->recent.openings + report->before.openings;
	uint64_t opening_us = report->recent.opening_us + report->before.opening_us;
	double needed_s;

	advice->opening_s = openings > 0 ? (double)opening_us / 1e6 / (double)openings
					 : (double)advice->settings.opening_us / 1e6;
	needed_s = MIN(advice->opening_s, advice->model.lease_s);
	advice->min_idle = MAX(poisson_bound(advice->model.rate * needed_s, TARGET), UINT64_C(1));
	advice->min_idle = MIN(advice->min_idle, advice->size);
}

/* --- trends --- */

static enum advice_trend trend_of(double factor)
{
	if (factor >= TREND) {
		return ADVICE_UP;
	}
	return factor > 0 && factor <= 1 / TREND ? ADVICE_DOWN : ADVICE_STEADY;
}

static double arrivals_factor(const struct load_window *recent, const struct load_window *before)
{
	double as_before;

	if (before->span_us == 0 || before->asked == 0) {
		return 0;
	}
	as_before = (double)before->asked * (double)recent->span_us / (double)before->span_us;
	return MAX((double)recent->asked, as_before) < TREND_REQUESTS
		       ? 0
		       : (double)MAX(recent->asked, UINT64_C(1)) / as_before;
}

/* What the leases of now took, by what as many of each class took before. */
static double lease_factor(const struct load_window *recent, const struct load_window *before)
{
	double now_us = 0;
	double then_us = 0;

	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		if (recent->leases[i] < TREND_REQUESTS || before->leases[i] < TREND_REQUESTS) {
			continue;
		}
		now_us += (double)recent->lease_us[i];
		then_us += (double)before->lease_us[i] / (double)before->leases[i] *
			   (double)recent->leases[i];
	}
	return then_us > 0 ? now_us / then_us : 0;
}

static void judge_trends(struct advice *advice, const struct load_report *report)
{
	advice->arrivals_factor = arrivals_factor(&report->recent, &report->before);
	advice->lease_factor = lease_factor(&report->recent, &report->before);
	advice->arrivals = trend_of(advice->arrivals_factor);
	advice->lease = trend_of(advice->lease_factor);
}

/* --- the rule of thumb --- */

static void apply_seed(struct advice *advice, const struct load_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct load_window *window = &report->windows[i];

		advice->peak_leased = MAX(advice->peak_leased, window->peak_leased);
		advice->peak_demand = MAX(advice->peak_demand, window->peak_demand);
		advice->callers = MAX(advice->callers, window->peak_clients);
	}
	advice->callers = MAX(advice->callers, advice->peak_demand);
	advice->seed_low = (advice->callers * 11 + 9) / 10;
	advice->seed_high = (advice->callers * 12 + 9) / 10;
}

/* --- the table --- */

static void add_row(struct advice *advice, const struct load_window *window, uint64_t size)
{
	const struct advice_settings *settings = &advice->settings;

	assert(advice->row_count < ADVICE_ROWS);
	advice->rows[advice->row_count++] = (struct advice_row){
		.size = size,
		.use = MIN(advice->model.offered / (double)size, 1.0),
		.wait = load_model_wait(&advice->model, size),
		.expect = load_model_expect(&advice->model, window, size, settings->size),
		.memory_bytes = size * settings->conn_bytes,
		.descriptors = size + settings->other_descriptors,
		.is_now = size == settings->size,
		.is_suggested = size == advice->size,
		.is_seed = size == advice->seed_low || size == advice->seed_high,
	};
}

static void fill_table(struct advice *advice, const struct load_window *window)
{
	uint64_t now = advice->settings.size;
	uint64_t step = (2 * now + ADVICE_STEPS - 1) / ADVICE_STEPS;
	/* Those that are there by name, wherever they lie. */
	const uint64_t named[] = {
		1, now, 2 * now, advice->needed, advice->size, advice->seed_low, advice->seed_high};
	uint64_t last = 0;

	while (advice->row_count < ADVICE_ROWS) {
		uint64_t next = last + step - last % step;

		if (next > 2 * now) {
			next = UINT64_MAX;
		}
		for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
			next = named[i] > last ? MIN(next, named[i]) : next;
		}
		if (next > ADVICE_SIZE_MOST) {
			return;
		}
		add_row(advice, window, next);
		last = next;
	}
}

/* Why there can be no advice, or ADVICE_RIGHT. */
static enum advice_verdict refuse(const struct load_report *report)
{
	if (report->observed_us < (uint64_t)ADVICE_OBSERVED_S * 1000000) {
		return ADVICE_SHORT_TIME;
	}
	return report->asked < ADVICE_REQUESTS ? ADVICE_FEW_REQUESTS : ADVICE_RIGHT;
}

void advice_compute(const struct load_report *report, const struct advice_settings *settings,
		    struct advice *ret_advice)
{
	const struct load_window *hardest;

	*ret_advice = (struct advice){
		.verdict = refuse(report),
		.observed_us = report->observed_us,
		.asked = report->asked,
		.settings = *settings,
	};
	if (ret_advice->verdict != ADVICE_RIGHT) {
		return;
	}
	hardest = find_hardest(report, ret_advice);
	if (hardest == NULL) {
		ret_advice->verdict = ADVICE_NO_ANSWER;
		return;
	}
	ret_advice->used = (double)load_lease_sum_us(hardest) / (double)hardest->span_us /
			   (double)settings->size;
	ret_advice->predicted = load_model_wait(&ret_advice->model, settings->size);
	ret_advice->opening = (double)hardest->waited_opening / (double)hardest->asked;
	ret_advice->held = (double)hardest->held / (double)hardest->asked;
	ret_advice->wait_s = mean_wait_s(hardest);
	ret_advice->fit = judge_fit(ret_advice, hardest);
	ret_advice->verdict = judge_size(ret_advice);
	suggest_size(ret_advice);
	suggest_spares(ret_advice, report);
	judge_trends(ret_advice, report);
	apply_seed(ret_advice, report);
	fill_table(ret_advice, hardest);
}
