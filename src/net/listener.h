/*
 * A listening socket: binds, accepts in batches, pauses without spinning when descriptors run out.
 *
 * on_accept gives a non-blocking, close-on-exec socket to the owner, who owns it from then on, and returns whether to go
 * on accepting in this turn. EMFILE, and whatever else may last (a socket that another holder has shut down), pauses accepting for 100 ms, after which it is tried again; the connections wait in
 * the kernel's backlog meanwhile.
 */
#pragma once

#include "base/addr.h"
#include "base/list.h"
#include "base/macros.h"
#include "net/timer.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdbool.h>
#include <stddef.h>

struct listener_ops {
	bool (*on_accept)(void *owner, int fd, const struct addr *peer);
	/* May another connection be taken now? When not, the owner calls listener_set_paused(…, false) later. */
	bool (*may_accept)(void *owner);
	/* Accepting failed, mostly for want of descriptors or memory; said for the log. */
	void (*on_trouble)(void *owner, int error);
};

struct listener {
	struct list_node node;          /* for the owner */
	int fd;                         /* owned; -1 when closed */
	struct addr addr;               /* as bound: a port of 0 replaced by the real one */
	const struct listener_ops *ops; /* borrowed */
	void *owner;                    /* borrowed */
	struct event event;
	struct timer retry;
	bool is_paused;
	bool is_adopted;
	bool refuses_new; /* its unix socket's file is gone already */
	bool listens_late;
	bool takes_v4; /* an IPv6 socket that IPv4 clients reach too */
};

struct listener_setup {
	struct event_base *base;
	struct clock *clock;
	const struct listener_ops *ops;
	void *owner;
	bool reuseport; /* share the port with other processes; without effect on a unix socket */
};

/*
 * Binds and listens; accepts once listener_start() was called. False with errno set, nothing left open. A shared port is listened on
 * from listener_start() on: until then its clients go to the other processes.
 */
MUST_USE bool listener_open(struct listener *listener, const struct listener_setup *setup,
			    const struct addr *addr);
/* Takes over a stream socket (IPv4, IPv6, unix) that listens already; false with errno set, still the caller's, when it is none. */
MUST_USE bool listener_adopt(struct listener *listener, const struct listener_setup *setup, int fd);
void listener_start(struct listener *listener);

/*
 * Nobody new gets in from now on, and whose handshake is under way still does: what comes between the last accept and the close would be
 * reset with its request on the way. A SYN is dropped, so that it comes again a second later (RFC 6298 section 2) to whoever listens
 * then; a unix socket's file is removed. Not for adopted ones, which others hold too.
 */
void listener_refuse_new(struct listener *listener);

/* Accepts what waits now, as far as may_accept allows: before listener_close(), which would reset it. */
void listener_take_waiting(struct listener *listener);

/* Closes the socket; removes a unix socket's file unless it was adopted. */
void listener_close(struct listener *listener);

void listener_set_paused(struct listener *listener, bool paused);
