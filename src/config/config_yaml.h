/*
 * Reads a configuration file with libyaml: nested mappings whose paths are the options' keys.
 *
 *   pool:
 *     size: 50
 *   listen: [127.0.0.1:8080, unix:/run/warmpool/http.sock]
 *   access:
 *     clients:
 *       crawler: {weight: 2}
 *
 * Also accepts the dotted form of an option ("pool.size: 50"). Aliases, tags, several documents, duplicate keys and anything that is no
 * option are problems with FILE:LINE. A file larger than 1 MiB or deeper than 5 levels is refused.
 */
#pragma once

#include "base/span.h"
#include "config/config.h"

#include <stddef.h>

/* Reads `path` into `config`; adds problems, also when the file cannot be opened (with errno's text). */
void config_yaml_load(struct config *config, struct config_problems *problems, const char *path);

/* The same from memory; `name` stands for the file in problems. For tests and fuzzing. */
void config_yaml_parse(struct config *config, struct config_problems *problems, const char *name,
		       struct span text);
