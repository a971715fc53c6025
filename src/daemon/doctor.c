/* Leads a diagnosis from the configuration to what is suggested. */
#include "daemon/doctor.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"
#include "daemon/cli.h"
#include "daemon/doctor_parts.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "pool/idle_learner.h"
#include "version.h"

#include <event2/event.h>

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ALL_MS = 30000,
	CONNECT_MS_MAX = 20000,
	ANSWER_MS = 10000,
	RESOLV_CONF_BYTES_MAX = 65536,
	SERVERS_BYTES = 160,
	DURATION_BYTES = 32,
};

/* --- the configuration --- */

static void print_problems(struct report *report, const struct config_problems *problems)
{
	static const struct span warning = {"warning: ", 9};

	for (size_t i = 0; i < problems->count; i++) {
		const char *line = problems->lines[i];

		if (span_starts_with(span_of(line), warning)) {
			report_warning(report, "", "%s", line + warning.len);
		} else {
			report_fault(report, "", "%s", line);
		}
	}
}

static bool load(const struct cli *cli, struct config *config, struct report *report)
{
	struct config_problems problems = {0};
	const char *file = cli_file(cli);
	bool is_good = cli_load(cli, config, &problems);

	report_line(report, "configuration", "%s%s%s", file != NULL ? file : "the defaults",
		    cli->set_count > 0 ? ", and --set" : "", is_good ? ": ok" : "");
	print_problems(report, &problems);
	config_problems_fini(&problems);
	return is_good;
}

/* --- the name --- */

/* "10.0.0.1, 10.0.0.2": the servers of /etc/resolv.conf, as far as they fit. */
static void read_servers(char out[SERVERS_BYTES])
{
	char *text;
	char *line;
	char *rest;
	size_t len;
	size_t at = 0;

	out[0] = '\0';
	if (!file_read("/etc/resolv.conf", RESOLV_CONF_BYTES_MAX, &text, &len)) {
		return;
	}
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL && at < SERVERS_BYTES) {
		static const struct span word = {"nameserver", 10};

		if (span_starts_with(span_of(line), word)) {
			line += word.len;
			line += strspn(line, " \t");
			at += (size_t)snprintf(out + at, SERVERS_BYTES - at, "%s%.*s",
					       at > 0 ? ", " : "", (int)strcspn(line, " \t\r#;"),
					       line);
		}
	}
	free(text);
}

static void on_found(void *owner)
{
	*(bool *)owner = true;
}

static void look_up(struct doctor *doctor)
{
	struct lookup lookup;
	bool is_over = false;

	lookup_init(&lookup, &(struct lookup_setup){.base = doctor->base,
						    .name = doctor->url.host,
						    .port = doctor->url.port,
						    .on_done = on_found,
						    .owner = &is_over});
	lookup_start(&lookup, NULL, 0);
	while (!is_over && event_base_loop(doctor->base, EVLOOP_ONCE) == 0) {
	}
	doctor->names = lookup.result;
	lookup_fini(&lookup);
}

static void print_names(struct doctor *doctor, uint64_t took_us)
{
	const struct lookup_result *names = &doctor->names;
	uint64_t life_ms = resolver_life_ms(names->ttl_s, names->from_hosts,
					    doctor->config->upstream_dns_ttl_max_ms);
	char took[REPORT_TIME_BYTES];
	char life[DURATION_BYTES];
	char ttl[64] = "";

	if (!names->from_hosts) {
		snprintf(ttl, sizeof(ttl), ", TTL %" PRId64 " s", names->ttl_s);
	}
	report_line(
		&doctor->report, "name", "%s: %zu address%s from %s in %s%s, asked again every %s",
		doctor->url.host, names->count, names->count == 1 ? "" : "es",
		names->from_hosts ? "this machine (/etc/hosts)" : "DNS", report_time(took_us, took),
		ttl, str_write_duration(life, sizeof(life), life_ms));
}

/* False when there is no address. */
static bool find_addresses(struct doctor *doctor)
{
	struct addr literal;
	struct reason reason;
	char servers[SERVERS_BYTES];
	uint64_t began_us = doctor->clock.now_us;

	if (addr_parse_ip(span_of(doctor->url.host), doctor->url.port, &literal)) {
		doctor->names = (struct lookup_result){.addrs = {literal}, .count = 1};
		report_line(&doctor->report, "name", "%s is an address itself: nothing to look up",
			    doctor->url.host);
		return true;
	}
	look_up(doctor);
	clock_end_turn(&doctor->clock);
	clock_refresh(&doctor->clock);
	if (lookup_verdict_of(doctor->names.status) == LOOKUP_FOUND) {
		print_names(doctor, doctor->clock.now_us - began_us);
		return true;
	}
	read_servers(servers);
	reason_of_lookup(doctor->names.status, doctor->url.host, servers, &reason);
	report_fault(&doctor->report, "name", "%s", reason.what);
	if (reason.remedy[0] != '\0') {
		report_remedy(&doctor->report, reason.remedy);
	}
	return false;
}

/* --- what to set --- */

