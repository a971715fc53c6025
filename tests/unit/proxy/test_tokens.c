/* proxy/tokens.c and proxy/guesses.c: who has a token, and who guesses. */
#include "base/macros.h"
#include "proxy/guesses.h"
#include "proxy/tokens.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct tokens *load(const char *text)
{
	char path[] = "/tmp/test-tokens-XXXXXX";
	int fd = mkstemp(path);
	struct config config;
	struct config_problems problems = {0};
	struct tokens *tokens = NULL;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	config_init(&config);
	config_set(&config, &problems, "F:1", "access.tokens", path);
	if (!tokens_load(&config, &problems, &tokens)) {
		ck_assert_ptr_null(tokens);
		ck_assert_uint_gt(problems.errors, 0);
	}
	config_problems_fini(&problems);
	config_fini(&config);
	unlink(path);
	return tokens;
}

START_TEST(test_a_token_is_a_name_with_its_secret)
{
	static const struct {
		const char *name;
		const char *secret;
		const char *found;
		bool is_known;
	} rows[] = {
		{"team-a", "secret-of-a", "team-a", true},
		{"team-a", "secret-of-b", NULL, true},
		{"team-b", "secret-of-b", "team-b", true},
		{"team-a", "secret-of-", NULL, true},
		{"team-a", "", NULL, true},
		{"team", "secret-of-a", NULL, false},
		{"", "", NULL, false},
		{"Team-a", "secret-of-a", NULL, false},
		{"hashed", "abc", "hashed", true}, /* FIPS 180-4's example */
		{"hashed", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", NULL,
		 true},
	};
	struct tokens *tokens = load(
		"team-a:secret-of-a\nteam-b:secret-of-b\n"
		"hashed:sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");

	ck_assert_ptr_nonnull(tokens);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool is_known;
		const char *found = tokens_find(tokens, span_of(rows[i].name),
						span_of(rows[i].secret), &is_known);

		ck_assert_msg(is_known == rows[i].is_known, "%s", rows[i].name);
		ck_assert_msg((found == NULL) == (rows[i].found == NULL), "%s:%s", rows[i].name,
			      rows[i].secret);
		if (found != NULL) {
			ck_assert_str_eq(found, rows[i].found);
		}
	}
	tokens_free(tokens);
}
END_TEST

START_TEST(test_a_bad_file_gives_no_tokens)
{
	ck_assert_ptr_null(load("team-a:secret-of-a\nteam-b\n"));
	ck_assert_ptr_null(load(""));
	tokens_free(NULL);
}
END_TEST

START_TEST(test_none_are_asked_for_by_default)
{
	struct config config;
	struct config_problems problems = {0};
	struct tokens *tokens = NULL;

	unsetenv("CREDENTIALS_DIRECTORY");
	config_init(&config);
	ck_assert(tokens_load(&config, &problems, &tokens));
	ck_assert_ptr_null(tokens);
	config_fini(&config);
}
END_TEST

static struct addr peer_of(const char *text)
{
	struct addr peer;

	ck_assert(addr_parse(text, &peer));
	return peer;
}

START_TEST(test_ten_within_ten_seconds_have_to_wait)
{
	struct guesses guesses = {0};
	struct addr peer = peer_of("10.0.0.7:1");
	struct addr same = peer_of("[::ffff:10.0.0.7]:2");
	struct addr other = peer_of("10.0.0.8:1");

	for (unsigned i = 0; i < GUESSES_MOST - 1; i++) {
		ck_assert(!guesses_add(&guesses, &peer, 5000 + i));
	}
	ck_assert_uint_eq(guesses_wait_s(&guesses, &peer, 6000), 0);
	ck_assert(guesses_add(&guesses, &same, 6000));
	ck_assert_uint_eq(guesses_wait_s(&guesses, &peer, 6000), 30);
	ck_assert_uint_eq(guesses_wait_s(&guesses, &same, 35999), 1);
	ck_assert_uint_eq(guesses_wait_s(&guesses, &peer, 36000), 0);
	ck_assert_uint_eq(guesses_wait_s(&guesses, &other, 6000), 0);
	/* And again from the beginning. */
	ck_assert(!guesses_add(&guesses, &peer, 36000));
	guesses_fini(&guesses);
}
END_TEST

START_TEST(test_ten_over_a_longer_time_need_not_wait)
{
	struct guesses guesses = {0};
	struct addr peer = peer_of("10.0.0.7:1");

	for (unsigned i = 0; i < 50; i++) {
		ck_assert(!guesses_add(&guesses, &peer, 1000 + 1200u * i));
	}
	guesses_fini(&guesses);
}
END_TEST

START_TEST(test_an_ipv6_peer_stands_for_its_network)
{
	struct guesses guesses = {0};
	struct addr outside = peer_of("[2001:db8:0:1::1]:1");

	for (unsigned i = 0; i < GUESSES_MOST; i++) {
		char text[64];
		struct addr peer;

		snprintf(text, sizeof(text), "[2001:db8::%x]:1", i + 1);
		peer = peer_of(text);
		(void)guesses_add(&guesses, &peer, 1000);
	}
	ck_assert_uint_eq(guesses.count, 1);
	ck_assert_uint_eq(guesses_wait_s(&guesses, &outside, 1000), 0);
	guesses_fini(&guesses);
}
END_TEST

static struct addr number(unsigned n)
{
	char text[64];

	snprintf(text, sizeof(text), "10.0.%u.%u:1", n / 256, n % 256);
	return peer_of(text);
}

START_TEST(test_the_table_is_bounded)
{
	struct guesses guesses = {0};
	struct addr first = number(0);

	for (unsigned i = 0; i < GUESSES_MOST; i++) {
		(void)guesses_add(&guesses, &first, 1000);
	}
	/* The first one's failure becomes the oldest, so that at last it makes room. */
	for (unsigned i = 1; i <= GUESSES_PEERS_MAX; i++) {
		struct addr peer = number(i);

		ck_assert_uint_eq(guesses_wait_s(&guesses, &first, 1500), 30);
		(void)guesses_add(&guesses, &peer, 1500);
	}
	ck_assert_uint_eq(guesses.count, GUESSES_PEERS_MAX);
	ck_assert_uint_eq(guesses_wait_s(&guesses, &first, 1500), 0);
	/* Rows whose time is over are used again. */
	first = number(5000);
	(void)guesses_add(&guesses, &first, 60000);
	ck_assert_uint_eq(guesses.count, GUESSES_PEERS_MAX);
	guesses_fini(&guesses);
}
END_TEST

SUITE_MAIN("proxy/tokens", test_a_token_is_a_name_with_its_secret, test_a_bad_file_gives_no_tokens,
	   test_none_are_asked_for_by_default, test_ten_within_ten_seconds_have_to_wait,
	   test_ten_over_a_longer_time_need_not_wait, test_an_ipv6_peer_stands_for_its_network,
	   test_the_table_is_bounded)
