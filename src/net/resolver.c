/* Owns the last good answer for one name and the time of the next lookup. */
#include "net/resolver.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/span.h"
#include "base/str.h"
#include "net/lookup.h"
#include "net/timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEAST_LIFE_MS = 5000,
	HOSTS_LIFE_MS = 60000,
	LONGEST_RETRY_MS = 30000,
	LEAST_HINT_GAP_MS = 5000,
};

_Static_assert((int)RESOLVER_ADDRESSES_MAX >= (int)LOOKUP_ADDRESSES_MAX, "a result fits an answer");

struct resolver {
	struct clock *clock;     /* borrowed */
	struct log *log;         /* borrowed */
	struct metrics *metrics; /* borrowed */
	char *name;              /* owned */
	char *servers;           /* owned; NULL: resolv.conf's */
	uint16_t port;
	uint64_t ttl_max_ms;
	void (*on_change)(void *owner);
	void *owner; /* borrowed */

	struct lookup lookup;
	struct timer
		refresh; /* when to ask; unset while a lookup is under way, and after a literal */
	struct resolver_answer answer;
	int64_t answer_ttl_s;
	bool answer_from_hosts;
	bool has_asked;
	uint64_t asked_ms;
	uint64_t asked_us; /* the same; for how long it took */
	unsigned failures; /* in a row */
};

uint64_t resolver_life_ms(int64_t ttl_s, bool from_hosts, uint64_t ttl_max_ms)
{
	uint64_t life_ms = ttl_s > 0 ? (uint64_t)ttl_s * 1000 : 0;

	life_ms = from_hosts ? HOSTS_LIFE_MS : MAX(life_ms, LEAST_LIFE_MS);
	return MIN(life_ms, ttl_max_ms);
}

uint64_t resolver_retry_ms(unsigned failures)
{
	unsigned doublings = MIN(failures > 0 ? failures - 1 : 0, 5);

	return MIN(1000ULL << doublings, LONGEST_RETRY_MS);
}

static bool answer_holds(const struct resolver_answer *answer, const struct addr *addr)
{
	for (size_t i = 0; i < answer->count; i++) {
		if (addr_is_equal(&answer->addrs[i], addr)) {
			return true;
		}
	}
	return false;
}

/* Neither holds an address twice. */
static bool is_same_set(const struct resolver_answer *answer, const struct lookup_result *result)
{
	if (answer->count != result->count) {
		return false;
	}
	for (size_t i = 0; i < result->count; i++) {
		if (!answer_holds(answer, &result->addrs[i])) {
			return false;
		}
	}
	return true;
}

static void log_answer(const struct resolver *resolver)
{
	const struct resolver_answer *answer = &resolver->answer;
	char list[RESOLVER_ADDRESSES_MAX * ADDR_TEXT_BYTES];
	char life[32];
	size_t len = 0;

	for (size_t i = 0; i < answer->count; i++) {
		char text[ADDR_TEXT_BYTES];

		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? "," : "",
					addr_write_ip(&answer->addrs[i], text));
	}
	log_write(resolver->log, LOG_INFO, "resolver",
		  "resolved name=%s addresses=%s ttl=%s from=%s", resolver->name, list,
		  str_write_duration(life, sizeof(life), answer->ttl_ms),
		  resolver->answer_from_hosts ? "hosts" : "dns");
}

/* Returns whether the owner is to be told. */
static bool take_answer(struct resolver *resolver, const struct lookup_result *result)
{
	struct resolver_answer *answer = &resolver->answer;
	bool is_change = answer->err != ERR_NONE || !is_same_set(answer, result);

	memcpy(answer->addrs, result->addrs, result->count * sizeof(result->addrs[0]));
	answer->count = result->count;
	answer->resolved_ms = resolver->clock->now_ms;
	answer->ttl_ms = resolver_life_ms(result->ttl_s, result->from_hosts, resolver->ttl_max_ms);
	answer->err = ERR_NONE;
	resolver->answer_ttl_s = result->ttl_s;
	resolver->answer_from_hosts = result->from_hosts;
	resolver->failures = 0;
	timer_set(&resolver->refresh, answer->resolved_ms + answer->ttl_ms);
	if (is_change) {
		log_answer(resolver);
	}
	return is_change;
}

static enum err error_of(int status)
{
	return status == ARES_ETIMEOUT || status == ARES_ECANCELLED ? ERR_DNS_TIMEOUT
								    : ERR_DNS_FAILED;
}

