/* Owns a UDP socket, a TCP listener and a zone. */
#include "net/dns_server.h"

#include "base/mem.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORDS_MAX = 64, PACKET_BYTES = 4096, HEADER_BYTES = 12, NAME_BYTES = 256, CHAIN_MAX = 8 };

struct record {
	char name[NAME_BYTES];
	enum dns_type type;
	uint32_t ttl_s;
	char value[NAME_BYTES];
};

struct packet {
	size_t len;
	uint8_t bytes[PACKET_BYTES];
};

struct question {
	char name[NAME_BYTES];
	enum dns_type type;
	size_t end; /* offset of the byte after it */
};

struct dns_server {
	int fd;                          /* owned */
	struct event *event;             /* owned */
	struct evconnlistener *listener; /* owned */
	struct bufferevent *client;      /* owned; the last TCP client */
	char address[32];
	struct record records[RECORDS_MAX];
	size_t records_count;
	enum dns_mode modes[DNS_AAAA + 1];
	unsigned counts[DNS_AAAA + 1];
	unsigned drops;
};

static void put_u16(struct packet *packet, unsigned value)
{
	packet->bytes[packet->len++] = (uint8_t)(value >> 8);
	packet->bytes[packet->len++] = (uint8_t)value;
}

static void put_u32(struct packet *packet, uint32_t value)
{
	put_u16(packet, value >> 16);
	put_u16(packet, value & 0xffff);
}

static void put_name(struct packet *packet, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		packet->bytes[packet->len++] = (uint8_t)len;
		memcpy(packet->bytes + packet->len, name, len);
		packet->len += len;
		name += len + (name[len] == '.');
	}
	packet->bytes[packet->len++] = 0;
}

static void put_record(struct packet *packet, const struct record *record)
{
	struct packet data = {0};

	switch (record->type) {
	case DNS_A:
		data.len = 4;
		inet_pton(AF_INET, record->value, data.bytes);
		break;
	case DNS_AAAA:
		data.len = 16;
		inet_pton(AF_INET6, record->value, data.bytes);
		break;
	case DNS_CNAME:
		put_name(&data, record->value);
		break;
	default:
		abort();
	}
	put_name(packet, record->name);
	put_u16(packet, record->type);
	put_u16(packet, 1);
	put_u32(packet, record->ttl_s);
	put_u16(packet, (unsigned)data.len);
	memcpy(packet->bytes + packet->len, data.bytes, data.len);
	packet->len += data.len;
}

static bool read_question(const struct packet *packet, struct question *ret_question)
{
	struct question question = {.end = HEADER_BYTES};
	size_t len = 0;

	while (question.end < packet->len && packet->bytes[question.end] != 0) {
		size_t label = packet->bytes[question.end];

		if (question.end + 1 + label >= packet->len || len + label + 2 > NAME_BYTES) {
			return false;
		}
		memcpy(question.name + len, packet->bytes + question.end + 1, label);
		len += label;
		question.name[len++] = '.';
		question.end += 1 + label;
	}
	if (len == 0 || question.end + 5 > packet->len) {
		return false;
	}
	question.name[len - 1] = '\0';
	question.type = packet->bytes[question.end + 2];
	question.end += 5;
	*ret_question = question;
	return question.type == DNS_A || question.type == DNS_AAAA;
}

/* Adds the records of a name; returns how many, and the canonical name if that is what there was. */
static unsigned answer_name(const struct dns_server *server, struct packet *reply, const char *name,
			    enum dns_type type, const char **ret_next)
{
	unsigned count = 0;

	for (size_t i = 0; i < server->records_count; i++) {
		const struct record *record = &server->records[i];

		if (strcmp(record->name, name) != 0) {
			continue;
		}
		if (record->type == DNS_CNAME) {
			*ret_next = record->value;
		} else if (record->type != type) {
			continue;
		}
		put_record(reply, record);
		count++;
	}
	return count;
}

