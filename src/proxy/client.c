/* Owns one client connection: requests in, replies out, one exchange at a time. */
#include "proxy/client.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "proxy/exchange.h"
#include "proxy/reply.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	AHEAD_BYTES = 64 * 1024,
	READ_STEP_BYTES = 1024,
	BODY_STEP_BYTES = 64 * 1024,
	HEAD_STEP_BYTES_MOST = 192 * 1024,
	READ_MAX_BYTES = 64 * 1024, /* at a time */
	READ_LESS_BYTES =
		4 *
		1024, /* when much was read in this turn already: it stays short, and others have theirs */
	READ_TURN_BYTES = 1024 * 1024,
	READ_ON_BYTES = 64 * 1024, /* read in this turn: what TLS still has is for the next */
	LINGER_MS = 2000,
	SETTLE_MS_MOST = 1024, /* at a time; 2 s in all without any acknowledgement */
};

void client_move(struct client *client, enum client_phase phase)
{
	list_remove(&client->node);
	client->phase = phase;
	list_push_front(&client->proxy->clients[phase], &client->node);
}

void client_set_deadline(struct client *client, uint64_t wait_ms)
{
	timer_set(&client->timer, client->proxy->clock->now_ms + wait_ms);
}

static bool is_replying(const struct client *client)
{
	return client->phase == CLIENT_REPLYING;
}

static void tell_room(struct proxy *proxy)
{
	if (proxy->is_full) {
		proxy->is_full = false;
		proxy->on_room(proxy->owner);
	}
}

/* It is closed before it is known whether its reply was taken: only a reset says that it was not. */
static void settle_now(struct client *client)
{
	uint32_t unacked_bytes;

	client->settle_ms = 0;
	client->exchange->has_client_left |=
		stream_look_at_delivery(&client->stream, &unacked_bytes) == STREAM_RESET;
	exchange_finish(client->exchange);
}

void client_close(struct client *client)
{
	struct proxy *proxy = client->proxy;
	struct exchange *exchange = client->exchange;

	if (client->phase == CLIENT_DEAD) {
		return;
	}
	if (client->settle_ms > 0) {
		settle_now(client);
		exchange = NULL;
	}
	stream_close(&client->stream);
	list_remove(&client->pending_node);
	timer_fini(&client->timer);
	buffer_fini(&proxy->buffers, &client->ahead);
	tenant_release(client->tenant);
	client->tenant = NULL;
	usage_release(client->usage);
	client->usage = NULL;
	client_move(client, CLIENT_DEAD);
	client->exchange = NULL;
	if (exchange != NULL) {
		exchange_orphan(exchange);
	}
	tell_room(proxy);
}

bool client_keeps_alive(const struct client *client)
{
	const struct exchange *exchange = client->exchange;

	/* After a half-close, what it had sent before is still served. */
	if (client->has_read_end && client->ahead.len_bytes == 0) {
		return false;
	}
	return !client->proxy->is_draining && exchange->is_request_whole &&
	       http_head_is_persistent(&exchange->request);
}

/* The peer ended its side. */
static void read_end(struct client *client)
{
	client->has_read_end = true;
	stream_set_reading(&client->stream, false);
	switch (client->phase) {
	case CLIENT_WAITING:
		exchange_client_ended(client->exchange);
		break;
	case CLIENT_REPLYING:
		client->closes_after_reply |= client->ahead.len_bytes == 0;
		break;
	case CLIENT_IDLE:
	case CLIENT_HEAD:
	case CLIENT_BODY:
	case CLIENT_LINGERING:
	case CLIENT_DEAD:
	case CLIENT_PHASES:
		client_close(client);
		break;
	}
}

static void drain(struct client *client)
{
	char bytes[4096];
	struct io io = stream_read(&client->stream, bytes, sizeof(bytes));

	if (io.status == IO_END || io.status == IO_FAILED) {
		client_close(client);
	}
}

/* So much room is wanted for the next bytes of the present request. */
static size_t step_bytes(const struct client *client)
{
	if (client->phase != CLIENT_BODY) {
		return READ_STEP_BYTES;
	}
	return client->exchange->framing == HTTP_CHUNKED ? BODY_STEP_BYTES : 1;
}

/* Where the next bytes go, with room made for them; NULL when reading was stopped, or when there is none: *ret_err then says so. */
static struct buffer *input_of(struct client *client, enum err *ret_err)
{
	struct buffer *in = &client->ahead;
	size_t step = READ_STEP_BYTES;
	enum err err;

