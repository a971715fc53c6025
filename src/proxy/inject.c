/* Finds the places of a key in a request, and writes the request anew with the key in them. */
#include "proxy/inject.h"

#include "proxy/params.h"

#include <stddef.h>

enum {
	PLACES_MAX = 16,
	BODY_BYTES_MAX = 4 * 1024 * 1024, /* a JSON one costs up to a nanosecond a byte */
	ESCAPED_MOST = 3,                 /* bytes that one byte of the key becomes */
};

/* Where in one input the key belongs. */
struct search {
	struct param param;
	bool has_other; /* a value that is not for us to replace */
	unsigned count;
	struct param_value places[PLACES_MAX];
};

static bool holds_place(const struct param_value *value)
{
	struct span text = {value->text.bytes, value->text.len};

	if (value->match != PARAM_IS_OURS || value->text.is_cut) {
		return false;
	}
	if (value->spelling == PARAM_SPELLED_JSON_BARE) {
		return span_is(text, SPAN("null"));
	}
	return text.len == 0 || span_is(text, SPAN("-")) ||
	       span_is(text, SPAN("00000000000000000000000000000000"));
}

static void on_value(struct param *param, const struct param_value *value)
{
	struct search *search = CONTAINER_OF(param, struct search, param);

	if (!holds_place(value) || search->count == PLACES_MAX) {
		search->has_other = true;
		return;
	}
	search->places[search->count++] = *value;
}

static void search_init(struct search *search)
{
	search->param = PARAM("key");
	search->param.on_value = on_value;
	search->has_other = false;
	search->count = 0;
}

/* A body that is not of a type that holds parameters is of no account. */
static void search_body(struct search *search, const struct inject_request *request)
{
	if (request->body.len == 0 || request->has_content_encoding ||
	    !params_can_read_type(request->content_type)) {
		return;
	}
	if (request->body.len > BODY_BYTES_MAX) {
		param_set_unread(&search->param);
		return;
	}
	params_read_body(&search->param, request->content_type, request->body);
}

static bool is_settled(const struct search *search)
{
	return search->has_other || search->param.is_unread;
}

static void put(struct buffer *out, struct span text)
{
	if (text.len > 0) {
		buffer_append(out, text.data, text.len);
	}
}

/* RFC 3986 section 2.3; all else is percent-encoded. */
static bool is_unreserved(char c)
{
	char lower = (char)(c | 0x20);

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

static void put_percent_encoded(struct buffer *out, struct span key)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < key.len; i++) {
		unsigned char byte = (unsigned char)key.data[i];
		char encoded[] = {'%', digits[byte >> 4], digits[byte & 15]};

		put(out, is_unreserved(key.data[i]) ? (struct span){key.data + i, 1}
						    : (struct span){encoded, sizeof(encoded)});
	}
}

static void put_json_escaped(struct buffer *out, struct span key)
{
	for (size_t i = 0; i < key.len; i++) {
		if (key.data[i] == '"' || key.data[i] == '\\') {
			put(out, SPAN("\\"));
		}
		put(out, (struct span){key.data + i, 1});
	}
}

static void put_key(struct buffer *out, enum param_spelling spelling, struct span key)
{
	switch (spelling) {
	case PARAM_SPELLED_FORM_BARE:
		put(out, SPAN("="));
		put_percent_encoded(out, key);
		break;
	case PARAM_SPELLED_FORM:
		put_percent_encoded(out, key);
		break;
	case PARAM_SPELLED_PART:
		put(out, key);
		break;
	case PARAM_SPELLED_JSON:
		put_json_escaped(out, key);
		break;
	case PARAM_SPELLED_JSON_BARE:
		put(out, SPAN("\""));
		put_json_escaped(out, key);
		put(out, SPAN("\""));
		break;
	}
}

/* At most so many more bytes than the input has. */
static size_t growth(const struct search *search, struct span key)
{
	return search->count * (key.len * ESCAPED_MOST + sizeof("\"\""));
}

static void rewrite(struct buffer *out, const struct search *search, struct span input,
		    struct span key)
{
	const char *at = input.data;

	for (unsigned i = 0; i < search->count; i++) {
		const struct param_value *place = &search->places[i];

		put(out, (struct span){at, (size_t)(place->raw.data - at)});
		put_key(out, place->spelling, key);
		at = place->raw.data + place->raw.len;
	}
	put(out, (struct span){at, (size_t)(input.data + input.len - at)});
}

/* The span of what was written from there on. */
static struct span written_from(const struct buffer *out, size_t at)
{
	return (struct span){out->data + at, out->len_bytes - at};
}

static struct span path_of(const struct inject_request *request)
{
	struct span path = request->target;

	/* An empty query may have its "?" or not. */
	path.len -= request->query.len;
	if (path.len > 0 && path.data[path.len - 1] == '?') {
		path.len--;
	}
	return path;
}

/* The target with the key in its places, or with the key added. */
static void write_target(struct buffer *out, const struct inject_request *request,
			 const struct search *search, struct injected *injected)
{
	size_t query_at;

	put(out, path_of(request));
	put(out, SPAN("?"));
	query_at = out->len_bytes;
	if (search->count == 0) {
		put(out, SPAN("key="));
		put_percent_encoded(out, request->key);
		put(out, request->query.len > 0 ? SPAN("&") : SPAN(""));
	}
	rewrite(out, search, request->query, request->key);
	injected->target = written_from(out, 0);
	injected->query = written_from(out, query_at);
}

enum err inject_key(const struct inject_request *request, struct buffer_pool *pool,
		    struct buffer *out, struct injected *ret_injected)
{
	struct search query;
	struct search body;
	size_t room = 0;
	bool changes_target;
	enum err err;

	*ret_injected = (struct injected){0};
	search_init(&query);
	params_read_form(&query.param, request->query);
	if (is_settled(&query)) {
		return ERR_NONE;
	}
	search_init(&body);
	search_body(&body, request);
	if (is_settled(&body)) {
		return ERR_NONE;
	}
	changes_target = query.count > 0 || body.count == 0;
	if (changes_target) {
		room = request->target.len + sizeof("?key=&") + request->key.len * ESCAPED_MOST +
		       growth(&query, request->key);
	}
	if (body.count > 0) {
		room += request->body.len + growth(&body, request->key);
	}
	err = buffer_reserve(pool, out, room);
	if (err != ERR_NONE) {
		return err;
	}
	if (changes_target) {
		write_target(out, request, &query, ret_injected);
	}
	if (body.count > 0) {
		size_t body_at = out->len_bytes;

		rewrite(out, &body, request->body, request->key);
		ret_injected->body = written_from(out, body_at);
	}
	return ERR_NONE;
}
