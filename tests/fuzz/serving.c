/* Owns the serving side and its time. */
#include "serving.h"

#include "base/macros.h"
#include "fuzz.h"
#include "net/timer.h"
#include "proxy/client.h"

#include <event2/event.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BEGIN_MS = 100000000, DUE_MAX = 256, PEER_WINDOW_BYTES = 4096, BACKLOG = 64 };

struct serving serving;

/* Short, so that little time must pass for anything. */
static const struct {
	const char *key;
	const char *value;
} options[] = {
	{"queue.size", "6"},
	{"queue.timeout", "2s"},
	{"timeouts.connect", "1s"},
	{"timeouts.response", "3s"},
	{"timeouts.solve_response", "5s"},
	{"timeouts.client_head", "1s"},
	{"timeouts.client_body", "1s"},
	{"timeouts.client_idle", "2s"},
	{"timeouts.client_write", "1s"},
	{"limits.request_head", "2KiB"},
	{"limits.request_target", "1KiB"},
	{"limits.request_body", "256KiB"},
	{"limits.response_body", "256KiB"},
	{"limits.buffered", "1MiB"},
	{"log.level", "debug"},
};

static const struct pool_settings pool_settings = {
	.size = 3,
	.min_idle = 1,
	.max_connecting = 2,
	.max_lifetime_ms = 60000,
	.max_requests = 50,
	.warm_window_ms = 30000,
	.solve_share = 50,
	.queue_size = 6,
	.connect_timeout_ms = 1000,
};

/* A socket of the upstream's; its port is in *ret_addr. */
static int bind_one(struct addr *ret_addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int window = PEER_WINDOW_BYTES;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fuzz_must(fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0, "no port");
	getsockname(fd, (struct sockaddr *)&in, &len);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
	fuzz_must(addr_parse_ip(SPAN("127.0.0.1"), ntohs(in.sin_port), ret_addr), "no address");
	return fd;
}

/* What outlives an input. */
static void set_up(void)
{
	struct event_config *setup = event_config_new();
	struct config_problems problems = {0};

	event_config_set_flag(setup, EVENT_BASE_FLAG_NOLOCK);
	serving.base = event_base_new_with_config(setup);
	event_config_free(setup);
	log_init(&serving.log, open("/dev/null", O_WRONLY | O_CLOEXEC));
	serving.log.level = LOG_DEBUG;
	config_init(&serving.config);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		config_set(&serving.config, &problems, NULL, options[i].key, options[i].value);
	}
	fuzz_must(problems.count == 0, "an option of the rig");
	config_problems_fini(&problems);
	serving.listener = bind_one(&serving.upstream_addrs[UPSTREAM_LISTENS]);
	fuzz_must(listen(serving.listener, BACKLOG) == 0, "no listener");
	/* Bound, so that nobody else gets it, and not listening. */
	(void)bind_one(&serving.upstream_addrs[UPSTREAM_REFUSES]);
	fuzz_must(addr_parse_ip(SPAN("127.0.0.1"), 9, &serving.client_addr), "no address");
}

static void on_room(void *owner)
{
	(void)owner;
}

void serving_begin(void)
{
	struct pool_setup setup = {.clock = &serving.clock,
				   .log = &serving.log,
				   .buffers = &serving.proxy.buffers,
				   .metrics = &serving.metrics,
				   .codec = &codec_h1,
				   .authority = "upstream.example"};

	if (serving.base == NULL) {
		set_up();
	}
	setup.base = serving.base;
	clock_init(&serving.clock);
	clock_set_ms(&serving.clock, BEGIN_MS);
	memset(&serving.metrics, 0, sizeof(serving.metrics));
	memset(&serving.proxy, 0, sizeof(serving.proxy));
	pool_init(&serving.pool, &setup, &pool_settings);
	serving.pool.random_state = 1;
	serving.size_highest = pool_settings.size;
	serving.proxy.pool = &serving.pool;
	serving.proxy.upstream_host = setup.authority;
	serving.proxy.upstream_authority = setup.authority;
	serving.proxy.upstream_port = 80;
	serving.proxy.api_key = &serving.api_key;
	serving.proxy.metrics = &serving.metrics;
	serving.proxy.on_room = on_room;
	proxy_init(&serving.proxy, serving.base, &serving.clock, &serving.log, &serving.config);
	serving_resolve(UPSTREAM_LISTENS);
	serving_turn();
}

