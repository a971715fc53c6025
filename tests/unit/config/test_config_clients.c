/* config/config_clients.c: rows by client, from --set and from one text, and what holds for a client. */
#include "config/config_clients.h"
#include "config/expect.h"
#include "suite.h"

#include <string.h>

static const char key[] = "access.clients";

static struct client_limits limits_of(const struct config *config, const char *name)
{
	return config_client_limits(&config->access_clients, span_of(name), NULL);
}

static void expect_limits(struct client_limits limits, uint64_t weight, uint64_t max_inflight,
			  uint64_t max_queued)
{
	ck_assert_uint_eq(limits.weight, weight);
	ck_assert_uint_eq(limits.max_inflight, max_inflight);
	ck_assert_uint_eq(limits.max_queued, max_queued);
}

START_TEST(test_without_rows_nothing_is_bounded)
{
	struct config config;

	config_init(&config);
	expect_limits(limits_of(&config, "crawler"), 1, 0, 0);
	expect_limits(limits_of(&config, "default"), 1, 0, 0);
	expect_limits(limits_of(&config, ""), 1, 0, 0);
	config_fini(&config);
}
END_TEST

START_TEST(test_a_row_goes_before_the_default_one_field_by_field)
{
	struct config config;
	struct config_problems problems = {0};

	config_init(&config);
	config_set(
		&config, &problems, NULL, key,
		"crawler.weight=3, crawler.max_queued=0, default.max_queued=50, default.weight=2");
	expect_no_problem(&problems);
	expect_limits(limits_of(&config, "crawler"), 3, 0, 0);
	expect_limits(limits_of(&config, "other"), 2, 0, 50);
	expect_limits(limits_of(&config, "default"), 2, 0, 50);
	/* Names are taken as they stand. */
	expect_limits(limits_of(&config, "Crawler"), 2, 0, 50);
	expect_limits(limits_of(&config, "crawle"), 2, 0, 50);
	expect_limits(config_client_limits(&config.access_clients, SPAN("crawler\0"), NULL), 2, 0,
		      50);
	config_set(&config, &problems, NULL, key, "crawler.max_inflight=7");
	expect_limits(limits_of(&config, "crawler"), 1, 7, 0);
	expect_limits(limits_of(&config, "other"), 1, 0, 0);
	expect_no_problem(&problems);
	config_fini(&config);
}
END_TEST

START_TEST(test_an_address_goes_by_its_row_then_by_its_networks)
{
	static const struct {
		const char *address;
		uint64_t weight;
	} cases[] = {
		{"10.1.2.3", 5},        /* its own row */
		{"10.1.2.4", 4},        /* /24 before /8 */
		{"10.1.3.1", 3},        /* /8 */
		{"::ffff:10.1.2.4", 4}, /* came in over an IPv6 socket */
		{"::ffff:10.1.2.3", 5}, /* an address is its own narrowest network */
		{"11.0.0.1", 2},        /* default */
		{"fd00::7", 7},         /* in another spelling */
		{"fd00::8", 6},
	};
	struct config config;
	struct config_problems problems = {0};

	config_init(&config);
	config_set(&config, &problems, NULL, key,
		   "10.0.0.0/8.weight=3, 10.1.2.0/24.weight=4, 10.1.2.3.weight=5, "
		   "default.weight=2, FD00:0::0/8.weight=6, FD00::0007.weight=7, "
		   "10.1.2.0/24.max_queued=9");
	expect_no_problem(&problems);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span name = span_of(cases[i].address);
		struct client_limits limits;
		struct addr addr;

		ck_assert(addr_parse_ip(name, 0, &addr));
		limits = config_client_limits(&config.access_clients, name, &addr);
		ck_assert_msg(limits.weight == cases[i].weight, "%s", cases[i].address);
		/* Without its address a name is but a name. */
		expect_limits(limits_of(&config, "10.1.2.4"), 2, 0, 0);
	}
	config_fini(&config);
}
END_TEST

