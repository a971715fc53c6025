/* Looks at this machine: descriptors, ports, the backlog, who listens. */
#include "base/file.h"
#include "base/macros.h"
#include "base/str.h"
#include "config/config.h"
#include "config/config_listen.h"
#include "daemon/doctor_parts.h"
#include "daemon/doors.h"
#include "daemon/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SYSCTL_BYTES_MAX = 256, PORTS_PER_CONNECTION = 4 };

/* --- descriptors --- */

static void print_limit(char out[REPORT_TIME_BYTES], rlim_t limit)
{
	if (limit == RLIM_INFINITY) {
		snprintf(out, REPORT_TIME_BYTES, "any number");
	} else {
		snprintf(out, REPORT_TIME_BYTES, "%" PRIu64, (uint64_t)limit);
	}
}

static void look_at_descriptors(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	uint64_t needed = config->limits_clients + config->pool_size + LIMITS_RESERVE;
	struct rlimit limit;
	char soft[REPORT_TIME_BYTES];
	char hard[REPORT_TIME_BYTES];
	char remedy[160];

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		return;
	}
	print_limit(soft, limit.rlim_cur);
	print_limit(hard, limit.rlim_max);
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= needed) {
		report_line(
			&doctor->report, "descriptors",
			"%" PRIu64
			" needed (limits.clients + pool.size + %d); here the soft limit is %s, the hard one %s",
			needed, LIMITS_RESERVE, soft, hard);
		return;
	}
	report_warning(&doctor->report, "descriptors",
		       "%s at most, but limits.clients (%" PRIu64 ") + pool.size (%" PRIu64
		       ") + %d of our own need %" PRIu64 ": warmpool will not start",
		       hard, config->limits_clients, config->pool_size, LIMITS_RESERVE, needed);
	snprintf(remedy, sizeof(remedy),
		 "ulimit -n %" PRIu64 " here, LimitNOFILE=%" PRIu64
		 " in a systemd unit, or lower limits.clients",
		 needed, needed);
	report_remedy(&doctor->report, remedy);
}

/* --- sysctls --- */

bool doctor_read_ports(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
	struct span first = {text, strcspn(text, " \t\n")};
	const char *rest = text + first.len + strspn(text + first.len, " \t");
	uint64_t from;
	uint64_t to;

	if (!str_read_u64(first, &from) ||
	    !str_read_u64((struct span){rest, strcspn(rest, " \t\n")}, &to) || to < from) {
		return false;
	}
	*ret_first = from;
	*ret_last = to;
	return true;
}

static void look_at_ports(struct doctor *doctor)
{
	uint64_t wanted = doctor->config->pool_size * PORTS_PER_CONNECTION;
	char *text;
	size_t len;
	uint64_t first;
	uint64_t last;

	if (!file_read("/proc/sys/net/ipv4/ip_local_port_range", SYSCTL_BYTES_MAX, &text, &len)) {
		return;
	}
	if (!doctor_read_ports(text, &first, &last)) {
		free(text);
		return;
	}
	free(text);
	if (last - first + 1 >= wanted) {
		report_line(&doctor->report, "ports",
			    "%" PRIu64 " to go out from (%" PRIu64 "-%" PRIu64 "), for %" PRIu64
			    " connections",
			    last - first + 1, first, last, doctor->config->pool_size);
		return;
	}
	report_warning(&doctor->report, "ports",
		       "only %" PRIu64 " to go out from (%" PRIu64 "-%" PRIu64 ") for %" PRIu64
		       " connections, and a closed one holds its port for a minute",
		       last - first + 1, first, last, doctor->config->pool_size);
	report_remedy(&doctor->report, "sysctl net.ipv4.ip_local_port_range=\"10240 65535\"");
}

static void look_at_backlog(struct doctor *doctor)
{
	uint64_t clients = doctor->config->limits_clients;
	uint64_t wanted = MIN(clients, 4096);
	char *text;
	size_t len;
	uint64_t most;
	bool is_read;

	if (!file_read("/proc/sys/net/core/somaxconn", SYSCTL_BYTES_MAX, &text, &len)) {
		return;
	}
	is_read = str_read_u64((struct span){text, strcspn(text, "\n")}, &most);
	free(text);
	if (!is_read) {
		return;
	}
	if (most >= wanted) {
		report_line(&doctor->report, "backlog",
			    "%" PRIu64 " clients may wait to be accepted", MIN(most, 4096));
		return;
	}
	report_warning(&doctor->report, "backlog",
		       "only %" PRIu64
		       " clients may wait to be accepted, and limits.clients is %" PRIu64
		       ": a burst of connects is slowed down",
		       most, clients);
	report_remedy(&doctor->report, "sysctl net.core.somaxconn=4096");
}

/* --- where to listen --- */

/* errno of the attempt, 0 when the address is free. Nothing listens at any moment, so no client is taken from anyone. */
static int try_to_bind(const struct addr *addr)
{
	const int on = 1;
	int error = 0;
	int fd = socket(addr->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return errno;
	}
	if (addr_is_local(addr)) {
		/* The other way round, for binding would leave a file: does one answer? */
		error = connect(fd, &addr->sa.any, addr->len) == 0 || errno == EAGAIN ? EADDRINUSE
										      : 0;
	} else {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (addr->sa.any.sa_family == AF_INET6) {
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		}
		if (bind(fd, &addr->sa.any, addr->len) != 0) {
			error = errno;
		}
	}
	close(fd);
	return error;
}

static void look_at_listener(struct doctor *doctor, const char *text)
{
	struct listen_at at;
	int error;

	if (!config_listen_parse(text, &at)) {
		return;
	}
	error = try_to_bind(&at.addr);
	switch (error) {
	case 0:
		report_line(&doctor->report, "listen", "%s is free: no warmpool runs there", text);
		break;
	case EADDRINUSE:
		report_line(&doctor->report, "listen",
			    "%s is taken: by a warmpool that runs, or by something else (ss -ltnp)",
			    text);
		break;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		report_line(&doctor->report, "listen", "%s is no address of this machine", text);
		break;
	default:
		report_warning(&doctor->report, "listen", "%s cannot be had: %s", text,
			       strerror(error));
		break;
	}
}

bool doctor_is_ourselves(const struct config *config, const struct addr *addr)
{
	struct doors doors = {0};
	bool found = false;

	for (size_t i = 0; i < config->listen.count && !found; i++) {
		struct door door = {.listener = {.fd = -1}};
		struct listen_at at;

		doors.items = &door;
		doors.count = 1;
		found = config_listen_parse(config->listen.items[i], &at);
		if (found) {
			door.listener.addr = at.addr;
			found = doors_are_at(&doors, addr);
		}
	}
	return found;
}

void doctor_machine(struct doctor *doctor)
{
	report_heading(&doctor->report, "this machine");
	look_at_descriptors(doctor);
	look_at_ports(doctor);
	look_at_backlog(doctor);
	for (size_t i = 0; i < doctor->config->listen.count; i++) {
		look_at_listener(doctor, doctor->config->listen.items[i]);
	}
}
