/* Says the sizing advice in words. Each sentence is one function, which says nothing when it does not apply. */
#include "admin/advice.h"
#include "base/macros.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { TEXT_BYTES = 32 };

static const double WORTH_SAYING = 0.01; /* a share of the requests */

static void add(struct advice_words *words, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct advice_words *words, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (words->count < ADVICE_LINES) {
		char *line = words->lines[words->count++];

		(void)vsnprintf(line, ADVICE_LINE_BYTES, format, arguments);
	}
	va_end(arguments);
}

/* "none", "<0.01 %", "0.34 %", "3.4 %", "34 %" of the requests. */
static const char *share_text(double share, char out[TEXT_BYTES])
{
	double percent = share * 100;

	if (share <= 0) {
		(void)snprintf(out, TEXT_BYTES, "none");
	} else if (percent < 0.01) {
		(void)snprintf(out, TEXT_BYTES, "<0.01 %%");
	} else {
		int digits = percent < 0.995 ? 2 : percent < 9.95 ? 1 : 0;

		(void)snprintf(out, TEXT_BYTES, "%.*f %%", digits, percent);
	}
	return out;
}

static const char *time_text(double seconds, char out[TEXT_BYTES])
{
	if (seconds < 0.9995) {
		(void)snprintf(out, TEXT_BYTES, "%.*f ms", seconds < 0.00995 ? 1 : 0,
			       seconds * 1000);
	} else {
		(void)snprintf(out, TEXT_BYTES, "%.1f s", seconds);
	}
	return out;
}

static const char *number_text(double number, char out[TEXT_BYTES])
{
	(void)snprintf(out, TEXT_BYTES, "%.*f", number < 0.995 ? 2 : number < 99.5 ? 1 : 0, number);
	return out;
}

static uint64_t minutes(const struct advice *advice)
{
	return advice->observed_us / 60000000;
}

/* --- the size --- */

static void say_refusal(const struct advice *advice, struct advice_words *words)
{
	if (advice->verdict == ADVICE_NO_ANSWER) {
		add(words,
		    "No advice: of %" PRIu64 " requests in %" PRIu64
		    " minutes none came to an end on a connection.",
		    advice->asked, minutes(advice));
	} else if (advice->verdict < ADVICE_TOO_SMALL) {
		add(words,
		    "No advice yet: %" PRIu64 " requests in %" PRIu64
		    " minutes were seen. It takes %d requests and %d minutes, counted from the start "
		    "or the last change of pool.size.",
		    advice->asked, minutes(advice), ADVICE_REQUESTS, ADVICE_OBSERVED_S / 60);
	}
}

static void say_too_small(const struct advice *advice, struct advice_words *words)
{
	char share[TEXT_BYTES];

	if (advice->verdict != ADVICE_TOO_SMALL) {
		return;
	}
	share_text(advice->model.measured, share);
	if (!advice->is_step) {
		add(words,
		    "Your pool of %" PRIu64
		    " is too small: %s of the requests waited for a connection; "
		    "with pool.size: %" PRIu64 " no more than 1 %% would.",
		    advice->settings.size, share, advice->size);
		return;
	}
	add(words,
	    "Your pool of %" PRIu64
	    " is too small: %s of the requests waited for a connection; set "
	    "pool.size: %" PRIu64 " and look again in 10 minutes.",
	    advice->settings.size, share, advice->size);
	add(words,
	    "It may take up to %" PRIu64
	    " until no more than 1 %% wait. A pool that is full hides how much "
	    "would come through a larger one, so take one step at a time.",
	    MIN(advice->needed, (uint64_t)ADVICE_SIZE_MOST));
}

static void say_right(const struct advice *advice, struct advice_words *words)
{
	char share[TEXT_BYTES];

	if (advice->verdict == ADVICE_RIGHT) {
		add(words,
		    "Your pool of %" PRIu64
		    " is right: %s of the requests waited for a connection.",
		    advice->settings.size, share_text(advice->model.measured, share));
	}
}

