/* Owns the clients, and judges what comes back to them. */
#include "callers.h"

#include "base/macros.h"
#include "base/str.h"
#include "fuzz.h"
#include "proxy/client.h"
#include "serving.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BYTES = 32 * 1024, MARKS = 48 };

struct caller callers[CALLERS];

/* What became of the marked requests. */
static struct {
	unsigned count;
	struct mark {
		unsigned shape;
		unsigned received; /* whole, by how many peers */
	} items[MARKS];
} marks;

/* A request; its mark goes between the two parts of the line. */
static const struct shape {
	const char *target;
	const char *version;
	const char *fields;
	size_t body_bytes;
	bool is_chunked;
	bool is_paid;
	bool is_head;
	bool expects;
} shapes[] = {
	{.target = "GET /in.php?t=", .version = "HTTP/1.1", .is_paid = true},
	{.target = "POST /in.php?t=", .version = "HTTP/1.1", .body_bytes = 30, .is_paid = true},
	{.target = "POST /in.php?t=",
	 .version = "HTTP/1.1",
	 .body_bytes = 700,
	 .is_chunked = true,
	 .is_paid = true},
	{.target = "POST /in.php?t=", .version = "HTTP/1.1", .body_bytes = 60000, .is_paid = true},
	{.target = "GET /res.php?action=get&id=", .version = "HTTP/1.1"},
	{.target = "HEAD /res.php?action=get&id=", .version = "HTTP/1.1", .is_head = true},
	{.target = "GET /other?t=", .version = "HTTP/1.1"},
	{.target = "POST /solve.php?t=",
	 .version = "HTTP/1.1",
	 .fields = "Expect: 100-continue\r\n",
	 .body_bytes = 30,
	 .is_paid = true,
	 .expects = true},
	{.target = "GET /in.php?json=1&t=", .version = "HTTP/1.0", .is_paid = true},
	{.target = "GET /in.php?t=",
	 .version = "HTTP/1.1",
	 .fields = "Connection: close\r\n",
	 .is_paid = true},
	{.target = "GET http://upstream.example/in.php?t=", .version = "HTTP/1.1", .is_paid = true},
	{.target = "GET /res.php?json=1&action=reportbad&id=", .version = "HTTP/1.1"},
	{.target = "GET //in.php?t=",
	 .version = "HTTP/1.0",
	 .fields = "Connection: keep-alive\r\n",
	 .is_paid = true},
};

int mark_find(struct span bytes)
{
	const char *at = memchr(bytes.data, '~', bytes.len);
	uint64_t number = 0;

	if (at == NULL) {
		return -1;
	}
	fuzz_must(at + 4 <= bytes.data + bytes.len && at[3] == '~' &&
			  str_read_u64((struct span){at + 1, 2}, &number) && number < marks.count,
		  "a mark that was never given");
	return (int)number;
}

void mark_receive(int number)
{
	struct mark *mark = &marks.items[number];

	mark->received++;
	fuzz_must(mark->received <= (shapes[mark->shape].is_paid ? 1 : 2), "sent again");
}

void caller_connect(struct caller *caller)
{
	int pair[2];
	int bytes = SOCKET_BYTES;

	caller_close(caller);
	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0,
		  "no socket pair");
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	caller->fd = pair[0];
	caller->out.at = caller->out.len = caller->in.len = 0;
	caller->asked = caller->answered = 0;
	caller->is_reading = true;
	caller->has_paused = caller->is_free = caller->has_ended = false;
	caller->has_seen_end = caller->was_told = false;
	client_new(&serving.proxy, pair[1], &serving.client_addr, 80, NULL);
}

static void add_body(struct wire *out, const struct shape *shape)
{
	char size[32];

	if (!shape->is_chunked) {
		wire_fill(out, shape->body_bytes);
		return;
	}
	for (size_t left = shape->body_bytes; left > 0; left -= MIN(left, 300)) {
		wire_add(out, size,
			 (size_t)snprintf(size, sizeof(size), "%zx;x=y\r\n", MIN(left, 300)));
		wire_fill(out, MIN(left, 300));
		wire_add(out, "\r\n", 2);
	}
	wire_add(out, "0\r\nX-T: 1\r\n\r\n", 13);
}

void caller_ask(struct caller *caller, unsigned number)
{
	const struct shape *shape = &shapes[number % ARRAY_SIZE(shapes)];
	char head[512];
	size_t len;

	if (caller->fd < 0 || caller->has_ended || caller->is_free || caller->asked == QUEUE_MAX ||
	    marks.count == MARKS || wire_room(&caller->out) < shape->body_bytes + 2048) {
		return;
	}
	len = (size_t)snprintf(head, sizeof(head), "%s~%02u~ %s\r\nHost: localhost\r\n%s",
			       shape->target, marks.count, shape->version,
			       shape->fields != NULL ? shape->fields : "");
	if (shape->is_chunked) {
		len += (size_t)snprintf(head + len, sizeof(head) - len,
					"Transfer-Encoding: chunked\r\n");
	} else if (shape->body_bytes > 0) {
		len += (size_t)snprintf(head + len, sizeof(head) - len, "Content-Length: %zu\r\n",
					shape->body_bytes);
	}
	wire_add(&caller->out, head, len);
	wire_add(&caller->out, "\r\n", 2);
	add_body(&caller->out, shape);
	marks.items[marks.count] = (struct mark){.shape = number % ARRAY_SIZE(shapes)};
	caller->requests[caller->asked].mark = marks.count++;
	caller->requests[caller->asked++].ends_at = caller->out.len;
}

