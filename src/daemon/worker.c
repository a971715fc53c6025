/* Owns everything that serves, and the loop that turns it. */
#include "daemon/worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/url.h"
#include "daemon/limits.h"
#include "daemon/reload.h"
#include "net/listener.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "net/tls.h"
#include "pool/janitor.h"
#include "pool/pool.h"
#include "proxy/client.h"
#include "proxy/proxy.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_WAIT_MS = 10000, EXIT_BY_SECOND_SIGNAL = 1, CA_BYTES_MAX = 64 << 20 };

struct door {
	struct worker *worker; /* borrowed */
	struct listener listener;
};

struct worker {
	const struct cli *cli; /* borrowed; what a reload reads again */
	struct config *config; /* borrowed; a reload replaces its contents */
	struct log *log;       /* borrowed */
	struct clock clock;
	struct event_base *base; /* owned */
	struct upstream_url url;
	struct tls_client *tls;    /* one reference; NULL when the upstream is plain */
	struct span ca_text;       /* owned; the CA file's contents that `tls` trusts */
	struct resolver *resolver; /* owned */
	struct pool pool;
	struct proxy proxy;
	struct door *doors; /* owned */
	size_t door_count;
	struct event signals[3];
	struct timer warm_timer; /* serves at last without warmth */
	struct timer drain_timer;
	int exit_status;
	bool is_serving;
	bool is_stopping;
	bool is_done;
};

/* --- listeners --- */

static bool on_accept(void *owner, int fd, const struct addr *peer)
{
	struct door *door = owner;
	struct proxy *proxy = &door->worker->proxy;
	uint16_t port = addr_is_local(&door->listener.addr) ? 0 : addr_port(&door->listener.addr);

	client_new(proxy, fd, peer, port);
	/* may_accept() closes an idle client for the next: only once the loop has said that one waits. */
	return proxy_client_count(proxy) < proxy->config->limits_clients;
}

static bool may_accept(void *owner)
{
	struct proxy *proxy = &((struct door *)owner)->worker->proxy;

	proxy->is_full = proxy_client_count(proxy) >= proxy->config->limits_clients &&
			 !proxy_close_idle_client(proxy);
	return !proxy->is_full;
}

static void on_trouble(void *owner, int error)
{
	struct worker *worker = ((struct door *)owner)->worker;

	log_write(worker->log, LOG_WARNING, "listener",
		  "accepting pauses: %s (clients=%zu); raise LimitNOFILE= or ulimit -n",
		  strerror(error), proxy_client_count(&worker->proxy));
}

static const struct listener_ops listener_ops = {
	.on_accept = on_accept, .may_accept = may_accept, .on_trouble = on_trouble};

static void on_room(void *owner)
{
	struct worker *worker = owner;

	for (size_t i = 0; i < worker->door_count && worker->is_serving && !worker->is_stopping;
	     i++) {
		listener_set_paused(&worker->doors[i].listener, false);
	}
}

static bool is_skippable(const struct worker *worker, const struct addr *addr, int error)
{
	bool is_default = worker->config->listen.count == 2 &&
			  strcmp(worker->config->listen.items[1], "[::1]:8080") == 0;

	return is_default && addr->sa.any.sa_family == AF_INET6 &&
	       (error == EADDRNOTAVAIL || error == EAFNOSUPPORT);
}

static bool open_door(struct worker *worker, const char *text)
{
	struct door *door = &worker->doors[worker->door_count];
	const struct listener_setup setup = {.base = worker->base,
					     .clock = &worker->clock,
					     .ops = &listener_ops,
					     .owner = door,
					     .reuseport = worker->config->listen_reuseport};
	char where[CONFIG_WHERE_BYTES];
	struct addr addr;
	int error;

	door->worker = worker;
	if (addr_parse(text, &addr) && listener_open(&door->listener, &setup, &addr)) {
		worker->door_count++;
		return true;
	}
	error = errno;
	if (is_skippable(worker, &addr, error)) {
		log_write(worker->log, LOG_INFO, "listener", "no IPv6 here: %s is skipped", text);
		return true;
	}
	log_write(worker->log, LOG_ERROR, "listener", "%s: cannot listen on %s: %s; %s",
		  config_where(worker->config->origins[OPTION_ID_listen], "listen", where), text,
		  strerror(error),
		  error == EADDRINUSE
			  ? "stop what uses it, or choose another port: --set listen=127.0.0.1:8090"
			  : "correct the option");
	return false;
}

