/* proxy/params*.c: what is read, and what does not count as read. */
#include "base/macros.h"
#include "proxy/params.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In tables: the value that must be read, or one of these. */
static const char none[] = "(none)";
static const char unclear[] = "(unclear)";

struct row {
	const char *input;
	const char *expected;
};

static void check_param(const struct param *param, const char *expected, const char *input)
{
	if (expected == unclear) {
		ck_assert_msg(param->is_unclear, "read as clear: %s", input);
		return;
	}
	ck_assert_msg(!param->is_unclear, "unclear: %s", input);
	if (expected == none) {
		ck_assert_msg(!param->is_found, "found: %s", input);
		return;
	}
	ck_assert_msg(param_is(param, span_of(expected)), "not %s: %s", expected, input);
}

START_TEST(test_forms)
{
	static const struct row rows[] = {
		{"", none},
		{"key=abc", none},
		{"action=get", "get"},
		{"key=abc&action=get&id=7&json=1", "get"},
		{"&&action=get&", "get"},
		{"action", ""},
		{"action=", ""},
		{"action=get&action=get", "get"},
		{"action=get&action=report", unclear},
		{"action=get&action", unclear},
		{"%61ction=get", "get"},
		{"%61%63%74%69%6F%6e=get", "get"},
		{"action=g%65t", "get"},
		{"action=+get", " get"},
		{"action=g%zzt", "g%zzt"},
		{"action=get%", "get%"},
		{"action=get%6", "get%6"},
		{"action=get;action=report", "get;action=report"},
		{"id=1;action=get", none},
		{"action%3Dget", none},
		{"actions=get", none},
		{"action.x=get", none},
		{"actio=get", none},
		{"a=1&ac=2&%61=3&+=4", none},
		{"body=action=get", none},
		{"Action=get", unclear},
		{"ACTION=get&action=get", unclear},
		{"+action=get", unclear},
		{"%20%20action=get", unclear},
		{"action+=get", unclear},
		{"action[]=get", unclear},
		{"action%5B0%5D=get", unclear},
		{"action%00x=get", unclear},
		{"%2561ction=get", none},
		{"action=reportbadreportbadreportbadreport", unclear},
		{"action=reportbadreportbadreportbadrepor", "reportbadreportbadreportbadrepor"},
		{"                              action=get", unclear},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=get", none},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct param param = PARAM("action");

		params_read_form(&param, span_of(rows[i].input));
		check_param(&param, rows[i].expected, rows[i].input);
	}
}
END_TEST

START_TEST(test_a_nul_makes_another_value)
{
	struct param param = PARAM("action");

	params_read_form(&param, SPAN("action=get%00"));
	ck_assert(param.is_found && !param_is(&param, SPAN("get")));
	params_read_form(&param, SPAN("action=get"));
	ck_assert(param.is_unclear);
}
END_TEST

START_TEST(test_too_many_fields_are_unclear)
{
	enum { BYTES = PARAM_FIELDS_MAX * 2 };
	struct param param = PARAM("action");
	char form[BYTES + 2];

	for (size_t i = 0; i < sizeof(form); i += 2) {
		form[i] = 'x';
		form[i + 1] = '&';
	}
	params_read_form(&param, (struct span){form, BYTES});
	check_param(&param, none, "the most fields");
	params_read_form(&param, (struct span){form, BYTES + 1});
	check_param(&param, unclear, "one field more");
}
END_TEST

START_TEST(test_inputs_add_up)
{
	struct param param = PARAM("action");

	params_read_form(&param, SPAN("action=get"));
	params_read_json(&param, SPAN("{\"action\":\"get\"}"));
	check_param(&param, "get", "query and body agree");
	params_read_json(&param, SPAN("{\"action\":\"getbalance\"}"));
	check_param(&param, unclear, "query and body differ");
	ck_assert(!param_is(&param, SPAN("get")));
}
END_TEST

