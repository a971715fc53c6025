/*
 * The class of a request from any path, query, type and body: no crash; the class hangs on what a query says and not on
 * how it is spelled; a report is never taken for something that may be repeated, whatever stands beside it. Input: four
 * parts, each ended by a NUL (the last by the end).
 */
#include "fuzz.h"
#include "proxy/params.h"
#include "proxy/profile.h"

#include <string.h>

static struct span next_part(const char **at, const char *end)
{
	const char *stop = memchr(*at, '\0', (size_t)(end - *at));
	struct span part;

	if (stop == NULL) {
		stop = end;
	}
	part = (struct span){*at, (size_t)(stop - *at)};
	*at = stop < end ? stop + 1 : end;
	return part;
}

/* Writes a query with every byte of its names and values percent-encoded, which takes up to three times its length. */
static struct span respell(struct span query, char *out)
{
	static const char digits[] = "0123456789abcdef";
	struct span respelled = {out, 0};
	bool in_name = true;

	while (query.len > 0) {
		bool is_mark = query.data[0] == '&' || (query.data[0] == '=' && in_name);
		bool is_plus = query.data[0] == '+';
		unsigned char byte = (unsigned char)param_take_byte(&query);

		if (is_mark) {
			in_name = byte == '&';
			*out++ = (char)byte;
			continue;
		}
		byte = is_plus ? ' ' : byte;
		*out++ = '%';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	respelled.len = (size_t)(out - respelled.data);
	return respelled;
}

static void check_spelling(const struct profile_request *request, enum profile_class class)
{
	struct profile_request other = *request;
	char *spelled = malloc(request->query.len * 3 + 1);

	other.query = respell(request->query, spelled);
	fuzz_expect_none(profile_classify(&other) == class ? NULL
							   : "the spelling makes another class");
	free(spelled);
}

static void check_added_report(const struct profile_request *request)
{
	static const char report[] = "&action=reportbad";
	struct profile_request other = *request;
	char *query = malloc(request->query.len + sizeof(report));

	if (request->query.len > 0) {
		memcpy(query, request->query.data, request->query.len);
	}
	memcpy(query + request->query.len, report, sizeof(report));
	other.query = (struct span){query, request->query.len + sizeof(report) - 1};
	fuzz_expect_none(profile_classify(&other) == PROFILE_REPORT ? NULL
								    : "a report went unseen");
	free(query);
}

static void check_encoded(const struct profile_request *request)
{
	struct profile_request other = *request;

	other.has_content_encoding = true;
	fuzz_expect_none(profile_classify(&other) == PROFILE_REPORT || request->body.len == 0
				 ? NULL
				 : "a compressed body is read as plain");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *at = (const char *)bytes;
	const char *end = at + len;
	struct profile_request request = {.method = SPAN("POST")};
	enum profile_class class;

	request.path = next_part(&at, end);
	request.query = next_part(&at, end);
	request.content_type = next_part(&at, end);
	request.body = (struct span){at, (size_t)(end - at)};
	class = profile_classify(&request);
	if (class == PROFILE_POLL || class == PROFILE_READ || class == PROFILE_REPORT) {
		check_spelling(&request, class);
		check_added_report(&request);
		check_encoded(&request);
	}
	(void)profile_wants_json(&request);
	(void)profile_may_pay(request.path);
	(void)profile_task_id(request.body);
	return 0;
}