static bool open_doors(struct worker *worker)
{
	const struct string_list *list = &worker->config->listen;

	worker->doors = mem_alloc((list->count + 1) * sizeof(*worker->doors));
	for (size_t i = 0; i < list->count; i++) {
		if (!open_door(worker, list->items[i])) {
			return false;
		}
	}
	return true;
}

static void close_doors(struct worker *worker)
{
	for (size_t i = 0; i < worker->door_count; i++) {
		listener_close(&worker->doors[i].listener);
	}
}

/* --- readiness --- */

static void begin_serving(struct worker *worker)
{
	char text[ADDR_TEXT_BYTES];
	char all[512] = "";
	size_t len = 0;

	worker->is_serving = true;
	timer_set(&worker->warm_timer, TIMER_NEVER);
	for (size_t i = 0; i < worker->door_count; i++) {
		listener_start(&worker->doors[i].listener);
		if (len < sizeof(all)) {
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
						i > 0 ? " " : "",
						addr_write(&worker->doors[i].listener.addr, text));
		}
	}
	if (!pool_is_warm(&worker->pool)) {
		log_write(worker->log, LOG_WARNING, "start",
			  "the upstream %s is not reached yet (%s); serving all the same",
			  worker->url.authority,
			  worker->pool.dns_err != ERR_NONE
				  ? err_text(worker->pool.dns_err)
				  : err_text(worker->pool.last_connect_err));
	}
	log_write(worker->log, LOG_INFO, "start",
		  "ready listen=%s upstream=%s://%s pool=%" PRIu64 " warm=%zu", all,
		  worker->url.is_tls ? "https" : "http", worker->url.authority,
		  worker->config->pool_size, worker->pool.conns[CONN_IDLE].count);
}

static void on_warm_timer(void *owner)
{
	begin_serving(owner);
}

/* --- the upstream's addresses --- */

/* Is this address, without its port, one of this machine's? */
static bool is_own_address(const struct addr *addr)
{
	struct ifaddrs *interfaces;
	bool found = addr_is_loopback(addr);

	if (found || getifaddrs(&interfaces) != 0) {
		return found;
	}
	for (const struct ifaddrs *it = interfaces; it != NULL && !found; it = it->ifa_next) {
		struct addr own = {.len = addr->len};

		if (it->ifa_addr != NULL && it->ifa_addr->sa_family == addr->sa.any.sa_family) {
			memcpy(&own.sa, it->ifa_addr, addr->len);
			addr_set_port(&own, addr_port(addr));
			found = addr_is_equal(&own, addr);
		}
	}
	freeifaddrs(interfaces);
	return found;
}

/* A hosts-file entry that sends the API's name to ourselves would make us call ourselves for ever. */
static bool is_own_listener(const struct worker *worker, const struct addr *addr)
{
	for (size_t i = 0; i < worker->door_count; i++) {
		const struct addr *own = &worker->doors[i].listener.addr;
		struct addr everywhere = {.len = own->len};

		if (addr_is_local(own) || addr_port(own) != addr_port(addr)) {
			continue;
		}
		everywhere.sa.any.sa_family = own->sa.any.sa_family;
		addr_set_port(&everywhere, addr_port(own));
		if (addr_is_equal(own, addr) ||
		    (addr_is_equal(own, &everywhere) && is_own_address(addr))) {
			return true;
		}
	}
	return false;
}

