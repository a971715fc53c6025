/* Owns a listening socket and accepts from it in batches. */
#include "net/listener.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096, BATCH = 64, TROUBLE_PAUSE_MS = 100 };

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void on_retry(void *arg)
{
	struct listener *listener = arg;

	if (!listener->is_paused && listener->fd >= 0) {
		event_add(&listener->event, NULL);
	}
}

/* Another process's dead socket file is removed; a live one is not. */
static void remove_stale_file(const struct addr *addr)
{
	struct stat info;
	int probe;

	if (lstat(addr->sa.local.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
		return;
	}
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0) {
		return;
	}
	if (connect(probe, &addr->sa.any, addr->len) != 0 && errno == ECONNREFUSED) {
		(void)unlink(addr->sa.local.sun_path);
	}
	close(probe);
}

/* Newer kernels know SO_REUSEPORT for the internet's families only. */
static bool is_shared(const struct listener_setup *setup, const struct addr *addr)
{
	return setup->reuseport && !addr_is_local(addr);
}

/* A shared port's listens at the start only: from then on the kernel gives it its share of the clients. */
static bool bind_and_listen(int fd, const struct listener_setup *setup, const struct addr *addr)
{
	const int on = 1;

	if (addr_is_local(addr)) {
		remove_stale_file(addr);
	} else {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		/* Accepted sockets inherit it. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	if (addr->sa.any.sa_family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
	if (is_shared(setup, addr) &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
		return false;
	}
	if (bind(fd, &addr->sa.any, addr->len) != 0) {
		return false;
	}
	if (addr_is_local(addr)) {
		/* Who may reach the directory may use the pool; restrict the directory. */
		(void)chmod(addr->sa.local.sun_path, 0666);
	}
	return is_shared(setup, addr) || listen(fd, BACKLOG) == 0;
}

static void set_up(struct listener *listener, const struct listener_setup *setup, int fd)
{
	*listener = (struct listener){.fd = fd, .ops = setup->ops, .owner = setup->owner};
	event_assign(&listener->event, setup->base, fd, EV_READ | EV_PERSIST, on_ready, listener);
	timer_init(&listener->retry, setup->base, setup->clock, on_retry, listener);
}

bool listener_open(struct listener *listener, const struct listener_setup *setup,
		   const struct addr *addr)
{
	int fd = socket(addr->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return false;
	}
	if (!bind_and_listen(fd, setup, addr)) {
		int error = errno;

		close(fd);
		errno = error;
		return false;
	}
	set_up(listener, setup, fd);
	listener->listens_late = is_shared(setup, addr);
	listener->addr = *addr;
	if (!addr_is_local(addr)) {
		(void)getsockname(fd, &listener->addr.sa.any, &listener->addr.len);
	}
	return true;
}

/* False with errno set when the descriptor is no socket. */
static bool read_flag(int fd, int level, int name, int *ret_value)
{
	socklen_t len = sizeof(*ret_value);

	return getsockopt(fd, level, name, ret_value, &len) == 0;
}

static bool is_known_family(const struct addr *addr)
{
	sa_family_t family = addr->sa.any.sa_family;

	return family == AF_INET || family == AF_INET6 || family == AF_UNIX;
}

bool listener_adopt(struct listener *listener, const struct listener_setup *setup, int fd)
{
	struct addr addr = {.len = sizeof(addr.sa)};
	const int on = 1;
	int listens = 0;
	int type = 0;
	int only_v6 = 1;

	if (!read_flag(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens) ||
	    !read_flag(fd, SOL_SOCKET, SO_TYPE, &type) ||
	    getsockname(fd, &addr.sa.any, &addr.len) != 0) {
		return false;
	}
	if (listens == 0 || type != SOCK_STREAM || !is_known_family(&addr)) {
		errno = EINVAL;
		return false;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		return false;
	}
	if (!addr_is_local(&addr)) {
		/* Whoever made it may not have thought of it. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	set_up(listener, setup, fd);
	listener->addr = addr;
	listener->is_adopted = true;
	listener->takes_v4 = addr.sa.any.sa_family == AF_INET6 &&
			     read_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6) && only_v6 == 0;
	return true;
}

void listener_start(struct listener *listener)
{
	if (listener->listens_late && listen(listener->fd, BACKLOG) != 0) {
		listener->ops->on_trouble(listener->owner, errno);
	}
	event_add(&listener->event, NULL);
}

/* Its packets begin with the TCP header: the flags are at 13, SYN is 0x02 (RFC 9293 section 3.1). */
static void drop_syns(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void listener_refuse_new(struct listener *listener)
{
	if (listener->fd < 0 || listener->is_adopted) {
		return;
	}
	if (addr_is_local(&listener->addr)) {
		(void)unlink(listener->addr.sa.local.sun_path);
	} else {
		drop_syns(listener->fd);
	}
	listener->refuses_new = true;
}

void listener_close(struct listener *listener)
{
	if (listener->fd < 0) {
		return;
	}
	event_del(&listener->event);
	timer_fini(&listener->retry);
	close(listener->fd);
	listener->fd = -1;
	if (addr_is_local(&listener->addr) && !listener->is_adopted && !listener->refuses_new) {
		(void)unlink(listener->addr.sa.local.sun_path);
	}
}

void listener_set_paused(struct listener *listener, bool paused)
{
	if (listener->fd < 0 || paused == listener->is_paused) {
		return;
	}
	listener->is_paused = paused;
	if (paused) {
		event_del(&listener->event);
	} else {
		event_add(&listener->event, NULL);
	}
}

/* Nothing waits any more, or only that one has gone. All else may last, and must not turn the loop. */
static bool is_passing(int error)
{
	return error == EAGAIN || error == ECONNABORTED || error == EINTR;
}

/* False when no more should be accepted in this turn. */
static bool accept_one(struct listener *listener)
{
	struct addr peer = {.len = sizeof(peer.sa)};
	int accepted;

	if (!listener->ops->may_accept(listener->owner)) {
		listener_set_paused(listener, true);
		return false;
	}
	accepted = accept4(listener->fd, &peer.sa.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (accepted >= 0) {
		return listener->ops->on_accept(listener->owner, accepted, &peer);
	}
	if (!is_passing(errno)) {
		listener->ops->on_trouble(listener->owner, errno);
		event_del(&listener->event);
		timer_set(&listener->retry, listener->retry.clock->now_ms + TROUBLE_PAUSE_MS);
		return false;
	}
	return errno != EAGAIN;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	clock_refresh(listener->retry.clock);
	for (int i = 0; i < BATCH && listener->fd >= 0 && accept_one(listener); i++) {
	}
}

void listener_take_waiting(struct listener *listener)
{
	for (int i = 0; i < BACKLOG && listener->fd >= 0 && accept_one(listener); i++) {
	}
}
