/* Heads for the next hop: runs of forwarded lines are copied whole, our own lines are set among them. */
#include "http/serialize.h"

#include <assert.h>
#include <string.h>

/* Our own lines, spaces and a slash, beside what is copied. */
enum { OWN_BYTES = 160, DIGITS_MOST = 20 };

static char *put(char *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

static char *put_span(char *out, struct span span)
{
	return span.len > 0 ? put(out, span.data, span.len) : out;
}

static char *put_content_length(char *out, uint64_t value)
{
	char digits[DIGITS_MOST];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	out = put_span(out, SPAN("Content-Length: "));
	out = put(out, digits + at, sizeof(digits) - at);
	return put_span(out, SPAN("\r\n"));
}

/* The field lines but for hop-by-hop ones and those whose id is a bit of `dropped`. */
static char *put_forwarded(char *out, const struct http_head *head, uint32_t dropped)
{
	size_t lines_end = head->head_bytes - 2;
	size_t run_at = head->field_count > 0 ? head->fields[0].name_at : lines_end;

	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (!field->is_hop_by_hop && (dropped >> field->id & 1) == 0) {
			continue;
		}
		if (field->name_at > run_at) {
			out = put(out, head->base + run_at, field->name_at - run_at);
		}
		run_at = i + 1 < head->field_count ? field[1].name_at : lines_end;
	}
	return put(out, head->base + run_at, lines_end - run_at);
}

size_t http_request_out_bytes(const struct http_request_out *request)
{
	const struct http_head *head = request->head;
	size_t origin_bytes = request->target->origin.len;
	size_t longer = origin_bytes > head->target.len ? origin_bytes - head->target.len : 0;

	return head->head_bytes + longer + request->host.len + OWN_BYTES;
}

size_t http_write_request(const struct http_request_out *request, char *out)
{
	const struct http_head *head = request->head;
	uint32_t dropped =
		1u << HTTP_FIELD_HOST | 1u << HTTP_FIELD_CONTENT_LENGTH | 1u << HTTP_FIELD_EXPECT;
	char *at = out;

	if (request->drop_authorization) {
		dropped |= 1u << HTTP_FIELD_AUTHORIZATION;
	}
	at = put_span(at, http_head_span(head, head->method));
	at = put_span(at, request->target->needs_slash ? SPAN(" /") : SPAN(" "));
	at = put_span(at, request->target->origin);
	at = put_span(at, SPAN(" HTTP/1.1\r\nHost: "));
	at = put_span(at, request->host);
	at = put_span(at, SPAN("\r\n"));
	at = put_forwarded(at, head, dropped);
	at = put_span(at, head->version_minor == 0 ? SPAN("Via: 1.0 warmpool\r\n")
						   : SPAN("Via: 1.1 warmpool\r\n"));
	if (request->has_body) {
		at = put_content_length(at, request->body_bytes);
	}
	at = put_span(at, SPAN("\r\n"));
	return (size_t)(at - out);
}

size_t http_response_out_bytes(const struct http_response_out *response)
{
	return response->head->head_bytes + OWN_BYTES + response->extra.len;
}

static struct span connection_line(enum http_connection_note note)
{
	switch (note) {
	case HTTP_NOTE_CLOSE:
		return SPAN("Connection: close\r\n");
	case HTTP_NOTE_KEEP_ALIVE:
		return SPAN("Connection: keep-alive\r\n");
	case HTTP_NOTE_NONE:
		break;
	}
	return SPAN("");
}

size_t http_write_response(const struct http_response_out *response, char *out)
{
	const struct http_head *head = response->head;
	uint32_t dropped = response->keeps_length ? 0 : 1u << HTTP_FIELD_CONTENT_LENGTH;
	char status[] = {(char)('0' + head->status / 100), (char)('0' + head->status / 10 % 10),
			 (char)('0' + head->status % 10), ' '};
	char *at = out;

	assert(!response->keeps_length || !response->writes_length);
	at = put_span(at, SPAN("HTTP/1.1 "));
	at = put(at, status, sizeof(status));
	at = put_span(at, http_head_span(head, head->reason));
	at = put_span(at, SPAN("\r\n"));
	at = put_forwarded(at, head, dropped);
	if (response->writes_length) {
		at = put_content_length(at, response->body_bytes);
	}
	at = put_span(at, response->extra);
	at = put_span(at, connection_line(response->note));
	at = put_span(at, SPAN("\r\n"));
	return (size_t)(at - out);
}
