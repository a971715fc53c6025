/* What one option alone cannot show: the rules that look at an option's meaning, or at several together. */
#include "base/addr.h"
#include "base/file.h"
#include "base/str.h"
#include "config/config.h"
#include "config/config_key.h"
#include "config/config_listen.h"
#include "config/config_tokens.h"
#include "config/url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { POOL_SIZE_FOR_SOLVE = 4, CA_FILE_BYTES_MAX = 64 << 20 };

struct check {
	const struct config *config;      /* borrowed */
	struct config_problems *problems; /* borrowed */
	char where[CONFIG_WHERE_BYTES];   /* what at() wrote last */
};

static const char *at(struct check *check, enum option_id id)
{
	return config_where(check->config->origins[id], config_options[id].key, check->where);
}

static const char *explain_network(const char *text)
{
	const char *slash = strchr(text, '/');
	struct span ip = {text, slash != NULL ? (size_t)(slash - text) : strlen(text)};
	struct addr addr;
	uint64_t bits;

	if (!addr_parse_ip(ip, 0, &addr) || slash == NULL) {
		return "is no network; write an address alone or with its prefix length: 10.0.0.0/8, 192.0.2.7, 2001:db8::/32";
	}
	if (!str_read_u64(span_of(slash + 1), &bits) ||
	    bits > (addr.sa.any.sa_family == AF_INET ? 32 : 128)) {
		return addr.sa.any.sa_family == AF_INET
			       ? "has a prefix length that is no number from 0 to 32"
			       : "has a prefix length that is no number from 0 to 128";
	}
	return "has bits set after its prefix, as 10.0.0.5/8 for 10.0.0.0/8 would; clear them, or write a longer prefix";
}

static void check_networks(struct check *check, enum option_id id,
			   const struct string_list *networks)
{
	char quoted[CONFIG_QUOTE_BYTES];
	struct cidr cidr;

	for (size_t i = 0; i < networks->count; i++) {
		if (!cidr_parse(networks->items[i], &cidr)) {
			config_problem(check->problems, at(check, id), "%s %s",
				       config_quote(span_of(networks->items[i]), quoted),
				       explain_network(networks->items[i]));
		}
	}
}

/* A row's name that was meant as a network and is none would hold for nobody. */
static void check_clients(struct check *check)
{
	const struct client_rows *rows = &check->config->access_clients;
	char quoted[CONFIG_QUOTE_BYTES];
	struct addr addr;

	for (size_t i = 0; i < rows->count; i++) {
		const char *name = rows->items[i].name;
		const char *slash = strchr(name, '/');

		if (slash != NULL && !rows->items[i].is_network &&
		    addr_parse_ip((struct span){name, (size_t)(slash - name)}, 0, &addr)) {
			config_problem(check->problems, at(check, OPTION_ID_access_clients),
				       "%s %s", config_quote(span_of(name), quoted),
				       explain_network(name));
		}
	}
}

static void check_hosts(struct check *check, enum option_id id, const struct string_list *hosts)
{
	char quoted[CONFIG_QUOTE_BYTES];

	for (size_t i = 0; i < hosts->count; i++) {
		size_t len = strlen(hosts->items[i]);

		if (len > 1 && hosts->items[i][len - 1] == '.') {
			len--;
		}
		if (!url_is_host_name(hosts->items[i], len)) {
			config_problem(
				check->problems, at(check, id),
				"%s is no host name; write the name alone, without scheme, port or wildcard, as in "
				"pool.example.net",
				config_quote(span_of(hosts->items[i]), quoted));
		}
	}
}

static void check_tokens_file(struct check *check, const char *path)
{
	const char *where = at(check, OPTION_ID_access_tokens);
	struct stat facts;

	if (!config_tokens_read(path, where, check->problems, NULL, NULL)) {
		return; /* it was said why */
	}
	if (stat(path, &facts) == 0 && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		config_warning(
			check->problems, where,
			"%s is open to other users of this machine (mode %04o); chmod 600 it", path,
			(unsigned)facts.st_mode & 07777);
	}
}

static void check_tokens(struct check *check)
{
	const struct config *config = check->config;
	char *path = config_tokens_path(config);

	if (path != NULL) {
		check_tokens_file(check, path);
	} else if (config_listen_reached_by_others(&config->listen) != NULL &&
		   !config_networks_are_loopback(&config->access_allow)) {
		config_warning(
			check->problems, at(check, OPTION_ID_access_allow),
			"without access.tokens everyone in these networks can spend your balance; give each "
			"team a token, or name only machines that you trust");
	}
	free(path);
}

