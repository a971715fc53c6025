/*
 * What the files hold that a configuration names: whom we trust, our own certificate, the tokens, the API key. All of it is read at the
 * start and at each SIGHUP, and taken whole or not at all.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "config/config_key.h"

#include <stdbool.h>

struct config;
struct config_problems;
struct log;
struct tls_client;
struct tls_server;
struct tokens;
struct upstream_url;

struct credentials {
	struct span ca_text;       /* owned; the CA file's contents that `tls` trusts */
	struct tls_client *tls;    /* one reference; NULL when the upstream is plain */
	struct tls_server *server; /* owned; NULL without tls.cert_file */
	struct tokens *tokens;     /* owned; NULL: none are asked for */
	struct api_key key;        /* len 0: there is none */
};

/*
 * Reads them all for a checked configuration. False, with every reason logged and *ret left alone, when one cannot be used. Where the
 * trust is that of `running` (NULL at the start), by the options and by the CA file's contents, ret->tls is the same with its tickets.
 *
 * From the first key on the process leaves no core, and other processes of the same user cannot look into its memory.
 */
MUST_USE bool credentials_load(const struct config *config, const struct upstream_url *url,
			       const struct config *running_config,
			       const struct credentials *running, struct log *log,
			       struct credentials *ret);
void credentials_fini(struct credentials *credentials);

/* What only OpenSSL can tell of a configuration without errors, as further problems. */
void credentials_check(const struct config *config, struct config_problems *problems);
