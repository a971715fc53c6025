/*
 * The listening sockets of the admin interface: that of `admin.listen`, or those that systemd hands over, named "admin".
 */
#pragma once

#include "admin/fence.h"
#include "base/macros.h"
#include "net/listener.h"

#include <stdbool.h>
#include <stddef.h>

struct admin;
struct clock;
struct config;
struct event_base;
struct log;

#define ADMIN_DOORS_NAME "admin"

/* Zeroed memory is none. */
struct admin_doors {
	struct listener items[FENCE_DOORS]; /* they hold the sockets; libevhtp accepts */
	size_t count;
};

/* Binds them and has `admin` serve them. False when one cannot be had; the log says why and what to do. None with admin.listen: off. */
MUST_USE bool admin_doors_open(struct admin_doors *doors, const struct config *config,
			       struct admin *admin, struct event_base *base, struct clock *clock,
			       struct log *log);
/* Closes them, once `admin` has ended. */
void admin_doors_fini(struct admin_doors *doors);

/* "127.0.0.1:8081", or "off". Returns `out`. */
char *admin_doors_write(const struct admin_doors *doors, char *out, size_t out_bytes);