START_TEST(test_texts_of_rows)
{
	static const struct {
		const char *text;
		const char *value;
	} cases[] = {
		{"", ""},
		{" \t", ""},
		{"crawler.weight=2", "crawler.weight=2"},
		{"crawler.weight=1000,crawler.max_inflight=10000,crawler.max_queued=1000000",
		 "crawler.weight=1000, crawler.max_inflight=10000, crawler.max_queued=1000000"},
		{"crawler.weight=1,crawler.max_inflight=0,crawler.max_queued=0",
		 "crawler.weight=1, crawler.max_inflight=0, crawler.max_queued=0"},
		/* A row's fields stand together, in one order. */
		{" a.max_queued=1 ,b.weight=2,\ta.weight=3 ",
		 "a.weight=3, a.max_queued=1, b.weight=2"},
		{"10.0.0.7.weight=2, 10.0.0.0/8.weight=3, fd00::1.weight=4",
		 "10.0.0.7.weight=2, 10.0.0.0/8.weight=3, fd00::1.weight=4"},
		{"weight.weight=2", "weight.weight=2"},
		{"..weight=2", "..weight=2"},
		{"~!@#$%^&*()[]{}\"'.weight=007", "~!@#$%^&*()[]{}\"'.weight=7"},
		{"123456789012345678901234567890123456789012345678901234567890123.weight=2",
		 "123456789012345678901234567890123456789012345678901234567890123.weight=2"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		struct config_problems problems = {0};

		config_init(&config);
		config_set(&config, &problems, "FILE:1", key, cases[i].text);
		expect_no_problem(&problems);
		expect_value(&config, key, cases[i].value);
		config_set(&config, &problems, "FILE:2", key, cases[i].value);
		expect_no_problem(&problems);
		expect_value(&config, key, cases[i].value);
		config_fini(&config);
	}
}
END_TEST

START_TEST(test_a_text_too_long_for_its_place_is_cut)
{
	struct config config;
	struct config_problems problems = {0};
	char text[12];

	config_init(&config);
	config_set(&config, &problems, NULL, key, "a.weight=2, b.weight=3, c.weight=4");
	config_value_text(&config, config_find(key), text, sizeof(text));
	ck_assert_str_eq(text, "a.weight=2,");
	config_fini(&config);
}
END_TEST

START_TEST(test_faults_of_a_text)
{
	static const struct {
		const char *text;
		const char *fault;
	} cases[] = {
		{"crawler", "'crawler' is no NAME.FIELD=VALUE, as in crawler.weight=2"},
		{"{}", "'{}' is no NAME.FIELD=VALUE, as in crawler.weight=2"},
		{"a.weight=1,", "has an empty item; take it out, or a comma too many"},
		{",", "has an empty item; take it out, or a comma too many"},
		{"crawler=2",
		 "'crawler': names no field of a row; allowed: weight, max_inflight, max_queued"},
		{"=2", "'': names no field of a row; allowed: weight, max_inflight, max_queued"},
		{"a.weight=1, crawler.wieght=2",
		 "'crawler.wieght': 'wieght' is no field of a row; did you mean weight?"},
		{"crawler.Max_inflight=2",
		 "'crawler.Max_inflight': 'Max_inflight' is no field of a row; did you mean max_inflight?"},
		{"crawler.=2",
		 "'crawler.': '' is no field of a row; allowed: weight, max_inflight, max_queued"},
		{"crawler.wt=2",
		 "'crawler.wt': 'wt' is no field of a row; allowed: weight, max_inflight, max_queued"},
		{"crawler.weight=0", "'crawler.weight': '0' is out of range; allowed: 1 to 1000"},
		{"crawler.weight=1001",
		 "'crawler.weight': '1001' is out of range; allowed: 1 to 1000"},
		{"crawler.max_inflight=10001",
		 "'crawler.max_inflight': '10001' is out of range; allowed: 0 to 10000"},
		{"crawler.max_queued=1000001",
		 "'crawler.max_queued': '1000001' is out of range; allowed: 0 to 1000000"},
		{"crawler.max_queued=99999999999999999999",
		 "'crawler.max_queued': '99999999999999999999' is out of range; allowed: 0 to 1000000"},
		{"crawler.weight=-1",
		 "'crawler.weight': '-1' is not a whole number; allowed: 1 to 1000"},
		{"crawler.weight=",
		 "'crawler.weight': '' is not a whole number; allowed: 1 to 1000"},
		{"crawler.weight= 2",
		 "'crawler.weight': ' 2' is not a whole number; allowed: 1 to 1000"},
		{"a.weight=1, b.weight=1, a.weight=1", "'a.weight' is given twice; keep one"},
		{".weight=2",
		 "'.weight': '' is no name of a client; allowed: 1 to 63 printable ASCII characters without blank, comma and ="},
		{"a=b.weight=2",
		 "'a=b.weight': 'a=b' is no name of a client; allowed: 1 to 63 printable ASCII characters without blank, comma and ="},
		{"caf\xc3\xa9.weight=2",
		 "'caf\xc3\xa9.weight': 'caf\xc3\xa9' is no name of a client; allowed: 1 to 63 printable ASCII characters without blank, comma and ="},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		struct config_problems problems = {0};
		char line[512];

		config_init(&config);
		config_set(&config, &problems, "--set access.clients", key, cases[i].text);
		snprintf(line, sizeof(line), "--set access.clients: %s", cases[i].fault);
		expect_only(&problems, line);
		ck_assert_uint_eq(problems.errors, 1);
		ck_assert_uint_eq(config.access_clients.count, 0);
		config_problems_fini(&problems);
		config_fini(&config);
	}
}
END_TEST

START_TEST(test_a_field_set_alone_keeps_the_rest)
{
	static const struct {
		const char *key;
		const char *text;
		const char *value;
	} steps[] = {
		{"access.clients.crawler.weight", "2",
		 "default.weight=1, crawler.weight=2, crawler.max_queued=5"},
		{"access.clients.10.0.0.7.max_inflight", "3",
		 "default.weight=1, crawler.weight=2, crawler.max_queued=5, 10.0.0.7.max_inflight=3"},
		{"access.clients.default.weight", "4",
		 "default.weight=4, crawler.weight=2, crawler.max_queued=5, 10.0.0.7.max_inflight=3"},
		{"access.clients", "crawler.weight=9", "crawler.weight=9"},
		{"access.clients.fd00::1.weight", "1000", "crawler.weight=9, fd00::1.weight=1000"},
		{"access.clients", "", ""},
		{"access.clients.10.0.0.0/8.weight", "2", "10.0.0.0/8.weight=2"},
	};
	struct config config;
	struct config_problems problems = {0};

	config_init(&config);
	config_set(&config, &problems, "FILE:1", key,
		   "default.weight=1, crawler.weight=1, crawler.max_queued=5");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		config_set(&config, &problems, steps[i].key, steps[i].key, steps[i].text);
		expect_no_problem(&problems);
		expect_value(&config, key, steps[i].value);
		ck_assert_str_eq(config.origins[OPTION_ID_access_clients], steps[i].key);
	}
	config_fini(&config);
}
END_TEST

