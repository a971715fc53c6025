/*
 * Reads the rows of access.clients: in YAML a mapping of names to mappings of fields. Internal to config/.
 */
#pragma once

#include "base/macros.h"
#include "config/config.h"

#include <stdbool.h>

struct yaml_file;

/*
 * The present event begins a mapping or a sequence, which is left at its end: the value of the option `key`, at this depth. An
 * empty one of either is no rows. False, with every problem, when anything in it is wrong.
 */
MUST_USE bool config_yaml_read_clients(struct yaml_file *file, const char *key, unsigned depth,
				       struct client_rows *ret_rows);
