/* Takes the upstream's URL apart and says what is wrong with one. */
#include "config/url.h"

#include "base/addr.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443, NAME_BYTES_MAX = 253, LABEL_BYTES_MAX = 63 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	       c == '_';
}

bool url_is_host_name(const char *text, size_t len)
{
	size_t label = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && label == 0) {
			return false;
		}
		if (text[i] != '.' && !is_name_byte(text[i])) {
			return false;
		}
		label = text[i] == '.' ? 0 : label + 1;
		if (label > LABEL_BYTES_MAX) {
			return false;
		}
	}
	return label > 0 && len <= NAME_BYTES_MAX;
}

/* A last label of digits makes a (wrong) IPv4 address of a name, as in 256.1.1.1. */
static bool ends_in_number(struct span host)
{
	size_t at = host.len;

	while (at > 0 && is_digit(host.data[at - 1])) {
		at--;
	}
	return at < host.len && (at == 0 || host.data[at - 1] == '.');
}

static bool take_scheme(struct span *rest, bool *ret_is_tls)
{
	static const struct span https = {"https://", 8};
	static const struct span http = {"http://", 7};
	struct span begin = {rest->data, MIN(rest->len, https.len)};
	size_t len = https.len;

	*ret_is_tls = span_is_nocase(begin, https);
	if (!*ret_is_tls) {
		begin.len = MIN(rest->len, http.len);
		len = http.len;
		if (!span_is_nocase(begin, http)) {
			return false;
		}
	}
	*rest = (struct span){rest->data + len, rest->len - len};
	return true;
}

/* What stands where only NAME[:PORT] may; NULL when nothing does. */
static const char *find_extra(struct span rest)
{
	if (memchr(rest.data, '@', rest.len) != NULL) {
		return "must not hold a user name or password; scripts send their key themselves";
	}
	if (memchr(rest.data, '?', rest.len) != NULL || memchr(rest.data, '#', rest.len) != NULL) {
		return "must not hold a query or fragment; write https://NAME[:PORT]";
	}
	if (memchr(rest.data, '/', rest.len) != NULL) {
		return "must not hold a path: the API stands at the root; write https://NAME[:PORT]";
	}
	return NULL;
}

static const char *read_host(struct span host, bool is_bracketed)
{
	struct addr addr;

	if (host.len == 0) {
		return "has no host name; write https://NAME[:PORT]";
	}
	if (is_bracketed) {
		return memchr(host.data, ':', host.len) != NULL && addr_parse_ip(host, 0, &addr)
			       ? NULL
			       : "holds brackets around what is no IPv6 address; as in https://[2001:db8::1]";
	}
	if (memchr(host.data, ':', host.len) != NULL) {
		return "needs brackets around an IPv6 address, as in https://[2001:db8::1]";
	}
	if (host.data[host.len - 1] == '.') {
		return "must not end its host name with a dot";
	}
	if (!url_is_host_name(host.data, host.len)) {
		return "holds a host name with other bytes than letters, digits, '-', '_' and '.' (international names: "
		       "write xn--...), or one too long";
	}
	if (ends_in_number(host) && !addr_parse_ip(host, 0, &addr)) {
		return "holds an IPv4 address that is none";
	}
	return NULL;
}

/* Splits NAME[:PORT] and [IPV6][:PORT]; port.data is NULL without one. */
static void split(struct span rest, struct span *ret_host, struct span *ret_port,
		  bool *ret_is_bracketed)
{
	const char *close =
		rest.len > 0 && rest.data[0] == '[' ? memchr(rest.data, ']', rest.len) : NULL;
	const char *after = close != NULL ? close + 1 : rest.data;
	const char *colon = memrchr(after, ':', (size_t)(rest.data + rest.len - after));
	size_t before = colon != NULL ? (size_t)(colon - rest.data) : rest.len;

	*ret_port = (struct span){0};
	if (colon != NULL) {
		*ret_port = (struct span){colon + 1, rest.len - before - 1};
	}
	*ret_is_bracketed = close != NULL && before == (size_t)(after - rest.data);
	*ret_host = *ret_is_bracketed ? (struct span){rest.data + 1, before - 2}
				      : (struct span){rest.data, before};
}

static char *lower_copy(struct span text)
{
	char *copy = mem_strndup(text.data, text.len);

	for (size_t i = 0; i < text.len; i++) {
		if (copy[i] >= 'A' && copy[i] <= 'Z') {
			copy[i] |= 0x20;
		}
	}
	return copy;
}

static char *write_authority(const struct upstream_url *url, bool is_bracketed)
{
	const uint16_t usual = url->is_tls ? HTTPS_PORT : HTTP_PORT;
	char *text;
	int len;

	if (url->port == usual) {
		len = asprintf(&text, is_bracketed ? "[%s]" : "%s", url->host);
	} else {
		len = asprintf(&text, is_bracketed ? "[%s]:%u" : "%s:%u", url->host, url->port);
	}
	if (len < 0) {
		abort();
	}
	return text;
}

bool url_parse(const char *text, struct upstream_url *ret_url, const char **ret_fault)
{
	struct upstream_url url = {0};
	struct span rest = span_of(text);
	struct span host;
	struct span port_text;
	uint64_t port;
	bool is_bracketed;

	if (!take_scheme(&rest, &url.is_tls)) {
		*ret_fault = "must begin with https://, as in https://ocr.captchaai.com";
		return false;
	}
	if (rest.len > 0 && rest.data[rest.len - 1] == '/') {
		rest.len--;
	}
	*ret_fault = find_extra(rest);
	if (*ret_fault != NULL) {
		return false;
	}
	split(rest, &host, &port_text, &is_bracketed);
	*ret_fault = read_host(host, is_bracketed);
	if (*ret_fault != NULL) {
		return false;
	}
	port = url.is_tls ? HTTPS_PORT : HTTP_PORT;
	if (port_text.data != NULL &&
	    (!str_read_u64(port_text, &port) || port == 0 || port > UINT16_MAX)) {
		*ret_fault = "has a port that is no number from 1 to 65535";
		return false;
	}
	url.port = (uint16_t)port;
	url.host = lower_copy(host);
	url.authority = write_authority(&url, is_bracketed);
	*ret_url = url;
	return true;
}

void url_fini(struct upstream_url *url)
{
	free(url->host);
	free(url->authority);
	*url = (struct upstream_url){0};
}
