/* proxy/profile.c: the classes of requests, paths that may pay, the shape asked for, task ids. */
#include "base/macros.h"
#include "proxy/profile.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#define FORM_TYPE "application/x-www-form-urlencoded"
#define JSON_TYPE "application/json"

START_TEST(test_classes_by_path_and_action)
{
	static const struct {
		const char *path;
		const char *query;
		enum profile_class class;
	} rows[] = {
		{"/in.php", "", PROFILE_SUBMIT},
		{"/in.php", "action=get", PROFILE_SUBMIT},
		{"/solve.php", "key=1", PROFILE_SOLVE},
		{"/res.php", "key=1&action=get&id=2", PROFILE_POLL},
		{"/res.php", "key=1&action=get&ids=2,3&json=1", PROFILE_POLL},
		{"/res.php", "action=getbalance", PROFILE_READ},
		{"/res.php", "action=threadsinfo&key=1", PROFILE_READ},
		{"/res.php", "key=1", PROFILE_READ},
		{"/res.php", "", PROFILE_READ},
		{"/res.php", "action=reportgood", PROFILE_REPORT},
		{"/res.php", "action=reportbad&id=1", PROFILE_REPORT},
		{"/res.php", "action=GET", PROFILE_REPORT},
		{"/res.php", "action=get2", PROFILE_REPORT},
		{"/res.php", "action=", PROFILE_REPORT},
		{"/res.php", "action", PROFILE_REPORT},
		{"/res.php", "action=get&action=reportbad", PROFILE_REPORT},
		{"/res.php", "action=get&action=getbalance", PROFILE_REPORT},
		{"/res.php", "action[]=get", PROFILE_REPORT},
		{"/res.php", "%61ction=report%62ad", PROFILE_REPORT},
		{"/", "", PROFILE_OTHER},
		{"", "", PROFILE_OTHER},
		{"*", "", PROFILE_OTHER},
		{"/in.php/", "", PROFILE_OTHER},
		{"/IN.PHP", "", PROFILE_OTHER},
		{"//in.php", "", PROFILE_OTHER},
		{"/%69n.php", "", PROFILE_OTHER},
		{"%2Fin.php", "", PROFILE_OTHER},
		{"/in.ph", "", PROFILE_OTHER},
		{"/Res.php", "action=get", PROFILE_OTHER},
		{"/res.php/", "action=get", PROFILE_OTHER},
	};
	static const char *const methods[] = {"GET", "POST", "HEAD", "PUT", "get"};

	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(methods); i++) {
		size_t row = i / ARRAY_SIZE(methods);
		struct profile_request request = {
			.method = span_of(methods[i % ARRAY_SIZE(methods)]),
			.path = span_of(rows[row].path),
			.query = span_of(rows[row].query),
		};

		ck_assert_msg(profile_classify(&request) == rows[row].class, "%s?%s",
			      rows[row].path, rows[row].query);
	}
}
END_TEST

