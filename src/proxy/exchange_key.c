/* Decides which requests get the pool's key, and keeps web pages of other sites from having it used. */
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/inject.h"
#include "proxy/proxy.h"

static bool has_token(const struct exchange *exchange)
{
	return exchange->named_by == TENANT_TOKEN;
}

bool exchange_may_inject(const struct exchange *exchange)
{
	const struct addr *peer = &exchange->client->stream.peer;

	return addr_is_loopback(peer) || addr_is_local(peer) || has_token(exchange);
}

/* What the fields of one request say about the page that sends it. */
struct page {
	bool has_origin;
	bool is_foreign; /* by an Origin */
	bool is_cross_site;
};

static void judge_field(struct page *page, const struct access *access, struct span name,
			struct span value)
{
	if (span_is_nocase(name, SPAN("Origin"))) {
		page->has_origin = true;
		page->is_foreign |= !access_allows_origin(access, value);
	} else if (span_is_nocase(name, SPAN("Sec-Fetch-Site"))) {
		page->is_cross_site |= span_is_nocase(value, SPAN("cross-site"));
	}
}

/*
 * A page in a browser on this machine can send requests here without reading the answers, and each may cost money. Its POST says
 * Origin; an <img> or a form with GET does not, but every browser of today marks those as cross-site.
 */
enum err exchange_check_origin(const struct exchange *exchange)
{
	const struct http_head *head = &exchange->request;
	struct page page = {0};

	if (exchange->proxy->api_key->len == 0 || has_token(exchange)) {
		return ERR_NONE;
	}
	for (unsigned i = 0; i < head->field_count; i++) {
		judge_field(&page, exchange->proxy->access, http_field_name(head, &head->fields[i]),
			    http_field_value(head, &head->fields[i]));
	}
	if (page.is_foreign || (page.is_cross_site && !page.has_origin)) {
		return ERR_FOREIGN_ORIGIN;
	}
	return ERR_NONE;
}

/* Of the API's own paths and methods: a TRACE would show the key. */
static bool is_for_key(const struct profile_request *profile)
{
	bool is_path = span_is(profile->path, SPAN("/in.php")) ||
		       span_is(profile->path, SPAN("/res.php")) ||
		       span_is(profile->path, SPAN("/solve.php"));

	return is_path &&
	       (span_is(profile->method, SPAN("GET")) || span_is(profile->method, SPAN("POST")) ||
		span_is(profile->method, SPAN("HEAD")));
}

/* What the client could not have sent by itself is not sent for it. */
static enum err check_limits(const struct config *config, const struct injected *injected)
{
	if (injected->target.len > config->limits_request_target_bytes) {
		return ERR_TARGET_TOO_LONG;
	}
	return injected->body.len > config->limits_request_body_bytes ? ERR_BODY_TOO_LARGE
								      : ERR_NONE;
}

enum err exchange_inject(struct exchange *exchange, const struct profile_request *profile)
{
	struct proxy *proxy = exchange->proxy;
	struct injected injected;
	const struct inject_request request = {
		.target = exchange->target.origin,
		.query = exchange->target.query,
		.content_type = profile->content_type,
		.has_content_encoding = profile->has_content_encoding,
		.body = profile->body,
		.key = {proxy->api_key->bytes, proxy->api_key->len},
	};
	enum err err;

	if (!is_for_key(profile) || !exchange_may_inject(exchange)) {
		return ERR_NONE;
	}
	err = inject_key(&request, &proxy->buffers, &exchange->injected, &injected);
	if (err == ERR_NONE) {
		err = check_limits(proxy->config, &injected);
	}
	if (err != ERR_NONE) {
		return err;
	}
	if (injected.target.data != NULL) {
		exchange->target.origin = injected.target;
		exchange->target.query = injected.query;
	}
	if (injected.body.data != NULL) {
		exchange->new_body = injected.body;
	}
	return ERR_NONE;
}
