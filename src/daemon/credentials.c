/* Reads the files of trust and secrets, at the start and anew. */
#include "daemon/credentials.h"

#include "base/file.h"
#include "base/log.h"
#include "config/config.h"
#include "config/url.h"
#include "daemon/reload.h"
#include "net/tls.h"
#include "net/tls_server.h"
#include "proxy/tokens.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { CA_BYTES_MAX = 64 << 20, ERROR_BYTES = 512 };

/* So that a renewed file under the same name is seen; empty for the system's store. */
static struct span read_ca(const struct config *config)
{
	char *text = NULL;
	size_t len = 0;

	if (config->upstream_ca_file[0] != '\0' &&
	    !file_read(config->upstream_ca_file, CA_BYTES_MAX, &text, &len)) {
		text = NULL; /* config_check() or OpenSSL says why */
	}
	return (struct span){text, text != NULL ? len : 0};
}

static struct tls_client *new_tls(const struct config *config, const char *host, char *error)
{
	const struct tls_setup setup = {.host = host,
					.ca_file = config->upstream_ca_file,
					.verify = config->upstream_tls_verify};

	return tls_client_new(&setup, error, ERROR_BYTES);
}

/* Does a configuration mean the trust that runs? */
static bool is_same_trust(const struct config *config, const struct config *running_config,
			  struct span ca_text, struct span running_text)
{
	return strcmp(config->upstream_ca_file, running_config->upstream_ca_file) == 0 &&
	       config->upstream_tls_verify == running_config->upstream_tls_verify &&
	       span_is(ca_text, running_text);
}

static bool has_certificate(const struct config *config)
{
	return config->tls_cert_file[0] != '\0' && config->tls_key_file[0] != '\0';
}

static bool load_server(const struct config *config, struct log *log, struct credentials *into)
{
	char error[ERROR_BYTES];

	if (!has_certificate(config)) {
		return true;
	}
	into->server =
		tls_server_new(config->tls_cert_file, config->tls_key_file, error, sizeof(error));
	if (into->server == NULL) {
		log_write(log, LOG_ERROR, "tls", "%s", error);
	}
	return into->server != NULL;
}

static bool load_tokens(const struct config *config, struct log *log, struct credentials *into)
{
	struct config_problems problems = {0};
	bool is_good = tokens_load(config, &problems, &into->tokens);

	reload_log_problems(&problems, log, "tokens");
	config_problems_fini(&problems);
	return is_good;
}

static bool read_key(const struct config *config, const char *path, struct log *log,
		     struct api_key *ret_key)
{
	const enum option_id id = OPTION_ID_upstream_api_key_file;
	struct config_problems problems = {0};
	char where[CONFIG_WHERE_BYTES];
	bool is_good;

	if (prctl(PR_SET_DUMPABLE, 0) != 0) {
		abort(); /* the kernel knows this call, or nothing here holds */
	}
	config_where(config->origins[id], config_options[id].key, where);
	is_good = config_key_read(path, where, &problems, ret_key);
	reload_log_problems(&problems, log, "key");
	config_problems_fini(&problems);
	return is_good;
}

/* Never for an upstream in clear text, wherever the key came from. */
static bool load_key(const struct config *config, bool is_tls, struct log *log,
		     struct credentials *into)
{
	char *path = config_key_path(config);
	bool is_good = path == NULL || read_key(config, path, log, &into->key);

	free(path);
	if (into->key.len > 0 && !is_tls) {
		log_write(log, LOG_WARNING, "key",
			  "the API key has no effect: the upstream is http://");
		explicit_bzero(&into->key, sizeof(into->key));
	}
	return is_good;
}

static bool load_trust(const struct config *config, const struct upstream_url *url,
		       const struct config *running_config, const struct credentials *running,
		       struct log *log, struct credentials *into)
{
	char error[ERROR_BYTES];

	into->ca_text = read_ca(config);
	if (!url->is_tls) {
		return true;
	}
	if (running != NULL &&
	    is_same_trust(config, running_config, into->ca_text, running->ca_text)) {
		into->tls = tls_client_ref(running->tls);
		return true;
	}
	into->tls = new_tls(config, url->host, error);
	if (into->tls == NULL) {
		log_write(log, LOG_ERROR, "tls", "%s", error);
	}
	return into->tls != NULL;
}

bool credentials_load(const struct config *config, const struct upstream_url *url,
		      const struct config *running_config, const struct credentials *running,
		      struct log *log, struct credentials *ret)
{
	struct credentials next = {0};
	bool is_good = load_trust(config, url, running_config, running, log, &next);

	is_good = load_server(config, log, &next) && is_good;
	is_good = load_tokens(config, log, &next) && is_good;
	is_good = load_key(config, url->is_tls, log, &next) && is_good;
	if (!is_good) {
		credentials_fini(&next);
		return false;
	}
	*ret = next;
	explicit_bzero(&next.key, sizeof(next.key));
	return true;
}

void credentials_fini(struct credentials *credentials)
{
	free((char *)(uintptr_t)credentials->ca_text.data);
	tls_client_unref(credentials->tls);
	tls_server_free(credentials->server);
	tokens_free(credentials->tokens);
	explicit_bzero(&credentials->key, sizeof(credentials->key));
	*credentials = (struct credentials){0};
}

void credentials_check(const struct config *config, struct config_problems *problems)
{
	char error[ERROR_BYTES];
	struct tls_client *tls = new_tls(config, "localhost", error);
	struct tls_server *server;

	if (tls == NULL) {
		config_problem(problems, config->origins[OPTION_ID_upstream_ca_file], "%s", error);
	}
	tls_client_unref(tls);
	if (has_certificate(config)) {
		server = tls_server_new(config->tls_cert_file, config->tls_key_file, error,
					sizeof(error));
		if (server == NULL) {
			config_problem(problems, config->origins[OPTION_ID_tls_key_file], "%s",
				       error);
		}
		tls_server_free(server);
	}
}
