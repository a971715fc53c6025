/* http/parser.c, fields.c: what is accepted, what is refused with which error, however the bytes arrive. */
#include "http/parser.h"
#include "pieces.h"
#include "roundtrip.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRLF  "\r\n"
#define HOST  "Host: a" CRLF
#define GET   "GET / HTTP/1.1" CRLF
#define GET10 "GET / HTTP/1.0" CRLF
#define POST  "POST / HTTP/1.1" CRLF HOST
#define OK    "HTTP/1.1 200 OK" CRLF

static const struct http_limits limits = {65536, 2 << 20};

struct sample {
	struct span bytes;
	enum err err;
};

#define SAMPLE(expected, literal)                                              \
	{                                                                      \
		.bytes = {literal, sizeof(literal) - 1}, .err = ERR_##expected \
	}

/* Whole, cut in two at every byte, and byte by byte. */
static void parse_all_ways(struct parse_outcome *outcome, enum http_kind kind,
			   struct http_limits with, struct span bytes)
{
	static struct parse_outcome cut;
	const char *difference;

	parse_in_pieces(outcome, kind, with, bytes, bytes.len, 1);
	for (size_t first = 0; first < bytes.len; first++) {
		parse_in_pieces(&cut, kind, with, bytes, first, bytes.len);
		difference = parse_outcomes_differ(outcome, &cut);
		ck_assert_msg(difference == NULL, "cut at %zu: %s differs (%s, %s): %.*s", first,
			      difference, err_name(outcome->err), err_name(cut.err), (int)bytes.len,
			      bytes.data);
	}
	parse_in_pieces(&cut, kind, with, bytes, 1, 1);
	difference = parse_outcomes_differ(outcome, &cut);
	ck_assert_msg(difference == NULL, "byte by byte: %s differs: %.*s", difference,
		      (int)bytes.len, bytes.data);
}

static void check_sample(enum http_kind kind, const struct sample *sample)
{
	static struct parse_outcome outcome;
	const char *difference;

	parse_all_ways(&outcome, kind, limits, sample->bytes);
	ck_assert_msg(outcome.err == sample->err, "%s, not %s: %.*s", err_name(outcome.err),
		      err_name(sample->err), (int)sample->bytes.len, sample->bytes.data);
	if (outcome.err != ERR_NONE) {
		return;
	}
	ck_assert_msg(outcome.state == HTTP_PARSE_DONE, "incomplete: %s", sample->bytes.data);
	difference = kind == HTTP_REQUEST ? roundtrip_request(&outcome.head)
					  : roundtrip_response(&outcome.head);
	ck_assert_msg(difference == NULL, "%s: %s", difference, sample->bytes.data);
}

static void check_samples(enum http_kind kind, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check_sample(kind, &samples[i]);
	}
}

static const struct http_head *parse_whole(enum http_kind kind, struct span bytes)
{
	static struct parse_outcome outcome;

	parse_all_ways(&outcome, kind, limits, bytes);
	ck_assert_msg(outcome.err == ERR_NONE, "%s", err_name(outcome.err));
	ck_assert_int_eq(outcome.state, HTTP_PARSE_DONE);
	return &outcome.head;
}

