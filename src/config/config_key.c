/* Reads the file of upstream.api_key_file, and knows where a key may be used. */
#include "config/config_key.h"

#include "base/addr.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config_listen.h"
#include "config/config_tokens.h"
#include "config/config_value.h"
#include "config/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 64 * 1024 };

static bool is_visible(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~') {
			return false;
		}
	}
	return true;
}

static bool is_all_zeros(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '0') {
			return false;
		}
	}
	return true;
}

const char *config_key_fault(struct span text)
{
	if (text.len == 0) {
		return "is empty; the key must stand on the first line";
	}
	if (text.len > API_KEY_BYTES_MAX) {
		return "is too long for a key: at most 256 characters";
	}
	if (!is_visible(text)) {
		return "holds what no key can: only visible ASCII characters, without blanks between";
	}
	if (span_is(text, SPAN("-")) || is_all_zeros(text)) {
		return "is what scripts send in a key's place, and no key";
	}
	return span_starts_with(text, SPAN("--")) ? "begins with --, which no key does" : NULL;
}

char *config_key_path(const struct config *config)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char *path;

	if (config->upstream_api_key_file[0] != '\0') {
		return mem_strdup(config->upstream_api_key_file);
	}
	if (folder == NULL || folder[0] == '\0') {
		return NULL;
	}
	if (asprintf(&path, "%s/api_key", folder) < 0) {
		abort();
	}
	/* One that is there but cannot be reached is meant all the same. */
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		free(path);
		return NULL;
	}
	return path;
}

static void complain_about_line(struct config_problems *problems, const char *path,
				const char *fault)
{
	char *where; /* config_problem() cuts a long one at its beginning */

	if (asprintf(&where, "%s:1", path) < 0) {
		abort();
	}
	config_problem(problems, where, "the first line %s", fault);
	free(where);
}

static struct span first_line(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	struct span line = {text, end != NULL ? (size_t)(end - text) : len};

	if (line.len > 0 && line.data[line.len - 1] == '\r') {
		line.len--;
	}
	return config_trim(line);
}

bool config_key_read(const char *path, const char *where, struct config_problems *problems,
		     struct api_key *ret_key)
{
	struct span line;
	const char *fault;
	char *text;
	size_t len;

	if (!file_read(path, FILE_BYTES_MAX, &text, &len)) {
		config_problem(problems, where,
			       "cannot read %s: %s; give a file with the key on its first line",
			       path, strerror(errno));
		return false;
	}
	line = first_line(text, len);
	fault = config_key_fault(line);
	if (fault != NULL) {
		complain_about_line(problems, path, fault);
	} else {
		ret_key->len = line.len;
		memcpy(ret_key->bytes, line.data, line.len);
	}
	explicit_bzero(text, len);
	free(text);
	return fault == NULL;
}

static void check_file(const char *path, const char *where, struct config_problems *problems)
{
	struct api_key key = {0};
	struct stat facts;

	if (!config_key_read(path, where, problems, &key)) {
		return; /* it was said why */
	}
	explicit_bzero(&key, sizeof(key));
	if (stat(path, &facts) == 0 && (facts.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		config_warning(problems, where,
			       "%s is open to every user of this machine (mode %04o); chmod 600 it",
			       path, (unsigned)facts.st_mode & 07777);
	}
}

/* Where the key would go, and at whose bidding. */
static void check_use(const struct config *config, const char *where,
		      struct config_problems *problems)
{
	const char *address = config_listen_reached_by_others(&config->listen);
	char *tokens = config_tokens_path(config);
	struct upstream_url url;
	const char *fault;

	if (url_parse(config->upstream_url, &url, &fault)) {
		if (!url.is_tls) {
			config_problem(
				problems, where,
				"needs an upstream.url with https://: the key would be sent in clear text");
		}
		url_fini(&url);
	}
	if (!config->upstream_tls_verify) {
		config_problem(
			problems, where,
			"needs upstream.tls_verify: whoever answers in the upstream's place would get the key; "
			"trust a private authority with upstream.ca_file instead");
	}
	if (address != NULL && tokens == NULL) {
		config_problem(
			problems, where,
			"needs access.tokens while listen has %s: other machines would spend your balance "
			"without a key; give out tokens, or listen on loopback or unix: only",
			address);
	}
	free(tokens);
}

void config_key_check(const struct config *config, struct config_problems *problems)
{
	const enum option_id id = OPTION_ID_upstream_api_key_file;
	char where[CONFIG_WHERE_BYTES];
	char *path = config_key_path(config);

	if (path != NULL) {
		config_where(config->origins[id], config_options[id].key, where);
		check_file(path, where, problems);
		check_use(config, where, problems);
	}
	free(path);
}
