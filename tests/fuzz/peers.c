/* Owns the upstream's ends, and judges what reaches them. */
#include "peers.h"

#include "base/macros.h"
#include "callers.h"
#include "fuzz.h"
#include "serving.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer peers[PEERS];

static void accept_peers(void)
{
	for (size_t i = 0; i < PEERS; i++) {
		struct peer *peer = &peers[i];

		if (peer->fd >= 0) {
			continue;
		}
		peer->fd = accept4(serving.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (peer->fd < 0) {
			return;
		}
		peer->out.at = peer->out.len = peer->in.len = 0;
		peer->is_reading = peer->is_honest = true;
		peer->closes = peer->has_request = peer->is_head = false;
		peer->mark = -1;
	}
}

static void receive(struct peer *peer, struct span head)
{
	struct span line = {head.data,
			    (size_t)((const char *)memchr(head.data, '\r', head.len) - head.data)};
	struct span host = wire_find_field(head, "\r\nHost: ");

	fuzz_must(line.len > 10 && memcmp(line.data + line.len - 9, " HTTP/1.1", 9) == 0,
		  "what reaches the upstream is no request");
	fuzz_must(span_is(host, SPAN("upstream.example")), "another Host");
	fuzz_must(wire_find_field(head, "\r\nTransfer-Encoding").data == NULL,
		  "an encoding went through");
	fuzz_must(!peer->has_request || !peer->is_honest, "a second request before the answer");
	peer->has_request = true;
	peer->is_head = memcmp(line.data, "HEAD ", 5) == 0;
	peer->mark = mark_find(line);
	if (peer->mark >= 0) {
		mark_receive(peer->mark);
	}
}

/* False when no whole request is left in what came. */
static bool take_request(struct peer *peer)
{
	struct span bytes = wire_span(&peer->in);
	struct span head = {bytes.data, bytes.len > 0 ? wire_head_bytes(bytes) : 0};
	size_t body_bytes = 0;

	if (head.len == 0) {
		return false;
	}
	(void)wire_find_length(head, &body_bytes);
	if (bytes.len < head.len + body_bytes) {
		return false;
	}
	receive(peer, head);
	wire_drop(&peer->in, head.len + body_bytes);
	return true;
}

static void peer_take(struct peer *peer)
{
	bool stands;

	if (peer->fd < 0 || !peer->is_reading) {
		return;
	}
	stands = wire_take(&peer->in, peer->fd);
	while (take_request(peer)) {
	}
	if (!stands) {
		peer_close(peer, false);
	}
}

/* Answers; the mark goes between the two parts of the body. */
static const struct {
	const char *head;
	const char *before;
	const char *after;
	size_t more_bytes; /* of the body */
	bool closes;
} answers[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "OK|", "", 0, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nOK|\r\n4\r\n",
	 "\r\n0\r\n\r\n", 0, false},
	{"HTTP/1.1 204 No Content\r\n\r\n", NULL, NULL, 0, false},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", NULL, NULL, 0, false},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "OK|", "", 0,
	 false},
	{"HTTP/1.1 200 OK\r\nX-Ends: late\r\n\r\n", "OK|", "", 100, true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 90007\r\n\r\n", "OK|", "", 90000, false},
	{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\n", "OK|", "", 0, true},
	{"HTTP/1.0 503 Busy\r\nKeep-Alive: timeout=1\r\nContent-Length: 7\r\n\r\n", "NO|", "", 0,
	 false},
	{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "7;x\r\nOK|", "\r\n0\r\nX-T: 1\r\n\r\n", 0, false},
};

void peer_answer(struct peer *peer, unsigned number)
{
	unsigned shape = number % ARRAY_SIZE(answers);
	char mark[16] = "none";
	char body[128];

	if (peer->fd < 0 || peer->closes) {
		return;
	}
	peer->is_honest &= peer->has_request;
	if (peer->is_honest && peer->mark >= 0) {
		snprintf(mark, sizeof(mark), "~%02d~", peer->mark);
	}
	wire_add(&peer->out, answers[shape].head, strlen(answers[shape].head));
	if (!peer->is_head && answers[shape].before != NULL) {
		wire_add(&peer->out, body,
			 (size_t)snprintf(body, sizeof(body), "%s%s%s", answers[shape].before, mark,
					  answers[shape].after));
		wire_fill(&peer->out, answers[shape].more_bytes);
	}
	peer->closes = answers[shape].closes;
	peer->has_request = false;
}

void peer_say(struct peer *peer, struct span bytes)
{
	if (peer->fd >= 0 && !peer->closes) {
		peer->is_honest = false;
		wire_say(&peer->out, bytes);
	}
}

void peer_send(struct peer *peer, size_t most)
{
	if (peer->fd >= 0 && (!wire_send(&peer->out, peer->fd, most) ||
			      (peer->closes && peer->out.at == peer->out.len))) {
		peer_close(peer, false);
	}
}

void peer_close(struct peer *peer, bool resets)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (peer->fd >= 0) {
		if (resets) {
			setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		}
		close(peer->fd);
		peer->fd = -1;
	}
}

void peers_begin(void)
{
	for (size_t i = 0; i < PEERS; i++) {
		peers[i].fd = -1;
	}
}

void peers_end(void)
{
	do {
		for (size_t i = 0; i < PEERS; i++) {
			peer_close(&peers[i], true);
		}
		accept_peers();
	} while (peers[0].fd >= 0);
}

void peers_take(void)
{
	accept_peers();
	for (size_t i = 0; i < PEERS; i++) {
		peer_take(&peers[i]);
	}
}
