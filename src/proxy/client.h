/*
 * One client connection: reads requests, one at a time, and writes replies. Its phase is the list of the proxy that it is on.
 *
 * Reading stays on while a request is on its way, up to 64 KiB ahead, so that a hang-up is seen. Nothing is freed inside a callback:
 * a closed client is freed at the end of the loop turn.
 */
#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "base/span.h"
#include "net/stream.h"
#include "net/timer.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CLIENT_HOST_BYTES = 48,
	DRAIN_IDLE_MS = 1000, /* how long an idle client may still rest in a drain */
};

struct client {
	struct list_node node;         /* on proxy->clients[phase] */
	struct list_node pending_node; /* on proxy->pending, or on none */
	struct proxy *proxy;           /* borrowed */
	enum client_phase phase;
	struct stream stream; /* owned */
	struct timer timer;
	struct exchange *exchange; /* owned from its first byte to exchange_finish() */
	struct buffer ahead;       /* owned: bytes of requests after the present one */
	uint64_t number;
	char name[CLIENT_NAME_BYTES];
	struct tenant *
		tenant; /* one reference: of its last request, so that the next finds it; NULL at first */
	struct usage_row *usage; /* one reference, likewise */
	struct span reply_head;  /* borrowed from the exchange while replying */
	struct span reply_body;
	char host[CLIENT_HOST_BYTES]; /* the Host that access took last; without NUL */
	uint8_t host_len;             /* 0: none, or it was too long to be kept */
	uint16_t local_port;          /* of the listener; 0 for unix */
	uint16_t settle_ms;           /* its delivery is looked at again after so long; else 0 */
	uint32_t unacked_bytes;       /* of the reply, at the last look */
	uint8_t continue_bytes;       /* of a 100 Continue that the socket has not taken yet */
	bool is_allowed;              /* access.allow */
	bool was_answered; /* at least once: a keep-alive client, not one that is about to speak */
	bool has_read_end; /* FIN came */
	bool closes_after_reply;
	bool lingers;      /* the request was not read to its end: half-close and drain */
	bool is_advancing; /* guards against recursion */
};

/* Takes over an accepted socket; `tls` is NULL for plain HTTP. */
void client_new(struct proxy *proxy, int fd, const struct addr *peer, uint16_t local_port,
		struct tls_server *tls);

/* Writes a reply (both spans live until exchange_finish()), then goes on to the next request or closes. */
void client_reply(struct client *client, struct span head, struct span body, bool closes);

/* May the connection live on after the present exchange? */
bool client_keeps_alive(const struct client *client);

/* The only writer of client->phase. */
void client_move(struct client *client, enum client_phase phase);

/* It was on proxy->pending: reads on in the loop turn that begins. */
void client_read_pending(struct client *client);

/* Ends it at once; its exchange is orphaned. */
void client_close(struct client *client);

/* --- between client.c, client_open.c and client_request.c --- */

/* Its stream's and its timer's callbacks; `owner` is the client. */
void client_on_readable(void *owner);
void client_on_writable(void *owner);
void client_on_timer(void *owner);

/* Counts and logs it, unless not one byte came; the caller closes. */
void client_handshake_failed(struct client *client, const char *reason);

/* Gives the client an exchange for its next request, with the bytes that came ahead. */
void client_begin_request(struct client *client);

/* Takes requests from what is here until more bytes, an answer or a reader is needed. */
void client_advance(struct client *client);

/* Answers the present request with an error of ours. */
void client_refuse(struct client *client, enum err err);

/* Goes on with a 100 Continue that is under way; false while the socket takes no more: on_writable comes. */
bool client_write_continue(struct client *client);

/* Its timer, so long from now. */
void client_set_deadline(struct client *client, uint64_t wait_ms);
