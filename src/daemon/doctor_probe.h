/*
 * One connection, measured from the connect to its answers: the mechanics under doctor.h.
 *
 * probe_run() turns the loop itself until the connection has told what it was asked, failed, or ran out of time; the connection is closed
 * when it returns. So a diagnosis is a straight line of code, on the same resolver, stream and TLS as the daemon's.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "http/head.h"
#include "net/tls_facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct event_base;
struct tls_client;

enum { PROBE_ANSWER_BYTES = 16384 };

/* How far it came. */
enum probe_stage { PROBE_CONNECTING, PROBE_HANDSHAKING, PROBE_ASKING, PROBE_DONE };

struct probe_setup {
	struct event_base *base; /* borrowed */
	struct clock *clock;     /* borrowed */
	const struct addr *addr; /* borrowed */
	struct tls_client *tls;  /* borrowed; NULL: plain */
	const char *request;     /* borrowed; the head of a HEAD request */
	unsigned requests;   /* how often to send it, one after the answer to the other: 0 to 2 */
	uint64_t connect_ms; /* TCP and TLS together */
	uint64_t answer_ms;  /* for each answer */
	uint64_t end_ms;     /* never later than this, by the clock */
};

struct probe {
	/* The outcome */
	enum probe_stage stage;
	enum err err;  /* of the connect or the handshake */
	int error;     /* errno of it, or of a broken read; 0 when the peer ended */
	bool is_late;  /* time ran out in this stage */
	bool is_wrong; /* what came is no HTTP/1.1 */
	uint64_t tcp_us;
	uint64_t tls_us;
	struct tls_facts tls;

	/* The answers */
	unsigned answers;
	uint64_t first_us; /* from the request to the first byte */
	uint64_t again_us; /* the same for the second request, on the connection that stayed open */
	size_t text_bytes;
	char text[PROBE_ANSWER_BYTES]; /* the first answer; what came, when it is wrong */
	struct http_head head; /* of the first answer, into `text`; valid with answers > 0 */
};

void probe_run(const struct probe_setup *setup, struct probe *ret_probe);
