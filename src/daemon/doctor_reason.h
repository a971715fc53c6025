/*
 * What a measurement means, for people: what is wrong, and what to do about it. Pure.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct probe;

enum { REASON_BYTES = 1024 };

struct reason {
	char what[REASON_BYTES];
	char remedy[REASON_BYTES]; /* may be empty */
};

/* About the upstream that was to be reached. */
struct reason_context {
	const char *host;
	const char *authority;
	const char *ca_file; /* "" for the system's store */
	bool is_tls;
	bool is_verified; /* the certificate is checked */
	uint64_t connect_ms;
	uint64_t answer_ms;
	int64_t now_s; /* the local clock, since 1970 */
};

/* The name was looked up, with this status of c-ares; `servers` as in resolv.conf, "" when it names none. */
void reason_of_lookup(int status, const char *host, const char *servers, struct reason *ret_reason);

/*
 * A connection that did not come to its first answer. `plain` is a second one that spoke plain HTTP to what did not speak TLS (NULL: none).
 */
void reason_of_failure(const struct probe *probe, const struct probe *plain,
		       const struct reason_context *context, struct reason *ret_reason);

/* An answer came: is it one that a server of this name gives? */
enum answer_verdict {
	ANSWER_USUAL,
	ANSWER_DOUBTFUL, /* `ret_reason` says why */
	ANSWER_FOREIGN,  /* not the upstream: a captive portal or a proxy; `ret_reason` says so */
};

enum answer_verdict reason_of_answer(const struct probe *probe,
				     const struct reason_context *context,
				     struct reason *ret_reason);

/* A peer's text for a line of ours: its first line, control bytes as '?', cut. Returns `out`. */
enum { REASON_TEXT_BYTES = 100 };
char *reason_text(struct span text, char out[REASON_TEXT_BYTES]);

/* The value of the first field of that name (any case) in the probe's answer; len 0 when there is none. */
struct span reason_field(const struct probe *probe, struct span name);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7) as seconds since 1970. */
MUST_USE bool reason_read_date(struct span text, int64_t *ret_seconds);

/* The host of an absolute URL or of "//host/…"; false for a path, and for what has no host that can be read. */
MUST_USE bool reason_url_host(struct span url, struct span *ret_host);

/* The same name, or one under the other, or both under the same last two labels: api.example.com and www.example.com. */
bool reason_is_same_site(struct span a, struct span b);
