/*
 * The listening sockets: those of `listen`, or those that systemd hands over (socket activation), named "http" or, with TLS, "https".
 * Those of the admin interface are admin_doors.h's.
 */
#pragma once

#include "base/macros.h"
#include "net/listener.h"

#include <stdbool.h>
#include <stddef.h>

struct clock;
struct config;
struct event_base;
struct log;
struct proxy;
struct tls_server;

struct door {
	struct doors *doors; /* borrowed */
	struct listener listener;
	bool is_tls;
};

struct doors {
	struct proxy *proxy;    /* borrowed */
	struct log *log;        /* borrowed */
	struct tls_server *tls; /* borrowed; NULL only where no door needs it */
	struct door *items;     /* owned */
	size_t count;
};

/* Binds them all, accepting nothing yet. False when one cannot be had; the log says why and what to do. */
MUST_USE bool doors_open(struct doors *doors, const struct config *config, struct proxy *proxy,
			 struct event_base *base, struct clock *clock, struct log *log);
/* With what TLS is spoken from now on. False, with the reason logged, when it is NULL and a door needs it; the old one then stays. */
MUST_USE bool doors_set_tls(struct doors *doors, struct tls_server *tls);
void doors_start(struct doors *doors);
/* There is room for a client again. */
void doors_resume(struct doors *doors);
/*
 * Lets nobody new in (net/listener.h), before doors_take_waiting() and doors_close(). Inherited sockets are closed at once: they stay open at
 * systemd, and what connects waits there for the next process.
 */
void doors_shut(struct doors *doors);
/* Accepts who waits: the kernel would reset him at the close. */
void doors_take_waiting(struct doors *doors);
void doors_close(struct doors *doors);
bool doors_are_closed(const struct doors *doors);
void doors_fini(struct doors *doors);

/* "127.0.0.1:8080 tls:[::1]:8443". Returns `out`. */
char *doors_write(const struct doors *doors, char *out, size_t out_bytes);

/* Does this address lead to one of them? A hosts-file entry that sends the API's name to ourselves would make us call ourselves for ever. */
bool doors_are_at(const struct doors *doors, const struct addr *addr);
