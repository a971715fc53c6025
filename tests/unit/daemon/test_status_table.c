/* daemon/status_table.c, status_pool.c, status_view.c: the table that a /status becomes. */
#include "daemon/status_fetch.h"
#include "daemon/status_table.h"
#include "suite.h"

#include <string.h>

/* The table of this JSON, of which ' stands for "; owned by the caller. */
static char *table_of(const char *now, const char *before)
{
	struct status_view view = {0};
	struct status_text text;
	json_t *documents[2] = {NULL, NULL};
	const char *const sources[2] = {now, before};
	char *out;
	size_t out_bytes;

	for (size_t i = 0; i < 2 && sources[i] != NULL; i++) {
		char *plain = strdup(sources[i]);

		for (char *quote = plain; (quote = strchr(quote, '\'')) != NULL;) {
			*quote = '"';
		}
		documents[i] = json_loads(plain, 0, NULL);
		ck_assert_ptr_nonnull(documents[i]);
		free(plain);
	}
	view = (struct status_view){.now = documents[0], .before = documents[1]};
	text = (struct status_text){.out = open_memstream(&out, &out_bytes)};
	status_table_write(&text, &view);
	fclose(text.out);
	json_decref(documents[0]);
	json_decref(documents[1]);
	return out;
}

static void expect_lines(const char *now, const char *before, const char *const *lines)
{
	char *table = table_of(now, before);

	for (; *lines != NULL; lines++) {
		ck_assert_msg(strstr(table, *lines) != NULL, "no '%s' in:\n%s", *lines, table);
	}
	free(table);
}

START_TEST(test_a_table_is_made_of_nothing)
{
	static const char *const lines[] = {"warmpool    , up 0s, NOT READY:\n",
					    "ledger      empty",
					    "pool        [] 0\n",
					    "breaker     closed\n",
					    "dns         no address\n",
					    "  in all            -        -",
					    "requests    0; 0 in the last minute, 0 in flight\n",
					    NULL};

	expect_lines("{}", NULL, lines);
	/* Members of other kinds than ours are as good as missing. */
	expect_lines("{'pool': 3, 'ledger': [], 'requests': 'x', 'advice': {'words': 'no'},"
		     " 'clients': {'by_name': {}}, 'latencies': null}",
		     NULL, lines);
}
END_TEST

START_TEST(test_states_are_a_bar_and_a_legend)
{
	static const char *const lines[] = {
		"\npool        [###==+-...] 10\n",
		"\n            # 3 leased, = 2 idle, + 1 opening, - 1 ending, 3 free\n",
		"\nidle        lent until 50s idle (hint, 4 observations)\n", NULL};

	expect_lines(
		"{'pool': {'size': 10, 'states': {'connecting': 1, 'handshaking': 0, 'idle': 2,"
		" 'leased': 3, 'probe': 0, 'closing': 1},"
		" 'idle_timeout': {'seconds': 50.0, 'source': 'hint', 'observations': 4}}}",
		NULL, lines);
}
END_TEST

START_TEST(test_two_answers_give_rates)
{
	static const char *const rates[] = {
		"\nrequests    1,200 (50.0/s); 0 in the last minute",
		"\n            poll 1,100 (45.0/s), submit 100 (5.0/s)\n",
		"\nopened      12 connections (0.5/s)", "cpu 2s (25%)", NULL};
	static const char *const none[] = {"\nrequests    1,200; ",
					   "\n            poll 1,100, submit 100\n", NULL};
	static const char now[] = "{'uptime_s': 30.0, 'requests': {'total': 1200,"
				  " 'by_class': {'poll': 1100, 'submit': 100}},"
				  " 'pool': {'opened': 12}, 'process': {'cpu_s': 2.0}}";

	expect_lines(now,
		     "{'uptime_s': 28.0, 'requests': {'total': 1100,"
		     " 'by_class': {'poll': 1010, 'submit': 90}},"
		     " 'pool': {'opened': 11}, 'process': {'cpu_s': 1.5}}",
		     rates);
	/* Of a process that has ended since, or of the same moment: no rates. */
	expect_lines(now, "{'uptime_s': 400.0, 'requests': {'total': 5}}", none);
	expect_lines(now, "{'uptime_s': 30.0, 'requests': {'total': 1200}}", none);
	expect_lines(now, NULL, none);
}
END_TEST

