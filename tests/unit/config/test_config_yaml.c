/* config/config_yaml.c: from YAML to options, and what is refused. */
#include "base/mem.h"
#include "config/config_yaml.h"
#include "config/expect.h"
#include "suite.h"

#include <string.h>
#include <unistd.h>

/* A configuration and the problems of reading it. */
struct rig {
	struct config config;
	struct config_problems problems;
};

static void read_text(struct rig *rig, struct span text)
{
	*rig = (struct rig){0};
	config_init(&rig->config);
	config_yaml_parse(&rig->config, &rig->problems, "F", text);
}

static void fini(struct rig *rig)
{
	config_fini(&rig->config);
	config_problems_fini(&rig->problems);
}

START_TEST(test_forms_that_are_read)
{
	static const struct {
		const char *text;
		const char *key;
		const char *value;
	} cases[] = {
		{"pool:\n  size: 50\n", "pool.size", "50"},
		{"pool: {size: 50}\n", "pool.size", "50"},
		{"pool.size: 50\n", "pool.size", "50"},
		{"pool.size: 50", "pool.size", "50"},
		{"pool.size: '50'\n", "pool.size", "50"},
		{"\"pool.size\": \"50\"\n", "pool.size", "50"},
		{"? pool.size\n: 50\n", "pool.size", "50"},
		{"{pool: {size: 50}, queue: {size: 1}}\n", "pool.size", "50"},
		{"pool:\n  size: 50\npool.min_idle: 7\n", "pool.min_idle", "7"},
		{"---\npool.size: 50\n...\n", "pool.size", "50"},
		{"%YAML 1.1\n---\npool.size: 50\n", "pool.size", "50"},
		{"\xef\xbb\xbfpool.size: 50\n", "pool.size", "50"},
		{"pool.size: 50\r\nqueue.size: 1\r\n", "pool.size", "50"},
		{"pool.heartbeat: off\n", "pool.heartbeat", "off"},
		{"listen_reuseport: on\n", "listen_reuseport", "true"},
		{"log.access: no\n", "log.access", "false"},
		{"listen: [127.0.0.1:1, \"[::1]:2\"]\n", "listen", "127.0.0.1:1, [::1]:2"},
		{"listen:\n  - 127.0.0.1:1\n  - '[::1]:2'\n", "listen", "127.0.0.1:1, [::1]:2"},
		{"listen:\n- 127.0.0.1:1\n", "listen", "127.0.0.1:1"},
		{"listen: 127.0.0.1:1, unix:/a\n", "listen", "127.0.0.1:1, unix:/a"},
		{"access.allow: [10.0.0.0/8, \"::1/128\"]\n", "access.allow",
		 "10.0.0.0/8, ::1/128"},
		{"access.hosts: []\n", "access.hosts", ""},
		{"access.allow:\n", "access.allow", ""},
		{"access.allow: null\n", "access.allow", ""},
		{"upstream.ca_file: ~\n", "upstream.ca_file", ""},
		{"upstream.ca_file:\n", "upstream.ca_file", ""},
		{"upstream.ca_file: \"null\"\n", "upstream.ca_file", "null"},
		{"upstream:\n  url: https://x.example/ # a comment\n", "upstream.url",
		 "https://x.example/"},
		{"access:\n  clients:\n    default: {weight: 3}\n    10.0.0.7:\n      max_queued: 5\n      weight: '2'\n",
		 "access.clients", "default.weight=3, 10.0.0.7.weight=2, 10.0.0.7.max_queued=5"},
		{"access.clients: {crawler: {max_inflight: 0}}\n", "access.clients",
		 "crawler.max_inflight=0"},
		{"access.clients:\n  fd00::1: {weight: 2}\n  ::1: {weight: 3}\n", "access.clients",
		 "fd00::1.weight=2, ::1.weight=3"},
		{"access.clients: {a: {}, b: ~, c: {weight: 4}, d: }\n", "access.clients",
		 "c.weight=4"},
		{"access.clients: crawler.weight=2, default.max_queued=50\n", "access.clients",
		 "crawler.weight=2, default.max_queued=50"},
		{"access.clients: {}\n", "access.clients", ""},
		{"access.clients: []\n", "access.clients", ""},
		{"access.clients:\n", "access.clients", ""},
		{"access.clients: ''\n", "access.clients", ""},
		{"pool:\n", "pool.size", "25"},
		{"pool: ~\n", "pool.size", "25"},
		{"pool: {}\n", "pool.size", "25"},
		{"", "pool.size", "25"},
		{"# nothing\n", "pool.size", "25"},
		{"---\n", "pool.size", "25"},
		{"{}", "pool.size", "25"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig rig;

		read_text(&rig, span_of(cases[i].text));
		expect_no_problem(&rig.problems);
		expect_value(&rig.config, cases[i].key, cases[i].value);
		fini(&rig);
	}
}
END_TEST

START_TEST(test_origins_are_lines)
{
	struct rig rig;

	read_text(
		&rig,
		SPAN("# one\npool:\n  size: 5\n\n  min_idle: 2\nlisten:\n  - 127.0.0.1:1\nqueue.size: 1\n"));
	expect_no_problem(&rig.problems);
	ck_assert_str_eq(rig.config.origins[OPTION_ID_pool_size], "F:3");
	ck_assert_str_eq(rig.config.origins[OPTION_ID_pool_min_idle], "F:5");
	ck_assert_str_eq(rig.config.origins[OPTION_ID_listen], "F:7");
	ck_assert_str_eq(rig.config.origins[OPTION_ID_queue_size], "F:8");
	ck_assert_ptr_null(rig.config.origins[OPTION_ID_queue_timeout_ms]);
	fini(&rig);
}
END_TEST

START_TEST(test_one_slip_is_one_line)
{
	static const struct {
		const char *text;
		const char *line;
	} cases[] = {
		{"pool:\n  size: ten\n",
		 "F:2: pool.size: 'ten' is not a whole number; allowed: 1 to 10000"},
		{"pool:\n  szie: 5\n", "F:2: pool.szie: unknown option; did you mean pool.size?"},
		{"pools:\n  size: 5\n  min_idle: 1\n",
		 "F:1: pools: unknown section; did you mean pool?"},
		{"frontend:\n  a: [1, {b: c}]\n",
		 "F:1: frontend: unknown option; `warmpool options` lists them all"},
		{"a: {b: {c: [d]}}\npool.size: 5",
		 "F:1: a: unknown option; `warmpool options` lists them all"},
		{"pool: 5\n",
		 "F:1: pool: is a section; write its options indented beneath it, such as pool.size"},
		{"pool: [size]\n",
		 "F:1: pool: is a section; write its options indented beneath it, such as pool.size"},
		{"pool.size: {a: 5}\n",
		 "F:1: pool.size: is an option and takes a value, not options beneath it"},
		{"pool.size: [5]\n",
		 "F:1: pool.size: takes one value, not a list; allowed: 1 to 10000"},
		{"pool.size:\n",
		 "F:1: pool.size: has no value; give one, or take the line out for the default"},
		{"log.access: ~\n",
		 "F:1: log.access: has no value; give one, or take the line out for the default"},
		{"pool.size: ''\n",
		 "F:1: pool.size: '' is not a whole number; allowed: 1 to 10000"},
		{"pool.size: 5\npool.size: 5\n",
		 "F:2: pool.size: given twice, first in line 1; keep one"},
		{"pool:\n  size: 5\npool.size: 5\n",
		 "F:3: pool.size: given twice, first in line 2; keep one"},
		{"pool:\n  size: 5\npool:\n  min_idle: 1\n",
		 "F:3: pool: given twice, first in line 1; keep one"},
		{"pool.size: &a 5\n",
		 "F:1: anchors (&name) are not supported; write the value out"},
		{"pool: &a {size: 5}\n",
		 "F:1: anchors (&name) are not supported; write the value out"},
		{"&a pool.size: 5\n",
		 "F:1: anchors (&name) are not supported; write the value out"},
		{"pool.size: *a\n", "F:1: aliases (*name) are not supported; write the value out"},
		{"listen: [*a]\n", "F:1: aliases (*name) are not supported; write the value out"},
		{"pool.size: !!int 5\n", "F:1: tags (!name) are not supported; leave it out"},
		{"--- !x\npool.size: 5\n", "F:1: tags (!name) are not supported; leave it out"},
		{"pool.size: 5\n---\npool.size: 6\n",
		 "F:2: a second document begins; keep one only"},
		{"text", "F:1: must hold options, as in \"pool.size: 25\""},
		{"- a\n- b\n", "F:1: must hold options, as in \"pool.size: 25\""},
		{"[a]: 5\n", "F:1: a key must be the name of an option, such as pool.size"},
		{"{a: b}: {c: d}\n", "F:1: a key must be the name of an option, such as pool.size"},
		{"'': 5\n", "F:1: '' is no option; `warmpool options` lists them all"},
		{"\"a\\0b\": 5\n", "F:1: 'a?b' is no option; `warmpool options` lists them all"},
		{"<<: 5\n", "F:1: <<: unknown option; `warmpool options` lists them all"},
		{"upstream.ca_file: \"a\\0b\"\n", "F:1: upstream.ca_file: holds a NUL byte"},
		{"upstream.ca_file: \"a\\nb\"\n",
		 "F:1: upstream.ca_file: 'a?b' holds a control character"},
		{"listen: [\"a\\0b\"]\n", "F:1: listen: holds a NUL byte"},
		{"listen:\n  -\n",
		 "F:2: listen: an item must be a plain text; an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\""},
		{"listen: [[a]]\n",
		 "F:1: listen: an item must be a plain text; an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\""},
		{"listen: [a: b]\n",
		 "F:1: listen: an item must be a plain text; an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\""},
		{"listen: ['']\n",
		 "F:1: listen: has an empty item; take it out, or a comma too many"},
		{"access.clients:\n  crawler:\n    wieght: 2\n",
		 "F:3: access.clients.crawler: 'wieght' is no field of a row; did you mean weight?"},
		{"access.clients:\n  crawler:\n    speed: {a: b}\n    weight: 2\n",
		 "F:3: access.clients.crawler: 'speed' is no field of a row; allowed: weight, max_inflight, max_queued"},
		{"access.clients:\n  crawler:\n    max_queued: 1\n    weight: ten\n",
		 "F:4: access.clients.crawler.weight: 'ten' is not a whole number; allowed: 1 to 1000"},
		{"access.clients:\n  crawler:\n    weight: 0\n",
		 "F:3: access.clients.crawler.weight: '0' is out of range; allowed: 1 to 1000"},
		{"access.clients:\n  crawler:\n    weight:\n",
		 "F:3: access.clients.crawler.weight: has no value; give one, or take the line out for the default"},
		{"access.clients:\n  crawler:\n    weight: [1]\n",
		 "F:3: access.clients.crawler.weight: takes one number; allowed: 1 to 1000"},
		{"access.clients:\n  crawler:\n    weight:\n      a: b\n",
		 "F:4: access.clients.crawler.weight: takes one number; allowed: 1 to 1000"},
		{"access.clients:\n  crawler:\n    weight: \"1\\0\"\n",
		 "F:3: access.clients.crawler.weight: '1?' is not a whole number; allowed: 1 to 1000"},
		{"access.clients:\n  crawler:\n    weight: 2\n    max_queued: 0\n    weight: 2\n",
		 "F:5: access.clients.crawler.weight: given twice, first in line 3; keep one"},
		{"access.clients:\n  crawler: {weight: 2}\n  other: {weight: 2}\n  crawler: {size: 2}\n",
		 "F:4: access.clients.crawler: given twice, first in line 2; keep one"},
		{"access.clients:\n  a: {}\n  a: {}\n",
		 "F:3: access.clients.a: given twice, first in line 2; keep one"},
		{"access.clients:\n  crawler: 2\n",
		 "F:2: access.clients.crawler: is a row; write its fields indented beneath it: weight, max_inflight, max_queued"},
		{"access.clients:\n  crawler:\n  weight: 2\n",
		 "F:3: access.clients.weight: is a row; write its fields indented beneath it: weight, max_inflight, max_queued"},
		{"access.clients:\n  crawler: [weight, 2]\n",
		 "F:2: access.clients.crawler: is a row; write its fields indented beneath it: weight, max_inflight, max_queued"},
		{"access.clients:\n  a:\n    weight: 2\n    b:\n      weight: 2\n",
		 "F:4: access.clients.a: 'b' is no field of a row; allowed: weight, max_inflight, max_queued"},
		{"access.clients:\n  a b:\n    weight: x\n",
		 "F:2: access.clients: 'a b' is no name of a client; allowed: 1 to 63 printable ASCII characters without blank, comma and ="},
		{"access.clients:\n  [a]: {weight: 2}\n",
		 "F:2: access.clients: a key must be the name of a client, such as crawler"},
		{"access.clients:\n  a:\n    {b: c}: 2\n",
		 "F:3: access.clients.a: a key must be a field, such as weight"},
		{"access.clients:\n  a: &b {weight: 2}\n",
		 "F:2: anchors (&name) are not supported; write the value out"},
		{"access.clients:\n  *a : {weight: 2}\n",
		 "F:2: aliases (*name) are not supported; write the value out"},
		{"access.clients:\n  a: {!!str weight: 2}\n",
		 "F:2: tags (!name) are not supported; leave it out"},
		{"access.clients:\n  a: {weight: *b}\n",
		 "F:2: aliases (*name) are not supported; write the value out"},
		{"access.clients:\n  - a: {weight: [2]}\n  - b\n",
		 "F:2: access.clients: takes rows by name, not a list, as in crawler: {weight: 2}"},
		{"access.clients: crawler\n",
		 "F:1: access.clients: 'crawler' is no NAME.FIELD=VALUE, as in crawler.weight=2"},
		{"access:\n  clients: {}\n  clients.a.weight: 2\n",
		 "F:3: access.clients.a.weight: is part of a row; write the row indented beneath access.clients, as in crawler: {weight: 2}"},
		{"access.clients:\n  a: {weight: 2\n",
		 "F:3: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig rig;

		read_text(&rig, span_of(cases[i].text));
		expect_only(&rig.problems, cases[i].line);
		ck_assert_uint_eq(rig.problems.errors, 1);
		fini(&rig);
	}
}
END_TEST

START_TEST(test_depth_is_bounded)
{
	struct rig rig;
	char deep[2000];

	read_text(&rig, SPAN("a: {b: {c: 1}}\n"));
	expect_only(&rig.problems, "F:1: a: unknown option; `warmpool options` lists them all");
	fini(&rig);
	read_text(&rig, SPAN("a: {b: {c: {d: 1}}}\n"));
	expect_only(&rig.problems, "F:1: a: unknown option; `warmpool options` lists them all");
	fini(&rig);
	read_text(&rig, SPAN("a: {b: {c: {d: {e: 1}}}}\n"));
	expect_only(&rig.problems, "F:1: a: unknown option; `warmpool options` lists them all");
	fini(&rig);
	read_text(&rig, SPAN("a: {b: {c: {d: {e: {f: 1}}}}}\npool.szie: 1\n"));
	ck_assert_uint_eq(rig.problems.count, 2);
	ck_assert_str_eq(rig.problems.lines[1], "F:1: nested deeper than 5 levels");
	fini(&rig);
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "listen: ", 8);
	read_text(&rig, (struct span){deep, sizeof(deep)});
	expect_part(&rig.problems, "F:1: nested deeper than 5 levels");
	fini(&rig);
}
END_TEST

START_TEST(test_a_problem_does_not_hide_the_next)
{
	struct rig rig;

	read_text(
		&rig,
		SPAN("pool:\n  size: 0\n  bogus: {a: [b]}\n  min_idle: 7\nqueue: 5\nlog.level: loud\n"));
	ck_assert_uint_eq(rig.problems.count, 4);
	expect_value(&rig.config, "pool.size", "25");
	expect_value(&rig.config, "pool.min_idle", "7");
	expect_part(&rig.problems, "F:6: log.level: 'loud'");
	fini(&rig);
	read_text(
		&rig,
		SPAN("access.clients:\n  a: 1\n  a b: {}\n  b: {x: 1, weight: 0, weight: 1}\n  c: []\nlog.level: loud\n"));
	ck_assert_uint_eq(rig.problems.count, 7);
	expect_value(&rig.config, "access.clients", "");
	expect_part(&rig.problems, "F:6: log.level: 'loud'");
	fini(&rig);
}
END_TEST

START_TEST(test_syntax_errors_have_a_line_and_a_hint)
{
	static const struct {
		const char *text;
		const char *line;
		const char *hint;
	} cases[] = {
		{"pool:\n\tsize: 5\n", "F:2: not valid YAML: ", "; indent with blanks, not tabs"},
		{"listen:\n  - [::1]:8080\n", "F:2: not valid YAML: ",
		 "; an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\""},
		{"listen: [[::1]:8080]\n", "F:1: not valid YAML: ",
		 "; an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\""},
		{"access.allow: [10.0.0.0/8, ::1/128]\n", "F:1: not valid YAML: ",
		 "; an IPv6 address needs quotes: \"[::1]:8080\", \"::1/128\""},
		{"pool: {size: 5\n", "F:2: not valid YAML: ", "did not find expected ',' or '}'"},
		{"pool:\n  size: 5\n min_idle: 3\n",
		 "F:3: not valid YAML: ", "did not find expected key"},
		{"pool.size: \"5\n", "F:2: not valid YAML: ", "found unexpected end of stream"},
		{"a: \xff\n", "F:1: not valid YAML: ", "UTF-8"},
		{"a: \x01\n", "F:1: not valid YAML: ", "control characters are not allowed"},
		{"pool.size: 5\nbroken\n", "F:3: not valid YAML: ", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig rig;

		read_text(&rig, span_of(cases[i].text));
		ck_assert_uint_ge(rig.problems.errors, 1);
		expect_part(&rig.problems, cases[i].line);
		expect_part(&rig.problems, cases[i].hint);
		fini(&rig);
	}
}
END_TEST

START_TEST(test_a_hostile_file_ends_soon)
{
	struct rig rig;
	size_t len = (size_t)1024 * 1024;
	char *text = mem_alloc(len + 1);

	alarm(20);
	for (size_t i = 0; i + 5 <= len; i += 5) {
		memcpy(text + i, "pol:\n", 5);
	}
	memset(text + len - 1, '\n', 1);
	read_text(&rig, (struct span){text, len});
	ck_assert_uint_eq(rig.problems.count, CONFIG_PROBLEMS_MAX);
	fini(&rig);
	memset(text, '[', len);
	read_text(&rig, (struct span){text, len});
	ck_assert_uint_ge(rig.problems.errors, 1);
	fini(&rig);
	memset(text, ' ', len + 1);
	read_text(&rig, (struct span){text, len + 1});
	expect_only(&rig.problems, "F: is larger than 1 MiB; that can be no configuration");
	fini(&rig);
	alarm(0);
	free(text);
}
END_TEST

START_TEST(test_long_lists_are_bounded)
{
	struct rig rig;
	char text[8 + 3 * 5000 + 1] = "listen: ";
	size_t at = strlen(text);

	text[at++] = '[';
	while (at + 3 < sizeof(text)) {
		memcpy(text + at, "a,", 2);
		at += 2;
	}
	text[at++] = ']';
	read_text(&rig, (struct span){text, at});
	ck_assert_uint_eq(rig.problems.count, 1);
	expect_part(&rig.problems, "F:1: listen: has ");
	fini(&rig);
}
END_TEST

START_TEST(test_rows_are_bounded)
{
	struct rig rig;
	char text[32 * 2000] = "access.clients:\n";
	size_t at = strlen(text);

	for (size_t i = 0; i < 1024; i++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "  c%zu: {weight: 2}\n", i);
	}
	read_text(&rig, (struct span){text, at});
	expect_no_problem(&rig.problems);
	ck_assert_uint_eq(rig.config.access_clients.count, 1024);
	fini(&rig);
	for (size_t i = 1024; i < 2000; i++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "  c%zu: {weight: 2}\n", i);
	}
	read_text(&rig, (struct span){text, at});
	expect_only(&rig.problems, "F:1026: access.clients: has more than 1024 rows");
	ck_assert_uint_eq(rig.config.access_clients.count, 0);
	fini(&rig);
}
END_TEST

