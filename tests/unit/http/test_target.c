/* http/target.c: authorities and the four forms of a request target. */
#include "http/parser.h"
#include "suite.h"

START_TEST(test_authorities)
{
	static const struct {
		const char *authority;
		const char *host; /* NULL: malformed */
		const char *port;
	} rows[] = {
		{"a", "a", ""},
		{"localhost:8080", "localhost", "8080"},
		{"a.b.", "a.b.", ""},
		{"a:", "a", ""},
		{"a_b~c-d", "a_b~c-d", ""},
		{"127.0.0.1:65535", "127.0.0.1", "65535"},
		{"[::1]", "::1", ""},
		{"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", "1"},
		{"", NULL, NULL},
		{":", NULL, NULL},
		{":80", NULL, NULL},
		{"a:65536", NULL, NULL},
		{"a:000080", NULL, NULL},
		{"a:+80", NULL, NULL},
		{"a:8o", NULL, NULL},
		{"a:1:2", NULL, NULL},
		{"::1", NULL, NULL},
		{"[::1", NULL, NULL},
		{"[]", NULL, NULL},
		{"[::1]x", NULL, NULL},
		{"[fe80::1%25eth0]", NULL, NULL},
		{"[v1.x]", NULL, NULL},
		{"u@a", NULL, NULL},
		{"u:p@a", NULL, NULL},
		{"a,b", NULL, NULL},
		{"a b", NULL, NULL},
		{"a%41", NULL, NULL},
		{"a/", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span host = SPAN("untouched");
		struct span port = SPAN("untouched");
		bool is_good = http_split_authority(span_of(rows[i].authority), &host, &port);

		ck_assert_msg(is_good == (rows[i].host != NULL), "%s", rows[i].authority);
		ck_assert_msg(span_is(host, span_of(is_good ? rows[i].host : "untouched")), "%s",
			      rows[i].authority);
		ck_assert_msg(span_is(port, span_of(is_good ? rows[i].port : "untouched")), "%s",
			      rows[i].authority);
	}
}
END_TEST

struct target_row {
	const char *method;
	const char *target;
	enum http_target_form form;
	bool needs_slash;
	const char *scheme;
	const char *authority;
	const char *origin;
	const char *path;
	const char *query;
};

static void check_targets(const struct target_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct target_row *row = &rows[i];
		struct http_target target =
			http_split_target(span_of(row->method), span_of(row->target));

		ck_assert_msg(target.form == row->form, "%s: form %d", row->target,
			      (int)target.form);
		if (target.form == HTTP_TARGET_BAD) {
			continue;
		}
		ck_assert_msg(span_is(target.scheme, span_of(row->scheme)), "%s: scheme",
			      row->target);
		ck_assert_msg(span_is(target.authority, span_of(row->authority)), "%s: authority",
			      row->target);
		ck_assert_msg(span_is(target.origin, span_of(row->origin)), "%s: origin",
			      row->target);
		ck_assert_msg(span_is(target.path, span_of(row->path)), "%s: path", row->target);
		ck_assert_msg(span_is(target.query, span_of(row->query)), "%s: query", row->target);
		ck_assert_msg(target.needs_slash == row->needs_slash, "%s: slash", row->target);
	}
}

START_TEST(test_good_targets)
{
	static const struct target_row rows[] = {
		{"GET", "/", HTTP_TARGET_ORIGIN, false, "", "", "/", "/", ""},
		{"GET", "/a?b?c#d", HTTP_TARGET_ORIGIN, false, "", "", "/a?b?c#d", "/a", "b?c#d"},
		{"GET", "/?", HTTP_TARGET_ORIGIN, false, "", "", "/?", "/", ""},
		{"GET", "//a/b", HTTP_TARGET_ORIGIN, false, "", "", "//a/b", "//a/b", ""},
		{"GET", "/http://a/", HTTP_TARGET_ORIGIN, false, "", "", "/http://a/", "/http://a/",
		 ""},
		{"GET", "http://a/b?c", HTTP_TARGET_ABSOLUTE, false, "http", "a", "/b?c", "/b",
		 "c"},
		{"GET", "HTTP://a:80/", HTTP_TARGET_ABSOLUTE, false, "HTTP", "a:80", "/", "/", ""},
		{"GET", "https://[::1]:1/x", HTTP_TARGET_ABSOLUTE, false, "https", "[::1]:1", "/x",
		 "/x", ""},
		{"GET", "http://a", HTTP_TARGET_ABSOLUTE, true, "http", "a", "", "/", ""},
		{"GET", "http://a?b=/c", HTTP_TARGET_ABSOLUTE, true, "http", "a", "?b=/c", "/",
		 "b=/c"},
		{"OPTIONS", "*", HTTP_TARGET_ASTERISK, false, "", "", "*", "*", ""},
		{"OPTIONS", "http://a", HTTP_TARGET_ABSOLUTE, false, "http", "a", "*", "*", ""},
		{"OPTIONS", "http://a?", HTTP_TARGET_ABSOLUTE, true, "http", "a", "?", "/", ""},
		{"CONNECT", "a:443", HTTP_TARGET_AUTHORITY, false, "", "a:443", "", "", ""},
	};

	check_targets(rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(test_bad_targets)
{
	static const struct {
		const char *method;
		const char *target;
	} rows[] = {
		{"GET", ""},
		{"GET", "*"},
		{"GET", "a"},
		{"GET", "a:443"},
		{"GET", "?a"},
		{"GET", "a/b"},
		{"GET", "http:"},
		{"GET", "http:/a"},
		{"GET", "http://"},
		{"GET", "http:///a"},
		{"GET", "http://u@a/"},
		{"GET", "http://a#b"},
		{"GET", "http://a\\b/"},
		{"GET", "://a/"},
		{"GET", "1http://a/"},
		{"CONNECT", "a"},
		{"CONNECT", "/a"},
		{"CONNECT", "http://a:80/"},
		{"OPTIONS", "**"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_target target =
			http_split_target(span_of(rows[i].method), span_of(rows[i].target));

		ck_assert_msg(target.form == HTTP_TARGET_BAD, "%s", rows[i].target);
	}
}
END_TEST

SUITE_MAIN("http/target", test_authorities, test_good_targets, test_bad_targets)