START_TEST(test_actions_in_bodies)
{
	static const struct {
		const char *query;
		const char *type;
		const char *body;
		enum profile_class class;
	} rows[] = {
		{"", FORM_TYPE, "key=1&action=get&id=3", PROFILE_POLL},
		{"", JSON_TYPE, "{\"key\":\"1\",\"action\":\"get\",\"id\":3}", PROFILE_POLL},
		{"", JSON_TYPE, "{\"action\":\"reportbad\"}", PROFILE_REPORT},
		{"", JSON_TYPE, "{}", PROFILE_READ},
		{"", FORM_TYPE, "key=1", PROFILE_READ},
		{"", FORM_TYPE, "", PROFILE_READ},
		{"", "", "", PROFILE_READ},
		{"", "text/plain", "", PROFILE_READ},
		{"action=get", FORM_TYPE, "key=1", PROFILE_POLL},
		{"action=get", FORM_TYPE, "action=get", PROFILE_POLL},
		{"action=get", FORM_TYPE, "action=reportgood", PROFILE_REPORT},
		{"action=get", JSON_TYPE, "{\"action\":\"reportgood\"}", PROFILE_REPORT},
		{"action=get", JSON_TYPE, "{\"action\":", PROFILE_REPORT},
		{"action=get", JSON_TYPE, "action=get", PROFILE_REPORT},
		{"action=get", "", "key=1", PROFILE_REPORT},
		{"action=get", "text/plain", "key=1", PROFILE_REPORT},
		{"", "multipart/form-data; boundary=b",
		 "--b\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\nget\r\n--b--\r\n",
		 PROFILE_POLL},
		{"action=get", "multipart/form-data; boundary=b", "--b\r\n", PROFILE_REPORT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile_request request = {
			.method = SPAN("POST"),
			.path = SPAN("/res.php"),
			.query = span_of(rows[i].query),
			.content_type = span_of(rows[i].type),
			.body = span_of(rows[i].body),
		};

		ck_assert_msg(profile_classify(&request) == rows[i].class, "%s %s", rows[i].query,
			      rows[i].body);
		request.has_content_encoding = true;
		if (request.body.len > 0) {
			ck_assert_msg(profile_classify(&request) == PROFILE_REPORT,
				      "compressed: %s", rows[i].body);
		}
	}
}
END_TEST

START_TEST(test_a_large_body_on_res_is_not_read)
{
	enum { LIMIT = 256 * 1024 };
	char *body = calloc(1, LIMIT + 1);
	struct profile_request request = {
		.path = SPAN("/res.php"),
		.query = SPAN("action=get"),
		.content_type = SPAN(FORM_TYPE),
		.body = {body, LIMIT},
	};

	ck_assert_int_eq(profile_classify(&request), PROFILE_POLL);
	request.body.len++;
	ck_assert_int_eq(profile_classify(&request), PROFILE_REPORT);
	free(body);
}
END_TEST

START_TEST(test_paths_that_may_pay)
{
	static const char *const paying[] = {
		"",
		"//in.php",
		"/in.php/",
		"/in.php/x",
		"/IN.PHP",
		"/In.Php",
		"/./in.php",
		"/a/../in.php",
		"/in.php;v=1",
		"/in.php;",
		"%2Fin.php",
		"/%69n.php",
		"/in%2Ephp",
		"/in%2ephp%00",
		"/in",
		"/in/",
		"/in.php5",
		"\\in.php",
		"/solve",
		"/SOLVE.php",
		"//solve.php/",
		"/so%6cve.php",
		"/%2569n.php",
		"/in%",
		"/%zz",
		"/\xef\xbd\x89n.php",
		"/%c0%afin.php",
		"/a%00",
		"/a\tb",
		"in.php",
		"/in.php.",
		"/v1/in",
		"/in+.php",
		"/in_",
	};
	static const char *const harmless[] = {
		"/",       "/favicon.ico", "/login.php", "/index.php", "/inbox",         "/in2",
		"/solver", "/resolve",     "/RES.php",   "/res.php/",  "/status%20page", "/a+b",
		"*",       "/insolventin",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paying); i++) {
		ck_assert_msg(profile_may_pay(span_of(paying[i])), "%s", paying[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		ck_assert_msg(!profile_may_pay(span_of(harmless[i])), "%s", harmless[i]);
	}
}
END_TEST

START_TEST(test_who_wants_json)
{
	static const struct {
		const char *query;
		const char *type;
		const char *body;
		bool wants;
	} rows[] = {
		{"", "", "", false},
		{"key=1&json=1", "", "", true},
		{"json=0", "", "", false},
		{"json=10", "", "", false},
		{"xjson=1", "", "", false},
		{"json=1", "text/plain", "unreadable", true},
		{"", FORM_TYPE, "a=b&json=1", true},
		{"", JSON_TYPE, "{\"json\":1}", true},
		{"", JSON_TYPE, "{\"json\":\"1\"}", true},
		{"", JSON_TYPE, "{\"json\":0}", false},
		{"", JSON_TYPE, "{\"json\":1", false},
		{"", "text/plain", "json=1", false},
		{"", "multipart/form-data; boundary=b",
		 "--b\r\nContent-Disposition: form-data; name=json\r\n\r\n1\r\n--b--", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile_request request = {
			.path = SPAN("/in.php"),
			.query = span_of(rows[i].query),
			.content_type = span_of(rows[i].type),
			.body = span_of(rows[i].body),
		};

		ck_assert_msg(profile_wants_json(&request) == rows[i].wants, "%s %s", rows[i].query,
			      rows[i].body);
		request.has_content_encoding = true;
		if (request.query.len == 0) {
			ck_assert(!profile_wants_json(&request));
		}
	}
}
END_TEST

START_TEST(test_json_is_found_behind_an_image)
{
	static const char end[] = "&json=1";
	size_t len = (size_t)2 * 1024 * 1024;
	char *body = malloc(len + 1);
	struct profile_request request = {
		.path = SPAN("/in.php"),
		.content_type = SPAN(FORM_TYPE),
		.body = {body, len},
	};

	memset(body, 'A', len + 1);
	memcpy(body, "body=", 5);
	memcpy(body + len - strlen(end), end, strlen(end));
	ck_assert(profile_wants_json(&request));
	request.body.len = len + 1;
	ck_assert(!profile_wants_json(&request));
	free(body);
}
END_TEST

START_TEST(test_task_ids)
{
	static const struct {
		const char *body;
		const char *id;
	} rows[] = {
		{"OK|73548291", "73548291"},
		{"OK|73548291\r\n", "73548291"},
		{"OK|12345678901234567890", "12345678901234567890"},
		{"OK|123456789012345678901", ""},
		{"OK|", ""},
		{"OK", ""},
		{"OK|12a", ""},
		{"OK| 12", ""},
		{"OK|12|34", ""},
		{"ok|12", ""},
		{"ERROR_ZERO_BALANCE", ""},
		{"{\"status\":1,\"request\":\"73548291\"}", "73548291"},
		{"{\"status\":1,\"request\":73548291}", "73548291"},
		{"{ \"request\" : \"7\" , \"status\" : 1 }\n", "7"},
		{"{\"status\":0,\"request\":\"7\"}", ""},
		{"{\"request\":\"7\"}", ""},
		{"{\"status\":1}", ""},
		{"{\"status\":1,\"request\":\"ERROR_X\"}", ""},
		{"{\"status\":1,\"request\":\"7\",\"request\":\"8\"}", ""},
		{"{\"status\":1,\"request\":[7]}", ""},
		{"{\"status\":1,\"request\":-7}", ""},
		{"{\"status\":1,\"request\":7.5}", ""},
		{"{\"status\":1,\"request\":\"7\"", ""},
		{"", ""},
		{"<html>OK|12", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span id = profile_task_id(span_of(rows[i].body));

		ck_assert_msg(span_is(id, span_of(rows[i].id)), "%s", rows[i].body);
	}
}
END_TEST

START_TEST(test_classes_have_names)
{
	ck_assert_str_eq(profile_class_name(PROFILE_SUBMIT), "submit");
	ck_assert_str_eq(profile_class_name(PROFILE_SOLVE), "solve");
	ck_assert_str_eq(profile_class_name(PROFILE_POLL), "poll");
	ck_assert_str_eq(profile_class_name(PROFILE_READ), "read");
	ck_assert_str_eq(profile_class_name(PROFILE_REPORT), "report");
	ck_assert_str_eq(profile_class_name(PROFILE_OTHER), "other");
}
END_TEST

SUITE_MAIN("proxy/profile", test_classes_by_path_and_action, test_actions_in_bodies,
	   test_a_large_body_on_res_is_not_read, test_paths_that_may_pay, test_who_wants_json,
	   test_json_is_found_behind_an_image, test_task_ids, test_classes_have_names)
