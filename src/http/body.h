/*
 * Decoding of a chunked body (RFC 9112 section 7.1), in place and resumable at every byte.
 *
 * Strict: a size is 1 to 16 hex digits without overflow past `limit_bytes`; CRLF only; extensions after ";" are dropped, at most
 * 4 KiB of them in a body; trailers are checked to be field lines and dropped, at most 8 KiB.
 */
#pragma once

#include "base/err.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private to body.c but for `done` and `decoded_bytes`. */
struct http_chunked {
	int state;
	bool done; /* the last CRLF was read */
	uint64_t chunk_left;
	uint64_t decoded_bytes; /* in all */
	uint64_t limit_bytes;
	uint32_t digits;
	uint32_t extension_bytes;
	uint32_t trailer_bytes;
};

void http_chunked_init(struct http_chunked *chunked, uint64_t limit_bytes);

/*
 * Decodes `len` bytes at `data` in place: the decoded bytes are moved to the front, their number is *ret_decoded, and
 * *ret_taken bytes of the input were read (all of them unless done). ERR_BAD_CHUNK, or ERR_BODY_TOO_LARGE past the limit
 * (already when a chunk's size announces it).
 */
MUST_USE enum err http_chunked_decode(struct http_chunked *chunked, char *data, size_t len,
				      size_t *ret_decoded, size_t *ret_taken);