/* Returns whether the owner is to be told. */
static bool take_failure(struct resolver *resolver, int status)
{
	struct resolver_answer *answer = &resolver->answer;
	enum err before = answer->err;

	answer->err = error_of(status);
	resolver->failures++;
	resolver->metrics->dns_failures++;
	timer_set(&resolver->refresh,
		  resolver->clock->now_ms + resolver_retry_ms(resolver->failures));
	if (answer->err == before) {
		return false;
	}
	log_write(resolver->log, LOG_WARNING, "resolver",
		  "resolve failed name=%s err=%s reason=\"%s\" kept_addresses=%zu", resolver->name,
		  err_name(answer->err), lookup_status_text(status), answer->count);
	return true;
}

static void on_lookup_done(void *owner)
{
	struct resolver *resolver = owner;
	const struct lookup_result *result = &resolver->lookup.result;
	bool is_change;

	clock_refresh(resolver->clock);
	histogram_add(&resolver->metrics->connect[METRIC_STEP_DNS],
		      resolver->clock->now_us - resolver->asked_us);
	if (result->status == ARES_SUCCESS) {
		is_change = take_answer(resolver, result);
	} else {
		is_change = take_failure(resolver, result->status);
	}
	if (is_change) {
		resolver->on_change(resolver->owner);
	}
}

static void take_literal(struct resolver *resolver, const struct addr *addr)
{
	resolver->answer = (struct resolver_answer){
		.addrs = {*addr},
		.count = 1,
		.resolved_ms = resolver->clock->now_ms,
		.ttl_ms = UINT64_MAX,
	};
	resolver->on_change(resolver->owner);
}

static void on_refresh(void *owner)
{
	struct resolver *resolver = owner;
	struct addr literal;

	if (addr_parse_ip(span_of(resolver->name), resolver->port, &literal)) {
		take_literal(resolver, &literal);
		return;
	}
	resolver->has_asked = true;
	resolver->asked_ms = resolver->clock->now_ms;
	resolver->asked_us = resolver->clock->now_us;
	resolver->metrics->dns_lookups++;
	lookup_start(&resolver->lookup, resolver->answer.addrs, resolver->answer.count);
}

struct resolver *resolver_new(const struct resolver_setup *setup)
{
	struct resolver *resolver = mem_alloc(sizeof(*resolver));

	resolver->clock = setup->clock;
	resolver->log = setup->log;
	resolver->metrics = setup->metrics;
	resolver->name = mem_strdup(setup->name);
	resolver->servers = setup->servers != NULL ? mem_strdup(setup->servers) : NULL;
	resolver->port = setup->port;
	resolver->ttl_max_ms = setup->ttl_max_ms;
	resolver->on_change = setup->on_change;
	resolver->owner = setup->owner;
	timer_init(&resolver->refresh, setup->base, resolver->clock, on_refresh, resolver);
	lookup_init(&resolver->lookup, &(struct lookup_setup){
					       .base = setup->base,
					       .name = resolver->name,
					       .servers = resolver->servers,
					       .port = resolver->port,
					       .on_done = on_lookup_done,
					       .owner = resolver,
				       });
	return resolver;
}

void resolver_free(struct resolver *resolver)
{
	if (resolver == NULL) {
		return;
	}
	lookup_fini(&resolver->lookup);
	timer_fini(&resolver->refresh);
	free(resolver->servers);
	free(resolver->name);
	free(resolver);
}

void resolver_start(struct resolver *resolver)
{
	timer_set(&resolver->refresh, resolver->clock->now_ms);
}

void resolver_set_ttl_max(struct resolver *resolver, uint64_t ttl_max_ms)
{
	struct resolver_answer *answer = &resolver->answer;

	resolver->ttl_max_ms = ttl_max_ms;
	if (answer->count == 0 || answer->ttl_ms == UINT64_MAX) {
		return;
	}
	answer->ttl_ms =
		resolver_life_ms(resolver->answer_ttl_s, resolver->answer_from_hosts, ttl_max_ms);
	/* Otherwise the lookup under way, or the next try, sets the time. */
	if (!resolver->lookup.is_under_way && resolver->failures == 0) {
		timer_set(&resolver->refresh, answer->resolved_ms + answer->ttl_ms);
	}
}

void resolver_hint_stale(struct resolver *resolver)
{
	uint64_t soonest_ms = resolver->asked_ms + LEAST_HINT_GAP_MS;

	/* Never asked: not started, or a literal. */
	if (!resolver->has_asked || resolver->lookup.is_under_way) {
		return;
	}
	if (soonest_ms < resolver->refresh.deadline_ms) {
		timer_set(&resolver->refresh, soonest_ms);
	}
}

const struct resolver_answer *resolver_answer(const struct resolver *resolver)
{
	return &resolver->answer;
}
