/*
 * Server-Timing (W3C): where a request's time went, for who looks at its response, as `curl -v` shows it. All in milliseconds; an attempt that was
 * repeated counts from the second one's lease.
 *
 *   Server-Timing: queue;dur=1.8, connect;dur=0.0, upstream;dur=40.4
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct exchange;

enum { TIMING_BYTES = 160 };

/* Does response.server_timing say that its client gets one? */
bool timing_is_wanted(const struct exchange *exchange);

/* The whole line, CRLF included; returns its length. */
size_t timing_write(const struct exchange *exchange, char out[TIMING_BYTES]);
