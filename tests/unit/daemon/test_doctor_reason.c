/* daemon/doctor_reason.c, doctor_text.c: what a measurement means. */
#include "base/macros.h"
#include "daemon/doctor_parts.h"
#include "daemon/doctor_probe.h"
#include "daemon/doctor_reason.h"
#include "http/parser.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

static const struct reason_context tls_context = {
	.host = "api.example.com",
	.authority = "api.example.com",
	.ca_file = "",
	.is_tls = true,
	.is_verified = true,
	.connect_ms = 5000,
	.answer_ms = 10000,
	.now_s = 1764113753,
};

/* An answer as it came. */
static void answer(struct probe *probe, const char *text)
{
	struct http_parser parser;

	*probe = (struct probe){.stage = PROBE_DONE, .answers = 1};
	probe->text_bytes = strlen(text);
	memcpy(probe->text, text, probe->text_bytes);
	http_parser_init(&parser, HTTP_RESPONSE, (struct http_limits){.head_bytes = 4096});
	ck_assert_int_eq(http_parse(&parser, &probe->head, probe->text, probe->text_bytes),
			 ERR_NONE);
	ck_assert_int_eq(parser.state, HTTP_PARSE_DONE);
}

START_TEST(test_each_failure_is_named)
{
	static const struct {
		struct probe probe;
		const char *what;
		const char *remedy;
	} cases[] = {
		{{.stage = PROBE_CONNECTING, .error = ECONNREFUSED}, "refused", "port"},
		{{.stage = PROBE_CONNECTING, .is_late = true}, "black hole", "firewall"},
		{{.stage = PROBE_CONNECTING, .error = ETIMEDOUT}, "black hole", "firewall"},
		{{.stage = PROBE_CONNECTING, .error = ENETUNREACH}, "no way there", "route"},
		{{.stage = PROBE_CONNECTING, .error = EMFILE}, "descriptor", "LimitNOFILE="},
		{{.stage = PROBE_HANDSHAKING, .is_late = true}, "stalls", "timeouts.connect"},
		{{.stage = PROBE_HANDSHAKING, .tls.fault = TLS_FAULT_RESET}, "reset", "filters"},
		{{.stage = PROBE_HANDSHAKING, .tls.fault = TLS_FAULT_ENDED}, "ended", "filters"},
		{{.stage = PROBE_HANDSHAKING, .tls.fault = TLS_FAULT_NOT_TLS}, "not TLS", "port"},
		{{.stage = PROBE_HANDSHAKING, .tls.fault = TLS_FAULT_VERSION},
		 "version",
		 "renewed"},
		{{.stage = PROBE_HANDSHAKING, .tls.fault = TLS_FAULT_ALERT},
		 "alert",
		 "api.example"},
		{{.stage = PROBE_HANDSHAKING,
		  .tls = {.fault = TLS_FAULT_EXPIRED, .expires_s = -259300}},
		 "expired 3 days ago",
		 "2025-11-25 23:35 UTC"},
		{{.stage = PROBE_HANDSHAKING,
		  .tls = {.fault = TLS_FAULT_EXPIRED, .expires_s = 100, .issuer = "CN=Old"}},
		 "an issuer in its chain (CN=Old)",
		 "clock"},
		{{.stage = PROBE_HANDSHAKING, .tls.fault = TLS_FAULT_NOT_YET_VALID},
		 "not yet valid",
		 "clock"},
		{{.stage = PROBE_HANDSHAKING,
		  .tls = {.fault = TLS_FAULT_WRONG_NAME, .names = "a.test, b.test"}},
		 "for a.test, b.test, not for api.example.com",
		 "captive portal"},
		{{.stage = PROBE_HANDSHAKING,
		  .tls = {.fault = TLS_FAULT_SELF_SIGNED, .subject = "CN=x"}},
		 "signed by itself (CN=x)",
		 "upstream.ca_file"},
		{{.stage = PROBE_HANDSHAKING,
		  .tls = {.fault = TLS_FAULT_UNKNOWN_ISSUER, .issuer = "CN=Private"}},
		 "issued by CN=Private",
		 "upstream.ca_file"},
		{{.stage = PROBE_ASKING, .is_late = true}, "not answered within 10s", "stuck"},
		{{.stage = PROBE_ASKING, .error = ECONNRESET}, "reset instead", "upstream.url"},
		{{.stage = PROBE_ASKING, .is_wrong = true, .text = "h\x01\r\n", .text_bytes = 4},
		 "begins with 'h?'",
		 "port"},
		{{.stage = PROBE_ASKING, .is_wrong = true, .text = "\x15\x03\x01", .text_bytes = 3},
		 "TLS is spoken",
		 "https://"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reason reason;

		reason_of_failure(&cases[i].probe, NULL, &tls_context, &reason);
		ck_assert_msg(strstr(reason.what, cases[i].what) != NULL, "%zu: %s", i,
			      reason.what);
		ck_assert_msg(strstr(reason.remedy, cases[i].remedy) != NULL, "%zu: %s", i,
			      reason.remedy);
	}
}
END_TEST

START_TEST(test_what_speaks_instead_of_tls_is_named)
{
	const struct probe probe = {.stage = PROBE_HANDSHAKING, .tls.fault = TLS_FAULT_NOT_TLS};
	const struct probe stalled = {.stage = PROBE_HANDSHAKING, .is_late = true};
	const struct probe banner = {
		.stage = PROBE_ASKING, .text = "SSH-2.0\r\n", .text_bytes = 9, .is_wrong = true};
	struct probe plain;
	struct reason reason;

	answer(&plain, "HTTP/1.1 400 Bad Request\r\n\r\n");
	reason_of_failure(&probe, &plain, &tls_context, &reason);
	ck_assert_ptr_nonnull(strstr(reason.what, "plain HTTP"));
	reason_of_failure(&stalled, &plain, &tls_context, &reason);
	ck_assert_ptr_nonnull(strstr(reason.what, "plain HTTP"));
	reason_of_failure(&probe, &banner, &tls_context, &reason);
	ck_assert_ptr_nonnull(strstr(reason.what, "begins with 'SSH-2.0'"));
	reason_of_failure(&stalled, &banner, &tls_context, &reason);
	ck_assert_ptr_nonnull(strstr(reason.what, "stalls"));
}
END_TEST

START_TEST(test_another_ca_file_is_named_with_its_remedy)
{
	struct probe probe = {.stage = PROBE_HANDSHAKING,
			      .tls = {.fault = TLS_FAULT_UNKNOWN_ISSUER, .issuer = "CN=P"}};
	struct reason_context context = tls_context;
	struct reason reason;

	context.ca_file = "/etc/ca.pem";
	reason_of_failure(&probe, NULL, &context, &reason);
	ck_assert_ptr_nonnull(strstr(reason.what, "/etc/ca.pem does not know"));
	ck_assert_ptr_nonnull(strstr(reason.remedy, "replaces the system's store"));
}
END_TEST

START_TEST(test_an_answer_is_judged_by_what_proves_it)
{
	static const char usual[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
	static const char moved[] =
		"HTTP/1.1 301 Moved\r\nLocation: https://www.example.com/\r\n\r\n";
	static const char away[] =
		"HTTP/1.1 302 Found\r\nLocation: http://portal.hotel.test/?u=1\r\n\r\n";
	static const struct {
		const char *text;
		enum answer_verdict proven;
		enum answer_verdict plain;
	} cases[] = {
		{usual, ANSWER_USUAL, ANSWER_DOUBTFUL},
		{"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\n", ANSWER_USUAL,
		 ANSWER_USUAL},
		{moved, ANSWER_USUAL, ANSWER_USUAL},
		{"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", ANSWER_USUAL, ANSWER_USUAL},
		{away, ANSWER_DOUBTFUL, ANSWER_FOREIGN},
		{"HTTP/1.1 511 Network Authentication Required\r\n\r\n", ANSWER_FOREIGN,
		 ANSWER_FOREIGN},
		{"HTTP/1.1 407 Proxy\r\n\r\n", ANSWER_FOREIGN, ANSWER_FOREIGN},
		{"HTTP/1.1 503 Busy\r\n\r\n", ANSWER_DOUBTFUL, ANSWER_DOUBTFUL},
		{"HTTP/1.1 403 Forbidden\r\n\r\n", ANSWER_DOUBTFUL, ANSWER_DOUBTFUL},
	};
	struct reason_context plain_context = tls_context;
	struct reason_context unverified = tls_context;

	plain_context.is_tls = false;
	unverified.is_verified = false;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct probe probe;
		struct reason reason;

		answer(&probe, cases[i].text);
		ck_assert_int_eq(reason_of_answer(&probe, &tls_context, &reason), cases[i].proven);
		ck_assert_int_eq(reason_of_answer(&probe, &plain_context, &reason), cases[i].plain);
		ck_assert_int_eq(reason_of_answer(&probe, &unverified, &reason), cases[i].plain);
		ck_assert((reason.what[0] != '\0') == (cases[i].plain != ANSWER_USUAL));
	}
}
END_TEST

START_TEST(test_each_failure_of_the_name_is_named)
{
	static const struct {
		int status;
		enum lookup_verdict verdict;
		const char *what;
	} cases[] = {
		{ARES_ENOTFOUND, LOOKUP_NO_SUCH_NAME, "no name api.test (asked: 10.0.0.1)"},
		{ARES_ENODATA, LOOKUP_NO_ADDRESS, "no address of it"},
		{ARES_ETIMEOUT, LOOKUP_SERVERS_SILENT, "do not answer in time"},
		{ARES_ECANCELLED, LOOKUP_SERVERS_SILENT, "do not answer in time"},
		{ARES_ECONNREFUSED, LOOKUP_SERVERS_FAIL, "fail, refuse or cannot be reached"},
		{ARES_ESERVFAIL, LOOKUP_SERVERS_FAIL, "fail, refuse or cannot be reached"},
		{ARES_EBADRESP, LOOKUP_OTHER_FAULT, "the look-up failed: "},
	};
	struct reason reason;

	ck_assert_int_eq(lookup_verdict_of(ARES_SUCCESS), LOOKUP_FOUND);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(lookup_verdict_of(cases[i].status), cases[i].verdict);
		reason_of_lookup(cases[i].status, "api.test", "10.0.0.1", &reason);
		ck_assert_msg(strstr(reason.what, cases[i].what) != NULL, "%s", reason.what);
	}
	reason_of_lookup(ARES_ECONNREFUSED, "api.test", "", &reason);
	ck_assert_ptr_nonnull(strstr(reason.what, "none named"));
}
END_TEST

