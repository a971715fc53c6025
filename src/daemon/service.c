/* Owns the conversation with systemd. */
#include "daemon/service.h"

#include "base/clock.h"
#include "version.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATUS_MS = 5000, STOP_MARGIN_MS = 5000 };

#ifdef WARMPOOL_HAS_SYSTEMD
#include <systemd/sd-daemon.h>

static void notify(const char *text)
{
	(void)sd_notify(0, text);
}

static uint64_t watchdog_us(void)
{
	uint64_t interval_us = 0;

	return sd_watchdog_enabled(0, &interval_us) > 0 ? interval_us : 0;
}

int service_inherited(struct service_socket *sockets, size_t max)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(0, &names);

	for (int i = 0; i < count; i++) {
		if ((size_t)i < max) {
			sockets[i].fd = SD_LISTEN_FDS_START + i;
			snprintf(sockets[i].name, sizeof(sockets[i].name), "%s", names[i]);
		}
		free(names[i]);
	}
	free(names);
	return count;
}
#else
static void notify(const char *text)
{
	(void)text;
}

static uint64_t watchdog_us(void)
{
	return 0;
}

int service_inherited(struct service_socket *sockets, size_t max)
{
	(void)sockets;
	(void)max;
	return 0;
}
#endif

static void on_watchdog(void *owner)
{
	struct service *service = owner;

	notify("WATCHDOG=1");
	timer_set(&service->watchdog, service->clock->now_ms + service->watchdog_ms);
}

static void tell_status(struct service *service)
{
	char text[SERVICE_STATUS_BYTES];
	char line[SERVICE_STATUS_BYTES + 8];

	service->write_status(service->owner, text);
	if (strcmp(text, service->told) != 0) {
		memcpy(service->told, text, sizeof(text));
		snprintf(line, sizeof(line), "STATUS=%s", text);
		notify(line);
	}
}

static void on_status(void *owner)
{
	struct service *service = owner;

	tell_status(service);
	timer_set(&service->status, service->clock->now_ms + STATUS_MS);
}

void service_init(struct service *service, struct event_base *base, struct clock *clock,
		  void (*write_status)(void *owner, char out[SERVICE_STATUS_BYTES]), void *owner)
{
	*service = (struct service){.clock = clock, .write_status = write_status, .owner = owner};
	timer_init(&service->watchdog, base, clock, on_watchdog, service);
	timer_init(&service->status, base, clock, on_status, service);
	/* Three signs in the time that systemd grants for one. */
	service->watchdog_ms = watchdog_us() / 3000;
	if (service->watchdog_ms > 0) {
		timer_set(&service->watchdog, clock->now_ms);
	}
	if (getenv("NOTIFY_SOCKET") != NULL) {
		timer_set(&service->status, clock->now_ms);
	}
}

void service_fini(struct service *service)
{
	timer_fini(&service->watchdog);
	timer_fini(&service->status);
}

void service_serving(struct service *service)
{
	service->is_serving = true;
	service_ready(service);
}

void service_ready(struct service *service)
{
	tell_status(service);
	if (service->is_serving) {
		notify("READY=1");
	}
}

void service_reloading(void)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	notify(text);
}

void service_stopping(struct service *service, uint64_t at_most_ms)
{
	char text[64];

	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
		 (at_most_ms + STOP_MARGIN_MS) * 1000);
	notify(text);
	tell_status(service);
}
