/* HTTP/1.1 over one connection: one exchange at a time, the response read whole. */
#include "base/clock.h"
#include "base/metrics.h"
#include "http/body.h"
#include "http/head.h"
#include "http/parser.h"
#include "pool/codec.h"
#include "pool/conn.h"
#include "pool/janitor.h"
#include "pool/pool.h"

#include <assert.h>
#include <string.h>

enum {
	RESPONSE_HEAD_BYTES = 64 * 1024,
	INTERIM_MAX = 32, /* 1xx responses before a final one */
	WRITE_PROGRESS_MS = 10000,
	READ_STEP_BYTES = 4096,
	READ_AHEAD_BYTES = 256 * 1024,
};

/* The state of its one exchange. */
struct h1 {
	struct transfer *transfer; /* borrowed; NULL between exchanges */
	size_t sent_bytes;         /* of head and body */
	struct http_parser parser;
	struct http_chunked chunked;
	enum http_framing framing;
	bool has_head;
	bool close_after;       /* the response said so, or its end was the connection's */
	bool has_surplus;       /* bytes came after a response, or before a request */
	unsigned interim_count; /* 1xx responses skipped */
	size_t body_at;         /* in the response buffer */
	size_t body_bytes;      /* decoded so far */
};

static struct h1 *h1_of(struct conn *conn)
{
	return conn_codec_state(conn);
}

static unsigned h1_slots(const struct conn *conn)
{
	(void)conn;
	return 1;
}

static size_t request_bytes(const struct transfer *transfer)
{
	return transfer->head.len + transfer->body.len;
}

static void begin_response(struct conn *conn)
{
	http_parser_init(
		&h1_of(conn)->parser, HTTP_RESPONSE,
		(struct http_limits){.head_bytes = RESPONSE_HEAD_BYTES, .target_bytes = 0});
}

/* --- writing the request --- */

static struct iovec after(struct span text, size_t bytes)
{
	return (struct iovec){.iov_base = (void *)(uintptr_t)(text.data + bytes),
			      .iov_len = text.len - bytes};
}

/* What the connection has not taken yet of head and body. */
static struct io write_rest(struct conn *conn, const struct transfer *transfer)
{
	size_t sent_bytes = h1_of(conn)->sent_bytes;
	size_t of_head = MIN(sent_bytes, transfer->head.len);
	const struct iovec pieces[] = {after(transfer->head, of_head),
				       after(transfer->body, sent_bytes - of_head)};
	unsigned first = pieces[0].iov_len == 0 ? 1 : 0;
	unsigned end = pieces[1].iov_len == 0 ? 1 : 2;

	return stream_writev(&conn->stream, pieces + first, end - first);
}

static void write_request(struct conn *conn)
{
	struct h1 *h1 = h1_of(conn);
	struct transfer *transfer = h1->transfer;
	uint64_t now_ms = conn->pool->clock->now_ms;
	struct io io = write_rest(conn, transfer);

	h1->sent_bytes += io.bytes;
	conn->pool->metrics->upstream_bytes_out += io.bytes;
	if (io.status == IO_AGAIN) {
		conn_set_deadline(conn, MIN(now_ms + WRITE_PROGRESS_MS, transfer->deadline_ms));
		return;
	}
	if (io.status != IO_OK) {
		/* What the server still said is read first, in a callback of its own. */
		stream_poke(&conn->stream);
		return;
	}
	transfer->written_us = conn->pool->clock->now_us;
	conn_set_deadline(conn, MIN(now_ms + transfer->response_timeout_ms, transfer->deadline_ms));
}

static void h1_start(struct conn *conn, struct transfer *transfer)
{
	assert(h1_of(conn)->transfer == NULL);
	*h1_of(conn) = (struct h1){.transfer = transfer};
	transfer->written_before = stream_written_bytes(&conn->stream);
	transfer->written_us = 0;
	transfer->first_byte_us = 0;
	begin_response(conn);
	write_request(conn);
}

static void h1_on_writable(struct conn *conn)
{
	const struct h1 *h1 = h1_of(conn);

	if (h1->transfer != NULL && h1->sent_bytes < request_bytes(h1->transfer)) {
		write_request(conn);
	}
}

static void h1_on_deadline(struct conn *conn)
{
	const struct h1 *h1 = h1_of(conn);
	bool writing = h1->sent_bytes < request_bytes(h1->transfer);

	conn_end(conn, CONN_END_IN_PEACE, writing ? ERR_WRITE_TIMEOUT : ERR_RESPONSE_TIMEOUT,
		 END_TIMEOUT,
		 writing ? "no progress in writing the request" : "no response in time");
}

static struct transfer *h1_take_transfer(struct conn *conn)
{
	struct h1 *h1 = h1_of(conn);
	struct transfer *transfer = h1->transfer;

	h1->transfer = NULL;
	return transfer;
}

/* --- reading the response --- */

