/*
 * LD_PRELOAD: a socket whose buffer is full. Of the writes of PRELOAD_FULL_BYTES bytes, the one of number PRELOAD_FULL_NTH (the first without it)
 * takes nothing; the next one does. From then on each write is told: "preload: sent N", with " more" when it was held back for more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long number_in(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	static unsigned long seen;
	static int was_full;

	if (!was_full && len == number_in("PRELOAD_FULL_BYTES", 0) &&
	    ++seen == number_in("PRELOAD_FULL_NTH", 1)) {
		was_full = 1;
		dprintf(STDERR_FILENO, "preload: full\n");
		errno = EAGAIN;
		return -1;
	}
	if (was_full) {
		dprintf(STDERR_FILENO, "preload: sent %zu%s\n", len,
			flags & MSG_MORE ? " more" : "");
	}
	return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}