START_TEST(test_dates)
{
	int64_t seconds = 0;

	ck_assert(reason_read_date(SPAN("Sun, 06 Nov 1994 08:49:37 GMT"), &seconds));
	ck_assert_int_eq(seconds, 784111777);
	ck_assert(!reason_read_date(SPAN("Sun, 06 Nov 1994 08:49:37"), &seconds));
	ck_assert(!reason_read_date(SPAN("Sun, 06 Nov 1994 08:49:37 GMT+1"), &seconds));
	ck_assert(!reason_read_date(SPAN(""), &seconds));
	ck_assert(!reason_read_date((struct span){0}, &seconds));
	ck_assert(!reason_read_date(SPAN("a date that is longer than any date in HTTP may ever be"),
				    &seconds));
}
END_TEST

START_TEST(test_hosts_of_urls)
{
	static const struct {
		const char *url;
		const char *host; /* NULL: none */
	} cases[] = {
		{"http://portal.test/login", "portal.test"},
		{"https://portal.test:8443?x=//y", "portal.test"},
		{"//portal.test", "portal.test"},
		{"http://[::1]:80/", "::1"},
		{"/path//more", NULL},
		{"http:/one", NULL},
		{"", NULL},
		{"http://", NULL},
		{"http://user@portal.test/", NULL},
		{"path?u=http://portal.test/", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span host;
		bool found = reason_url_host(span_of(cases[i].url), &host);

		ck_assert_msg(found == (cases[i].host != NULL), "%s", cases[i].url);
		if (found) {
			ck_assert(span_is(host, span_of(cases[i].host)));
		}
	}
}
END_TEST

START_TEST(test_same_site)
{
	ck_assert(reason_is_same_site(SPAN("API.example.com"), SPAN("api.example.com")));
	ck_assert(reason_is_same_site(SPAN("example.com"), SPAN("api.example.com")));
	ck_assert(reason_is_same_site(SPAN("www.example.com"), SPAN("api.example.com")));
	ck_assert(!reason_is_same_site(SPAN("badexample.com"), SPAN("api.example.com")));
	ck_assert(!reason_is_same_site(SPAN("com"), SPAN("example.com")));
	ck_assert(!reason_is_same_site(SPAN("10.9.0.1"), SPAN("192.0.0.1")));
	ck_assert(!reason_is_same_site(SPAN("portal"), SPAN("localhost")));
}
END_TEST

START_TEST(test_port_ranges)
{
	uint64_t first;
	uint64_t last;

	ck_assert(doctor_read_ports("32768\t60999\n", &first, &last));
	ck_assert_uint_eq(first, 32768);
	ck_assert_uint_eq(last, 60999);
	ck_assert(!doctor_read_ports("60999 32768\n", &first, &last));
	ck_assert(!doctor_read_ports("32768\n", &first, &last));
	ck_assert(!doctor_read_ports("", &first, &last));
}
END_TEST

START_TEST(test_times_for_people)
{
	static const struct {
		uint64_t us;
		const char *text;
	} cases[] = {
		{0, "0.00 ms"},     {315, "0.31 ms"},    {1000, "1.0 ms"},
		{20149, "20.1 ms"}, {99999, "99.9 ms"},  {100000, "100 ms"},
		{999999, "999 ms"}, {1000000, "1.00 s"}, {4209000, "4.20 s"},
	};
	char out[REPORT_TIME_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_str_eq(report_time(cases[i].us, out), cases[i].text);
	}
}
END_TEST

START_TEST(test_lines_are_wrapped_below_their_text)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct report report;

	report_init(&report, out);
	report_warning(
		&report, "label",
		"a text of many words that is longer than a line of a hundred columns may be, so "
		"that it goes on below");
	report_remedy(&report, "do something");
	report_fault(&report, "", "x");
	fclose(out);
	ck_assert_str_eq(
		text,
		"  label         warning: a text of many words that is longer than a line of a hundred columns may\n"
		"                be, so that it goes on below\n"
		"                -> do something\n"
		"                FAULT: x\n");
	ck_assert_uint_eq(report.warnings, 1);
	ck_assert_uint_eq(report.faults, 1);
	free(text);
}
END_TEST

SUITE_MAIN("daemon/doctor_reason", test_each_failure_is_named,
	   test_what_speaks_instead_of_tls_is_named, test_another_ca_file_is_named_with_its_remedy,
	   test_an_answer_is_judged_by_what_proves_it, test_each_failure_of_the_name_is_named,
	   test_dates, test_hosts_of_urls, test_same_site, test_port_ranges, test_times_for_people,
	   test_lines_are_wrapped_below_their_text)