START_TEST(test_json)
{
	static const struct row rows[] = {
		{"{}", none},
		{" {\r\n\t} ", none},
		{"{\"key\":\"abc\",\"id\":[1,2,{\"action\":\"x\"}],\"o\":{\"action\":1}}", none},
		{"{\"action\":\"get\"}", "get"},
		{"{ \"id\" : -1.5e+3 , \"action\" : \"get\" }\n", "get"},
		{"{\"\\u0061ct\\u0069on\":\"g\\u0065t\"}", "get"},
		{"{\"action\":\"a\\/b\\\\\\\"\\b\\f\\n\\r\\t\"}", "a/b\\\"\b\f\n\r\t"},
		{"{\"action\":\"get\",\"action\":\"get\"}", "get"},
		{"{\"action\":\"get\",\"action\":\"report\"}", unclear},
		{"{\"action\":1}", "1"},
		{"{\"action\":0}", "0"},
		{"{\"action\":1.0}", "1.0"},
		{"{\"action\":true}", "true"},
		{"{\"action\":null}", "null"},
		{"{\"action\":\"\"}", ""},
		{"{\"action\":[\"get\"]}", unclear},
		{"{\"action\":{}}", unclear},
		{"{\"Action\":\"get\"}", unclear},
		{"{\"action\\u0000\":\"get\"}", unclear},
		{"{\"action \":\"get\"}", unclear},
		{"{\"actio\\u00f1\":\"get\"}", none},
		{"{\"\\ud83d\\ude00\":\"get\"}", none},
		{"", unclear},
		{"null", unclear},
		{"[]", unclear},
		{"\"action\"", unclear},
		{"{", unclear},
		{"{\"action\":\"get\"", unclear},
		{"{\"action\":\"get\"}}", unclear},
		{"{\"action\":\"get\"} x", unclear},
		{"{\"action\":\"get\",}", unclear},
		{"{,\"action\":\"get\"}", unclear},
		{"{\"action\" \"get\"}", unclear},
		{"{\"action\":}", unclear},
		{"{\"action\"}", unclear},
		{"{action:\"get\"}", unclear},
		{"{'action':'get'}", unclear},
		{"{\"action\":get}", unclear},
		{"{\"action\":\"get}", unclear},
		{"{\"action\":\"get\\", unclear},
		{"{\"action\":\"get\\u00", unclear},
		{"{\"action\":\"g\\et\"}", unclear},
		{"{\"action\":\"g\\u00x5t\"}", unclear},
		{"{\"action\":\"g\tet\"}", unclear},
		{"{\"a\":01}", unclear},
		{"{\"a\":+1}", unclear},
		{"{\"a\":1.}", unclear},
		{"{\"a\":.5}", unclear},
		{"{\"a\":1e}", unclear},
		{"{\"a\":-}", unclear},
		{"{\"a\":- 1}", unclear},
		{"{\"a\":NaN}", unclear},
		{"{\"a\":truex}", unclear},
		{"{\"a\":[1,]}", unclear},
		{"{\"a\":[1 2]}", unclear},
		{"{\"a\":[1}", unclear},
		{"{\"a\":/**/1}", unclear},
		{"\xef\xbb\xbf{}", unclear},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct param param = PARAM("action");

		params_read_json(&param, span_of(rows[i].input));
		check_param(&param, rows[i].expected, rows[i].input);
	}
}
END_TEST

static void write_nested(char *out, unsigned depth)
{
	out += sprintf(out, "{\"a\":");
	for (unsigned i = 0; i < depth; i++) {
		*out++ = '[';
	}
	for (unsigned i = 0; i < depth; i++) {
		*out++ = ']';
	}
	sprintf(out, "}");
}

START_TEST(test_json_depth_is_bounded)
{
	char text[PARAM_JSON_DEPTH_MAX * 2 + 16];
	struct param shallow = PARAM("action");
	struct param deep = PARAM("action");
	char *brackets = malloc(1000000);

	write_nested(text, PARAM_JSON_DEPTH_MAX - 1);
	params_read_json(&shallow, span_of(text));
	check_param(&shallow, none, text);
	write_nested(text, PARAM_JSON_DEPTH_MAX);
	params_read_json(&deep, span_of(text));
	check_param(&deep, unclear, text);
	memset(brackets, '[', 1000000);
	params_read_json(&deep, (struct span){brackets, 1000000});
	free(brackets);
}
END_TEST

#define FIELD(name, value) "Content-Disposition: form-data; name=" name "\r\n\r\n" value "\r\n"
#define END_OF_B           "--b--\r\n"

