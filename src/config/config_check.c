/* What one option alone cannot show: the rules that look at an option's meaning, or at several together. */
#include "base/addr.h"
#include "base/file.h"
#include "base/str.h"
#include "config/config.h"
#include "config/config_key.h"
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

static bool is_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* Why addr_parse() refuses a text, and what to write instead. */
static const char *explain_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct addr addr;

	if (strncmp(text, "unix:", 5) == 0) {
		return text[5] == '/'
			       ? "is too long a path: at most 107 bytes"
			       : "needs an absolute path, as in unix:/run/warmpool/http.sock";
	}
	if (text[0] == '/') {
		return "is a path; write unix: before it";
	}
	if (is_digits(text) || (text[0] == ':' && is_digits(text + 1))) {
		return "needs an address before the port: 127.0.0.1:PORT for this machine, 0.0.0.0:PORT or [::]:PORT for "
		       "all networks";
	}
	if (text[0] == '*') {
		return "is no address; for all networks write 0.0.0.0:PORT or [::]:PORT";
	}
	if (strchr(text, '%') != NULL) {
		return "has a zone (%), which is not supported; write an address without one";
	}
	if (addr_parse_ip(span_of(text), 0, &addr) && addr.sa.any.sa_family == AF_INET) {
		return "needs a port, as in 127.0.0.1:8080";
	}
	if (text[0] == '[') {
		return "is no address with a port, as in [::1]:8080";
	}
	if (colon != NULL && memchr(text, ':', (size_t)(colon - text)) != NULL) {
		return "needs brackets around an IPv6 address, and a port: [::1]:8080";
	}
	if (colon != NULL && is_digits(colon + 1) &&
	    strspn(text, "0123456789.") != (size_t)(colon - text)) {
		return "has a name where an address must stand; write 127.0.0.1:PORT or [::1]:PORT instead of localhost:PORT";
	}
	return "is no address with a port, as in 127.0.0.1:8080, [::1]:8080 or unix:/run/warmpool/http.sock";
}

static bool read_address(struct check *check, enum option_id id, const char *text,
			 struct addr *ret_addr)
{
	char quoted[CONFIG_QUOTE_BYTES];

	if (addr_parse(text, ret_addr)) {
		return true;
	}
	config_problem(check->problems, at(check, id), "%s %s", config_quote(span_of(text), quoted),
		       explain_address(text));
	return false;
}

static bool is_loopback_network(const struct cidr *cidr)
{
	if (cidr->family == AF_INET) {
		return cidr->bits >= 8 && cidr->bytes[0] == 127;
	}
	return cidr->bits == 128 &&
	       memcmp(cidr->bytes, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

/* Are all networks within 127.0.0.0/8 and ::1? Of none, and of what does not parse, that is true too. */
static bool is_loopback_only(const struct string_list *networks)
{
	struct cidr cidr;

	for (size_t i = 0; i < networks->count; i++) {
		if (cidr_parse(networks->items[i], &cidr) && !is_loopback_network(&cidr)) {
			return false;
		}
	}
	return true;
}

/* An address that others reach, while only this machine is allowed: nobody meant that. */
static void check_reach(struct check *check, enum option_id listen, const struct addr *addr,
			enum option_id allow, const struct string_list *networks)
{
	char text[ADDR_TEXT_BYTES];

	if (addr_is_local(addr)) {
		return;
	}
	if (!addr_is_loopback(addr) && is_loopback_only(networks)) {
		config_problem(
			check->problems, at(check, listen),
			"%s is reached by other machines, but %s holds only loopback networks, so all of them "
			"would be refused; add theirs to %s, or listen on 127.0.0.1",
			addr_write(addr, text), config_options[allow].key,
			config_options[allow].key);
	} else if (networks->count == 0) {
		config_warning(check->problems, at(check, allow),
			       "is empty, so every client of %s will be refused; add 127.0.0.0/8",
			       addr_write(addr, text));
	}
}

/* Is this address among the first `count` of a list? Port 0 (any free one) clashes with nothing. */
static bool is_among(const struct addr *addr, const struct string_list *list, size_t count)
{
	struct addr other;

	if (!addr_is_local(addr) && addr_port(addr) == 0) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (addr_parse(list->items[i], &other) && addr_is_equal(addr, &other)) {
			return true;
		}
	}
	return false;
}

static void check_listen(struct check *check)
{
	const struct config *config = check->config;
	const struct string_list *listen = &config->listen;
	struct addr addr;

	if (listen->count == 0) {
		config_problem(check->problems, at(check, OPTION_ID_listen),
			       "is empty; give at least one address, as in 127.0.0.1:8080");
	}
	for (size_t i = 0; i < listen->count; i++) {
		if (!read_address(check, OPTION_ID_listen, listen->items[i], &addr)) {
			continue;
		}
		check_reach(check, OPTION_ID_listen, &addr, OPTION_ID_access_allow,
			    &config->access_allow);
		if (is_among(&addr, listen, i)) {
			config_problem(check->problems, at(check, OPTION_ID_listen),
				       "%s is given twice; keep one", listen->items[i]);
		}
	}
}

static void check_admin_listen(struct check *check)
{
	const struct config *config = check->config;
	struct addr addr;

	if (strcmp(config->admin_listen, "off") == 0) {
		return;
	}
	if (config->admin_listen[0] == '\0') {
		config_problem(check->problems, at(check, OPTION_ID_admin_listen),
			       "is empty; write an address, or off to have no admin interface");
		return;
	}
	if (!read_address(check, OPTION_ID_admin_listen, config->admin_listen, &addr)) {
		return;
	}
	check_reach(check, OPTION_ID_admin_listen, &addr, OPTION_ID_admin_allow,
		    &config->admin_allow);
	if (is_among(&addr, &config->listen, config->listen.count)) {
		config_problem(
			check->problems, at(check, OPTION_ID_admin_listen),
			"%s stands in listen too; the admin interface needs an address of its own",
			config->admin_listen);
	}
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

/* Does any listener serve other machines? */
static bool is_reached_by_others(const struct string_list *listen)
{
	struct addr addr;

	for (size_t i = 0; i < listen->count; i++) {
		if (addr_parse(listen->items[i], &addr) && !addr_is_local(&addr) &&
		    !addr_is_loopback(&addr)) {
			return true;
		}
	}
	return false;
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
	} else if (is_reached_by_others(&config->listen) &&
		   !is_loopback_only(&config->access_allow)) {
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

static void check_pending(struct check *check)
{
	struct config defaults;

	config_init(&defaults);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (config_options[i].pending &&
		    !config_is_same(check->config, &defaults, &config_options[i])) {
			config_warning(check->problems, at(check, (enum option_id)i),
				       "has no effect in this version");
		}
	}
	config_fini(&defaults);
}

void config_check(const struct config *config, struct config_problems *problems)
{
	struct check check = {.config = config, .problems = problems};

	check_listen(&check);
	check_url(&check);
	check_tls(&check);
	config_key_check(config, problems);
	check_pool(&check);
	check_limits(&check);
	check_networks(&check, OPTION_ID_access_allow, &config->access_allow);
	check_hosts(&check, OPTION_ID_access_hosts, &config->access_hosts);
	check_tokens(&check);
	check_clients(&check);
	check_admin_listen(&check);
	check_networks(&check, OPTION_ID_admin_allow, &config->admin_allow);
	check_hosts(&check, OPTION_ID_admin_hosts, &config->admin_hosts);
	check_pending(&check);
}
