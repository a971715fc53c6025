/*
 * The upstream's URL: http(s)://NAME[:PORT], with at most one "/" after it. No path, query, fragment or user.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct upstream_url {
	char *host; /* owned; lower case, an IPv6 literal without its brackets: for DNS, SNI and the certificate */
	char *authority; /* owned; the Host field: NAME, [IPV6], with :PORT when it is not the scheme's default */
	uint16_t port;
	bool is_tls;
};

/* On a fault returns false and says in `ret_fault` (static text) what is wrong and what to write. */
MUST_USE bool url_parse(const char *text, struct upstream_url *ret_url, const char **ret_fault);
void url_fini(struct upstream_url *url);

/* Letters, digits, '-' and '_' in labels of 1 to 63 bytes, at most 253 in all; no final dot. */
bool url_is_host_name(const char *text, size_t len);