START_TEST(test_files)
{
	char name[] = "/tmp/test_config_XXXXXX";
	int fd = mkstemp(name);
	struct rig rig = {0};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "pool.size: 5\n", 13), 13);
	close(fd);
	config_init(&rig.config);
	config_yaml_load(&rig.config, &rig.problems, name);
	expect_no_problem(&rig.problems);
	expect_value(&rig.config, "pool.size", "5");
	unlink(name);
	config_yaml_load(&rig.config, &rig.problems, "/nonexistent/x.yaml");
	expect_only(
		&rig.problems,
		"/nonexistent/x.yaml: cannot be read: No such file or directory; name a readable file with -c");
	config_problems_fini(&rig.problems);
	config_yaml_load(&rig.config, &rig.problems, "/tmp");
	expect_only(&rig.problems,
		    "/tmp: cannot be read: Is a directory; name a readable file with -c");
	config_problems_fini(&rig.problems);
	config_yaml_load(&rig.config, &rig.problems, "/dev/zero");
	expect_only(&rig.problems, "/dev/zero: is larger than 1 MiB; that can be no configuration");
	fini(&rig);
}
END_TEST

SUITE_MAIN("config/config_yaml", test_forms_that_are_read, test_origins_are_lines,
	   test_one_slip_is_one_line, test_depth_is_bounded, test_a_problem_does_not_hide_the_next,
	   test_syntax_errors_have_a_line_and_a_hint, test_a_hostile_file_ends_soon,
	   test_long_lists_are_bounded, test_rows_are_bounded, test_files)
