/*
 * SHA-256 and the comparison of what must not be guessed: the only place beside TLS that knows libcrypto.
 */
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32 };

void digest_sha256(struct span bytes, uint8_t out[DIGEST_BYTES]);

/* Takes the same time whatever the bytes are. */
bool digest_is_same(const uint8_t *a, const uint8_t *b, size_t bytes);
