/*
 * The head of an HTTP/1.1 message as spans into its bytes, and what its fields mean for framing and hops.
 *
 * Positions are offsets from the head's first byte, so that the buffer may move: set `base` after each move.
 * Written by http/parser.c only.
 */
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_FIELDS_MAX = 128 };

/* Fields that we act upon; all others are HTTP_FIELD_OTHER and pass unread. */
enum http_field_id {
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_CONTENT_LENGTH,
	HTTP_FIELD_CONTENT_TYPE,
	HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_EXPECT,
	HTTP_FIELD_KEEP_ALIVE,
	HTTP_FIELD_PROXY, /* any Proxy-* */
	HTTP_FIELD_TE,
	HTTP_FIELD_TRAILER,
	HTTP_FIELD_UPGRADE,
	HTTP_FIELD_HTTP2_SETTINGS,
	HTTP_FIELD_VIA,
	HTTP_FIELD_AUTHORIZATION,
	HTTP_FIELD_RETRY_AFTER,
	HTTP_FIELD_DATE,
};

struct http_field {
	uint32_t name_at; /* also where the line begins */
	uint32_t value_at;
	uint32_t value_len; /* without white space around it */
	uint16_t name_len;
	uint8_t id;         /* enum http_field_id */
	bool is_hop_by_hop; /* not to be forwarded: by its name, or named in Connection */
};

struct http_span {
	uint32_t at;
	uint32_t len;
};

struct http_head {
	const char *base;  /* borrowed: the head's first byte */
	size_t head_bytes; /* up to and with the empty line */

	/* Request line */
	struct http_span method;
	struct http_span target; /* as received: origin-form, absolute-form, "*" or authority */
	/* Status line */
	unsigned status;         /* 100 to 599 */
	struct http_span reason; /* len 0 when empty or missing */

	unsigned version_minor; /* 0 or 1: HTTP/1.0 or 1.1 (and later 1.x) */
	unsigned field_count;
	bool has_content_length;
	bool is_chunked;
	bool has_close;      /* Connection: close */
	bool has_keep_alive; /* Connection: keep-alive */
	bool has_expect; /* any Expect but a 100-continue in HTTP/1.0 (ignored, RFC 9110 section 10.1.1) */
	bool expects_continue;   /* Expect: 100-continue, nothing else */
	uint64_t content_length; /* at most INT64_MAX */
	uint32_t ids_seen;       /* bit n: a field with id n is there */
	struct http_field fields[HTTP_FIELDS_MAX];
};

static inline struct span http_head_span(const struct http_head *head, struct http_span span)
{
	return (struct span){head->base + span.at, span.len};
}

static inline struct span http_field_name(const struct http_head *head,
					  const struct http_field *field)
{
	return (struct span){head->base + field->name_at, field->name_len};
}

static inline struct span http_field_value(const struct http_head *head,
					   const struct http_field *field)
{
	return (struct span){head->base + field->value_at, field->value_len};
}

/* The first field with this id, or NULL. */
const struct http_field *http_head_find(const struct http_head *head, enum http_field_id id);

/* The id of a field name, which is a token; ASCII case is ignored. */
enum http_field_id http_field_id_of(struct span name);

/* Does the peer want the connection to live on after this message? (RFC 9112 section 9.3) */
bool http_head_is_persistent(const struct http_head *head);

/* A field that a proxy must not forward, by its name alone (RFC 9110 section 7.6.1). */
bool http_field_id_is_hop_by_hop(enum http_field_id id);

/* The seconds of "Keep-Alive: timeout=N", or 0 when there is none, or it is malformed or above UINT32_MAX. */
uint64_t http_head_keep_alive_seconds(const struct http_head *head);
