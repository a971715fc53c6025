/*
 * The pool's key put into any query, type and body: nothing but values of `key` changes, and these all read as the key then; a
 * request with a real key, or with what may hide one, stays as it is; one without any never does. Input: four parts, each ended by
 * a NUL (the last by the end): key, query, type, body.
 */
#include "base/buffer.h"
#include "base/macros.h"
#include "config/config_key.h"
#include "fuzz.h"
#include "proxy/inject.h"
#include "proxy/params.h"

#include <string.h>

enum { PLACES_MAX = 64, QUERY_BYTES_MAX = 4000, POOL_BYTES = 64 << 20 };

/* What a reader finds under the name of the key in one input. */
struct found {
	struct param param;
	unsigned count; /* may be above PLACES_MAX */
	struct param_value places[PLACES_MAX];
};

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

static void on_value(struct param *param, const struct param_value *value)
{
	struct found *found = CONTAINER_OF(param, struct found, param);

	if (found->count < PLACES_MAX) {
		found->places[found->count] = *value;
	}
	found->count++;
}

static void find_in_query(struct found *found, struct span query)
{
	*found = (struct found){.param = PARAM("key")};
	found->param.on_value = on_value;
	params_read_form(&found->param, query);
}

static void find_in_body(struct found *found, struct span type, struct span body)
{
	*found = (struct found){.param = PARAM("key")};
	found->param.on_value = on_value;
	if (params_can_read_type(type)) {
		params_read_body(&found->param, type, body);
	}
}

/* The next byte of a value, with its escapes undone. */
static char take_byte(struct span *raw, enum param_spelling spelling)
{
	if (spelling == PARAM_SPELLED_FORM) {
		return param_take_byte(raw);
	}
	if (spelling == PARAM_SPELLED_JSON && raw->data[0] == '\\') {
		raw->data++;
		raw->len--;
	}
	raw->len--;
	return *raw->data++;
}

static bool reads_as(const struct param_value *value, struct span key)
{
	struct span raw = value->raw;

	for (size_t i = 0; i < key.len; i++) {
		if (raw.len == 0 || take_byte(&raw, value->spelling) != key.data[i]) {
			return false;
		}
	}
	return raw.len == 0 && value->match == PARAM_IS_OURS;
}

/* All of an input but its values of `key`, with what belongs to their spelling ("=", quotes). */
static size_t write_rest(const struct found *found, struct span input, char *out)
{
	const char *at = input.data;
	size_t len = 0;

	for (unsigned i = 0; i < found->count; i++) {
		enum param_spelling spelling = found->places[i].spelling;
		const char *from = found->places[i].raw.data;
		const char *to = from + found->places[i].raw.len;

		if (spelling == PARAM_SPELLED_FORM || spelling == PARAM_SPELLED_JSON) {
			from--;
		}
		if (spelling == PARAM_SPELLED_JSON) {
			to++;
		}
		memcpy(out + len, at, (size_t)(from - at));
		len += (size_t)(from - at);
		at = to;
	}
	memcpy(out + len, at, (size_t)(input.data + input.len - at));
	return len + (size_t)(input.data + input.len - at);
}

static void check_rest(const struct found *before, struct span old, const struct found *after,
		       struct span new)
{
	char *rest_before = malloc(old.len + 1);
	char *rest_after = malloc(new.len + 1);
	size_t len_before = write_rest(before, old, rest_before);
	size_t len_after = write_rest(after, new, rest_after);

	fuzz_expect_none(len_before == len_after && memcmp(rest_before, rest_after, len_after) == 0
				 ? NULL
				 : "something else changed");
	free(rest_before);
	free(rest_after);
}

static void check_places(const struct found *after, struct span key)
{
	fuzz_expect_none(after->param.is_unread ? "what was written does not parse" : NULL);
	fuzz_expect_none(after->count == 0 || after->count > PLACES_MAX ? "the key is nowhere"
									: NULL);
	for (unsigned i = 0; i < after->count; i++) {
		fuzz_expect_none(reads_as(&after->places[i], key) ? NULL : "reads as another key");
	}
}