static void finish(struct conn *conn)
{
	struct h1 *h1 = h1_of(conn);
	struct transfer *transfer = h1->transfer;
	struct http_head *head = transfer->response_head;
	uint64_t hint_s;

	head->base = transfer->response.data;
	hint_s = http_head_keep_alive_seconds(head);
	transfer->response_body =
		(struct span){transfer->response.data + h1->body_at, h1->body_bytes};
	if (!http_head_is_persistent(head) || h1->sent_bytes < request_bytes(transfer)) {
		h1->close_after = true;
	}
	if (stream_has_pending(&conn->stream)) {
		h1->has_surplus = true;
	}
	if (conn->requests == 0) {
		conn->has_settled = true; /* the tickets came before the first response */
		stream_trim(&conn->stream);
	}
	janitor_hint(conn->pool, hint_s);
	h1->transfer = NULL;
	conn_slot_done(conn);
	transfer->ops->on_response(transfer);
}

static enum end h1_refuse_reuse(const struct conn *conn)
{
	const struct h1 *h1 = conn_codec_state(conn);

	if (h1->transfer != NULL) {
		return END_PROTOCOL;
	}
	if (h1->has_surplus) {
		return END_PROTOCOL;
	}
	if (h1->close_after) {
		return END_SERVER_CLOSE;
	}
	return END_NONE;
}

/* A whole head is there: how does the body end? ERR_NONE, or what is wrong. */
static enum err begin_body(struct conn *conn)
{
	struct h1 *h1 = h1_of(conn);
	struct transfer *transfer = h1->transfer;
	const struct http_head *head = transfer->response_head;

	h1->has_head = true;
	h1->body_at = head->head_bytes;
	h1->body_bytes = 0;
	h1->framing = http_response_framing(head, transfer->is_head_request);
	if (h1->framing == HTTP_LENGTH && head->content_length > transfer->response_limit_bytes) {
		return ERR_RESPONSE_TOO_LARGE;
	}
	if (h1->framing == HTTP_CHUNKED) {
		http_chunked_init(&h1->chunked, transfer->response_limit_bytes);
	}
	if (h1->framing == HTTP_UNTIL_CLOSE) {
		h1->close_after = true;
	}
	return ERR_NONE;
}

/* Parses heads, skipping 1xx. ERR_NONE with has_head unset: more bytes are needed. */
static enum err take_head(struct conn *conn, const char **ret_detail)
{
	struct h1 *h1 = h1_of(conn);
	struct transfer *transfer = h1->transfer;
	struct buffer *in = &transfer->response;

	for (;;) {
		enum err err =
			http_parse(&h1->parser, transfer->response_head, in->data, in->len_bytes);

		if (err == ERR_HEAD_TOO_LARGE) {
			return ERR_RESPONSE_HEAD_TOO_LARGE;
		}
		if (err != ERR_NONE) {
			*ret_detail = err_text(err);
			return ERR_RESPONSE_MALFORMED;
		}
		if (h1->parser.state != HTTP_PARSE_DONE) {
			return ERR_NONE;
		}
		if (transfer->response_head->status >= 200) {
			return begin_body(conn);
		}
		if (transfer->response_head->status == 101) {
			return ERR_UNASKED_UPGRADE;
		}
		if (++h1->interim_count > INTERIM_MAX) {
			*ret_detail = "too many 1xx responses";
			return ERR_RESPONSE_MALFORMED;
		}
		buffer_drop_front(in, transfer->response_head->head_bytes);
		begin_response(conn);
	}
}

/* Sees how much of the body is there. */
static enum err take_body(struct conn *conn, bool *ret_whole, const char **ret_detail)
{
	struct h1 *h1 = h1_of(conn);
	struct transfer *transfer = h1->transfer;
	struct buffer *in = &transfer->response;
	size_t here = in->len_bytes - h1->body_at;
	size_t decoded = 0;
	size_t taken = 0;
	enum err err;

	switch (h1->framing) {
	case HTTP_NO_BODY:
	case HTTP_LENGTH:
		h1->body_bytes =
			h1->framing == HTTP_LENGTH ? transfer->response_head->content_length : 0;
		*ret_whole = here >= h1->body_bytes;
		h1->has_surplus = here > h1->body_bytes;
		return ERR_NONE;
	case HTTP_UNTIL_CLOSE:
		h1->body_bytes = here;
		return here > transfer->response_limit_bytes ? ERR_RESPONSE_TOO_LARGE : ERR_NONE;
	case HTTP_CHUNKED:
		break;
	}
	err = http_chunked_decode(&h1->chunked, in->data + h1->body_at + h1->body_bytes,
				  here - h1->body_bytes, &decoded, &taken);
	if (err != ERR_NONE) {
		*ret_detail = err_text(err);
		return err == ERR_BODY_TOO_LARGE ? ERR_RESPONSE_TOO_LARGE : ERR_RESPONSE_MALFORMED;
	}
	*ret_whole = h1->chunked.done;
	h1->has_surplus = taken < here - h1->body_bytes;
	h1->body_bytes += decoded;
	in->len_bytes = h1->body_at + h1->body_bytes;
	return ERR_NONE;
}

