/*
 * stream_read() and stream_writev() of a stream with TLS, whose contracts (net/stream.h) hold here.
 */
#pragma once

#include "net/stream.h"

struct io stream_tls_read(struct stream *stream, void *data, size_t cap);
struct io stream_tls_writev(struct stream *stream, const struct iovec *pieces, unsigned count,
			    bool has_more);
