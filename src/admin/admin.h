/*
 * The admin interface: a table of pages, each a path that is answered with the text of a function, served by libevhtp behind a fence
 * (fence.h). It reads what the daemon does and changes nothing.
 *
 * A page shows no secret: no key, token, query, body or answer. It is asked for often, so its text is composed at once and without
 * waiting, in the loop that also carries requests.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct admin;
struct clock;
struct config;
struct advice_desk;
struct event_base;
struct history;
struct log;
struct metrics;
struct page;
struct pool;
struct proxy;
struct resolver;

enum admin_phase { ADMIN_WARMING_UP, ADMIN_SERVING, ADMIN_DRAINING };

/* What the pages are made from. All borrowed; kept up to date by the owner. */
struct admin_view {
	const struct config *config;
	const struct clock *clock;
	struct pool *pool; /* its load is read, and with that brought up to the present time */
	const struct proxy *proxy;
	const struct resolver *resolver;
	const struct log *log;
	const struct history *history;
	struct advice_desk *desk;
	uint64_t reserve_descriptors; /* that the daemon needs beside clients and pool */
	struct metrics *metrics;      /* its gauges are set when a page shows them */
	uint64_t started_ms;          /* by the clock */
	uint64_t started_unix_s;
	enum admin_phase phase;
};

struct admin_route {
	const char *path;         /* compared byte by byte; a query is not looked at */
	const char *content_type; /* with its charset */
	/* Fills the page and returns the HTTP status: one that proxy/reply.h or libevhtp has a phrase for, as 200, 404, 503. */
	int (*write)(const struct admin_view *view, struct page *page);
	const char *const *policy; /* its own Content-Security-Policy; NULL: page_policy */
};

/* `view` is borrowed, and its `history` and `desk` set. Serves nothing yet. */
struct admin *admin_new(struct admin_view *view, struct event_base *base, struct clock *clock,
			struct log *log);
/* Ends every connection. */
void admin_free(struct admin *admin);

/* Serves what connects to this listening socket, which stays the caller's. False, with errno set, when it cannot: more than 8, no memory. */
MUST_USE bool admin_serve(struct admin *admin, int fd);

/* The configuration's contents changed in their place: admin.allow and admin.hosts hold for requests from now on. */
void admin_apply_config(struct admin *admin);

/* At the end of each loop turn. */
void admin_turn(struct admin *admin);
