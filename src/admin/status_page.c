/* Composes the state as JSON. */
#include "admin/status_page.h"

#include "admin/admin.h"
#include "admin/advice_page.h"
#include "admin/gauges.h"
#include "admin/health.h"
#include "admin/json.h"
#include "admin/ledger_page.h"
#include "admin/page.h"
#include "admin/status_pool.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "net/resolver.h"
#include "pool/pool.h"
#include "proxy/proxy.h"
#include "version.h"

#include <sys/resource.h>
#include <time.h>

enum { ERRORS_SHOWN = 20 };

static json_t *write_resolver(const struct admin_view *view)
{
	const struct resolver_answer *answer = resolver_answer(view->resolver);
	json_t *object = json_object();
	json_t *addresses = json_array();
	char text[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < answer->count; i++) {
		json_array_append_new(addresses, json_string(addr_write(&answer->addrs[i], text)));
	}
	json_put(object, "addresses", addresses);
	if (answer->count > 0 && answer->ttl_ms != UINT64_MAX) {
		json_put_real(object, "age_s",
			      (double)(view->clock->now_ms - answer->resolved_ms) / 1e3);
		json_put_real(object, "ttl_s", (double)answer->ttl_ms / 1e3);
	}
	if (answer->err != ERR_NONE) {
		json_put_text(object, "error", err_name(answer->err));
	}
	return object;
}

/* --- latencies --- */

static json_t *write_quantiles(const struct rolling *rolling, uint64_t span_ms, uint64_t now_ms)
{
	static const double shares[] = {0.5, 0.9, 0.99};
	static const char *const names[] = {"p50_ms", "p90_ms", "p99_ms"};
	uint64_t values[ARRAY_SIZE(shares)];
	json_t *object = json_object();
	uint64_t count =
		rolling_quantiles(rolling, span_ms, now_ms, shares, ARRAY_SIZE(shares), values);

	json_put_u64(object, "count", count);
	for (size_t i = 0; i < ARRAY_SIZE(shares) && count > 0; i++) {
		json_put_real(object, names[i], (double)values[i] / 1e3);
	}
	return object;
}

static json_t *write_latencies(const struct admin_view *view)
{
	static const struct {
		const char *name;
		uint64_t span_ms;
	} spans[] = {{"1m", 60000}, {"5m", 300000}};
	const struct metrics *metrics = view->metrics;
	uint64_t now_ms = view->clock->now_ms;
	json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		uint64_t span_ms = spans[i].span_ms;
		json_t *span = json_object();

		json_put(span, "wait", write_quantiles(&metrics->recent_wait, span_ms, now_ms));
		json_put(span, "first_byte",
			 write_quantiles(&metrics->recent_first_byte, span_ms, now_ms));
		json_put(span, "total", write_quantiles(&metrics->recent_total, span_ms, now_ms));
		json_put(object, spans[i].name, span);
	}
	return object;
}

/* --- counts --- */

/* The counters of one label that are not 0. */
static json_t *write_counters(const uint64_t *counters, const struct metric_label *label)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < label->count; i++) {
		if (counters[i] > 0) {
			json_put_u64(object, label->value(i), counters[i]);
		}
	}
	return object;
}

static json_t *write_requests(const struct admin_view *view)
{
	const struct metrics *metrics = view->metrics;
	uint64_t by_class[METRIC_CLASS_COUNT] = {0};
	uint64_t by_code[METRIC_CODE_COUNT] = {0};
	uint64_t total = 0;
	json_t *object = json_object();

	for (unsigned i = 0; i < METRIC_CLASS_COUNT; i++) {
		for (unsigned k = 0; k < METRIC_CODE_COUNT; k++) {
			by_class[i] += metrics->requests[i][k];
			by_code[k] += metrics->requests[i][k];
			total += metrics->requests[i][k];
		}
	}
	json_put_u64(object, "total", total);
	json_put_u64(object, "in_flight", view->proxy->exchanges.count);
	json_put(object, "by_class", write_counters(by_class, &metric_label_CLASS));
	json_put(object, "by_status", write_counters(by_code, &metric_label_CODE));
	json_put(object, "errors", write_counters(metrics->refused, &metric_label_ERR));
	json_put(object, "answers", write_counters(metrics->answers, &metric_label_ANSWER));
	json_put(object, "repeats", write_counters(metrics->repeats, &metric_label_EVIDENCE));
	json_put(object, "last_errors", ledger_records(&view->proxy->errors, ERRORS_SHOWN));
	return object;
}

static json_t *write_clients(const struct admin_view *view)
{
	const struct proxy *proxy = view->proxy;
	uint64_t now_ms = view->clock->now_ms;
	json_t *object = json_object();

	json_put_u64(object, "connections", proxy_client_count(proxy));
	json_put_u64(object, "connections_max", proxy->config->limits_clients);
	json_put(object, "by_name", status_clients(view, now_ms));
	return object;
}

static json_t *write_process(const struct admin_view *view)
{
	json_t *object = json_object();
	struct timespec used = {0};
	const struct metrics *metrics = view->metrics;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	json_put_real(object, "cpu_s", (double)used.tv_sec + (double)used.tv_nsec / 1e9);
	json_put_u64(object, "resident_bytes", (uint64_t)metrics->resident);
	json_put_u64(object, "open_fds", (uint64_t)metrics->open_fds);
	json_put_u64(object, "max_fds", (uint64_t)metrics->max_fds);
	json_put_u64(object, "buffered_bytes", view->proxy->buffers.used_bytes);
	json_put_u64(object, "log_lines_dropped", metrics->log_dropped);
	return object;
}

int status_write_page(const struct admin_view *view, struct page *page)
{
	json_t *object = json_object();
	char reason[HEALTH_REASON_BYTES];
	bool is_ready = health_is_ready(view, reason);

	gauges_read(view);
	json_put_text(object, "version", WARMPOOL_VERSION);
	json_put_real(object, "uptime_s", (double)(view->clock->now_ms - view->started_ms) / 1e3);
	json_put_u64(object, "time", (uint64_t)time(NULL));
	json_put_bool(object, "ready", is_ready);
	if (!is_ready) {
		json_put_text(object, "not_ready_because", reason);
	}
	json_put_text(object, "upstream", view->config->upstream_url);
	json_put(object, "dns", write_resolver(view));
	json_put(object, "pool", status_pool(view));
	json_put(object, "queue", status_queue(view));
	json_put(object, "clients", write_clients(view));
	json_put(object, "requests", write_requests(view));
	json_put(object, "advice", advice_summary(view));
	json_put(object, "latencies", write_latencies(view));
	json_put(object, "ledger", ledger_totals(view));
	json_put(object, "process", write_process(view));
	json_write(object, page);
	return 200;
}
