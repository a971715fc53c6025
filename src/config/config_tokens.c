/* Reads the file of access.tokens. */
#include "config/config_tokens.h"

#include "base/addr.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config_clients.h"
#include "config/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20 };

/* A row whose name is taken. */
struct taken {
	struct span name; /* borrowed from the text */
	size_t line;
};

/* One file being read. */
struct walk {
	const char *path;                 /* borrowed */
	struct config_problems *problems; /* borrowed */
	void (*on_row)(void *owner, const struct token_row *row);
	void *owner; /* borrowed */
	size_t line;
	struct taken taken[TOKENS_MAX];
	size_t count;
};

char *config_tokens_path(const struct config *config)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char *path;

	if (config->access_tokens[0] != '\0') {
		return mem_strdup(config->access_tokens);
	}
	if (folder == NULL || folder[0] == '\0') {
		return NULL;
	}
	if (asprintf(&path, "%s/tokens", folder) < 0) {
		abort();
	}
	/* One that is there but cannot be reached is meant all the same. */
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		free(path);
		return NULL;
	}
	return path;
}

static bool complain(const struct walk *walk, const char *text)
{
	char *where; /* config_problem() cuts a long one at its beginning */

	if (asprintf(&where, "%s:%zu", walk->path, walk->line) < 0) {
		abort();
	}
	config_problem(walk->problems, where, "%s", text);
	free(where);
	return false;
}

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~') {
			return false;
		}
	}
	return true;
}

static bool check_name(struct walk *walk, struct span name)
{
	char text[CLIENT_NAME_BYTES_MAX + 1];
	struct cidr network;

	if (!client_name_is_good(name)) {
		return complain(
			walk,
			"what stands before the colon is no name of a client: 1 to 63 printable ASCII "
			"characters without blank, comma and =");
	}
	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.data);
	if (strcmp(text, "default") == 0 || cidr_parse(text, &network)) {
		return complain(
			walk,
			"a token cannot be called default, nor as an address or a network: those are "
			"names of clients without a token");
	}
	for (size_t i = 0; i < walk->count; i++) {
		char fault[CONFIG_FAULT_BYTES];

		if (span_is(walk->taken[i].name, name)) {
			snprintf(
				fault, sizeof(fault),
				"the name '%s' is taken by line %zu; give each token one of its own",
				text, walk->taken[i].line);
			return complain(walk, fault);
		}
	}
	return true;
}

static bool read_digest(struct span hex, uint8_t out[TOKEN_DIGEST_BYTES])
{
	if (hex.len != (size_t)2 * TOKEN_DIGEST_BYTES) {
		return false;
	}
	for (size_t i = 0; i < TOKEN_DIGEST_BYTES; i++) {
		int high = str_hex_digit(hex.data[2 * i]);
		int low = str_hex_digit(hex.data[2 * i + 1]);

		if (high < 0 || low < 0) {
			return false;
		}
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_secret(struct walk *walk, struct span text, struct token_row *row)
{
	static const struct span mark = {"sha256:", 7};

	if (span_starts_with(text, mark)) {
		struct span hex = {text.data + mark.len, text.len - mark.len};

		return read_digest(hex, row->digest) ||
		       complain(
			       walk,
			       "sha256: needs 64 hexadecimal digits after it, as `printf %s SECRET | sha256sum` "
			       "writes them");
	}
	if (text.len < TOKEN_SECRET_BYTES_MIN) {
		return complain(
			walk,
			"the secret is too short to withstand guessing: at least 8 characters; "
			"`openssl rand -hex 16` makes a good one");
	}
	if (text.len > TOKEN_SECRET_BYTES_MAX || !is_printable(text)) {
		return complain(
			walk,
			"a secret has at most 255 printable ASCII characters without blank, so that every client "
			"sends it alike");
	}
	row->secret = text;
	return true;
}

static bool read_line(struct walk *walk, struct span line)
{
	const char *colon = memchr(line.data, ':', line.len);
	struct token_row row = {0};
	struct span secret;

	if (colon == NULL) {
		return complain(walk, "is not NAME:SECRET");
	}
	row.name = (struct span){line.data, (size_t)(colon - line.data)};
	secret = (struct span){colon + 1, line.len - row.name.len - 1};
	if (!check_name(walk, row.name) || !read_secret(walk, secret, &row)) {
		return false;
	}
	if (walk->count >= TOKENS_MAX) {
		return complain(walk, "one token too many: at most 1024");
	}
	walk->taken[walk->count++] = (struct taken){row.name, walk->line};
	if (walk->on_row != NULL) {
		walk->on_row(walk->owner, &row);
	}
	explicit_bzero(&row, sizeof(row));
	return true;
}

static bool read_lines(struct walk *walk, struct span text)
{
	bool is_good = true;

	while (text.len > 0) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
		struct span line = {text.data, len};

		walk->line++;
		if (line.len > 0 && line.data[line.len - 1] == '\r') {
			line.len--;
		}
		line = config_trim(line);
		if (line.len > 0 && line.data[0] != '#') {
			is_good = read_line(walk, line) && is_good;
		}
		len += end != NULL ? 1 : 0;
		text = (struct span){text.data + len, text.len - len};
	}
	return is_good;
}

bool config_tokens_read(const char *path, const char *where, struct config_problems *problems,
			void (*on_row)(void *owner, const struct token_row *row), void *owner)
{
	struct walk *walk;
	bool is_good;
	char *text;
	size_t len;

	if (!file_read(path, FILE_BYTES_MAX, &text, &len)) {
		config_problem(problems, where,
			       "cannot read %s: %s; give a file with one NAME:SECRET a line", path,
			       strerror(errno));
		return false;
	}
	walk = mem_alloc(sizeof(*walk));
	*walk = (struct walk){.path = path, .problems = problems, .on_row = on_row, .owner = owner};
	is_good = read_lines(walk, (struct span){text, len});
	if (is_good && walk->count == 0) {
		config_problem(
			problems, where,
			"%s holds no token, so that no other machine could come in; write one NAME:SECRET a line",
			path);
		is_good = false;
	}
	free(walk);
	explicit_bzero(text, len);
	free(text);
	return is_good;
}