static void on_addresses(void *owner)
{
	struct worker *worker = owner;
	const struct resolver_answer *answer = resolver_answer(worker->resolver);

	for (size_t i = 0; i < answer->count; i++) {
		char text[ADDR_TEXT_BYTES];

		if (is_own_listener(worker, &answer->addrs[i])) {
			log_write(
				worker->log, LOG_ERROR, "start",
				"upstream.url %s resolves to %s, which is our own listener: every request would come "
				"back to us; remove the entry from the hosts file or change listen",
				worker->config->upstream_url, addr_write(&answer->addrs[i], text));
			worker->exit_status = EXIT_FAILURE;
			worker->is_done = true;
			return;
		}
	}
	pool_set_addresses(&worker->pool, answer->addrs, answer->count, answer->err);
}

/* --- the end --- */

static void on_drain_timer(void *owner)
{
	struct worker *worker = owner;

	worker->proxy.is_over = true;
	log_write(worker->log, LOG_WARNING, "stop",
		  "shutdown.drain_timeout is over: %zu requests are cut off",
		  worker->proxy.exchanges.count);
	proxy_refuse_all(&worker->proxy);
	pool_end_leased(&worker->pool, ERR_RESPONSE_TIMEOUT, "shutdown.drain_timeout is over");
	worker->is_done = true;
}

static void on_stop_signal(evutil_socket_t number, short what, void *arg)
{
	struct worker *worker = arg;

	(void)what;
	clock_refresh(&worker->clock);
	if (worker->is_stopping) {
		log_write(worker->log, LOG_WARNING, "stop", "second signal: ending at once");
		worker->exit_status = EXIT_BY_SECOND_SIGNAL;
		worker->is_done = true;
		return;
	}
	worker->is_stopping = true;
	log_write(worker->log, LOG_INFO, "stop", "signal %d: finishing %zu requests", (int)number,
		  worker->proxy.exchanges.count);
	close_doors(worker);
	worker->pool.is_draining = true;
	proxy_drain(&worker->proxy);
	timer_set(&worker->drain_timer,
		  worker->clock.now_ms + worker->config->shutdown_drain_timeout_ms);
}

/* --- setting up --- */

static struct pool_settings pool_settings_of(const struct config *config)
{
	return (struct pool_settings){
		.size = config->pool_size,
		.min_idle = MIN(config->pool_min_idle, config->pool_size),
		.max_connecting = config->pool_max_connecting,
		.max_lifetime_ms = config->pool_max_lifetime_ms,
		.idle_timeout_ms = OPTION_IS_WORD(config->pool_idle_timeout_ms)
					   ? 0
					   : config->pool_idle_timeout_ms,
		.heartbeat_ms =
			OPTION_IS_WORD(config->pool_heartbeat_ms) ? 0 : config->pool_heartbeat_ms,
		.max_requests = config->pool_max_requests,
		.warm_window_ms = config->pool_warm_window_ms,
		.solve_share = config->pool_solve_share,
		.queue_size = config->queue_size,
		.connect_timeout_ms = config->timeouts_connect_ms,
	};
}

static bool new_tls(const struct worker *worker, const struct config *config,
		    struct tls_client **ret_tls)
{
	const struct tls_setup setup = {.host = worker->url.host,
					.ca_file = config->upstream_ca_file,
					.verify = config->upstream_tls_verify};
	char error[256];
	struct tls_client *tls = tls_client_new(&setup, error, sizeof(error));

	if (tls == NULL) {
		log_write(worker->log, LOG_ERROR, "start", "%s", error);
		return false;
	}
	*ret_tls = tls;
	return true;
}

/* --- reload --- */

/* The CA file's contents, so that a renewed file under the same name is seen; empty for the system's store. */
static struct span read_ca(const struct config *config)
{
	char *text = NULL;
	size_t len = 0;

