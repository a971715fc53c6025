/* Owns everything that serves, and the loop that turns it. */
#include "daemon/worker.h"

#include "admin/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "config/config.h"
#include "config/url.h"
#include "daemon/admin_doors.h"
#include "daemon/credentials.h"
#include "daemon/doors.h"
#include "daemon/limits.h"
#include "daemon/reload.h"
#include "daemon/service.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "pool/janitor.h"
#include "pool/pool.h"
#include "proxy/proxy.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	WARM_WAIT_MS = 10000,
	DOORS_GRACE_MS =
		5, /* for TCP handshakes that are under way: more than a round trip in a LAN */
	EXIT_BY_SECOND_SIGNAL = 1,
};

struct worker {
	const struct cli *cli; /* borrowed; what a reload reads again */
	struct config *config; /* borrowed; a reload replaces its contents */
	struct log *log;       /* borrowed */
	struct clock clock;
	struct metrics metrics;
	struct event_base *base; /* owned */
	struct upstream_url url;
	struct credentials credentials; /* owned; what the configuration's files hold */
	struct resolver *resolver;      /* owned */
	struct pool pool;
	struct proxy proxy;
	struct doors doors;
	struct admin_view view;
	struct admin *admin; /* owned */
	struct admin_doors admin_doors;
	struct service service;
	struct event signals[3];
	struct timer warm_timer;  /* serves at last without warmth */
	struct timer doors_timer; /* they were shut, and are closed now */
	struct timer drain_timer;
	struct timer log_timer; /* lines that were gathered are due */
	int exit_status;
	bool is_serving;
	bool is_stopping;
	bool is_done;
};

static void on_room(void *owner)
{
	struct worker *worker = owner;

	if (worker->is_serving && !worker->is_stopping) {
		doors_resume(&worker->doors);
	}
}

/* --- readiness --- */

static void write_status(void *owner, char out[SERVICE_STATUS_BYTES])
{
	const struct worker *worker = owner;
	const struct pool *pool = &worker->pool;

	snprintf(out, SERVICE_STATUS_BYTES,
		 "%s%s: %zu leased, %zu idle of %" PRIu64
		 " connections; %zu requests wait; %zu clients%s",
		 worker->is_stopping   ? "stopping; "
		 : !worker->is_serving ? "warming up; "
				       : "",
		 worker->url.authority, pool->conns[CONN_LEASED].count,
		 pool->conns[CONN_IDLE].count, pool->settings.size, pool_waiting_count(pool),
		 proxy_client_count(&worker->proxy),
		 warmer_is_open(&pool->warmer) ? "; the upstream is unreachable" : "");
}

static void begin_serving(struct worker *worker)
{
	char all[512];
	char admin[256];

	worker->is_serving = true;
	worker->view.phase = ADMIN_SERVING;
	timer_set(&worker->warm_timer, TIMER_NEVER);
	doors_start(&worker->doors);
	if (!pool_is_warm(&worker->pool)) {
		log_write(worker->log, LOG_WARNING, "start",
			  "the upstream %s is not reached yet (%s); serving all the same",
			  worker->url.authority,
			  worker->pool.dns_err != ERR_NONE
				  ? err_text(worker->pool.dns_err)
				  : err_text(worker->pool.last_connect_err));
	}
	log_write(worker->log, LOG_INFO, "start",
		  "ready listen=%s upstream=%s://%s pool=%" PRIu64 " warm=%zu admin=%s",
		  doors_write(&worker->doors, all, sizeof(all)),
		  worker->url.is_tls ? "https" : "http", worker->url.authority,
		  worker->config->pool_size, worker->pool.conns[CONN_IDLE].count,
		  admin_doors_write(&worker->admin_doors, admin, sizeof(admin)));
	service_serving(&worker->service);
}

static void on_warm_timer(void *owner)
{
	begin_serving(owner);
}

/* --- the upstream's addresses --- */

