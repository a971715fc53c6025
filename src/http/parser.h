/*
 * One strict parser of HTTP/1.x heads, for requests and responses (RFC 9112): bytes in, values out. No sockets, no
 * allocation, no state but the struct. Resumable line by line: a byte is looked at a bounded number of times
 * however it arrives.
 *
 * Strict where laxness could desynchronise two parsers: CRLF only (no bare CR or LF), no NUL or control bytes (HTAB and
 * obs-text 0x80-0xFF are allowed in field values; a target may hold any byte from 0x21 to 0xFF but DEL), no white space before a
 * colon, no obs-fold, names are tokens (section 5.6.2 of RFC 9110), one Content-Length of digits only, never
 * together with Transfer-Encoding, which must be exactly "chunked" in 1.1. A request needs exactly one Host in 1.1
 * (at most one in 1.0), and single spaces in its request line. One empty line before a request line is skipped (RFC 9112 section 2.2).
 * Fields named in Connection become hop-by-hop, but for Host and Content-Length, which are ours to write; more than HTTP_FIELDS_MAX
 * connection options are ERR_HEAD_TOO_LARGE, so that naming stays cheap.
 *
 * A first byte that can begin no method or status line, and a request line that is wrong, are errors as soon as seen: a TLS
 * ClientHello, HTTP/0.9 or an HTTP/2 preface (each ERR_BAD_VERSION) does not wait for its end. The same bytes give the same
 * error however they are cut: the leftmost fault within the limits wins, then the limit. (A fault in a field line that comes in
 * parts may be told only when the line's end is there.)
 *
 * Errors in a request are ERR_BAD_…, ERR_…HOST, ERR_HEAD_TOO_LARGE, ERR_TARGET_TOO_LONG. In a response the same names say
 * what is wrong with it (the caller wraps them in ERR_RESPONSE_MALFORMED), ERR_BAD_REQUEST_LINE standing for the status line.
 * Transfer-Encoding in a 1xx/204 is malformed (RFC 9112 section 6.1); a Content-Length there, which RFC 9110 section 8.6 forbids
 * and real servers send, is kept in the head and means nothing for the framing. A status line may lack its reason
 * phrase, with or without the space before it.
 */
#pragma once

#include "base/err.h"
#include "base/macros.h"
#include "base/span.h"
#include "http/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_limits {
	size_t head_bytes; /* without the target */
	size_t target_bytes;
};

enum http_kind { HTTP_REQUEST, HTTP_RESPONSE };

enum http_parse_state {
	HTTP_PARSE_START_LINE,
	HTTP_PARSE_FIELDS,
	HTTP_PARSE_DONE,
};

/* Private to parser.c but for `state`. */
struct http_parser {
	enum http_kind kind;
	enum http_parse_state state;
	uint32_t line_at; /* where the present line begins */
	uint32_t scanned; /* no LF before this */
	struct http_limits limits;
};

void http_parser_init(struct http_parser *parser, enum http_kind kind, struct http_limits limits);

/*
 * Parses what is there so far: `data` is the message from its first byte (the same bytes as before, possibly moved, plus new ones).
 * Returns ERR_NONE, and parser->state tells whether the head is complete; head->base is set to data, head->head_bytes to where
 * the body begins. On an error the head may be half filled; `method` and `version_minor` are valid when they were read.
 */
MUST_USE enum err http_parse(struct http_parser *parser, struct http_head *head, const char *data,
			     size_t len);

/*
 * How a body ends, from the head and for a response from the request's method (RFC 9112 section 6.3). A response to HEAD,
 * 1xx, 204 and 304 have none whatever their fields say; a request with neither field has none.
 */
enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

enum http_framing http_response_framing(const struct http_head *response, bool was_head_request);
enum http_framing http_request_framing(const struct http_head *request);

/*
 * A Host value or an authority: a name of [A-Za-z0-9._~-], an IPv4 address or an IPv6 address in brackets, and an optional
 * port. The host comes without brackets; the port has len 0 when there is none. False when malformed or empty.
 */
MUST_USE bool http_split_authority(struct span authority, struct span *ret_host,
				   struct span *ret_port);

enum http_target_form {
	HTTP_TARGET_ORIGIN,
	HTTP_TARGET_ABSOLUTE,
	HTTP_TARGET_ASTERISK,
	HTTP_TARGET_AUTHORITY,
	HTTP_TARGET_BAD
};

struct http_target {
	enum http_target_form form;
	struct span scheme;    /* absolute only */
	struct span authority; /* absolute and authority-form */
	struct span
		origin; /* "/path?query" to send on, byte for byte; "*"; empty or "?query" with needs_slash */
	struct span path;  /* without the query; "/" with needs_slash */
	struct span query; /* without "?"; len 0 when none */
	bool needs_slash;  /* the absolute URL had no path: send "/" and then origin */
};

/*
 * Splits a request target (RFC 9112 section 3.2); spans borrow from `target` or are constants. "*" is for OPTIONS only, and is what
 * OPTIONS with an absolute URL of neither path nor query asks for; an authority alone is for CONNECT only, which takes nothing else.
 */
struct http_target http_split_target(struct span method, struct span target);
