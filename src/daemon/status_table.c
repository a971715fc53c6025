/* Composes the table, part by part. */
#include "daemon/status_table.h"

#include "base/macros.h"

#include <string.h>

enum { CLIENTS_SHOWN = 5, ERRORS_SHOWN = 5, WAITING_SHOWN = 3 };

static void write_head(const struct status_text *text, json_t *now)
{
	char time[STATUS_NUMBER_BYTES];
	bool is_ready = status_is(now, "ready");

	status_seconds(status_real(now, "uptime_s"), time);
	if (is_ready) {
		status_line(text, "warmpool", STATUS_STRONG, "%s, up %s, ready",
			    status_word(now, "version"), time);
	} else {
		status_line(text, "warmpool", STATUS_ALARM, "%s, up %s, NOT READY: %s",
			    status_word(now, "version"), time,
			    status_word(now, "not_ready_because"));
	}
	status_line(text, "upstream", STATUS_PLAIN, "%s", status_word(now, "upstream"));
}

/* --- the queue --- */

static void write_waiting_clients(const struct status_text *text, json_t *now)
{
	json_t *clients = status_get(now, "queue.by_client");
	unsigned shown = 0;

	for (size_t i = 0; i < json_array_size(clients) && shown < WAITING_SHOWN; i++) {
		json_t *client = json_array_get(clients, i);

		if (status_count(client, "waiting") > 0) {
			status_line(text, "", STATUS_PLAIN, "%s: %ju waiting, %ju on their way",
				    status_word(client, "name"),
				    (uintmax_t)status_count(client, "waiting"),
				    (uintmax_t)status_count(client, "leased"));
			shown++;
		}
	}
}

static void write_queue(const struct status_text *text, json_t *now)
{
	uint64_t length = status_count(now, "queue.length");
	const struct status_view present = {.now = now};
	char list[STATUS_LIST_BYTES];
	char number[STATUS_NUMBER_BYTES];
	char most[STATUS_NUMBER_BYTES];

	status_list(&present, "queue.by_class", list);
	status_line(text, "queue", length > 0 ? STATUS_WARNING : STATUS_PLAIN,
		    "%s of at most %s waiting%s%s", status_number(length, number),
		    status_number(status_count(now, "queue.size"), most),
		    list[0] != '\0' ? ": " : "", list);
	write_waiting_clients(text, now);
}

/* --- requests --- */

static void write_list(const struct status_text *text, const char *label, enum status_mood mood,
		       const struct status_view *view, const char *path)
{
	char list[STATUS_LIST_BYTES];

	if (status_list(view, path, list)[0] != '\0') {
		status_line(text, label, mood, "%s", list);
	}
}

static void write_requests(const struct status_text *text, const struct status_view *view)
{
	json_t *now = view->now;
	char number[STATUS_NUMBER_BYTES];
	char rate[STATUS_NUMBER_BYTES];
	char lately[STATUS_NUMBER_BYTES];

	status_line(text, "requests", STATUS_PLAIN, "%s%s; %s in the last minute, %ju in flight",
		    status_number(status_count(now, "requests.total"), number),
		    status_rate_text(view, "requests.total", rate),
		    status_number(status_count(now, "latencies.1m.total.count"), lately),
		    (uintmax_t)status_count(now, "requests.in_flight"));
	write_list(text, "", STATUS_PLAIN, view, "requests.by_class");
	write_list(text, "", STATUS_PLAIN, view, "requests.by_status");
	write_list(text, "answers", STATUS_PLAIN, view, "requests.answers");
	write_list(text, "repeats", STATUS_PLAIN, view, "requests.repeats");
	write_list(text, "refused", STATUS_WARNING, view, "requests.errors");
}

/* --- latencies --- */

static void put_quantile(json_t *quantiles, const char *name, char out[STATUS_NUMBER_BYTES])
{
	json_t *value = status_get(quantiles, name);

	if (value == NULL) {
		snprintf(out, STATUS_NUMBER_BYTES, "-");
	} else {
		status_ms(json_number_value(value), out);
	}
}

static void write_latency(const struct status_text *text, json_t *now, const char *label,
			  const char *name)
{
	static const char *const spans[] = {"1m", "5m"};
	static const char *const shares[] = {"p50_ms", "p90_ms", "p99_ms"};
	char row[STATUS_COLUMNS + 1];
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		char path[64];
		json_t *quantiles;

		snprintf(path, sizeof(path), "latencies.%s.%s", spans[i], name);
		quantiles = status_get(now, path);
		for (size_t k = 0; k < ARRAY_SIZE(shares); k++) {
			char number[STATUS_NUMBER_BYTES];

			put_quantile(quantiles, shares[k], number);
			len += (size_t)snprintf(row + len, sizeof(row) - len, "%*s",
						k == 0 && i > 0 ? 14 : 9, number);
		}
	}
	status_row(text, label, STATUS_PLAIN, "%s", row);
}

