/*
 * The seam between the pool and a protocol: the pool lends slots, a codec carries exchanges in them.
 *
 * The pool asks a codec for no more than what stands in struct codec; a codec calls back with conn_slot_done(), conn_set_deadline(),
 * conn_end(), janitor_hint() and janitor_idle_closed(), and sets conn->has_settled when it has read what follows a handshake. tests/unit/pool/test_pool.c has a second one, of three slots and another protocol.
 *
 * A transfer is one request on a connection's slot and the response to it. Its starter embeds it, fills the first part, hands it
 * to codec->start() on a leased connection and keeps its bytes unmoved until exactly one of the two callbacks came. Callbacks come from
 * the loop only, never from inside start(), after the slot was given back and the connection has let go of the transfer.
 */
#pragma once

#include "base/buffer.h"
#include "base/ends.h"
#include "base/err.h"
#include "base/span.h"
#include "http/head.h"
#include "net/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct transfer;

struct transfer_ops {
	/* response, head and body are whole; the buffer is the transfer's now. */
	void (*on_response)(struct transfer *transfer);
	/* `facts` were read from the connection at that moment; `detail` may be NULL. */
	void (*on_failed)(struct transfer *transfer, enum err err, const struct stream_facts *facts,
			  const char *detail);
};

struct transfer {
	/* What to send, and how long to wait; set by the starter. */
	const struct transfer_ops *ops; /* borrowed */
	struct span head;               /* with the body behind it when both are small */
	struct span body;               /* the rest; may be empty */
	bool is_head_request;
	uint64_t response_limit_bytes;
	uint64_t response_timeout_ms;
	uint64_t deadline_ms;

	/* What came of it. */
	struct buffer response;          /* head and body, decoded; owned */
	struct http_head *response_head; /* borrowed from the starter; filled by the codec */
	struct span response_body;       /* inside response */
	uint64_t written_before;         /* the stream's count when it was started */
	uint64_t written_us;             /* when the last byte was handed to the kernel */
	uint64_t first_byte_us;          /* of the response; 0: none came */
};

struct codec {
	const char *name;
	size_t state_bytes; /* what it keeps with each connection: conn_codec_state(), zeroed at first */
	/* How many exchanges a connection can carry at once. */
	unsigned (*slots)(const struct conn *conn);
	void (*start)(struct conn *conn, struct transfer *transfer);
	void (*on_readable)(struct conn *conn);
	void (*on_writable)(struct conn *conn);
	/* A deadline set with conn_set_deadline() passed while a transfer is on its way. */
	void (*on_deadline)(struct conn *conn);
	/* END_NONE when the connection may carry another exchange, else why not. */
	enum end (*refuse_reuse)(const struct conn *conn);
	/* Takes one transfer off a connection that is ending; NULL when none is left. */
	struct transfer *(*take_transfer)(struct conn *conn);
};

extern const struct codec codec_h1;
