/* The rig: listeners, a codec of three slots, clients, and time. */
#include "pool/pool_rig.h"

#include "pool/janitor.h"

#include <check.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOTS = 3, ROUNDS = 12 };

struct rig rig;

const struct pool_settings rig_settings = {
	.size = 25,
	.min_idle = 4,
	.max_connecting = 4,
	.solve_share = 50,
	.queue_size = 1024,
	.connect_timeout_ms = 5000,
};

/* --- echo3 --- */

struct echo3 {
	struct transfer *transfers[SLOTS]; /* the oldest first */
	unsigned count;
};

static unsigned echo3_slots(const struct conn *conn)
{
	(void)conn;
	return SLOTS;
}

static void echo3_start(struct conn *conn, struct transfer *transfer)
{
	struct echo3 *state = conn_codec_state(conn);
	struct io io = stream_write(&conn->stream, transfer->head.data, transfer->head.len);

	ck_assert_uint_lt(state->count, SLOTS);
	ck_assert_uint_eq(io.bytes, transfer->head.len);
	state->transfers[state->count++] = transfer;
}

static struct transfer *echo3_take(struct conn *conn)
{
	struct echo3 *state = conn_codec_state(conn);
	struct transfer *first = state->count > 0 ? state->transfers[0] : NULL;

	if (first != NULL) {
		memmove(state->transfers, state->transfers + 1, --state->count * sizeof(first));
	}
	return first;
}

static void echo3_on_readable(struct conn *conn)
{
	struct echo3 *state = conn_codec_state(conn);
	char byte;
	struct io io = stream_read(&conn->stream, &byte, 1);

	if (io.status == IO_OK) {
		struct transfer *transfer = echo3_take(conn);

		ck_assert_ptr_nonnull(transfer);
		conn_slot_done(conn);
		transfer->ops->on_response(transfer);
	} else if (io.status == IO_END && state->count == 0) {
		janitor_idle_closed(conn);
		conn_end(conn, CONN_END_AT_ONCE, ERR_NONE, END_SERVER_IDLE, NULL);
	} else if (io.status != IO_AGAIN) {
		conn_end(conn, CONN_END_AT_ONCE, ERR_CONNECTION_ENDED, END_SERVER_CUT, NULL);
	}
}

static void echo3_nothing(struct conn *conn)
{
	(void)conn;
}

static enum end echo3_refuse_reuse(const struct conn *conn)
{
	(void)conn;
	return END_NONE;
}

static const struct codec codec_echo3 = {
	.name = "echo3",
	.state_bytes = sizeof(struct echo3),
	.slots = echo3_slots,
	.start = echo3_start,
	.on_readable = echo3_on_readable,
	.on_writable = echo3_nothing,
	.on_deadline = echo3_nothing,
	.refuse_reuse = echo3_refuse_reuse,
	.take_transfer = echo3_take,
};

/* --- the server --- */

static void listen_on(unsigned address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	char text[32];
	int on = 1;

	/* All on the port that the first one got. */
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + address);
	in.sin_port = address > 0 ? htons(addr_port(&rig.addrs[0])) : 0;
	rig.listeners[address] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(rig.listeners[address], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(rig.listeners[address], (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(rig.listeners[address], 128), 0);
	getsockname(rig.listeners[address], (struct sockaddr *)&in, &len);
	snprintf(text, sizeof(text), "127.0.0.%u", address + 1);
	ck_assert(addr_parse_ip(span_of(text), ntohs(in.sin_port), &rig.addrs[address]));
}

void rig_make_deaf(unsigned address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + address);
	in.sin_port = htons(addr_port(&rig.addrs[address]));
	/* The kernel drops what comes once the backlog is full. */
	ck_assert_int_eq(listen(rig.listeners[address], 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rig.fillers[0]); i++) {
		rig.fillers[address][i] =
			socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(rig.fillers[address][i], (struct sockaddr *)&in, sizeof(in));
	}
}

static bool is_deaf(unsigned address)
{
	return rig.fillers[address][0] > 0;
}

