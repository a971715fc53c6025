/* Knows where each gauge is to be read. */
#include "admin/gauges.h"

#include "admin/admin.h"
#include "admin/health.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "net/resolver.h"
#include "pool/pool.h"
#include "proxy/proxy.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The labels' values follow the enums. */
_Static_assert((int)METRIC_STATE_COUNT == (int)CONN_BOUND_STATES, "states");
_Static_assert((int)METRIC_PHASE_COUNT == (int)CLIENT_DEAD, "phases");
_Static_assert((int)METRIC_IDLE_COUNT == (int)IDLE_SOURCES, "sources");
_Static_assert((int)METRIC_QUEUE_REPEAT == (int)QUEUE_CLASSES, "queue classes");

static double seconds(uint64_t us)
{
	return (double)us / 1e6;
}

static void read_pool(const struct pool *pool, struct metrics *metrics)
{
	for (unsigned i = 0; i < METRIC_STATE_COUNT; i++) {
		metrics->connections[i] = (double)pool->conns[i].count;
	}
	metrics->connections_max = (double)pool->settings.size;
	for (unsigned i = 0; i < QUEUE_CLASSES; i++) {
		metrics->queued[i] = (double)pool->queue.counts[i];
	}
	metrics->queued[METRIC_QUEUE_REPEAT] = (double)pool->urgent.count;
	metrics->queue_size = (double)pool->settings.queue_size;
	metrics->idle_timeout = (double)idle_learner_safe_ms(&pool->learner) / 1e3;
	for (unsigned i = 0; i < METRIC_IDLE_COUNT; i++) {
		metrics->idle_source[i] = i == (unsigned)idle_learner_source(&pool->learner);
	}
	metrics->round_trip = seconds(pool->round_trip_us);
	metrics->breaker_open = warmer_is_open(&pool->warmer);
}

static void read_proxy(const struct proxy *proxy, struct metrics *metrics)
{
	for (unsigned i = 0; i < METRIC_PHASE_COUNT; i++) {
		metrics->clients[i] = (double)proxy->clients[i].count;
	}
	metrics->clients_max = (double)proxy->config->limits_clients;
	metrics->in_flight = (double)proxy->exchanges.count;
	metrics->buffered = (double)proxy->buffers.used_bytes;
	metrics->buffered_max = (double)proxy->buffers.limit_bytes;
}

static void read_resolver(const struct admin_view *view, struct metrics *metrics)
{
	const struct resolver_answer *answer = resolver_answer(view->resolver);
	bool has_age = answer->count > 0 && answer->ttl_ms != UINT64_MAX;

	metrics->dns_addresses = (double)answer->count;
	metrics->dns_age = has_age ? (double)(view->clock->now_ms - answer->resolved_ms) / 1e3 : 0;
}

/* Pages of resident memory are the second number of /proc/self/statm. */
static double resident_bytes(void)
{
	char *text;
	size_t len;
	uint64_t pages = 0;
	const char *second;

	if (!file_read("/proc/self/statm", 4096, &text, &len)) {
		return 0;
	}
	second = strchr(text, ' ');
	if (second != NULL &&
	    !str_read_u64((struct span){second + 1, strcspn(second + 1, " ")}, &pages)) {
		pages = 0;
	}
	free(text);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	double count = 0;

	if (folder == NULL) {
		return 0;
	}
	while (readdir(folder) != NULL) {
		count++;
	}
	closedir(folder);
	return count - 3; /* ".", "..", and the folder itself */
}

static void read_process(const struct admin_view *view, struct metrics *metrics)
{
	struct rlimit limit;

	metrics->resident = resident_bytes();
	metrics->open_fds = count_descriptors();
	metrics->max_fds = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
	metrics->start_time = (double)view->started_unix_s;
}

void gauges_read(const struct admin_view *view)
{
	struct metrics *metrics = view->metrics;
	char reason[HEALTH_REASON_BYTES];

	read_pool(view->pool, metrics);
	read_proxy(view->proxy, metrics);
	read_resolver(view, metrics);
	read_process(view, metrics);
	metrics->ready = health_is_ready(view, reason);
	metrics->log_dropped = view->log->dropped_lines;
}
