/* config/config_key.c: the key's file, and where a key is allowed. */
#include "base/mem.h"
#include "config/config_key.h"
#include "config/expect.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "s3cr3tS3CR3T"

enum { MODE_WORLD = 0644 };

/* A file that only its owner reads; the caller unlinks it. */
static void write_file(char name[32], const char *text)
{
	int fd;

	snprintf(name, 32, "/tmp/warmpool-key-XXXXXX");
	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void expect_no_secret(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		ck_assert_msg(strstr(problems->lines[i], "s3cr3t") == NULL, "%s",
			      problems->lines[i]);
	}
}

START_TEST(test_the_first_line_is_the_key)
{
	static const struct {
		const char *text;
		const char *key;
	} rows[] = {
		{SECRET, SECRET},
		{SECRET "\n", SECRET},
		{" \t" SECRET " \r\n", SECRET},
		{SECRET "\nanother line\n", SECRET},
		{"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
		{"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config_problems problems = {0};
		struct api_key key = {0};
		char name[32];

		write_file(name, rows[i].text);
		ck_assert(config_key_read(name, "W", &problems, &key));
		expect_no_problem(&problems);
		ck_assert_msg(span_is((struct span){key.bytes, key.len}, span_of(rows[i].key)),
			      "%s", rows[i].text);
		unlink(name);
	}
}
END_TEST

START_TEST(test_what_is_no_key_is_told_without_showing_it)
{
	char longest[API_KEY_BYTES_MAX + 2] = "";
	const struct {
		const char *text;
		const char *fault;
	} rows[] = {
		{"", "is empty; the key must stand on the first line"},
		{"\n" SECRET, "is empty; the key must stand on the first line"},
		{" \t\r\n", "is empty; the key must stand on the first line"},
		{longest, "is too long for a key: at most 256 characters"},
		{SECRET " " SECRET,
		 "holds what no key can: only visible ASCII characters, without blanks between"},
		{SECRET "\x7f",
		 "holds what no key can: only visible ASCII characters, without blanks between"},
		{"\xef\xbb\xbf" SECRET,
		 "holds what no key can: only visible ASCII characters, without blanks between"},
		{"-", "is what scripts send in a key's place, and no key"},
		{"00000000000000000000000000000000",
		 "is what scripts send in a key's place, and no key"},
		{"--" SECRET, "begins with --, which no key does"},
	};

	memset(longest, 's', sizeof(longest) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config_problems problems = {0};
		struct api_key key = {0};
		char name[32];
		char line[256];

		write_file(name, rows[i].text);
		ck_assert(!config_key_read(name, "W", &problems, &key));
		snprintf(line, sizeof(line), "%s:1: the first line %s", name, rows[i].fault);
		expect_only(&problems, line);
		expect_no_secret(&problems);
		ck_assert_uint_eq(key.len, 0);
		config_problems_fini(&problems);
		unlink(name);
	}
}
END_TEST

/* Checks the defaults with this key file and one option more. */
static void check_with(struct config_problems *problems, const char *file, const char *key,
		       const char *text)
{
	struct config config;

	*problems = (struct config_problems){0};
	config_init(&config);
	config_set(&config, problems, "F:1", "upstream.api_key_file", file);
	if (key != NULL) {
		config_set(&config, problems, "F:2", key, text);
	}
	config_key_check(&config, problems);
	config_fini(&config);
	expect_no_secret(problems);
}

START_TEST(test_where_a_key_is_allowed)
{
	static const struct {
		const char *key;
		const char *text;
		const char *line; /* its beginning; NULL: allowed */
	} rows[] = {
		{NULL, NULL, NULL},
		{"listen", "127.0.0.1:1, [::1]:1, unix:/run/x", NULL},
		{"upstream.url", "http://x",
		 "F:1: upstream.api_key_file: needs an upstream.url with https://"},
		{"upstream.tls_verify", "false",
		 "F:1: upstream.api_key_file: needs upstream.tls_verify"},
		{"listen", "127.0.0.1:1, 0.0.0.0:1",
		 "F:1: upstream.api_key_file: needs access.tokens while listen has 0.0.0.0:1"},
		{"listen", "[::]:1",
		 "F:1: upstream.api_key_file: needs access.tokens while listen has [::]:1"},
	};
	char name[32];

	write_file(name, SECRET);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config_problems problems;

		check_with(&problems, name, rows[i].key, rows[i].text);
		ck_assert_uint_eq(problems.errors, rows[i].line != NULL ? 1 : 0);
		ck_assert_uint_eq(problems.count, problems.errors);
		ck_assert(rows[i].line == NULL ||
			  strncmp(problems.lines[0], rows[i].line, strlen(rows[i].line)) == 0);
		config_problems_fini(&problems);
	}
	unlink(name);
}
END_TEST

START_TEST(test_tokens_let_other_machines_use_it)
{
	struct config_problems problems = {0};
	struct config config;
	char name[32];

	write_file(name, SECRET);
	config_init(&config);
	config_set(&config, &problems, "F:1", "upstream.api_key_file", name);
	config_set(&config, &problems, "F:2", "listen", "0.0.0.0:1");
	config_set(&config, &problems, "F:3", "access.tokens", "/checked/elsewhere");
	config_key_check(&config, &problems);
	expect_no_problem(&problems);
	config_fini(&config);
	unlink(name);
}
END_TEST

START_TEST(test_the_file_itself)
{
	struct config_problems problems;
	char name[32];
	char line[256];

	check_with(&problems, "/nonexistent/key", NULL, NULL);
	expect_only(
		&problems,
		"F:1: upstream.api_key_file: cannot read /nonexistent/key: No such file or directory; give a file with "
		"the key on its first line");
	config_problems_fini(&problems);
	write_file(name, SECRET);
	ck_assert_int_eq(chmod(name, MODE_WORLD), 0);
	check_with(&problems, name, NULL, NULL);
	snprintf(
		line, sizeof(line),
		"warning: F:1: upstream.api_key_file: %s is open to every user of this machine (mode 0644); chmod 600 it",
		name);
	expect_only(&problems, line);
	ck_assert_uint_eq(problems.errors, 0);
	config_problems_fini(&problems);
	unlink(name);
}
END_TEST

START_TEST(test_the_credential_comes_second)
{
	char folder[] = "/tmp/warmpool-credentials-XXXXXX";
	char name[64];
	struct config config;
	char *path;

	config_init(&config);
	unsetenv("CREDENTIALS_DIRECTORY");
	ck_assert_ptr_null(config_key_path(&config));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	ck_assert_ptr_null(config_key_path(&config));
	snprintf(name, sizeof(name), "%s/api_key", folder);
	fclose(fopen(name, "w"));
	path = config_key_path(&config);
	ck_assert_str_eq(path, name);
	free(path);
	free(config.upstream_api_key_file);
	config.upstream_api_key_file = mem_strdup("/etc/key");
	path = config_key_path(&config);
	ck_assert_str_eq(path, "/etc/key");
	free(path);
	config_fini(&config);
	unlink(name);
	rmdir(folder);
}
END_TEST

SUITE_MAIN("config/config_key", test_the_first_line_is_the_key,
	   test_what_is_no_key_is_told_without_showing_it, test_where_a_key_is_allowed,
	   test_tokens_let_other_machines_use_it, test_the_file_itself,
	   test_the_credential_comes_second)
