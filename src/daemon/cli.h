/*
 * The command line: which command, which file, which --set; and the commands that need no event loop.
 *
 *   struct cli cli;
 *   if (!cli_parse(&cli, argc, argv, stderr)) return CLI_EXIT_USAGE;
 *   if (cli.command is none of CLI_RUN, CLI_DOCTOR, CLI_STATUS) → cli_answer(), whose value is the exit status
 *   if it is CLI_DOCTOR → doctor_run() (doctor.h), if CLI_STATUS → status_run() (status.h), the same
 *   else cli_load(), cli_print_problems(), and the daemon; cli_load() again on every SIGHUP.
 */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config;
struct config_problems;

enum { CLI_EXIT_OK = 0, CLI_EXIT_FAILED = 1, CLI_EXIT_USAGE = 2 };

enum cli_command { CLI_RUN, CLI_CHECK, CLI_OPTIONS, CLI_DOCTOR, CLI_STATUS, CLI_VERSION, CLI_HELP };

struct cli {
	enum cli_command command;
	const char *file;  /* borrowed from argv; NULL: the default file if present */
	const char **sets; /* owned array of "KEY=VALUE", each borrowed from argv */
	size_t set_count;
	bool is_watching; /* --watch and --json: of CLI_STATUS, never both */
	bool is_json;
};

/* On a fault writes a text to `err` and returns false; the exit status is then CLI_EXIT_USAGE. */
MUST_USE bool cli_parse(struct cli *cli, int argc, char *const *argv, FILE *err);
void cli_fini(struct cli *cli);

/* The file that cli_load() reads now; NULL: none is given and the default one is absent. */
const char *cli_file(const struct cli *cli);

/* The first half of cli_load(): from defaults, file and --set, without checking what they mean together or name. */
MUST_USE bool cli_read(const struct cli *cli, struct config *config,
		       struct config_problems *problems);

/*
 * Fills `config` (which the caller frees in either case) from defaults, file and --set, checks it, and gathers all
 * problems. True when there is no error; warnings may be there all the same.
 */
MUST_USE bool cli_load(const struct cli *cli, struct config *config,
		       struct config_problems *problems);

/* One line each. */
void cli_print_problems(const struct config_problems *problems, FILE *err);

/* Does check, options, --version or --help; returns the exit status. */
MUST_USE int cli_answer(const struct cli *cli, FILE *out, FILE *err);
