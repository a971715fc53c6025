/* Owns one socket with its SSL and events, for clients and for the upstream alike. */
#include "net/stream.h"

#include "base/clock.h"
#include "net/stream_bio.h"
#include "net/stream_tls.h"
#include "net/tls.h"
#include "net/tls_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h> /* tcpi_bytes_acked; clashes with netinet/tcp.h */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	USER_TIMEOUT_MS = 10000, /* unacknowledged bytes this old end the connection */
	RTO_MAX_MS =
		1000, /* after a cut of the line the kernel's next try must not be seconds away */
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 5,
	KEEPALIVE_PROBES = 3,
};

/* TCP_RTO_MAX_MS of linux/tcp.h since Linux 6.15; older kernels refuse it, and back off up to two minutes. */
enum { RTO_MAX_MS_OPTION = 44 };

static void on_read_event(evutil_socket_t fd, short what, void *arg);
static void on_write_event(evutil_socket_t fd, short what, void *arg);

static void set_up(struct stream *stream, const struct stream_setup *setup, int fd,
		   const struct addr *peer)
{
	*stream = (struct stream){.fd = fd,
				  .clock = setup->clock,
				  .base = setup->base,
				  .ops = setup->ops,
				  .owner = setup->owner,
				  .peer = *peer};
	event_assign(&stream->read_event, setup->base, fd, EV_READ | EV_PERSIST, on_read_event,
		     stream);
	event_assign(&stream->write_event, setup->base, fd, EV_WRITE, on_write_event, stream);
}

void stream_adopt(struct stream *stream, const struct stream_setup *setup, int fd,
		  const struct addr *peer, struct tls_server *tls)
{
	set_up(stream, setup, fd, peer);
	if (tls != NULL) {
		stream->ssl = stream_bio_attach(stream, tls_server_open(tls));
		stream->is_handshaking = true;
	}
	stream_set_reading(stream, true);
}

void stream_drop_tls(struct stream *stream)
{
	SSL_free(stream->ssl);
	stream->ssl = NULL;
	stream->read_waits_for_write = false;
}

static void set_option(int fd, int level, int name, int value)
{
	/* A missing option costs comfort, not correctness. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_tcp_options(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
	set_option(fd, IPPROTO_TCP, RTO_MAX_MS_OPTION, RTO_MAX_MS);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static enum err err_of_connect(struct stream *stream, int error)
{
	char text[96];

	stream->last_errno = error;
	snprintf(stream->error_text, sizeof(stream->error_text), "%s",
		 strerror_r(error, text, sizeof(text)));
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return ERR_CONNECT_REFUSED;
	case ETIMEDOUT:
		return ERR_CONNECT_TIMEOUT;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return ERR_NO_DESCRIPTORS;
	default:
		return ERR_CONNECT_FAILED;
	}
}

enum err stream_connect(struct stream *stream, const struct stream_setup *setup,
			const struct addr *peer, struct tls_client *tls)
{
	int fd = socket(peer->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	set_up(stream, setup, fd, peer);
	if (fd < 0) {
		return err_of_connect(stream, errno);
	}
	if (!addr_is_local(peer)) {
		set_tcp_options(fd);
	}
	if (connect(fd, &peer->sa.any, peer->len) != 0 && errno != EINPROGRESS) {
		enum err err = err_of_connect(stream, errno);

		stream_close(stream);
		return err;
	}
	stream->tls = tls != NULL ? tls_client_ref(tls) : NULL;
	stream->is_connecting = true;
	stream->connect_us = stream->clock->now_us;
	event_add(&stream->write_event, NULL);
	return ERR_NONE;
}

void stream_close(struct stream *stream)
{
	if (stream->fd < 0 || stream->base == NULL) {
		return;
	}
	event_del(&stream->read_event);
	event_del(&stream->write_event);
	if (stream->ssl != NULL) {
		/* Without this OpenSSL would drop the session as one that ended badly. */
		SSL_set_shutdown(stream->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(stream->ssl);
		stream->ssl = NULL;
	}
	tls_client_unref(stream->tls);
	stream->tls = NULL;
	close(stream->fd);
	stream->fd = -1;
}

void stream_shutdown_write(struct stream *stream)
{
	if (stream->ssl != NULL && !stream->is_handshaking) {
		ERR_clear_error();
		stream->has_more = true; /* the FIN: it says the same to who gets no close_notify */
		(void)SSL_shutdown(stream->ssl);
		stream->has_more = false;
	}
	stream->is_handshaking =
		false; /* one that was under way is over: what comes is read and dropped */
	(void)shutdown(stream->fd, SHUT_WR);
}

/* --- opening: TCP, then the handshake --- */

static void finish_opening(struct stream *stream, enum err err)
{
	stream->is_connecting = false;
	stream->is_handshaking = false;
	stream->ops->on_connected(stream->owner, err);
}

static enum err err_of_handshake(struct stream *stream, int ssl_error, int error)
{
	long verdict = SSL_get_verify_result(stream->ssl);
	unsigned long reason = ERR_peek_last_error();
	bool is_server = SSL_is_server(stream->ssl) == 1;

	stream->last_errno = error;
	if (verdict != X509_V_OK && SSL_get_verify_mode(stream->ssl) != SSL_VERIFY_NONE) {
		snprintf(stream->error_text, sizeof(stream->error_text), "%s",
			 X509_verify_cert_error_string(verdict));
		return ERR_TLS_CERTIFICATE;
	}
	if (is_server && ssl_error == SSL_ERROR_SSL &&
	    ERR_GET_REASON(reason) == SSL_R_HTTP_REQUEST) {
		return ERR_PLAIN_HTTP;
	}
	if (ssl_error == SSL_ERROR_SSL && reason != 0) {
		ERR_error_string_n(reason, stream->error_text, sizeof(stream->error_text));
	} else {
		snprintf(stream->error_text, sizeof(stream->error_text), "%s in the handshake",
			 error == ECONNRESET ? "reset" : "connection ended");
	}
	return ERR_TLS_FAILED;
}

