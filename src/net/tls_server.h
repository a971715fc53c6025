/*
 * The TLS side of connections from clients: one SSL_CTX with our certificate and its key.
 *
 * Each SSL holds what it needs of it, so this may be freed and replaced while connections live on with the old certificate.
 */
#pragma once

#include "base/macros.h"

#include <openssl/types.h>

#include <stddef.h>

struct tls_server;

/*
 * From two PEM files: the certificate, after it those of its issuers; its private key, without a passphrase. NULL on failure, with a
 * described error ("tls.key_file PATH cannot be used: why") in `error`.
 */
MUST_USE struct tls_server *tls_server_new(const char *cert_file, const char *key_file, char *error,
					   size_t error_bytes);
void tls_server_free(struct tls_server *server);

/* A new server SSL on an accepted socket, or NULL when out of memory. The caller owns it. */
MUST_USE SSL *tls_server_open(struct tls_server *server);
