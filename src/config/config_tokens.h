/*
 * The file of access.tokens: one NAME:SECRET a line, # comments and blank lines beside. Checked whole, its text wiped.
 *
 * A name is one that a row of access.clients may have, without a colon, and neither "default" nor an address or a network: those
 * are how clients without a token are called. A secret is 8 to 255 printable ASCII characters without blank, or the SHA-256 of one,
 * as sha256: and 64 hexadecimal digits. No message ever holds a secret, nor a part of a line that may be one.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOKENS_MAX = 1024, TOKEN_SECRET_BYTES_MIN = 8, TOKEN_SECRET_BYTES_MAX = 255 };
enum { TOKEN_DIGEST_BYTES = 32 };

/* Borrowed during the call that it comes in. */
struct token_row {
	struct span name;
	struct span secret;                 /* empty when its digest is given */
	uint8_t digest[TOKEN_DIGEST_BYTES]; /* of the secret, when that is empty */
};

/* The file's path: access.tokens, else $CREDENTIALS_DIRECTORY/tokens if it is there, else NULL: no tokens. The caller owns it. */
MUST_USE char *config_tokens_path(const struct config *config);

/*
 * Reads and checks the file. Adds a problem ("PATH:LINE: …", or with `where` for the file as a whole) for everything that is wrong, and
 * then returns false; on_row (NULL: only checked) gets each good row either way, in the order of the file.
 */
MUST_USE bool config_tokens_read(const char *path, const char *where,
				 struct config_problems *problems,
				 void (*on_row)(void *owner, const struct token_row *row),
				 void *owner);