static void check_url(struct check *check)
{
	const char *text = check->config->upstream_url;
	char quoted[CONFIG_QUOTE_BYTES];
	struct upstream_url url;
	const char *fault;

	if (!url_parse(text, &url, &fault)) {
		/* What stands before an @ may be a password. */
		config_quote(strchr(text, '@') != NULL ? SPAN("(not shown)") : span_of(text),
			     quoted);
		config_problem(check->problems, at(check, OPTION_ID_upstream_url), "%s %s", quoted,
			       fault);
		return;
	}
	if (!url.is_tls) {
		config_warning(
			check->problems, at(check, OPTION_ID_upstream_url),
			"with http:// nothing is encrypted: your key can be read on the way; write https:// unless "
			"this is a test");
	}
	url_fini(&url);
}

static void check_ca_file(struct check *check, const char *path)
{
	const char *where = at(check, OPTION_ID_upstream_ca_file);
	const char *remedy =
		"give a PEM file with certificates, or leave it empty for the system's store";
	char *text;
	size_t len;

	if (!file_read(path, CA_FILE_BYTES_MAX, &text, &len)) {
		config_problem(check->problems, where, "cannot read %s: %s; %s", path,
			       strerror(errno), remedy);
		return;
	}
	/* Reading them is OpenSSL's work, at the start; this much is seen without. */
	if (memmem(text, len, "CERTIFICATE-----", strlen("CERTIFICATE-----")) == NULL) {
		config_problem(check->problems, where, "%s holds no certificate; %s", path, remedy);
	}
	free(text);
}

static void check_tls(struct check *check)
{
	if (!check->config->upstream_tls_verify) {
		config_warning(
			check->problems, at(check, OPTION_ID_upstream_tls_verify),
			"is off: whoever answers in the upstream's place gets your key; trust a private authority "
			"with upstream.ca_file instead");
	}
	if (check->config->upstream_ca_file[0] != '\0') {
		check_ca_file(check, check->config->upstream_ca_file);
	}
}

static void check_pool(struct check *check)
{
	const struct config *config = check->config;

	if (config->pool_min_idle > config->pool_size &&
	    config->origins[OPTION_ID_pool_min_idle] != NULL) {
		config_warning(check->problems, at(check, OPTION_ID_pool_min_idle),
			       "%" PRIu64 " is more than pool.size; treated as %" PRIu64,
			       config->pool_min_idle, config->pool_size);
	} else if (config->pool_min_idle > config->pool_size) {
		config_warning(check->problems, at(check, OPTION_ID_pool_size),
			       "is less than pool.min_idle (%" PRIu64
			       "), which is treated as %" PRIu64,
			       config->pool_min_idle, config->pool_size);
	}
	if (config->pool_size < POOL_SIZE_FOR_SOLVE) {
		config_warning(
			check->problems, at(check, OPTION_ID_pool_size),
			"is below %d: each /solve.php holds a connection until it is solved, so a few of them leave "
			"little for all else",
			POOL_SIZE_FOR_SOLVE);
	}
}

static void check_limits(struct check *check)
{
	const struct config *config = check->config;
	uint64_t needed = config->limits_request_body_bytes + config->limits_response_body_bytes;
	char text[32];

	if (config->limits_buffered_bytes < needed) {
		config_problem(
			check->problems, at(check, OPTION_ID_limits_buffered_bytes),
			"cannot hold one request and its response; raise it to at least limits.request_body + "
			"limits.response_body (%s), or lower those",
			str_write_size(text, sizeof(text), needed));
	}
}

void config_check(const struct config *config, struct config_problems *problems)
{
	struct check check = {.config = config, .problems = problems};

	config_listen_check(config, problems);
	check_url(&check);
	check_tls(&check);
	config_key_check(config, problems);
	check_pool(&check);
	check_limits(&check);
	check_networks(&check, OPTION_ID_access_allow, &config->access_allow);
	check_hosts(&check, OPTION_ID_access_hosts, &config->access_hosts);
	check_tokens(&check);
	check_clients(&check);
	check_networks(&check, OPTION_ID_admin_allow, &config->admin_allow);
	check_hosts(&check, OPTION_ID_admin_hosts, &config->admin_hosts);
}