START_TEST(test_multipart)
{
	static const struct row rows[] = {
		{"--b\r\n" FIELD("\"action\"", "get") END_OF_B, "get"},
		{"--b\r\n" FIELD("\"key\"", "abc") "--b\r\n" FIELD("\"action\"", "get") END_OF_B,
		 "get"},
		{"--b\r\n" FIELD("\"action\"", "get") "--b\r\n" FIELD("\"action\"", "x") END_OF_B,
		 unclear},
		{"--b\r\n" FIELD("action", "get") END_OF_B, "get"},
		{"--b\r\n" FIELD("\"key\"", "abc") END_OF_B, none},
		{"--b\r\n" FIELD("\"action\"", "") END_OF_B, ""},
		{"--b\r\n" FIELD("\"action\"", " get") END_OF_B, " get"},
		{"--b\r\n" FIELD("\"action\"", "a\r\nb\r\n") END_OF_B, "a\r\nb\r\n"},
		{"--b\r\n" FIELD("\"key\"", "\r\n--action=get") END_OF_B, none},
		{"--b \t\r\n" FIELD("\"action\"", "get") "--b-- \r\n", "get"},
		{"--b\r\n" FIELD("\"action\"", "get") "--b--", "get"},
		{"--b--\r\n", none},
		{"--b\r\ncontent-disposition:form-data;name=\"action\"\r\n\r\nget\r\n--b--\r\n",
		 "get"},
		{"--b\r\nContent-Type: text/plain; charset=utf-8\r\nCONTENT-DISPOSITION: Form-Data ; "
		 "name=\"action\" ;\r\n\r\nget\r\n--b--\r\n",
		 "get"},
		{"--b\r\n" FIELD("\"file\"; filename=\"C:\\x.png\"", "\x89PNG\r\n\x1a\n") END_OF_B,
		 none},
		{"--b\r\n" FIELD("\"file\"; filename=\"a;name=action\"", "1") END_OF_B, none},
		{"--b\r\n" FIELD("\"f\"; filename*=utf-8''%e2%82%ac", "1") END_OF_B, none},
		{"--b\r\n" FIELD("\"action\"; filename=\"x\"", "get") END_OF_B, "get"},
		{"--b\r\n" FIELD("\"Action\"", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("\"action[]\"", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("\"act\\ion\"", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("\"key\"; name=\"action\"", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("\"key\"; name*=utf-8''action", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("\"action", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("\"action\" x", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("", "get") END_OF_B, unclear},
		{"--b\r\n" FIELD("a\"b\"", "get") END_OF_B, unclear},
		{"--b\r\nContent-Disposition: form-data\r\n\r\nget\r\n" END_OF_B, unclear},
		{"--b\r\nContent-Disposition: file; name=\"a\"\r\n\r\nget\r\n" END_OF_B, unclear},
		{"--b\r\nContent-Type: text/plain\r\n\r\nget\r\n" END_OF_B, unclear},
		{"--b\r\n\r\nget\r\n" END_OF_B, unclear},
		{"--b\r\nno colon\r\n" FIELD("\"a\"", "get") END_OF_B, unclear},
		{"--b\r\nX : y\r\n" FIELD("\"a\"", "get") END_OF_B, unclear},
		{"--b\r\nX: y\r\n folded\r\n" FIELD("\"a\"", "get") END_OF_B, unclear},
		{"--b\r\nX: y\n" FIELD("\"a\"", "get") END_OF_B, unclear},
		{"--b\r\nX: \ry\r\n" FIELD("\"a\"", "get") END_OF_B, unclear},
		{"--b\r\nContent-Disposition: form-data; name=\"k\"\r\n" FIELD("\"a\"", "get")
			 END_OF_B,
		 unclear},
		{"--b\r\n" FIELD("\"action\"", "get"), unclear},
		{"--b\r\n" FIELD("\"action\"", "get") "--b", unclear},
		{"--b\r\n" FIELD("\"action\"", "get") "--b-", unclear},
		{"--b\r\n" FIELD("\"action\"", "get") "--bc\r\n" END_OF_B, unclear},
		{"--b\r\n" FIELD("\"action\"", "get") "--b--\r\nepilogue", unclear},
		{"preamble\r\n--b\r\n" FIELD("\"action\"", "get") END_OF_B, unclear},
		{"--b\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\n--b--\r\n",
		 unclear},
		{"--b\n", unclear},
		{"--b\r\n", unclear},
		{"--b", unclear},
		{"--", unclear},
		{"action=get", unclear},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct param param = PARAM("action");

		params_read_multipart(&param, SPAN("; boundary=b"), span_of(rows[i].input));
		check_param(&param, rows[i].expected, rows[i].input);
	}
}
END_TEST

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

START_TEST(test_boundaries)
{
	static const struct {
		const char *type;
		const char *boundary; /* NULL: the type is malformed */
	} rows[] = {
		{"multipart/form-data; boundary=b", "b"},
		{"Multipart/Form-Data;charset=utf-8 ; Boundary=\"b\" ;", "b"},
		{"multipart/form-data; boundary=\"a b;=\"", "a b;="},
		{"multipart/form-data; boundary=----WebKit'()+_./:=?", "----WebKit'()+_./:=?"},
		{"multipart/form-data; boundary=" SEVENTY, SEVENTY},
		{"multipart/form-data; boundary=" SEVENTY "x", NULL},
		{"multipart/form-data", NULL},
		{"multipart/form-data;", NULL},
		{"multipart/form-data; boundary", NULL},
		{"multipart/form-data; boundary=", NULL},
		{"multipart/form-data; boundary=\"\"", NULL},
		{"multipart/form-data; boundary=\"b", NULL},
		{"multipart/form-data; boundary=\"b\\", NULL},
		{"multipart/form-data; boundary=\"\\b\"", NULL},
		{"multipart/form-data; boundary=\"b \"", NULL},
		{"multipart/form-data; boundary=b,c", NULL},
		{"multipart/form-data; boundary=b c", NULL},
		{"multipart/form-data; boundary=b; boundary=b", NULL},
		{"multipart/form-data; boundary*=b", NULL},
		{"multipart/mixed; boundary=b", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *boundary = rows[i].boundary != NULL ? rows[i].boundary : "b";
		struct param param = PARAM("action");
		char body[512];

		snprintf(body, sizeof(body), "--%s\r\n" FIELD("action", "get") "--%s--\r\n",
			 boundary, boundary);
		params_read_body(&param, span_of(rows[i].type), span_of(body));
		check_param(&param, rows[i].boundary != NULL ? "get" : unclear, rows[i].type);
	}
}
END_TEST

START_TEST(test_bodies_by_type)
{
	static const struct {
		const char *type;
		const char *body;
		const char *expected;
	} rows[] = {
		{"application/x-www-form-urlencoded", "action=get", "get"},
		{"APPLICATION/X-WWW-Form-Urlencoded ; charset=UTF-8", "action=get", "get"},
		{"application/json", "{\"action\":\"get\"}", "get"},
		{"application/json; charset=utf-8", "{\"action\":\"get\"}", "get"},
		{"application/json", "action=get", unclear},
		{"", "action=get", unclear},
		{"text/plain", "action=get", unclear},
		{"application/jsonx", "{}", unclear},
		{"; application/json", "{}", unclear},
		{"", "", none},
		{"text/plain", "", none},
		{"application/json", "", none},
		{"multipart/form-data", "", none},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct param param = PARAM("action");

		params_read_body(&param, span_of(rows[i].type), span_of(rows[i].body));
		check_param(&param, rows[i].expected, rows[i].type);
	}
}
END_TEST

/* Every prefix of a message is read within its bounds (under ASan), and only the whole one counts as read. */
START_TEST(test_every_prefix_is_unclear)
{
	static const char json[] = "{\"a\":[1.5e1,true,\"\\u0061\\n\"],\"action\":\"get\"}";
	static const char form[] = "--b\r\n" FIELD("\"f\"; filename=\"\\\"\"", "1") "--b\r\n" FIELD(
		"\"action\"", "get") "--b--";

	for (size_t len = 0; len < sizeof(json); len++) {
		struct param param = PARAM("action");
		char *copy = malloc(len + 1);

		memcpy(copy, json, len);
		copy = realloc(copy, len > 0 ? len : 1);
		params_read_json(&param, (struct span){copy, len});
		ck_assert_int_eq(param.is_unclear, len < sizeof(json) - 1);
		free(copy);
	}
	for (size_t len = 0; len < sizeof(form); len++) {
		struct param param = PARAM("action");
		char *copy = malloc(len + 1);

		memcpy(copy, form, len);
		copy = realloc(copy, len > 0 ? len : 1);
		params_read_multipart(&param, SPAN("; boundary=b"), (struct span){copy, len});
		ck_assert_int_eq(param.is_unclear, len < sizeof(form) - 1);
		free(copy);
	}
}
END_TEST

SUITE_MAIN("proxy/params", test_forms, test_a_nul_makes_another_value,
	   test_too_many_fields_are_unclear, test_inputs_add_up, test_json,
	   test_json_depth_is_bounded, test_multipart, test_boundaries, test_bodies_by_type,
	   test_every_prefix_is_unclear)
