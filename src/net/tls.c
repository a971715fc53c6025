/* Owns the SSL_CTX for the upstream and its session tickets. */
#include "net/tls.h"

#include "base/addr.h"
#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICKET_ADDRESSES = 16, TICKETS_PER_ADDRESS = 8 };

struct ticket_stack {
	struct addr addr;
	SSL_SESSION *sessions[TICKETS_PER_ADDRESS]; /* owned; the newest is last */
	unsigned count;
};

struct tls_client {
	unsigned refs;
	SSL_CTX *ctx; /* owned */
	char *host;   /* owned */
	bool host_is_ip;
	bool verify;
	unsigned next_victim; /* the stack that a seventeenth address takes over */
	struct ticket_stack stacks[TICKET_ADDRESSES];
};

static const unsigned char alpn[] = "\x08http/1.1";

static struct ticket_stack *find_stack(struct tls_client *client, const struct addr *addr)
{
	for (unsigned i = 0; i < TICKET_ADDRESSES; i++) {
		if (client->stacks[i].count > 0 && addr_is_equal(&client->stacks[i].addr, addr)) {
			return &client->stacks[i];
		}
	}
	return NULL;
}

static void drop_tickets(struct ticket_stack *stack)
{
	while (stack->count > 0) {
		SSL_SESSION_free(stack->sessions[--stack->count]);
	}
}

static struct ticket_stack *make_stack(struct tls_client *client, const struct addr *addr)
{
	struct ticket_stack *stack = NULL;

	for (unsigned i = 0; i < TICKET_ADDRESSES && stack == NULL; i++) {
		if (client->stacks[i].count == 0) {
			stack = &client->stacks[i];
		}
	}
	if (stack == NULL) {
		stack = &client->stacks[client->next_victim++ % TICKET_ADDRESSES];
		drop_tickets(stack);
	}
	stack->addr = *addr;
	return stack;
}

/* OpenSSL hands over a reference when this returns 1. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct addr *peer = SSL_get_app_data(ssl);
	struct ticket_stack *stack;

	if (!SSL_SESSION_is_resumable(session)) {
		return 0;
	}
	stack = find_stack(client, peer);
	if (stack == NULL) {
		stack = make_stack(client, peer);
	}
	if (stack->count == TICKETS_PER_ADDRESS) {
		SSL_SESSION_free(stack->sessions[0]);
		memmove(&stack->sessions[0], &stack->sessions[1],
			(TICKETS_PER_ADDRESS - 1) * sizeof(SSL_SESSION *));
		stack->count--;
	}
	stack->sessions[stack->count++] = session;
	return 1;
}

static void offer_ticket(struct tls_client *client, SSL *ssl, const struct addr *peer)
{
	struct ticket_stack *stack = find_stack(client, peer);
	SSL_SESSION *session;

	if (stack == NULL) {
		return;
	}
	session = stack->sessions[stack->count - 1];
	SSL_set_session(ssl, session);
	if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
		stack->count--;
		SSL_SESSION_free(session);
	}
}

static bool load_trust(SSL_CTX *ctx, const struct tls_setup *setup, char *error, size_t error_bytes)
{
	char reason[160];

	if (setup->ca_file == NULL || setup->ca_file[0] == '\0') {
		return SSL_CTX_set_default_verify_paths(ctx) == 1;
	}
	if (SSL_CTX_load_verify_file(ctx, setup->ca_file) == 1) {
		return true;
	}
	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
	snprintf(error, error_bytes,
		 "upstream.ca_file %s holds no certificate that can be read: %s", setup->ca_file,
		 reason);
	return false;
}

/*
 * Of the cipher suites of TLS 1.3 that OpenSSL and the system's policy allow, in their order, AES-128-GCM comes first: every server has
 * it (RFC 8446 section 9.1), browsers and Go ask for it first, and it costs a quarter less a byte than AES-256-GCM, OpenSSL's first.
 */
static void prefer_aes_128(SSL_CTX *ctx)
{
	static const char first[] = "TLS_AES_128_GCM_SHA256";
	STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);
	char names[256];
	size_t len = sizeof(first) - 1;
	bool is_allowed = false;

	memcpy(names, first, sizeof(first));
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const char *name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i));

		if (strcmp(name, first) == 0) {
			is_allowed = true;
		} else if (strncmp(name, "TLS_", 4) == 0 && len < sizeof(names)) {
			len += (size_t)snprintf(names + len, sizeof(names) - len, ":%s", name);
		}
	}
	if (is_allowed && len < sizeof(names)) {
		SSL_CTX_set_ciphersuites(ctx, names);
	}
}

void tls_set_up(SSL_CTX *ctx)
{
	prefer_aes_128(ctx);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
}

static bool set_up_ctx(SSL_CTX *ctx, const struct tls_setup *setup, char *error, size_t error_bytes)
{
	if (!load_trust(ctx, setup, error, error_bytes)) {
		return false;
	}
	tls_set_up(ctx);
	SSL_CTX_set_verify(ctx, setup->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
	return SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0;
}

struct tls_client *tls_client_new(const struct tls_setup *setup, char *error, size_t error_bytes)
{
	struct tls_client *client = mem_alloc(sizeof(*client));
	struct addr ignored;

	snprintf(error, error_bytes, "OpenSSL could not be set up");
	client->refs = 1;
	client->verify = setup->verify;
	client->host = mem_strdup(setup->host);
	client->host_is_ip = addr_parse_ip(span_of(setup->host), 0, &ignored);
	ERR_clear_error();
	client->ctx = SSL_CTX_new(TLS_client_method());
	if (client->ctx == NULL || !set_up_ctx(client->ctx, setup, error, error_bytes)) {
		tls_client_unref(client);
		return NULL;
	}
	SSL_CTX_set_app_data(client->ctx, client);
	return client;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	client->refs++;
	return client;
}

void tls_client_unref(struct tls_client *client)
{
	if (client == NULL || --client->refs > 0) {
		return;
	}
	for (unsigned i = 0; i < TICKET_ADDRESSES; i++) {
		drop_tickets(&client->stacks[i]);
	}
	SSL_CTX_free(client->ctx);
	free(client->host);
	free(client);
}

/* The name that the certificate must carry, and SNI, which is for names only (RFC 6066 section 3). */
static bool set_name(const struct tls_client *client, SSL *ssl)
{
	if (client->host_is_ip) {
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), client->host) == 1;
	}
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, client->host) == 1 &&
	       SSL_set_tlsext_host_name(ssl, client->host) == 1;
}

SSL *tls_client_open(struct tls_client *client, const struct addr *peer)
{
	SSL *ssl = SSL_new(client->ctx);

	if (ssl == NULL || !set_name(client, ssl)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, (void *)(uintptr_t)peer);
	SSL_set_connect_state(ssl);
	offer_ticket(client, ssl, peer);
	return ssl;
}
