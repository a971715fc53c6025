/*
 * One request on its way: from its first byte to the last of its reply. It owns the request's and the response's bytes.
 *
 * Born with the first byte of a request (client.c), admitted when the head is whole, started when the body is. Ends exactly
 * once, by exchange_finish(), after its reply was written or its client has gone.
 */
#pragma once

#include "base/buffer.h"
#include "base/err.h"
#include "base/list.h"
#include "base/span.h"
#include "http/body.h"
#include "http/head.h"
#include "http/parser.h"
#include "pool/codec.h"
#include "pool/pool.h"
#include "proxy/access.h"
#include "proxy/profile.h"
#include "proxy/retry.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct proxy;

enum { CLIENT_NAME_BYTES = 48 }; /* an address, or "pid=…" on a unix socket */

struct exchange {
	struct list_node node; /* on proxy->exchanges */
	struct proxy *proxy;   /* borrowed */
	struct client *client; /* borrowed; NULL when it has gone */

	/* The request */
	struct buffer in; /* owned: head and body, from data[0] */
	struct http_parser parser;
	struct http_chunked chunked;
	struct http_target
		target; /* spans into `in`, set when it no longer moves; or into `injected` */
	enum http_framing framing;
	size_t body_at;
	uint64_t body_bytes;          /* here so far */
	char name[CLIENT_NAME_BYTES]; /* the client's, when it gives none */
	char given_name
		[ACCESS_LABEL_BYTES]; /* a label or a token's name; valid unless named_by an address */
	enum tenant_kind named_by;
	bool drops_authorization; /* it was a label or a token for us */
	bool is_request_whole;    /* head and body were read */
	bool is_head_whole;

	/* On its way */
	struct tenant *tenant; /* one reference, from exchange_start() on */
	struct waiter waiter;
	struct transfer transfer;
	struct buffer injected; /* owned: a target and a body with our key in it */
	struct span new_body;   /* borrowed from it: sent in place of the body; data NULL: none */
	struct buffer out;      /* owned: the head for the next hop, then our reply's head */
	bool is_queued;
	bool is_sent; /* a transfer is on its way */
	bool was_repeated;
	enum evidence evidence; /* of the attempt that was repeated or failed */
	enum profile_class class;
	uint64_t deadline_ms;

	/* What came of it */
	enum err err; /* ERR_NONE: the upstream's response was passed on */
	unsigned status;
	uint64_t reply_bytes;
	unsigned conn_kind; /* METRIC_CONN_…, once lent_us is set */
	bool has_client_left;

	/* When, in microseconds; 0: did not happen */
	uint64_t began_us; /* first byte */
	uint64_t whole_us; /* last byte of the request */
	uint64_t lent_us;
	uint64_t connect_us; /* how long the connection took to open, if it was opened for this */
	uint64_t answered_us;
	uint64_t replied_us; /* the reply was written, and its delivery had to be waited for */

	struct http_head request; /* large: kept last, never zeroed whole */
	struct http_head response;
};

struct exchange *exchange_new(struct proxy *proxy, struct client *client);

/* The head is whole: may it come in? ERR_NONE, or what to answer. */
MUST_USE enum err exchange_admit(struct exchange *exchange);

/* Part of it: whom is it counted for? Sets named_by, given_name and drops_authorization. */
MUST_USE enum err exchange_identify(struct exchange *exchange);

/* When it was over: when the reply was written, or now. */
uint64_t exchange_end_us(const struct exchange *exchange);

/* For so many seconds its client's address is refused for wrong tokens; 0: it is not. */
unsigned exchange_guess_wait_s(const struct exchange *exchange);

/* Whom it is counted for: the given name, else the client's own. */
struct span exchange_client_name(const struct exchange *exchange);

/* May the pool's key be put into it, as far as it hangs on who sends it? */
bool exchange_may_inject(const struct exchange *exchange);

/* Part of admission, where the pool has a key: ERR_FOREIGN_ORIGIN when a web page of another site sends it. */
MUST_USE enum err exchange_check_origin(const struct exchange *exchange);

/*
 * The request is whole, `profile` is what it is, and the pool has a key: puts that into it, if it is one to get it. Once, so that a repeat
 * sends the same bytes. ERR_NONE, or what to answer.
 */
MUST_USE enum err exchange_inject(struct exchange *exchange, const struct profile_request *profile);

/* The request is whole: classify it, take a slot or queue. Answers come through client_reply(). */
void exchange_start(struct exchange *exchange);

/* Answers with an error of ours: `cause` and `detail` as in reply.h. */
void exchange_reply_error(struct exchange *exchange, enum err err, enum err cause,
			  const char *detail);

/* The client ended its side (FIN) while the request waits: taken out when queued and answered 503. */
void exchange_client_ended(struct exchange *exchange);

/* The client is gone: nobody reads a reply any more. Frees the exchange unless a response is awaited. */
void exchange_orphan(struct exchange *exchange);

/* Logs and frees it. */
void exchange_finish(struct exchange *exchange);
