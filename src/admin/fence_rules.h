/*
 * Which requests the admin interface takes, by their head: pure.
 */
#pragma once

#include "base/err.h"
#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>

struct access;
struct http_head;

enum {
	FENCE_HEAD_BYTES = 8192, /* request line and fields, to the end of the empty line */
	FENCE_FIELDS = 64,
	FENCE_PATH_BYTES = 255,
};

struct fence_refusal {
	int status;
	const char *text; /* for people, without a full stop */
};

/* A head that the parser refused with this error. */
struct fence_refusal fence_refusal_of(enum err err);

/*
 * True when a whole head may be answered: from a peer of admin.allow (`is_allowed`), for a Host and from an Origin of admin.hosts, GET or
 * HEAD, of a plain path, without a body. `ret_path` is then that path, without the query: it begins with a slash and holds [A-Za-z0-9._~/-]
 * alone, at most FENCE_PATH_BYTES of them. Else false, with the refusal.
 */
MUST_USE bool fence_admits(const struct http_head *head, const struct access *access,
			   bool is_allowed, struct span *ret_path,
			   struct fence_refusal *ret_refusal);
