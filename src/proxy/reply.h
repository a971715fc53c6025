/*
 * Replies of our own: errors in the API's shape, and 100 Continue.
 *
 *   ERROR_QUEUE_TIMEOUT                                   text/plain
 *   {"status":0,"request":"ERROR_QUEUE_TIMEOUT"}          with json=1
 * Refusals of the request itself (4xx but 424, and 501/505) say why in a second line, or in "error_text".
 * A 401 or 407 asks for Basic credentials. Always with Proxy-Status (RFC 9209), and Retry-After where the error says that waiting helps.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { REPLY_BYTES = 1792 };

struct reply {
	enum err err; /* what the client is told */
	enum err
		cause; /* what is behind it (ERR_NONE: the same): named in Proxy-Status' details and for SUBMIT_UNKNOWN its type */
	const char *
		detail; /* more for details, or NULL: ASCII; quotes and backslashes are escaped, at most 200 bytes used */
	bool is_json;
	bool is_head;     /* HEAD: no body, its length all the same */
	bool keeps_alive; /* else Connection: close */
	bool is_http10;   /* then keep-alive is said */
	bool is_by_proxy; /* the request came in absolute form: a missing token is then a proxy's */
	unsigned retry_after_s; /* 0: 1 where waiting helps */
	struct span extra;      /* whole field lines, at most 160 bytes, or empty */
};

/* That of errors.def; 407 instead of 401 when is_by_proxy (RFC 9110 section 15.5.8). */
int reply_status(const struct reply *reply);

/* Writes head and body; returns the length, never above REPLY_BYTES. */
size_t reply_write(const struct reply *reply, char out[REPLY_BYTES]);

/* Of a status that we answer with: "Bad Gateway". */
const char *reply_reason_phrase(int status);

extern const char reply_continue[]; /* "HTTP/1.1 100 Continue\r\n\r\n" */