START_TEST(test_what_matters_is_said)
{
	static const char *const lines[] = {
		"warmpool    1.2.3, up 1h 1m, NOT READY: the upstream has been unreachable\n",
		"\nledger      maybe paid: 2 of unknown fate, 1 answered but not read: /unknown\n",
		"\nbreaker     OPEN, requests fail at once: 7 openings in a row failed over 12s,\n"
		"            the last with CONNECT_REFUSED\n",
		"\ndns         192.0.2.1:443, 192.0.2.2:443, 192.0.2.3:443 and 1 more; the last\n"
		"            look-up failed: DNS_FAILED\n",
		"\nqueue       11 of at most 1,024 waiting: poll 8, work 3\n"
		"            crawler: 11 waiting, 25 on their way\n",
		"\nlast errors 09:30:00 crawler poll QUEUE_FULL: queue.size requests already wait\n",
		"\nrefused     QUEUE_FULL 4\n",
		"            3 log lines dropped\n",
		NULL};

	expect_lines(
		"{'version': '1.2.3', 'uptime_s': 3700, 'ready': false,"
		" 'not_ready_because': 'the upstream has been unreachable',"
		" 'ledger': {'unknown': 2, 'unread': 1},"
		" 'pool': {'breaker': {'open': true, 'failures_in_a_row': 7, 'since_s': 12.5,"
		" 'last_error': 'CONNECT_REFUSED'}},"
		" 'dns': {'addresses': ['192.0.2.1:443', '192.0.2.2:443', '192.0.2.3:443',"
		" '192.0.2.4:443'], 'error': 'DNS_FAILED', 'ttl_s': 60.0},"
		" 'queue': {'length': 11, 'size': 1024, 'by_class': {'poll': 8, 'work': 3, 'solve': 0},"
		" 'by_client': [{'name': 'idler', 'waiting': 0, 'leased': 1},"
		" {'name': 'crawler', 'waiting': 11, 'leased': 25}]},"
		" 'requests': {'errors': {'QUEUE_FULL': 4}, 'last_errors': [{'time':"
		" '2026-11-23T09:30:00.338Z', 'client': 'crawler', 'class': 'poll',"
		" 'error': 'QUEUE_FULL', 'reason': 'queue.size requests already wait'}]},"
		" 'process': {'log_lines_dropped': 3}}",
		NULL, lines);
}
END_TEST

START_TEST(test_latencies_stand_in_columns)
{
	static const char *const lines[] = {
		"\nlatency, ms   1m: p50      p90      p99       5m: p50      p90      p99\n",
		"\n  queue          0.00     0.25      1.2             -        -        -\n",
		"\n  in all         41.2      312    4,200          41.0      300    4,000\n",
		NULL};

	expect_lines("{'latencies': {'1m': {'wait': {'count': 3, 'p50_ms': 0.001, 'p90_ms': 0.25,"
		     " 'p99_ms': 1.2}, 'total': {'p50_ms': 41.2, 'p90_ms': 312.4, 'p99_ms': 4200}},"
		     " '5m': {'wait': {'count': 0}, 'total': {'p50_ms': 41.0, 'p90_ms': 300.0,"
		     " 'p99_ms': 4000.0}}}}",
		     NULL, lines);
}
END_TEST

START_TEST(test_no_line_is_longer_than_the_terminal)
{
	char *table = table_of(
		"{'upstream': 'https://a-name-that-is-really-much-longer-than-any-name-that-somebody-would-choose.example.com',"
		" 'advice': {'words': ['The pool is right. All of its connections were lent at once for 3 % of the time, and one request in two hundred waited.']},"
		" 'clients': {'by_name': [{'name': 'a-label-of-sixty-four-bytes-which-is-what-a-label-may-have-here-',"
		" 'requests_5m': 123456789, 'leased_5m_s': 123456.0}]},"
		" 'requests': {'answers': {'ERROR_TOO_BIG_CAPTCHA_FILESIZE': 123456789,"
		" 'ERROR_ZERO_CAPTCHA_FILESIZE': 123456789, 'ERROR_WRONG_FILE_EXTENSION': 123456789}},"
		" 'pool': {'size': 10000, 'states': {'leased': 1}}}",
		NULL);

	for (char *line = table, *feed; (feed = strchr(line, '\n')) != NULL; line = feed + 1) {
		ck_assert_msg(feed - line <= STATUS_COLUMNS, "%.*s", (int)(feed - line), line);
	}
	free(table);
}
END_TEST

START_TEST(test_a_place_is_an_address_that_can_be_asked)
{
	static const struct {
		const char *text;
		const char *place; /* NULL: none */
	} cases[] = {
		{"127.0.0.1:8081", "127.0.0.1:8081"},
		{"0.0.0.0:8081", "127.0.0.1:8081"},
		{"[::]:8081", "[::1]:8081"},
		{"[::1]:8081", "[::1]:8081"},
		{"unix:/run/a.sock", "unix:/run/a.sock"},
		{"192.0.2.1:1", "192.0.2.1:1"},
		{"127.0.0.1:0", NULL},
		{"off", NULL},
		{"localhost:8081", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct status_place place;
		bool is_good = status_place_parse(cases[i].text, &place);

		ck_assert_int_eq(is_good, cases[i].place != NULL);
		if (is_good) {
			ck_assert_str_eq(place.text, cases[i].place);
		}
	}
}
END_TEST

SUITE_MAIN("daemon/status_table", test_a_table_is_made_of_nothing,
	   test_states_are_a_bar_and_a_legend, test_two_answers_give_rates,
	   test_what_matters_is_said, test_latencies_stand_in_columns,
	   test_no_line_is_longer_than_the_terminal, test_a_place_is_an_address_that_can_be_asked)
