/* Decides whether a request whose head is whole may come in. */
#include "base/str.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

#include <string.h>

static bool is_upstream_name(const struct proxy *proxy, struct span host)
{
	return span_is_nocase(host, span_of(proxy->upstream_host));
}

/* An absolute URL is for us when it names the upstream, or this very listener. */
static enum err check_absolute(const struct exchange *exchange)
{
	const struct proxy *proxy = exchange->proxy;
	const struct http_target *target = &exchange->target;
	struct span host;
	struct span port;
	uint64_t number = 80;

	if (!span_is_nocase(target->scheme, SPAN("http")) &&
	    !span_is_nocase(target->scheme, SPAN("https"))) {
		return ERR_OTHER_SITE;
	}
	if (!http_split_authority(target->authority, &host, &port)) {
		return ERR_BAD_TARGET;
	}
	if (port.len > 0 && !str_read_u64(port, &number)) {
		return ERR_BAD_TARGET;
	}
	/* A script that only sets http_proxy says http: and means the API; another port is another site. */
	if (is_upstream_name(proxy, host)) {
		return number == 80 || number == 443 || number == proxy->upstream_port
			       ? ERR_NONE
			       : ERR_OTHER_SITE;
	}
	return number == exchange->client->local_port &&
			       access_allows_host(proxy->access, target->authority)
		       ? ERR_NONE
		       : ERR_OTHER_SITE;
}

/* Mostly it is the same as in the client's last request. */
static bool is_known_host(const struct client *client, struct span value)
{
	return value.len > 0 && value.len == client->host_len &&
	       memcmp(value.data, client->host, value.len) == 0;
}

static void remember_host(struct client *client, struct span value)
{
	client->host_len = 0;
	if (value.len <= sizeof(client->host)) {
		memcpy(client->host, value.data, value.len);
		client->host_len = (uint8_t)value.len;
	}
}

static enum err check_host(const struct exchange *exchange)
{
	const struct http_field *field = http_head_find(&exchange->request, HTTP_FIELD_HOST);
	struct span value;
	struct span host;
	struct span port;

	if (exchange->target.form == HTTP_TARGET_ABSOLUTE) {
		return check_absolute(
			exchange); /* RFC 9112 section 3.2.2: Host is then of no account */
	}
	if (field == NULL) {
		return ERR_NONE; /* HTTP/1.0; the parser refuses it in 1.1 */
	}
	value = http_field_value(&exchange->request, field);
	if (is_known_host(exchange->client, value)) {
		return ERR_NONE;
	}
	if (!http_split_authority(value, &host, &port)) {
		return ERR_BAD_HOST;
	}
	/* With its brackets: an IPv6 address without them reads as a host and a port. */
	if (!is_upstream_name(exchange->proxy, host) &&
	    !access_allows_host(exchange->proxy->access, value)) {
		return ERR_WRONG_HOST;
	}
	remember_host(exchange->client, value);
	return ERR_NONE;
}

static enum err check_target(const struct exchange *exchange)
{
	struct span method = http_head_span(&exchange->request, exchange->request.method);

	if (span_is(method, SPAN("CONNECT"))) {
		return ERR_CONNECT_METHOD;
	}
	switch (exchange->target.form) {
	case HTTP_TARGET_ORIGIN:
	case HTTP_TARGET_ABSOLUTE:
	case HTTP_TARGET_ASTERISK:
		return ERR_NONE;
	case HTTP_TARGET_AUTHORITY:
	case HTTP_TARGET_BAD:
		break;
	}
	return ERR_BAD_TARGET;
}

static enum err check_limits(const struct exchange *exchange)
{
	const struct proxy *proxy = exchange->proxy;
	const struct http_head *request = &exchange->request;

	if (request->has_expect && !request->expects_continue) {
		return ERR_EXPECTATION_FAILED;
	}
	if (request->has_content_length &&
	    request->content_length > proxy->config->limits_request_body_bytes) {
		return ERR_BODY_TOO_LARGE;
	}
	if (proxy->is_over) {
		return ERR_SHUTTING_DOWN;
	}
	return pool_queue_is_full(proxy->pool) ? ERR_QUEUE_FULL : ERR_NONE;
}

enum err exchange_admit(struct exchange *exchange)
{
	const struct http_head *request = &exchange->request;
	enum err err;

	exchange->target = http_split_target(http_head_span(request, request->method),
					     http_head_span(request, request->target));
	if (!exchange->client->is_allowed) {
		return ERR_NOT_ALLOWED;
	}
	err = check_target(exchange);
	if (err == ERR_NONE) {
		err = check_host(exchange);
	}
	if (err == ERR_NONE) {
		err = exchange_identify(exchange);
	}
	if (err == ERR_NONE) {
		err = check_limits(exchange);
	}
	if (err == ERR_NONE) {
		err = exchange_check_origin(exchange);
	}
	return err;
}
