/*
 * Puts the pool's key into a request that comes without one.
 *
 * Pure: bytes in, bytes out. The `key` parameter is looked for in the query and in the body (proxy/params.h). Each value that only
 * holds its place (empty, "-", 32 zeros, a JSON null) is replaced where it stands, escaped as that place needs; without any, the
 * key is added at the front of the query. Nothing changes when anything else was found: a real key, a name that only some servers
 * take for "key", more than 16 values, a body of a known type that does not parse or is over 4 MiB. A body of another type,
 * or a compressed one, is not looked into: then the query decides.
 */
#pragma once

#include "base/buffer.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>

/* Borrowed. */
struct inject_request {
	struct span target; /* "/path?query" or "/path" */
	struct span query;  /* of it, without "?" */
	struct span content_type;
	bool has_content_encoding;
	struct span body;
	struct span key; /* config_key_is_good() */
};

/* What is to be sent instead; data is NULL for what stays as it is. */
struct injected {
	struct span target;
	struct span query; /* of it */
	struct span body;
};

/*
 * Writes what changes to `out`, which is empty and must then live as long as *ret_injected. ERR_BUFFERED_FULL when there is no room
 * for it.
 */
MUST_USE enum err inject_key(const struct inject_request *request, struct buffer_pool *pool,
			     struct buffer *out, struct injected *ret_injected);
