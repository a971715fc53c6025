/* admin/fence_rules.c: which requests the admin interface takes. */
#include "admin/fence_rules.h"
#include "base/macros.h"
#include "config/config.h"
#include "http/head.h"
#include "http/parser.h"
#include "proxy/access.h"
#include "suite.h"

#include <string.h>

static char *networks[] = {(char[]){"127.0.0.0/8"}};
static char *hosts[] = {(char[]){"status.example"}};

struct row {
	const char *line; /* method and target */
	const char *fields;
	int status; /* 0: admitted */
	const char *path;
};

static void expect(const struct row *row, bool is_allowed)
{
	const struct string_list allow = {networks, ARRAY_SIZE(networks)};
	const struct string_list names = {hosts, ARRAY_SIZE(hosts)};
	struct access *access = access_new(&allow, &names, SPAN(""));
	struct fence_refusal refusal = {0};
	struct http_parser parser;
	struct http_head head = {0};
	struct span path = SPAN("");
	char text[4096];
	int len = snprintf(text, sizeof(text), "%s HTTP/1.1\r\n%s\r\n", row->line, row->fields);

	http_parser_init(&parser, HTTP_REQUEST, (struct http_limits){8192, 8192});
	ck_assert_int_eq(http_parse(&parser, &head, text, (size_t)len), ERR_NONE);
	ck_assert_int_eq(parser.state, HTTP_PARSE_DONE);
	ck_assert_msg(fence_admits(&head, access, is_allowed, &path, &refusal) ==
			      (row->status == 0),
		      "%s", row->line);
	ck_assert_msg(refusal.status == row->status, "%s: %d", row->line, refusal.status);
	if (row->status == 0) {
		ck_assert(span_is(path, span_of(row->path)));
	} else {
		ck_assert(refusal.text != NULL);
	}
	access_free(access);
}

START_TEST(test_what_is_admitted)
{
	static const struct row rows[] = {
		{"GET /healthz", "Host: localhost\r\n", 0, "/healthz"},
		{"HEAD /a/b-c_d.e~f?q=%00", "Host: status.example\r\n", 0, "/a/b-c_d.e~f"},
		{"GET http://127.0.0.1:8081", "Host: evil.example\r\n", 0, "/"},
		{"GET /", "Host: [::1]:8081\r\nOrigin: http://127.0.0.1:8081\r\n", 0, "/"},
		{"GET /", "Host: localhost\r\nContent-Length: 0\r\n", 0, "/"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		expect(&rows[i], true);
	}
}
END_TEST

START_TEST(test_what_is_refused)
{
	static const struct row rows[] = {
		{"GET /", "Host: evil.example\r\n", 421, NULL},
		{"GET http://evil.example/", "Host: localhost\r\n", 421, NULL},
		{"GET /", "Host: localhost\r\nOrigin: https://evil.example\r\n", 403, NULL},
		{"GET /", "Host: localhost\r\nOrigin: http://192.0.2.1\r\n", 403, NULL},
		{"GET /", "Host: localhost\r\norigin: null\r\n", 403, NULL},
		{"POST /", "Host: localhost\r\n", 405, NULL},
		{"OPTIONS *", "Host: localhost\r\n", 405, NULL},
		{"CONNECT localhost:1", "Host: localhost:1\r\n", 405, NULL},
		{"GET *", "Host: localhost\r\n", 400, NULL},
		{"GET x", "Host: localhost\r\n", 400, NULL},
		{"GET /", "Host: localhost\r\nContent-Length: 1\r\n", 413, NULL},
		{"GET /", "Host: localhost\r\nTransfer-Encoding: chunked\r\n", 413, NULL},
		{"GET /%41", "Host: localhost\r\n", 404, NULL},
		{"GET /a;b", "Host: localhost\r\n", 404, NULL},
		{"GET /\xc3\xa4", "Host: localhost\r\n", 404, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		expect(&rows[i], true);
	}
}
END_TEST

START_TEST(test_other_networks_are_refused_before_all_else)
{
	expect(&(struct row){"GET /", "Host: localhost\r\n", 403, NULL}, false);
	expect(&(struct row){"POST /", "Host: evil.example\r\n", 403, NULL}, false);
}
END_TEST

START_TEST(test_bounds)
{
	char fields[2048] = "Host: localhost\r\n";
	char line[512] = "GET /";

	for (int i = 0; i < FENCE_FIELDS - 1; i++) {
		strcat(fields, "A: b\r\n");
	}
	memset(line + 5, 'a', FENCE_PATH_BYTES - 1);
	expect(&(struct row){line, fields, 0, line + 4}, true);
	line[5 + FENCE_PATH_BYTES - 1] = 'a';
	expect(&(struct row){line, fields, 404, NULL}, true);
	strcat(fields, "A: b\r\n");
	expect(&(struct row){"GET /", fields, 431, NULL}, true);
	ck_assert_int_eq(fence_refusal_of(ERR_TARGET_TOO_LONG).status, 431);
	ck_assert_int_eq(fence_refusal_of(ERR_BARE_LF).status, 400);
}
END_TEST

SUITE_MAIN("admin/fence_rules", test_what_is_admitted, test_what_is_refused,
	   test_other_networks_are_refused_before_all_else, test_bounds)
