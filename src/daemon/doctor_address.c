/* Measures one address of the upstream: a full connection with its answers, then a resumed one. */
#include "base/macros.h"
#include "base/str.h"
#include "config/config.h"
#include "daemon/doctor_parts.h"
#include "daemon/doctor_probe.h"
#include "net/tls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400, WARN_DAYS = 21, SKEW_MAX_S = 60, PLAIN_MS = 2000 };

static void run_probe(struct doctor *doctor, const struct addr *addr, struct tls_client *tls,
		      unsigned requests, struct probe *ret_probe)
{
	const struct probe_setup setup = {
		.base = doctor->base,
		.clock = &doctor->clock,
		.addr = addr,
		.tls = tls,
		.request = doctor->request,
		.requests = requests,
		.connect_ms = doctor->context.connect_ms,
		.answer_ms =
			tls == NULL && doctor->tls != NULL ? PLAIN_MS : doctor->context.answer_ms,
		.end_ms = doctor->end_ms,
	};

	probe_run(&setup, ret_probe);
}

static void print_tls(struct doctor *doctor, const struct probe *probe)
{
	const struct tls_facts *tls = &probe->tls;
	char took[REPORT_TIME_BYTES];

	if (doctor->tls == NULL) {
		report_line(&doctor->report, "TLS", "none: upstream.url is http://");

		return;
	}
	report_line(&doctor->report, "TLS", "%s, full handshake: %s, %s, ALPN %s",
		    report_time(probe->tls_us, took), tls->version, tls->cipher,
		    tls->alpn[0] != '\0' ? tls->alpn : "not answered (no harm)");
}

static void print_certificate(struct doctor *doctor, const struct tls_facts *tls)
{
	int64_t days = tls->expires_s / DAY_S;

	if (!tls->has_certificate) {
		return;
	}
	report_line(&doctor->report, "certificate", "%s, issued by %s; %" PRId64 " days left",
		    tls->subject, tls->issuer, days);
	if (days < WARN_DAYS && doctor->context.is_verified) {
		report_warning(&doctor->report, "",
			       "it expires in %" PRId64 " days; then no call works any more", days);
		report_remedy(&doctor->report, "the server's owner has to renew it");
	}
	if (!doctor->context.is_verified) {
		report_warning(
			&doctor->report, "",
			"it was not checked: upstream.tls_verify is off, so whoever answers gets the keys");
	}
}

static void print_resumption(struct doctor *doctor, const struct addr *addr)
{
	struct probe probe;
	char took[REPORT_TIME_BYTES];

	if (doctor->tls == NULL) {
		return;
	}
	run_probe(doctor, addr, doctor->tls, 0, &probe);
	if (probe.stage != PROBE_DONE) {
		report_warning(&doctor->report, "TLS again",
			       "a second connection right after the first did not come about");
		report_remedy(&doctor->report,
			      "does something on the way limit how often connections may be made?");
		return;
	}
	report_line(&doctor->report, "TLS again", "%s, %s", report_time(probe.tls_us, took),
		    probe.tls.was_resumed
			    ? "resumed with the first one's ticket"
			    : "not resumed: each new connection pays a full handshake");
}

static void print_skew(struct doctor *doctor, const struct probe *probe)
{
	int64_t here_s = (int64_t)time(NULL);
	int64_t there_s;
	int64_t skew_s;

	if (!reason_read_date(reason_field(probe, SPAN("date")), &there_s)) {
		report_line(&doctor->report, "clock", "not compared: the answer has no Date");
		return;
	}
	skew_s = here_s > there_s ? here_s - there_s : there_s - here_s;
	if (skew_s <= SKEW_MAX_S) {
		report_line(&doctor->report, "clock", "within %" PRId64 " s of the server's",
			    MAX(skew_s, 1));
		return;
	}
	report_warning(&doctor->report, "clock", "this machine's is %" PRId64 " s %s the server's",
		       skew_s, here_s > there_s ? "ahead of" : "behind");
	report_remedy(&doctor->report, "set it (timedatectl): certificates are judged by it");
}

static void print_answer(struct doctor *doctor, const struct probe *probe)
{
	struct span server = reason_field(probe, SPAN("server"));
	uint64_t hint_s = http_head_keep_alive_seconds(&probe->head);
	char took[REPORT_TIME_BYTES];
	char name[REASON_TEXT_BYTES];
	char hint[64] = "";

	if (hint_s > 0) {
		snprintf(hint, sizeof(hint), "; Keep-Alive: timeout=%" PRIu64, hint_s);
	}
	report_line(&doctor->report, "HEAD /", "%s to the first byte: status %u%s%s%s",
		    report_time(probe->first_us, took), probe->head.status,
		    server.len > 0 ? "; Server: " : "", reason_text(server, name), hint);
}

/* What a connection kept open is worth, from the first address that answers. */
static void print_saving(struct doctor *doctor, const struct probe *probe)
{
	uint64_t opening_us = probe->tcp_us + probe->tls_us;
	char open[REPORT_TIME_BYTES];
	char fresh[REPORT_TIME_BYTES];
	char saved[REPORT_TIME_BYTES];

	if (probe->answers < 2) {
		report_warning(&doctor->report, "stays open",
			       "no: %s, so every call pays for a new connection",
			       probe->head.has_close ? "the server says Connection: close"
						     : "the server ends it after an answer");
		return;
	}
	report_line(
		&doctor->report, "stays open",
		"yes: a call over it takes %s, on a new connection %s: the pool saves %s a call",
		report_time(probe->again_us, open),
		report_time(probe->again_us + opening_us, fresh), report_time(opening_us, saved));
}

