/* Takes requests from the bytes of a client: head, admission, body. */
#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/reply.h"

#include <stdint.h>
#include <string.h>

void client_refuse(struct client *client, enum err err)
{
	exchange_reply_error(client->exchange, err, ERR_NONE, NULL);
}

/* The request is whole: what came after it waits in `ahead`. */
static void request_is_whole(struct client *client)
{
	struct exchange *exchange = client->exchange;
	size_t end = exchange->body_at + exchange->body_bytes;
	size_t surplus = exchange->in.len_bytes - end;

	if (surplus > 0) {
		buffer_reserve_always(&client->proxy->buffers, &client->ahead, surplus);
		buffer_append(&client->ahead, exchange->in.data + end, surplus);
		exchange->in.len_bytes = end;
	}
	exchange->is_request_whole = true;
	exchange->whole_us = client->proxy->clock->now_us;
	timer_set(&client->timer, TIMER_NEVER);
	client_move(client, CLIENT_WAITING);
	exchange_start(exchange);
}

/* False when more bytes are needed. */
static bool take_body(struct client *client)
{
	struct exchange *exchange = client->exchange;
	struct buffer *in = &exchange->in;
	size_t at = exchange->body_at + exchange->body_bytes;
	size_t decoded = 0;
	size_t taken = 0;
	enum err err;

	if (exchange->framing != HTTP_CHUNKED) {
		if (in->len_bytes - exchange->body_at < exchange->request.content_length) {
			return false;
		}
		exchange->body_bytes = exchange->request.content_length;
		request_is_whole(client);
		return true;
	}
	err = http_chunked_decode(&exchange->chunked, in->data + at, in->len_bytes - at, &decoded,
				  &taken);
	if (err != ERR_NONE) {
		client_refuse(client, err);
		return true;
	}
	exchange->body_bytes += decoded;
	/* Closes the gap that the framing left, so that what follows (if anything) lies behind the body. */
	if (taken > decoded) {
		memmove(in->data + at + decoded, in->data + at + taken, in->len_bytes - at - taken);
		in->len_bytes -= taken - decoded;
	}
	if (!exchange->chunked.done) {
		return false;
	}
	request_is_whole(client);
	return true;
}

bool client_write_continue(struct client *client)
{
	struct span text = span_of(reply_continue);
	struct io io;

	if (client->continue_bytes == 0) {
		return true;
	}
	io = stream_write(&client->stream, text.data + text.len - client->continue_bytes,
			  client->continue_bytes);
	client->continue_bytes -= (uint8_t)io.bytes;
	return io.status != IO_AGAIN; /* a broken connection shows at the reply */
}

/* The socket may still be full of replies to earlier requests, which their client has not read. */
static void send_continue(struct client *client)
{
	client->continue_bytes = (uint8_t)span_of(reply_continue).len;
	(void)client_write_continue(client);
}

/* The head is whole. */
static void take_admitted(struct client *client)
{
	struct exchange *exchange = client->exchange;
	const struct http_head *request = &exchange->request;
	bool is_body_here;
	enum err err = exchange_admit(exchange);

	if (err != ERR_NONE) {
		client_refuse(client, err);
		return;
	}
	exchange->framing = http_request_framing(request);
	exchange->body_at = request->head_bytes;
	if (exchange->framing == HTTP_NO_BODY ||
	    (exchange->framing == HTTP_LENGTH && request->content_length == 0)) {
		request_is_whole(client);
		return;
	}
	is_body_here = exchange->in.len_bytes > exchange->body_at;
	if (exchange->framing == HTTP_CHUNKED) {
		http_chunked_init(&exchange->chunked,
				  client->proxy->config->limits_request_body_bytes);
	} else if (exchange->in.len_bytes - exchange->body_at < request->content_length) {
		size_t missing =
			request->content_length - (exchange->in.len_bytes - exchange->body_at);

		err = buffer_reserve(&client->proxy->buffers, &exchange->in, missing);
		if (err != ERR_NONE) {
			client_refuse(client, err);
			return;
		}
	}
	if (request->expects_continue && !is_body_here) {
		send_continue(client);
	}
	client_move(client, CLIENT_BODY);
	client_set_deadline(client, client->proxy->config->timeouts_client_body_ms);
}

/* False when more bytes are needed. */
static bool take_head(struct client *client)
{
	struct exchange *exchange = client->exchange;
	enum err err = http_parse(&exchange->parser, &exchange->request, exchange->in.data,
				  exchange->in.len_bytes);

	if (err != ERR_NONE) {
		client_refuse(client, err);
		return true;
	}
	if (exchange->parser.state != HTTP_PARSE_DONE) {
		return false;
	}
	exchange->is_head_whole = true;
	take_admitted(client);
	return true;
}

void client_begin_request(struct client *client)
{
	if (client->exchange == NULL) {
		client->exchange = exchange_new(client->proxy, client);
	}
	if (client->ahead.len_bytes > 0) {
		buffer_move(&client->exchange->in, &client->ahead);
	}
}

/* False when nothing of a next request is here. */
static bool begin_head(struct client *client)
{
	const struct exchange *exchange = client->exchange;

	if (client->ahead.len_bytes == 0 && (exchange == NULL || exchange->in.len_bytes == 0)) {
		return false;
	}
	client_begin_request(client);
	client_move(client, CLIENT_HEAD);
	client_set_deadline(client, client->proxy->config->timeouts_client_head_ms);
	return true;
}

void client_advance(struct client *client)
{
	bool moved = true;

	if (client->is_advancing) {
		return;
	}
	client->is_advancing = true;
	while (moved) {
		switch (client->phase) {
		case CLIENT_IDLE:
			moved = begin_head(client);
			break;
		case CLIENT_HEAD:
			moved = take_head(client);
			break;
		case CLIENT_BODY:
			moved = take_body(client);
			break;
		case CLIENT_WAITING:
		case CLIENT_REPLYING:
		case CLIENT_LINGERING:
		case CLIENT_DEAD:
		case CLIENT_PHASES:
			moved = false;
			break;
		}
	}
	client->is_advancing = false;
}
