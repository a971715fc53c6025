/* net/resolver.c and net/lookup.c: real c-ares against a DNS server in this process. */
#include "base/clock.h"
#include "base/log.h"
#include "net/dns_server.h"
#include "net/resolver.h"
#include "suite.h"

#include <event2/event.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "api.upstream.test"

static struct event_base *base;
static struct clock test_clock;
static struct log test_log;
static FILE *log_file;
static struct dns_server *server;
static struct resolver *resolver;
static unsigned changes;
static bool free_on_change;
static char hosts_path[64];

static void on_change(void *owner)
{
	ck_assert_ptr_eq(owner, &changes);
	changes++;
	if (free_on_change) {
		resolver_free(resolver);
		resolver = NULL;
	}
}

/* The hosts file of the machine stays out of it. */
static void write_hosts(const char *text)
{
	FILE *file = fopen(hosts_path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void begin(void)
{
	int fd;

	changes = 0;
	resolver = NULL;
	snprintf(hosts_path, sizeof(hosts_path), "/tmp/warmpool-hosts-XXXXXX");
	fd = mkstemp(hosts_path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	setenv("CARES_HOSTS", hosts_path, 1);
	base = event_base_new();
	clock_init(&test_clock);
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	log_init(&test_log, fileno(log_file));
	server = dns_server_new(base);
}

static void end(void)
{
	resolver_free(resolver);
	dns_server_free(server);
	log_fini(&test_log);
	fclose(log_file);
	event_base_free(base);
	unlink(hosts_path);
}

static struct resolver_setup setup_of(const char *name)
{
	return (struct resolver_setup){
		.base = base,
		.clock = &test_clock,
		.log = &test_log,
		.name = name,
		.port = 443,
		.ttl_max_ms = 300000,
		.servers = dns_server_address(server),
		.on_change = on_change,
		.owner = &changes,
	};
}

static void start(struct resolver_setup setup)
{
	resolver = resolver_new(&setup);
	resolver_start(resolver);
	ck_assert_uint_eq(changes, 0);
}

static void turn(int flags)
{
	event_base_loop(base, flags);
	clock_end_turn(&test_clock);
	if (!test_clock.frozen) {
		clock_refresh(&test_clock);
	}
}

static void run_until_changes(unsigned count)
{
	while (changes < count) {
		turn(EVLOOP_ONCE);
	}
	ck_assert_uint_eq(changes, count);
}

static void run_until_asked(unsigned count)
{
	while (dns_server_count(server, DNS_A) < count ||
	       dns_server_count(server, DNS_AAAA) < count) {
		turn(EVLOOP_ONCE);
	}
}

static uint64_t real_ms(void)
{
	struct clock now;

	clock_init(&now);
	return now.now_ms;
}

static void run_for(uint64_t ms)
{
	uint64_t end_ms = real_ms() + ms;

	while (real_ms() < end_ms) {
		turn(EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static const struct resolver_answer *resolve(struct resolver_setup setup)
{
	start(setup);
	run_until_changes(1);
	return resolver_answer(resolver);
}

static bool has(const struct resolver_answer *answer, const char *ip)
{
	struct addr addr;

	ck_assert(addr_parse_ip(span_of(ip), 443, &addr));
	for (size_t i = 0; i < answer->count; i++) {
		if (addr_is_equal(&answer->addrs[i], &addr)) {
			return true;
		}
	}
	return false;
}

static unsigned count_logged(const char *needle)
{
	char text[8192];
	unsigned count = 0;
	ssize_t len;

	log_flush(&test_log);
	len = pread(fileno(log_file), text, sizeof(text) - 1, 0);
	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	for (const char *at = strstr(text, needle); at != NULL; at = strstr(at + 1, needle)) {
		count++;
	}
	return count;
}

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
		ck_assert_uint_eq(resolver_answer(resolver)->count, 1);
		ck_assert(has(resolver_answer(resolver), literals[i]));
		ck_assert_uint_eq(resolver_answer(resolver)->ttl_ms, UINT64_MAX);
		resolver_hint_stale(resolver);
		resolver_set_ttl_max(resolver, 1);
		run_for(30);
		ck_assert_uint_eq(changes, 1);
		ck_assert_uint_eq(
			dns_server_count(server, DNS_A) + dns_server_count(server, DNS_AAAA), 0);
		end();
	}
}
END_TEST

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
		dns_server_add(server, NAME, DNS_CNAME, "edge.test", rows[i].cname_s);
		dns_server_add(server, "edge.test", DNS_CNAME, "node.edge.test", rows[i].cname2_s);
		dns_server_add(server, "node.edge.test", DNS_A, "192.0.2.1", rows[i].a_s);
		dns_server_add(server, "node.edge.test", DNS_AAAA, "2001:db8::1", rows[i].aaaa_s);
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
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_add(server, NAME, DNS_A, "192.0.2.2", 60);
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
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
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	answer = resolve(setup_of(NAME));
	ck_assert_uint_eq(answer->count, 2);
	ck_assert(has(answer, "192.0.2.9") && has(answer, "2001:db8::9"));
	ck_assert_uint_eq(answer->ttl_ms, 60000);
	ck_assert_uint_eq(dns_server_count(server, DNS_A), 0);
	ck_assert_uint_eq(count_logged("from=hosts"), 1);
	end();
}
END_TEST

START_TEST(test_ttl_0_of_dns_is_not_taken_for_the_hosts_file)
{
	begin();
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 0);
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
			unlink(hosts_path);
		}
		answer = resolve(setup_of(rows[i].name));
		ck_assert_uint_eq(answer->count, count);
		for (size_t j = 0; j < count; j++) {
			ck_assert(has(answer, rows[i].addresses[j]));
		}
		ck_assert_uint_eq(answer->ttl_ms, 60000);
		ck_assert_uint_eq(dns_server_count(server, DNS_A), 0);
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
	dns_server_set_all(server, DNS_TRUNCATED_UDP);
	for (int i = 1; i <= 12; i++) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		dns_server_add(server, NAME, DNS_A, ip, 60);
	}
	dns_server_add(server, NAME, DNS_AAAA, "2001:db8::1", 60);
	answer = resolve(setup);
	ck_assert_uint_eq(answer->count, 13);
	dns_server_clear(server);
	for (int i = 30; i > 0; i--) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", i);
		dns_server_add(server, NAME, DNS_A, ip, 60);
	}
	dns_server_add(server, NAME, DNS_AAAA, "2001:db8::1", 60);
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
	dns_server_set_all(server, DNS_TRUNCATED_UDP);
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_add(server, NAME, DNS_AAAA, "2001:db8::1", 60);
	ck_assert_uint_eq(resolve(setup_of(NAME))->count, 2);
	ck_assert_uint_eq(dns_server_count(server, DNS_A), 2);
	end();
}
END_TEST

