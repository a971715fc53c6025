/* Raises and checks the limit of file descriptors. */
#include "daemon/limits.h"

#include "base/log.h"
#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

bool limits_raise(const struct config *config, struct log *log)
{
	struct rlimit limit;
	uint64_t needed = config->limits_clients + config->pool_size + LIMITS_RESERVE;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		log_write(log, LOG_ERROR, "start",
			  "the limit of file descriptors cannot be read: %s", strerror(errno));
		return false;
	}
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) {
		return true;
	}
	log_write(log, LOG_ERROR, "start",
		  "too few file descriptors: %" PRIu64 " are allowed, limits.clients (%" PRIu64
		  ") + pool.size (%" PRIu64 ") + %d of our own need %" PRIu64
		  "; raise the limit (ulimit -n %" PRIu64 ", or LimitNOFILE=%" PRIu64
		  " in the systemd unit) or lower limits.clients",
		  (uint64_t)limit.rlim_cur, config->limits_clients, config->pool_size,
		  LIMITS_RESERVE, needed, needed, needed);
	return false;
}
