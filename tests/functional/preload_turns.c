/*
 * LD_PRELOAD: the most bytes that were received from one socket in a turn of the loop, said whenever it grows: "preload: N bytes a turn".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DESCRIPTORS = 1024 };

static ssize_t in_turn[DESCRIPTORS];
static ssize_t most;

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
	memset(in_turn, 0, sizeof(in_turn));
	return (int)syscall(SYS_epoll_wait, epoll, events, max, timeout_ms);
}

ssize_t recv(int fd, void *data, size_t cap, int flags)
{
	ssize_t n = syscall(SYS_recvfrom, fd, data, cap, flags, NULL, NULL);

	if (n > 0 && fd < DESCRIPTORS && !(flags & MSG_PEEK)) {
		in_turn[fd] += n;
		if (in_turn[fd] > most) {
			most = in_turn[fd];
			dprintf(STDERR_FILENO, "preload: %zd bytes a turn\n", most);
		}
	}
	return n;
}
