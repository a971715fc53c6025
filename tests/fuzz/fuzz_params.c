/*
 * The class of a request from any path, query, type and body: no crash, and a body that hides nothing readable is never
 * taken for one that may be repeated. Input: four parts, each ended by a NUL (the last by the end).
 */
#include "fuzz.h"
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
	(void)profile_wants_json(&request);
	(void)profile_may_pay(request.path);
	(void)profile_task_id(request.body);
	request.has_content_encoding = true;
	if (class == PROFILE_REPORT) {
		/* What cannot be read may not become more repeatable. */
		fuzz_expect_none(profile_classify(&request) == PROFILE_REPORT
					 ? NULL
					 : "an encoded body is read as plain");
	}
	return 0;
}
