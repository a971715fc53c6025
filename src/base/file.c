/* Reads small files whole. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads until the end or `bytes`; false with errno. */
static bool read_all(int fd, char *data, size_t bytes, size_t *ret_len)
{
	size_t len = 0;

	while (len < bytes) {
		ssize_t n = read(fd, data + len, bytes - len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return false;
		}
		if (n == 0) {
			break;
		}
		len += (size_t)n;
	}
	*ret_len = len;
	return true;
}

bool file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data;
	size_t len = 0;
	int failure = 0;

	if (fd < 0) {
		return false;
	}
	data = mem_alloc(max_bytes + 2); /* one more to see that there is more, and a NUL */
	if (!read_all(fd, data, max_bytes + 1, &len)) {
		failure = errno;
	} else if (len > max_bytes) {
		failure = EFBIG;
	}
	close(fd);
	if (failure != 0) {
		explicit_bzero(data, len); /* it may hold a secret */
		free(data);
		errno = failure;
		return false;
	}
	*ret_data = data;
	*ret_len = len;
	return true;
}
