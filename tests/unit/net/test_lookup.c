/* net/lookup.c, seen through a resolver: sources, TTLs, losses and failures. */
#include "net/dns_server.h"
#include "net/lookup.h"
#include "net/resolver.h"
#include "net/resolver_rig.h"
#include "suite.h"

#include <stdio.h>
#include <unistd.h>

START_TEST(test_least_ttl_over_names_and_addresses)
{
	static const struct {
		uint32_t cname_s, cname2_s, a_s, aaaa_s;
		uint64_t ttl_ms;
	} rows[] = {
		{250, 40, 120, 60, 40000}, {250, 200, 120, 60, 60000},
		{250, 200, 50, 60, 50000}, {30, 200, 50, 60, 30000},
		{250, 0, 50, 60, 5000},    {3600, 3600, 3600, 3600, 300000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct resolver_answer *answer;

		begin();
		dns_server_add(rig.server, NAME, DNS_CNAME, "edge.test", rows[i].cname_s);
		dns_server_add(rig.server, "edge.test", DNS_CNAME, "node.edge.test",
			       rows[i].cname2_s);
		dns_server_add(rig.server, "node.edge.test", DNS_A, "192.0.2.1", rows[i].a_s);
		dns_server_add(rig.server, "node.edge.test", DNS_AAAA, "2001:db8::1",
			       rows[i].aaaa_s);
		answer = resolve(setup_of(NAME));
		ck_assert_uint_eq(answer->count, 2);
		ck_assert(has(answer, "192.0.2.1"));
		ck_assert(has(answer, "2001:db8::1"));
		ck_assert_uint_eq(answer->ttl_ms, rows[i].ttl_ms);
		ck_assert_int_eq(answer->err, ERR_NONE);
		end();
	}
}
END_TEST

START_TEST(test_equal_addresses_count_once)
{
	const struct resolver_answer *answer;

	begin();
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.2", 60);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	answer = resolve(setup_of(NAME));
	ck_assert_uint_eq(answer->count, 2);
	ck_assert(has(answer, "192.0.2.1") && has(answer, "192.0.2.2"));
	end();
}
END_TEST

START_TEST(test_hosts_file_comes_first_and_lives_60_s)
{
	const struct resolver_answer *answer;

	begin();
	write_hosts("192.0.2.9 " NAME "\n2001:db8::9 other " NAME "\n");
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	answer = resolve(setup_of(NAME));
	ck_assert_uint_eq(answer->count, 2);
	ck_assert(has(answer, "192.0.2.9") && has(answer, "2001:db8::9"));
	ck_assert_uint_eq(answer->ttl_ms, 60000);
	ck_assert_uint_eq(dns_server_count(rig.server, DNS_A), 0);
	ck_assert_uint_eq(count_logged("from=hosts"), 1);
	end();
}
END_TEST

START_TEST(test_ttl_0_of_dns_is_not_taken_for_the_hosts_file)
{
	begin();
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 0);
	ck_assert_uint_eq(resolve(setup_of(NAME))->ttl_ms, 5000);
	ck_assert_uint_eq(count_logged("ttl=5s from=dns"), 1);
	end();
}
END_TEST

START_TEST(test_localhost_is_loopback_and_never_asked)
{
	static const struct {
		const char *name;
		const char *hosts; /* NULL: there is no such file */
		const char *addresses[2];
	} rows[] = {
		{"localhost",
		 "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
		 {"127.0.0.1", "::1"}},
		{"localhost", "127.0.0.1 localhost\n", {"127.0.0.1"}},
		{"localhost", "", {"127.0.0.1", "::1"}},
		{"localhost", NULL, {"127.0.0.1", "::1"}},
		{"LocalHost", "", {"127.0.0.1", "::1"}},
		{"api.localhost", "", {"127.0.0.1", "::1"}},
		{"api.localhost", "127.0.0.2 api.localhost\n", {"127.0.0.2"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct resolver_answer *answer;
		size_t count = rows[i].addresses[1] != NULL ? 2 : 1;

		begin();
		if (rows[i].hosts != NULL) {
			write_hosts(rows[i].hosts);
		} else {
			unlink(rig.hosts_path);
		}
		answer = resolve(setup_of(rows[i].name));
		ck_assert_uint_eq(answer->count, count);
		for (size_t j = 0; j < count; j++) {
			ck_assert(has(answer, rows[i].addresses[j]));
		}
		ck_assert_uint_eq(answer->ttl_ms, 60000);
		ck_assert_uint_eq(dns_server_count(rig.server, DNS_A), 0);
		end();
	}
}
END_TEST

START_TEST(test_of_many_addresses_both_families_and_the_known_ones_stay)
{
	const struct resolver_answer *answer;
	struct resolver_setup setup;
	char ip[32];

	begin();
	setup = setup_of(NAME);
	setup.ttl_max_ms = 50;
	dns_server_set_all(rig.server, DNS_TRUNCATED_UDP);
	for (int i = 1; i <= 12; i++) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		dns_server_add(rig.server, NAME, DNS_A, ip, 60);
	}
	dns_server_add(rig.server, NAME, DNS_AAAA, "2001:db8::1", 60);
	answer = resolve(setup);
	ck_assert_uint_eq(answer->count, 13);
	dns_server_clear(rig.server);
	for (int i = 30; i > 0; i--) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		dns_server_add(rig.server, NAME, DNS_A, ip, 60);
	}
	dns_server_add(rig.server, NAME, DNS_AAAA, "2001:db8::1", 60);
	run_until_changes(2);
	ck_assert_uint_eq(answer->count, RESOLVER_ADDRESSES_MAX);
	ck_assert(has(answer, "2001:db8::1"));
	for (int i = 1; i <= 12; i++) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		ck_assert(has(answer, ip));
	}
	end();
}
END_TEST

