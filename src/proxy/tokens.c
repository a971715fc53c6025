/* Owns the digests of the tokens. */
#include "proxy/tokens.h"

#include "base/mem.h"
#include "config/config_tokens.h"
#include "net/digest.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64 };
_Static_assert((int)TOKEN_DIGEST_BYTES == (int)DIGEST_BYTES,
	       "the file and the code speak of one digest");

struct token {
	char name[NAME_BYTES];
	uint8_t digests[2 * DIGEST_BYTES]; /* of the name, of the secret */
};

struct tokens {
	struct token *rows; /* owned */
	size_t count;
};

static void add(void *owner, const struct token_row *row)
{
	struct tokens *tokens = owner;
	struct token *token;

	assert(row->name.len < NAME_BYTES);
	tokens->rows = mem_grow(tokens->rows, tokens->count + 1, sizeof(*tokens->rows));
	token = &tokens->rows[tokens->count++];
	*token = (struct token){0};
	memcpy(token->name, row->name.data, row->name.len);
	digest_sha256(row->name, token->digests);
	if (row->secret.len > 0) {
		digest_sha256(row->secret, token->digests + DIGEST_BYTES);
	} else {
		memcpy(token->digests + DIGEST_BYTES, row->digest, DIGEST_BYTES);
	}
}

bool tokens_load(const struct config *config, struct config_problems *problems,
		 struct tokens **ret_tokens)
{
	char *path = config_tokens_path(config);
	char where[CONFIG_WHERE_BYTES];
	struct tokens *tokens;
	bool is_good;

	if (path == NULL) {
		*ret_tokens = NULL;
		return true;
	}
	config_where(config->origins[OPTION_ID_access_tokens], "access.tokens", where);
	tokens = mem_alloc(sizeof(*tokens));
	is_good = config_tokens_read(path, where, problems, add, tokens);
	free(path);
	if (!is_good) {
		tokens_free(tokens);
		return false;
	}
	*ret_tokens = tokens;
	return true;
}

void tokens_free(struct tokens *tokens)
{
	if (tokens == NULL) {
		return;
	}
	free(tokens->rows);
	free(tokens);
}

const char *tokens_find(const struct tokens *tokens, struct span name, struct span secret,
			bool *ret_is_name_known)
{
	uint8_t offered[2 * DIGEST_BYTES];
	size_t found = 0; /* index + 1 */
	size_t known = 0;

	digest_sha256(name, offered);
	digest_sha256(secret, offered + DIGEST_BYTES);
	for (size_t i = 0; i < tokens->count; i++) {
		const uint8_t *digests = tokens->rows[i].digests;
		size_t is_name = digest_is_same(digests, offered, DIGEST_BYTES);
		size_t is_secret = digest_is_same(digests + DIGEST_BYTES, offered + DIGEST_BYTES,
						  DIGEST_BYTES);

		/* Without a branch: all ones where both are the same, of which there is one row at most. */
		found |= (0 - (is_name & is_secret)) & (i + 1);
		known |= is_name;
	}
	*ret_is_name_known = known != 0;
	return found > 0 ? tokens->rows[found - 1].name : NULL;
}
