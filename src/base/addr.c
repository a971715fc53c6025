/* Reads, writes and compares socket addresses and networks. */
#include "base/addr.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const struct span unix_prefix = {"unix:", 5};

enum { V4_BITS = 32, V6_BITS = 128, MAPPED_BITS = 96 };

static bool read_port(struct span text, uint16_t *ret_port)
{
	uint64_t port;

	if (text.len > 5 || !str_read_u64(text, &port) || port > UINT16_MAX) {
		return false;
	}
	*ret_port = (uint16_t)port;
	return true;
}

static bool parse_v4(struct span text, uint16_t port, struct addr *ret_addr)
{
	char copy[INET_ADDRSTRLEN];
	struct in_addr in;

	if (text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL) {
		return false;
	}
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, &in) != 1) {
		return false;
	}
	*ret_addr = (struct addr){.len = sizeof(ret_addr->sa.v4)};
	ret_addr->sa.v4.sin_family = AF_INET;
	ret_addr->sa.v4.sin_addr = in;
	ret_addr->sa.v4.sin_port = htons(port);
	return true;
}

static bool parse_v6(struct span text, uint16_t port, struct addr *ret_addr)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr in;

	if (text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL) {
		return false;
	}
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET6, copy, &in) != 1) {
		return false;
	}
	*ret_addr = (struct addr){.len = sizeof(ret_addr->sa.v6)};
	ret_addr->sa.v6.sin6_family = AF_INET6;
	ret_addr->sa.v6.sin6_addr = in;
	ret_addr->sa.v6.sin6_port = htons(port);
	return true;
}

bool addr_parse_ip(struct span text, uint16_t port, struct addr *ret_addr)
{
	if (text.len == 0) {
		return false;
	}
	return parse_v4(text, port, ret_addr) || parse_v6(text, port, ret_addr);
}

static bool parse_unix(struct span path, struct addr *ret_addr)
{
	struct addr addr = {0};

	if (path.len >= sizeof(addr.sa.local.sun_path) || path.len == 0 || path.data[0] != '/') {
		return false;
	}
	addr.sa.local.sun_family = AF_UNIX;
	memcpy(addr.sa.local.sun_path, path.data, path.len);
	addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
	*ret_addr = addr;
	return true;
}

bool addr_parse(const char *text, struct addr *ret_addr)
{
	struct span all = span_of(text);
	const char *colon = strrchr(text, ':');
	struct span host;
	uint16_t port;

	if (span_starts_with(all, unix_prefix)) {
		return parse_unix(span_of(text + unix_prefix.len), ret_addr);
	}
	if (colon == NULL || !read_port(span_of(colon + 1), &port)) {
		return false;
	}
	host = (struct span){text, (size_t)(colon - text)};
	if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
		return parse_v6((struct span){host.data + 1, host.len - 2}, port, ret_addr);
	}
	return parse_v4(host, port, ret_addr);
}

/* The path of a unix address: none, up to a NUL or to the address's end, or abstract ("@name"). */
static char *write_unix(const struct addr *addr, char out[ADDR_TEXT_BYTES])
{
	const size_t before = offsetof(struct sockaddr_un, sun_path);
	const char *path = addr->sa.local.sun_path;
	size_t room = addr->len > before ? addr->len - before : 0;

	room = MIN(room, sizeof(addr->sa.local.sun_path));
	if (room > 1 && path[0] == '\0') {
		snprintf(out, ADDR_TEXT_BYTES, "unix:@%.*s", (int)strnlen(path + 1, room - 1),
			 path + 1);
	} else {
		snprintf(out, ADDR_TEXT_BYTES, "unix:%.*s", (int)strnlen(path, room), path);
	}
	return out;
}

/* inet_ntop() does it with sprintf(), once for each client that connects. */
static void write_v4(const struct in_addr *ip, char out[INET_ADDRSTRLEN])
{
	const unsigned char *bytes = (const unsigned char *)ip;
	size_t len = 0;

	for (unsigned i = 0; i < sizeof(*ip); i++) {
		len += str_put_u64(out + len, bytes[i]);
		out[len++] = i + 1 < sizeof(*ip) ? '.' : '\0';
	}
}

char *addr_write_ip(const struct addr *addr, char out[ADDR_TEXT_BYTES])
{
	out[0] = '\0';
	if (addr->sa.any.sa_family == AF_INET) {
		write_v4(&addr->sa.v4.sin_addr, out);
	} else if (addr->sa.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &addr->sa.v6.sin6_addr, out, ADDR_TEXT_BYTES);
	} else if (addr->sa.any.sa_family == AF_UNIX) {
		write_unix(addr, out);
	}
	return out;
}

char *addr_write(const struct addr *addr, char out[ADDR_TEXT_BYTES])
{
	char ip[INET6_ADDRSTRLEN];

	if (addr->sa.any.sa_family == AF_INET) {
		write_v4(&addr->sa.v4.sin_addr, ip);
		snprintf(out, ADDR_TEXT_BYTES, "%s:%u", ip, addr_port(addr));
	} else if (addr->sa.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &addr->sa.v6.sin6_addr, ip, sizeof(ip));
		snprintf(out, ADDR_TEXT_BYTES, "[%s]:%u", ip, addr_port(addr));
	} else {
		addr_write_ip(addr, out);
	}
	return out;
}