START_TEST(test_faults_of_a_field_set_alone)
{
	static const struct {
		const char *key;
		const char *text;
		const char *fault;
	} cases[] = {
		{"access.clients.crawler.weight", "0", "'0' is out of range; allowed: 1 to 1000"},
		{"access.clients.new.weight", "x", "'x' is not a whole number; allowed: 1 to 1000"},
		{"access.clients.crawler.wieght", "2",
		 "'wieght' is no field of a row; did you mean weight?"},
		{"access.clients.10.0.0.7", "2",
		 "'7' is no field of a row; allowed: weight, max_inflight, max_queued"},
		{"access.clients.crawler", "2",
		 "names no field of a row; allowed: weight, max_inflight, max_queued"},
		{"access.clients.", "2",
		 "names no field of a row; allowed: weight, max_inflight, max_queued"},
		{"access.clients.a,b.weight", "2",
		 "'a,b' is no name of a client; allowed: 1 to 63 printable ASCII characters without blank, comma and ="},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		struct config_problems problems = {0};
		char where[512];
		char line[1024];

		config_init(&config);
		config_set(&config, &problems, "FILE:1", key, "crawler.weight=5");
		snprintf(where, sizeof(where), "--set %s", cases[i].key);
		config_set(&config, &problems, where, cases[i].key, cases[i].text);
		snprintf(line, sizeof(line), "%s: %s", where, cases[i].fault);
		expect_only(&problems, line);
		expect_value(&config, key, "crawler.weight=5");
		ck_assert_uint_eq(config.access_clients.count, 1);
		ck_assert_str_eq(config.origins[OPTION_ID_access_clients], "FILE:1");
		config_problems_fini(&problems);
		config_fini(&config);
	}
}
END_TEST