	if (config->upstream_ca_file[0] != '\0' &&
	    !file_read(config->upstream_ca_file, CA_BYTES_MAX, &text, &len)) {
		text = NULL; /* config_check() or OpenSSL says why */
	}
	return (struct span){text, text != NULL ? len : 0};
}

/* The TLS side by this configuration: *ret_tls NULL where it need not change. */
static bool renew_tls(struct worker *worker, const struct config *next, struct span ca_text,
		      struct tls_client **ret_tls)
{
	bool is_same = strcmp(next->upstream_ca_file, worker->config->upstream_ca_file) == 0 &&
		       next->upstream_tls_verify == worker->config->upstream_tls_verify &&
		       span_is(ca_text, worker->ca_text);

	*ret_tls = NULL;
	return !worker->url.is_tls || is_same || new_tls(worker, next, ret_tls);
}

/* From the checked configuration that has just taken the running one's place. */
static void apply_config(struct worker *worker, struct tls_client *tls)
{
	const struct pool_settings settings = pool_settings_of(worker->config);

	worker->log->level = (enum log_level)worker->config->log_level;
	worker->log->format = (enum log_format)worker->config->log_format;
	if (tls != NULL) {
		tls_client_unref(worker->tls);
		worker->tls = tls;
		worker->pool.tls = tls;
		janitor_retire_all(&worker->pool, "the TLS settings changed");
	}
	resolver_set_ttl_max(worker->resolver, worker->config->upstream_dns_ttl_max_ms);
	pool_set_settings(&worker->pool, &settings);
	proxy_apply_config(&worker->proxy);
	log_write(worker->log, LOG_INFO, "reload", "done: pool.size=%" PRIu64 " new_tls=%d",
		  worker->config->pool_size, tls != NULL);
}

static void on_reload_signal(evutil_socket_t number, short what, void *arg)
{
	struct worker *worker = arg;
	struct config next;
	struct config old;
	struct tls_client *tls;
	struct span ca_text;

	(void)number;
	(void)what;
	clock_refresh(&worker->clock);
	if (worker->is_stopping || !reload_read(worker->cli, &next, worker->log)) {
		return;
	}
	ca_text = read_ca(&next);
	if (!limits_raise(&next, worker->log) || !renew_tls(worker, &next, ca_text, &tls)) {
		log_write(worker->log, LOG_ERROR, "reload", "refused: the running one stays");
		free((char *)(uintptr_t)ca_text.data);
		config_fini(&next);
		return;
	}
	reload_keep_fixed(worker->config, &next, worker->log);
	old = *worker->config;
	*worker->config = next;
	config_fini(&old);
	free((char *)(uintptr_t)worker->ca_text.data);
	worker->ca_text = ca_text;
	apply_config(worker, tls);
}

