/* proxy/inject.c: which requests get the key, and where it stands in them. */
#include "base/macros.h"
#include "proxy/inject.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define K     "K3y"
#define ZEROS "00000000000000000000000000000000"
#define FORM  "application/x-www-form-urlencoded"
#define JSON  "application/json"
#define PARTS "multipart/form-data; boundary=b"
#define PART(name, value) \
	"--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define LAST "--b--\r\n"

/* In tables: stays as it is. */
static const char same[] = "(same)";

struct row {
	const char *target;
	const char *type;
	const char *body;
	const char *new_target;
	const char *new_body;
};

static struct inject_request request_of(const char *target, const char *type, const char *body,
					const char *key)
{
	const char *question = strchr(target, '?');

	return (struct inject_request){
		.target = span_of(target),
		.query = question != NULL ? span_of(question + 1) : (struct span){0},
		.content_type = span_of(type),
		.body = span_of(body),
		.key = span_of(key),
	};
}

static void expect_span(struct span found, const char *expected, const char *of)
{
	if (expected == same) {
		ck_assert_msg(found.data == NULL, "changed to %.*s: %s", (int)found.len, found.data,
			      of);
		return;
	}
	ck_assert_msg(found.data != NULL, "not changed: %s", of);
	ck_assert_msg(span_is(found, span_of(expected)), "is %.*s, not %s: %s", (int)found.len,
		      found.data, expected, of);
}

static void check(const struct inject_request *request, const struct row *row)
{
	struct buffer_pool pool;
	struct buffer out = {0};
	struct injected injected;
	char shown[512];

	snprintf(shown, sizeof(shown), "%s %s %s", row->target, row->type, row->body);
	buffer_pool_init(&pool, 1 << 20);
	ck_assert_int_eq(inject_key(request, &pool, &out, &injected), ERR_NONE);
	expect_span(injected.target, row->new_target, shown);
	expect_span(injected.body, row->new_body, shown);
	if (injected.target.data != NULL) {
		expect_span(injected.query, strchr(row->new_target, '?') + 1, shown);
	}
	buffer_fini(&pool, &out);
	buffer_pool_fini(&pool);
}

static void check_rows(const struct row *rows, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		struct inject_request request =
			request_of(rows[i].target, rows[i].type, rows[i].body, key);

		check(&request, &rows[i]);
	}
}

START_TEST(test_queries)
{
	static const struct row rows[] = {
		{"/in.php", "", "", "/in.php?key=" K, same},
		{"/in.php?", "", "", "/in.php?key=" K, same},
		{"/in.php?a=1", "", "", "/in.php?key=" K "&a=1", same},
		{"/in.php?a=1&", "", "", "/in.php?key=" K "&a=1&", same},
		{"/in.php?body=AB+/=%", "", "", "/in.php?key=" K "&body=AB+/=%", same},
		{"/in.php?a=?b", "", "", "/in.php?key=" K "&a=?b", same},
		{"/in.php?keys=1&key.x=2", "", "", "/in.php?key=" K "&keys=1&key.x=2", same},
		{"/in.php?a=key=", "", "", "/in.php?key=" K "&a=key=", same},
		{"/in.php?key=", "", "", "/in.php?key=" K, same},
		{"/in.php?key", "", "", "/in.php?key=" K, same},
		{"/in.php?key&a=1", "", "", "/in.php?key=" K "&a=1", same},
		{"/in.php?a=1&key=&b=2", "", "", "/in.php?a=1&key=" K "&b=2", same},
		{"/in.php?key=-", "", "", "/in.php?key=" K, same},
		{"/in.php?key=%2d", "", "", "/in.php?key=" K, same},
		{"/in.php?key=" ZEROS "&a", "", "", "/in.php?key=" K "&a", same},
		{"/in.php?k%65y=&a", "", "", "/in.php?k%65y=" K "&a", same},
		{"/in.php?%6B%65%79=" ZEROS, "", "", "/in.php?%6B%65%79=" K, same},
		{"/in.php?key=&key=-&key=" ZEROS, "", "", "/in.php?key=" K "&key=" K "&key=" K,
		 same},
		/* A real key, or what may be one. */
		{"/in.php?key=abc", "", "", same, same},
		{"/in.php?key=0", "", "", same, same},
		{"/in.php?key=" ZEROS "0", "", "", same, same},
		{"/in.php?key=0000000000000000000000000000000", "", "", same, same},
		{"/in.php?key=+", "", "", same, same},
		{"/in.php?key=&key=abc", "", "", same, same},
		{"/in.php?key=abc&key=", "", "", same, same},
		{"/in.php?Key=abc", "", "", same, same},
		{"/in.php?key[]=", "", "", same, same},
		{"/in.php?%20key=", "", "", same, same},
		{"/in.php?key%00=", "", "", same, same},
		/* More places than are kept. */
		{"/in.php?key&key&key&key&key&key&key&key&key&key&key&key&key&key&key&key&key", "",
		 "", same, same},
	};

	check_rows(rows, ARRAY_SIZE(rows), K);
}
END_TEST

