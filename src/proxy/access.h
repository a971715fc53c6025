/*
 * Who may use the pool, or its admin interface, and under which names: networks, Host names, labels.
 *
 * Built from the configuration once (and anew on reload); pure afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/span.h"
#include "config/config.h"

struct access;

/*
 * From the lists of access.* or admin.*, which were checked and are copied. `upstream_host` is a name to accept as well: the URL's, without
 * port; empty for none.
 */
struct access *access_new(const struct string_list *networks, const struct string_list *hosts,
			  struct span upstream_host);
void access_free(struct access *access);

/* access.allow; unix peers are exempt. */
bool access_allows_peer(const struct access *access, const struct addr *peer);

/*
 * Is the Host of a request one of ours? Accepts localhost, IP literals, this machine's names, the upstream's name,
 * access.hosts, and names that public DNS cannot hold: single-label ones, and those under .localhost .local .lan .internal
 * .home.arpa. Compared without ASCII case and without a final dot; any port. Empty is refused.
 */
bool access_allows_host(const struct access *access, struct span authority);

/*
 * May a web page of this origin (the value of an Origin field) have the pool's key used for it? One under http:// or https:// whose
 * host access_allows_host() accepts, an address only when it is loopback or in access.allow: a page can be served from any address.
 */
bool access_allows_origin(const struct access *access, struct span origin);

/*
 * The label in Basic credentials with an empty password ("Basic " base64 of "NAME:"): fills `out` (at most 63 bytes and a NUL, of
 * [A-Za-z0-9._-], others become '_') and returns true; false for any other value (then it belongs to the upstream).
 */
enum { ACCESS_LABEL_BYTES = 64 };
bool access_read_label(struct span authorization, char out[ACCESS_LABEL_BYTES]);
