/* Moves the bytes of TLS between OpenSSL and a stream's socket. */
#include "net/stream_bio.h"

#include "net/stream.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <sys/socket.h>

static bool is_again(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static int read_bytes(BIO *bio, char *out, size_t cap, size_t *ret_len)
{
	const struct stream *stream = BIO_get_data(bio);
	ssize_t n = recv(stream->fd, out, cap, 0);

	BIO_clear_retry_flags(bio);
	if (n > 0) {
		*ret_len = (size_t)n;
		return 1;
	}
	if (n == 0) {
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	} else if (is_again(n)) {
		BIO_set_retry_read(bio);
	}
	return (int)n;
}

static int write_bytes(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
	const struct stream *stream = BIO_get_data(bio);
	ssize_t n = send(stream->fd, data, len, MSG_NOSIGNAL | (stream->has_more ? MSG_MORE : 0));

	BIO_clear_retry_flags(bio);
	if (n >= 0) {
		*ret_len = (size_t)n;
		return 1;
	}
	if (is_again(n)) {
		BIO_set_retry_write(bio);
	}
	return -1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_EOF:
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	case BIO_CTRL_FLUSH:
		return 1; /* nothing is kept here */
	default:
		return 0;
	}
}

static const BIO_METHOD *method(void)
{
	static BIO_METHOD *made;

	if (made == NULL) {
		made = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "stream");
		if (made == NULL) {
			return NULL;
		}
		(void)BIO_meth_set_read_ex(made, read_bytes);
		(void)BIO_meth_set_write_ex(made, write_bytes);
		(void)BIO_meth_set_ctrl(made, control);
	}
	return made;
}

SSL *stream_bio_attach(struct stream *stream, SSL *ssl)
{
	const BIO_METHOD *how = method();
	BIO *bio = ssl != NULL && how != NULL ? BIO_new(how) : NULL;

	if (bio == NULL) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(bio, stream);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	return ssl;
}