START_TEST(test_forms)
{
	static const struct row rows[] = {
		{"/in.php", FORM, "a=1", "/in.php?key=" K, same},
		{"/in.php", FORM, "key=&a=1", same, "key=" K "&a=1"},
		{"/in.php", FORM "; charset=utf-8", "a=1&key=-", same, "a=1&key=" K},
		{"/in.php?x=1", FORM, "k%65y=&key=" ZEROS, same, "k%65y=" K "&key=" K},
		{"/in.php?x=1", FORM, "key", same, "key=" K},
		{"/in.php?key=", FORM, "a=1", "/in.php?key=" K, same},
		{"/in.php?key=-", FORM, "key=-", "/in.php?key=" K, "key=" K},
		{"/in.php?key=-", FORM, "key=abc", same, same},
		{"/in.php?key=abc", FORM, "key=-", same, same},
		{"/in.php?key=abc", FORM, "a=1", same, same},
	};

	check_rows(rows, ARRAY_SIZE(rows), K);
}
END_TEST

START_TEST(test_json)
{
	static const struct row rows[] = {
		{"/in.php", JSON, "{}", "/in.php?key=" K, same},
		{"/in.php", JSON, "{\"a\":1}", "/in.php?key=" K, same},
		{"/in.php", JSON, "{\"key\":\"\"}", same, "{\"key\":\"" K "\"}"},
		{"/in.php", JSON, " { \"a\" : [1, {}] , \"key\" : \"-\" } ", same,
		 " { \"a\" : [1, {}] , \"key\" : \"" K "\" } "},
		{"/in.php", JSON, "{\"k\\u0065y\":\"" ZEROS "\"}", same,
		 "{\"k\\u0065y\":\"" K "\"}"},
		{"/in.php", JSON, "{\"key\":\"\\u002d\",\"key\":null}", same,
		 "{\"key\":\"" K "\",\"key\":\"" K "\"}"},
		{"/in.php", JSON, "{\"a\":{\"key\":\"\"}}", "/in.php?key=" K, same},
		{"/in.php", JSON, "{\"key\":\"null\"}", same, same},
		{"/in.php", JSON, "{\"key\":0}", same, same},
		{"/in.php", JSON, "{\"key\":{}}", same, same},
		{"/in.php", JSON, "{\"key\":[\"\"]}", same, same},
		{"/in.php", JSON, "{\"KEY\":\"\"}", same, same},
		{"/in.php", JSON, "{\"key\":\"abc\",\"key\":\"\"}", same, same},
		/* Does not parse: it may hold a key. */
		{"/in.php", JSON, "{\"key\":\"\"", same, same},
		{"/in.php", JSON, "{\"key\":\"\"}x", same, same},
		{"/in.php?key=", JSON, "[1]", same, same},
	};

	check_rows(rows, ARRAY_SIZE(rows), K);
}
END_TEST

START_TEST(test_multipart)
{
	static const struct row rows[] = {
		{"/in.php", PARTS, PART("a", "1") LAST, "/in.php?key=" K, same},
		{"/in.php", PARTS, PART("key", "") LAST, same, PART("key", K) LAST},
		{"/in.php", PARTS, PART("a", "1") PART("key", "-") PART("b", "\r\n--c") LAST, same,
		 PART("a", "1") PART("key", K) PART("b", "\r\n--c") LAST},
		{"/in.php", PARTS, PART("key", ZEROS) PART("key", "") LAST, same,
		 PART("key", K) PART("key", K) LAST},
		/* Another multipart body inside of one part: its parts are bytes. */
		{"/in.php", PARTS,
		 PART("a",
		      "--c\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nabc\r\n--c--")
			 LAST,
		 "/in.php?key=" K, same},
		{"/in.php", PARTS, PART("a", "\r\n--\r\n--\r\n-b") PART("key", "-") LAST, same,
		 PART("a", "\r\n--\r\n--\r\n-b") PART("key", K) LAST},
		{"/in.php", PARTS, PART("key", "--") LAST, same, same},
		{"/in.php", PARTS, PART("key", "abc") LAST, same, same},
		{"/in.php", PARTS, PART("key", "%2D") LAST, same, same},
		{"/in.php", PARTS, PART("Key", "") LAST, same, same},
		{"/in.php?key=", PARTS, PART("key", "abc") LAST, same, same},
		/* Does not parse. */
		{"/in.php", PARTS, PART("key", ""), same, same},
		{"/in.php", "multipart/form-data", PART("key", "") LAST, same, same},
		{"/in.php", PARTS, PART("key", "") LAST "x", same, same},
	};

	check_rows(rows, ARRAY_SIZE(rows), K);
}
END_TEST

