/*
 * Writes heads for the next hop: start line, forwarded fields byte for byte, our own fields, the empty line.
 *
 * Forwarded fields keep their order, case, duplicates and spelling ("Name:  value" as received, line by line); dropped are
 * hop-by-hop fields, Host, Content-Length (written anew), Expect, and for a request Authorization when
 * `drop_authorization` says that it was a label or a token for us.
 */
#pragma once

#include "base/span.h"
#include "http/head.h"
#include "http/parser.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request_out {
	const struct http_head *head;
	const struct http_target *target; /* the head's own, or another to send instead */
	struct span host; /* of the upstream, with a port that is not the default one */
	bool has_body;    /* then Content-Length is written, also when it is 0 */
	uint64_t body_bytes;
	bool drop_authorization;
};

/* An upper bound of what http_write_request() writes. */
size_t http_request_out_bytes(const struct http_request_out *request);
/* Writes to `out`, which has that much room; returns the length. `Via: 1.x warmpool` is added (RFC 9110 section 7.6.3). */
size_t http_write_request(const struct http_request_out *request, char *out);

enum http_connection_note { HTTP_NOTE_NONE, HTTP_NOTE_CLOSE, HTTP_NOTE_KEEP_ALIVE };

struct http_response_out {
	const struct http_head *head;
	bool writes_length; /* Content-Length: body_bytes is written */
	uint64_t body_bytes;
	bool keeps_length; /* HEAD and 304: the received Content-Length passes unchanged */
	enum http_connection_note
		note; /* towards the client: "Connection: close", "Connection: keep-alive" (1.0), nothing */
	struct span extra; /* whole field lines of our own, or empty */
};

size_t http_response_out_bytes(const struct http_response_out *response);
/* The status line is "HTTP/1.1" and the received status and reason. */
size_t http_write_response(const struct http_response_out *response, char *out);