static void check_query(const struct inject_request *request, const struct injected *injected,
			const struct found *before)
{
	struct found after;
	struct span old = request->query;
	struct span new = injected->query;

	fuzz_expect_none(
		new.data + new.len == injected->target.data +
						injected->target.len &&span_starts_with(
							injected->target, SPAN("/in.php?")) &&
				injected->target.len == new.len + strlen("/in.php?")
			? NULL
			: "the target is not path and query");
	find_in_query(&after, new);
	check_places(&after, request->key);
	if (before->count > 0) {
		fuzz_expect_none(after.count == before->count ? NULL : "another number of keys");
		check_rest(before, old, &after, new);
		return;
	}
	fuzz_expect_none(after.count == 1 ? NULL : "more than one key was added");
	fuzz_expect_none(new.len >= old.len && (old.len == 0 || memcmp(new.data + new.len - old.len,
								       old.data, old.len) == 0)
				 ? NULL
				 : "the old query is not in the new one");
}

static void check_body(const struct inject_request *request, const struct injected *injected,
		       const struct found *before)
{
	struct found after;

	find_in_body(&after, request->content_type, injected->body);
	check_places(&after, request->key);
	fuzz_expect_none(after.count == before->count ? NULL : "another number of keys");
	check_rest(before, request->body, &after, injected->body);
}

/* A value that is there for sure and is no place of a key: some byte of it is neither 0 nor -, and it is no null. */
static bool has_real_key(const struct found *found)
{
	const struct param *param = &found->param;
	struct span value = {param->value.bytes, param->value.len};

	if (!param->is_found || param->is_unclear || span_is(value, SPAN("null"))) {
		return false;
	}
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] != '0' && value.data[i] != '-') {
			return true;
		}
	}
	return false;
}

static void check(const struct inject_request *request, const struct injected *injected)
{
	struct found query;
	struct found body;
	bool is_changed = injected->target.data != NULL || injected->body.data != NULL;
	bool is_absent;

	find_in_query(&query, request->query);
	find_in_body(&body, request->content_type, request->body);
	is_absent = query.count == 0 && body.count == 0;
	fuzz_expect_none(is_changed && (has_real_key(&query) || has_real_key(&body))
				 ? "a real key was overridden"
				 : NULL);
	fuzz_expect_none(is_changed && (query.param.is_unread || body.param.is_unread)
				 ? "what may hold a key was changed"
				 : NULL);
	fuzz_expect_none(!is_changed && is_absent && !query.param.is_unread && !body.param.is_unread
				 ? "no key, and none was added"
				 : NULL);
	if (injected->target.data != NULL) {
		check_query(request, injected, &query);
	}
	if (injected->body.data != NULL) {
		check_body(request, injected, &body);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *at = (const char *)bytes;
	const char *end = at + len;
	struct inject_request request = {.key = next_part(&at, end)};
	struct span query = next_part(&at, end);
	struct buffer_pool pool;
	struct buffer out = {0};
	struct injected injected;
	char *target;

	if (config_key_fault(request.key) != NULL) {
		request.key = SPAN("0123456789abcdef0123456789abcdef");
	}
	query.len = MIN(query.len, (size_t)QUERY_BYTES_MAX);
	request.content_type = next_part(&at, end);
	request.body = (struct span){at, (size_t)(end - at)};
	target = malloc(query.len + sizeof("/in.php?"));
	memcpy(target, "/in.php?", strlen("/in.php?"));
	memcpy(target + strlen("/in.php?"), query.data, query.len);
	request.target = (struct span){target, strlen("/in.php?") + query.len};
	request.query = (struct span){target + strlen("/in.php?"), query.len};
	buffer_pool_init(&pool, POOL_BYTES);
	if (inject_key(&request, &pool, &out, &injected) == ERR_NONE) {
		check(&request, &injected);
	}
	buffer_fini(&pool, &out);
	buffer_pool_fini(&pool);
	free(target);
	return 0;
}
