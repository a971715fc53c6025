/* Decides which requests the admin interface takes. */
#include "admin/fence_rules.h"

#include "http/head.h"
#include "http/parser.h"
#include "proxy/access.h"

#include <ctype.h>
#include <string.h>

struct fence_refusal fence_refusal_of(enum err err)
{
	if (err == ERR_HEAD_TOO_LARGE || err == ERR_TARGET_TOO_LONG) {
		return (struct fence_refusal){
			431, "the request's head is larger than 8 KiB, or has more "
			     "than 64 headers"};
	}
	return (struct fence_refusal){err_status(err), err_text(err)};
}

/* Of an absolute URL its own; Host is then of no account (RFC 9112 section 3.2.2). Without one (HTTP/1.0) no browser asks. */
static bool is_for_us(const struct http_head *head, const struct http_target *target,
		      const struct access *access)
{
	const struct http_field *host = http_head_find(head, HTTP_FIELD_HOST);

	if (target->form == HTTP_TARGET_ABSOLUTE) {
		return access_allows_host(access, target->authority);
	}
	return host == NULL || access_allows_host(access, http_field_value(head, host));
}

static bool is_from_us(const struct http_head *head, const struct access *access)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (span_is_nocase(http_field_name(head, field), SPAN("Origin")) &&
		    !access_allows_origin(access, http_field_value(head, field))) {
			return false;
		}
	}
	return true;
}

static bool is_plain(struct span path)
{
	if (path.len == 0 || path.len > FENCE_PATH_BYTES || path.data[0] != '/') {
		return false;
	}
	for (size_t i = 0; i < path.len; i++) {
		unsigned char byte = (unsigned char)path.data[i];

		if (byte > 127 || !(isalnum(byte) || strchr("._~/-", byte) != NULL)) {
			return false;
		}
	}
	return true;
}

static struct fence_refusal refuse(int status, const char *text)
{
	return (struct fence_refusal){status, text};
}

static struct fence_refusal judge(const struct http_head *head, const struct http_target *target,
				  const struct access *access, bool is_allowed)
{
	struct span method = http_head_span(head, head->method);

	if (!is_allowed) {
		return refuse(403, "this address is not in admin.allow");
	}
	if (!is_for_us(head, target, access)) {
		return refuse(421,
			      "the Host header names none of ours; add the name to admin.hosts");
	}
	if (!is_from_us(head, access)) {
		return refuse(403,
			      "a web page of another site may not read this; if it is yours, add "
			      "its host to admin.hosts, or its address to admin.allow");
	}
	if (!span_is(method, SPAN("GET")) && !span_is(method, SPAN("HEAD"))) {
		return refuse(405, "only GET and HEAD are answered here");
	}
	if (target->form != HTTP_TARGET_ORIGIN && target->form != HTTP_TARGET_ABSOLUTE) {
		return refuse(400, "the request target is neither /path nor http://host/path");
	}
	if (head->field_count > FENCE_FIELDS) {
		return fence_refusal_of(ERR_HEAD_TOO_LARGE);
	}
	if (head->is_chunked || head->content_length > 0) {
		return refuse(413, "a request with a body is not taken here");
	}
	if (!is_plain(target->path)) {
		return refuse(404, "there is no such page");
	}
	return refuse(0, NULL);
}

bool fence_admits(const struct http_head *head, const struct access *access, bool is_allowed,
		  struct span *ret_path, struct fence_refusal *ret_refusal)
{
	struct http_target target = http_split_target(http_head_span(head, head->method),
						      http_head_span(head, head->target));
	struct fence_refusal refusal = judge(head, &target, access, is_allowed);

	if (refusal.status != 0) {
		*ret_refusal = refusal;
		return false;
	}
	*ret_path = target.path;
	return true;
}
