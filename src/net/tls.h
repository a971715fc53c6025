/*
 * The TLS side of connections to one upstream: one SSL_CTX, its trust, and a small stack of session tickets by address.
 *
 * Counted references: each stream holds one, so that a reload can replace the context (and with it every ticket: resumption
 * skips the checks of the chain) while old connections end in peace.
 */
#pragma once

#include "base/macros.h"

#include <openssl/types.h>

#include <stdbool.h>
#include <stddef.h>

struct addr;
struct tls_client;

/* What is the same on both sides: TLS 1.2 or newer, non-blocking use of moving buffers, little memory for an idle connection. */
void tls_set_up(SSL_CTX *ctx);

struct tls_setup {
	const char *
		host; /* name or IP literal that the certificate must be for; a name is sent as SNI */
	const char *ca_file; /* "" or NULL: the system's store */
	bool verify;
};

/* NULL on failure, with a described error in `error`. The caller holds one reference. */
MUST_USE struct tls_client *tls_client_new(const struct tls_setup *setup, char *error,
					   size_t error_bytes);
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client *client);

/*
 * A new client SSL, without a way to the socket yet: SNI, name check, ALPN http/1.1, and a ticket for this address if there is one
 * (taken off the stack: each is used once, RFC 8446 appendix C.4; those of TLS 1.2 may serve again). NULL when out of memory. The caller owns the SSL and must keep
 * both its reference and `peer` until it freed it.
 */
MUST_USE SSL *tls_client_open(struct tls_client *client, const struct addr *peer);
