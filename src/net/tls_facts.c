/* Reads the outcome of a handshake and the peer's certificate. */
#include "net/tls_facts.h"

#include "base/macros.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, ALERT_REASONS_FROM = SSL_AD_REASON_OFFSET };

static enum tls_fault fault_of_verdict(long verdict)
{
	switch (verdict) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAULT_NOT_YET_VALID;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_FAULT_WRONG_NAME;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return TLS_FAULT_SELF_SIGNED;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return TLS_FAULT_UNKNOWN_ISSUER;
	default:
		return TLS_FAULT_CERTIFICATE;
	}
}

static enum tls_fault fault_of_reason(int reason)
{
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_UNKNOWN_PROTOCOL:
		return TLS_FAULT_NOT_TLS;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return TLS_FAULT_VERSION;
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return TLS_FAULT_ENDED;
	default:
		return reason >= ALERT_REASONS_FROM ? TLS_FAULT_ALERT : TLS_FAULT_OTHER;
	}
}

static enum tls_fault read_fault(const SSL *ssl, int error)
{
	unsigned long last = ERR_peek_last_error();
	long verdict = SSL_get_verify_result(ssl);

	if (verdict != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
		return fault_of_verdict(verdict);
	}
	if (last != 0 && ERR_GET_LIB(last) == ERR_LIB_SSL) {
		return fault_of_reason(ERR_GET_REASON(last));
	}
	if (error == ECONNRESET || error == EPIPE) {
		return TLS_FAULT_RESET;
	}
	return last == 0 ? TLS_FAULT_ENDED : TLS_FAULT_OTHER;
}

/* Appends to what is there, after ", " where something is; what does not fit is left out. */
static void append(char *out, size_t out_bytes, const char *text, size_t len)
{
	size_t at = strlen(out);

	if (at + len + sizeof(", ") > out_bytes) {
		return;
	}
	at += (size_t)snprintf(out + at, out_bytes - at, "%s", at > 0 ? ", " : "");
	for (size_t i = 0; i < len; i++) {
		out[at + i] = text[i];
		if (text[i] <= ' ' || text[i] > '~') {
			out[at + i] = '?';
		}
	}
	out[at + len] = '\0';
}

static void write_name(const X509_NAME *name, char *out, size_t out_bytes)
{
	const unsigned long form = ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN;
	BIO *memory = BIO_new(BIO_s_mem());
	int len;

	if (memory == NULL) {
		return;
	}
	(void)X509_NAME_print_ex(memory, name, 0, form);
	len = BIO_read(memory, out, (int)out_bytes - 1);
	out[MAX(len, 0)] = '\0';
	BIO_free(memory);
}

static void append_name(const GENERAL_NAME *name, char *out, size_t out_bytes)
{
	char ip[INET6_ADDRSTRLEN];
	const ASN1_STRING *value;
	int len;

	if (name->type == GEN_DNS) {
		value = name->d.dNSName;
		append(out, out_bytes, (const char *)ASN1_STRING_get0_data(value),
		       (size_t)ASN1_STRING_length(value));
	} else if (name->type == GEN_IPADD) {
		value = name->d.iPAddress;
		len = ASN1_STRING_length(value);
		if ((len == 4 || len == 16) &&
		    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), ip,
			      sizeof(ip)) != NULL) {
			append(out, out_bytes, ip, strlen(ip));
		}
	}
}

static void write_names(const X509 *certificate, char *out, size_t out_bytes)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	char common[128];
	int len;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		append_name(sk_GENERAL_NAME_value(names, i), out, out_bytes);
	}
	GENERAL_NAMES_free(names);
	if (out[0] != '\0') {
		return;
	}
	len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common,
					sizeof(common));
	append(out, out_bytes, common, (size_t)MAX(len, 0));
}

/* SSL_get0_peer_certificate() has none after a failed verification; the chain is there even then. */
static void read_certificate(const SSL *ssl, struct tls_facts *facts)
{
	const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	const X509 *leaf = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
	int days = 0;
	int seconds = 0;

	if (leaf == NULL) {
		return;
	}
	facts->has_certificate = true;
	facts->is_leaf_only = sk_X509_num(chain) == 1;
	write_name(X509_get_subject_name(leaf), facts->subject, sizeof(facts->subject));
	write_name(X509_get_issuer_name(leaf), facts->issuer, sizeof(facts->issuer));
	write_names(leaf, facts->names, sizeof(facts->names));
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)) == 1) {
		facts->expires_s = (int64_t)days * DAY_S + seconds;
	}
}

void tls_facts_read(const SSL *ssl, bool is_up, int error, struct tls_facts *ret_facts)
{
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;

	*ret_facts = (struct tls_facts){0};
	if (ssl == NULL) {
		return;
	}
	if (is_up) {
		snprintf(ret_facts->version, sizeof(ret_facts->version), "%s",
			 SSL_get_version(ssl));
		snprintf(ret_facts->cipher, sizeof(ret_facts->cipher), "%s",
			 SSL_get_cipher_name(ssl));
		SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
		append(ret_facts->alpn, sizeof(ret_facts->alpn), (const char *)alpn, alpn_len);
		ret_facts->was_resumed = SSL_session_reused(ssl) == 1;
	} else {
		ret_facts->fault = read_fault(ssl, error);
	}
	read_certificate(ssl, ret_facts);
	ERR_clear_error();
}