START_TEST(test_asked_again_when_its_life_ends)
{
	struct resolver_setup setup;

	begin();
	setup = setup_of(NAME);
	setup.ttl_max_ms = 50;
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_add(server, NAME, DNS_A, "192.0.2.2", 60);
	resolve(setup);
	/* Another order is no change. */
	dns_server_clear(server);
	dns_server_add(server, NAME, DNS_A, "192.0.2.2", 60);
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	run_until_asked(4);
	ck_assert_uint_eq(changes, 1);
	dns_server_clear(server);
	dns_server_add(server, NAME, DNS_A, "192.0.2.3", 60);
	run_until_changes(2);
	ck_assert_uint_eq(resolver_answer(resolver)->count, 1);
	ck_assert(has(resolver_answer(resolver), "192.0.2.3"));
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
		dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
		answer = resolve(setup);
		dns_server_set_all(server, modes[i]);
		run_until_changes(2);
		ck_assert_int_eq(answer->err, ERR_DNS_FAILED);
		ck_assert(has(answer, "192.0.2.1"));
		dns_server_set_all(server, DNS_ANSWER);
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
	ck_assert_int_eq(resolver_answer(resolver)->err, ERR_DNS_FAILED);
	ck_assert_uint_eq(resolver_answer(resolver)->count, 0);
	ck_assert_uint_eq(dns_server_count(server, DNS_A), 1);
	run_until_asked(2);
	run_for(20);
	ck_assert_uint_eq(changes, 1);
	ck_assert_uint_eq(count_logged("resolve failed name=" NAME), 1);
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
		ck_assert_uint_eq(dns_server_count(server, DNS_A), 0);
		end();
	}
}
END_TEST