static void watch_signals(struct worker *worker)
{
	evsignal_assign(&worker->signals[0], worker->base, SIGTERM, on_stop_signal, worker);
	evsignal_assign(&worker->signals[1], worker->base, SIGINT, on_stop_signal, worker);
	evsignal_assign(&worker->signals[2], worker->base, SIGHUP, on_reload_signal, worker);
	for (size_t i = 0; i < ARRAY_SIZE(worker->signals); i++) {
		evsignal_add(&worker->signals[i], NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

static void set_up_pool(struct worker *worker)
{
	const struct pool_setup setup = {.base = worker->base,
					 .clock = &worker->clock,
					 .log = worker->log,
					 .buffers = &worker->proxy.buffers,
					 .codec = &codec_h1,
					 .tls = worker->tls,
					 .authority = worker->url.authority};
	const struct pool_settings settings = pool_settings_of(worker->config);

	pool_init(&worker->pool, &setup, &settings);
	worker->proxy.pool = &worker->pool;
	worker->proxy.upstream_host = worker->url.host;
	worker->proxy.upstream_authority = worker->url.authority;
	worker->proxy.upstream_port = worker->url.port;
	worker->proxy.on_room = on_room;
	worker->proxy.owner = worker;
	proxy_init(&worker->proxy, worker->base, &worker->clock, worker->log, worker->config);
}

static struct event_base *new_loop(void)
{
	struct event_config *setup = event_config_new();
	struct event_base *base = NULL;

	if (setup != NULL) {
		event_config_set_flag(setup, EVENT_BASE_FLAG_NOLOCK);
		base = event_base_new_with_config(setup);
		event_config_free(setup);
	}
	return base;
}

struct worker *worker_new(const struct cli *cli, struct config *config, struct log *log)
{
	struct worker *worker = mem_alloc(sizeof(*worker));
	const char *fault;

	worker->cli = cli;
	worker->config = config;
	worker->log = log;
	worker->ca_text = read_ca(config);
	clock_init(&worker->clock);
	worker->base = new_loop();
	if (worker->base == NULL || !url_parse(config->upstream_url, &worker->url, &fault)) {
		abort(); /* the URL was checked; no loop means no memory */
	}
	set_up_pool(worker);
	timer_init(&worker->warm_timer, worker->base, &worker->clock, on_warm_timer, worker);
	timer_init(&worker->drain_timer, worker->base, &worker->clock, on_drain_timer, worker);
	watch_signals(worker);
	if (!limits_raise(config, log) ||
	    (worker->url.is_tls && !new_tls(worker, config, &worker->tls)) || !open_doors(worker)) {
		worker_free(worker);
		return NULL;
	}
	worker->pool.tls = worker->tls;
	worker->resolver =
		resolver_new(&(struct resolver_setup){.base = worker->base,
						      .clock = &worker->clock,
						      .log = log,
						      .name = worker->url.host,
						      .port = worker->url.port,
						      .ttl_max_ms = config->upstream_dns_ttl_max_ms,
						      .on_change = on_addresses,
						      .owner = worker});
	return worker;
}

static void end_turn(struct worker *worker)
{
	pool_turn(&worker->pool);
	if (worker->pool.wants_addresses) {
		worker->pool.wants_addresses = false;
		resolver_hint_stale(worker->resolver);
	}
	if (!worker->is_serving && !worker->is_stopping && pool_is_warm(&worker->pool)) {
		begin_serving(worker);
	}
	if (worker->is_stopping && proxy_is_drained(&worker->proxy)) {
		worker->is_done = true;
	}
	proxy_turn(&worker->proxy);
	log_flush(worker->log);
	clock_end_turn(&worker->clock);
}

int worker_run(struct worker *worker)
{
	timer_set(&worker->warm_timer, worker->clock.now_ms + WARM_WAIT_MS);
	resolver_start(worker->resolver);
	while (!worker->is_done) {
		end_turn(worker);
		if (!worker->is_done && event_base_loop(worker->base, EVLOOP_ONCE) != 0) {
			break;
		}
	}
	log_write(worker->log, LOG_INFO, "stop",
		  "stopped handshakes_full=%" PRIu64 " handshakes_resumed=%" PRIu64,
		  worker->pool.handshakes_full, worker->pool.handshakes_resumed);
	return worker->exit_status;
}

void worker_free(struct worker *worker)
{
	if (worker == NULL) {
		return;
	}
	close_doors(worker);
	proxy_fini(&worker->proxy);
	resolver_free(worker->resolver);
	pool_fini(&worker->pool);
	proxy_free(&worker->proxy);
	tls_client_unref(worker->tls);
	timer_fini(&worker->warm_timer);
	timer_fini(&worker->drain_timer);
	for (size_t i = 0; i < ARRAY_SIZE(worker->signals); i++) {
		event_del(&worker->signals[i]);
	}
	event_base_free(worker->base);
	libevent_global_shutdown();
	url_fini(&worker->url);
	free((char *)(uintptr_t)worker->ca_text.data);
	free(worker->doors);
	free(worker);
}