	if (client->phase == CLIENT_WAITING || is_replying(client)) {
		if (in->len_bytes >= AHEAD_BYTES) {
			stream_set_reading(&client->stream, false);
			return NULL;
		}
	} else {
		client_begin_request(client);
		in = &client->exchange->in;
		step = step_bytes(client);
	}
	if (buffer_room_bytes(in) >= step) {
		return in;
	}
	if (client->phase == CLIENT_HEAD) {
		/* A head beyond the first block is mostly a large target: in few steps. */
		step = MAX(step, MIN(3 * in->len_bytes, (size_t)HEAD_STEP_BYTES_MOST));
	}
	err = buffer_reserve(&client->proxy->buffers, in, step);
	if (err == ERR_NONE) {
		return in;
	}
	if (in == &client->ahead) {
		stream_set_reading(&client->stream, false);
	} else {
		*ret_err = err;
	}
	return NULL;
}

/* A read that brought nothing. */
static void read_nothing(struct client *client, enum io_status status)
{
	switch (status) {
	case IO_AGAIN:
		if (client->phase == CLIENT_IDLE && client->exchange != NULL) {
			exchange_finish(client->exchange); /* there is no request yet */
		}
		break;
	case IO_END:
		read_end(client);
		break;
	case IO_OK:
	case IO_FAILED:
		client_close(client);
		break;
	}
}

/* There is no room for what came; whether anything came shows only now. */
static void read_without_room(struct client *client, enum err err)
{
	char byte;
	enum io_status status = stream_read(&client->stream, &byte, 1).status;

	if (status == IO_OK) {
		client_refuse(client, err);
	} else {
		read_nothing(client, status);
	}
}

/* So many bytes may be read at once, of those that there is room for. */
static size_t read_bytes_most(const struct client *client)
{
	return client->proxy->turn_read_bytes < READ_TURN_BYTES ? READ_MAX_BYTES : READ_LESS_BYTES;
}

/* TLS has more of it. Always to go on at once would let one that sends as fast as we read keep the loop. */
static void read_on(struct client *client)
{
	if (client->proxy->turn_read_bytes < READ_ON_BYTES) {
		stream_poke(&client->stream);
	} else if (client->pending_node.list == NULL) {
		list_push_back(&client->proxy->pending, &client->pending_node);
	}
}

void client_on_readable(void *owner)
{
	struct client *client = owner;
	enum err err = ERR_NONE;
	struct buffer *in;
	struct io io;
	size_t room;

	if (client->phase == CLIENT_LINGERING) {
		drain(client);
		return;
	}
	in = input_of(client, &err);
	if (err != ERR_NONE) {
		read_without_room(client, err);
		return;
	}
	if (in == NULL) {
		return;
	}
	room = buffer_room_bytes(in);
	if (in == &client->ahead) {
		room = MIN(room, AHEAD_BYTES - in->len_bytes);
	}
	io = stream_read(&client->stream, in->data + in->len_bytes,
			 MIN(room, read_bytes_most(client)));
	if (io.status != IO_OK) {
		read_nothing(client, io.status);
		return;
	}
	in->len_bytes += io.bytes;
	client->proxy->turn_read_bytes += io.bytes;
	client->proxy->metrics->client_bytes_in += io.bytes;
	client_advance(client);
	if (client->stream.is_reading && stream_has_pending(&client->stream)) {
		read_on(client);
	}
}

void client_read_pending(struct client *client)
{
	if (client->stream.is_reading) {
		stream_poke(&client->stream);
	}
}

/* --- replies out --- */

/* Its side is ended already: what it still sends is read and dropped, so that no reset overtakes the reply. */
static void linger(struct client *client)
{
	client_move(client, CLIENT_LINGERING);
	stream_set_reading(&client->stream, !client->has_read_end);
	client_set_deadline(client, LINGER_MS);
}

static void go_idle(struct client *client)
{
	uint64_t idle_ms = client->proxy->config->timeouts_client_idle_ms;

	client_move(client, CLIENT_IDLE);
	client_set_deadline(client, client->proxy->is_draining ? DRAIN_IDLE_MS : idle_ms);
	stream_set_reading(&client->stream, !client->has_read_end);
	client_advance(client);
	if (client->has_read_end && client->phase <= CLIENT_BODY) {
		client_close(client); /* the rest of this request will never come */
	} else if (client->phase == CLIENT_IDLE) {
		tell_room(client->proxy);
	}
}

static void reply_is_over(struct client *client, bool has_left)
{
	client->settle_ms = 0;
	client->exchange->has_client_left |= has_left;
	exchange_finish(client->exchange);
	client->was_answered = true;
	if (!has_left && !client->closes_after_reply) {
		go_idle(client);
	} else if (!has_left && client->lingers && !client->has_read_end) {
		linger(client);
	} else {
		client_close(client); /* what one that has left asked for after that is not sent */
	}
}

