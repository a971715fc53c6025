/* config/config_check.c: the rules across options. */
#include "base/mem.h"
#include "config/config.h"
#include "config/expect.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SETTINGS_MAX = 4 };

/* Defaults with some options ("KEY=VALUE") set as if in line 1, 2, … of a file, checked. */
static void check_with(struct config_problems *problems, const char *const settings[SETTINGS_MAX])
{
	struct config config;

	*problems = (struct config_problems){0};
	config_init(&config);
	for (size_t i = 0; i < SETTINGS_MAX && settings[i] != NULL; i++) {
		const char *equals = strchr(settings[i], '=');
		char *key = mem_strndup(settings[i], (size_t)(equals - settings[i]));
		char where[16];

		snprintf(where, sizeof(where), "F:%zu", i + 1);
		config_set(&config, problems, where, key, equals + 1);
		free(key);
	}
	expect_no_problem(problems);
	config_check(&config, problems);
	config_fini(&config);
}

START_TEST(test_what_is_good_raises_nothing)
{
	static const char *const cases[][SETTINGS_MAX] = {
		{NULL},
		{"listen=127.0.0.1:8080"},
		{"listen=127.0.0.1:0, 127.0.0.1:0, [::1]:0"},
		{"listen=unix:/run/a.sock"},
		{"listen=unix:/run/a.sock", "access.allow="},
		{"access.hosts=pool.example.net, A-b.example., x_y"},
		{"upstream.url=https://127.0.0.1:8443/"},
		{"upstream.ca_file="},
		{"pool.size=4", "pool.min_idle=4"},
		{"limits.buffered=20MiB"},
		{"admin.listen=127.0.0.1:8081", "admin.allow=127.0.0.0/8, ::1/128",
		 "response.server_timing=loopback"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_problems problems;

		check_with(&problems, cases[i]);
		expect_no_problem(&problems);
	}
}
END_TEST

START_TEST(test_allowed_networks_pass_with_a_warning_about_tokens)
{
	static const char *const cases[][SETTINGS_MAX] = {
		{"listen=0.0.0.0:80", "access.allow=127.0.0.0/8, 10.0.0.0/8"},
		{"listen=192.0.2.7:80", "access.allow=192.0.2.0/24"},
		{"listen=[::]:80", "access.allow=::/0"},
		{"listen=0.0.0.0:80", "access.allow=126.0.0.0/7"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_problems problems;

		check_with(&problems, cases[i]);
		ck_assert_uint_eq(problems.errors, 0);
		ck_assert_uint_eq(problems.count, 1);
		expect_part(&problems, "warning: F:2: access.allow: without access.tokens");
		config_problems_fini(&problems);
	}
}
END_TEST

/* Each gives one error, which begins so. */
START_TEST(test_errors)
{
	static const struct {
		const char *settings[SETTINGS_MAX];
		const char *line;
	} cases[] = {
		{{"listen="}, "F:1: listen: is empty"},
		{{"listen=8080"},
		 "F:1: listen: '8080' needs an address before the port: 127.0.0.1:PORT"},
		{{"listen=:8080"},
		 "F:1: listen: ':8080' needs an address before the port: 127.0.0.1:PORT"},
		{{"listen=*:8080"},
		 "F:1: listen: '*:8080' is no address; for all networks write 0.0.0.0:PORT"},
		{{"listen=localhost:8080"},
		 "F:1: listen: 'localhost:8080' has a name where an address must stand"},
		{{"listen=127.0.0.1"}, "F:1: listen: '127.0.0.1' needs a port"},
		{{"listen=::1:8080"}, "F:1: listen: '::1:8080' needs brackets"},
		{{"listen=::1"}, "F:1: listen: '::1' needs brackets"},
		{{"listen=[::1]"}, "F:1: listen: '[::1]' is no address with a port"},
		{{"listen=[fe80::1%eth0]:80"}, "F:1: listen: '[fe80::1%eth0]:80' has a zone"},
		{{"listen=127.0.0.1:99999"},
		 "F:1: listen: '127.0.0.1:99999' is no address with a port"},
		{{"listen=300.0.0.1:80"}, "F:1: listen: '300.0.0.1:80' is no address with a port"},
		{{"listen=unix:a.sock"}, "F:1: listen: 'unix:a.sock' needs an absolute path"},
		{{"listen=unix:"}, "F:1: listen: 'unix:' needs an absolute path"},
		{{"listen=/run/a.sock"},
		 "F:1: listen: '/run/a.sock' is a path; write unix: before it"},
		{{"listen=127.0.0.1:80, 127.0.0.1:80"}, "F:1: listen: 127.0.0.1:80 is given twice"},
		{{"listen=unix:/a, unix:/a"}, "F:1: listen: unix:/a is given twice"},
		{{"listen=0.0.0.0:80"},
		 "F:1: listen: 0.0.0.0:80 is reached by other machines, but access.allow holds only"},
		{{"listen=[::]:80", "access.allow=127.0.0.1, ::1, ::ffff:127.0.0.0/104"},
		 "F:1: listen: [::]:80 is reached by other machines, but access.allow holds only"},
		{{"listen=10.0.0.1:80", "access.allow="},
		 "F:1: listen: 10.0.0.1:80 is reached by other machines, but access.allow holds only"},
		{{"upstream.url=ocr.captchaai.com"},
		 "F:1: upstream.url: 'ocr.captchaai.com' must begin with https://"},
		{{"upstream.url=https://x/api"},
		 "F:1: upstream.url: 'https://x/api' must not hold a path"},
		{{"upstream.url=https://u:secret@x"},
		 "F:1: upstream.url: '(not shown)' must not hold a user name"},
		{{"upstream.url="}, "F:1: upstream.url: '' must begin with https://"},
		{{"upstream.ca_file=/nonexistent.pem"},
		 "F:1: upstream.ca_file: cannot read /nonexistent.pem: No such file or directory; give a PEM file"},
		{{"upstream.ca_file=/tmp"},
		 "F:1: upstream.ca_file: cannot read /tmp: Is a directory"},
		{{"upstream.ca_file=/dev/null"},
		 "F:1: upstream.ca_file: /dev/null holds no certificate"},
		{{"limits.request_body=1GiB"},
		 "limits.buffered: cannot hold one request and its response; raise it to at least limits.request_body + "
		 "limits.response_body (1028MiB)"},
		{{"limits.buffered=10MiB"},
		 "F:1: limits.buffered: cannot hold one request and its response"},
		{{"access.allow=10.0.0.1/8"},
		 "F:1: access.allow: '10.0.0.1/8' has bits set after its prefix"},
		{{"access.allow=10.0.0.0/33"},
		 "F:1: access.allow: '10.0.0.0/33' has a prefix length that is no number from 0 to 32"},
		{{"access.allow=::/129"},
		 "F:1: access.allow: '::/129' has a prefix length that is no number from 0 to 128"},
		{{"access.allow=10.0.0.0/x"},
		 "F:1: access.allow: '10.0.0.0/x' has a prefix length"},
		{{"access.allow=all"}, "F:1: access.allow: 'all' is no network"},
		{{"access.hosts=http://pool"}, "F:1: access.hosts: 'http://pool' is no host name"},
		{{"access.hosts=pool:8080"}, "F:1: access.hosts: 'pool:8080' is no host name"},
		{{"access.hosts=*.example"}, "F:1: access.hosts: '*.example' is no host name"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_problems problems;

		check_with(&problems, cases[i].settings);
		ck_assert_uint_eq(problems.errors, 1);
		ck_assert_uint_eq(problems.count, 1);
		ck_assert_msg(strncmp(problems.lines[0], cases[i].line, strlen(cases[i].line)) == 0,
			      "%s, not %s", problems.lines[0], cases[i].line);
		config_problems_fini(&problems);
	}
}
END_TEST

/* Each gives one warning, which begins so. */
START_TEST(test_warnings)
{
	static const struct {
		const char *settings[SETTINGS_MAX];
		const char *line;
	} cases[] = {
		{{"upstream.url=http://127.0.0.1:80"},
		 "warning: F:1: upstream.url: with http:// nothing is encrypted"},
		{{"upstream.tls_verify=false"},
		 "warning: F:1: upstream.tls_verify: is off: whoever answers"},
		{{"pool.min_idle=26"},
		 "warning: F:1: pool.min_idle: 26 is more than pool.size; treated as 25"},
		{{"pool.size=5", "pool.min_idle=6"},
		 "warning: F:2: pool.min_idle: 6 is more than pool.size; treated as 5"},
		{{"pool.size=3", "pool.min_idle=0"},
		 "warning: F:1: pool.size: is below 4: each /solve.php holds"},
		{{"listen=127.0.0.1:80", "access.allow="},
		 "warning: F:2: access.allow: is empty, so every client of 127.0.0.1:80"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_problems problems;

		check_with(&problems, cases[i].settings);
		ck_assert_uint_eq(problems.errors, 0);
		ck_assert_msg(problems.count == 1, "%s: %zu", cases[i].line, problems.count);
		ck_assert_msg(strncmp(problems.lines[0], cases[i].line, strlen(cases[i].line)) == 0,
			      "%s, not %s", problems.lines[0], cases[i].line);
		config_problems_fini(&problems);
	}
}
END_TEST

START_TEST(test_admin_addresses_follow_the_same_rules)
{
	static const struct {
		const char *settings[SETTINGS_MAX];
		const char *line;
	} cases[] = {
		{{"admin.listen="}, "F:1: admin.listen: is empty; write an address, or off"},
		{{"admin.listen=8081"},
		 "F:1: admin.listen: '8081' needs an address before the port"},
		{{"admin.listen=0.0.0.0:8081"},
		 "F:1: admin.listen: 0.0.0.0:8081 is reached by other machines, but admin.allow"},
		{{"admin.listen=127.0.0.1:8080"},
		 "F:1: admin.listen: 127.0.0.1:8080 stands in listen too"},
		{{"admin.allow=x"}, "F:1: admin.allow: 'x' is no network"},
		{{"admin.hosts=x/"}, "F:1: admin.hosts: 'x/' is no host name"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_problems problems;

		check_with(&problems, cases[i].settings);
		ck_assert_uint_eq(problems.errors, 1);
		expect_part(&problems, cases[i].line);
		config_problems_fini(&problems);
	}
}
END_TEST

START_TEST(test_a_default_that_a_change_makes_wrong_is_said_at_the_change)
{
	static const char *const settings[SETTINGS_MAX] = {"pool.size=3"};
	struct config_problems problems;

	check_with(&problems, settings);
	expect_part(
		&problems,
		"warning: F:1: pool.size: is less than pool.min_idle (4), which is treated as 3");
	ck_assert_uint_eq(problems.errors, 0);
	config_problems_fini(&problems);
}
END_TEST

START_TEST(test_long_unix_paths)
{
	char setting[200] = "listen=unix:/";
	const char *settings[SETTINGS_MAX] = {setting};
	struct config_problems problems;

	memset(setting + strlen(setting), 'x', 107);
	check_with(&problems, settings);
	expect_part(&problems, "is too long a path: at most 107 bytes");
	config_problems_fini(&problems);
}
END_TEST

START_TEST(test_all_problems_are_found)
{
	static const char *const settings[SETTINGS_MAX] = {"listen=x, 127.0.0.1", "upstream.url=x",
							   "access.allow=x, y", "pool.size=2"};
	struct config_problems problems;

	check_with(&problems, settings);
	ck_assert_uint_eq(problems.errors, 5);
	ck_assert_uint_eq(problems.count, 7);
	config_problems_fini(&problems);
}
END_TEST

SUITE_MAIN("config/config_check", test_what_is_good_raises_nothing,
	   test_allowed_networks_pass_with_a_warning_about_tokens, test_errors, test_warnings,
	   test_admin_addresses_follow_the_same_rules,
	   test_a_default_that_a_change_makes_wrong_is_said_at_the_change, test_long_unix_paths,
	   test_all_problems_are_found)
