/*
 * LD_PRELOAD: a socket whose buffer is full. The first write of PRELOAD_FULL_BYTES bytes to one takes nothing; the next one does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t write(int fd, const void *data, size_t len)
{
	static int was_full;
	const char *bytes = getenv("PRELOAD_FULL_BYTES");
	int type;
	socklen_t type_len = sizeof(type);

	if (!was_full && bytes != NULL && len == strtoul(bytes, NULL, 10) &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0) {
		was_full = 1;
		errno = EAGAIN;
		return -1;
	}
	return syscall(SYS_write, fd, data, len);
}