static void continue_handshake(struct stream *stream)
{
	int result;
	int ssl_error;
	int error;

	if (stream->ssl == NULL) {
		snprintf(stream->error_text, sizeof(stream->error_text), "no memory for TLS");
		finish_opening(stream, ERR_TLS_FAILED);
		return;
	}
	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(stream->ssl);
	error = errno;
	if (result == 1) {
		stream->tls_up_us = stream->clock->now_us;
		finish_opening(stream, ERR_NONE);
		return;
	}
	ssl_error = SSL_get_error(stream->ssl, result);
	if (ssl_error == SSL_ERROR_WANT_WRITE) {
		event_add(&stream->write_event, NULL);
	} else if (ssl_error != SSL_ERROR_WANT_READ) {
		finish_opening(stream, err_of_handshake(stream, ssl_error, error));
	}
}

static void on_tcp_up(struct stream *stream)
{
	int error = 0;
	socklen_t len = sizeof(error);

	(void)getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		finish_opening(stream, err_of_connect(stream, error));
		return;
	}
	stream->is_connecting = false;
	stream->tcp_up_us = stream->clock->now_us;
	stream_set_reading(stream, true);
	if (stream->tls == NULL) {
		finish_opening(stream, ERR_NONE);
		return;
	}
	stream->ssl = stream_bio_attach(stream, tls_client_open(stream->tls, &stream->peer));
	stream->is_handshaking = true;
	if (stream->ops->on_tcp_up != NULL) {
		stream->ops->on_tcp_up(stream->owner);
	}
	continue_handshake(stream);
}

static void on_read_event(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	clock_refresh(stream->clock);
	if (stream->is_handshaking) {
		continue_handshake(stream);
	} else {
		stream->ops->on_readable(stream->owner);
	}
}

static void on_write_event(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	clock_refresh(stream->clock);
	if (stream->is_connecting) {
		on_tcp_up(stream);
	} else if (stream->is_handshaking) {
		continue_handshake(stream);
	} else {
		/* The one event may have been armed for a read, for a write, or for both. */
		if (stream->read_waits_for_write) {
			stream->read_waits_for_write = false;
			stream->ops->on_readable(stream->owner);
		}
		if (stream->fd >= 0) {
			stream->ops->on_writable(stream->owner);
		}
	}
}

/* --- reading --- */

void stream_set_reading(struct stream *stream, bool on)
{
	if (on == stream->is_reading || stream->fd < 0) {
		return;
	}
	stream->is_reading = on;
	if (on) {
		event_add(&stream->read_event, NULL);
		if (stream_has_pending(stream)) {
			stream_poke(stream);
		}
	} else {
		event_del(&stream->read_event);
	}
}

void stream_poke(struct stream *stream)
{
	event_active(&stream->read_event, EV_READ, 0);
}

static struct io read_plain(struct stream *stream, void *data, size_t cap)
{
	ssize_t n;

	do {
		n = recv(stream->fd, data, cap, 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		return (struct io){IO_OK, (size_t)n};
	}
	if (n == 0) {
		stream->ended_by_fin = true;
		return (struct io){IO_END, 0};
	}
	if (errno == EAGAIN) {
		return (struct io){IO_AGAIN, 0};
	}
	stream->last_errno = errno;
	return (struct io){IO_FAILED, 0};
}

struct io stream_read(struct stream *stream, void *data, size_t cap)
{
	assert(stream->fd >= 0 && cap > 0);
	return stream->ssl != NULL ? stream_tls_read(stream, data, cap)
				   : read_plain(stream, data, cap);
}

struct io stream_discard(struct stream *stream, void *data, size_t cap)
{
	return read_plain(stream, data, cap);
}

bool stream_has_pending(const struct stream *stream)
{
	return stream->ssl != NULL && SSL_has_pending(stream->ssl) == 1;
}

/* --- writing --- */

static struct io write_plain(struct stream *stream, const struct iovec *pieces, unsigned count,
			     bool is_last)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = count};
	size_t total = 0;
	ssize_t n;

	for (unsigned i = 0; i < count; i++) {
		total += pieces[i].iov_len;
	}
	do {
		n = sendmsg(stream->fd, &message, MSG_NOSIGNAL | (is_last ? MSG_MORE : 0));
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		stream->last_errno = errno;
		stream->write_failed = true;
		return (struct io){IO_FAILED, 0};
	}
	n = MAX(n, 0);
	stream->plain_written_bytes += (size_t)n;
	if ((size_t)n == total) {
		return (struct io){IO_OK, total};
	}
	event_add(&stream->write_event, NULL);
	return (struct io){IO_AGAIN, (size_t)n};
}

static struct io write_pieces(struct stream *stream, const struct iovec *pieces, unsigned count,
			      bool is_last)
{
	assert(stream->fd >= 0);
	return stream->ssl != NULL ? stream_tls_writev(stream, pieces, count, is_last)
				   : write_plain(stream, pieces, count, is_last);
}

struct io stream_writev(struct stream *stream, const struct iovec *pieces, unsigned count)
{
	return write_pieces(stream, pieces, count, false);
}

struct io stream_writev_last(struct stream *stream, const struct iovec *pieces, unsigned count)
{
	return write_pieces(stream, pieces, count, true);
}

struct io stream_write(struct stream *stream, const void *data, size_t len)
{
	const struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

	return stream_writev(stream, &piece, 1);
}
