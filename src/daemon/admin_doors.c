/* Owns the listening sockets of the admin interface. */
#include "daemon/admin_doors.h"

#include "admin/admin.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { INHERITED_MAX = 64 };

static bool adopt(struct admin_doors *doors, const struct listener_setup *setup,
		  struct admin *admin, int fd, struct log *log)
{
	if (doors->count == FENCE_DOORS) {
		log_write(log, LOG_ERROR, "admin",
			  "more than %d sockets from systemd are named " ADMIN_DOORS_NAME,
			  FENCE_DOORS);
		return false;
	}
	if (!listener_adopt(&doors->items[doors->count], setup, fd)) {
		log_write(
			log, LOG_ERROR, "admin",
			"descriptor %d from systemd is no listening stream socket: %s; the socket unit needs "
			"ListenStream= and FileDescriptorName=" ADMIN_DOORS_NAME,
			fd, strerror(errno));
		return false;
	}
	if (!admin_serve(admin, doors->items[doors->count++].fd)) {
		log_write(log, LOG_ERROR, "admin",
			  "descriptor %d from systemd cannot be served: %s", fd, strerror(errno));
		return false;
	}
	return true;
}

static bool adopt_all(struct admin_doors *doors, const struct listener_setup *setup,
		      struct admin *admin, bool is_off, struct log *log)
{
	struct service_socket sockets[INHERITED_MAX];
	int count = service_inherited(sockets, INHERITED_MAX);

	/* That there are too many, doors_open() says. */
	for (int i = 0; i < count && i < INHERITED_MAX; i++) {
		if (strcmp(sockets[i].name, ADMIN_DOORS_NAME) != 0) {
			continue;
		}
		if (is_off) {
			log_write(log, LOG_WARNING, "admin",
				  "descriptor %d from systemd is not used: admin.listen is off",
				  sockets[i].fd);
		} else if (!adopt(doors, setup, admin, sockets[i].fd, log)) {
			return false;
		}
	}
	return true;
}

bool admin_doors_open(struct admin_doors *doors, const struct config *config, struct admin *admin,
		      struct event_base *base, struct clock *clock, struct log *log)
{
	const struct listener_setup setup = {.base = base, .clock = clock};
	const char *text = config->admin_listen;
	bool is_off = strcmp(text, "off") == 0;
	char where[CONFIG_WHERE_BYTES];
	struct addr addr;
	int error;

	if (!adopt_all(doors, &setup, admin, is_off, log)) {
		return false;
	}
	if (doors->count > 0 || is_off) {
		return true;
	}
	if (addr_parse(text, &addr) && listener_open(&doors->items[0], &setup, &addr)) {
		doors->count = 1;
		if (admin_serve(admin, doors->items[0].fd)) {
			return true;
		}
	}
	error = errno;
	log_write(log, LOG_ERROR, "admin", "%s: cannot listen on %s: %s; %s",
		  config_where(config->origins[OPTION_ID_admin_listen], "admin.listen", where),
		  text, strerror(error),
		  error == EADDRINUSE
			  ? "another instance may have it: give this one another port, as in "
			    "--set admin.listen=127.0.0.1:8091, or none, --set admin.listen=off"
			  : "correct the option");
	return false;
}

void admin_doors_fini(struct admin_doors *doors)
{
	while (doors->count > 0) {
		listener_close(&doors->items[--doors->count]);
	}
}

char *admin_doors_write(const struct admin_doors *doors, char *out, size_t out_bytes)
{
	char text[ADDR_TEXT_BYTES];
	size_t len = 0;

	snprintf(out, out_bytes, "off");
	for (size_t i = 0; i < doors->count && len < out_bytes; i++) {
		len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", i > 0 ? " " : "",
					addr_write(&doors->items[i].addr, text));
	}
	return out;
}