static void say_too_large(const struct advice *advice, struct advice_words *words)
{
	char share[TEXT_BYTES];

	if (advice->verdict == ADVICE_TOO_LARGE) {
		add(words,
		    "Your pool of %" PRIu64 " is too large: %s of the requests waited for a "
		    "connection; with pool.size: %" PRIu64 " still no more than 1 %% would.",
		    advice->settings.size, share_text(advice->model.measured, share), advice->size);
	}
}

/* --- why --- */

static void say_load(const struct advice *advice, struct advice_words *words)
{
	const struct load_model *model = &advice->model;
	char rate[TEXT_BYTES];
	char lease[TEXT_BYTES];
	char busy[TEXT_BYTES];
	char used[TEXT_BYTES];

	add(words,
	    "In the busiest 5 of the last %" PRIu64
	    " minutes %s requests came each second and held "
	    "a connection for %s: %s connections were busy on average, %s of the pool.",
	    minutes(advice), number_text(model->rate, rate), time_text(model->lease_s, lease),
	    number_text(advice->used * (double)advice->settings.size, busy),
	    share_text(advice->used, used));
}

static void say_callers(const struct advice *advice, struct advice_words *words)
{
	char offered[TEXT_BYTES];

	if (advice->model.kind == LOAD_CLOSED) {
		add(words,
		    "The requests look like those of about %" PRIu64
		    " callers that wait for each answer "
		    "before they ask again; if none had to wait, they would keep %s connections busy.",
		    advice->model.sources, number_text(advice->model.offered, offered));
	}
}

static void say_wait(const struct advice *advice, struct advice_words *words)
{
	char wait[TEXT_BYTES];

	if (advice->wait_s > 0) {
		add(words, "Those that waited did so for %s on average.",
		    time_text(advice->wait_s, wait));
	}
}

static void say_fit(const struct advice *advice, struct advice_words *words)
{
	char measured[TEXT_BYTES];
	char predicted[TEXT_BYTES];

	share_text(advice->model.measured, measured);
	share_text(advice->predicted, predicted);
	switch (advice->fit) {
	case ADVICE_AGREES:
		add(words, "Waited: measured %s, expected by the model %s.", measured, predicted);
		return;
	case ADVICE_WAITS_MORE:
		add(words,
		    "Model and measurement disagree by more than a factor of 2: %s waited, %s should "
		    "have. The size above goes by what the requests found.",
		    measured, predicted);
		return;
	case ADVICE_WAITS_LESS:
		add(words,
		    "Model and measurement disagree by more than a factor of 2: only %s waited, %s "
		    "should have. The requests come more evenly than chance would have them.",
		    measured, predicted);
		return;
	}
}

static void say_bursts(const struct advice *advice, struct advice_words *words)
{
	char found[TEXT_BYTES];
	char demand[TEXT_BYTES];

	if (advice->model.kind == LOAD_BURSTY) {
		add(words,
		    "The requests come many at once: each finds %s others on average, where %s are there "
		    "over time. Callers whose timers start at different moments need far fewer "
		    "connections.",
		    number_text(advice->model.found, found),
		    number_text(advice->model.demand, demand));
	}
}

static void say_held(const struct advice *advice, struct advice_words *words)
{
	char share[TEXT_BYTES];

	if (advice->held > WORTH_SAYING) {
		add(words,
		    "%s of the requests waited for a bound of their own (max_inflight, "
		    "pool.solve_share); a larger pool does not help them.",
		    share_text(advice->held, share));
	}
}

static void say_opening(const struct advice *advice, struct advice_words *words)
{
	char share[TEXT_BYTES];

	if (advice->opening > WORTH_SAYING) {
		add(words,
		    "%s of the requests waited while a connection was opened, though the pool was not full: "
		    "that is a matter of pool.min_idle.",
		    share_text(advice->opening, share));
	}
}

