/* Asks one admin interface one question. */
#include "daemon/status_fetch.h"

#include "base/mem.h"
#include "http/parser.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 2000,
	HEAD_BYTES_MAX = 65536,
	ANSWER_BYTES_MAX = 4 << 20,
	STEP_BYTES = 65536,
	SAID_BYTES = 160, /* so much of a refusal is shown */
};

static const char request[] =
	"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/* One exchange under way. */
struct call {
	const struct status_place *place; /* borrowed */
	char *error;                      /* borrowed: STATUS_ERROR_BYTES */
	int fd;
	uint64_t end_ms;
	char *text; /* owned */
	size_t len;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool PRINTF_LIKE(2, 3) fail(struct call *call, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(call->error, STATUS_ERROR_BYTES, format, arguments);
	va_end(arguments);
	return false;
}

static bool fail_to_reach(struct call *call, int error)
{
	const char *place = call->place->text;

	if (error == ECONNREFUSED || error == ENOENT) {
		return fail(
			call,
			"nothing listens on %s: is warmpool running (systemctl status warmpool)? Is its "
			"admin.listen another one, or off? Name its configuration with -c, or the address "
			"with --set admin.listen=",
			place);
	}
	if (error == EACCES || error == EPERM) {
		return fail(call, "%s: %s: ask as a user who may use that socket", place,
			    strerror(error));
	}
	if (error == ETIMEDOUT || error == EAGAIN) {
		return fail(call,
			    "%s does not answer within %d s: is it warmpool that listens there?",
			    place, PATIENCE_MS / 1000);
	}
	return fail(call, "%s cannot be asked: %s", place, strerror(error));
}

/* 0, or an errno. */
static int wait_for(const struct call *call, short events)
{
	struct pollfd item = {.fd = call->fd, .events = events};

	for (;;) {
		uint64_t now = now_ms();
		int count = poll(&item, 1, now < call->end_ms ? (int)(call->end_ms - now) : 0);

		if (count > 0) {
			return 0;
		}
		if (count == 0 || errno != EINTR) {
			return count == 0 ? ETIMEDOUT : errno;
		}
	}
}

static bool connect_to(struct call *call)
{
	const struct addr *addr = &call->place->addr;
	int error = 0;
	socklen_t len = sizeof(error);

	call->fd = socket(addr->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (call->fd < 0) {
		return fail_to_reach(call, errno);
	}
	if (connect(call->fd, &addr->sa.any, addr->len) == 0) {
		return true;
	}
	if (errno != EINPROGRESS) {
		return fail_to_reach(call, errno);
	}
	error = wait_for(call, POLLOUT);
	if (error == 0 && getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
		error = errno;
	}
	return error == 0 || fail_to_reach(call, error);
}

/* A new connection takes these few bytes at once. */
static bool ask(struct call *call)
{
	ssize_t sent = send(call->fd, request, sizeof(request) - 1, MSG_NOSIGNAL);

	return sent == (ssize_t)sizeof(request) - 1 ||
	       fail_to_reach(call, sent < 0 ? errno : EAGAIN);
}

static bool read_all(struct call *call)
{
	size_t room = 0;

	for (;;) {
		int error = wait_for(call, POLLIN);
		ssize_t got;

		if (error != 0) {
			return fail_to_reach(call, error);
		}
		if (call->len == room) {
			room += STEP_BYTES;
			call->text = mem_grow(call->text, room, 1);
		}
		got = recv(call->fd, call->text + call->len, room - call->len, 0);
		if (got == 0) {
			return true;
		}
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			return fail_to_reach(call, errno);
		}
		call->len += got > 0 ? (size_t)got : 0;
		if (call->len > ANSWER_BYTES_MAX) {
			return fail(call, "%s answers with more than %d MiB", call->place->text,
				    ANSWER_BYTES_MAX >> 20);
		}
	}
}

/* A refusal says in its first line what is wrong. */
static bool fail_by_status(struct call *call, unsigned status, struct span body)
{
	char said[SAID_BYTES];
	size_t len = 0;

	while (len < MIN(body.len, sizeof(said) - 1) && body.data[len] != '\n') {
		said[len] = '?';
		if (body.data[len] >= ' ' && body.data[len] <= '~') {
			said[len] = body.data[len];
		}
		len++;
	}
	said[len] = '\0';
	return fail(call, "%s answers %u: %s", call->place->text, status, said);
}

static bool take_answer(struct call *call, struct status_answer *answer)
{
	struct http_parser parser;
	struct http_head head = {0};

	http_parser_init(&parser, HTTP_RESPONSE,
			 (struct http_limits){.head_bytes = HEAD_BYTES_MAX});
	if (call->len == 0 || http_parse(&parser, &head, call->text, call->len) != ERR_NONE ||
	    parser.state != HTTP_PARSE_DONE) {
		return fail(call, "what listens on %s is no admin interface of warmpool",
			    call->place->text);
	}
	answer->body = (struct span){call->text + head.head_bytes, call->len - head.head_bytes};
	if (head.status != 200) {
		return fail_by_status(call, head.status, answer->body);
	}
	if (!head.has_content_length || head.content_length != answer->body.len) {
		return fail(call, "the answer of %s is not whole", call->place->text);
	}
	answer->json = json_loadb(answer->body.data, answer->body.len, 0, NULL);
	if (!json_is_object(answer->json)) {
		json_decref(answer->json);
		return fail(call, "what listens on %s is no admin interface of warmpool: no JSON",
			    call->place->text);
	}
	answer->text = call->text;
	return true;
}

bool status_fetch(const struct status_place *place, struct status_answer *ret_answer)
{
	struct status_answer answer = {0};
	struct call call = {
		.place = place, .error = answer.error, .fd = -1, .end_ms = now_ms() + PATIENCE_MS};
	bool is_good =
		connect_to(&call) && ask(&call) && read_all(&call) && take_answer(&call, &answer);

	if (call.fd >= 0) {
		close(call.fd);
	}
	if (!is_good) {
		free(call.text);
		answer.body = (struct span){0};
	}
	*ret_answer = answer;
	return is_good;
}

void status_answer_fini(struct status_answer *answer)
{
	json_decref(answer->json);
	free(answer->text);
	*answer = (struct status_answer){0};
}

bool status_place_parse(const char *text, struct status_place *ret_place)
{
	struct status_place place;

	if (!addr_parse(text, &place.addr) ||
	    (!addr_is_local(&place.addr) && addr_port(&place.addr) == 0)) {
		return false;
	}
	if (place.addr.sa.any.sa_family == AF_INET &&
	    place.addr.sa.v4.sin_addr.s_addr == htonl(INADDR_ANY)) {
		place.addr.sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	if (place.addr.sa.any.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&place.addr.sa.v6.sin6_addr)) {
		place.addr.sa.v6.sin6_addr = in6addr_loopback;
	}
	addr_write(&place.addr, place.text);
	*ret_place = place;
	return true;
}
