/*
 * What ties the daemon to systemd: readiness, status line, watchdog, sockets handed over. The only file that knows libsystemd;
 * without it, or when not started by systemd, all of this does nothing.
 *
 * The watchdog's sign of life comes from a timer of the loop itself, so that a loop that hangs is ended by systemd (WatchdogSec=).
 */
#pragma once

#include "net/timer.h"

#include <stddef.h>

enum { SERVICE_STATUS_BYTES = 256 };

struct service {
	struct clock *clock; /* borrowed */
	struct timer watchdog;
	struct timer status;
	uint64_t watchdog_ms; /* between two signs of life; 0: none is wanted */
	/* Writes the line that `systemctl status` shows. */
	void (*write_status)(void *owner, char out[SERVICE_STATUS_BYTES]);
	void *owner; /* borrowed */
	char told[SERVICE_STATUS_BYTES];
};

void service_init(struct service *service, struct event_base *base, struct clock *clock,
		  void (*write_status)(void *owner, char out[SERVICE_STATUS_BYTES]), void *owner);
void service_fini(struct service *service);

void service_ready(struct service *service);
void service_reloading(void);
void service_stopping(void);

/* The descriptors that systemd named so (FileDescriptorName=); returns how many, at most `max`. */
size_t service_inherited(const char *name, int *fds, size_t max);
