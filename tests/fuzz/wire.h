/* Bytes on their way over a socket, in the pieces that an input chooses, and how a message of HTTP is found among them. */
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { WIRE_BYTES = 320 * 1024 };

/* To be sent: from data[at] on. Received: all of it, until it is dropped. */
struct wire {
	size_t at;
	size_t len;
	char data[WIRE_BYTES];
};

size_t wire_room(const struct wire *wire);
/* What does not fit is left out. */
void wire_add(struct wire *wire, const void *bytes, size_t len);
void wire_fill(struct wire *wire, size_t len);
/* Bytes of the input's: none of them can be a mark (callers.h). */
void wire_say(struct wire *wire, struct span bytes);
struct span wire_span(const struct wire *wire);
void wire_drop(struct wire *wire, size_t len);

/* Sends what the kernel takes of so many bytes. False when the other side is gone. */
bool wire_send(struct wire *wire, int fd, size_t most);
/* Receives what there is. False when the other side has ended. */
bool wire_take(struct wire *wire, int fd);

/* The bytes of the head at the beginning, 0 while it is not whole. */
size_t wire_head_bytes(struct span bytes);
/* The value of the field that `name` begins, given as "\r\nName: "; data NULL: none. */
struct span wire_find_field(struct span head, const char *name);
/* Content-Length; false when there is none. */
bool wire_find_length(struct span head, size_t *ret_bytes);
