/*
 * The way of a stream's TLS to its socket: an OpenSSL BIO that reads and writes the stream's descriptor.
 *
 * OpenSSL's own socket BIO does the same but for one thing: it hands each record to the network by itself. Ours lets the kernel gather
 * them (send(2), MSG_MORE) while the stream's has_more says that another record, or the FIN, follows at once: 50 KB go out as one
 * burst, not as four.
 */
#pragma once

#include "base/macros.h"

#include <openssl/types.h>

struct stream;

/* Gives a new SSL its way; the stream must live as long. NULL when out of memory (or `ssl` is NULL): the SSL is then freed. */
MUST_USE SSL *stream_bio_attach(struct stream *stream, SSL *ssl);