START_TEST(test_what_cannot_be_read)
{
	static const struct row rows[] = {
		{"/in.php", "", "key=abc", "/in.php?key=" K, same},
		{"/in.php", "text/plain", "key=abc", "/in.php?key=" K, same},
		{"/in.php?key=-", "text/plain", "key=abc", "/in.php?key=" K, same},
		{"/in.php?key=abc", "text/plain", "x", same, same},
	};
	static const struct row encoded[] = {
		{"/in.php", FORM, "key=abc", "/in.php?key=" K, same},
		{"/in.php?key=abc", JSON, "{}", same, same},
	};

	check_rows(rows, ARRAY_SIZE(rows), K);
	for (size_t i = 0; i < ARRAY_SIZE(encoded); i++) {
		struct inject_request request =
			request_of(encoded[i].target, encoded[i].type, encoded[i].body, K);

		request.has_content_encoding = true;
		check(&request, &encoded[i]);
	}
}
END_TEST

START_TEST(test_escapes)
{
	static const char key[] = "a\"\\&=+%/~";
	static const struct row rows[] = {
		{"/in.php", "", "", "/in.php?key=a%22%5C%26%3D%2B%25%2F~", same},
		{"/in.php?key&b", "", "", "/in.php?key=a%22%5C%26%3D%2B%25%2F~&b", same},
		{"/in.php", FORM, "key=-", same, "key=a%22%5C%26%3D%2B%25%2F~"},
		{"/in.php", JSON, "{\"key\":\"\"}", same, "{\"key\":\"a\\\"\\\\&=+%/~\"}"},
		{"/in.php", JSON, "{\"key\":null}", same, "{\"key\":\"a\\\"\\\\&=+%/~\"}"},
		{"/in.php", PARTS, PART("key", "-") LAST, same, PART("key", "a\"\\&=+%/~") LAST},
	};

	check_rows(rows, ARRAY_SIZE(rows), key);
}
END_TEST

/* A form of `len` bytes, its key among the last ones. */
static char *long_form(size_t len)
{
	static const char end[] = "&key=";
	char *form = malloc(len + 1);

	memset(form, 'a', len);
	memcpy(form + len - strlen(end), end, sizeof(end));
	return form;
}

START_TEST(test_bounds)
{
	enum { LIMIT = 4 * 1024 * 1024, KEY_BYTES = 256 };
	struct buffer_pool pool;
	struct buffer out = {0};
	struct injected injected;
	char key[KEY_BYTES + 1] = "";
	char *form = long_form(LIMIT + 1);
	struct inject_request request;

	/* The longest key, all of it escaped, in all places. */
	memset(key, '%', KEY_BYTES);
	buffer_pool_init(&pool, (size_t)16 * 1024 * 1024);
	request = request_of(
		"/in.php?key&key&key&key&key&key&key&key&key&key&key&key&key&key&key&key", FORM,
		form + 1, key);
	ck_assert_int_eq(inject_key(&request, &pool, &out, &injected), ERR_NONE);
	ck_assert_uint_eq(injected.target.len, strlen("/in.php?") - 1 + 16 * (5 + 3 * KEY_BYTES));
	ck_assert_uint_eq(injected.body.len, LIMIT + 3 * KEY_BYTES);
	buffer_fini(&pool, &out);
	/* Too large a body. */
	request = request_of("/in.php", FORM, form, key);
	ck_assert_int_eq(inject_key(&request, &pool, &out, &injected), ERR_NONE);
	ck_assert_ptr_null(injected.target.data);
	ck_assert_ptr_null(injected.body.data);
	ck_assert_uint_eq(pool.used_bytes, 0);
	/* No room. */
	pool.limit_bytes = 1024;
	request = request_of("/in.php", FORM, form + 1, key);
	ck_assert_int_eq(inject_key(&request, &pool, &out, &injected), ERR_BUFFERED_FULL);
	ck_assert_ptr_null(injected.body.data);
	buffer_fini(&pool, &out);
	buffer_pool_fini(&pool);
	free(form);
}
END_TEST

SUITE_MAIN("proxy/inject", test_queries, test_forms, test_json, test_multipart,
	   test_what_cannot_be_read, test_escapes, test_bounds)
