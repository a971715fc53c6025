/* Owns the networks and names of access.*, and reads the labels by which clients name themselves. */
#include "proxy/access.h"

#include "base/macros.h"
#include "base/mem.h"
#include "http/parser.h"
#include "proxy/basic.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOSTNAME_BYTES = 256 };

struct access {
	struct cidr *networks; /* owned */
	size_t network_count;
	char **hosts; /* owned, each too; without a final dot */
	size_t host_count;
};

static struct span without_final_dot(struct span name)
{
	if (name.len > 0 && name.data[name.len - 1] == '.') {
		name.len--;
	}
	return name;
}

static void add_host(struct access *access, struct span name)
{
	name = without_final_dot(name);
	if (name.len == 0) {
		return;
	}
	access->hosts = mem_grow(access->hosts, access->host_count + 1, sizeof(*access->hosts));
	access->hosts[access->host_count++] = mem_strndup(name.data, name.len);
}

/* As the machine names itself; its name before the first dot is a single label and needs no mention. */
static void add_machine_name(struct access *access)
{
	char name[HOSTNAME_BYTES] = "";

	if (gethostname(name, sizeof(name) - 1) == 0) {
		add_host(access, span_of(name));
	}
}

struct access *access_new(const struct string_list *networks, const struct string_list *hosts,
			  struct span upstream_host)
{
	struct access *access = mem_alloc(sizeof(*access));

	access->networks = mem_grow(NULL, networks->count, sizeof(*access->networks));
	for (size_t i = 0; i < networks->count; i++) {
		bool is_read = cidr_parse(networks->items[i], &access->networks[i]);

		assert(is_read);
	}
	access->network_count = networks->count;
	add_host(access, upstream_host);
	add_machine_name(access);
	for (size_t i = 0; i < hosts->count; i++) {
		add_host(access, span_of(hosts->items[i]));
	}
	return access;
}

void access_free(struct access *access)
{
	if (access == NULL) {
		return;
	}
	for (size_t i = 0; i < access->host_count; i++) {
		free(access->hosts[i]);
	}
	free(access->hosts);
	free(access->networks);
	free(access);
}

bool access_allows_peer(const struct access *access, const struct addr *peer)
{
	if (addr_is_local(peer)) {
		return true;
	}
	for (size_t i = 0; i < access->network_count; i++) {
		if (cidr_contains(&access->networks[i], peer)) {
			return true;
		}
	}
	return false;
}

static bool ends_with_nocase(struct span name, struct span suffix)
{
	return name.len > suffix.len &&
	       span_is_nocase((struct span){name.data + name.len - suffix.len, suffix.len}, suffix);
}

/* Names that no public zone can hold, so that no web page can point one of its own at us. */
static bool is_private_name(struct span name)
{
	static const struct span suffixes[] = {
		{".localhost", 10}, {".local", 6},      {".lan", 4},
		{".internal", 9},   {".home.arpa", 10},
	};

	if (memchr(name.data, '.', name.len) == NULL) {
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (ends_with_nocase(name, suffixes[i])) {
			return true;
		}
	}
	return false;
}

bool access_allows_host(const struct access *access, struct span authority)
{
	struct span name;
	struct span port;
	struct addr literal;

	if (!http_split_authority(authority, &name, &port)) {
		return false;
	}
	if (addr_parse_ip(name, 0, &literal)) {
		return true;
	}
	name = without_final_dot(name);
	if (name.len == 0) {
		return false;
	}
	if (is_private_name(name)) {
		return true;
	}
	for (size_t i = 0; i < access->host_count; i++) {
		if (span_is_nocase(name, span_of(access->hosts[i]))) {
			return true;
		}
	}
	return false;
}

bool access_allows_origin(const struct access *access, struct span origin)
{
	static const struct span schemes[] = {{"http://", 7}, {"https://", 8}};
	struct span name;
	struct span port;
	struct addr literal;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		struct span rest = {origin.data + schemes[i].len, origin.len - schemes[i].len};

		if (!span_starts_with(origin, schemes[i])) {
			continue;
		}
		if (http_split_authority(rest, &name, &port) && addr_parse_ip(name, 0, &literal)) {
			return addr_is_loopback(&literal) || access_allows_peer(access, &literal);
		}
		return access_allows_host(access, rest);
	}
	return false; /* "null", an extension, a file */
}

static char label_byte(char byte)
{
	char lower = (char)(byte | 0x20);
	bool is_kept = (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') ||
		       byte == '.' || byte == '_' || byte == '-';

	if (!is_kept) {
		byte = '_';
	}
	return byte;
}

bool access_read_label(struct span authorization, char out[ACCESS_LABEL_BYTES])
{
	struct basic basic;
	bool is_label =
		basic_read(authorization, &basic) && basic.secret.len == 0 && basic.name.len > 0;
	size_t len;

	if (is_label) {
		len = MIN(basic.name.len, (size_t)ACCESS_LABEL_BYTES - 1);
		for (size_t i = 0; i < len; i++) {
			out[i] = label_byte(basic.name.data[i]);
		}
		out[len] = '\0';
	}
	basic_wipe(&basic);
	return is_label;
}