static bool has_name(const struct dns_server *server, const char *name)
{
	for (size_t i = 0; i < server->records_count; i++) {
		if (strcmp(server->records[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static void answer(const struct dns_server *server, const struct question *question,
		   struct packet *reply)
{
	const char *name = question->name;
	unsigned count = 0;

	for (unsigned i = 0; i < CHAIN_MAX && name != NULL; i++) {
		const char *next = NULL;

		count += answer_name(server, reply, name, question->type, &next);
		name = next;
	}
	reply->bytes[7] = (uint8_t)count;
	if (!has_name(server, question->name)) {
		reply->bytes[3] |= 3;
	}
}

/* False: stay silent. */
static bool reply_to(struct dns_server *server, const struct packet *query, bool is_tcp,
		     struct packet *reply)
{
	struct question question;

	if (!read_question(query, &question)) {
		return false;
	}
	server->counts[question.type]++;
	if (server->drops > 0) {
		server->drops--;
		return false;
	}
	*reply = (struct packet){.len = question.end};
	memcpy(reply->bytes, query->bytes, question.end);
	reply->bytes[2] = 0x81; /* a response, recursion desired */
	reply->bytes[3] = 0x80;
	memset(reply->bytes + 6, 0, 6);
	switch (server->modes[question.type]) {
	case DNS_ANSWER:
		answer(server, &question, reply);
		return true;
	case DNS_SERVFAIL:
		reply->bytes[3] |= 2;
		return true;
	case DNS_NXDOMAIN:
		reply->bytes[3] |= 3;
		return true;
	case DNS_SILENT:
		return false;
	case DNS_TRUNCATED_UDP:
		if (is_tcp) {
			answer(server, &question, reply);
		} else {
			reply->bytes[2] |= 2;
		}
		return true;
	default:
		abort();
	}
}

static void on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct dns_server *server = arg;
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	struct packet query;
	struct packet reply;
	ssize_t len = recvfrom(fd, query.bytes, sizeof(query.bytes), 0, (struct sockaddr *)&peer,
			       &peer_len);

	(void)what;
	if (len < HEADER_BYTES) {
		return;
	}
	query.len = (size_t)len;
	if (reply_to(server, &query, false, &reply)) {
		(void)sendto(fd, reply.bytes, reply.len, 0, (struct sockaddr *)&peer, peer_len);
	}
}

static void on_tcp_bytes(struct bufferevent *client, void *arg)
{
	struct dns_server *server = arg;
	struct evbuffer *input = bufferevent_get_input(client);

	while (evbuffer_get_length(input) > 2) {
		const uint8_t *head = evbuffer_pullup(input, 2);
		struct packet query = {.len = (size_t)head[0] << 8 | head[1]};
		struct packet reply;
		uint8_t len[2];

		if (query.len > PACKET_BYTES || evbuffer_get_length(input) < 2 + query.len) {
			return;
		}
		evbuffer_drain(input, 2);
		evbuffer_remove(input, query.bytes, query.len);
		if (!reply_to(server, &query, true, &reply)) {
			continue;
		}
		len[0] = (uint8_t)(reply.len >> 8);
		len[1] = (uint8_t)reply.len;
		bufferevent_write(client, len, sizeof(len));
		bufferevent_write(client, reply.bytes, reply.len);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
		      int peer_len, void *arg)
{
	struct dns_server *server = arg;

	(void)peer;
	(void)peer_len;
	if (server->client != NULL) {
		bufferevent_free(server->client);
	}
	server->client = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
						BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(server->client, on_tcp_bytes, NULL, NULL, server);
	bufferevent_enable(server->client, EV_READ | EV_WRITE);
}

struct dns_server *dns_server_new(struct event_base *base)
{
	struct dns_server *server = mem_alloc(sizeof(*server));
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t at_len = sizeof(at);

	/* TCP chooses the port; that the same UDP port is taken is all but impossible. */
	server->listener = evconnlistener_new_bind(base, on_accept, server, LEV_OPT_CLOSE_ON_FREE,
						   8, (struct sockaddr *)&at, sizeof(at));
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->listener == NULL || server->fd < 0 ||
	    getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&at, &at_len) !=
		    0 ||
	    bind(server->fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		perror("dns_server");
		abort();
	}
	snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", ntohs(at.sin_port));
	server->event = event_new(base, server->fd, EV_READ | EV_PERSIST, on_udp, server);
	event_add(server->event, NULL);
	return server;
}

void dns_server_free(struct dns_server *server)
{
	if (server->client != NULL) {
		bufferevent_free(server->client);
	}
	evconnlistener_free(server->listener);
	event_free(server->event);
	close(server->fd);
	free(server);
}

const char *dns_server_address(const struct dns_server *server)
{
	return server->address;
}

void dns_server_add(struct dns_server *server, const char *name, enum dns_type type,
		    const char *value, uint32_t ttl_s)
{
	struct record *record;

	if (server->records_count == RECORDS_MAX) {
		abort();
	}
	record = &server->records[server->records_count++];
	*record = (struct record){.type = type, .ttl_s = ttl_s};
	snprintf(record->name, sizeof(record->name), "%s", name);
	snprintf(record->value, sizeof(record->value), "%s", value);
}

void dns_server_clear(struct dns_server *server)
{
	server->records_count = 0;
}

void dns_server_set_mode(struct dns_server *server, enum dns_type type, enum dns_mode mode)
{
	server->modes[type] = mode;
}

void dns_server_set_all(struct dns_server *server, enum dns_mode mode)
{
	dns_server_set_mode(server, DNS_A, mode);
	dns_server_set_mode(server, DNS_AAAA, mode);
}

void dns_server_drop(struct dns_server *server, unsigned packets)
{
	server->drops = packets;
}

unsigned dns_server_count(const struct dns_server *server, enum dns_type type)
{
	return server->counts[type];
}
