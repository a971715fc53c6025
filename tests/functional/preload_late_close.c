/*
 * LD_PRELOAD: a process that stands still just before it closes a listening TCP socket, as a busy machine may let it: until the file
 * PRELOAD_GO is there, 10 s at most. "preload: closing" is told before.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_tcp_listener(int fd)
{
	int listens = 0;
	int domain = 0;
	socklen_t len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET;
}

int close(int fd)
{
	if (is_tcp_listener(fd)) {
		dprintf(STDERR_FILENO, "preload: closing\n");
		for (int i = 0; i < 1000 && access(getenv("PRELOAD_GO"), F_OK) != 0; i++) {
			usleep(10000);
		}
	}
	return (int)syscall(SYS_close, fd);
}
