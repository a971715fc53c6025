/* Shows the sizing advice. */
#include "admin/advice_page.h"

#include "admin/admin.h"
#include "admin/json.h"
#include "admin/page.h"
#include "base/clock.h"
#include "config/config.h"
#include "pool/pool.h"

#include <sys/resource.h>

enum { HOLDS_MS = 10000 };

static struct advice_settings settings_of(const struct admin_view *view)
{
	const struct pool *pool = view->pool;
	struct rlimit limit;

	return (struct advice_settings){
		.size = pool->settings.size,
		.min_idle = pool->settings.min_idle,
		.conn_bytes = ADVICE_CONN_BYTES,
		.other_descriptors = view->config->limits_clients + view->reserve_descriptors,
		.descriptor_limit =
			getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0,
		.opening_us = pool->connect_us,
	};
}

static const struct advice *get_advice(const struct admin_view *view)
{
	struct advice_desk *desk = view->desk;
	struct advice_settings settings = settings_of(view);
	struct load_report report;

	if (view->clock->now_ms >= desk->until_ms || settings.size != desk->advice.settings.size) {
		load_read(&view->pool->load, view->clock->now_us, &report);
		advice_compute(&report, &settings, &desk->advice);
		desk->until_ms = view->clock->now_ms + HOLDS_MS;
	}
	return &desk->advice;
}

static bool is_advised(const struct advice *advice)
{
	return advice->verdict >= ADVICE_TOO_SMALL;
}

static json_t *write_words(const struct advice *advice)
{
	struct advice_words words;
	json_t *array = json_array();

	advice_words(advice, &words);
	for (size_t i = 0; i < words.count; i++) {
		json_array_append_new(array, json_string(words.lines[i]));
	}
	return array;
}

static json_t *write_row(const struct advice_row *row)
{
	json_t *object = json_object();

	json_put_u64(object, "size", row->size);
	json_put_real(object, "utilisation", row->use);
	json_put_real(object, "wait_probability", row->wait);
	json_put_real(object, "wait_expected", row->expect);
	json_put_u64(object, "memory_bytes", row->memory_bytes);
	json_put_u64(object, "descriptors", row->descriptors);
	json_put_bool(object, "now", row->is_now);
	json_put_bool(object, "suggested", row->is_suggested);
	json_put_bool(object, "rule_of_thumb", row->is_seed);
	return object;
}

static const char *trend_name(enum advice_trend trend)
{
	switch (trend) {
	case ADVICE_UP:
		return "up";
	case ADVICE_DOWN:
		return "down";
	case ADVICE_STEADY:
		break;
	}
	return "steady";
}

static const char *fit_name(enum advice_fit fit)
{
	switch (fit) {
	case ADVICE_WAITS_MORE:
		return "more waits than the model says";
	case ADVICE_WAITS_LESS:
		return "fewer waits than the model says";
	case ADVICE_AGREES:
		break;
	}
	return "agrees";
}

static void put_figures(json_t *object, const struct advice *advice)
{
	const struct load_model *model = &advice->model;
	json_t *rows = json_array();

	json_put_real(object, "arrivals_per_s", model->rate);
	json_put_real(object, "lease_s", model->lease_s);
	json_put_real(object, "offered_load", model->offered);
	json_put_real(object, "utilisation", advice->used);
	json_put_real(object, "waited_share", model->measured);
	json_put_real(object, "predicted_share", advice->predicted);
	json_put_text(object, "model", load_model_name(model->kind));
	json_put_text(object, "model_fit", fit_name(advice->fit));
	json_put_u64(object, "peak_leased", advice->peak_leased);
	json_put_u64(object, "peak_demand", advice->peak_demand);
	json_put_real(object, "waited_for_opening_share", advice->opening);
	json_put_real(object, "waited_for_own_bound_share", advice->held);
	json_put_real(object, "mean_wait_s", advice->wait_s);
	json_put_u64(object, "size_for_1_percent", advice->needed);
	json_put_real(object, "opening_s", advice->opening_s);
	json_put_text(object, "arrivals_trend", trend_name(advice->arrivals));
	json_put_text(object, "lease_trend", trend_name(advice->lease));
	json_put_u64(object, "callers", advice->callers);
	json_put_u64(object, "rule_of_thumb_low", advice->seed_low);
	json_put_u64(object, "rule_of_thumb_high", advice->seed_high);
	for (size_t i = 0; i < advice->row_count; i++) {
		json_array_append_new(rows, write_row(&advice->rows[i]));
	}
	json_put(object, "sizes", rows);
}

json_t *advice_summary(const struct admin_view *view)
{
	const struct advice *advice = get_advice(view);
	json_t *object = json_object();

	json_put_text(object, "verdict", advice_verdict_name(advice->verdict));
	json_put_u64(object, "size_now", advice->settings.size);
	if (is_advised(advice)) {
		json_put_u64(object, "size", advice->size);
		json_put_u64(object, "min_idle", advice->min_idle);
	}
	json_put_real(object, "observed_s", (double)advice->observed_us / 1e6);
	json_put_u64(object, "requests", advice->asked);
	json_put(object, "words", write_words(advice));
	return object;
}

int advice_write_page(const struct admin_view *view, struct page *page)
{
	json_t *object = advice_summary(view);

	if (is_advised(get_advice(view))) {
		put_figures(object, get_advice(view));
	}
	json_write(object, page);
	return 200;
}
