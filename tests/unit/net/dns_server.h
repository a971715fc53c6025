/*
 * A small DNS server for unit tests, on a loopback port and on the test's own event base: UDP, and TCP for clients that
 * were told their answer is truncated.
 *
 * A question is answered with the records of its name and type; CNAMEs are followed inside the zone, as a
 * recursive resolver does. A name without any record is NXDOMAIN.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct event_base;

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28 };

enum dns_mode { DNS_ANSWER, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_SILENT, DNS_TRUNCATED_UDP };

struct dns_server;

struct dns_server *dns_server_new(struct event_base *base);
void dns_server_free(struct dns_server *server);

/* "127.0.0.1:12345" */
const char *dns_server_address(const struct dns_server *server);

/* value: an address, or the canonical name. Names are compared byte for byte. */
void dns_server_add(struct dns_server *server, const char *name, enum dns_type type,
		    const char *value, uint32_t ttl_s);
void dns_server_clear(struct dns_server *server);

/* How questions for this type are treated. */
void dns_server_set_mode(struct dns_server *server, enum dns_type type, enum dns_mode mode);
void dns_server_set_all(struct dns_server *server, enum dns_mode mode);

/* Leaves the next so many packets unanswered. */
void dns_server_drop(struct dns_server *server, unsigned packets);

/* Questions for the type that came so far. */
unsigned dns_server_count(const struct dns_server *server, enum dns_type type);