static void check_lists_are_empty(void)
{
	for (unsigned i = 0; i < CLIENT_PHASES; i++) {
		fuzz_must(list_is_empty(&serving.proxy.clients[i]), "a client is left");
	}
	for (unsigned i = 0; i < CONN_STATES; i++) {
		fuzz_must(list_is_empty(&serving.pool.conns[i]), "a connection is left");
	}
	fuzz_must(list_is_empty(&serving.proxy.exchanges), "an exchange is left");
	fuzz_must(serving.proxy.buffers.used_bytes == 0, "bytes are left in buffers");
	fuzz_must(serving.pool.leased == 0 && serving.pool.solves_leased == 0,
		  "a slot is left lent");
	fuzz_must(pool_waiting_count(&serving.pool) == 0, "a waiter is left");
	fuzz_must(event_base_get_num_events(serving.base, EVENT_BASE_COUNT_ADDED) == 0,
		  "an event is left");
}

void serving_end(void)
{
	proxy_fini(&serving.proxy);
	pool_fini(&serving.pool);
	check_lists_are_empty();
	proxy_free(&serving.proxy);
	log_flush(&serving.log);
}

/* --- turns --- */

static void check_moment(void)
{
	uint64_t leased = 0;

	fuzz_must(pool_bound_count(&serving.pool) <= serving.size_highest, "more than pool.size");
	list_foreach (node, &serving.pool.conns[CONN_LEASED]) {
		leased += list_entry(node, struct conn, node)->slots_used;
	}
	fuzz_must(leased == serving.pool.leased + serving.pool.heartbeats.count,
		  "slots that are lent are not those that are counted");
	fuzz_must(list_is_empty(&serving.proxy.pending), "a client waits beyond its turn");
	fuzz_must(list_is_empty(&serving.proxy.clients[CLIENT_DEAD]),
		  "the dead outlive their turn");
}

void serving_turn(void)
{
	fuzz_must(event_base_loop(serving.base, EVLOOP_NONBLOCK) >= 0, "the loop failed");
	pool_turn(&serving.pool);
	serving.pool.wants_addresses = false;
	proxy_turn(&serving.proxy);
	log_flush(&serving.log);
	clock_end_turn(&serving.clock);
	check_moment();
}

struct due {
	struct timer *timers[DUE_MAX];
	size_t count;
};

/* On this loop, whatever waits for time alone is the first member of a struct timer. */
static int take_due(const struct event_base *base, const struct event *event, void *arg)
{
	struct due *due = arg;
	struct timer *timer = CONTAINER_OF((uintptr_t)event, struct timer, event);

	(void)base;
	if (event_get_fd(event) < 0 && timer->deadline_ms <= serving.clock.now_ms) {
		fuzz_must(due->count < DUE_MAX, "too many timers");
		due->timers[due->count++] = timer;
	}
	return 0;
}

void serving_pass(uint64_t ms)
{
	struct due due = {.count = 0};

	clock_set_ms(&serving.clock, serving.clock.now_ms + ms);
	event_base_foreach_event(serving.base, take_due, &due);
	for (size_t i = 0; i < due.count; i++) {
		event_active(&due.timers[i]->event, EV_TIMEOUT, 0);
	}
	serving_turn();
}

/* --- what happens to it --- */

void serving_resolve(enum serving_upstream upstream)
{
	if (upstream == UPSTREAM_NAMELESS) {
		pool_set_addresses(&serving.pool, NULL, 0, ERR_DNS_FAILED);
	} else {
		pool_set_addresses(&serving.pool, &serving.upstream_addrs[upstream], 1, ERR_NONE);
	}
}

void serving_set_size(uint64_t size)
{
	struct pool_settings settings = serving.pool.settings;

	settings.size = size;
	settings.min_idle = MIN(settings.min_idle, size);
	serving.size_highest = MAX(serving.size_highest, size);
	pool_set_settings(&serving.pool, &settings);
}

void serving_drain(void)
{
	serving.pool.is_draining = true;
	proxy_drain(&serving.proxy);
}

bool serving_is_quiet(void)
{
	return proxy_is_drained(&serving.proxy);
}