START_TEST(test_truncated_answer_is_fetched_over_tcp)
{
	begin();
	dns_server_set_all(rig.server, DNS_TRUNCATED_UDP);
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_add(rig.server, NAME, DNS_AAAA, "2001:db8::1", 60);
	ck_assert_uint_eq(resolve(setup_of(NAME))->count, 2);
	ck_assert_uint_eq(dns_server_count(rig.server, DNS_A), 2);
	end();
}
END_TEST

START_TEST(test_refusing_servers_are_a_failure_within_5_s)
{
	struct resolver_setup setup;
	uint64_t began_ms = real_ms();

	begin();
	setup = setup_of(NAME);
	setup.servers = "127.0.0.1:1";
	/* Which of the two depends on how c-ares met the refusals. */
	ck_assert_int_ne(resolve(setup)->err, ERR_NONE);
	ck_assert_uint_lt(real_ms() - began_ms, 7000);
	end();
}
END_TEST

START_TEST(test_failures_known_before_the_query_are_told_later_too)
{
	static const struct {
		const char *name;
		const char *servers; /* NULL: ours */
	} rows[] = {{"hidden.onion", NULL}, {"a..b", NULL}, {NAME, "nonsense"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct resolver_setup setup;

		begin();
		setup = setup_of(rows[i].name);
		setup.servers = rows[i].servers != NULL ? rows[i].servers : setup.servers;
		ck_assert_int_eq(resolve(setup)->err, ERR_DNS_FAILED);
		ck_assert_uint_eq(dns_server_count(rig.server, DNS_A), 0);
		end();
	}
}
END_TEST

START_TEST(test_a_lost_packet_is_survived)
{
	uint64_t began_ms = real_ms();

	begin();
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_drop(rig.server, 2);
	ck_assert_int_eq(resolve(setup_of(NAME))->err, ERR_NONE);
	ck_assert_uint_ge(real_ms() - began_ms, 900);
	ck_assert_uint_lt(real_ms() - began_ms, 2500);
	end();
}
END_TEST

START_TEST(test_silence_is_a_timeout_after_5_s)
{
	uint64_t began_ms = real_ms();

	begin();
	dns_server_set_all(rig.server, DNS_SILENT);
	ck_assert_int_eq(resolve(setup_of(NAME))->err, ERR_DNS_TIMEOUT);
	ck_assert_uint_ge(real_ms() - began_ms, 4900);
	ck_assert_uint_lt(real_ms() - began_ms, 7000);
	ck_assert_uint_eq(dns_server_count(rig.server, DNS_A), 3);
	end();
}
END_TEST

START_TEST(test_one_silent_family_leaves_the_other)
{
	begin();
	dns_server_add(rig.server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_set_mode(rig.server, DNS_AAAA, DNS_SILENT);
	ck_assert_int_eq(resolve(setup_of(NAME))->err, ERR_NONE);
	ck_assert_uint_eq(resolver_answer(rig.resolver)->count, 1);
	end();
}
END_TEST

SUITE_MAIN("net/lookup", test_least_ttl_over_names_and_addresses, test_equal_addresses_count_once,
	   test_hosts_file_comes_first_and_lives_60_s,
	   test_ttl_0_of_dns_is_not_taken_for_the_hosts_file,
	   test_localhost_is_loopback_and_never_asked,
	   test_of_many_addresses_both_families_and_the_known_ones_stay,
	   test_truncated_answer_is_fetched_over_tcp,
	   test_refusing_servers_are_a_failure_within_5_s,
	   test_failures_known_before_the_query_are_told_later_too, test_a_lost_packet_is_survived,
	   test_silence_is_a_timeout_after_5_s, test_one_silent_family_leaves_the_other)