bool addr_is_equal(const struct addr *a, const struct addr *b)
{
	char text_a[ADDR_TEXT_BYTES];
	char text_b[ADDR_TEXT_BYTES];

	if (a->sa.any.sa_family != b->sa.any.sa_family || addr_port(a) != addr_port(b)) {
		return false;
	}
	if (a->sa.any.sa_family == AF_INET) {
		return a->sa.v4.sin_addr.s_addr == b->sa.v4.sin_addr.s_addr;
	}
	if (a->sa.any.sa_family == AF_INET6) {
		return IN6_ARE_ADDR_EQUAL(&a->sa.v6.sin6_addr, &b->sa.v6.sin6_addr) &&
		       a->sa.v6.sin6_scope_id == b->sa.v6.sin6_scope_id;
	}
	if (a->sa.any.sa_family == AF_UNIX) {
		return strcmp(write_unix(a, text_a), write_unix(b, text_b)) == 0;
	}
	return false;
}

/* The bytes that networks are compared with, a v4-mapped address as v4; NULL when it is no IP address. */
static const uint8_t *ip_bytes(const struct addr *addr, sa_family_t *ret_family)
{
	const struct in6_addr *v6 = &addr->sa.v6.sin6_addr;

	*ret_family = AF_INET;
	if (addr->sa.any.sa_family == AF_INET) {
		return (const uint8_t *)&addr->sa.v4.sin_addr;
	}
	if (addr->sa.any.sa_family != AF_INET6) {
		return NULL;
	}
	if (IN6_IS_ADDR_V4MAPPED(v6)) {
		return v6->s6_addr + MAPPED_BITS / 8;
	}
	*ret_family = AF_INET6;
	return v6->s6_addr;
}

bool addr_is_loopback(const struct addr *addr)
{
	sa_family_t family;
	const uint8_t *bytes = ip_bytes(addr, &family);

	if (bytes == NULL) {
		return false;
	}
	return family == AF_INET ? bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK(&addr->sa.v6.sin6_addr);
}

bool addr_is_local(const struct addr *addr)
{
	return addr->sa.any.sa_family == AF_UNIX;
}

uint16_t addr_port(const struct addr *addr)
{
	if (addr->sa.any.sa_family == AF_INET) {
		return ntohs(addr->sa.v4.sin_port);
	}
	return addr->sa.any.sa_family == AF_INET6 ? ntohs(addr->sa.v6.sin6_port) : 0;
}

void addr_set_port(struct addr *addr, uint16_t port)
{
	if (addr->sa.any.sa_family == AF_INET) {
		addr->sa.v4.sin_port = htons(port);
	} else if (addr->sa.any.sa_family == AF_INET6) {
		addr->sa.v6.sin6_port = htons(port);
	}
}

/* Is any bit after the prefix set? */
static bool has_host_bits(const struct cidr *cidr, unsigned all_bits)
{
	for (unsigned bit = cidr->bits; bit < all_bits; bit++) {
		if ((cidr->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
			return true;
		}
	}
	return false;
}

/* A network of v4-mapped addresses is the v4 network, for that is how its members are matched. */
static void unmap(struct cidr *cidr)
{
	static const uint8_t mapped[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

	if (cidr->family == AF_INET6 && cidr->bits >= MAPPED_BITS &&
	    memcmp(cidr->bytes, mapped, sizeof(mapped)) == 0) {
		cidr->family = AF_INET;
		cidr->bits -= MAPPED_BITS;
		memmove(cidr->bytes, cidr->bytes + sizeof(mapped), V4_BITS / 8);
		memset(cidr->bytes + V4_BITS / 8, 0, sizeof(cidr->bytes) - V4_BITS / 8);
	}
}

bool cidr_parse(const char *text, struct cidr *ret_cidr)
{
	const char *slash = strchr(text, '/');
	struct span ip = {text, slash != NULL ? (size_t)(slash - text) : strlen(text)};
	struct cidr cidr = {0};
	struct addr addr;
	unsigned all_bits;
	uint64_t bits;

	if (!addr_parse_ip(ip, 0, &addr)) {
		return false;
	}
	cidr.family = addr.sa.any.sa_family;
	all_bits = cidr.family == AF_INET ? V4_BITS : V6_BITS;
	bits = all_bits;
	if (slash != NULL && (!str_read_u64(span_of(slash + 1), &bits) || bits > all_bits)) {
		return false;
	}
	cidr.bits = (unsigned)bits;
	if (cidr.family == AF_INET) {
		memcpy(cidr.bytes, &addr.sa.v4.sin_addr, V4_BITS / 8);
	} else {
		memcpy(cidr.bytes, &addr.sa.v6.sin6_addr, V6_BITS / 8);
	}
	if (has_host_bits(&cidr, all_bits)) {
		return false;
	}
	unmap(&cidr);
	*ret_cidr = cidr;
	return true;
}

bool cidr_contains(const struct cidr *cidr, const struct addr *addr)
{
	sa_family_t family;
	const uint8_t *bytes = ip_bytes(addr, &family);
	unsigned whole = cidr->bits / 8;
	unsigned rest = cidr->bits % 8;

	if (bytes == NULL || family != cidr->family || memcmp(bytes, cidr->bytes, whole) != 0) {
		return false;
	}
	return rest == 0 || (bytes[whole] ^ cidr->bytes[whole]) >> (8 - rest) == 0;
}
