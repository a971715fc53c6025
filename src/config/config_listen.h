/*
 * The addresses of `listen` and admin.listen: what a text names, who reaches it, and whether the other options go with it.
 */
#pragma once

#include "base/addr.h"
#include "base/macros.h"
#include "config/config.h"

#include <stdbool.h>

/* One item of `listen`: an address as addr_parse() reads it, or "tls:" and one that is no unix socket. */
struct listen_at {
	struct addr addr;
	bool is_tls;
};

MUST_USE bool config_listen_parse(const char *text, struct listen_at *ret_at);

/* The first item that other machines reach, or NULL. Borrowed from the list. */
const char *config_listen_reached_by_others(const struct string_list *listen);

/* Does any item begin with "tls:"? */
bool config_listen_has_tls(const struct string_list *listen);

/* Are all networks within 127.0.0.0/8 and ::1? Of none, and of what does not parse, that is true too. */
bool config_networks_are_loopback(const struct string_list *networks);

/* For config_check(): `listen`, admin.listen, and the files of tls.*. */
void config_listen_check(const struct config *config, struct config_problems *problems);
