/*
 * LD_PRELOAD: a socket whose buffer is full. The first write of PRELOAD_FULL_BYTES bytes to one takes nothing; the next one does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	static int was_full;
	const char *bytes = getenv("PRELOAD_FULL_BYTES");

	if (!was_full && bytes != NULL && len == strtoul(bytes, NULL, 10)) {
		was_full = 1;
		dprintf(STDERR_FILENO, "preload: full\n");
		errno = EAGAIN;
		return -1;
	}
	return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}
