/*
 * What a handshake brought, or why it failed, in values for people: `warmpool doctor` prints them.
 *
 * Texts come from the peer: they are cut to their room, and hold printable ASCII only ('?' or OpenSSL's escapes for the rest).
 */
#pragma once

#include <openssl/types.h>

#include <stdbool.h>
#include <stdint.h>

enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_NOT_TLS, /* what answers speaks something else */
	TLS_FAULT_VERSION, /* no version in common: we want 1.2 or newer */
	TLS_FAULT_ALERT,   /* the server ended the handshake with another alert */
	TLS_FAULT_RESET,
	TLS_FAULT_ENDED,
	TLS_FAULT_EXPIRED,
	TLS_FAULT_NOT_YET_VALID,
	TLS_FAULT_WRONG_NAME,
	TLS_FAULT_SELF_SIGNED,
	TLS_FAULT_UNKNOWN_ISSUER,
	TLS_FAULT_CERTIFICATE, /* anything else about the chain */
	TLS_FAULT_OTHER,
};

struct tls_facts {
	enum tls_fault fault;
	char version[16];
	char cipher[64];
	char alpn[32]; /* empty: the server chose none */
	bool was_resumed;
	bool has_certificate; /* then the fields below are filled */
	bool is_leaf_only;    /* it came without any issuer's certificate */
	char subject[160];
	char issuer[160];
	char names
		[256]; /* whom it is for: DNS names and addresses, comma-separated, or the subject's CN */
	int64_t expires_s; /* from now; negative when over */
};

/*
 * Right after the handshake, still in the callback that told of it: why it failed is read from OpenSSL's queue of errors.
 * `error` is the errno of a failed read or write, 0 when there was none.
 */
void tls_facts_read(const SSL *ssl, bool is_up, int error, struct tls_facts *ret_facts);
