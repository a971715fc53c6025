/*
 * Addresses and networks: parsing, printing, comparing. Nothing here asks DNS.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ADDR_TEXT_BYTES = 128 };

struct addr {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
		struct sockaddr_storage storage;
	} sa;
};

/* A network: family, prefix bits. */
struct cidr {
	sa_family_t family;
	uint8_t bytes[16];
	unsigned bits;
};

/* "127.0.0.1:8080", "[::1]:8080", "unix:/path", "0.0.0.0:0". A name, a missing port or a path over 107 bytes: false. */
MUST_USE bool addr_parse(const char *text, struct addr *ret_addr);

/* "192.0.2.1" or "2001:db8::1" (no brackets, a zone is refused) with a port given apart. */
MUST_USE bool addr_parse_ip(struct span text, uint16_t port, struct addr *ret_addr);

/* Writes the form that addr_parse() reads; returns `out`. */
char *addr_write(const struct addr *addr, char out[ADDR_TEXT_BYTES]);
/* Only the address, without port or brackets. */
char *addr_write_ip(const struct addr *addr, char out[ADDR_TEXT_BYTES]);

bool addr_is_equal(const struct addr *a, const struct addr *b); /* port included */
bool addr_is_loopback(const struct addr *addr); /* v4-mapped ones too; a unix address is none */
bool addr_is_local(const struct addr *addr);    /* a unix address */
uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);

/* "10.0.0.0/8", "::1/128", or an address alone (all its bits). Set host bits are refused. */
MUST_USE bool cidr_parse(const char *text, struct cidr *ret_cidr);
/* A v4-mapped v6 address (::ffff:a.b.c.d) is matched as v4. */
bool cidr_contains(const struct cidr *cidr, const struct addr *addr);
