/* Owns the SSL_CTX for clients. */
#include "net/tls_server.h"

#include "base/mem.h"
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_server {
	SSL_CTX *ctx; /* owned */
};

/* Nobody is there to type one; `owner` points to whether one was asked for. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL writes down the type */
static int refuse_passphrase(char *text, int size, int is_writing, void *owner)
{
	(void)text;
	(void)size;
	(void)is_writing;
	*(bool *)owner = true;
	return -1;
}

/* A client that names protocols, and not ours, would not understand us (RFC 7301 section 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
			   const unsigned char *offered, unsigned offered_len, void *owner)
{
	static const unsigned char name[] = "http/1.1";
	const size_t name_len = sizeof(name) - 1;

	(void)ssl;
	(void)owner;
	for (size_t i = 0; i < offered_len; i += 1u + offered[i]) {
		if (offered[i] == name_len && memcmp(&offered[i + 1], name, name_len) == 0) {
			*out = &offered[i + 1];
			*out_len = offered[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The first of OpenSSL's errors is the nearest to the cause. */
static bool fail(char *error, size_t error_bytes, const char *option, const char *path)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	snprintf(error, error_bytes, "%s %s cannot be used: %s", option, path,
		 text != NULL ? text : "no reason is given");
	return false;
}

static bool load(SSL_CTX *ctx, const char *cert_file, const char *key_file, char *error,
		 size_t error_bytes)
{
	bool was_asked = false;

	SSL_CTX_set_default_passwd_cb(ctx, refuse_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &was_asked);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
		return fail(error, error_bytes, "tls.cert_file", cert_file);
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1) {
		return true;
	}
	if (was_asked) {
		snprintf(
			error, error_bytes,
			"tls.key_file %s has a passphrase, which nobody can type here; take it off with openssl pkey",
			key_file);
		return false;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) {
		snprintf(error, error_bytes,
			 "tls.key_file %s is not the key of the certificate in tls.cert_file %s",
			 key_file, cert_file);
		return false;
	}
	return fail(error, error_bytes, "tls.key_file", key_file);
}

struct tls_server *tls_server_new(const char *cert_file, const char *key_file, char *error,
				  size_t error_bytes)
{
	struct tls_server *server = mem_alloc(sizeof(*server));

	ERR_clear_error();
	snprintf(error, error_bytes, "OpenSSL could not be set up");
	server->ctx = SSL_CTX_new(TLS_server_method());
	if (server->ctx == NULL || !load(server->ctx, cert_file, key_file, error, error_bytes)) {
		ERR_clear_error();
		tls_server_free(server);
		return NULL;
	}
	tls_set_up(server->ctx);
	SSL_CTX_set_alpn_select_cb(server->ctx, choose_protocol, NULL);
	/* Tickets hold all there is to know of a session: nothing is kept here for a client that has gone. */
	SSL_CTX_set_session_cache_mode(server->ctx, SSL_SESS_CACHE_OFF);
	return server;
}

void tls_server_free(struct tls_server *server)
{
	if (server != NULL) {
		SSL_CTX_free(server->ctx);
		free(server);
	}
}

SSL *tls_server_open(struct tls_server *server)
{
	SSL *ssl = SSL_new(server->ctx);

	if (ssl != NULL) {
		SSL_set_accept_state(ssl);
	}
	return ssl;
}
