/*
 * One byte stream over a non-blocking socket, plain or TLS: the same type for clients and for the upstream.
 *
 * Built on struct event, one persistent read event and a write event that is armed only while a write waits.
 *
 * Callbacks come from the loop only, through the table handed in; never from inside a stream_… call, never after
 * stream_close(). on_connected comes once, for streams that stream_connect() opened and for accepted ones with TLS: ERR_NONE when TCP and
 * TLS are up, or why not (then the owner closes it). After that on_readable comes when bytes, an end or an error wait, on_writable when a write that
 * returned IO_AGAIN may go on.
 *
 * stream_close() closes the socket at once; the struct may be freed only after the present loop turn's callbacks
 * (events of a closed stream are deleted, so a struct on no event is safe to free at the end of the turn).
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct clock;
struct tls_client;
struct tls_facts;
struct tls_server;

struct stream_ops {
	void (*on_tcp_up)(void *owner); /* the handshake begins; NULL where nobody asks */
	void (*on_connected)(void *owner, enum err err);
	void (*on_readable)(void *owner);
	void (*on_writable)(void *owner);
};

enum io_status {
	IO_OK,
	IO_AGAIN,  /* nothing now; a callback will tell */
	IO_END,    /* the peer ended its side: see ended_by_close_notify and ended_by_fin */
	IO_FAILED, /* the connection is broken; last_errno tells */
};

struct io {
	enum io_status status;
	size_t bytes;
};

struct stream {
	int fd;                       /* owned; -1 when closed */
	SSL *ssl;                     /* owned; NULL when plain */
	struct tls_client *tls;       /* one reference; NULL when plain */
	struct clock *clock;          /* borrowed */
	struct event_base *base;      /* borrowed */
	const struct stream_ops *ops; /* borrowed */
	void *owner;                  /* borrowed */
	struct event read_event;
	struct event write_event;
	struct addr peer;
	uint64_t plain_written_bytes;
	uint64_t connect_us; /* when the connect began */
	uint64_t tcp_up_us;  /* when the TCP connection stood */
	uint64_t tls_up_us;  /* when the handshake was done */
	int last_errno;
	bool is_connecting;
	bool is_handshaking;
	bool is_reading;           /* the read event is armed */
	bool read_waits_for_write; /* TLS wants to write before it can read on */
	bool has_more;             /* TLS: a record or the FIN follows what is being written */
	bool write_failed;         /* a write or SO_ERROR ever failed */
	bool ended_by_close_notify;
	bool ended_by_fin;
	char error_text[160]; /* said of a failed connect or handshake */
};

/* What is known of the bytes at the moment of a failure (proxy/retry.h judges it). */
struct stream_facts {
	uint64_t written_bytes;
	bool read_end;
	bool write_failed;
	bool has_tcp_info;
	bool is_close_wait;
	uint64_t tcpi_bytes_acked;
};

struct stream_setup {
	struct event_base *base;      /* borrowed */
	struct clock *clock;          /* borrowed */
	const struct stream_ops *ops; /* borrowed */
	void *owner;                  /* borrowed */
};

/*
 * Takes over an accepted non-blocking socket and begins to read; with `tls` (NULL: plain) on_connected comes first: ERR_NONE, or
 * ERR_TLS_FAILED, or ERR_PLAIN_HTTP for one that spoke plain HTTP and can be told so after stream_drop_tls().
 */
void stream_adopt(struct stream *stream, const struct stream_setup *setup, int fd,
		  const struct addr *peer, struct tls_server *tls);

/* What is written from now on goes out in clear text. */
void stream_drop_tls(struct stream *stream);

/*
 * Opens a connection; `tls` (a reference is taken) or NULL for plain. Returns an error that is known at once:
 * ERR_NO_DESCRIPTORS, ERR_CONNECT_FAILED, ERR_CONNECT_REFUSED; the stream is then closed.
 */
MUST_USE enum err stream_connect(struct stream *stream, const struct stream_setup *setup,
				 const struct addr *peer, struct tls_client *tls);

/* Ends it at once. Idempotent. */
void stream_close(struct stream *stream);

/*
 * Says that we will send no more: close_notify on TLS, then FIN. Reading goes on. An end of TLS without it looks like an attack to
 * some clients (RFC 8446 section 6.1).
 */
void stream_shutdown_write(struct stream *stream);

/* One read of at most `cap` bytes. On TLS call again while stream_has_pending(), and stop at IO_AGAIN. */
struct io stream_read(struct stream *stream, void *data, size_t cap);
bool stream_has_pending(const struct stream *stream);

/*
 * Reads past TLS, for a connection of which only the end is of interest any more: IO_END is the FIN, not a close_notify.
 */
struct io stream_discard(struct stream *stream, void *data, size_t cap);

/* Pauses and resumes on_readable. Resuming a TLS stream with pending bytes calls on_readable in this loop turn. */
void stream_set_reading(struct stream *stream, bool on);

/* Makes on_readable come in this loop turn, or the one about to begin, although nothing new arrived. */
void stream_poke(struct stream *stream);

/*
 * Writes as much as the socket takes, in order. IO_OK: all of it; IO_AGAIN: `bytes` of it, on_writable comes; IO_FAILED: read
 * what the peer still said before giving up. On TLS two pieces become records of 16 KiB and a shorter last one.
 */
struct io stream_write(struct stream *stream, const void *data, size_t len);
struct io stream_writev(struct stream *stream, const struct iovec *pieces, unsigned count);

/*
 * As stream_writev(), of the last bytes: after IO_OK stream_shutdown_write() has to follow, and what the kernel held back for it
 * goes out in one segment with the FIN (MSG_MORE, send(2)).
 */
struct io stream_writev_last(struct stream *stream, const struct iovec *pieces, unsigned count);

/* Bytes handed to the kernel so far, TLS records and handshake included. */
uint64_t stream_written_bytes(const struct stream *stream);

/* Asks the kernel; call it right after the read or write that failed. */
void stream_facts(const struct stream *stream, struct stream_facts *ret_facts);

/* What became of all that was written, the FIN too. */
enum stream_delivery {
	STREAM_UNDER_WAY, /* some of it is not acknowledged yet; never on a unix socket */
	STREAM_DELIVERED, /* the peer's kernel has it */
	STREAM_RESET,     /* the peer has closed, and will not read it */
};

/* Asks the kernel (SIOCOUTQ, tcp(7)); takes the socket's pending error. */
enum stream_delivery stream_look_at_delivery(const struct stream *stream,
					     uint32_t *ret_unacked_bytes);

/*
 * Has anything arrived, or the peer ended, that no callback told yet? One system call (recv with MSG_PEEK); for a connection
 * about to be lent after a rest.
 */
bool stream_is_quiet(const struct stream *stream);

/*
 * TLS: gives back the read and write buffers of an idle connection whose tickets have been read. For a ticket OpenSSL takes a write
 * buffer that it would keep until something is written.
 */
void stream_trim(struct stream *stream);

/* Will session tickets come that have not been read yet? After a TLS 1.3 handshake they may (RFC 8446 section 4.6.1). */
bool stream_expects_tickets(const struct stream *stream);

/* Has a TLS peer said anything at all, be it a part of its first message? */
bool stream_has_heard(const struct stream *stream);

bool stream_was_resumed(const struct stream *stream);
const char *stream_tls_version(const struct stream *stream); /* "" when plain */
/* From inside on_connected only; of a plain stream all is empty. */
void stream_tls_facts(const struct stream *stream, struct tls_facts *ret_facts);