static const char *stage_label(enum probe_stage stage)
{
	switch (stage) {
	case PROBE_CONNECTING:
		return "TCP";
	case PROBE_HANDSHAKING:
		return "TLS";
	case PROBE_ASKING:
	case PROBE_DONE:
		break;
	}
	return "HEAD /";
}

/* What keeps this address from being used: a fault of the upstream only when it has no other. */
static void print_reason(struct doctor *doctor, const char *label, const struct reason *reason)
{
	if (doctor->names.count == 1) {
		report_fault(&doctor->report, label, "%s", reason->what);
	} else {
		report_warning(&doctor->report, label, "%s", reason->what);
	}
	if (reason->remedy[0] != '\0') {
		report_remedy(&doctor->report, reason->remedy);
	}
}

/* False when what answered is not the upstream. */
static bool judge_answer(struct doctor *doctor, const struct probe *probe)
{
	struct reason reason;
	enum answer_verdict verdict = reason_of_answer(probe, &doctor->context, &reason);

	if (verdict == ANSWER_FOREIGN) {
		print_reason(doctor, "", &reason);
		return false;
	}
	if (verdict == ANSWER_DOUBTFUL) {
		report_warning(&doctor->report, "", "%s", reason.what);
		report_remedy(&doctor->report, reason.remedy);
	}
	return true;
}

static void print_failure(struct doctor *doctor, const struct addr *addr, const struct probe *probe)
{
	struct probe plain;
	struct reason reason;
	/* A server of plain HTTP may also wait for the end of what it takes for a request. */
	bool may_be_plain = probe->stage == PROBE_HANDSHAKING &&
			    (probe->is_late || probe->tls.fault == TLS_FAULT_NOT_TLS);

	if (may_be_plain) {
		run_probe(doctor, addr, NULL, 1, &plain);
	}
	reason_of_failure(probe, may_be_plain ? &plain : NULL, &doctor->context, &reason);
	print_reason(doctor, stage_label(probe->stage), &reason);
}

/* An address of a family that this machine has no way to, beside one that it has, is no fault: the daemon takes the other. */
static bool is_absent_family(const struct doctor *doctor, const struct addr *addr,
			     const struct probe *probe)
{
	bool has_other = false;

	for (size_t i = 0; i < doctor->names.count; i++) {
		has_other = has_other ||
			    doctor->names.addrs[i].sa.any.sa_family != addr->sa.any.sa_family;
	}
	return has_other && probe->stage == PROBE_CONNECTING &&
	       (probe->error == ENETUNREACH || probe->error == EADDRNOTAVAIL ||
		probe->error == EAFNOSUPPORT);
}

static void measure(struct doctor *doctor, const struct addr *addr)
{
	struct doctor_findings *findings = &doctor->findings;
	bool is_first = findings->usable == 0;
	struct probe probe;
	char took[REPORT_TIME_BYTES];

	run_probe(doctor, addr, doctor->tls, is_first ? 2 : 1, &probe);
	if (is_absent_family(doctor, addr, &probe)) {
		report_line(&doctor->report, "", "not reached from here: this machine has no %s",
			    addr->sa.any.sa_family == AF_INET6 ? "IPv6" : "IPv4");
		return;
	}
	if (probe.tcp_us > 0) {
		report_line(&doctor->report, "TCP", "%s", report_time(probe.tcp_us, took));
	}
	if (probe.stage >= PROBE_ASKING) {
		print_tls(doctor, &probe);
		print_certificate(doctor, &probe.tls);
	}
	if (probe.answers == 0) {
		print_failure(doctor, addr, &probe);
		return;
	}
	print_resumption(doctor, addr);
	print_answer(doctor, &probe);
	if (!judge_answer(doctor, &probe)) {
		return;
	}
	if (is_first) {
		findings->hint_s = http_head_keep_alive_seconds(&probe.head);
		print_saving(doctor, &probe);
		print_skew(doctor, &probe);
	}
	findings->usable++;
	findings->slowest_us = MAX(findings->slowest_us, probe.tcp_us + probe.tls_us);
}

void doctor_address(struct doctor *doctor, const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];

	report_heading(&doctor->report, "address %s", addr_write(addr, text));
	clock_end_turn(&doctor->clock);
	clock_refresh(&doctor->clock);
	if (doctor_is_ourselves(doctor->config, addr)) {
		/* warmpool does not start with it, whatever the other addresses are. */
		report_fault(
			&doctor->report, "",
			"this is our own listener (listen): every request would come back to us");
		report_remedy(&doctor->report,
			      "take the name out of /etc/hosts, or change listen or upstream.url");
		return;
	}
	if (doctor->clock.now_ms + doctor->context.connect_ms > doctor->end_ms) {
		report_warning(&doctor->report, "",
			       "not measured: the 30 s for all of it are nearly over");

		return;
	}
	measure(doctor, addr);
}
