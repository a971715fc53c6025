/*
 * What ties the daemon to systemd: readiness, status line, watchdog, sockets handed over. The only file that knows libsystemd;
 * without it, or when not started by systemd, all of this does nothing.
 *
 * The watchdog's sign of life comes from a timer of the loop itself, so that a loop that hangs is ended by systemd (WatchdogSec=).
 */
#pragma once

#include "net/timer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVICE_STATUS_BYTES = 256, SERVICE_NAME_BYTES = 32 };

struct service {
	struct clock *clock; /* borrowed */
	struct timer watchdog;
	struct timer status;
	uint64_t watchdog_ms; /* between two signs of life; 0: none is wanted */
	/* Writes the line that `systemctl status` shows. */
	void (*write_status)(void *owner, char out[SERVICE_STATUS_BYTES]);
	void *owner; /* borrowed */
	char told[SERVICE_STATUS_BYTES];
	bool is_serving; /* systemd knows that the start is over */
};

/* A descriptor that systemd hands over, under its FileDescriptorName=. */
struct service_socket {
	int fd;
	char name[SERVICE_NAME_BYTES]; /* cut where it is longer */
};

void service_init(struct service *service, struct event_base *base, struct clock *clock,
		  void (*write_status)(void *owner, char out[SERVICE_STATUS_BYTES]), void *owner);
void service_fini(struct service *service);

/* The start is over: from now on requests are served. */
void service_serving(struct service *service);
/* A reload has begun, or is over. One before the start is over does not end the start. */
void service_reloading(void);
void service_ready(struct service *service);
/* The end has begun and may take so long, whatever TimeoutStopSec= says. */
void service_stopping(struct service *service, uint64_t at_most_ms);

/* What was handed over: how many, of which the first `max` are written; or a negative errno. */
int service_inherited(struct service_socket *sockets, size_t max);
