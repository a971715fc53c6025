/* Decides whom a request is counted for: a token, a label, an address; and refuses who must give a token and does not. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "proxy/basic.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/tokens.h"

#include <string.h>

/* What one field of a request offers. */
struct offer {
	const char *name; /* borrowed; of the token that it is, or NULL */
	bool has_secret;  /* Basic credentials with a password */
	bool is_slip;     /* a token's name, and another secret */
};

static struct offer judge(const struct exchange *exchange, const struct http_field *field)
{
	struct offer offer = {0};
	struct basic basic;
	bool is_name_known;

	if (field != NULL && basic_read(http_field_value(&exchange->request, field), &basic)) {
		offer.has_secret = basic.secret.len > 0;
		offer.name = tokens_find(exchange->proxy->guard.tokens, basic.name, basic.secret,
					 &is_name_known);
		offer.is_slip = offer.name == NULL && offer.has_secret && is_name_known;
	}
	basic_wipe(&basic);
	return offer;
}

static const struct http_field *find_proxy_authorization(const struct http_head *head)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == HTTP_FIELD_PROXY &&
		    span_is_nocase(http_field_name(head, &head->fields[i]),
				   SPAN("Proxy-Authorization"))) {
			return &head->fields[i];
		}
	}
	return NULL;
}

/* A token, or a slip in one, is for nobody else's eyes; not in a second field either, whose token does not count. */
static bool has_own_authorization(const struct exchange *exchange)
{
	const struct http_head *head = &exchange->request;

	for (unsigned i = 0; i < head->field_count; i++) {
		struct offer offer = {0};

		if (head->fields[i].id == HTTP_FIELD_AUTHORIZATION) {
			offer = judge(exchange, &head->fields[i]);
		}
		if (offer.name != NULL || offer.is_slip) {
			return true;
		}
	}
	return false;
}

static bool holds_label(struct exchange *exchange, const struct http_field *field)
{
	return field != NULL &&
	       access_read_label(http_field_value(&exchange->request, field), exchange->given_name);
}

/* A label in the URL's user name, be it the proxy's URL: never forwarded. */
static void read_label(struct exchange *exchange)
{
	const struct http_head *head = &exchange->request;

	if (holds_label(exchange, http_head_find(head, HTTP_FIELD_AUTHORIZATION))) {
		exchange->named_by = TENANT_LABEL;
		exchange->drops_authorization = true;
	} else if (holds_label(exchange, find_proxy_authorization(head))) {
		exchange->named_by = TENANT_LABEL;
	}
}

static void take_token(struct exchange *exchange, const char *name)
{
	exchange->named_by = TENANT_TOKEN;
	memcpy(exchange->given_name, name, strlen(name) + 1);
}

/* One line, unless there were many of late. The name that was given is not said: it may be a secret in the wrong place. */
static void warn(struct exchange *exchange, enum err err, bool has_to_wait)
{
	struct proxy *proxy = exchange->proxy;
	struct guard *guard = &proxy->guard;
	uint64_t now_ms = proxy->clock->now_ms;
	struct log_line line;

	proxy->metrics->token_failures++;
	if (has_to_wait) {
		throttle_let(&guard->lines, now_ms);
	} else if (!throttle_lets(&guard->lines, now_ms)) {
		return;
	}
	if (!log_wants(proxy->log, LOG_WARNING)) {
		return;
	}
	log_begin(proxy->log, &line, LOG_WARNING, "token");
	log_field_text(proxy->log, &line, LOG_KEY("client"), span_of(exchange->name));
	log_field_text(proxy->log, &line, LOG_KEY("error"), span_of(err_name(err)));
	log_field_u64(proxy->log, &line, LOG_KEY("failures"), proxy->metrics->token_failures);
	if (guard->lines.held > 0) {
		log_field_u64(proxy->log, &line, LOG_KEY("unsaid"), guard->lines.held);
	}
	if (has_to_wait) {
		log_field_u64(proxy->log, &line, LOG_KEY("refused_for_s"), GUESSES_WAIT_MS / 1000);
	}
	log_end(proxy->log, &line);
	guard->lines.held = 0;
}

/* Only a wrong token is a guess: some clients ask without one first, and again once they are told. */
static enum err fail(struct exchange *exchange, bool is_guess, bool is_trusted)
{
	struct proxy *proxy = exchange->proxy;
	enum err err = is_guess ? ERR_TOKEN_WRONG : ERR_TOKEN_REQUIRED;
	bool has_to_wait = is_guess && !is_trusted &&
			   guesses_add(&proxy->guard.guesses, &exchange->client->stream.peer,
				       proxy->clock->now_ms);

	warn(exchange, err, has_to_wait);
	return err;
}

unsigned exchange_guess_wait_s(const struct exchange *exchange)
{
	const struct proxy *proxy = exchange->proxy;

	return guesses_wait_s(&proxy->guard.guesses, &exchange->client->stream.peer,
			      proxy->clock->now_ms);
}

enum err exchange_identify(struct exchange *exchange)
{
	const struct addr *peer = &exchange->client->stream.peer;
	const struct http_field *own = http_head_find(&exchange->request, HTTP_FIELD_AUTHORIZATION);
	bool is_trusted = addr_is_loopback(peer) || addr_is_local(peer);
	struct offer offers[2]; /* Authorization, Proxy-Authorization */

	if (exchange->proxy->guard.tokens == NULL) {
		if (is_trusted) {
			read_label(exchange);
		}
		return ERR_NONE;
	}
	if (!is_trusted && exchange_guess_wait_s(exchange) > 0) {
		return ERR_TOO_MANY_FAILURES;
	}
	offers[0] = judge(exchange, own);
	offers[1] = judge(exchange, find_proxy_authorization(&exchange->request));
	for (unsigned i = ARRAY_SIZE(offers); i-- > 0;) {
		if (offers[i].name != NULL) {
			take_token(exchange, offers[i].name);
			exchange->drops_authorization = has_own_authorization(exchange);
			return ERR_NONE;
		}
	}
	if (!is_trusted) {
		return fail(exchange, offers[0].has_secret || offers[1].has_secret, false);
	}
	/* On this machine other credentials are the upstream's, but a token with a slip in its secret is not for its eyes. */
	for (unsigned i = 0; i < ARRAY_SIZE(offers); i++) {
		if (offers[i].is_slip) {
			return fail(exchange, true, true);
		}
	}
	exchange->drops_authorization = has_own_authorization(exchange);
	read_label(exchange);
	return ERR_NONE;
}
