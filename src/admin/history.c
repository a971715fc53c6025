/* Takes a sample a second. */
#include "admin/history.h"

#include "admin/admin.h"
#include "admin/page.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "pool/pool.h"
#include "proxy/proxy.h"

#include <time.h>

/* What has been counted since the last look; the sum is brought up to date. */
static uint64_t growth(uint64_t *sum, uint64_t now)
{
	uint64_t before = *sum;

	*sum = now;
	return now - before;
}

static uint64_t mean(uint64_t sum, uint64_t count)
{
	return count > 0 ? sum / count : 0;
}

static void add_histograms(const struct histogram *histograms, uint64_t *ret_count,
			   uint64_t *ret_sum)
{
	*ret_count = 0;
	*ret_sum = 0;
	for (unsigned i = 0; i < METRIC_CLASS_COUNT; i++) {
		*ret_count += histogram_count(&histograms[i]);
		*ret_sum += histograms[i].sum;
	}
}

static uint64_t sum_of(const uint64_t *counters, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		sum += counters[i];
	}
	return sum;
}

static void count_events(struct history *history, struct history_sample *sample)
{
	const struct metrics *metrics = history->view->metrics;
	uint64_t count;
	uint64_t sum;

	sample->requests = (uint32_t)growth(
		&history->requests,
		sum_of(&metrics->requests[0][0], (size_t)METRIC_CLASS_COUNT * METRIC_CODE_COUNT));
	sample->errors =
		(uint32_t)growth(&history->errors, sum_of(metrics->refused, METRIC_ERR_COUNT));
	add_histograms(metrics->wait, &count, &sum);
	count = growth(&history->waits, count);
	sample->wait_us = (uint32_t)mean(growth(&history->wait_us, sum), count);
	add_histograms(metrics->first_byte, &count, &sum);
	count = growth(&history->answers, count);
	sample->first_byte_us = (uint32_t)mean(growth(&history->first_byte_us, sum), count);
}

static void take_sample(struct history *history)
{
	const struct pool *pool = history->view->pool;
	struct history_sample *sample = &history->samples[history->taken % HISTORY_SAMPLES];

	*sample = (struct history_sample){
		.second = (uint32_t)time(NULL),
		.leased = (uint16_t)pool->conns[CONN_LEASED].count,
		.idle = (uint16_t)pool->conns[CONN_IDLE].count,
		.opening = (uint16_t)(pool->conns[CONN_CONNECTING].count +
				      pool->conns[CONN_HANDSHAKING].count),
		.other =
			(uint16_t)(pool->conns[CONN_PROBE].count + pool->conns[CONN_CLOSING].count),
		.size = (uint16_t)pool->settings.size,
		.waiting = (uint32_t)pool_waiting_count(pool),
	};
	count_events(history, sample);
	history->taken++;
}

static void on_timer(void *owner)
{
	struct history *history = owner;

	take_sample(history);
	/* In step with the clock, whatever the loop was late. */
	timer_set(&history->timer,
		  (history->view->clock->now_ms / HISTORY_STEP_MS + 1) * HISTORY_STEP_MS);
}

void history_init(struct history *history, const struct admin_view *view, struct event_base *base,
		  struct clock *clock)
{
	history->view = view;
	timer_init(&history->timer, base, clock, on_timer, history);
	timer_set(&history->timer, clock->now_ms + HISTORY_STEP_MS);
}

void history_fini(struct history *history)
{
	timer_fini(&history->timer);
}

int history_write_page(const struct admin_view *view, struct page *page)
{
	const struct history *history = view->history;
	uint64_t count = MIN(history->taken, (uint64_t)HISTORY_SAMPLES);

	page_print(
		page,
		"{\"step_ms\":%d,\"columns\":[\"second\",\"leased\",\"idle\",\"opening\",\"other\",\"size\","
		"\"waiting\",\"requests\",\"errors\",\"wait_us\",\"first_byte_us\"],\"samples\":[",
		HISTORY_STEP_MS);
	for (uint64_t i = 0; i < count; i++) {
		const struct history_sample *s =
			&history->samples[(history->taken - count + i) % HISTORY_SAMPLES];

		page_print(page, "%s[%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u]", i > 0 ? "," : "",
			   s->second, s->leased, s->idle, s->opening, s->other, s->size, s->waiting,
			   s->requests, s->errors, s->wait_us, s->first_byte_us);
	}
	page_append(page, SPAN("]}\n"));
	return 200;
}
