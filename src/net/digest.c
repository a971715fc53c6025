/* Wraps libcrypto's SHA-256 and its comparison in constant time. */
#include "net/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdlib.h>

void digest_sha256(struct span bytes, uint8_t out[DIGEST_BYTES])
{
	unsigned len = 0;

	if (EVP_Digest(bytes.len > 0 ? bytes.data : "", bytes.len, out, &len, EVP_sha256(), NULL) !=
		    1 ||
	    len != DIGEST_BYTES) {
		abort(); /* no memory, or a libcrypto without SHA-256 */
	}
}

bool digest_is_same(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	return CRYPTO_memcmp(a, b, bytes) == 0;
}