/*
 * The reply is with the kernel. Whether a client that had ended its side before still takes it, is told by its acknowledgement or its
 * reset: at once from nearby, after a round trip from elsewhere. Until then it is looked again, ever more seldom while nothing moves.
 */
static void settle(struct client *client)
{
	uint32_t unacked_bytes = 0;
	enum stream_delivery delivery =
		client->has_read_end ? stream_look_at_delivery(&client->stream, &unacked_bytes)
				     : STREAM_DELIVERED;

	if (delivery != STREAM_UNDER_WAY || client->settle_ms >= SETTLE_MS_MOST) {
		reply_is_over(client, delivery != STREAM_DELIVERED);
		return;
	}
	if (client->settle_ms == 0) {
		client->exchange->replied_us = client->proxy->clock->now_us;
		client->settle_ms = 1;
	} else if (unacked_bytes < client->unacked_bytes) {
		client->settle_ms = 1;
	} else {
		client->settle_ms = 2 * client->settle_ms;
	}
	client->unacked_bytes = unacked_bytes;
	client_set_deadline(client, client->settle_ms);
}

/* As much as the socket takes; nothing before the 100 Continue is out, which TLS would else finish with our first bytes. */
static struct io write_pieces(struct client *client)
{
	const struct iovec pieces[] = {
		{.iov_base = (void *)(uintptr_t)client->reply_head.data,
		 .iov_len = client->reply_head.len},
		{.iov_base = (void *)(uintptr_t)client->reply_body.data,
		 .iov_len = client->reply_body.len},
	};
	unsigned first = client->reply_head.len > 0 ? 0 : 1;
	unsigned count = 2 - first - (client->reply_body.len == 0 && first == 0 ? 1 : 0);

	if (!client_write_continue(client)) {
		return (struct io){IO_AGAIN, 0};
	}
	return client->closes_after_reply
		       ? stream_writev_last(&client->stream, pieces + first, count)
		       : stream_writev(&client->stream, pieces + first, count);
}

static void write_reply(struct client *client)
{
	struct io io = write_pieces(client);
	size_t of_head = MIN(io.bytes, client->reply_head.len);

	client->proxy->metrics->client_bytes_out += io.bytes;
	if (io.status == IO_FAILED) {
		client->exchange->has_client_left = true;
		client_close(client);
		return;
	}
	if (io.status == IO_OK) {
		if (client->closes_after_reply) {
			stream_shutdown_write(&client->stream);
		}
		settle(client);
		return;
	}
	client->reply_head.data += of_head;
	client->reply_head.len -= of_head;
	client->reply_body.data += io.bytes - of_head;
	client->reply_body.len -= io.bytes - of_head;
	client_set_deadline(client, client->proxy->config->timeouts_client_write_ms);
}

void client_reply(struct client *client, struct span head, struct span body, bool closes)
{
	client->reply_head = head;
	client->reply_body = body;
	client->closes_after_reply = closes;
	client->settle_ms = 0;
	client->lingers = !client->exchange->is_request_whole || client->ahead.len_bytes > 0;
	client_move(client, CLIENT_REPLYING);
	timer_set(&client->timer, TIMER_NEVER);
	write_reply(client);
}

void client_on_writable(void *owner)
{
	struct client *client = owner;

	if (is_replying(client) && client->settle_ms == 0) {
		write_reply(client);
	} else {
		(void)client_write_continue(client);
	}
}

void client_on_timer(void *owner)
{
	struct client *client = owner;

	switch (client->phase) {
	case CLIENT_HEAD:
		client_refuse(client, ERR_HEAD_TIMEOUT);
		break;
	case CLIENT_BODY:
		client_refuse(client, ERR_BODY_TIMEOUT);
		break;
	case CLIENT_REPLYING:
		if (client->settle_ms > 0) {
			settle(client);
		} else {
			client->exchange->has_client_left = true;
			client_close(client);
		}
		break;
	case CLIENT_IDLE:
		if (client->stream.is_handshaking && !client->proxy->is_draining) {
			client_handshake_failed(client, "it took longer than timeouts.client_head");
		}
		stream_shutdown_write(&client->stream);
		client_close(client);
		break;
	case CLIENT_LINGERING:
		client_close(client);
		break;
	case CLIENT_WAITING:
	case CLIENT_DEAD:
	case CLIENT_PHASES:
		break;
	}
}
