/* config/config.c, config_value.c, config_text.c, config_problems.c: options one at a time. */
#include "config/config.h"
#include "config/expect.h"
#include "suite.h"

#include <string.h>

START_TEST(test_every_row_of_the_table_is_sound)
{
	ck_assert_uint_eq(config_option_count, OPTION_COUNT);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];
		size_t help_len = strlen(option->help);

		ck_assert_ptr_eq(config_find(option->key), option);
		ck_assert_msg(option->min <= option->max, "%s", option->key);
		ck_assert_msg(help_len > 0 && option->help[help_len - 1] == '.', "%s", option->key);
		ck_assert_msg(option->kind != OPTION_WORD || option->words != NULL, "%s",
			      option->key);
		ck_assert_msg(option->kind != OPTION_DURATION_OR || option->words != NULL, "%s",
			      option->key);
	}
}
END_TEST

/* The values of the contract, so that a slip in options.def shows. */
START_TEST(test_defaults)
{
	struct config config;

	config_init(&config);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		ck_assert_ptr_null(config.origins[i]);
	}
	ck_assert_uint_eq(config.listen.count, 2);
	ck_assert_str_eq(config.listen.items[0], "127.0.0.1:8080");
	ck_assert_str_eq(config.listen.items[1], "[::1]:8080");
	ck_assert_str_eq(config.upstream_url, "https://ocr.captchaai.com");
	ck_assert_str_eq(config.upstream_ca_file, "");
	ck_assert(config.upstream_tls_verify);
	ck_assert(!config.upstream_repeat_other);
	ck_assert_uint_eq(config.pool_size, 25);
	ck_assert_uint_eq(config.pool_min_idle, 4);
	ck_assert_uint_eq(config.pool_max_lifetime_ms, 3600000);
	ck_assert_uint_eq(config.pool_idle_timeout_ms, OPTION_WORD_BASE);
	ck_assert(OPTION_IS_WORD(config.pool_heartbeat_ms));
	ck_assert_uint_eq(config.pool_solve_share, 50);
	ck_assert_uint_eq(config.queue_timeout_ms, 10000);
	ck_assert_uint_eq(config.limits_buffered_bytes, (uint64_t)512 << 20);
	ck_assert_uint_eq(config.access_hosts.count, 0);
	ck_assert_uint_eq(config.access_clients.count, 0);
	ck_assert_uint_eq(config.response_server_timing, SERVER_TIMING_LOOPBACK);
	config_fini(&config);
}
END_TEST

