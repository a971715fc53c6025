/* net/resolver.c: lives, retries and what the owner is told, with real c-ares and a DNS server in this process. */
#include "base/clock.h"
#include "net/dns_server.h"
#include "net/resolver.h"
#include "net/resolver_rig.h"
#include "suite.h"

#include <event2/event.h>

START_TEST(test_life_is_bounded)
{
	static const struct {
		int64_t ttl_s;
		bool from_hosts;
		uint64_t ttl_max_ms;
		uint64_t life_ms;
	} rows[] = {
		{60, false, 300000, 60000},
		{0, false, 300000, 5000},
		{4, false, 300000, 5000},
		{5, false, 300000, 5000},
		{-1, false, 300000, 5000},
		{INT32_MIN, false, 300000, 5000},
		{300, false, 300000, 300000},
		{301, false, 300000, 300000},
		{INT32_MAX, false, 86400000, 86400000},
		{0, true, 300000, 60000},
		{0, true, 10000, 10000},
		{7, true, 300000, 60000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(
			resolver_life_ms(rows[i].ttl_s, rows[i].from_hosts, rows[i].ttl_max_ms),
			rows[i].life_ms);
	}
}
END_TEST

START_TEST(test_retries_come_ever_later)
{
	static const uint64_t waits_ms[] = {1000, 1000, 2000, 4000, 8000, 16000, 30000, 30000};

	for (unsigned i = 0; i < ARRAY_SIZE(waits_ms); i++) {
		ck_assert_uint_eq(resolver_retry_ms(i), waits_ms[i]);
	}
	ck_assert_uint_eq(resolver_retry_ms(UINT32_MAX), 30000);
}
END_TEST

START_TEST(test_literals_never_ask_and_live_for_ever)
{
	static const char *const literals[] = {"192.0.2.7", "2001:db8::7"};

	for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
		begin();
		resolve(setup_of(literals[i]));
		ck_assert_uint_eq(resolver_answer(rig.resolver)->count, 1);
		ck_assert(has(resolver_answer(rig.resolver), literals[i]));
		ck_assert_uint_eq(resolver_answer(rig.resolver)->ttl_ms, UINT64_MAX);
		resolver_hint_stale(rig.resolver);
		resolver_set_ttl_max(rig.resolver, 1);
		run_for(30);
		ck_assert_uint_eq(rig.changes, 1);
		ck_assert_uint_eq(dns_server_count(rig.server, DNS_A) +
					  dns_server_count(rig.server, DNS_AAAA),
				  0);
		end();
	}
}
END_TEST

START_TEST(test_asked_again_when_its_life_ends)
{
	struct resolver_setup setup;

	begin();
	setup = setup_of(NAME);
	setup.ttl_max_ms = 50;
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.2", 60);
	resolve(setup);
	/* Another order is no change. */
	dns_server_clear(rig.server);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.2", 60);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	run_until_asked(4);
	ck_assert_uint_eq(rig.changes, 1);
	dns_server_clear(rig.server);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.3", 60);
	run_until_changes(2);
	ck_assert_uint_eq(resolver_answer(rig.resolver)->count, 1);
	ck_assert(has(resolver_answer(rig.resolver), "192.0.2.3"));
	ck_assert_uint_eq(count_logged("resolved name="), 2);
	end();
}
END_TEST

START_TEST(test_last_good_answer_stays_on_failure)
{
	static const enum dns_mode modes[] = {DNS_SERVFAIL, DNS_NXDOMAIN};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct resolver_setup setup;
		const struct resolver_answer *answer;

		begin();
		setup = setup_of(NAME);
		setup.ttl_max_ms = 50;
		dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
		answer = resolve(setup);
		dns_server_set_all(rig.server, modes[i]);
		run_until_changes(2);
		ck_assert_int_eq(answer->err, ERR_DNS_FAILED);
		ck_assert(has(answer, "192.0.2.1"));
		dns_server_set_all(rig.server, DNS_ANSWER);
		run_until_changes(3);
		ck_assert_int_eq(answer->err, ERR_NONE);
		ck_assert(has(answer, "192.0.2.1"));
		end();
	}
}
END_TEST

START_TEST(test_a_lasting_failure_is_told_and_logged_once)
{
	begin();
	resolve(setup_of(NAME));
	ck_assert_int_eq(resolver_answer(rig.resolver)->err, ERR_DNS_FAILED);
	ck_assert_uint_eq(resolver_answer(rig.resolver)->count, 0);
	ck_assert_uint_eq(dns_server_count(rig.server, DNS_A), 1);
	run_until_asked(2);
	run_for(20);
	ck_assert_uint_eq(rig.changes, 1);
	ck_assert_uint_eq(count_logged("resolve failed name=" NAME), 1);
	end();
}
END_TEST

START_TEST(test_hint_asks_again_but_not_often)
{
	begin();
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 300);
	clock_set_ms(&rig.clock, 1000000);
	resolve(setup_of(NAME));
	clock_set_ms(&rig.clock, 1005000);
	resolver_hint_stale(rig.resolver);
	run_until_asked(2);
	run_for(50);
	resolver_hint_stale(rig.resolver);
	run_for(50);
	ck_assert_uint_eq(dns_server_count(rig.server, DNS_A), 2);
	ck_assert_uint_eq(rig.changes, 1);
	end();
}
END_TEST

START_TEST(test_new_ttl_max_counts_for_the_present_answer)
{
	begin();
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 300);
	resolve(setup_of(NAME));
	ck_assert_uint_eq(resolver_answer(rig.resolver)->ttl_ms, 300000);
	resolver_set_ttl_max(rig.resolver, 50);
	ck_assert_uint_eq(resolver_answer(rig.resolver)->ttl_ms, 50);
	run_until_asked(2);
	end();
}
END_TEST

START_TEST(test_free_at_any_time)
{
	struct resolver_setup setup;

	begin();
	resolver_free(NULL);
	setup = setup_of(NAME);
	resolver_free(resolver_new(&setup));
	/* Before its first turn. */
	start(setup_of(NAME));
	resolver_free(rig.resolver);
	/* With both queries under way. */
	dns_server_set_all(rig.server, DNS_SILENT);
	start(setup_of(NAME));
	run_until_asked(1);
	resolver_free(rig.resolver);
	/* With one family answered: c-ares then reports success on destruction. */
	dns_server_set_mode(rig.server, DNS_A, DNS_ANSWER);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	start(setup_of(NAME));
	run_until_asked(2);
	run_for(50);
	resolver_free(rig.resolver);
	/* With a result that was there at once, not told yet. */
	start(setup_of("localhost"));
	turn(EVLOOP_ONCE);
	resolver_free(rig.resolver);
	rig.resolver = NULL;
	run_for(20);
	ck_assert_uint_eq(rig.changes, 0);
	end();
}
END_TEST

START_TEST(test_free_from_inside_on_change)
{
	static const char *const names[] = {NAME, "localhost", "192.0.2.7", "missing.test"};

	begin();
	rig.free_on_change = true;
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(setup_of(names[i]));
		run_until_changes(1);
		run_for(10);
		rig.changes = 0;
	}
	end();
}
END_TEST

SUITE_MAIN("net/resolver", test_life_is_bounded, test_retries_come_ever_later,
	   test_literals_never_ask_and_live_for_ever, test_asked_again_when_its_life_ends,
	   test_last_good_answer_stays_on_failure, test_a_lasting_failure_is_told_and_logged_once,
	   test_hint_asks_again_but_not_often, test_new_ttl_max_counts_for_the_present_answer,
	   test_free_at_any_time, test_free_from_inside_on_change)
