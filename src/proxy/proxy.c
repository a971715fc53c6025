/* Owns the clients as a whole: their lists, their end, their drain. */
#include "proxy/proxy.h"

#include "base/clock.h"
#include "base/macros.h"
#include "pool/pool.h"
#include "proxy/access.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

#include <string.h>

enum {
	CLIENTS_KEPT = 256,
	EXCHANGES_KEPT = 256,
	PEAK_CLIENTS = 64,   /* so many fewer than there were: a peak of TLS handshakes, maybe */
	PEAK_EXCHANGES = 64, /* more at a time are a peak, after which memory is given back */
	KEPT_AFTER_PEAK = 32,
	GIVE_BACK_MS = 1000, /* between two looks at memory that a peak has left behind */
	GIVE_BACK_BYTES = 1 << 20,
};

void proxy_init(struct proxy *proxy, struct event_base *base, struct clock *clock, struct log *log,
		const struct config *config)
{
	proxy->base = base;
	proxy->clock = clock;
	proxy->log = log;
	proxy->config = config;
	proxy->access = access_new(&config->access_allow, &config->access_hosts,
				   span_of(proxy->upstream_host));
	buffer_pool_init(&proxy->buffers, config->limits_buffered_bytes);
	mem_cache_init(&proxy->client_cache, sizeof(struct client), CLIENTS_KEPT);
	mem_cache_init(&proxy->exchange_cache, sizeof(struct exchange), EXCHANGES_KEPT);
	list_init(&proxy->exchanges);
	list_init(&proxy->pending);
	records_init(&proxy->ledger, LEDGER_RECORDS);
	records_init(&proxy->errors, ERROR_RECORDS);
	tenants_init(&proxy->tenants, &config->access_clients);
	for (unsigned i = 0; i < CLIENT_PHASES; i++) {
		list_init(&proxy->clients[i]);
	}
}

void proxy_apply_config(struct proxy *proxy)
{
	access_free(proxy->access);
	proxy->access = access_new(&proxy->config->access_allow, &proxy->config->access_hosts,
				   span_of(proxy->upstream_host));
	for (unsigned i = 0; i < CLIENT_DEAD; i++) {
		list_foreach (node, &proxy->clients[i]) {
			struct client *client = list_entry(node, struct client, node);

			client->is_allowed =
				access_allows_peer(proxy->access, &client->stream.peer);
			client->host_len = 0;
		}
	}
	proxy->buffers.limit_bytes = proxy->config->limits_buffered_bytes;
	queue_apply_rows(&proxy->pool->queue, &proxy->tenants);
	while (proxy_client_count(proxy) > proxy->config->limits_clients &&
	       proxy_close_idle_client(proxy)) {
	}
	if (proxy->is_full && proxy_client_count(proxy) < proxy->config->limits_clients) {
		proxy->on_room(proxy->owner);
	}
}

static void close_all(struct proxy *proxy, enum client_phase phase)
{
	list_foreach_safe (node, &proxy->clients[phase]) {
		client_close(list_entry(node, struct client, node));
	}
}

void proxy_fini(struct proxy *proxy)
{
	for (unsigned i = 0; i < CLIENT_DEAD; i++) {
		close_all(proxy, i);
	}
	proxy_turn(proxy);
}

void proxy_free(struct proxy *proxy)
{
	buffer_pool_fini(&proxy->buffers);
	mem_cache_fini(&proxy->client_cache);
	mem_cache_fini(&proxy->exchange_cache);
	tenants_fini(&proxy->tenants);
	records_fini(&proxy->ledger);
	records_fini(&proxy->errors);
	access_free(proxy->access);
	guesses_fini(&proxy->guard.guesses);
}

/*
 * Many exchanges were under way, and all of them are over; or many clients have gone; or so many bytes of messages were held that
 * are held no more. Waiting for the last exchange there would be waiting for ever where requests never cease.
 */
static bool has_peak_behind(const struct proxy *proxy)
{
	const struct buffer_pool *buffers = &proxy->buffers;

	return (proxy->most_exchanges > PEAK_EXCHANGES && list_is_empty(&proxy->exchanges)) ||
	       proxy->most_clients >= proxy_client_count(proxy) + PEAK_CLIENTS ||
	       buffers->most_bytes - buffers->used_bytes >= GIVE_BACK_BYTES;
}

static void give_memory_back(struct proxy *proxy)
{
	uint64_t now_ms = proxy->clock->now_ms;

	proxy->most_exchanges = MAX(proxy->most_exchanges, proxy->exchanges.count);
	proxy->most_clients = MAX(proxy->most_clients, proxy_client_count(proxy));
	if (now_ms < proxy->gave_back_ms + GIVE_BACK_MS || !has_peak_behind(proxy)) {
		return;
	}
	proxy->most_exchanges = proxy->exchanges.count;
	proxy->most_clients = proxy_client_count(proxy);
	proxy->buffers.most_bytes = proxy->buffers.used_bytes;
	proxy->gave_back_ms = now_ms;
	mem_cache_shrink(&proxy->exchange_cache, KEPT_AFTER_PEAK);
	mem_cache_shrink(&proxy->client_cache, KEPT_AFTER_PEAK);
	mem_cache_shrink(&proxy->buffers.blocks, KEPT_AFTER_PEAK);
	mem_give_back();
}

void proxy_turn(struct proxy *proxy)
{
	struct list_node *node;

	proxy->turn_read_bytes = 0;
	while ((node = list_pop_front(&proxy->pending)) != NULL) {
		client_read_pending(list_entry(node, struct client, pending_node));
	}
	while ((node = list_pop_front(&proxy->clients[CLIENT_DEAD])) != NULL) {
		mem_cache_give(&proxy->client_cache, list_entry(node, struct client, node));
	}
	give_memory_back(proxy);
	pool_count_load(proxy->pool, proxy_client_count(proxy));
}

size_t proxy_client_count(const struct proxy *proxy)
{
	size_t count = 0;

	for (unsigned i = 0; i < CLIENT_DEAD; i++) {
		count += proxy->clients[i].count;
	}
	return count;
}

bool proxy_close_idle_client(struct proxy *proxy)
{
	struct list *idle = &proxy->clients[CLIENT_IDLE];

	for (struct list_node *node = list_last(idle); node != NULL && node != &idle->head;
	     node = node->prev) {
		struct client *client = list_entry(node, struct client, node);

		if ((client->was_answered || !client->is_allowed) && client->exchange == NULL &&
		    stream_is_quiet(&client->stream)) {
			client_close(client);
			return true;
		}
	}
	return false;
}

void proxy_drain(struct proxy *proxy)
{
	proxy->is_draining = true;
	list_foreach (node, &proxy->clients[CLIENT_IDLE]) {
		timer_set(&list_entry(node, struct client, node)->timer,
			  proxy->clock->now_ms + DRAIN_IDLE_MS);
	}
}

bool proxy_is_drained(const struct proxy *proxy)
{
	return proxy_client_count(proxy) == 0 && list_is_empty(&proxy->exchanges);
}

void proxy_refuse_all(struct proxy *proxy)
{
	list_foreach_safe (node, &proxy->exchanges) {
		struct exchange *exchange = list_entry(node, struct exchange, node);

		if (exchange->is_queued) {
			pool_cancel(proxy->pool, &exchange->waiter);
			exchange->is_queued = false;
			exchange_reply_error(exchange, ERR_SHUTTING_DOWN, ERR_NONE, NULL);
		}
	}
}