/* Takes what was just read. True when the exchange is over, one way or the other. */
static bool take_bytes(struct conn *conn)
{
	struct h1 *h1 = h1_of(conn);
	const char *detail = NULL;
	bool whole = false;
	enum err err = ERR_NONE;

	if (!h1->has_head) {
		err = take_head(conn, &detail);
	}
	if (err == ERR_NONE && h1->has_head) {
		err = take_body(conn, &whole, &detail);
	}
	if (err != ERR_NONE) {
		conn_end(conn, CONN_END_IN_PEACE, err, END_PROTOCOL,
			 detail != NULL ? detail : err_text(err));
		return true;
	}
	if (whole) {
		finish(conn);
	}
	return whole;
}

/* After a close_notify without a FIN the server still has the connection: it counts until it has gone. */
static enum conn_end_how how_to_end(const struct stream *stream)
{
	return stream->ended_by_close_notify && !stream->ended_by_fin ? CONN_END_IN_PEACE
								      : CONN_END_AT_ONCE;
}

static void end_of_stream(struct conn *conn, const char *reason)
{
	struct h1 *h1 = h1_of(conn);
	const struct stream *stream = &conn->stream;
	bool began = h1->transfer->first_byte_us != 0;

	if (h1->has_head && h1->framing == HTTP_UNTIL_CLOSE &&
	    (stream->ended_by_close_notify || (stream->ssl == NULL && stream->ended_by_fin))) {
		finish(conn);
		return;
	}
	conn_end(conn, how_to_end(stream), began ? ERR_RESPONSE_INCOMPLETE : ERR_CONNECTION_ENDED,
		 END_SERVER_CUT, reason);
}

static size_t room_wanted(const struct h1 *h1)
{
	const struct transfer *transfer = h1->transfer;
	size_t here = transfer->response.len_bytes - h1->body_at;

	if (h1->has_head && h1->framing == HTTP_LENGTH &&
	    transfer->response_head->content_length > here) {
		return MIN(transfer->response_head->content_length - here + 1,
			   (size_t)READ_AHEAD_BYTES);
	}
	return READ_STEP_BYTES / 4;
}

/* Nothing more can be read now, perhaps ever. */
static void stop_reading(struct conn *conn, enum io_status status)
{
	if (status == IO_END) {
		end_of_stream(conn, "the server ended the connection");
	} else if (status == IO_FAILED) {
		end_of_stream(conn, "the connection was reset");
	} else if (conn->stream.write_failed) {
		conn_end(conn, CONN_END_AT_ONCE, ERR_CONNECTION_ENDED, END_SERVER_CUT,
			 "writing the request failed");
	}
}

static void read_response(struct conn *conn)
{
	struct h1 *h1 = h1_of(conn);
	struct transfer *transfer = h1->transfer;
	struct buffer *in = &transfer->response;

	for (;;) {
		struct io io;

		buffer_reserve_always(conn->pool->buffers, in, room_wanted(h1));
		io = stream_read(&conn->stream, in->data + in->len_bytes, buffer_room_bytes(in));
		if (io.status != IO_OK) {
			stop_reading(conn, io.status);
			return;
		}
		in->len_bytes += io.bytes;
		conn->pool->metrics->upstream_bytes_in += io.bytes;
		if (transfer->first_byte_us == 0) {
			transfer->first_byte_us = conn->pool->clock->now_us;
		}
		if (take_bytes(conn) || !stream_has_pending(&conn->stream)) {
			return;
		}
	}
}

/* On an idle connection: tickets are read, anything else ends it. */
static void read_idle(struct conn *conn)
{
	char byte;
	struct io io = stream_read(&conn->stream, &byte, 1);

	switch (io.status) {
	case IO_AGAIN:
		stream_trim(&conn->stream);
		conn->has_settled = true;
		pool_changed(conn->pool);
		break;
	case IO_OK:
		conn_end(conn, CONN_END_IN_PEACE, ERR_NONE, END_PROTOCOL,
			 "bytes on an idle connection");
		break;
	case IO_END:
		janitor_idle_closed(conn);
		conn_end(conn, how_to_end(&conn->stream), ERR_NONE, END_SERVER_IDLE, NULL);
		break;
	case IO_FAILED:
		conn_end(conn, CONN_END_AT_ONCE, ERR_NONE, END_SERVER_IDLE, "it broke while idle");
		break;
	}
}

static void h1_on_readable(struct conn *conn)
{
	if (h1_of(conn)->transfer != NULL) {
		read_response(conn);
	} else {
		read_idle(conn);
	}
}

const struct codec codec_h1 = {
	.name = "http/1.1",
	.state_bytes = sizeof(struct h1),
	.slots = h1_slots,
	.start = h1_start,
	.on_readable = h1_on_readable,
	.on_writable = h1_on_writable,
	.on_deadline = h1_on_deadline,
	.refuse_reuse = h1_refuse_reuse,
	.take_transfer = h1_take_transfer,
};