START_TEST(test_values_of_every_kind)
{
	static const struct {
		const char *key;
		const char *text;
		const char *value;
	} cases[] = {
		{"listen_reuseport", "true", "true"},
		{"listen_reuseport", "Yes", "true"},
		{"listen_reuseport", "ON", "true"},
		{"log.access", "false", "false"},
		{"log.access", "no", "false"},
		{"log.access", "off", "false"},
		{"pool.size", "1", "1"},
		{"pool.size", "10000", "10000"},
		{"queue.timeout", "1ms", "1ms"},
		{"queue.timeout", "1500ms", "1500ms"},
		{"queue.timeout", "60s", "1m"},
		{"pool.max_lifetime", "0", "0"},
		{"pool.max_lifetime", "7d", "7d"},
		{"pool.idle_timeout", "auto", "auto"},
		{"pool.idle_timeout", "90s", "90s"},
		{"pool.heartbeat", "Off", "off"},
		{"limits.request_head", "65536", "64KiB"},
		{"limits.request_head", "1MiB", "1MiB"},
		{"limits.request_body", "1MB", "1000000"},
		{"pool.solve_share", "100%", "100%"},
		{"upstream.ca_file", "/etc/a b.pem", "/etc/a b.pem"},
		{"upstream.ca_file", "", ""},
		{"log.level", "debug", "debug"},
		{"log.level", "WARNING", "warning"},
		{"response.server_timing", "off", "off"},
		{"access.hosts", "a.example, b.example", "a.example, b.example"},
		{"access.hosts", " a.example ,b.example\t", "a.example, b.example"},
		{"access.hosts", "a.example", "a.example"},
		{"access.hosts", "", ""},
		{"access.hosts", "  ", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		struct config_problems problems = {0};

		config_init(&config);
		config_set(&config, &problems, "FILE:1", cases[i].key, cases[i].text);
		expect_no_problem(&problems);
		expect_value(&config, cases[i].key, cases[i].value);
		ck_assert_str_eq(config.origins[config_find(cases[i].key) - config_options],
				 "FILE:1");
		config_fini(&config);
	}
}
END_TEST

START_TEST(test_faults_say_what_is_wrong_and_what_is_allowed)
{
	static const struct {
		const char *key;
		const char *text;
		const char *fault;
	} cases[] = {
		{"log.access", "maybe",
		 "'maybe' is neither true nor false; allowed: true or false"},
		{"log.access", "1", "'1' is neither true nor false; allowed: true or false"},
		{"log.access", "", "'' is neither true nor false; allowed: true or false"},
		{"pool.size", "0", "'0' is out of range; allowed: 1 to 10000"},
		{"pool.size", "10001", "'10001' is out of range; allowed: 1 to 10000"},
		{"pool.size", "99999999999999999999",
		 "'99999999999999999999' is out of range; allowed: 1 to 10000"},
		{"pool.size", "-1", "'-1' is not a whole number; allowed: 1 to 10000"},
		{"pool.size", "2.5", "'2.5' is not a whole number; allowed: 1 to 10000"},
		{"pool.size", "25s", "'25s' is not a whole number; allowed: 1 to 10000"},
		{"pool.size", "1 2", "'1 2' is not a whole number; allowed: 1 to 10000"},
		{"pool.size", "", "'' is not a whole number; allowed: 1 to 10000"},
		{"queue.timeout", "10", "'10' needs a unit: 10s, 10ms; allowed: 1ms to 1h"},
		{"queue.timeout", "0", "'0' is out of range; allowed: 1ms to 1h"},
		{"queue.timeout", "2h", "'2h' is out of range; allowed: 1ms to 1h"},
		{"queue.timeout", "99999999999999999999s",
		 "'99999999999999999999s' is out of range; allowed: 1ms to 1h"},
		{"queue.timeout", "1.5s",
		 "'1.5s' is not a whole number with ms, s, m, h or d, as in 10s or 250ms; allowed: 1ms to 1h"},
		{"queue.timeout", "10 s",
		 "'10 s' is not a whole number with ms, s, m, h or d, as in 10s or 250ms; allowed: 1ms to 1h"},
		{"queue.timeout", "10sec",
		 "'10sec' is not a whole number with ms, s, m, h or d, as in 10s or 250ms; allowed: 1ms to 1h"},
		{"pool.idle_timeout", "off",
		 "'off' is not a whole number with ms, s, m, h or d, as in 10s or 250ms; allowed: auto, or 1s to 1d"},
		{"pool.idle_timeout", "10",
		 "'10' needs a unit: 10s, 10ms; allowed: auto, or 1s to 1d"},
		{"pool.idle_timeout", "10ms", "'10ms' is out of range; allowed: auto, or 1s to 1d"},
		{"limits.request_head", "64K",
		 "'64K' is not a whole number of bytes, nor one with KiB, MiB, GiB, kB, MB or GB; allowed: 1KiB to 1MiB"},
		{"limits.request_head", "1000", "'1000' is out of range; allowed: 1KiB to 1MiB"},
		{"limits.request_head", "99999999999999GiB",
		 "'99999999999999GiB' is out of range; allowed: 1KiB to 1MiB"},
		{"pool.solve_share", "50", "'50' needs a percent sign: 50%; allowed: 1% to 100%"},
		{"pool.solve_share", "0%", "'0%' is out of range; allowed: 1% to 100%"},
		{"pool.solve_share", "101%", "'101%' is out of range; allowed: 1% to 100%"},
		{"pool.solve_share", "half",
		 "'half' is not a percentage, as in 50%; allowed: 1% to 100%"},
		{"log.level", "verbose",
		 "'verbose' is none of its words; allowed: error, warning, info, debug"},
		{"log.level", "", "'' is none of its words; allowed: error, warning, info, debug"},
		{"log.level", "error,",
		 "'error,' is none of its words; allowed: error, warning, info, debug"},
		{"upstream.ca_file", "a\nb", "'a?b' holds a control character"},
		{"access.hosts", "a,,b", "has an empty item; take it out, or a comma too many"},
		{"access.hosts", "a,", "has an empty item; take it out, or a comma too many"},
		{"access.hosts", "a,b\x1b", "'b?' holds a control character"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		struct config_problems problems = {0};
		char line[512];

		config_init(&config);
		config_set(&config, &problems, "FILE:7", cases[i].key, cases[i].text);
		snprintf(line, sizeof(line), "FILE:7: %s: %s", cases[i].key, cases[i].fault);
		expect_only(&problems, line);
		ck_assert_uint_eq(problems.errors, 1);
		/* The field is left alone. */
		expect_value(&config, cases[i].key, config_find(cases[i].key)->fallback);
		ck_assert_ptr_null(config.origins[config_find(cases[i].key) - config_options]);
		config_problems_fini(&problems);
		config_fini(&config);
	}
}
END_TEST

START_TEST(test_the_nearest_option_is_named)
{
	static const struct {
		const char *key;
		const char *nearest;
	} cases[] = {
		{"pool.szie", "pool.size"},
		{"pol.size", "pool.size"},
		{"pool_size", "pool.size"},
		{"Pool.Size", "pool.size"},
		{"listn", "listen"},
		{"timeouts.conect", "timeouts.connect"},
		{"upstream.dns_max_ttl", NULL},
		{"heartbeat", "pool.heartbeat"},
		{"tls.verify", NULL},
		{"log.heartbeat", "pool.heartbeat"},
		{"size", NULL}, /* pool's or queue's? */
		{"admin.bogus", NULL},
		{"xy", NULL},
		{"", NULL},
		{"something.completely.different", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct option *nearest = config_nearest(cases[i].key);

		if (cases[i].nearest == NULL) {
			ck_assert_msg(nearest == NULL, "%s", cases[i].key);
		} else {
			ck_assert_msg(nearest != NULL, "%s", cases[i].key);
			ck_assert_str_eq(nearest->key, cases[i].nearest);
		}
	}
}
END_TEST

START_TEST(test_an_unknown_option_is_a_problem)
{
	struct config config;
	struct config_problems problems = {0};

	config_init(&config);
	config_set(&config, &problems, "--set pool.szie", "pool.szie", "3");
	expect_only(&problems, "--set pool.szie: unknown option; did you mean pool.size?");
	config_problems_fini(&problems);
	config_set(&config, &problems, "FILE:3", "color", "red");
	expect_only(&problems, "FILE:3: color: unknown option; `warmpool options` lists them all");
	config_problems_fini(&problems);
	config_fini(&config);
}
END_TEST

START_TEST(test_sections)
{
	char section[CONFIG_SECTION_BYTES];

	ck_assert_uint_eq(config_find_section("listen"), OPTION_COUNT);
	ck_assert_uint_eq(config_find_section("poo"), OPTION_COUNT);
	ck_assert_uint_eq(config_find_section(""), OPTION_COUNT);
	ck_assert_uint_eq(config_find_section("pool"), OPTION_ID_pool_size);
	ck_assert(config_nearest_section("pools", section));
	ck_assert_str_eq(section, "pool");
	ck_assert(config_nearest_section("timeout", section));
	ck_assert_str_eq(section, "timeouts");
	ck_assert(!config_nearest_section("frontend", section));
}
END_TEST

START_TEST(test_lists_from_items)
{
	static const char *const items[] = {"unix:/a,b", " 127.0.0.1:80 "};
	static const char *const bad[] = {"a", ""};
	struct config config;
	struct config_problems problems = {0};

	config_init(&config);
	config_set_list(&config, &problems, "FILE:1", "listen", items, ARRAY_SIZE(items));
	expect_no_problem(&problems);
	ck_assert_uint_eq(config.listen.count, 2);
	ck_assert_str_eq(config.listen.items[0], "unix:/a,b");
	ck_assert_str_eq(config.listen.items[1], "127.0.0.1:80");
	config_set_list(&config, &problems, "FILE:2", "listen", NULL, 0);
	expect_no_problem(&problems);
	ck_assert_uint_eq(config.listen.count, 0);
	ck_assert_str_eq(config.origins[OPTION_ID_listen], "FILE:2");
	config_set_list(&config, &problems, "FILE:3", "listen", bad, ARRAY_SIZE(bad));
	expect_only(&problems,
		    "FILE:3: listen: has an empty item; take it out, or a comma too many");
	config_problems_fini(&problems);
	config_set_list(&config, &problems, "FILE:4", "pool.size", items, 1);
	expect_only(&problems,
		    "FILE:4: pool.size: takes one value, not a list; allowed: 1 to 10000");
	config_problems_fini(&problems);
	config_set_list(&config, &problems, "FILE:5", "listens", items, 1);
	expect_only(&problems, "FILE:5: listens: unknown option; did you mean listen?");
	config_problems_fini(&problems);
	config_fini(&config);
}
END_TEST

START_TEST(test_problems_are_bounded_lines)
{
	struct config_problems problems = {0};
	char long_text[5000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	config_problem(&problems, NULL, "a\nb");
	config_warning(&problems, "FILE:1", "c\x1b");
	config_problem(&problems, long_text, "%s", long_text);
	ck_assert_str_eq(problems.lines[0], "a?b");
	ck_assert_str_eq(problems.lines[1], "warning: FILE:1: c?");
	ck_assert_uint_lt(strlen(problems.lines[2]), 2000);
	ck_assert_uint_eq(problems.errors, 2);
	for (size_t i = 0; i < 1000; i++) {
		config_problem(&problems, "FILE:1", "%zu", i);
		config_warning(&problems, "FILE:1", "%zu", i);
	}
	ck_assert_uint_eq(problems.count, CONFIG_PROBLEMS_MAX);
	ck_assert_uint_eq(problems.errors, 1002);
	config_problems_fini(&problems);
	config_problems_fini(&problems);
	ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(test_quotes)
{
	char out[CONFIG_QUOTE_BYTES];
	char text[100];

	ck_assert_str_eq(config_quote(SPAN("a\tb"), out), "'a?b'");
	ck_assert_str_eq(config_quote(SPAN(""), out), "''");
	memset(text, 'x', sizeof(text));
	config_quote((struct span){text, 60}, out);
	ck_assert_uint_eq(strlen(out), 62);
	config_quote((struct span){text, 61}, out);
	ck_assert_uint_eq(strlen(out), 65);
	ck_assert_str_eq(out + 60, "x...'");
	/* Not cut inside a character: bytes 59 to 61 are one. */
	memcpy(text + 59, "\xe2\x82\xac", 3);
	config_quote((struct span){text, sizeof(text)}, out);
	ck_assert_str_eq(out + 59, "x...'");
}
END_TEST

START_TEST(test_where)
{
	char out[CONFIG_WHERE_BYTES];
	char name[2000];

	ck_assert_str_eq(config_where(NULL, "pool.size", out), "pool.size");
	ck_assert_str_eq(config_where("FILE:3", "pool.size", out), "FILE:3: pool.size");
	ck_assert_str_eq(config_where("--set pool.size", "pool.size", out), "--set pool.size");
	ck_assert_str_eq(config_where("--set pool.size", "pool.min_idle", out),
			 "--set pool.size: pool.min_idle");
	/* The longest key of all keeps its beginning. */
	snprintf(name, sizeof(name), "access.clients.%063d.max_inflight", 0);
	ck_assert_str_eq(config_where(NULL, name, out), name);
	memset(name, 'x', sizeof(name));
	snprintf(name + 1900, 100, ":77");
	ck_assert_ptr_nonnull(strstr(config_where(name, "pool.size", out), "x:77: pool.size"));
}
END_TEST

START_TEST(test_sameness)
{
	static const char *const changes[][2] = {
		{"listen", "127.0.0.1:8080"},  {"listen_reuseport", "on"},
		{"upstream.url", "https://x"}, {"pool.size", "26"},
		{"pool.idle_timeout", "10s"},  {"log.level", "error"},
		{"pool.solve_share", "51%"},   {"access.hosts", "x"},
		{"limits.buffered", "1GiB"},   {"access.clients", "a.weight=2"},
	};
	struct config a;
	struct config b;
	struct config_problems problems = {0};

	config_init(&a);
	config_init(&b);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct option *option = config_find(changes[i][0]);

		ck_assert(config_is_same(&a, &b, option));
		config_set(&b, &problems, NULL, changes[i][0], changes[i][1]);
		ck_assert_msg(!config_is_same(&a, &b, option), "%s", option->key);
	}
	expect_no_problem(&problems);
	config_set(&a, &problems, "X:1", "pool.size", "26");
	ck_assert(config_is_same(&a, &b, config_find("pool.size")));
	config_fini(&a);
	config_fini(&b);
}
END_TEST

START_TEST(test_a_value_set_again_replaces_the_first)
{
	struct config config;
	struct config_problems problems = {0};

	config_init(&config);
	config_set(&config, &problems, "FILE:1", "upstream.url", "https://one.example");
	config_set(&config, &problems, "--set upstream.url", "upstream.url", "https://two.example");
	config_set(&config, &problems, "FILE:2", "listen", "127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3");
	config_set(&config, &problems, NULL, "listen", "127.0.0.1:4");
	expect_no_problem(&problems);
	ck_assert_str_eq(config.upstream_url, "https://two.example");
	ck_assert_str_eq(config.origins[OPTION_ID_upstream_url], "--set upstream.url");
	expect_value(&config, "listen", "127.0.0.1:4");
	ck_assert_ptr_null(config.origins[OPTION_ID_listen]);
	config_fini(&config);
}
END_TEST

SUITE_MAIN("config/config", test_every_row_of_the_table_is_sound, test_defaults,
	   test_values_of_every_kind, test_faults_say_what_is_wrong_and_what_is_allowed,
	   test_the_nearest_option_is_named, test_an_unknown_option_is_a_problem, test_sections,
	   test_lists_from_items, test_problems_are_bounded_lines, test_quotes, test_where,
	   test_sameness, test_a_value_set_again_replaces_the_first)