static unsigned suggest_idle_timeout(struct doctor *doctor)
{
	uint64_t set_ms = doctor->config->pool_idle_timeout_ms;
	uint64_t hint_s = doctor->findings.hint_s;
	struct idle_learner learner = {0};
	char safe[DURATION_BYTES];
	char set[DURATION_BYTES];

	if (hint_s == 0) {
		return 0;
	}
	idle_learner_hint(&learner, hint_s, doctor->clock.now_ms);
	str_write_duration(safe, sizeof(safe), idle_learner_safe_ms(&learner));
	if (OPTION_IS_WORD(set_ms)) {
		report_line(
			&doctor->report, "",
			"pool.idle_timeout: leave it at auto, which takes the server's hint (%" PRIu64
			" s) and lends nothing idle longer than %s",
			hint_s, safe);
		return 1;
	}
	if (set_ms <= idle_learner_safe_ms(&learner)) {
		return 0;
	}
	report_line(
		&doctor->report, "",
		"pool.idle_timeout=auto: yours is %s, and the server says that it closes after %" PRIu64
		" s",
		str_write_duration(set, sizeof(set), set_ms), hint_s);
	return 1;
}

static unsigned suggest_connect_timeout(struct doctor *doctor)
{
	uint64_t set_ms = doctor->config->timeouts_connect_ms;
	char took[REPORT_TIME_BYTES];
	char set[DURATION_BYTES];

	if (doctor->findings.slowest_us / 1000 < set_ms / 2) {
		return 0;
	}
	report_line(&doctor->report, "",
		    "timeouts.connect: raise it: a connection took %s just now, and %s are allowed",
		    report_time(doctor->findings.slowest_us, took),
		    str_write_duration(set, sizeof(set), set_ms));
	return 1;
}

static void suggest(struct doctor *doctor)
{
	unsigned said = 0;

	if (doctor->findings.usable == 0) {
		return;
	}
	report_heading(&doctor->report, "suggestions");
	said += suggest_idle_timeout(doctor);
	said += suggest_connect_timeout(doctor);
	if (said == 0) {
		report_line(&doctor->report, "", "none: what is set fits what was measured");
	}
}

/* --- all of it --- */

static bool open_tls(struct doctor *doctor)
{
	const struct tls_setup setup = {.host = doctor->url.host,
					.ca_file = doctor->config->upstream_ca_file,
					.verify = doctor->config->upstream_tls_verify};
	char error[256];

	if (!doctor->url.is_tls) {
		return true;
	}
	doctor->tls = tls_client_new(&setup, error, sizeof(error));
	if (doctor->tls == NULL) {
		report_fault(&doctor->report, "TLS", "%s", error);
		return false;
	}
	return true;
}

static void init(struct doctor *doctor, const struct config *config)
{
	const char *fault;

	doctor->config = config;
	clock_init(&doctor->clock);
	clock_refresh(&doctor->clock);
	doctor->base = event_base_new();
	if (doctor->base == NULL || !url_parse(config->upstream_url, &doctor->url, &fault) ||
	    asprintf(&doctor->request,
		     "HEAD / HTTP/1.1\r\nHost: %s\r\nUser-Agent: warmpool\r\n\r\n",
		     doctor->url.authority) < 0) {
		abort(); /* the URL was checked; the others mean no memory */
	}
	doctor->end_ms = doctor->clock.now_ms + ALL_MS;
	doctor->context = (struct reason_context){
		.host = doctor->url.host,
		.authority = doctor->url.authority,
		.ca_file = config->upstream_ca_file,
		.is_tls = doctor->url.is_tls,
		.is_verified = config->upstream_tls_verify,
		.connect_ms = MIN(config->timeouts_connect_ms, CONNECT_MS_MAX),
		.answer_ms = MIN(config->timeouts_response_ms, ANSWER_MS),
		.now_s = (int64_t)time(NULL),
	};
}

static void fini(struct doctor *doctor)
{
	tls_client_unref(doctor->tls);
	event_base_free(doctor->base);
	libevent_global_shutdown();
	url_fini(&doctor->url);
	free(doctor->request);
}

static void conclude(struct report *report, bool was_measured)
{
	const char *plural = report->warnings == 1 ? "" : "s";

	if (!was_measured) {
		report_heading(report, "Nothing was measured: correct the configuration first.");
	} else if (report->faults > 0) {
		report_heading(report, "The upstream cannot be used: see FAULT above.");
	} else if (report->warnings > 0) {
		report_heading(report, "The upstream can be used, with %u warning%s.",
			       report->warnings, plural);
	} else {
		report_heading(report, "All is well.");
	}
}

static void examine(struct doctor *doctor)
{
	bool has_addresses;

	report_line(&doctor->report, "upstream", "%s", doctor->config->upstream_url);
	has_addresses = open_tls(doctor) && find_addresses(doctor);

	for (size_t i = 0; has_addresses && i < doctor->names.count; i++) {
		doctor_address(doctor, &doctor->names.addrs[i]);
	}
	if (has_addresses && doctor->findings.usable == 0 && doctor->report.faults == 0) {
		report_heading(&doctor->report, "all addresses");
		report_fault(&doctor->report, "", "none of these %zu addresses can be used",
			     doctor->names.count);
	}
	doctor_machine(doctor);
	suggest(doctor);
}

int doctor_run(const struct cli *cli, FILE *out)
{
	struct config config;
	struct doctor doctor = {0};
	bool is_good;

	signal(SIGPIPE, SIG_IGN);
	report_init(&doctor.report, out);
	report_line(&doctor.report, "warmpool", "%s", WARMPOOL_VERSION);

	is_good = load(cli, &config, &doctor.report);
	if (is_good) {
		init(&doctor, &config);
		examine(&doctor);
		fini(&doctor);
	}
	conclude(&doctor.report, is_good);
	config_fini(&config);
	return doctor.report.faults == 0 && fflush(out) == 0 && ferror(out) == 0 ? CLI_EXIT_OK
										 : CLI_EXIT_FAILED;
}
