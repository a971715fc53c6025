/* http/body.c: chunked bodies, whole and cut everywhere. */
#include "http/body.h"
#include "pieces.h"
#include "samples.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 1000 };

static void decode_all_ways(struct decode_outcome *outcome, struct span bytes, uint64_t limit)
{
	struct decode_outcome bytewise;

	decode_in_pieces(outcome, bytes, limit, bytes.len, 1);
	for (size_t first = 0; first <= bytes.len; first++) {
		struct decode_outcome cut;
		const char *difference;

		decode_in_pieces(&cut, bytes, limit, first, first == bytes.len ? 1 : bytes.len);
		difference = decode_outcomes_differ(outcome, &cut);
		ck_assert_msg(difference == NULL, "cut at %zu: %s: %.*s", first, difference,
			      (int)bytes.len, bytes.data);
		decode_outcome_fini(&cut);
	}
	decode_in_pieces(&bytewise, bytes, limit, 1, 1);
	ck_assert_ptr_null(decode_outcomes_differ(outcome, &bytewise));
	decode_outcome_fini(&bytewise);
}

START_TEST(test_good_bodies)
{
	static const struct {
		const char *bytes;
		const char *body;
		const char *rest;
	} rows[] = {
		{"0\r\n\r\n", "", ""},
		{"5\r\nhello\r\n0\r\n\r\n", "hello", ""},
		{"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /", "hello world", "GET /"},
		{"000000000000000A\r\n0123456789\r\n0000\r\n\r\n", "0123456789", ""},
		{"a;\r\n0123456789\r\n0;x=y;z=\"q\t\x80\"\r\n\r\n", "0123456789", ""},
		{"1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "\r\n", ""},
		{"0\r\nX: y\r\nEtag:\r\nA:\tb c \x80\r\n\r\nrest", "", "rest"},
		{"2\r\nab\r\n1\r\nc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span bytes = span_of(rows[i].bytes);
		struct decode_outcome outcome;

		decode_all_ways(&outcome, bytes, LIMIT);
		ck_assert_msg(outcome.err == ERR_NONE && outcome.done, "%s", rows[i].bytes);
		ck_assert(span_is((struct span){outcome.body, outcome.body_len},
				  span_of(rows[i].body)));
		ck_assert_str_eq(rows[i].bytes + outcome.taken, rows[i].rest);
		decode_outcome_fini(&outcome);
	}
}
END_TEST

#define ROW(expected, literal)                                                 \
	{                                                                      \
		.bytes = {literal, sizeof(literal) - 1}, .err = ERR_##expected \
	}

START_TEST(test_bad_bodies)
{
	static const struct {
		struct span bytes;
		enum err err;
	} rows[] = {
		ROW(BAD_CHUNK, "\r\n"),
		ROW(BAD_CHUNK, "g\r\n"),
		ROW(BAD_CHUNK, "5g\r\n"),
		ROW(BAD_CHUNK, "-5\r\n"),
		ROW(BAD_CHUNK, "+5\r\n"),
		ROW(BAD_CHUNK, "0x5\r\n"),
		ROW(BAD_CHUNK, " 5\r\n"),
		ROW(BAD_CHUNK, "5 \r\n"),
		ROW(BAD_CHUNK, "5 ;x\r\n"),
		ROW(BAD_CHUNK, "5\t\r\n"),
		ROW(BAD_CHUNK, ";x\r\n"),
		ROW(BAD_CHUNK, "5\n"),
		ROW(BAD_CHUNK, "5\rx"),
		ROW(BAD_CHUNK, "5;x\n"),
		ROW(BAD_CHUNK, "5;x\ry"),
		ROW(BAD_CHUNK, "5;\0\r\n"),
		ROW(BAD_CHUNK, "\0005\r\n"),
		ROW(BAD_CHUNK, "00000000000000005\r\n"),
		ROW(BAD_CHUNK, "10000000000000000\r\n"),
		ROW(BODY_TOO_LARGE, "ffffffffffffffff\r\n"),
		ROW(BODY_TOO_LARGE, "3e9\r\n"),
		ROW(BODY_TOO_LARGE, "1\r\na\r\n3e8;"),
		ROW(BODY_TOO_LARGE, "1\r\na\r\nffffffffffffffff\r\n"),
		ROW(BAD_CHUNK, "1\r\nabc"),
		ROW(BAD_CHUNK, "1\r\na\n"),
		ROW(BAD_CHUNK, "1\r\na\r\r\n"),
		ROW(BAD_CHUNK, "0\r\n\n"),
		ROW(BAD_CHUNK, "0\r\n\r\r"),
		ROW(BAD_CHUNK, "0\r\n: y\r\n"),
		ROW(BAD_CHUNK, "0\r\nX\r\n"),
		ROW(BAD_CHUNK, "0\r\nX : y\r\n"),
		ROW(BAD_CHUNK, "0\r\n X: y\r\n"),
		ROW(BAD_CHUNK, "0\r\nX: y\r\n z\r\n"),
		ROW(BAD_CHUNK, "0\r\nX: y\n"),
		ROW(BAD_CHUNK, "0\r\nX: \0\r\n"),
		ROW(BAD_CHUNK, "0\r\nX: y\rz"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct decode_outcome outcome;

		decode_all_ways(&outcome, rows[i].bytes, LIMIT);
		ck_assert_msg(outcome.err == rows[i].err, "%s: %.*s", err_name(outcome.err),
			      (int)rows[i].bytes.len, rows[i].bytes.data);
		decode_outcome_fini(&outcome);
	}
}
END_TEST

START_TEST(test_exactly_the_limit_is_allowed)
{
	struct decode_outcome outcome;

	decode_all_ways(&outcome, SPAN("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 5);
	ck_assert(outcome.err == ERR_NONE && outcome.done && outcome.body_len == 5);
	decode_outcome_fini(&outcome);
	decode_all_ways(&outcome, SPAN("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 4);
	ck_assert_int_eq(outcome.err, ERR_BODY_TOO_LARGE);
	decode_outcome_fini(&outcome);
	decode_all_ways(&outcome, SPAN("0\r\n\r\n"), 0);
	ck_assert(outcome.err == ERR_NONE && outcome.done);
	decode_outcome_fini(&outcome);
}
END_TEST

/* The error of a body of `prefix`, `filler` `count` times, `suffix`; in one piece and in pieces of 7. */
static enum err decode_filled(const char *prefix, const char *filler, size_t count,
			      const char *suffix)
{
	struct sample_text text = sample_build(prefix, filler, count, suffix);
	struct decode_outcome outcome;
	struct decode_outcome cut;

	decode_in_pieces(&outcome, sample_span(&text), LIMIT, text.len, text.len);
	decode_in_pieces(&cut, sample_span(&text), LIMIT, 7, 7);
	ck_assert_ptr_null(decode_outcomes_differ(&outcome, &cut));
	ck_assert(outcome.err != ERR_NONE || outcome.done);
	decode_outcome_fini(&cut);
	decode_outcome_fini(&outcome);
	free(text.bytes);
	return outcome.err;
}

START_TEST(test_extensions_and_trailers_are_bounded)
{
	ck_assert_int_eq(decode_filled("0;", "x", 4096, "\r\n\r\n"), ERR_NONE);
	ck_assert_int_eq(decode_filled("0;", "x", 4097, "\r\n\r\n"), ERR_BAD_CHUNK);
	ck_assert_int_eq(decode_filled("1;a\r\nb\r\n0;", "x", 4095, "\r\n\r\n"), ERR_NONE);
	ck_assert_int_eq(decode_filled("1;a\r\nb\r\n0;", "x", 4096, "\r\n\r\n"), ERR_BAD_CHUNK);
	ck_assert_int_eq(decode_filled("0\r\nx:", "x", 8192 - 4, "\r\n\r\n"), ERR_NONE);
	ck_assert_int_eq(decode_filled("0\r\nx:", "x", 8192 - 3, "\r\n\r\n"), ERR_BAD_CHUNK);
	ck_assert_int_eq(decode_filled("0\r\nx:y\r\n", "x", 8192 - 8, ":\r\n\r\n"), ERR_NONE);
	ck_assert_int_eq(decode_filled("0\r\nx:y\r\n", "x", 8192 - 7, ":\r\n\r\n"), ERR_BAD_CHUNK);
}
END_TEST

enum { SOURCE_BYTES = 5000, ENCODED_BYTES = SOURCE_BYTES * 8 };

/* Encodes random bytes in chunks of up to `chunk_most` bytes; returns the encoded length. */
static size_t encode_random(char source[SOURCE_BYTES], char encoded[ENCODED_BYTES],
			    unsigned chunk_most)
{
	char *out = encoded;
	size_t at = 0;

	for (size_t i = 0; i < SOURCE_BYTES; i++) {
		source[i] = (char)rand();
	}
	while (at < SOURCE_BYTES) {
		size_t most = (unsigned)rand() % chunk_most + 1;
		size_t piece = MIN(most, SOURCE_BYTES - at);

		out += sprintf(out, "%zx\r\n", piece);
		out = mempcpy(out, source + at, piece);
		out = stpcpy(out, "\r\n");
		at += piece;
	}
	out = stpcpy(out, "0\r\n\r\n");
	return (size_t)(out - encoded);
}

START_TEST(test_random_chunkings_decode_to_their_source)
{
	static char source[SOURCE_BYTES];
	static char encoded[ENCODED_BYTES];

	srand(1);
	for (unsigned round = 0; round < 50; round++) {
		size_t len = encode_random(source, encoded, 1u << round % 12);
		struct decode_outcome outcome;

		decode_in_pieces(&outcome, (struct span){encoded, len}, SOURCE_BYTES,
				 (unsigned)rand() % len, (unsigned)rand() % 4096 + 1);
		ck_assert(outcome.err == ERR_NONE && outcome.done && outcome.taken == len);
		ck_assert(span_is((struct span){outcome.body, outcome.body_len},
				  (struct span){source, SOURCE_BYTES}));
		decode_outcome_fini(&outcome);
	}
}
END_TEST

SUITE_MAIN("http/body", test_good_bodies, test_bad_bodies, test_exactly_the_limit_is_allowed,
	   test_extensions_and_trailers_are_bounded, test_random_chunkings_decode_to_their_source)