static void accept_all(void)
{
	for (unsigned address = 0; address < RIG_ADDRESSES; address++) {
		int on = 1;
		int fd;

		while (!is_deaf(address) && (fd = accept4(rig.listeners[address], NULL, NULL,
							  SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
			ck_assert_uint_lt(rig.peer_count, RIG_PEERS);
			/* Nagle's wait would be one in true time. */
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			rig.peers[rig.peer_count++] =
				(struct rig_peer){.fd = fd, .address = address};
		}
	}
}

void rig_close_peer(struct rig_peer *peer)
{
	if (peer->fd >= 0) {
		close(peer->fd);
		peer->fd = -1;
	}
}

static void answer_peer(struct rig_peer *peer)
{
	ck_assert_int_eq(send(peer->fd, "\n", 1, MSG_NOSIGNAL), 1);
}

static void serve_peers(void)
{
	for (size_t i = 0; i < rig.peer_count; i++) {
		struct rig_peer *peer = &rig.peers[i];
		char bytes[4096];
		ssize_t n;

		while (peer->fd >= 0 && (n = recv(peer->fd, bytes, sizeof(bytes), 0)) >= 0) {
			if (n == 0) {
				rig_close_peer(peer);
				break;
			}
			for (ssize_t at = 2; at < n; at++) {
				/* "ask\n", or the empty line of a heartbeat's head. */
				bool is_end = bytes[at] == '\n' &&
					      (bytes[at - 1] != '\r' || bytes[at - 2] == '\n');

				peer->requests += is_end;
				if (is_end && rig.answers_at_once) {
					answer_peer(peer);
				}
			}
		}
	}
}

struct rig_peer *rig_peer_of(const struct conn *conn)
{
	struct sockaddr_in own = {0};
	socklen_t len = sizeof(own);

	getsockname(conn->stream.fd, (struct sockaddr *)&own, &len);
	for (size_t i = 0; i < rig.peer_count; i++) {
		struct sockaddr_in other = {0};

		len = sizeof(other);
		if (rig.peers[i].fd >= 0 &&
		    getpeername(rig.peers[i].fd, (struct sockaddr *)&other, &len) == 0 &&
		    other.sin_port == own.sin_port &&
		    other.sin_addr.s_addr == own.sin_addr.s_addr) {
			return &rig.peers[i];
		}
	}
	ck_abort_msg("no such peer");
}

void rig_answer(const struct conn *conn)
{
	answer_peer(rig_peer_of(conn));
	rig_settle();
}

void rig_close_idle_peers(void)
{
	list_foreach (node, &rig.pool.conns[CONN_IDLE]) {
		rig_close_peer(rig_peer_of(list_entry(node, struct conn, node)));
	}
	rig_settle();
}

size_t rig_open_peers(unsigned address)
{
	size_t count = 0;

	for (size_t i = 0; i < rig.peer_count; i++) {
		count += rig.peers[i].fd >= 0 && rig.peers[i].address == address;
	}
	return count;
}

/* --- clients --- */

static struct rig_client *client_of(struct transfer *transfer)
{
	return CONTAINER_OF(transfer, struct rig_client, transfer);
}

static void over(struct rig_client *client)
{
	pool_lease_over(&rig.pool, &client->waiter);
	client->conn = NULL;
}

static void on_response(struct transfer *transfer)
{
	client_of(transfer)->answers++;
	over(client_of(transfer));
}

static void on_failed(struct transfer *transfer, enum err err, const struct stream_facts *facts,
		      const char *detail)
{
	(void)err;
	(void)facts;
	(void)detail;
	client_of(transfer)->failures++;
	over(client_of(transfer));
}

static const struct transfer_ops transfer_ops = {.on_response = on_response,
						 .on_failed = on_failed};

static void on_lent(struct waiter *waiter, struct conn *conn)
{
	struct rig_client *client = CONTAINER_OF(waiter, struct rig_client, waiter);

	client->conn = conn;
	client->transfer = (struct transfer){.ops = &transfer_ops, .head = SPAN("ask\n")};
	conn->codec->start(conn, &client->transfer);
}

static void on_refused(struct waiter *waiter, enum err err)
{
	CONTAINER_OF(waiter, struct rig_client, waiter)->refused = err;
}

static const struct waiter_ops waiter_ops = {.on_lent = on_lent, .on_refused = on_refused};

struct rig_client *rig_ask_as(struct tenant *tenant, enum queue_class class)
{
	struct rig_client *client = rig.clients;
	struct conn *conn;

	while (client->conn != NULL || client->waiter.node.list != NULL) {
		ck_assert(++client < rig.clients + RIG_CLIENTS);
	}
	*client = (struct rig_client){0};
	client->waiter = (struct waiter){.ops = &waiter_ops,
					 .tenant = tenant,
					 .class = class,
					 .deadline_ms = rig.clock.now_ms + 10000};
	conn = pool_acquire(&rig.pool, &client->waiter, &client->refused);
	if (conn != NULL) {
		on_lent(&client->waiter, conn);
	}
	return client;
}

struct rig_client *rig_ask(enum queue_class class)
{
	return rig_ask_as(rig.tenant, class);
}

/* --- time --- */

void rig_settle(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		event_base_loop(rig.base, EVLOOP_NONBLOCK);
		accept_all();
		serve_peers();
		pool_turn(&rig.pool);
		rig.most_bound = MAX(rig.most_bound, pool_bound_count(&rig.pool));
		ck_assert_uint_le(rig_count(CONN_CONNECTING) + rig_count(CONN_HANDSHAKING),
				  rig.pool.settings.max_connecting);
	}
}

static void fire(struct timer *timer)
{
	if (timer->on_expire != NULL && timer->deadline_ms <= rig.clock.now_ms) {
		event_active(&timer->event, EV_TIMEOUT, 0);
	}
}

void rig_pass(uint64_t ms)
{
	clock_set_ms(&rig.clock, rig.clock.now_ms + ms);
	for (unsigned state = 0; state < CONN_DEAD; state++) {
		list_foreach (node, &rig.pool.conns[state]) {
			fire(&list_entry(node, struct conn, node)->timer);
		}
	}
	for (size_t i = 0; i < RIG_CLIENTS; i++) {
		if (rig.clients[i].waiter.node.list != NULL) {
			fire(&rig.clients[i].waiter.timer);
		}
	}
	fire(&rig.pool.wake);
	rig_settle();
}

void rig_pass_slowly(uint64_t ms, uint64_t step_ms)
{
	for (uint64_t passed = 0; passed < ms; passed += step_ms) {
		rig_pass(step_ms);
	}
}

size_t rig_count(enum conn_state state)
{
	return rig.pool.conns[state].count;
}

size_t rig_spares(void)
{
	return rig_count(CONN_IDLE) - rig.pool.aging.count;
}

void rig_resolve(unsigned addresses)
{
	struct addr addrs[RIG_ADDRESSES];
	size_t count = 0;

	for (unsigned i = 0; i < RIG_ADDRESSES; i++) {
		if ((addresses & 1u << i) != 0) {
			addrs[count++] = rig.addrs[i];
		}
	}
	pool_set_addresses(&rig.pool, addrs, count, ERR_NONE);
}

void rig_pass_with_spares(uint64_t ms, size_t least)
{
	for (uint64_t passed = 0; passed < ms; passed += 50) {
		rig_pass(50);
		ck_assert_uint_ge(rig_spares(), least);
	}
}

void rig_begin(const struct pool_settings *settings, size_t addresses)
{
	const struct pool_setup setup = {.base = rig.base = event_base_new(),
					 .clock = &rig.clock,
					 .log = &rig.log,
					 .buffers = &rig.buffers,
					 .codec = &codec_echo3,
					 .metrics = &rig.metrics,
					 .authority = "rig"};

	clock_init(&rig.clock);
	clock_set_ms(&rig.clock, 100000000);
	log_init(&rig.log, STDERR_FILENO);
	rig.log.level = LOG_ERROR;
	buffer_pool_init(&rig.buffers, 1 << 20);
	tenants_init(&rig.tenants, &rig.rows);
	rig.tenant = tenant_acquire(&rig.tenants, SPAN("rig"), TENANT_ADDRESS);
	for (unsigned i = 0; i < RIG_ADDRESSES; i++) {
		listen_on(i);
	}
	pool_init(&rig.pool, &setup, settings);
	rig_resolve((1u << addresses) - 1);
}

void rig_end(void)
{
	ck_assert_uint_le(rig.most_bound, rig.pool.settings.size);
	for (size_t i = 0; i < RIG_CLIENTS; i++) {
		pool_cancel(&rig.pool, &rig.clients[i].waiter);
	}
	pool_fini(&rig.pool);
	tenant_release(rig.tenant);
	tenants_fini(&rig.tenants);
	buffer_pool_fini(&rig.buffers);
	log_fini(&rig.log);
	event_base_free(rig.base);
	/* check runs each test in a process of its own: its end closes the sockets. */
}
