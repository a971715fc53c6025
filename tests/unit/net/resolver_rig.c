/* Owns the surroundings of a resolver under test. */
#include "net/resolver_rig.h"

#include "base/log.h"
#include "net/dns_server.h"

#include <check.h>
#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rig rig;

static struct event_base *base;
static struct log rig_log;
static FILE *log_file;

static void on_change(void *owner)
{
	ck_assert_ptr_eq(owner, &rig);
	rig.changes++;
	if (rig.free_on_change) {
		resolver_free(rig.resolver);
		rig.resolver = NULL;
	}
}

void write_hosts(const char *text)
{
	FILE *file = fopen(rig.hosts_path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

void begin(void)
{
	int fd;

	rig = (struct rig){.hosts_path = "/tmp/warmpool-hosts-XXXXXX"};
	fd = mkstemp(rig.hosts_path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	setenv("CARES_HOSTS", rig.hosts_path, 1);
	base = event_base_new();
	clock_init(&rig.clock);
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	log_init(&rig_log, fileno(log_file));
	rig.server = dns_server_new(base);
}

void end(void)
{
	resolver_free(rig.resolver);
	dns_server_free(rig.server);
	log_fini(&rig_log);
	fclose(log_file);
	event_base_free(base);
	unlink(rig.hosts_path);
}

struct resolver_setup setup_of(const char *name)
{
	return (struct resolver_setup){
		.base = base,
		.clock = &rig.clock,
		.log = &rig_log,
		.metrics = &rig.metrics,
		.name = name,
		.port = 443,
		.ttl_max_ms = 300000,
		.servers = dns_server_address(rig.server),
		.on_change = on_change,
		.owner = &rig,
	};
}

void start(struct resolver_setup setup)
{
	unsigned before = rig.changes;

	rig.resolver = resolver_new(&setup);
	resolver_start(rig.resolver);
	ck_assert_uint_eq(rig.changes, before);
}

const struct resolver_answer *resolve(struct resolver_setup setup)
{
	start(setup);
	run_until_changes(1);
	return resolver_answer(rig.resolver);
}

void turn(int flags)
{
	event_base_loop(base, flags);
	clock_end_turn(&rig.clock);
	clock_refresh(&rig.clock);
}

void run_until_changes(unsigned count)
{
	while (rig.changes < count) {
		turn(EVLOOP_ONCE);
	}
	ck_assert_uint_eq(rig.changes, count);
}

void run_until_asked(unsigned count)
{
	while (dns_server_count(rig.server, DNS_A) < count ||
	       dns_server_count(rig.server, DNS_AAAA) < count) {
		turn(EVLOOP_ONCE);
	}
}

uint64_t real_ms(void)
{
	struct clock now;

	clock_init(&now);
	return now.now_ms;
}

void run_for(uint64_t ms)
{
	uint64_t end_ms = real_ms() + ms;

	while (real_ms() < end_ms) {
		turn(EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

bool has(const struct resolver_answer *answer, const char *ip)
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

unsigned count_logged(const char *needle)
{
	char text[8192];
	unsigned count = 0;
	ssize_t len;

	log_flush(&rig_log);
	len = pread(fileno(log_file), text, sizeof(text) - 1, 0);
	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	for (const char *at = strstr(text, needle); at != NULL; at = strstr(at + 1, needle)) {
		count++;
	}
	return count;
}
