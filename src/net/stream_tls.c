/* Reads and writes through TLS: OpenSSL's ways to say "later", "ended" and "broken", and which bytes make a record. */
#include "net/stream_tls.h"

#include "base/macros.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
	RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH, /* RFC 8446 section 5.1 */
	TURN_BYTES = 262144,                     /* written at once; then others have their turn */
};

/* SSL_get_error() looks at what is queued. To see that it is empty costs less than to empty it. */
static void forget_errors(void)
{
	if (ERR_peek_error() != 0) {
		ERR_clear_error();
	}
}

/* A close_notify has come: did the FIN come with it? */
static bool has_fin_arrived(const struct stream *stream)
{
	char byte;

	return recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

struct io stream_tls_read(struct stream *stream, void *data, size_t cap)
{
	size_t n = 0;
	int result;
	int error;

	forget_errors();
	errno = 0;
	result = SSL_read_ex(stream->ssl, data, cap, &n);
	error = errno;
	if (result == 1) {
		return (struct io){IO_OK, n};
	}
	switch (SSL_get_error(stream->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return (struct io){IO_AGAIN, 0};
	case SSL_ERROR_WANT_WRITE:
		stream->read_waits_for_write = true;
		event_add(&stream->write_event, NULL);
		return (struct io){IO_AGAIN, 0};
	case SSL_ERROR_ZERO_RETURN:
		stream->ended_by_close_notify = true;
		stream->ended_by_fin = has_fin_arrived(stream);
		return (struct io){IO_END, 0};
	case SSL_ERROR_SSL:
		if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			stream->ended_by_fin = true;
			return (struct io){IO_END, 0};
		}
		stream->last_errno = EPROTO;
		return (struct io){IO_FAILED, 0};
	default:
		stream->last_errno = error != 0 ? error : EPROTO;
		return (struct io){IO_FAILED, 0};
	}
}

static struct io write_failed(struct stream *stream, int error, size_t done)
{
	stream->last_errno = error;
	stream->write_failed = true;
	return (struct io){IO_FAILED, done};
}

static struct io write_later(struct stream *stream, size_t done)
{
	event_add(&stream->write_event, NULL);
	return (struct io){IO_AGAIN, done};
}

/* One record at a time, so that has_more is true of each. has_more: something else follows at once. */
static struct io write_tls(struct stream *stream, const char *data, size_t len, bool has_more)
{
	size_t done = 0;

	while (done < len) {
		size_t step = MIN(len - done, (size_t)RECORD_BYTES);
		size_t n = 0;
		int result;
		int error;

		if (done >= TURN_BYTES) {
			return write_later(stream, done);
		}
		forget_errors();
		stream->has_more = has_more || len - done > step;
		errno = 0;
		result = SSL_write_ex(stream->ssl, data + done, step, &n);
		error = errno;
		stream->has_more = false;
		if (result == 1) {
			done += n;
			continue;
		}
		switch (SSL_get_error(stream->ssl, result)) {
		case SSL_ERROR_WANT_WRITE:
			return write_later(stream, done);
		case SSL_ERROR_WANT_READ:
			return (struct io){IO_AGAIN, done};
		default:
			return write_failed(stream, error != 0 ? error : EPROTO, done);
		}
	}
	return (struct io){IO_OK, done};
}

/*
 * A head and a body: the first record holds the head and as much of the body as fits. It is taken whole or not at all, so that a
 * later try has the same bytes.
 */
static struct io write_pair(struct stream *stream, const struct iovec *head,
			    const struct iovec *body, bool has_more)
{
	UNINITIALIZED char bytes[RECORD_BYTES];
	size_t shared = MIN(body->iov_len, RECORD_BYTES - head->iov_len);
	size_t rest = body->iov_len - shared;
	struct io first;
	struct io second;

	memcpy(bytes, head->iov_base, head->iov_len);
	memcpy(bytes + head->iov_len, body->iov_base, shared);
	first = write_tls(stream, bytes, head->iov_len + shared, has_more || rest > 0);
	if (first.status != IO_OK || rest == 0) {
		return first;
	}
	second = write_tls(stream, (const char *)body->iov_base + shared, rest, has_more);
	return (struct io){second.status, first.bytes + second.bytes};
}

struct io stream_tls_writev(struct stream *stream, const struct iovec *pieces, unsigned count,
			    bool has_more)
{
	size_t done = 0;

	if (count == 2 && pieces[0].iov_len < RECORD_BYTES) {
		return write_pair(stream, &pieces[0], &pieces[1], has_more);
	}
	for (unsigned i = 0; i < count; i++) {
		struct io io = write_tls(stream, pieces[i].iov_base, pieces[i].iov_len,
					 has_more || i + 1 < count);

		done += io.bytes;
		if (io.status != IO_OK) {
			return (struct io){io.status, done};
		}
	}
	return (struct io){IO_OK, done};
}
