/*
 * The fence around libevhtp: what stands between the admin interface's sockets and its HTTP parser, which cannot face untrusted bytes
 * (a read that ends inside the target, two Content-Lengths, large forms, heads without a bound).
 *
 * libevhtp accepts, since it has no other way in, and from there on its callbacks are taken off the connection. The head is collected here,
 * up to FENCE_HEAD_BYTES and for 5 s, read by our own parser (http/parser.h) and judged (fence_rules.h); what is refused is answered here.
 * What libevhtp gets is a head written anew, method, path and nothing else of what came, in one piece and once: it finds the page and writes
 * the answer in that same call. Sending it, for 10 s at most, and the end of the connection are the fence's again. One request a connection.
 *
 * At most FENCE_VISITORS connections: then the one that has waited longest for the rest of its head makes room, or, when there is none, the
 * one that has been taking its answer for longest. Each has 10 ms before that; meanwhile nothing is accepted, and who connects waits
 * in the kernel's backlog. So whoever opens connections and says nothing takes no more than time from others: 10 ms for each 32.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct access;
struct clock;
struct event_base;
struct evhtp_request;
struct fence;
struct log;

enum { FENCE_VISITORS = 32, FENCE_DOORS = 8 };

struct fence_setup {
	struct event_base *base; /* borrowed; without locks is fine */
	struct clock *clock;     /* borrowed */
	struct log *log;         /* borrowed */
	/* Answers with evhtp_send_reply() before it returns. Called from the loop, for GET and HEAD. */
	void (*on_request)(struct evhtp_request *request, void *owner);
	void *owner; /* borrowed */
};

struct fence *fence_new(const struct fence_setup *setup);
/* Ends every connection. */
void fence_free(struct fence *fence);

/* Whom it serves: borrowed until the next call. To be called before the first connection comes. */
void fence_set_access(struct fence *fence, const struct access *access);

/* Serves what connects to this listening socket, which stays the caller's, until fence_shut(). False, with errno set, when it cannot. */
MUST_USE bool fence_serve(struct fence *fence, int fd);
void fence_shut(struct fence *fence);

/* At the end of each loop turn: frees what has ended. */
void fence_turn(struct fence *fence);

/* Connections that stand. */
size_t fence_visitor_count(const struct fence *fence);