void caller_say(struct caller *caller, struct span bytes)
{
	if (caller->fd >= 0 && !caller->has_ended) {
		caller->is_free = true;
		wire_say(&caller->out, bytes);
	}
}

void caller_send(struct caller *caller, size_t most)
{
	if (caller->fd >= 0 && !caller->has_ended) {
		(void)wire_send(&caller->out, caller->fd, most);
	}
}

void caller_end_side(struct caller *caller)
{
	if (caller->fd >= 0 && !caller->has_ended) {
		shutdown(caller->fd, SHUT_WR);
		caller->has_ended = true;
	}
}

void caller_close(struct caller *caller)
{
	if (caller->fd >= 0) {
		close(caller->fd);
		caller->fd = -1;
	}
}

static unsigned whole_requests(const struct caller *caller)
{
	unsigned count = 0;

	while (count < caller->asked && caller->requests[count].ends_at <= caller->out.at) {
		count++;
	}
	return count;
}

/* One that was paid for, perhaps, has reached the upstream: who asked may not be told that it has not. */
static void judge_answer(const struct mark *mark, struct span response)
{
	bool is_ours = memmem(response.data, response.len, "\r\nProxy-Status: ", 16) != NULL;
	bool says_unknown = memcmp(response.data + 9, "424", 3) == 0;

	if (is_ours && shapes[mark->shape].is_paid && mark->received > 0) {
		fuzz_must(says_unknown, "a submit that came there is said not to have");
	}
}

/* Of a response with this head to this request. */
static size_t body_bytes(struct span head, const struct shape *shape)
{
	const char *status = head.data + 9;
	size_t bytes = 0;

	if (shape->is_head || *status == '1' || memcmp(status, "204", 3) == 0 ||
	    memcmp(status, "304", 3) == 0) {
		return 0;
	}
	fuzz_must(wire_find_length(head, &bytes), "a response without a length");
	return bytes;
}

/* False when no whole response is left in what came. */
static bool take_response(struct caller *caller)
{
	struct span bytes = wire_span(&caller->in);
	struct span head = {bytes.data, bytes.len > 0 ? wire_head_bytes(bytes) : 0};
	struct span response = {bytes.data, 0};
	const struct mark *mark;
	int found;

	if (head.len == 0) {
		return false;
	}
	fuzz_must(caller->answered < caller->asked, "an answer that nobody asked for");
	mark = &marks.items[caller->requests[caller->answered].mark];
	response.len = head.len + body_bytes(head, &shapes[mark->shape]);
	if (response.len > bytes.len) {
		return false;
	}
	found = mark_find(response);
	fuzz_must(found < 0 || &marks.items[found] == mark, "the answer of another request");
	if (memcmp(head.data + 9, "100", 3) == 0) {
		fuzz_must(shapes[mark->shape].expects, "an interim response unasked");
	} else {
		judge_answer(mark, response);
		caller->was_told |=
			span_is(wire_find_field(head, "\r\nConnection: "), SPAN("close"));
		caller->answered++;
	}
	wire_drop(&caller->in, response.len);
	if (caller->was_told && shapes[mark->shape].is_head) {
		caller->in.len = 0; /* who was refused unread was not seen to want no body */
	}
	return true;
}

static void caller_take(struct caller *caller)
{
	if (caller->fd < 0 || !caller->is_reading || caller->has_seen_end) {
		return;
	}
	caller->has_seen_end = !wire_take(&caller->in, caller->fd);
	fuzz_must(caller->out.at > 0 || caller->in.len == 0, "bytes to one who said nothing");
	if (caller->is_free) {
		caller->in.len = 0;
		return;
	}
	while (take_response(caller)) {
		fuzz_must(!caller->was_told || caller->in.len == 0,
			  "bytes after the last response");
	}
	/* One that is refused, or timed out, before it was whole is answered too. */
	fuzz_must(caller->answered <= whole_requests(caller) + 1, "more answers than requests");
	fuzz_must(!caller->has_seen_end || caller->in.len == 0 || caller->has_paused ||
			  caller->has_ended,
		  "half a response");
}

void callers_begin(void)
{
	marks.count = 0;
	for (size_t i = 0; i < CALLERS; i++) {
		callers[i].fd = -1;
	}
}

void callers_end(void)
{
	for (size_t i = 0; i < CALLERS; i++) {
		caller_close(&callers[i]);
	}
}

void callers_take(void)
{
	for (size_t i = 0; i < CALLERS; i++) {
		caller_take(&callers[i]);
	}
}

void callers_judge(void)
{
	for (size_t i = 0; i < CALLERS; i++) {
		const struct caller *caller = &callers[i];

		if (caller->fd < 0) {
			continue;
		}
		fuzz_must(caller->has_seen_end || !caller->is_reading,
			  "a connection that never ends");
		if (!caller->is_free && !caller->has_ended && !caller->has_paused) {
			fuzz_must(caller->was_told || caller->answered == whole_requests(caller),
				  "a request without an answer");
		}
	}
}
