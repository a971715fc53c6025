/*
 * Tables of heads with the error that is expected of each; every one is parsed whole, cut in two at every byte, and
 * byte by byte, and must come to the same. An accepted one must also survive the round trip over the serializer.
 */
#pragma once

#include "base/span.h"
#include "http/parser.h"
#include "pieces.h"

#include <stddef.h>

#define CRLF  "\r\n"
#define HOST  "Host: a" CRLF
#define GET   "GET / HTTP/1.1" CRLF
#define GET10 "GET / HTTP/1.0" CRLF
#define POST  "POST / HTTP/1.1" CRLF HOST
#define OK    "HTTP/1.1 200 OK" CRLF

/* Of the defaults. */
extern const struct http_limits sample_limits;

struct sample {
	struct span bytes;
	enum err err;
};

#define SAMPLE(expected, literal)                                              \
	{                                                                      \
		.bytes = {literal, sizeof(literal) - 1}, .err = ERR_##expected \
	}

void sample_check_all(enum http_kind kind, const struct sample *samples, size_t count);

/* Fails the test when the ways differ; the outcome of the whole is given. */
void sample_parse_all_ways(struct parse_outcome *outcome, enum http_kind kind,
			   struct http_limits limits, struct span bytes);

/* A head that must be accepted; valid until the next call. */
const struct http_head *sample_parse(enum http_kind kind, struct span bytes);

struct sample_text {
	char *bytes; /* owned by the caller, from malloc */
	size_t len;
};

/* `prefix`, then `filler` `count` times, then `suffix`. */
struct sample_text sample_build(const char *prefix, const char *filler, size_t count,
				const char *suffix);

static inline struct span sample_span(const struct sample_text *text)
{
	return (struct span){text->bytes, text->len};
}
