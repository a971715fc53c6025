/* The upstream's ends of its connections: what each still wants to send, and what it takes unless it was told not to. */
#pragma once

#include "base/span.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

enum { PEERS = 12 };

struct peer {
	int fd;   /* -1: none */
	int mark; /* of the last request; -1: none */
	struct wire out;
	struct wire in; /* what is no whole request yet */
	bool is_reading;
	bool is_honest;   /* has sent nothing but one whole answer to each request */
	bool closes;      /* when `out` is sent */
	bool has_request; /* not answered yet */
	bool is_head;
};

extern struct peer peers[PEERS];

void peers_begin(void);
void peers_end(void);

/* An honest answer, of the shape with this number (modulo how many there are), to its last request; a lie if there is none, or was answered. */
void peer_answer(struct peer *peer, unsigned number);
void peer_say(struct peer *peer, struct span bytes);
void peer_send(struct peer *peer, size_t most);
/* Its end: with a FIN (a reset if bytes are left unread), or a reset. */
void peer_close(struct peer *peer, bool resets);

/* Accepts, takes what has come, and judges it. */
void peers_take(void);
