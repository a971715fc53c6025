/* Owns the listening sockets and hands what they accept to the proxy. */
#include "daemon/doors.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/config_listen.h"
#include "daemon/admin_doors.h"
#include "daemon/service.h"
#include "proxy/client.h"
#include "proxy/proxy.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INHERITED_MAX = 64 };

static bool on_accept(void *owner, int fd, const struct addr *peer)
{
	struct door *door = owner;
	struct proxy *proxy = door->doors->proxy;
	uint16_t port = addr_is_local(&door->listener.addr) ? 0 : addr_port(&door->listener.addr);

	client_new(proxy, fd, peer, port, door->is_tls ? door->doors->tls : NULL);
	/* may_accept() closes an idle client for the next: only once the loop has said that one waits. */
	return proxy_client_count(proxy) < proxy->config->limits_clients;
}

static bool may_accept(void *owner)
{
	struct proxy *proxy = ((struct door *)owner)->doors->proxy;

	proxy->is_full = proxy_client_count(proxy) >= proxy->config->limits_clients &&
			 !proxy_close_idle_client(proxy);
	return !proxy->is_full;
}

static void on_trouble(void *owner, int error)
{
	struct doors *doors = ((struct door *)owner)->doors;

	log_write(doors->log, LOG_WARNING, "listener", "accepting pauses: %s (clients=%zu)%s",
		  strerror(error), proxy_client_count(doors->proxy),
		  error == EMFILE || error == ENFILE ? "; raise LimitNOFILE= or ulimit -n" : "");
}

static const struct listener_ops listener_ops = {
	.on_accept = on_accept, .may_accept = may_accept, .on_trouble = on_trouble};

static bool is_skippable(const struct config *config, const struct addr *addr, int error)
{
	bool is_default =
		config->listen.count == 2 && strcmp(config->listen.items[1], "[::1]:8080") == 0;

	return is_default && addr->sa.any.sa_family == AF_INET6 &&
	       (error == EADDRNOTAVAIL || error == EAFNOSUPPORT);
}

/* The next door, ready to be opened; `setup` is completed for it. */
static struct door *next_door(struct doors *doors, struct listener_setup *setup)
{
	struct door *door = &doors->items[doors->count];

	door->doors = doors;
	setup->ops = &listener_ops;
	setup->owner = door;
	return door;
}

static bool open_door(struct doors *doors, const struct config *config,
		      struct listener_setup *setup, const char *text)
{
	struct door *door = next_door(doors, setup);
	char where[CONFIG_WHERE_BYTES];
	struct listen_at at;
	int error;

	if (!config_listen_parse(text, &at)) {
		abort(); /* it was checked */
	}
	if (listener_open(&door->listener, setup, &at.addr)) {
		door->is_tls = at.is_tls;
		doors->count++;
		return true;
	}
	error = errno;
	if (is_skippable(config, &at.addr, error)) {
		log_write(doors->log, LOG_INFO, "listener", "no IPv6 here: %s is skipped", text);
		return true;
	}
	log_write(doors->log, LOG_ERROR, "listener", "%s: cannot listen on %s: %s; %s",
		  config_where(config->origins[OPTION_ID_listen], "listen", where), text,
		  strerror(error),
		  error == EADDRINUSE
			  ? "stop what uses it, or choose another port: --set listen=127.0.0.1:8090"
			  : "correct the option");
	return false;
}

static bool adopt_door(struct doors *doors, struct listener_setup *setup, int fd, bool is_tls)
{
	struct door *door = next_door(doors, setup);

	if (listener_adopt(&door->listener, setup, fd)) {
		door->is_tls = is_tls;
		doors->count++;
		return true;
	}
	log_write(doors->log, LOG_ERROR, "listener",
		  "descriptor %d from systemd is no listening stream socket: %s; "
		  "the socket unit needs ListenStream= and FileDescriptorName=http (or https)",
		  fd, strerror(errno));
	return false;
}

/*
 * Those that are for us; one for the admin interface is taken there, and one for others, or of a unit that names nothing, is said and
 * left alone.
 */
static bool adopt_doors(struct doors *doors, struct listener_setup *setup,
			const struct service_socket *sockets, int count)
{
	for (int i = 0; i < count; i++) {
		bool is_tls = strcmp(sockets[i].name, "https") == 0;

		if (strcmp(sockets[i].name, ADMIN_DOORS_NAME) == 0) {
			continue;
		}
		if (!is_tls && strcmp(sockets[i].name, "http") != 0) {
			log_write(doors->log, LOG_WARNING, "listener",
				  "descriptor %d from systemd is not used: it is named %s; "
				  "only FileDescriptorName=http, =https and =" ADMIN_DOORS_NAME
				  " are served",
				  sockets[i].fd, sockets[i].name);
		} else if (!adopt_door(doors, setup, sockets[i].fd, is_tls)) {
			return false;
		}
	}
	return true;
}

