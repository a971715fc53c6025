/*
 * Memory for OpenSSL: malloc(), but for its record buffers, of which a few are kept on a free list.
 *
 * A connection holds its buffers only while it reads or writes (SSL_MODE_RELEASE_BUFFERS), so each request takes and gives back two or
 * three of 17 KiB, for which glibc looks through its bins each time.
 */
#pragma once

/* Before anything else uses OpenSSL; too late it changes nothing. */
void tls_memory_init(void);
