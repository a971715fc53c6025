/*
 * A borrowed run of bytes, not NUL-terminated. Valid as long as what it points into.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *data; /* borrowed */
	size_t len;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

static inline struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static inline bool span_is(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII case is ignored. */
static inline bool span_is_nocase(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

static inline bool span_starts_with(struct span a, struct span prefix)
{
	return a.len >= prefix.len && memcmp(a.data, prefix.data, prefix.len) == 0;
}
