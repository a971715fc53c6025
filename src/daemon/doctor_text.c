/* Reads what a peer's answer holds: fields, dates, hosts. */
#include "base/addr.h"
#include "base/macros.h"
#include "daemon/doctor_probe.h"
#include "daemon/doctor_reason.h"
#include "http/parser.h"

#include <string.h>
#include <time.h>

char *reason_text(struct span text, char out[REASON_TEXT_BYTES])
{
	size_t most = MIN(text.len, (size_t)REASON_TEXT_BYTES - 1);
	size_t len = 0;

	while (len < most && text.data[len] != '\r' && text.data[len] != '\n') {
		out[len] = '?';
		if (text.data[len] >= ' ' && text.data[len] <= '~') {
			out[len] = text.data[len];
		}
		len++;
	}
	out[len] = '\0';
	return out;
}

struct span reason_field(const struct probe *probe, struct span name)
{
	const struct http_head *head = &probe->head;

	for (unsigned i = 0; probe->answers > 0 && i < head->field_count; i++) {
		if (span_is_nocase(http_field_name(head, &head->fields[i]), name)) {
			return http_field_value(head, &head->fields[i]);
		}
	}
	return (struct span){0};
}

bool reason_read_date(struct span text, int64_t *ret_seconds)
{
	char copy[40];
	const char *rest;
	struct tm tm = {0};

	if (text.len == 0 || text.len >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	rest = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (rest == NULL || *rest != '\0') {
		return false;
	}
	*ret_seconds = (int64_t)timegm(&tm);
	return true;
}

/* "http:" in front of the slashes, or nothing (RFC 3986 section 3.1). */
static bool is_scheme(struct span text)
{
	if (text.len == 0) {
		return true;
	}
	for (size_t i = 0; i + 1 < text.len; i++) {
		char lower = (char)(text.data[i] | 0x20);

		if (lower < 'a' || lower > 'z') {
			return false;
		}
	}
	return text.data[text.len - 1] == ':';
}

static bool ends_authority(char c)
{
	return c == '/' || c == '?' || c == '#';
}

bool reason_url_host(struct span url, struct span *ret_host)
{
	const char *slashes = url.len > 0 ? memmem(url.data, url.len, "//", 2) : NULL;
	struct span rest;
	struct span port;
	size_t len = 0;

	if (slashes == NULL || !is_scheme((struct span){url.data, (size_t)(slashes - url.data)})) {
		return false;
	}
	rest = (struct span){slashes + 2, url.len - (size_t)(slashes + 2 - url.data)};
	while (len < rest.len && !ends_authority(rest.data[len])) {
		len++;
	}
	return http_split_authority((struct span){rest.data, len}, ret_host, &port);
}

/* What comes after the last dot but one; all of it when there are less. */
static struct span last_two_labels(struct span name)
{
	unsigned dots = 0;

	for (size_t at = name.len; at > 0; at--) {
		if (name.data[at - 1] == '.' && ++dots == 2) {
			return (struct span){name.data + at, name.len - at};
		}
	}
	return name;
}

bool reason_is_same_site(struct span a, struct span b)
{
	struct addr ignored;

	if (span_is_nocase(a, b)) {
		return true;
	}
	if (addr_parse_ip(a, 0, &ignored) || memchr(a.data, '.', a.len) == NULL) {
		return false;
	}
	return span_is_nocase(last_two_labels(a), last_two_labels(b));
}