START_TEST(test_requests_are_accepted)
{
	static const struct sample samples[] = {
		SAMPLE(NONE, GET HOST CRLF),
		SAMPLE(NONE, GET10 CRLF),
		SAMPLE(NONE, GET10 HOST CRLF),
		SAMPLE(NONE, CRLF GET HOST CRLF),
		SAMPLE(NONE, "GET / HTTP/1.9" CRLF HOST CRLF),
		SAMPLE(NONE, "M-SEARCH!#$%&'*+.^_`|~ * HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "GET /hello.txt HTTP/1.1" CRLF "User-Agent: curl/7.64.1" CRLF
			     "Host: www.example.com" CRLF "Accept-Language: en, mi" CRLF CRLF),
		SAMPLE(NONE, "GET http://www.example.org/pub/WWW/TheProject.html HTTP/1.1" CRLF HOST
				     CRLF),
		SAMPLE(NONE, "GET http://www.example.org HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "GET http://www.example.org?q=1 HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "CONNECT www.example.com:80 HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "OPTIONS * HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "OPTIONS http://www.example.org:8001 HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, "GET /\"<>\\^`{|}#\x80\xff HTTP/1.1" CRLF HOST CRLF),
		SAMPLE(NONE, GET "Host:a" CRLF CRLF),
		SAMPLE(NONE, GET "hOsT: \t a.b-c_d~1:8080 \t " CRLF CRLF),
		SAMPLE(NONE, GET "Host: [::1]:80" CRLF CRLF),
		SAMPLE(NONE, GET "Host: 127.0.0.1:" CRLF CRLF),
		SAMPLE(NONE, GET HOST "X:" CRLF "Y: " CRLF "Z:\t\t" CRLF CRLF),
		SAMPLE(NONE, GET HOST "X: a\tb \x80\xff ! ~" CRLF
				      "x: \t\t\t0123456789abcdef\t0123456789abcdef" CRLF CRLF),
		SAMPLE(NONE, GET HOST "!#$%&'*+-.^_`|~09azAZ: :" CRLF CRLF),
		SAMPLE(NONE, POST "Content-Length: 0" CRLF CRLF),
		SAMPLE(NONE, POST "Content-Length: 9223372036854775807" CRLF CRLF),
		SAMPLE(NONE, POST "Content-Length: 0000000000000000000005" CRLF CRLF),
		SAMPLE(NONE, POST "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(NONE, POST "tRANSFER-eNCODING:CHUNKED " CRLF CRLF),
		SAMPLE(NONE, GET "Connection: a, b,,c , close" CRLF "A: 1" CRLF HOST "C: 2" CRLF
				 "d: 3" CRLF CRLF),
	};

	check_samples(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_request_lines)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_REQUEST_LINE, " GET / HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET  / HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET /  HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / HTTP/1.1 " CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET\t/ HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET /\tHTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / \tHTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / HTTP/1.1\t" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET /a b HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / Hello" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET / " CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "GET " CRLF),
		SAMPLE(BAD_REQUEST_LINE, "G@T / HTTP/1.1" CRLF),
		SAMPLE(BAD_REQUEST_LINE, "\x80\x2e\x01"),
		SAMPLE(BAD_REQUEST_LINE, "{\"json\": 1}"),
		SAMPLE(BAD_REQUEST_LINE, CRLF CRLF GET HOST CRLF),
		SAMPLE(BARE_LF, "\nGET / HTTP/1.1" CRLF),
		SAMPLE(BARE_LF, "GET\n"),
		SAMPLE(BARE_LF, "GET /\n"),
		SAMPLE(BARE_LF, "GET / \n"),
		SAMPLE(BARE_LF, "GET / HTTP/1.1\n"),
		SAMPLE(BARE_LF, GET HOST "\n"),
		SAMPLE(BARE_CR, "\rGET / HTTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GE\rT / HTTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GET /\rx HTTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GET / HT\rTP/1.1" CRLF),
		SAMPLE(BARE_CR, "GET / HTTP/1.1\r\r\n"),
		SAMPLE(BARE_CR, GET HOST "\rX" CRLF),
		SAMPLE(CONTROL_BYTE, "\0GET / HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET\0 / HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET /\0 HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET /\x7f HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET /\x1b[0m HTTP/1.1" CRLF),
		SAMPLE(CONTROL_BYTE, "GET / HTTP/1.1\v" CRLF),
	};

	check_samples(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_versions)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_VERSION, "GET /" CRLF), /* HTTP/0.9 */
		SAMPLE(BAD_VERSION, "GET / HTTP/0.9" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/2.0" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/3" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/11.1" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/1.10" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/1,1" CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/1." CRLF),
		SAMPLE(BAD_VERSION, "GET / HTTP/" CRLF),
		SAMPLE(BAD_VERSION, "GET / http/1.1" CRLF),
		SAMPLE(BAD_VERSION, "GET / Http/1.1" CRLF),
		SAMPLE(BAD_VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		SAMPLE(BAD_VERSION,
		       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* TLS ClientHello */
	};

	check_samples(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_a_wrong_start_is_an_error_at_once)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_VERSION, "\x16"),         SAMPLE(BAD_VERSION, "PRI * HTTP/2"),
		SAMPLE(BAD_VERSION, "GET /" CRLF),   SAMPLE(BAD_VERSION, "GET / h"),
		SAMPLE(BAD_REQUEST_LINE, "GET  "),   SAMPLE(BAD_REQUEST_LINE, " "),
		SAMPLE(BAD_REQUEST_LINE, "GET / X"), SAMPLE(BAD_REQUEST_LINE, "\xff"),
		SAMPLE(BAD_REQUEST_LINE, "GET /\t"),
	};

	check_samples(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_fields)
{
	static const struct sample samples[] = {
		SAMPLE(SPACE_BEFORE_COLON, GET "Host : a" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, GET "Host\t: a" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, POST "Content-Length \t : 5" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET HOST "X: a" CRLF " b" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET HOST "X: a" CRLF "\tb" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET HOST "X: a" CRLF " " CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET " Host: a" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, GET "\tHost: a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST ": a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X " CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X Y: a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X(: a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "\"X\": a" CRLF CRLF),
		SAMPLE(BAD_FIELD_NAME, GET HOST "X\x80: a" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X\0: a" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: a\0b" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: a\x7f" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: 0123456789abcdef\x01" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, GET HOST "X: \v" CRLF CRLF),
		SAMPLE(BARE_CR, GET HOST "X: a\rb" CRLF CRLF),
		SAMPLE(BARE_CR, GET HOST "X: a\r\r\n" CRLF),
		SAMPLE(BARE_CR, GET HOST "X\r: a" CRLF CRLF),
		SAMPLE(BARE_LF, GET HOST "X: a\n" CRLF),
		SAMPLE(BARE_LF, GET HOST "X\n: a" CRLF CRLF),
		SAMPLE(BARE_LF, GET HOST "X: a\nTransfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(BARE_LF, GET HOST "X \n: a" CRLF),
	};

	check_samples(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_hosts)
{
	static const struct sample samples[] = {
		SAMPLE(MISSING_HOST, GET CRLF),
		SAMPLE(MISSING_HOST, GET "X-Host: a" CRLF CRLF),
		SAMPLE(MISSING_HOST, "GET http://a/ HTTP/1.1" CRLF CRLF),
		SAMPLE(DOUBLE_HOST, GET HOST HOST CRLF),
		SAMPLE(DOUBLE_HOST, GET HOST "X: y" CRLF "HOST: b" CRLF CRLF),
		SAMPLE(DOUBLE_HOST, GET10 HOST HOST CRLF),
		SAMPLE(BAD_HOST, GET "Host:" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a,b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: u@a" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a/b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a?b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a#b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a\\b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: http://a" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a:b" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a:80:80" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: a:65536" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: :80" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: ::1" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: [::1" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: [::1]a" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: []" CRLF CRLF),
		SAMPLE(BAD_HOST, GET "Host: m\xc3\xbcller" CRLF CRLF),
	};

	check_samples(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_framing)
{
	static const struct sample samples[] = {
		SAMPLE(LENGTH_AND_ENCODING,
		       POST "Content-Length: 5" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(LENGTH_AND_ENCODING,
		       POST "Transfer-Encoding: chunked" CRLF "Content-Length: 5" CRLF CRLF),
		SAMPLE(LENGTH_AND_ENCODING,
		       POST "Content-Length: 0" CRLF "Transfer-Encoding: gzip" CRLF CRLF),
		SAMPLE(DIFFERING_CONTENT_LENGTHS,
		       POST "Content-Length: 5" CRLF "Content-Length: 6" CRLF CRLF),
		SAMPLE(DIFFERING_CONTENT_LENGTHS,
		       POST "Content-Length: 5" CRLF "content-length: 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length:" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: +5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: -5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 0x5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: a" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 5, 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 5 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: \"5\"" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 5.0" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 9223372036854775808" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, POST "Content-Length: 18446744073709551621" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: gzip, chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunked, chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING,
		       POST "Transfer-Encoding: chunked, identity" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: xchunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunkedx" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunked;q=1" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: \"chunked\"" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding:" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: ,chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, POST "Transfer-Encoding: chunked" CRLF
						   "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(ENCODING_IN_OLD_VERSION,
		       "POST / HTTP/1.0" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, POST "Transfer-Encoding : chunked" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, POST "Transfer-Encoding: \vchunked" CRLF CRLF),
	};

	check_samples(HTTP_REQUEST, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_responses_are_accepted)
{
	static const struct sample samples[] = {
		SAMPLE(NONE, OK CRLF),
		SAMPLE(NONE, "HTTP/1.0 200 OK" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 404 " CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 404" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 599 a\tb  \x80\xff 0123456789abcdef" CRLF "A: b" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 100 Continue" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 204 No Content" CRLF "Content-Length: 0" CRLF CRLF),
		SAMPLE(NONE, "HTTP/1.1 304 Not Modified" CRLF "Content-Length: 77" CRLF
			     "ETag: \"x\"" CRLF CRLF),
		SAMPLE(NONE, OK "Date: Mon, 27 Jul 2009 12:28:53 GMT" CRLF "Server: Apache" CRLF
				"Content-Length: 51" CRLF "Vary: Accept-Encoding" CRLF
				"Content-Type: text/plain" CRLF CRLF),
		SAMPLE(NONE, OK "Transfer-Encoding: chunked" CRLF "Connection: close" CRLF CRLF),
		SAMPLE(NONE, OK "Host: two" CRLF "Host: of, them" CRLF CRLF),
	};

	check_samples(HTTP_RESPONSE, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_bad_responses)
{
	static const struct sample samples[] = {
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 099 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 600 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 20 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 2000 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1  200 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1\t200 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 +20 A" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1 200\tOK" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "HTTP/1.1" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, "ICY 200 OK" CRLF CRLF),
		SAMPLE(BAD_REQUEST_LINE, CRLF OK CRLF),
		SAMPLE(BAD_REQUEST_LINE, "<html>"),
		SAMPLE(BAD_VERSION, "HTTP/2.0 200 OK" CRLF CRLF),
		SAMPLE(BAD_VERSION, "http/1.1 200 OK" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, "HTTP/1.1 200 O\0K" CRLF CRLF),
		SAMPLE(CONTROL_BYTE, "\x15\x03\x03\x00\x02\x02\x28"), /* TLS alert */
		SAMPLE(BARE_LF, "HTTP/1.1 200 OK\n\n"),
		SAMPLE(BARE_LF, "HTTP/1.1 200\n\n"),
		SAMPLE(BARE_CR, "HTTP/1.1 200 OK\rX" CRLF CRLF),
		SAMPLE(BARE_CR, "HTTP/1.1 200\rX" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, OK " A: b" CRLF CRLF),
		SAMPLE(FOLDED_FIELD, OK "A: b" CRLF " c" CRLF CRLF),
		SAMPLE(SPACE_BEFORE_COLON, OK "A : b" CRLF CRLF),
		SAMPLE(LENGTH_AND_ENCODING,
		       OK "Content-Length: 5" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(DIFFERING_CONTENT_LENGTHS,
		       OK "Content-Length: 5" CRLF "Content-Length: 5" CRLF CRLF),
		SAMPLE(BAD_CONTENT_LENGTH, OK "Content-Length: 5, 5" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING, OK "Transfer-Encoding: gzip, chunked" CRLF CRLF),
		SAMPLE(ENCODING_IN_OLD_VERSION,
		       "HTTP/1.0 200 OK" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING,
		       "HTTP/1.1 204 A" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
		SAMPLE(BAD_TRANSFER_ENCODING,
		       "HTTP/1.1 101 A" CRLF "Transfer-Encoding: chunked" CRLF CRLF),
	};

	check_samples(HTTP_RESPONSE, samples, ARRAY_SIZE(samples));
}
END_TEST

START_TEST(test_a_request_is_taken_apart)
{
	const struct http_head *head =
		parse_whole(HTTP_REQUEST, SPAN("POST /in.php?key=1&json=1 HTTP/1.1" CRLF
					       "Host: localhost:8080" CRLF "X-One:  a b\t" CRLF
					       "Content-Length: 12" CRLF "Expect: 100-Continue" CRLF
					       "Connection: Keep-Alive" CRLF CRLF "body"));

	ck_assert(span_is(http_head_span(head, head->method), SPAN("POST")));
	ck_assert(span_is(http_head_span(head, head->target), SPAN("/in.php?key=1&json=1")));
	ck_assert_uint_eq(head->version_minor, 1);
	ck_assert_uint_eq(head->field_count, 5);
	ck_assert(span_is(http_field_name(head, &head->fields[1]), SPAN("X-One")));
	ck_assert(span_is(http_field_value(head, &head->fields[1]), SPAN("a b")));
	ck_assert(head->has_content_length && head->content_length == 12);
	ck_assert(head->has_expect && head->expects_continue);
	ck_assert(head->has_keep_alive && !head->has_close);
	ck_assert(memcmp(head->base + head->head_bytes, "body", 4) == 0);
	ck_assert_int_eq(http_request_framing(head), HTTP_LENGTH);
}
END_TEST

START_TEST(test_only_a_sole_100_continue_expects_continue)
{
	static const char *const others[] = {
		GET HOST "Expect: 100-continue, x" CRLF CRLF,
		GET HOST "Expect: 100-continue;a=b" CRLF CRLF,
		GET HOST "Expect:" CRLF CRLF,
		GET HOST "Expect: 100-continue" CRLF "Expect: 100-continue" CRLF CRLF,
		GET HOST "Expect: 100-continue" CRLF "Expect: x" CRLF CRLF,
		GET10 "Expect: x" CRLF CRLF,
	};
	const struct http_head *head;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		head = parse_whole(HTTP_REQUEST, span_of(others[i]));
		ck_assert_msg(head->has_expect && !head->expects_continue, "%s", others[i]);
	}
	head = parse_whole(HTTP_REQUEST, SPAN(GET HOST "Expect: 100-CONTINUE " CRLF CRLF));
	ck_assert(head->has_expect && head->expects_continue);
	head = parse_whole(HTTP_REQUEST, SPAN(GET10 "Expect: 100-continue" CRLF CRLF));
	ck_assert(!head->has_expect && !head->expects_continue);
}
END_TEST

START_TEST(test_connection_names_fields_that_stay_here)
{
	static const struct {
		const char *name;
		bool is_hop_by_hop;
	} rows[] = {
		{"Connection", true},
		{"A", true},
		{"connection", true},
		{"b", true},
		{"Host", false},
		{"Content-Type", true},
		{"Content-Length", false},
		{"a", true},
		{"C", false},
		{"Keep-Alive", true},
		{"Proxy-Connection", true},
		{"PROXY-X", true},
		{"Proxy", false},
		{"TE", true},
		{"Trailer", true},
		{"Upgrade", true},
		{"HTTP2-Settings", true},
		{"Via", false},
	};
	const struct http_head *head = parse_whole(
		HTTP_REQUEST,
		SPAN(GET "Connection: a, HOST,content-length ,Transfer-Encoding" CRLF "A: 1" CRLF
			 "connection: ,, B\t,content-type,a;x" CRLF "b: 2" CRLF HOST
			 "Content-Type: t" CRLF "Content-Length: 3" CRLF "a: 2" CRLF "C: 3" CRLF
			 "Keep-Alive: timeout=1" CRLF "Proxy-Connection: x" CRLF "PROXY-X: y" CRLF
			 "Proxy: z" CRLF "TE: trailers" CRLF "Trailer: E" CRLF "Upgrade: h2c" CRLF
			 "HTTP2-Settings: q" CRLF "Via: 1.0 x" CRLF CRLF));

	ck_assert_uint_eq(head->field_count, ARRAY_SIZE(rows));
	for (unsigned i = 0; i < head->field_count; i++) {
		ck_assert(span_is(http_field_name(head, &head->fields[i]), span_of(rows[i].name)));
		ck_assert_msg(head->fields[i].is_hop_by_hop == rows[i].is_hop_by_hop, "%s",
			      rows[i].name);
	}
	ck_assert(head->has_content_length && head->content_length == 3);
	ck_assert(!head->has_close && !head->has_keep_alive);
}
END_TEST

/* `prefix`, then `filler` `count` times, then `suffix`; from malloc. */
static struct span build(const char *prefix, const char *filler, size_t count, const char *suffix)
{
	size_t filler_len = strlen(filler);
	size_t len = strlen(prefix) + filler_len * count + strlen(suffix);
	char *text = malloc(len + 1);
	char *at = stpcpy(text, prefix);

	for (size_t i = 0; i < count; i++) {
		at = mempcpy(at, filler, filler_len);
	}
	strcpy(at, suffix);
	return (struct span){text, len};
}

static enum err outcome_within(size_t head_bytes, size_t target_bytes, struct span bytes,
			       enum http_parse_state *ret_state)
{
	static struct parse_outcome outcome;

	parse_all_ways(&outcome, HTTP_REQUEST, (struct http_limits){head_bytes, target_bytes},
		       bytes);
	*ret_state = outcome.state;
	return outcome.err;
}

START_TEST(test_head_and_target_have_limits_of_their_own)
{
	static const char request[] = "GET /456789 HTTP/1.1" CRLF HOST CRLF;
	const size_t target_bytes = 7;
	const size_t head_bytes = sizeof(request) - 1 - target_bytes;
	enum http_parse_state state;

	ck_assert_int_eq(outcome_within(head_bytes, target_bytes, SPAN(request), &state), ERR_NONE);
	ck_assert_int_eq(state, HTTP_PARSE_DONE);
	for (size_t less = 0; less < head_bytes; less++) {
		ck_assert_int_eq(outcome_within(less, target_bytes, SPAN(request), &state),
				 ERR_HEAD_TOO_LARGE);
	}
	for (size_t less = 0; less < target_bytes; less++) {
		ck_assert_int_eq(outcome_within(head_bytes, less, SPAN(request), &state),
				 ERR_TARGET_TOO_LONG);
	}
	ck_assert_int_eq(outcome_within(head_bytes, 6, SPAN("GET /45678"), &state), ERR_NONE);
	ck_assert_int_eq(outcome_within(head_bytes, 6, SPAN("GET /456789"), &state),
			 ERR_TARGET_TOO_LONG);
	ck_assert_int_eq(outcome_within(20, 8, SPAN("AAAAAAAAAAAAAAAAAAAA"), &state),
			 ERR_HEAD_TOO_LARGE);
	ck_assert_int_eq(outcome_within(20, 8, SPAN("AAAAAAAAAAAAAAAAAAA"), &state), ERR_NONE);
	ck_assert_int_eq(state, HTTP_PARSE_START_LINE);
}
END_TEST

START_TEST(test_faults_within_the_limits_win_over_them)
{
	enum http_parse_state state;

	ck_assert_int_eq(outcome_within(30, 8,
					SPAN(GET "X: \1"
						 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" CRLF CRLF),
					&state),
			 ERR_CONTROL_BYTE);
	ck_assert_int_eq(outcome_within(30, 8,
					SPAN(GET "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\1" CRLF CRLF),
					&state),
			 ERR_HEAD_TOO_LARGE);
}
END_TEST

START_TEST(test_the_number_of_fields_is_bounded)
{
	static struct parse_outcome outcome;
	struct span most = build(GET HOST, "x:" CRLF, HTTP_FIELDS_MAX - 1, CRLF);
	struct span more = build(GET HOST, "x:" CRLF, HTTP_FIELDS_MAX, CRLF);

	parse_all_ways(&outcome, HTTP_REQUEST, limits, most);
	ck_assert_int_eq(outcome.err, ERR_NONE);
	ck_assert_uint_eq(outcome.head.field_count, HTTP_FIELDS_MAX);
	parse_all_ways(&outcome, HTTP_REQUEST, limits, more);
	ck_assert_int_eq(outcome.err, ERR_HEAD_TOO_LARGE);
	free((char *)(uintptr_t)most.data);
	free((char *)(uintptr_t)more.data);
}
END_TEST

START_TEST(test_the_number_of_connection_options_is_bounded)
{
	static struct parse_outcome outcome;
	struct span most = build(GET HOST "Connection: ", "x,", HTTP_FIELDS_MAX, CRLF CRLF);
	struct span more = build(GET HOST "Connection: x" CRLF "Connection: ", "x,",
				 HTTP_FIELDS_MAX, CRLF CRLF);

	parse_all_ways(&outcome, HTTP_REQUEST, limits, most);
	ck_assert_int_eq(outcome.err, ERR_NONE);
	parse_all_ways(&outcome, HTTP_REQUEST, limits, more);
	ck_assert_int_eq(outcome.err, ERR_HEAD_TOO_LARGE);
	free((char *)(uintptr_t)most.data);
	free((char *)(uintptr_t)more.data);
}
END_TEST

START_TEST(test_a_name_longer_than_its_counter_is_refused)
{
	static struct parse_outcome outcome;
	struct span bytes = build(GET HOST, "x", 65536, ": y" CRLF CRLF);

	parse_in_pieces(&outcome, HTTP_REQUEST, (struct http_limits){1 << 20, 100}, bytes, 100,
			4096);
	ck_assert_int_eq(outcome.err, ERR_HEAD_TOO_LARGE);
	free((char *)(uintptr_t)bytes.data);
}
END_TEST

/* Byte by byte over megabytes: a parser that began anew at each call would not end within the test's time. */
static void parse_byte_by_byte(enum http_kind kind, struct span bytes, struct http_limits with)
{
	static struct http_head head;
	struct http_parser parser;
	enum err err = ERR_NONE;

	http_parser_init(&parser, kind, with);
	for (size_t len = 0; len <= bytes.len && err == ERR_NONE; len++) {
		err = http_parse(&parser, &head, bytes.data, len);
	}
	ck_assert_int_eq(err, ERR_NONE);
	ck_assert_int_eq(parser.state, HTTP_PARSE_DONE);
	ck_assert_uint_eq(head.head_bytes, bytes.len);
	free((char *)(uintptr_t)bytes.data);
}

START_TEST(test_the_work_is_linear)
{
	static const struct http_limits wide = {4 << 20, 4 << 20};
	static struct parse_outcome outcome;
	struct span bytes = build("GET /in.php?body=", "A", 2 << 20, " HTTP/1.1" CRLF HOST CRLF);

	parse_in_pieces(&outcome, HTTP_REQUEST, (struct http_limits){65536, (2 << 20) + 13}, bytes,
			65536, 65536);
	ck_assert_int_eq(outcome.err, ERR_NONE);
	ck_assert_int_eq(outcome.state, HTTP_PARSE_DONE);
	parse_byte_by_byte(HTTP_REQUEST, bytes, wide);
	parse_byte_by_byte(HTTP_REQUEST, build(GET HOST "X:", "\t", 2 << 20, CRLF CRLF), wide);
	parse_byte_by_byte(HTTP_REQUEST, build("", "M", 2 << 20, " / HTTP/1.1" CRLF HOST CRLF),
			   wide);
	parse_byte_by_byte(HTTP_RESPONSE, build("HTTP/1.1 200 ", "r", 2 << 20, CRLF CRLF), wide);
}
END_TEST

START_TEST(test_the_method_is_known_when_the_rest_is_wrong)
{
	static const struct span bytes = {"HEAD / HTTP/1.0" CRLF "X y" CRLF, 22};
	static struct http_head head;
	struct http_parser parser;

	http_parser_init(&parser, HTTP_REQUEST, limits);
	ck_assert_int_eq(http_parse(&parser, &head, bytes.data, bytes.len), ERR_BAD_FIELD_NAME);
	ck_assert(span_is(http_head_span(&head, head.method), SPAN("HEAD")));
	ck_assert_uint_eq(head.version_minor, 0);
}
END_TEST

START_TEST(test_how_a_response_ends)
{
	static const struct {
		const char *bytes;
		bool was_head;
		enum http_framing framing;
	} rows[] = {
		{OK CRLF, false, HTTP_UNTIL_CLOSE},
		{"HTTP/1.0 200 OK" CRLF CRLF, false, HTTP_UNTIL_CLOSE},
		{OK "Content-Length: 0" CRLF CRLF, false, HTTP_LENGTH},
		{OK "Transfer-Encoding: chunked" CRLF CRLF, false, HTTP_CHUNKED},
		{OK CRLF, true, HTTP_NO_BODY},
		{OK "Content-Length: 5" CRLF CRLF, true, HTTP_NO_BODY},
		{OK "Transfer-Encoding: chunked" CRLF CRLF, true, HTTP_NO_BODY},
		{"HTTP/1.1 103 Early Hints" CRLF "Content-Length: 5" CRLF CRLF, false,
		 HTTP_NO_BODY},
		{"HTTP/1.1 204 A" CRLF "Content-Length: 5" CRLF CRLF, false, HTTP_NO_BODY},
		{"HTTP/1.1 304 A" CRLF "Content-Length: 5" CRLF CRLF, false, HTTP_NO_BODY},
		{"HTTP/1.1 304 A" CRLF "Transfer-Encoding: chunked" CRLF CRLF, false, HTTP_NO_BODY},
		{"HTTP/1.1 404 A" CRLF CRLF, false, HTTP_UNTIL_CLOSE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct http_head *head = parse_whole(HTTP_RESPONSE, span_of(rows[i].bytes));

		ck_assert_msg(http_response_framing(head, rows[i].was_head) == rows[i].framing,
			      "%s", rows[i].bytes);
	}
}
END_TEST

START_TEST(test_how_a_request_ends)
{
	ck_assert_int_eq(http_request_framing(parse_whole(HTTP_REQUEST, SPAN(POST CRLF))),
			 HTTP_NO_BODY);
	ck_assert_int_eq(http_request_framing(parse_whole(
				 HTTP_REQUEST, SPAN(POST "Content-Length: 0" CRLF CRLF))),
			 HTTP_LENGTH);
	ck_assert_int_eq(http_request_framing(parse_whole(
				 HTTP_REQUEST, SPAN(POST "Transfer-Encoding: chunked" CRLF CRLF))),
			 HTTP_CHUNKED);
}
END_TEST

SUITE_MAIN("http/parser", test_requests_are_accepted, test_bad_request_lines, test_bad_versions,
	   test_a_wrong_start_is_an_error_at_once, test_bad_fields, test_bad_hosts,
	   test_bad_framing, test_responses_are_accepted, test_bad_responses,
	   test_a_request_is_taken_apart, test_only_a_sole_100_continue_expects_continue,
	   test_connection_names_fields_that_stay_here,
	   test_head_and_target_have_limits_of_their_own,
	   test_faults_within_the_limits_win_over_them, test_the_number_of_fields_is_bounded,
	   test_the_number_of_connection_options_is_bounded,
	   test_a_name_longer_than_its_counter_is_refused, test_the_work_is_linear,
	   test_the_method_is_known_when_the_rest_is_wrong, test_how_a_response_ends,
	   test_how_a_request_ends)
