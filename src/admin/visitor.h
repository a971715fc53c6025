/*
 * One connection of the admin interface, from its first byte to its end. Private to fence.c, which see.
 *
 * Its phase is the list that it is on. Nothing is freed inside its own callback: what has ended is GONE until the end of the turn.
 */
#pragma once

#include "base/addr.h"
#include "base/list.h"
#include "http/head.h"
#include "http/parser.h"
#include "net/timer.h"

#include <event2/bufferevent.h>
#include <evhtp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access;
struct clock;
struct event_base;

enum visitor_phase {
	VISITOR_READING,   /* its head is not whole yet; the longest waiting is first */
	VISITOR_ANSWERING, /* its answer is being sent */
	VISITOR_LINGERING, /* answered and half-closed: what it still sends is read and dropped */
	VISITOR_GONE,      /* freed at the end of the turn */
	VISITOR_PHASES
};

/* All of them. */
struct visitors {
	struct event_base *base;     /* borrowed */
	struct clock *clock;         /* borrowed */
	const struct access *access; /* borrowed */
	struct list phases[VISITOR_PHASES];
};

struct visitor {
	struct list_node node;      /* on all->phases[phase] */
	struct visitors *all;       /* borrowed */
	evhtp_connection_t *htp;    /* owned; NULL when libevhtp has freed it */
	struct bufferevent *bev;    /* borrowed from htp */
	bufferevent_data_cb on_htp; /* libevhtp's own reader, and what it wants */
	void *htp_arg;
	struct timer timer;
	uint64_t accepted_ms;
	size_t dropped_bytes;
	struct http_parser parser;
	struct http_head head;
	struct addr peer;
	bool lingers;      /* more may come than was read */
	bool has_read_end; /* FIN came */
};

/* Takes a connection that libevhtp has accepted off its hands. */
void visitor_new(struct visitors *all, evhtp_connection_t *htp, const struct addr *peer);
/* Ends it; not inside its own callback. */
void visitor_free(struct visitor *visitor);
