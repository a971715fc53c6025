/* Checks the addresses to listen on, and what goes with them. */
#include "config/config_listen.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TLS_FILE_BYTES_MAX = 1 << 20 };

static const char tls_prefix[] = "tls:";

struct check {
	const struct config *config;      /* borrowed */
	struct config_problems *problems; /* borrowed */
	char where[CONFIG_WHERE_BYTES];   /* what at() wrote last */
};

static const char *at(struct check *check, enum option_id id)
{
	return config_where(check->config->origins[id], config_options[id].key, check->where);
}

static bool is_marked_tls(const char *text)
{
	return strncmp(text, tls_prefix, strlen(tls_prefix)) == 0;
}

bool config_listen_parse(const char *text, struct listen_at *ret_at)
{
	bool is_tls = is_marked_tls(text);
	struct addr addr;

	if (!addr_parse(is_tls ? text + strlen(tls_prefix) : text, &addr) ||
	    (is_tls && addr_is_local(&addr))) {
		return false;
	}
	*ret_at = (struct listen_at){addr, is_tls};
	return true;
}

const char *config_listen_reached_by_others(const struct string_list *listen)
{
	struct listen_at item;

	for (size_t i = 0; i < listen->count; i++) {
		if (config_listen_parse(listen->items[i], &item) && !addr_is_local(&item.addr) &&
		    !addr_is_loopback(&item.addr)) {
			return listen->items[i];
		}
	}
	return NULL;
}

bool config_listen_has_tls(const struct string_list *listen)
{
	for (size_t i = 0; i < listen->count; i++) {
		if (is_marked_tls(listen->items[i])) {
			return true;
		}
	}
	return false;
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

	if (is_marked_tls(text)) {
		return "is no address for TLS, as in tls:0.0.0.0:8443 or tls:[::]:8443; unix: sockets are served without, and "
		       "only listen has TLS";
	}
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

static void complain_about_address(struct check *check, enum option_id id, const char *text)
{
	char quoted[CONFIG_QUOTE_BYTES];

	config_problem(check->problems, at(check, id), "%s %s", config_quote(span_of(text), quoted),
		       explain_address(text));
}

static bool is_loopback_network(const struct cidr *cidr)
{
	if (cidr->family == AF_INET) {
		return cidr->bits >= 8 && cidr->bytes[0] == 127;
	}
	return cidr->bits == 128 &&
	       memcmp(cidr->bytes, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

bool config_networks_are_loopback(const struct string_list *networks)
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
	if (!addr_is_loopback(addr) && config_networks_are_loopback(networks)) {
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
	struct listen_at other;

	if (!addr_is_local(addr) && addr_port(addr) == 0) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (config_listen_parse(list->items[i], &other) &&
		    addr_is_equal(addr, &other.addr)) {
			return true;
		}
	}
	return false;
}

static void check_listen(struct check *check)
{
	const struct config *config = check->config;
	const struct string_list *listen = &config->listen;
	struct listen_at item;

	if (listen->count == 0) {
		config_problem(check->problems, at(check, OPTION_ID_listen),
			       "is empty; give at least one address, as in 127.0.0.1:8080");
	}
	for (size_t i = 0; i < listen->count; i++) {
		if (!config_listen_parse(listen->items[i], &item)) {
			complain_about_address(check, OPTION_ID_listen, listen->items[i]);
			continue;
		}
		check_reach(check, OPTION_ID_listen, &item.addr, OPTION_ID_access_allow,
			    &config->access_allow);
		if (is_among(&item.addr, listen, i)) {
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
	if (!addr_parse(config->admin_listen, &addr)) {
		complain_about_address(check, OPTION_ID_admin_listen, config->admin_listen);
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

/* Reading them is OpenSSL's work, at the start; this much is seen without. */
static void check_tls_file(struct check *check, enum option_id id, const char *path,
			   const char *mark, const char *what)
{
	struct stat facts;
	char *text;
	size_t len;

	if (!file_read(path, TLS_FILE_BYTES_MAX, &text, &len)) {
		config_problem(check->problems, at(check, id),
			       "cannot read %s: %s; give a PEM file with %s", path, strerror(errno),
			       what);
		return;
	}
	if (memmem(text, len, mark, strlen(mark)) == NULL) {
		config_problem(check->problems, at(check, id),
			       "%s holds none; give a PEM file with %s", path, what);
	} else if (id == OPTION_ID_tls_key_file && stat(path, &facts) == 0 &&
		   (facts.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		config_warning(check->problems, at(check, id),
			       "%s is open to every user of this machine (mode %04o); chmod 600 it",
			       path, (unsigned)facts.st_mode & 07777);
	}
	explicit_bzero(text, len);
	free(text);
}

static void check_tls(struct check *check)
{
	const struct config *config = check->config;
	const char *cert = config->tls_cert_file;
	const char *key = config->tls_key_file;

	if (cert[0] != '\0') {
		check_tls_file(check, OPTION_ID_tls_cert_file, cert, "CERTIFICATE-----",
			       "the certificate, and then those of its issuers");
	}
	if (key[0] != '\0') {
		check_tls_file(check, OPTION_ID_tls_key_file, key, "PRIVATE KEY-----",
			       "the certificate's private key");
	}
	if ((cert[0] == '\0') != (key[0] == '\0')) {
		enum option_id given =
			cert[0] != '\0' ? OPTION_ID_tls_cert_file : OPTION_ID_tls_key_file;

		config_problem(check->problems, at(check, given), "needs %s as well",
			       cert[0] != '\0' ? "tls.key_file" : "tls.cert_file");
	} else if (cert[0] == '\0' && config_listen_has_tls(&config->listen)) {
		config_problem(check->problems, at(check, OPTION_ID_listen),
			       "tls: needs tls.cert_file and tls.key_file");
	}
}

void config_listen_check(const struct config *config, struct config_problems *problems)
{
	struct check check = {.config = config, .problems = problems};

	check_listen(&check);
	check_admin_listen(&check);
	check_tls(&check);
}
