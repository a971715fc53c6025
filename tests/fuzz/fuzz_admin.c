/*
 * The admin interface over a socket, fed in pieces that the input chooses: whatever comes, it ends the connection, with one answer or,
 * when the head never was whole, with none.
 *
 * The input: a byte for the size of the pieces (0: all at once), then what is sent.
 */
#include "admin/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/span.h"
#include "base/str.h"
#include "config/config.h"
#include "fuzz.h"
#include "net/resolver.h"
#include "pool/pool.h"
#include "proxy/proxy.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_BYTES = 1 << 20, TURNS_HIGHEST = 20000 };

struct rig {
	struct event_base *base;
	struct clock clock;
	struct log log;
	struct config config;
	struct metrics metrics;
	struct pool pool; /* no connection stands */
	struct proxy proxy;
	struct api_key no_key;
	struct resolver *resolver; /* never started: without an answer */
	struct admin_view view;
	struct admin *admin;
	struct sockaddr_un name; /* in no folder: the kernel chose it */
	socklen_t name_len;
};

static void must(bool is_so)
{
	fuzz_expect_none(is_so ? NULL : strerror(errno));
}

static void on_nothing(void *owner)
{
	(void)owner;
}

static void set_up_pool(struct rig *rig)
{
	const struct pool_setup setup = {.base = rig->base,
					 .clock = &rig->clock,
					 .log = &rig->log,
					 .buffers = &rig->proxy.buffers,
					 .metrics = &rig->metrics,
					 .codec = &codec_h1,
					 .authority = "upstream.invalid"};
	const struct pool_settings settings = {.size = 25, .queue_size = 1024};

	pool_init(&rig->pool, &setup, &settings);
	rig->proxy.pool = &rig->pool;
	rig->proxy.metrics = &rig->metrics;
	rig->proxy.api_key = &rig->no_key;
	rig->proxy.upstream_host = "upstream.invalid";
	rig->proxy.upstream_authority = "upstream.invalid";
	rig->proxy.on_room = on_nothing;
	proxy_init(&rig->proxy, rig->base, &rig->clock, &rig->log, &rig->config);
	rig->resolver = resolver_new(&(struct resolver_setup){.base = rig->base,
							      .clock = &rig->clock,
							      .log = &rig->log,
							      .metrics = &rig->metrics,
							      .name = "upstream.invalid",
							      .ttl_max_ms = 300000,
							      .on_change = on_nothing});
}

static struct rig *the_rig(void)
{
	static struct rig rig;
	const struct sockaddr_un any = {.sun_family = AF_UNIX};
	struct event_config *setup;
	int fd;

	if (rig.base != NULL) {
		return &rig;
	}
	setup = event_config_new();
	event_config_set_flag(setup, EVENT_BASE_FLAG_NOLOCK);
	rig.base = event_base_new_with_config(setup);
	event_config_free(setup);
	clock_set_ms(&rig.clock, 1000); /* no deadline ever passes */
	log_init(&rig.log, STDERR_FILENO);
	config_init(&rig.config);
	set_up_pool(&rig);
	rig.view = (struct admin_view){.config = &rig.config,
				       .clock = &rig.clock,
				       .pool = &rig.pool,
				       .proxy = &rig.proxy,
				       .resolver = rig.resolver,
				       .log = &rig.log,
				       .metrics = &rig.metrics};
	rig.admin = admin_new(&rig.view, rig.base, &rig.clock, &rig.log);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	rig.name_len = sizeof(rig.name);
	must(fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) == 0);
	must(getsockname(fd, (struct sockaddr *)&rig.name, &rig.name_len) == 0);
	must(listen(fd, 8) == 0 && admin_serve(rig.admin, fd));
	close(fd);
	return &rig;
}

static void turn(struct rig *rig)
{
	must(event_base_loop(rig->base, EVLOOP_NONBLOCK) >= 0);
	admin_turn(rig->admin);
}

/* Sends what the kernel takes of the next piece; when nothing is left, ends its side. */
static void send_piece(int fd, const uint8_t *bytes, size_t len, size_t piece, size_t *at)
{
	size_t left = len - *at;
	ssize_t sent;

	if (left == 0) {
		shutdown(fd, SHUT_WR);
		return;
	}
	sent = send(fd, bytes + *at, piece > 0 && piece < left ? piece : left, MSG_NOSIGNAL);
	/* It may have been ended by then: the answer is there to be read. */
	*at = sent >= 0 ? *at + (size_t)sent : errno == EAGAIN ? *at : len;
}

/* The length of the answer. */
static size_t converse(struct rig *rig, const uint8_t *bytes, size_t len, size_t piece,
		       char answer[ANSWER_BYTES])
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	size_t at = 0;
	size_t got = 0;

	must(fd >= 0 && connect(fd, (const struct sockaddr *)&rig->name, rig->name_len) == 0);
	for (int i = 0; i < TURNS_HIGHEST; i++) {
		ssize_t more;

		send_piece(fd, bytes, len, piece, &at);
		turn(rig);
		more = recv(fd, answer + got, ANSWER_BYTES - got, 0);
		if (more == 0 || (more < 0 && errno == ECONNRESET)) {
			close(fd);
			turn(rig);
			return got;
		}
		got += more > 0 ? (size_t)more : 0;
		must(got < ANSWER_BYTES);
	}
	fuzz_expect_none("the connection does not end");
	return 0;
}

/* Its head says how long it is; one to HEAD has no body. */
static const char *judge(const char *answer, size_t len)
{
	static const char field[] = "\r\nContent-Length: ";
	const char *end = memmem(answer, len, "\r\n\r\n", 4);
	const char *length = memmem(answer, len, field, sizeof(field) - 1);
	size_t body_bytes;
	uint64_t said;

	if (len == 0) {
		return NULL;
	}
	if (end == NULL || length == NULL || length > end || memcmp(answer, "HTTP/1.1 ", 9) != 0) {
		return "the answer is none";
	}
	if (memmem(answer, (size_t)(end - answer), "\r\nConnection: close", 19) == NULL) {
		return "the answer does not say that it is the last";
	}
	length += sizeof(field) - 1;
	body_bytes = len - (size_t)(end + 4 - answer);
	if (!str_read_u64((struct span){length, strspn(length, "0123456789")}, &said)) {
		return "the answer does not say how long it is";
	}
	return body_bytes == said || body_bytes == 0 ? NULL : "not one whole answer";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static char answer[ANSWER_BYTES];
	struct rig *rig = the_rig();

	if (len > 0) {
		fuzz_expect_none(
			judge(answer, converse(rig, bytes + 1, len - 1, bytes[0], answer)));
	}
	return 0;
}
