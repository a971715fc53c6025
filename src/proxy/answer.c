/* Knows the API's answers by their first bytes. */
#include "proxy/answer.h"

#include "base/metrics.h"

#include <ctype.h>
#include <string.h>

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
		at++;
	}
	return at;
}

/* The text of "request" in a JSON answer, as far as it is here; empty for a number or none. */
static struct span json_answer(struct span body)
{
	static const char name[] = "\"request\"";
	const char *end = body.data + body.len;
	const char *at = memmem(body.data, body.len, name, sizeof(name) - 1);
	const char *close;

	if (at == NULL) {
		return (struct span){0};
	}
	at = skip_blanks(at + sizeof(name) - 1, end);
	if (at < end && *at == ':') {
		at = skip_blanks(at + 1, end);
	}
	if (at >= end || *at != '"') {
		return (struct span){0};
	}
	at++;
	close = memchr(at, '"', (size_t)(end - at));
	return (struct span){at, (size_t)((close != NULL ? close : end) - at)};
}

static bool is_code(struct span text)
{
	size_t len = 0;

	while (len < text.len &&
	       (isupper((unsigned char)text.data[len]) || text.data[len] == '_')) {
		len++;
	}
	return len >= 3 && (len == text.len || text.data[len] == '|' || text.data[len] == '\n' ||
			    text.data[len] == '\r');
}

static struct span first_word(struct span text)
{
	size_t len = 0;

	while (len < text.len && text.data[len] != '|' && text.data[len] != '\r' &&
	       text.data[len] != '\n') {
		len++;
	}
	return (struct span){text.data, len};
}

unsigned answer_kind(unsigned status, struct span body)
{
	struct span text = {body.data, body.len < ANSWER_LOOK_BYTES ? body.len : ANSWER_LOOK_BYTES};

	if (status != 200) {
		return METRIC_ANSWER_HTTP_ERROR;
	}
	if (span_starts_with(text, SPAN("OK|"))) {
		return METRIC_ANSWER_OK;
	}
	if (span_starts_with(text, SPAN("CAPCHA_NOT_READY"))) {
		return METRIC_ANSWER_NOT_READY;
	}
	if (text.len > 0 && text.data[0] == '{') {
		text = json_answer(text);
	}
	if (!is_code(text)) {
		return METRIC_ANSWER_OK; /* a number, a token, a balance */
	}
	text = first_word(text);
	if (span_is(text, SPAN("CAPCHA_NOT_READY"))) {
		return METRIC_ANSWER_NOT_READY;
	}
	for (unsigned i = METRIC_ANSWER_NOT_READY + 1; i < METRIC_ANSWER_OTHER_ERROR; i++) {
		if (span_is(text, span_of(metric_label_ANSWER.value(i)))) {
			return i;
		}
	}
	return span_starts_with(text, SPAN("ERROR")) ? METRIC_ANSWER_OTHER_ERROR : METRIC_ANSWER_OK;
}
