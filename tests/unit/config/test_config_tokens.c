/* config/config_tokens.c: the file of tokens, line by line, and where it lies. */
#include "base/mem.h"
#include "config/config_tokens.h"
#include "config/expect.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-tokens-XXXXXX";
static char path[64];

static void write_file(const char *text, mode_t mode)
{
	FILE *file;

	if (path[0] == '\0') {
		ck_assert_ptr_nonnull(mkdtemp(folder));
		snprintf(path, sizeof(path), "%s/tokens", folder);
	}
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void remove_file(void)
{
	unlink(path);
	rmdir(folder);
	path[0] = '\0';
	memcpy(folder, "/tmp/test-tokens-XXXXXX", sizeof(folder));
}

static void gather(void *owner, const struct token_row *row)
{
	char *out = owner;
	size_t used = strlen(out);

	snprintf(out + used, 512 - used, "%.*s=%.*s%s;", (int)row->name.len, row->name.data,
		 (int)row->secret.len, row->secret.len > 0 ? row->secret.data : "",
		 row->secret.len == 0 && row->digest[0] == 0xab && row->digest[31] == 0x01 ? "#"
											   : "");
}

#define HEX_DIGEST "AB00000000000000000000000000000000000000000000000000000000000001"

START_TEST(test_rows_are_read_in_order)
{
	struct config_problems problems = {0};
	char found[512] = "";

	write_file("# the teams\n\n  team-a:secret-of-a  \r\nteam.b@x:with:colons:#\n\t# more\n"
		   "team-c:sha256:" HEX_DIGEST "\nlast:12345678",
		   0600);
	ck_assert(config_tokens_read(path, "W", &problems, gather, found));
	expect_no_problem(&problems);
	ck_assert_str_eq(found,
			 "team-a=secret-of-a;team.b@x=with:colons:#;team-c=#;last=12345678;");
	remove_file();
}
END_TEST

START_TEST(test_each_bad_line_is_named_and_no_secret_shown)
{
	static const struct {
		const char *line;
		const char *part;
	} rows[] = {
		{"hunter2hunter2", "is not NAME:SECRET"},
		{":hunter2hunter2", "before the colon is no name"},
		{"a b:hunter2hunter2", "before the colon is no name"},
		{"a,b:hunter2hunter2", "before the colon is no name"},
		{"default:hunter2hunter2", "cannot be called default"},
		{"10.0.0.7:hunter2hunter2", "nor as an address or a network"},
		{"10.0.0.0/8:hunter2hunter2", "nor as an address or a network"},
		{"a:hunter2", "too short"},
		{"a:", "too short"},
		{"a:hunter2 hunter2", "printable ASCII"},
		{"a:hunter2\xc3\xa9hunter2", "printable ASCII"},
		{"a:hunter2\x01hunter2", "printable ASCII"},
		{"a:sha256:hunter2", "64 hexadecimal digits"},
		{"a:sha256:" HEX_DIGEST "0", "64 hexadecimal digits"},
		{"a:sha256:G000000000000000000000000000000000000000000000000000000000000001",
		 "64 hexadecimal digits"},
		{"first:hunter2hunter2", "the name 'first' is taken by line 1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config_problems problems = {0};
		char text[256];
		char where[96];

		snprintf(text, sizeof(text), "first:0123456789\n\n%s\nlast:0123456789\n",
			 rows[i].line);
		write_file(text, 0600);
		ck_assert_msg(!config_tokens_read(path, "W", &problems, NULL, NULL), "%s",
			      rows[i].line);
		ck_assert_uint_eq(problems.count, 1);
		expect_part(&problems, rows[i].part);
		snprintf(where, sizeof(where), "%s:3: ", path);
		ck_assert_ptr_eq(strstr(problems.lines[0], where), problems.lines[0]);
		ck_assert_msg(strstr(problems.lines[0], "hunter2") == NULL, "%s",
			      problems.lines[0]);
		config_problems_fini(&problems);
		remove_file();
	}
}
END_TEST

START_TEST(test_a_file_that_cannot_be_used_as_a_whole)
{
	struct config_problems problems = {0};

	ck_assert(!config_tokens_read("/nonexistent/tokens", "W", &problems, NULL, NULL));
	expect_part(&problems, "W: cannot read /nonexistent/tokens: No such file");
	config_problems_fini(&problems);
	write_file("# none\n", 0600);
	ck_assert(!config_tokens_read(path, "W", &problems, NULL, NULL));
	expect_part(&problems, "holds no token");
	config_problems_fini(&problems);
	remove_file();
}
END_TEST

START_TEST(test_too_many_tokens)
{
	struct config_problems problems = {0};
	char *text = mem_alloc((TOKENS_MAX + 1) * 32);
	size_t used = 0;

	for (unsigned i = 0; i <= TOKENS_MAX; i++) {
		used += (size_t)sprintf(text + used, "team-%u:0123456789\n", i);
	}
	write_file(text, 0600);
	ck_assert(!config_tokens_read(path, "W", &problems, NULL, NULL));
	expect_part(&problems, "tokens:1025: one token too many");
	config_problems_fini(&problems);
	free(text);
	remove_file();
}
END_TEST

static void expect_path(const char *option, const char *expected)
{
	struct config_problems problems = {0};
	struct config config;
	char *found;

	config_init(&config);
	config_set(&config, &problems, NULL, "access.tokens", option);
	expect_no_problem(&problems);
	found = config_tokens_path(&config);
	if (expected == NULL) {
		ck_assert_ptr_null(found);
	} else {
		ck_assert_ptr_nonnull(found);
		ck_assert_str_eq(found, expected);
	}
	free(found);
	config_fini(&config);
}

START_TEST(test_the_credential_serves_where_no_file_is_named)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	expect_path("", NULL);
	expect_path("/a/tokens", "/a/tokens");
	setenv("CREDENTIALS_DIRECTORY", "/nonexistent", 1);
	expect_path("", NULL);
	write_file("a:0123456789\n", 0600);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	expect_path("", path);
	expect_path("/a/tokens", "/a/tokens");
	remove_file();
}
END_TEST

static void check(const char *tokens, const char *listen, struct config_problems *problems)
{
	struct config config;

	config_init(&config);
	config_set(&config, problems, "F:1", "access.tokens", tokens);
	config_set(&config, problems, "F:2", "access.allow", "127.0.0.0/8, 10.0.0.0/8");
	config_set(&config, problems, NULL, "listen", listen);
	config_check(&config, problems);
	config_fini(&config);
}

START_TEST(test_the_check_of_the_configuration_reads_it)
{
	struct config_problems problems = {0};

	unsetenv("CREDENTIALS_DIRECTORY");
	write_file("a:0123456789\n", 0600);
	check(path, "0.0.0.0:80", &problems);
	expect_no_problem(&problems);
	for (mode_t mode = 0604; mode <= 0640; mode += 0640 - 0604) {
		write_file("a:0123456789\n", mode);
		check(path, "0.0.0.0:80", &problems);
		ck_assert_uint_eq(problems.errors, 0);
		expect_part(&problems, "warning: F:1: access.tokens: /tmp/");
		expect_part(&problems, "chmod 600");
		config_problems_fini(&problems);
	}
	write_file("a\n", 0600);
	check(path, "127.0.0.1:80", &problems);
	ck_assert_uint_eq(problems.errors, 1);
	config_problems_fini(&problems);
	remove_file();
}
END_TEST

START_TEST(test_networks_without_tokens_are_warned_of)
{
	struct config_problems problems = {0};

	unsetenv("CREDENTIALS_DIRECTORY");
	check("", "127.0.0.1:80, unix:/run/x", &problems);
	expect_no_problem(&problems);
	check("", "127.0.0.1:80, 10.0.0.1:80, [::]:80", &problems);
	ck_assert_uint_eq(problems.errors, 0);
	ck_assert_uint_eq(problems.count, 1);
	expect_part(&problems,
		    "warning: F:2: access.allow: without access.tokens everyone in these "
		    "networks can spend your balance");
	config_problems_fini(&problems);
}
END_TEST

SUITE_MAIN("config/config_tokens", test_rows_are_read_in_order,
	   test_each_bad_line_is_named_and_no_secret_shown,
	   test_a_file_that_cannot_be_used_as_a_whole, test_too_many_tokens,
	   test_the_credential_serves_where_no_file_is_named,
	   test_the_check_of_the_configuration_reads_it, test_networks_without_tokens_are_warned_of)
