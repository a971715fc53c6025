/*
 * The clients of the serving side, over socket pairs. Each has what it still wants to send, which goes out in pieces, and takes what comes,
 * unless it was told not to.
 *
 * A whole request of theirs carries a mark of its own, "~07~", and an honest answer (peers.h) gives it back: so it shows where each one went.
 * Bytes that the input holds never carry one.
 */
#pragma once

#include "base/span.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	CALLERS = 4,
	QUEUE_MAX = 16,
	ALL = WIRE_BYTES, /* as a number of bytes to send */
};

struct caller {
	int fd; /* -1: not connected */
	struct wire out;
	struct wire in; /* what is no whole response yet */
	bool is_reading;
	bool has_paused; /* at least once: it may get half a response */
	bool is_free;    /* sent bytes of the input's: what comes back is not judged */
	bool has_ended;  /* its side */
	bool has_seen_end;
	bool was_told;  /* Connection: close */
	unsigned asked; /* requests that are or were in `out` */
	unsigned answered;
	struct {
		unsigned mark;
		size_t ends_at; /* in `out` */
	} requests[QUEUE_MAX];
};

extern struct caller callers[CALLERS];

void callers_begin(void);
void callers_end(void);

void caller_connect(struct caller *caller);
/* Adds a whole request, of the shape with this number (modulo how many there are), to what is to be sent. */
void caller_ask(struct caller *caller, unsigned number);
void caller_say(struct caller *caller, struct span bytes);
/* Sends so many bytes of it at most. */
void caller_send(struct caller *caller, size_t most);
void caller_end_side(struct caller *caller);
void caller_close(struct caller *caller);

/* Takes what has come back, and judges it. */
void callers_take(void);
/* Time enough has passed for all: has everyone got what he must? */
void callers_judge(void);

/* The number of the mark in these bytes, or -1. */
int mark_find(struct span bytes);
/* The whole request with this mark has reached the upstream. */
void mark_receive(int number);
