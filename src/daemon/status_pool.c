/* Shows what the connections to the upstream are at. */
#include "base/macros.h"
#include "daemon/status_table.h"

#include <string.h>

enum { ADDRESSES_SHOWN = 3 };

static void write_states(const struct status_text *text, json_t *now)
{
	uint64_t size = status_count(now, "pool.size");
	uint64_t opening = status_count(now, "pool.states.connecting") +
			   status_count(now, "pool.states.handshaking");
	uint64_t leased = status_count(now, "pool.states.leased");
	uint64_t idle = status_count(now, "pool.states.idle");
	/* A probe waits for the server to end it. */
	uint64_t ending =
		status_count(now, "pool.states.probe") + status_count(now, "pool.states.closing");
	uint64_t used = leased + idle + opening + ending;
	const struct status_part parts[] = {
		{'#', leased}, {'=', idle}, {'+', opening}, {'-', ending}};
	char bar[STATUS_BAR_COLUMNS + 1];
	char number[STATUS_NUMBER_BYTES];

	status_row(text, "pool", leased >= size ? STATUS_WARNING : STATUS_PLAIN, "[%s] %s",
		   status_bar(parts, ARRAY_SIZE(parts), MAX(size, used), bar),
		   status_number(size, number));
	status_line(text, "", STATUS_PLAIN,
		    "# %ju leased, = %ju idle, + %ju opening, - %ju ending, %ju free",
		    (uintmax_t)leased, (uintmax_t)idle, (uintmax_t)opening, (uintmax_t)ending,
		    (uintmax_t)(size > used ? size - used : 0));
}

static void write_savings(const struct status_text *text, const struct status_view *view)
{
	json_t *now = view->now;
	uint64_t leases = status_count(now, "pool.leases");
	uint64_t avoided = status_count(now, "pool.handshakes_avoided");
	char number[STATUS_NUMBER_BYTES];
	char other[STATUS_NUMBER_BYTES];
	char rate[STATUS_NUMBER_BYTES];
	char time[STATUS_NUMBER_BYTES];

	status_line(text, "opened", STATUS_PLAIN,
		    "%s connections%s; handshakes: %s whole, %s resumed",
		    status_number(status_count(now, "pool.opened"), number),
		    status_rate_text(view, "pool.opened", rate),
		    status_number(status_count(now, "pool.handshakes_full"), other),
		    status_number(status_count(now, "pool.handshakes_resumed"), time));
	status_line(text, "", STATUS_PLAIN, "opening one takes %s ms, a round trip %s ms",
		    status_ms(status_real(now, "pool.connect_ms"), number),
		    status_ms(status_real(now, "pool.round_trip_ms"), other));
	status_line(text, "saved", STATUS_PLAIN,
		    "%s handshakes, %s of waiting: %.0f%% of the requests needed none",
		    status_number(avoided, number),
		    status_seconds(status_real(now, "pool.saved_s"), time),
		    leases > 0 ? 100.0 * (double)avoided / (double)leases : 0.0);
}

static void write_breaker(const struct status_text *text, json_t *now)
{
	uint64_t failures = status_count(now, "pool.breaker.failures_in_a_row");
	char time[STATUS_NUMBER_BYTES];

	if (failures == 0) {
		status_line(text, "breaker", STATUS_PLAIN, "closed");
		return;
	}
	status_seconds(status_real(now, "pool.breaker.since_s"), time);
	status_line(text, "breaker",
		    status_is(now, "pool.breaker.open") ? STATUS_ALARM : STATUS_WARNING,
		    "%s: %ju openings in a row failed over %s, the last with %s",
		    status_is(now, "pool.breaker.open") ? "OPEN, requests fail at once" : "closed",
		    (uintmax_t)failures, time, status_word(now, "pool.breaker.last_error"));
}

static void write_dns(const struct status_text *text, json_t *now)
{
	json_t *addresses = status_get(now, "dns.addresses");
	size_t count = json_array_size(addresses);
	char list[STATUS_LIST_BYTES] = "no address";
	char age[STATUS_NUMBER_BYTES];
	char life[STATUS_NUMBER_BYTES];
	size_t len = 0;

	for (size_t i = 0; i < MIN(count, (size_t)ADDRESSES_SHOWN) && len < sizeof(list); i++) {
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? ", " : "",
					status_word(json_array_get(addresses, i), ""));
	}
	if (count > ADDRESSES_SHOWN && len < sizeof(list)) {
		snprintf(list + len, sizeof(list) - len, " and %zu more", count - ADDRESSES_SHOWN);
	}
	if (status_word(now, "dns.error")[0] != '\0') {
		status_line(text, "dns", STATUS_ALARM, "%s; the last look-up failed: %s", list,
			    status_word(now, "dns.error"));
	} else if (status_get(now, "dns.ttl_s") != NULL) {
		status_line(text, "dns", STATUS_PLAIN, "%s; %s old, holds for %s", list,
			    status_seconds(status_real(now, "dns.age_s"), age),
			    status_seconds(status_real(now, "dns.ttl_s"), life));
	} else {
		status_line(text, "dns", STATUS_PLAIN, "%s", list);
	}
}

void status_pool_write(const struct status_text *text, const struct status_view *view)
{
	json_t *now = view->now;
	char time[STATUS_NUMBER_BYTES];
	char number[STATUS_NUMBER_BYTES];

	write_states(text, now);
	write_savings(text, view);
	status_line(text, "idle", STATUS_PLAIN, "lent until %s idle (%s, %s observations)",
		    status_seconds(status_real(now, "pool.idle_timeout.seconds"), time),
		    status_word(now, "pool.idle_timeout.source"),
		    status_number(status_count(now, "pool.idle_timeout.observations"), number));
	write_breaker(text, now);
	write_dns(text, now);
}