static void say_spares(const struct advice *advice, struct advice_words *words)
{
	char opening[TEXT_BYTES];
	bool is_enough =
		advice->opening <= WORTH_SAYING || advice->settings.min_idle >= advice->min_idle;

	if (advice->opening_s > 0) {
		add(words,
		    "Opening a connection takes %s, in which up to %" PRIu64
		    " more can be needed after a rest: pool.min_idle: %" PRIu64
		    " covers that; the present %" PRIu64 " %s.",
		    time_text(advice->opening_s, opening), advice->min_idle, advice->min_idle,
		    advice->settings.min_idle, is_enough ? "were enough so far" : "are too few");
	}
}

/* --- what changed --- */

static void say_lease_trend(const struct advice *advice, struct advice_words *words)
{
	if (advice->lease == ADVICE_UP) {
		add(words,
		    "The API became slower: in the last 5 minutes a request held its connection %.1f times "
		    "as long as before.",
		    advice->lease_factor);
	} else if (advice->lease == ADVICE_DOWN) {
		add(words,
		    "The API became faster: in the last 5 minutes a request held its connection %.2f times "
		    "as long as before.",
		    advice->lease_factor);
	}
}

static void say_arrivals_trend(const struct advice *advice, struct advice_words *words)
{
	if (advice->arrivals == ADVICE_UP) {
		add(words,
		    "You became busier: in the last 5 minutes %.1f times as many requests came as before.",
		    advice->arrivals_factor);
	} else if (advice->arrivals == ADVICE_DOWN) {
		add(words,
		    "You became less busy: in the last 5 minutes %.2f times as many requests came as "
		    "before.",
		    advice->arrivals_factor);
	}
}

/* --- beside it --- */

static void say_seed(const struct advice *advice, struct advice_words *words)
{
	add(words,
	    "The rule of thumb (workers × overlapping requests, +10 to 20 %%) gives %" PRIu64
	    " to %" PRIu64 " for the %" PRIu64
	    " callers seen at once. It is for workers that are busy all the time.",
	    advice->seed_low, advice->seed_high, advice->callers);
}

static double megabytes(const struct advice *advice, uint64_t size)
{
	return (double)(size * advice->settings.conn_bytes) / 1e6;
}

static void say_price(const struct advice *advice, struct advice_words *words)
{
	uint64_t now = advice->settings.size;

	if (advice->size == now) {
		add(words,
		    "%" PRIu64 " open connections take %.2f MB and %" PRIu64 " file descriptors.",
		    now, megabytes(advice, now), now);
		return;
	}
	add(words,
	    "%" PRIu64 " open connections take %.2f MB and %" PRIu64 " file descriptors, %" PRIu64
	    " take %.2f MB and %" PRIu64 ".",
	    now, megabytes(advice, now), now, advice->size, megabytes(advice, advice->size),
	    advice->size);
}

static void say_descriptors(const struct advice *advice, struct advice_words *words)
{
	uint64_t needed = advice->size + advice->settings.other_descriptors;

	if (advice->settings.descriptor_limit > 0 && needed > advice->settings.descriptor_limit) {
		add(words,
		    "pool.size: %" PRIu64 " needs %" PRIu64 " file descriptors in all, but %" PRIu64
		    " are allowed: raise LimitNOFILE= (ulimit -n) first.",
		    advice->size, needed, advice->settings.descriptor_limit);
	}
}

void advice_words(const struct advice *advice, struct advice_words *ret_words)
{
	static void (*const sentences[])(const struct advice *, struct advice_words *) = {
		say_too_small, say_right,       say_too_large,      say_load,
		say_callers,   say_fit,         say_wait,           say_bursts,
		say_held,      say_lease_trend, say_arrivals_trend, say_opening,
		say_spares,    say_seed,        say_price,          say_descriptors,
	};

	ret_words->count = 0;
	say_refusal(advice, ret_words);
	if (ret_words->count > 0) {
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		sentences[i](advice, ret_words);
	}
}