bool doors_open(struct doors *doors, const struct config *config, struct proxy *proxy,
		struct event_base *base, struct clock *clock, struct log *log)
{
	struct listener_setup setup = {
		.base = base, .clock = clock, .reuseport = config->listen_reuseport};
	struct service_socket sockets[INHERITED_MAX];
	int inherited = service_inherited(sockets, INHERITED_MAX);

	*doors = (struct doors){.proxy = proxy, .log = log};
	if (inherited < 0 || inherited > INHERITED_MAX) {
		log_write(log, LOG_ERROR, "listener",
			  "the sockets from systemd cannot be taken over: %s",
			  strerror(inherited < 0 ? -inherited : E2BIG));
		return false;
	}
	doors->items =
		mem_alloc((config->listen.count + (size_t)inherited) * sizeof(*doors->items));
	if (!adopt_doors(doors, &setup, sockets, inherited)) {
		return false;
	}
	if (doors->count > 0) {
		log_write(log, LOG_INFO, "listener",
			  "%zu sockets from systemd take the place of listen", doors->count);
		return true;
	}
	for (size_t i = 0; i < config->listen.count; i++) {
		if (!open_door(doors, config, &setup, config->listen.items[i])) {
			return false;
		}
	}
	return true;
}

bool doors_set_tls(struct doors *doors, struct tls_server *tls)
{
	for (size_t i = 0; tls == NULL && i < doors->count; i++) {
		if (doors->items[i].is_tls) {
			log_write(
				doors->log, LOG_ERROR, "listener",
				"a listening socket for TLS needs tls.cert_file and tls.key_file");
			return false;
		}
	}
	doors->tls = tls;
	return true;
}

void doors_start(struct doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		listener_start(&doors->items[i].listener);
	}
}

void doors_resume(struct doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		listener_set_paused(&doors->items[i].listener, false);
	}
}

void doors_shut(struct doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		struct listener *listener = &doors->items[i].listener;

		if (listener->is_adopted) {
			listener_close(listener);
		} else {
			listener_refuse_new(listener);
		}
	}
}

void doors_take_waiting(struct doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		listener_take_waiting(&doors->items[i].listener);
	}
}

void doors_close(struct doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		listener_close(&doors->items[i].listener);
	}
}

bool doors_are_closed(const struct doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		if (doors->items[i].listener.fd >= 0) {
			return false;
		}
	}
	return true;
}

void doors_fini(struct doors *doors)
{
	doors_close(doors);
	free(doors->items);
	*doors = (struct doors){0};
}

char *doors_write(const struct doors *doors, char *out, size_t out_bytes)
{
	char text[ADDR_TEXT_BYTES];
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < doors->count && len < out_bytes; i++) {
		const struct door *door = &doors->items[i];

		len += (size_t)snprintf(out + len, out_bytes - len, "%s%s%s", i > 0 ? " " : "",
					door->is_tls ? "tls:" : "",
					addr_write(&door->listener.addr, text));
	}
	return out;
}

/* Is this address, without its port, one of this machine's? */
static bool is_own_address(const struct addr *addr)
{
	struct ifaddrs *interfaces;
	bool found = addr_is_loopback(addr);

	if (found || getifaddrs(&interfaces) != 0) {
		return found;
	}
	for (const struct ifaddrs *it = interfaces; it != NULL && !found; it = it->ifa_next) {
		struct addr own = {.len = addr->len};

		if (it->ifa_addr != NULL && it->ifa_addr->sa_family == addr->sa.any.sa_family) {
			memcpy(&own.sa, it->ifa_addr, addr->len);
			addr_set_port(&own, addr_port(addr));
			found = addr_is_equal(&own, addr);
		}
	}
	freeifaddrs(interfaces);
	return found;
}

/* Bound to no address in particular, and reached by this one's family? */
static bool is_everywhere(const struct listener *listener, const struct addr *addr)
{
	const struct addr *own = &listener->addr;
	struct addr everywhere = {.len = own->len};

	everywhere.sa.any.sa_family = own->sa.any.sa_family;
	addr_set_port(&everywhere, addr_port(own));
	return addr_is_equal(own, &everywhere) &&
	       (own->sa.any.sa_family == addr->sa.any.sa_family || listener->takes_v4);
}

bool doors_are_at(const struct doors *doors, const struct addr *addr)
{
	for (size_t i = 0; i < doors->count; i++) {
		const struct listener *listener = &doors->items[i].listener;

		if (addr_is_local(&listener->addr) ||
		    addr_port(&listener->addr) != addr_port(addr)) {
			continue;
		}
		if (addr_is_equal(&listener->addr, addr) ||
		    (is_everywhere(listener, addr) && is_own_address(addr))) {
			return true;
		}
	}
	return false;
}
