/* Owns how bytes wait for their way, and what a message looks like. */
#include "wire.h"

#include "base/macros.h"
#include "base/str.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD_BYTES_MAX = 4096 };

void wire_add(struct wire *wire, const void *bytes, size_t len)
{
	len = MIN(len, sizeof(wire->data) - wire->len);
	memcpy(wire->data + wire->len, bytes, len);
	wire->len += len;
}

size_t wire_room(const struct wire *wire)
{
	return sizeof(wire->data) - wire->len;
}

struct span wire_span(const struct wire *wire)
{
	return (struct span){wire->data, wire->len};
}

void wire_drop(struct wire *wire, size_t len)
{
	memmove(wire->data, wire->data + len, wire->len - len);
	wire->len -= len;
}

bool wire_send(struct wire *wire, int fd, size_t most)
{
	size_t len = MIN(most, wire->len - wire->at);
	ssize_t sent;

	if (len == 0) {
		return true;
	}
	sent = send(fd, wire->data + wire->at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	wire->at += sent > 0 ? (size_t)sent : 0;
	return sent >= 0 || errno == EAGAIN;
}

bool wire_take(struct wire *wire, int fd)
{
	ssize_t got = 0;

	while (wire_room(wire) > 0 &&
	       (got = recv(fd, wire->data + wire->len, wire_room(wire), MSG_DONTWAIT)) > 0) {
		wire->len += (size_t)got;
	}
	return got > 0 || (got < 0 && errno == EAGAIN);
}

void wire_say(struct wire *wire, struct span bytes)
{
	size_t begin = wire->len;

	wire_add(wire, bytes.data, bytes.len);
	for (size_t i = begin; i < wire->len; i++) {
		if (wire->data[i] == '~') {
			wire->data[i] = '_';
		}
	}
}

void wire_fill(struct wire *wire, size_t len)
{
	len = MIN(len, wire_room(wire));
	memset(wire->data + wire->len, 'b', len);
	wire->len += len;
}

size_t wire_head_bytes(struct span bytes)
{
	const char *end = memmem(bytes.data, MIN(bytes.len, HEAD_BYTES_MAX), "\r\n\r\n", 4);

	fuzz_must(end != NULL || bytes.len < HEAD_BYTES_MAX, "a head without an end");
	return end != NULL ? (size_t)(end + 4 - bytes.data) : 0;
}

struct span wire_find_field(struct span head, const char *name)
{
	const char *at = memmem(head.data, head.len, name, strlen(name));
	const char *end;

	if (at == NULL) {
		return (struct span){0};
	}
	at += strlen(name);
	end = memchr(at, '\r', (size_t)(head.data + head.len - at));
	return (struct span){at, (size_t)(end - at)};
}

bool wire_find_length(struct span head, size_t *ret_bytes)
{
	struct span text = wire_find_field(head, "\r\nContent-Length: ");
	uint64_t bytes;

	if (text.data == NULL) {
		return false;
	}
	fuzz_must(str_read_u64(text, &bytes), "a length that is no number");
	*ret_bytes = (size_t)bytes;
	return true;
}
