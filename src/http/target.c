/* Authorities and request targets, taken apart. */
#include "base/str.h"
#include "http/parser.h"
#include "http/scan.h"

enum { PORT_HIGHEST = 65535, PORT_DIGITS = 5 };

/* The bytes of an IPv6 address; whether it is one is left to who compares it. */
static const char *scan_address(const char *at, const char *end)
{
	while (at < end && (scan_is(*at, SCAN_HEX) || *at == ':' || *at == '.')) {
		at++;
	}
	return at;
}

/* Where the host ends ("]" included), or NULL. */
static const char *read_host(const char *at, const char *end, struct span *ret_host)
{
	const char *begin = at;
	const char *stop;

	if (at < end && *at == '[') {
		begin = at + 1;
		stop = scan_address(begin, end);
		if (stop == begin || stop == end || *stop != ']') {
			return NULL;
		}
		*ret_host = (struct span){begin, (size_t)(stop - begin)};
		return stop + 1;
	}
	stop = scan_class(begin, end, SCAN_HOST);
	*ret_host = (struct span){begin, (size_t)(stop - begin)};
	return stop > begin ? stop : NULL;
}

static bool is_port(struct span port)
{
	uint64_t number;

	return port.len == 0 ||
	       (port.len <= PORT_DIGITS && str_read_u64(port, &number) && number <= PORT_HIGHEST);
}

bool http_split_authority(struct span authority, struct span *ret_host, struct span *ret_port)
{
	struct span host;
	struct span port = {"", 0};
	const char *end;
	const char *stop;

	if (authority.len == 0) {
		return false;
	}
	end = authority.data + authority.len;
	stop = read_host(authority.data, end, &host);
	if (stop == NULL || (stop < end && *stop != ':')) {
		return false;
	}
	if (stop < end) {
		port = (struct span){stop + 1, (size_t)(end - stop - 1)};
	}
	if (!is_port(port)) {
		return false;
	}
	*ret_host = host;
	*ret_port = port;
	return true;
}

/* Sets path and query from origin. */
static void split_origin(struct http_target *target)
{
	const char *question = target->origin.len == 0
				       ? NULL
				       : memchr(target->origin.data, '?', target->origin.len);
	const char *end = target->origin.data + target->origin.len;

	target->path = target->origin;
	if (question != NULL) {
		target->path.len = (size_t)(question - target->origin.data);
		target->query = (struct span){question + 1, (size_t)(end - question - 1)};
	}
	if (target->needs_slash) {
		target->path = SPAN("/");
	}
}

/* The length of "scheme" before "://", 0 when there is none (RFC 3986 section 3.1). */
static size_t scheme_length(struct span target)
{
	size_t len = 0;

	while (len < target.len &&
	       (scan_is(target.data[len], SCAN_HOST) || target.data[len] == '+')) {
		len++;
	}
	if (len == 0 || scan_is_digit(target.data[0]) || target.len - len < 3 ||
	    memcmp(target.data + len, "://", 3) != 0) {
		return 0;
	}
	return len;
}

/* Where the authority that begins at `at` ends: at a path, a query or a fragment. */
static size_t authority_end(struct span target, size_t at)
{
	while (at < target.len && target.data[at] != '/' && target.data[at] != '?' &&
	       target.data[at] != '#') {
		at++;
	}
	return at;
}

static struct http_target split_absolute(struct span method, struct span target)
{
	struct http_target split = {.form = HTTP_TARGET_BAD};
	size_t scheme_len = scheme_length(target);
	size_t at = scheme_len + 3;
	size_t end;
	struct span host;
	struct span port;

	if (scheme_len == 0) {
		return split;
	}
	end = authority_end(target, at);
	split.scheme = (struct span){target.data, scheme_len};
	split.authority = (struct span){target.data + at, end - at};
	split.origin = (struct span){target.data + end, target.len - end};
	split.needs_slash = end == target.len || target.data[end] == '?';
	if (!http_split_authority(split.authority, &host, &port) ||
	    (end < target.len && target.data[end] == '#')) {
		return (struct http_target){.form = HTTP_TARGET_BAD};
	}
	split.form = HTTP_TARGET_ABSOLUTE;
	if (split.origin.len == 0 && span_is(method, SPAN("OPTIONS"))) {
		split.origin = SPAN("*");
		split.needs_slash = false;
	}
	split_origin(&split);
	return split;
}

static struct http_target split_connect(struct span target)
{
	struct span host;
	struct span port;

	if (!http_split_authority(target, &host, &port) || port.len == 0) {
		return (struct http_target){.form = HTTP_TARGET_BAD};
	}
	return (struct http_target){.form = HTTP_TARGET_AUTHORITY, .authority = target};
}

struct http_target http_split_target(struct span method, struct span target)
{
	struct http_target split = {.form = HTTP_TARGET_BAD, .origin = target};

	if (span_is(method, SPAN("CONNECT"))) {
		return split_connect(target);
	}
	if (target.len > 0 && target.data[0] == '/') {
		split.form = HTTP_TARGET_ORIGIN;
		split_origin(&split);
		return split;
	}
	if (span_is(target, SPAN("*")) && span_is(method, SPAN("OPTIONS"))) {
		split.form = HTTP_TARGET_ASTERISK;
		split_origin(&split);
		return split;
	}
	return split_absolute(method, target);
}
