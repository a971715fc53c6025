/* The beginning of a client's connection: who it is, and its TLS handshake. */
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "proxy/access.h"
#include "proxy/client.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Who speaks, when no label says: the peer's process on a unix socket, else its address. */
static void write_name(struct client *client)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	char text[ADDR_TEXT_BYTES];

	if (!addr_is_local(&client->stream.peer)) {
		_Static_assert(sizeof(client->name) >= INET6_ADDRSTRLEN, "an address fits");
		memcpy(client->name, text, strlen(addr_write_ip(&client->stream.peer, text)) + 1);
	} else if (getsockopt(client->stream.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
		snprintf(client->name, sizeof(client->name), "pid=%d", (int)peer.pid);
	}
}

/* Who will only be told 403 does not keep a place for as long as a keep-alive client. */
static uint64_t first_wait_ms(const struct client *client)
{
	const struct config *config = client->proxy->config;

	if (client->proxy->is_draining) {
		return DRAIN_IDLE_MS; /* a handshake was under way when the drain began */
	}
	return client->is_allowed
		       ? config->timeouts_client_idle_ms
		       : MIN(config->timeouts_client_idle_ms, config->timeouts_client_head_ms);
}

void client_handshake_failed(struct client *client, const char *reason)
{
	struct proxy *proxy = client->proxy;
	struct log_line line;

	if (!stream_has_heard(&client->stream)) {
		return; /* a look whether the port is open */
	}
	proxy->metrics->client_handshake_failures++;
	if (!log_wants(proxy->log, LOG_INFO) ||
	    !throttle_lets(&proxy->handshake_lines, proxy->clock->now_ms)) {
		return;
	}
	log_begin(proxy->log, &line, LOG_INFO, "client");
	log_field_text(proxy->log, &line, LOG_KEY("client"), span_of(client->name));
	log_field_text(proxy->log, &line, LOG_KEY("handshake"), SPAN("failed"));
	log_field_text(proxy->log, &line, LOG_KEY("reason"), span_of(reason));
	if (proxy->handshake_lines.held > 0) {
		log_field_u64(proxy->log, &line, LOG_KEY("unsaid"), proxy->handshake_lines.held);
	}
	log_end(proxy->log, &line);
	proxy->handshake_lines.held = 0;
}

/* The TLS handshake is over. */
static void on_connected(void *owner, enum err err)
{
	struct client *client = owner;

	if (err == ERR_NONE) {
		client_set_deadline(client, first_wait_ms(client));
		stream_poke(
			&client->stream); /* the request may have come with the handshake's end */
	} else if (err == ERR_PLAIN_HTTP) {
		stream_drop_tls(&client->stream);
		client_begin_request(client);
		client_refuse(client, err);
	} else {
		client_handshake_failed(client, client->stream.error_text);
		client_close(client);
	}
}

static const struct stream_ops stream_ops = {
	.on_connected = on_connected,
	.on_readable = client_on_readable,
	.on_writable = client_on_writable,
};

void client_new(struct proxy *proxy, int fd, const struct addr *peer, uint16_t local_port,
		struct tls_server *tls)
{
	struct client *client = mem_cache_take(&proxy->client_cache);
	const struct stream_setup setup = {
		.base = proxy->base, .clock = proxy->clock, .ops = &stream_ops, .owner = client};

	client->proxy = proxy;
	client->number = ++proxy->last_client_number;
	proxy->metrics->clients_accepted++;
	client->local_port = local_port;
	client->is_allowed = access_allows_peer(proxy->access, peer);
	client->phase = CLIENT_IDLE;
	list_push_front(&proxy->clients[CLIENT_IDLE], &client->node);
	timer_init(&client->timer, proxy->base, proxy->clock, client_on_timer, client);
	stream_adopt(&client->stream, &setup, fd, peer, tls);
	write_name(client);
	if (tls == NULL) {
		client_set_deadline(client, first_wait_ms(client));
		client_on_readable(client);
	} else {
		client_set_deadline(client, proxy->is_draining
						    ? DRAIN_IDLE_MS
						    : proxy->config->timeouts_client_head_ms);
	}
}
