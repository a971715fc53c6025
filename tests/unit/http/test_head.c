/* http/head.c: field names by id, persistence, Keep-Alive. */
#include "http/head.h"
#include "http/parser.h"
#include "suite.h"

#include <ctype.h>
#include <string.h>

static const struct {
	const char *name;
	enum http_field_id id;
	bool is_hop_by_hop;
} names[] = {
	{"Host", HTTP_FIELD_HOST, false},
	{"Connection", HTTP_FIELD_CONNECTION, true},
	{"Content-Length", HTTP_FIELD_CONTENT_LENGTH, false},
	{"Content-Type", HTTP_FIELD_CONTENT_TYPE, false},
	{"Transfer-Encoding", HTTP_FIELD_TRANSFER_ENCODING, true},
	{"Expect", HTTP_FIELD_EXPECT, false},
	{"Keep-Alive", HTTP_FIELD_KEEP_ALIVE, true},
	{"Proxy-Authorization", HTTP_FIELD_PROXY, true},
	{"Proxy-Connection", HTTP_FIELD_PROXY, true},
	{"TE", HTTP_FIELD_TE, true},
	{"Trailer", HTTP_FIELD_TRAILER, true},
	{"Upgrade", HTTP_FIELD_UPGRADE, true},
	{"HTTP2-Settings", HTTP_FIELD_HTTP2_SETTINGS, true},
	{"Via", HTTP_FIELD_VIA, false},
	{"Authorization", HTTP_FIELD_AUTHORIZATION, false},
	{"Retry-After", HTTP_FIELD_RETRY_AFTER, false},
	{"Date", HTTP_FIELD_DATE, false},
	{"Proxy", HTTP_FIELD_OTHER, false},
	{"Proxy_x", HTTP_FIELD_OTHER, false},
	{"Hosts", HTTP_FIELD_OTHER, false},
	{"Hos", HTTP_FIELD_OTHER, false},
	{"X", HTTP_FIELD_OTHER, false},
	{"Content_Length", HTTP_FIELD_OTHER, false},
	{"Transfer-Encoding-", HTTP_FIELD_OTHER, false},
	{"Accept-Encoding", HTTP_FIELD_OTHER, false},
};

START_TEST(test_names_have_ids_in_any_case)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char upper[32];
		char lower[32];

		for (size_t j = 0; j <= strlen(names[i].name); j++) {
			upper[j] = (char)toupper((unsigned char)names[i].name[j]);
			lower[j] = (char)tolower((unsigned char)names[i].name[j]);
		}
		ck_assert_msg(http_field_id_of(span_of(names[i].name)) == names[i].id, "%s",
			      names[i].name);
		ck_assert_msg(http_field_id_of(span_of(upper)) == names[i].id, "%s", upper);
		ck_assert_msg(http_field_id_of(span_of(lower)) == names[i].id, "%s", lower);
		ck_assert_msg(http_field_id_is_hop_by_hop(names[i].id) == names[i].is_hop_by_hop,
			      "%s", names[i].name);
	}
}
END_TEST

/* A byte replaced by any other that a token may hold makes another name. */
static bool is_unique_at(const char *known, size_t at)
{
	static const char others[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
	const int same = known[at] | 0x20; /* in lower case */
	bool is_unique = true;
	char name[32];

	memcpy(name, known, strlen(known) + 1);
	for (size_t i = 0; i < sizeof(others) - 1; i++) {
		name[at] = others[i];
		is_unique = is_unique && (others[i] == same ||
					  http_field_id_of(span_of(name)) == HTTP_FIELD_OTHER);
	}
	return is_unique;
}

START_TEST(test_names_differ_in_every_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].id == HTTP_FIELD_OTHER || names[i].id == HTTP_FIELD_PROXY) {
			continue;
		}
		for (size_t at = 0; at < strlen(names[i].name); at++) {
			ck_assert_msg(is_unique_at(names[i].name, at), "%s", names[i].name);
		}
	}
}
END_TEST

static const struct http_head *parse_response(const char *bytes)
{
	static struct http_head head;
	struct http_parser parser;

	http_parser_init(&parser, HTTP_RESPONSE, (struct http_limits){65536, 0});
	ck_assert_int_eq(http_parse(&parser, &head, bytes, strlen(bytes)), ERR_NONE);
	ck_assert_int_eq(parser.state, HTTP_PARSE_DONE);
	return &head;
}

START_TEST(test_find_gives_the_first)
{
	const struct http_head *head = parse_response(
		"HTTP/1.1 200 OK\r\nX: y\r\nVia: one\r\nvia: two\r\nDate: now\r\n\r\n");

	ck_assert_ptr_eq(http_head_find(head, HTTP_FIELD_VIA), &head->fields[1]);
	ck_assert_ptr_eq(http_head_find(head, HTTP_FIELD_DATE), &head->fields[3]);
	ck_assert_ptr_null(http_head_find(head, HTTP_FIELD_EXPECT));
}
END_TEST

START_TEST(test_persistence)
{
	static const struct {
		const char *bytes;
		bool is_persistent;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", true},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: Close ,\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nConnection: closed\r\n\r\n", true},
		{"HTTP/1.1 200 OK\r\nProxy-Connection: close\r\n\r\n", true},
		{"HTTP/1.0 200 OK\r\n\r\n", false},
		{"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n\r\n", false},
		{"HTTP/1.0 200 OK\r\nKeep-Alive: timeout=5\r\n\r\n", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_msg(http_head_is_persistent(parse_response(rows[i].bytes)) ==
				      rows[i].is_persistent,
			      "%s", rows[i].bytes);
	}
}
END_TEST

START_TEST(test_keep_alive_timeouts)
{
	static const struct {
		const char *bytes;
		uint64_t seconds;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\n\r\n", 5},
		{"HTTP/1.1 200 OK\r\nkeep-alive: max=100 ,\tTimeout=75\r\n\r\n", 75},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=4294967295\r\n\r\n", 4294967295},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=4294967296\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=-5\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5s\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: xtimeout=5\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: ,,\r\n\r\n", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_msg(http_head_keep_alive_seconds(parse_response(rows[i].bytes)) ==
				      rows[i].seconds,
			      "%s", rows[i].bytes);
	}
}
END_TEST

SUITE_MAIN("http/head", test_names_have_ids_in_any_case, test_names_differ_in_every_byte,
	   test_find_gives_the_first, test_persistence, test_keep_alive_timeouts)