START_TEST(test_a_lost_packet_is_survived)
{
	uint64_t began_ms = real_ms();

	begin();
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_drop(server, 2);
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
	dns_server_set_all(server, DNS_SILENT);
	ck_assert_int_eq(resolve(setup_of(NAME))->err, ERR_DNS_TIMEOUT);
	ck_assert_uint_ge(real_ms() - began_ms, 4900);
	ck_assert_uint_lt(real_ms() - began_ms, 7000);
	ck_assert_uint_eq(dns_server_count(server, DNS_A), 3);
	end();
}
END_TEST

START_TEST(test_one_silent_family_leaves_the_other)
{
	begin();
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	dns_server_set_mode(server, DNS_AAAA, DNS_SILENT);
	ck_assert_int_eq(resolve(setup_of(NAME))->err, ERR_NONE);
	ck_assert_uint_eq(resolver_answer(resolver)->count, 1);
	end();
}
END_TEST

START_TEST(test_hint_asks_again_but_not_often)
{
	begin();
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 300);
	clock_set_ms(&test_clock, 1000000);
	resolve(setup_of(NAME));
	clock_set_ms(&test_clock, 1005000);
	resolver_hint_stale(resolver);
	run_until_asked(2);
	run_for(50);
	resolver_hint_stale(resolver);
	run_for(50);
	ck_assert_uint_eq(dns_server_count(server, DNS_A), 2);
	ck_assert_uint_eq(changes, 1);
	end();
}
END_TEST

START_TEST(test_new_ttl_max_counts_for_the_present_answer)
{
	begin();
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 300);
	resolve(setup_of(NAME));
	ck_assert_uint_eq(resolver_answer(resolver)->ttl_ms, 300000);
	resolver_set_ttl_max(resolver, 50);
	ck_assert_uint_eq(resolver_answer(resolver)->ttl_ms, 50);
	run_until_asked(2);
	end();
}
END_TEST

START_TEST(test_free_at_any_time)
{
	begin();
	resolver_free(NULL);
	{
		struct resolver_setup setup = setup_of(NAME);

		resolver_free(resolver_new(&setup));
	}
	/* Before its first turn. */
	start(setup_of(NAME));
	resolver_free(resolver);
	/* With both queries under way. */
	dns_server_set_all(server, DNS_SILENT);
	start(setup_of(NAME));
	run_until_asked(1);
	resolver_free(resolver);
	/* With one family answered: c-ares then reports success on destruction. */
	dns_server_set_mode(server, DNS_A, DNS_ANSWER);
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	start(setup_of(NAME));
	run_until_asked(2);
	run_for(50);
	resolver_free(resolver);
	/* With a result that was there at once, not told yet. */
	start(setup_of("localhost"));
	turn(EVLOOP_ONCE);
	resolver_free(resolver);
	resolver = NULL;
	run_for(20);
	ck_assert_uint_eq(changes, 0);
	end();
}
END_TEST

START_TEST(test_free_from_inside_on_change)
{
	static const char *const names[] = {NAME, "localhost", "192.0.2.7", "missing.test"};

	begin();
	free_on_change = true;
	dns_server_add(server, NAME, DNS_A, "192.0.2.1", 60);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(setup_of(names[i]));
		run_until_changes(1);
		run_for(10);
		changes = 0;
	}
	end();
}
END_TEST

SUITE_MAIN("net/resolver", test_life_is_bounded, test_retries_come_ever_later,
	   test_literals_never_ask_and_live_for_ever, test_least_ttl_over_names_and_addresses,
	   test_equal_addresses_count_once, test_hosts_file_comes_first_and_lives_60_s,
	   test_ttl_0_of_dns_is_not_taken_for_the_hosts_file,
	   test_localhost_is_loopback_and_never_asked,
	   test_of_many_addresses_both_families_and_the_known_ones_stay,
	   test_truncated_answer_is_fetched_over_tcp, test_asked_again_when_its_life_ends,
	   test_last_good_answer_stays_on_failure, test_a_lasting_failure_is_told_and_logged_once,
	   test_refusing_servers_are_a_failure_within_5_s,
	   test_failures_known_before_the_query_are_told_later_too, test_a_lost_packet_is_survived,
	   test_silence_is_a_timeout_after_5_s, test_one_silent_family_leaves_the_other,
	   test_hint_asks_again_but_not_often, test_new_ttl_max_counts_for_the_present_answer,
	   test_free_at_any_time, test_free_from_inside_on_change)
