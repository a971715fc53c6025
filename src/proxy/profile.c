/* Knows what this API's requests and answers mean. */
#include "proxy/profile.h"

#include "base/macros.h"
#include "proxy/params.h"

#include <stddef.h>

enum {
	/* /res.php takes words, not images: what is larger is not read, and so repeated never. */
	ACTION_BODY_BYTES_MAX = 256 * 1024,
	/* An image of the API's limit in base64, and more. */
	JSON_BODY_BYTES_MAX = 2 * 1024 * 1024,
	ANSWER_BYTES_MAX = 4096,
	TASK_ID_DIGITS_MAX = 20,
};

static const char *const class_names[PROFILE_CLASS_COUNT] = {
	[PROFILE_SUBMIT] = "submit", [PROFILE_SOLVE] = "solve",   [PROFILE_POLL] = "poll",
	[PROFILE_READ] = "read",     [PROFILE_REPORT] = "report", [PROFILE_OTHER] = "other",
};

const char *profile_class_name(enum profile_class class)
{
	return class_names[class];
}

/* False when there is a body that must not or cannot be read; `param` is then as the query left it. */
static bool read_body(struct param *param, const struct profile_request *request, size_t bytes_max)
{
	if (request->body.len == 0) {
		return true;
	}
	if (request->has_content_encoding || request->body.len > bytes_max) {
		return false;
	}
	params_read_body(param, request->content_type, request->body);
	return true;
}

static enum profile_class classify_action(const struct profile_request *request)
{
	struct param action = PARAM("action");

	params_read_form(&action, request->query);
	if (!read_body(&action, request, ACTION_BODY_BYTES_MAX) || action.is_unclear) {
		return PROFILE_REPORT;
	}
	if (!action.is_found) {
		return PROFILE_READ;
	}
	if (param_is(&action, SPAN("get"))) {
		return PROFILE_POLL;
	}
	if (param_is(&action, SPAN("getbalance")) || param_is(&action, SPAN("threadsinfo"))) {
		return PROFILE_READ;
	}
	return PROFILE_REPORT;
}

enum profile_class profile_classify(const struct profile_request *request)
{
	if (span_is(request->path, SPAN("/res.php"))) {
		return classify_action(request);
	}
	if (span_is(request->path, SPAN("/in.php"))) {
		return PROFILE_SUBMIT;
	}
	if (span_is(request->path, SPAN("/solve.php"))) {
		return PROFILE_SOLVE;
	}
	return PROFILE_OTHER;
}

struct word {
	size_t len;
	char bytes[8];
};

/* The paying paths with and without their suffix, which servers can be told to add. */
static bool is_paying_word(const struct word *word)
{
	struct span text = {word->bytes, word->len};

	return span_is(text, SPAN("in")) || span_is(text, SPAN("solve"));
}

/* Adds a letter or digit to the word; true when the byte ends a word that pays. */
static bool ends_paying_word(struct word *word, char byte)
{
	char lower = (char)(byte | 0x20);
	bool is_digit = byte >= '0' && byte <= '9';
	bool pays;

	if (is_digit || (lower >= 'a' && lower <= 'z')) {
		if (word->len < sizeof(word->bytes)) {
			word->bytes[word->len++] = lower;
		}
		return false;
	}
	pays = is_paying_word(word);
	word->len = 0;
	return pays;
}

bool profile_may_pay(struct span path)
{
	struct word word = {0};

	if (path.len == 0) {
		return true;
	}
	while (path.len > 0) {
		char byte = param_take_byte(&path);

		/* A % that is left is malformed or encoded twice; what is not ASCII may be folded into it. */
		if (byte < ' ' || byte > '~' || byte == '%' || ends_paying_word(&word, byte)) {
			return true;
		}
	}
	return is_paying_word(&word);
}

bool profile_wants_json(const struct profile_request *request)
{
	struct param in_query = PARAM("json");
	struct param in_body = PARAM("json");

	params_read_form(&in_query, request->query);
	if (param_is(&in_query, SPAN("1"))) {
		return true;
	}
	return read_body(&in_body, request, JSON_BODY_BYTES_MAX) && param_is(&in_body, SPAN("1"));
}

static bool is_task_id(struct span text)
{
	if (text.len == 0 || text.len > TASK_ID_DIGITS_MAX) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9') {
			return false;
		}
	}
	return true;
}

static struct span find_answer(struct span body)
{
	struct param status = PARAM("status");
	struct param answer = PARAM("request");

	if (span_starts_with(body, SPAN("OK|"))) {
		return (struct span){body.data + 3, body.len - 3};
	}
	params_read_json(&status, body);
	params_read_json(&answer, body);
	if (!param_is(&status, SPAN("1")) || answer.is_unclear) {
		return (struct span){0};
	}
	return answer.raw;
}

struct span profile_task_id(struct span response_body)
{
	struct span body = response_body;
	struct span id;

	while (body.len > 0 &&
	       (body.data[body.len - 1] == '\n' || body.data[body.len - 1] == '\r')) {
		body.len--;
	}
	if (body.len == 0 || body.len > ANSWER_BYTES_MAX) {
		return (struct span){0};
	}
	id = find_answer(body);
	return is_task_id(id) ? id : (struct span){0};
}