static void write_latencies(const struct status_text *text, json_t *now)
{
	status_row(text, "latency, ms", STATUS_STRONG, "%9s%9s%9s%14s%9s%9s", "1m: p50", "p90",
		   "p99", "5m: p50", "p90", "p99");
	write_latency(text, now, "  queue", "wait");
	write_latency(text, now, "  1st byte", "first_byte");
	write_latency(text, now, "  in all", "total");
}

/* --- who, and what went wrong --- */

static void write_clients(const struct status_text *text, json_t *now)
{
	json_t *clients = status_get(now, "clients.by_name");
	size_t count = json_array_size(clients);
	char number[STATUS_NUMBER_BYTES];
	char most[STATUS_NUMBER_BYTES];

	status_line(text, "clients", STATUS_PLAIN, "%s of at most %s connections",
		    status_number(status_count(now, "clients.connections"), number),
		    status_number(status_count(now, "clients.connections_max"), most));
	for (size_t i = 0; i < MIN(count, (size_t)CLIENTS_SHOWN); i++) {
		json_t *client = json_array_get(clients, i);
		char time[STATUS_NUMBER_BYTES];

		status_line(text, "", STATUS_PLAIN,
			    "%s: %s requests in 5 minutes, %s of a connection",
			    status_word(client, "name"),
			    status_number(status_count(client, "requests_5m"), number),
			    status_seconds(status_real(client, "leased_5m_s"), time));
	}
	if (count > CLIENTS_SHOWN) {
		status_line(text, "", STATUS_PLAIN, "and %zu more", count - CLIENTS_SHOWN);
	}
}

static void write_ledger(const struct status_text *text, json_t *now)
{
	uint64_t unknown = status_count(now, "ledger.unknown");
	uint64_t unread = status_count(now, "ledger.unread");
	char number[STATUS_NUMBER_BYTES];
	char other[STATUS_NUMBER_BYTES];

	if (unknown + unread == 0) {
		status_line(text, "ledger", STATUS_PLAIN, "empty: nothing was paid for in vain");
		return;
	}
	status_line(text, "ledger", STATUS_ALARM,
		    "maybe paid: %s of unknown fate, %s answered but not read: /unknown",
		    status_number(unknown, number), status_number(unread, other));
}

static void write_errors(const struct status_text *text, json_t *now)
{
	json_t *errors = status_get(now, "requests.last_errors");
	size_t count = MIN(json_array_size(errors), (size_t)ERRORS_SHOWN);

	for (size_t i = 0; i < count; i++) {
		json_t *error = json_array_get(errors, i);
		const char *time = status_word(error, "time");
		/* 2026-11-23T09:30:00.338Z: the time of day is enough. */
		int from = strlen(time) >= 19 ? 11 : 0;

		status_row(text, i == 0 ? "last errors" : "", STATUS_PLAIN, "%.8s %s %s %s: %s",
			   time + from, status_word(error, "client"), status_word(error, "class"),
			   status_word(error, "error"), status_word(error, "reason"));
	}
}

static void write_advice(const struct status_text *text, json_t *now)
{
	json_t *words = status_get(now, "advice.words");

	for (size_t i = 0; i < json_array_size(words); i++) {
		status_line(text, i == 0 ? "advice" : "", STATUS_PLAIN, "%s",
			    status_word(json_array_get(words, i), ""));
	}
}

static void write_process(const struct status_text *text, const struct status_view *view)
{
	json_t *now = view->now;
	uint64_t dropped = status_count(now, "process.log_lines_dropped");
	double cores;
	char used[STATUS_NUMBER_BYTES];
	char memory[STATUS_NUMBER_BYTES];
	char share[STATUS_NUMBER_BYTES] = "";
	char open[STATUS_NUMBER_BYTES];
	char most[STATUS_NUMBER_BYTES];

	if (status_rate(view, "process.cpu_s", &cores)) {
		snprintf(share, sizeof(share), " (%.0f%%)", 100 * cores);
	}
	status_line(text, "process", STATUS_PLAIN, "cpu %s%s, %s, %s of %s descriptors",
		    status_seconds(status_real(now, "process.cpu_s"), used), share,
		    status_bytes(status_real(now, "process.resident_bytes"), memory),
		    status_number(status_count(now, "process.open_fds"), open),
		    status_number(status_count(now, "process.max_fds"), most));
	if (dropped > 0) {
		status_line(text, "", STATUS_WARNING, "%s log lines dropped",
			    status_number(dropped, used));
	}
}

void status_table_write(const struct status_text *text, const struct status_view *view)
{
	write_head(text, view->now);
	write_ledger(text, view->now);
	status_pool_write(text, view);
	write_queue(text, view->now);
	write_requests(text, view);
	write_latencies(text, view->now);
	write_clients(text, view->now);
	write_process(text, view);
	write_errors(text, view->now);
	write_advice(text, view->now);
}
