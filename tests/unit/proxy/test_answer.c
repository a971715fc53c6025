/* proxy/answer.c: what the API's answers are counted as. */
#include "base/metrics.h"
#include "proxy/answer.h"
#include "suite.h"

#include <stddef.h>

START_TEST(test_kinds_of_answers)
{
	static const struct {
		unsigned status;
		const char *body;
		unsigned kind;
	} rows[] = {
		{200, "OK|73548291", METRIC_ANSWER_OK},
		{200, "OK|ERROR_NOT_A_CODE", METRIC_ANSWER_OK},
		{200, "CAPCHA_NOT_READY", METRIC_ANSWER_NOT_READY},
		{200, "CAPCHA_NOT_READY\r\n", METRIC_ANSWER_NOT_READY},
		{200, "ERROR_ZERO_BALANCE", METRIC_ANSWER_ZERO_BALANCE},
		{200, "ERROR_ZERO_BALANCE|more", METRIC_ANSWER_ZERO_BALANCE},
		{200, "ERROR_ZERO_BALANCES", METRIC_ANSWER_OTHER_ERROR},
		{200, "IP_BANNED", METRIC_ANSWER_IP_BANNED},
		{200, "ERROR_IP_BANNED", METRIC_ANSWER_ERROR_IP_BANNED},
		{200, "MAX_USER_TURN", METRIC_ANSWER_MAX_USER_TURN},
		{200, "1.234", METRIC_ANSWER_OK},
		{200, "", METRIC_ANSWER_OK},
		{200, "AB", METRIC_ANSWER_OK},
		{200, "ABCDEF", METRIC_ANSWER_OK},
		{200, "{\"status\":1,\"request\":\"73548291\"}", METRIC_ANSWER_OK},
		{200, "{\"status\":1,\"request\":73548291}", METRIC_ANSWER_OK},
		{200, "{\"status\": 0, \"request\" : \"CAPCHA_NOT_READY\"}",
		 METRIC_ANSWER_NOT_READY},
		{200, "{\"request\":\"ERROR_WRONG_USER_KEY\",\"status\":0}",
		 METRIC_ANSWER_WRONG_USER_KEY},
		{200, "{\"status\":0,\"request\":\"ERROR_OF_TOMORROW\"}",
		 METRIC_ANSWER_OTHER_ERROR},
		{200, "{\"status\":0,\"request\":\"ERROR_ZERO_BAL", METRIC_ANSWER_OTHER_ERROR},
		{200, "{\"request\"", METRIC_ANSWER_OK},
		{200, "{\"request\":", METRIC_ANSWER_OK},
		{200, "{\"request\":\"", METRIC_ANSWER_OK},
		{200, "<html>", METRIC_ANSWER_OK},
		{429, "ERROR_ZERO_BALANCE", METRIC_ANSWER_HTTP_ERROR},
		{503, "", METRIC_ANSWER_HTTP_ERROR},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned kind = answer_kind(rows[i].status, span_of(rows[i].body));

		ck_assert_msg(kind == rows[i].kind, "row %zu (%s): %u", i, rows[i].body, kind);
	}
	ck_assert_uint_eq(answer_kind(200, (struct span){0}), METRIC_ANSWER_OK);
}
END_TEST

SUITE_MAIN("proxy/answer", test_kinds_of_answers)