static void on_addresses(void *owner)
{
	struct worker *worker = owner;
	const struct resolver_answer *answer = resolver_answer(worker->resolver);

	for (size_t i = 0; i < answer->count; i++) {
		char text[ADDR_TEXT_BYTES];

		if (doors_are_at(&worker->doors, &answer->addrs[i])) {
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

static void on_doors_timer(void *owner)
{
	struct worker *worker = owner;

	doors_take_waiting(&worker->doors);
	doors_close(&worker->doors);
}

/* Who waits is served, and whose handshake is under way; who comes now shall find the next instance. */
static void leave_doors(struct worker *worker)
{
	if (!worker->is_serving) {
		doors_close(&worker->doors);
		return;
	}
	doors_shut(&worker->doors);
	doors_take_waiting(&worker->doors);
	timer_set(&worker->doors_timer, worker->clock.now_ms + DOORS_GRACE_MS);
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
	worker->view.phase = ADMIN_DRAINING;
	log_write(worker->log, LOG_INFO, "stop", "signal %d: finishing %zu requests", (int)number,
		  worker->proxy.exchanges.count);
	service_stopping(&worker->service, worker->config->shutdown_drain_timeout_ms);
	leave_doors(worker);
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

/* --- reload --- */

/* From the checked configuration that has just taken the running one's place. */
static void apply_config(struct worker *worker)
{
	const struct pool_settings settings = pool_settings_of(worker->config);
	bool is_new_tls = worker->pool.tls != worker->credentials.tls;

	worker->log->level = (enum log_level)worker->config->log_level;
	worker->log->format = (enum log_format)worker->config->log_format;
	worker->proxy.guard.tokens = worker->credentials.tokens;
	if (is_new_tls) {
		worker->pool.tls = worker->credentials.tls;
		janitor_retire_all(&worker->pool, END_SETTINGS);
	}
	resolver_set_ttl_max(worker->resolver, worker->config->upstream_dns_ttl_max_ms);
	pool_set_settings(&worker->pool, &settings);
	proxy_apply_config(&worker->proxy);
	admin_apply_config(worker->admin);
	log_write(worker->log, LOG_INFO, "reload", "done: pool.size=%" PRIu64 " new_tls=%d",
		  worker->config->pool_size, is_new_tls);
}

/* Replaces what runs, by contents, so that who borrows the one or the other need not know. */
static void take_over(struct worker *worker, struct config *next, struct credentials *credentials)
{
	struct credentials old_credentials = worker->credentials;
	struct config old = *worker->config;

	*worker->config = *next;
	worker->credentials = *credentials;
	explicit_bzero(&credentials->key, sizeof(credentials->key));
	apply_config(worker);
	config_fini(&old);
	credentials_fini(&old_credentials);
}

static void reload(struct worker *worker)
{
	struct config next;
	struct credentials credentials = {0};

	if (!reload_read(worker->cli, worker->config, &next, worker->log)) {
		return;
	}
	if (!limits_raise(&next, worker->log) ||
	    !credentials_load(&next, &worker->url, worker->config, &worker->credentials,
			      worker->log, &credentials) ||
	    !doors_set_tls(&worker->doors, credentials.server)) {
		log_write(worker->log, LOG_ERROR, "reload",
			  "refused: the running configuration stays");
		reload_swap_fixed(worker->config, &next);
		credentials_fini(&credentials);
		config_fini(&next);
		return;
	}
	take_over(worker, &next, &credentials);
}

static void on_reload_signal(evutil_socket_t number, short what, void *arg)
{
	struct worker *worker = arg;

	(void)number;
	(void)what;
	clock_refresh(&worker->clock);
	if (worker->is_stopping) {
		return;
	}
	service_reloading();
	reload(worker);
	service_ready(&worker->service);
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
					 .metrics = &worker->metrics,
					 .codec = &codec_h1,
					 .tls = NULL, /* it comes with the credentials */
					 .authority = worker->url.authority};
	const struct pool_settings settings = pool_settings_of(worker->config);

	pool_init(&worker->pool, &setup, &settings);
	worker->proxy.pool = &worker->pool;
	worker->proxy.upstream_host = worker->url.host;
	worker->proxy.upstream_authority = worker->url.authority;
	worker->proxy.upstream_port = worker->url.port;
	worker->proxy.api_key = &worker->credentials.key;
	worker->proxy.metrics = &worker->metrics;
	worker->proxy.on_room = on_room;
	worker->proxy.owner = worker;
	proxy_init(&worker->proxy, worker->base, &worker->clock, worker->log, worker->config);
}

static void set_up_admin(struct worker *worker)
{
	worker->view = (struct admin_view){.config = worker->config,
					   .clock = &worker->clock,
					   .pool = &worker->pool,
					   .proxy = &worker->proxy,
					   .log = worker->log,
					   .metrics = &worker->metrics,
					   .reserve_descriptors = LIMITS_RESERVE,
					   .started_ms = worker->clock.now_ms,
					   .started_unix_s = (uint64_t)time(NULL)};
	worker->admin = admin_new(&worker->view, worker->base, &worker->clock, worker->log);
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

/* The turn that it makes is what is wanted. */
static void on_log_timer(void *owner)
{
	(void)owner;
}

struct worker *worker_new(const struct cli *cli, struct config *config, struct log *log)
{
	struct worker *worker = mem_alloc(sizeof(*worker));
	const char *fault;

	worker->cli = cli;
	worker->config = config;
	worker->log = log;
	clock_init(&worker->clock);
	worker->base = new_loop();
	if (worker->base == NULL || !url_parse(config->upstream_url, &worker->url, &fault)) {
		abort(); /* the URL was checked; no loop means no memory */
	}
	set_up_pool(worker);
	set_up_admin(worker);
	timer_init(&worker->warm_timer, worker->base, &worker->clock, on_warm_timer, worker);
	timer_init(&worker->doors_timer, worker->base, &worker->clock, on_doors_timer, worker);
	timer_init(&worker->drain_timer, worker->base, &worker->clock, on_drain_timer, worker);
	timer_init(&worker->log_timer, worker->base, &worker->clock, on_log_timer, worker);
	service_init(&worker->service, worker->base, &worker->clock, write_status, worker);
	watch_signals(worker);
	if (!limits_raise(config, log) ||
	    !credentials_load(config, &worker->url, NULL, NULL, log, &worker->credentials) ||
	    !doors_open(&worker->doors, config, &worker->proxy, worker->base, &worker->clock,
			log) ||
	    !doors_set_tls(&worker->doors, worker->credentials.server) ||
	    !admin_doors_open(&worker->admin_doors, config, worker->admin, worker->base,
			      &worker->clock, log)) {
		worker_free(worker);
		return NULL;
	}
	worker->pool.tls = worker->credentials.tls;
	worker->proxy.guard.tokens = worker->credentials.tokens;
	worker->resolver =
		resolver_new(&(struct resolver_setup){.base = worker->base,
						      .clock = &worker->clock,
						      .log = log,
						      .metrics = &worker->metrics,
						      .name = worker->url.host,
						      .port = worker->url.port,
						      .ttl_max_ms = config->upstream_dns_ttl_max_ms,
						      .on_change = on_addresses,
						      .owner = worker});
	worker->view.resolver = worker->resolver;
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
	if (worker->is_stopping && doors_are_closed(&worker->doors) &&
	    proxy_is_drained(&worker->proxy)) {
		worker->is_done = true;
	}
	proxy_turn(&worker->proxy);
	admin_turn(worker->admin);
	timer_set(&worker->log_timer, log_turn(worker->log, worker->clock.now_ms));
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
		  worker->metrics.handshakes[METRIC_HANDSHAKE_FULL],
		  worker->metrics.handshakes[METRIC_HANDSHAKE_RESUMED]);
	return worker->exit_status;
}

void worker_free(struct worker *worker)
{
	if (worker == NULL) {
		return;
	}
	doors_close(&worker->doors);
	admin_free(worker->admin);
	admin_doors_fini(&worker->admin_doors);
	proxy_fini(&worker->proxy);
	resolver_free(worker->resolver);
	pool_fini(&worker->pool);
	proxy_free(&worker->proxy);
	service_fini(&worker->service);
	timer_fini(&worker->warm_timer);
	timer_fini(&worker->doors_timer);
	timer_fini(&worker->drain_timer);
	timer_fini(&worker->log_timer);
	for (size_t i = 0; i < ARRAY_SIZE(worker->signals); i++) {
		event_del(&worker->signals[i]);
	}
	event_base_free(worker->base);
	libevent_global_shutdown();
	url_fini(&worker->url);
	credentials_fini(&worker->credentials);
	doors_fini(&worker->doors);
	free(worker);
}