START_TEST(test_rows_are_bounded)
{
	struct config config;
	struct config_problems problems = {0};
	char path[64];

	config_init(&config);
	for (size_t i = 0; i < 1024; i++) {
		snprintf(path, sizeof(path), "access.clients.c%zu.weight", i);
		config_set(&config, &problems, NULL, path, "2");
	}
	expect_no_problem(&problems);
	config_set(&config, &problems, NULL, "access.clients.c1023.weight", "3");
	expect_no_problem(&problems);
	config_set(&config, &problems, NULL, "access.clients.c1024.weight", "2");
	expect_only(&problems, "access.clients.c1024.weight: has more than 1024 rows");
	ck_assert_uint_eq(config.access_clients.count, 1024);
	expect_limits(limits_of(&config, "c1023"), 3, 0, 0);
	config_problems_fini(&problems);
	config_fini(&config);
}
END_TEST

START_TEST(test_sameness_of_rows)
{
	static const struct {
		const char *a;
		const char *b;
		bool is_same;
	} cases[] = {
		{"", "", true},
		{"a.weight=2", "a.weight=2", true},
		{"a.weight=2, b.weight=3", "b.weight=3, a.weight=2", true},
		{"a.weight=2", "", false},
		{"a.weight=2", "a.weight=3", false},
		{"a.weight=2", "b.weight=2", false},
		{"a.weight=2", "a.weight=2, b.weight=2", false},
		/* Said, and left to the default row: not the same. */
		{"a.weight=2", "a.weight=2, a.max_queued=0", false},
	};
	const struct option *option = config_find(key);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config a;
		struct config b;
		struct config_problems problems = {0};

		config_init(&a);
		config_init(&b);
		config_set(&a, &problems, NULL, key, cases[i].a);
		config_set(&b, &problems, NULL, key, cases[i].b);
		expect_no_problem(&problems);
		ck_assert(config_is_same(&a, &b, option) == cases[i].is_same);
		ck_assert(config_is_same(&b, &a, option) == cases[i].is_same);
		config_fini(&a);
		config_fini(&b);
	}
}
END_TEST

START_TEST(test_what_a_row_may_say_is_told)
{
	const struct option *option = config_find(key);
	char allowed[CONFIG_ALLOWED_BYTES];
	char words[CONFIG_ALLOWED_BYTES + 32];

	ck_assert_str_eq(config_allowed_text(option, allowed),
			 "rows of weight, max_inflight, max_queued");
	/* The ranges stand in the help, for `warmpool options`. */
	for (size_t i = 0; i < CLIENT_FIELD_COUNT; i++) {
		const struct option *field = client_field(i);

		snprintf(words, sizeof(words), "%s (%s)", field->key,
			 config_allowed_text(field, allowed));
		ck_assert_msg(strstr(option->help, words) != NULL, "the help lacks %s", words);
	}
}
END_TEST

SUITE_MAIN("config/config_clients", test_without_rows_nothing_is_bounded,
	   test_a_row_goes_before_the_default_one_field_by_field,
	   test_an_address_goes_by_its_row_then_by_its_networks, test_texts_of_rows,
	   test_a_text_too_long_for_its_place_is_cut, test_faults_of_a_text,
	   test_a_field_set_alone_keeps_the_rest, test_faults_of_a_field_set_alone,
	   test_rows_are_bounded, test_sameness_of_rows, test_what_a_row_may_say_is_told)
