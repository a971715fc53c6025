/* What the kernel and OpenSSL know of a stream: evidence for a repeat, and the handshake's outcome. */
#include "net/stream.h"
#include "net/tls_facts.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* tcpi_bytes_acked; clashes with netinet/tcp.h */
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { STATE_CLOSE_WAIT = 8 }; /* TCP_CLOSE_WAIT of the kernel's net/tcp_states.h */

uint64_t stream_written_bytes(const struct stream *stream)
{
	return stream->ssl != NULL ? BIO_number_written(SSL_get_wbio(stream->ssl))
				   : stream->plain_written_bytes;
}

bool stream_has_heard(const struct stream *stream)
{
	return stream->ssl != NULL && BIO_number_read(SSL_get_rbio(stream->ssl)) > 0;
}

void stream_facts(const struct stream *stream, struct stream_facts *ret_facts)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	const socklen_t needed =
		offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked);

	*ret_facts = (struct stream_facts){
		.written_bytes = stream_written_bytes(stream),
		.read_end = stream->ended_by_fin,
		.write_failed = stream->write_failed,
	};
	if (getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && len >= needed) {
		ret_facts->has_tcp_info = true;
		ret_facts->is_close_wait = info.tcpi_state == STATE_CLOSE_WAIT;
		ret_facts->tcpi_bytes_acked = info.tcpi_bytes_acked;
	}
}

enum stream_delivery stream_look_at_delivery(const struct stream *stream,
					     uint32_t *ret_unacked_bytes)
{
	int error = 0;
	int unacked_bytes = 0;
	socklen_t len = sizeof(error);

	*ret_unacked_bytes = 0;
	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0) {
		return STREAM_RESET;
	}
	if (addr_is_local(&stream->peer) || ioctl(stream->fd, SIOCOUTQ, &unacked_bytes) != 0 ||
	    unacked_bytes <= 0) {
		return STREAM_DELIVERED;
	}
	*ret_unacked_bytes = (uint32_t)unacked_bytes;
	return STREAM_UNDER_WAY;
}

bool stream_is_quiet(const struct stream *stream)
{
	char byte;

	return !stream_has_pending(stream) &&
	       recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void stream_trim(struct stream *stream)
{
	if (stream->ssl != NULL) {
		(void)SSL_free_buffers(stream->ssl);
	}
}

bool stream_expects_tickets(const struct stream *stream)
{
	return stream->ssl != NULL && SSL_version(stream->ssl) >= TLS1_3_VERSION;
}

bool stream_was_resumed(const struct stream *stream)
{
	return stream->ssl != NULL && SSL_session_reused(stream->ssl) == 1;
}

const char *stream_tls_version(const struct stream *stream)
{
	return stream->ssl != NULL ? SSL_get_version(stream->ssl) : "";
}

void stream_tls_facts(const struct stream *stream, struct tls_facts *ret_facts)
{
	tls_facts_read(stream->ssl, stream->tls_up_us != 0, stream->last_errno, ret_facts);
}
