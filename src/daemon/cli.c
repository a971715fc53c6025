/* Reads the command line and answers the commands that need no event loop. */
#include "daemon/cli.h"

#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"
#include "config/config_yaml.h"
#include "daemon/credentials.h"
#include "version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char default_file[] = "/etc/warmpool/warmpool.yaml";

enum { OUTPUT_COLUMNS = 100, HELP_INDENT = 4 };

static const struct {
	const char *name;
	enum cli_command command;
} commands[] = {
	{"run", CLI_RUN},       {"check", CLI_CHECK},   {"options", CLI_OPTIONS},
	{"doctor", CLI_DOCTOR}, {"status", CLI_STATUS},
};

static const char usage[] =
	"usage: warmpool [run] [-c FILE] [--set KEY=VALUE]...   serve, in the foreground\n"
	"       warmpool check [-c FILE] [--set KEY=VALUE]...   say what is wrong with the configuration\n"
	"       warmpool options                                list every option\n"
	"       warmpool doctor [-c FILE] [--set KEY=VALUE]...  measure the upstream once, and say what is wrong\n"
	"       warmpool status [-c FILE] [--set KEY=VALUE]...  show what a running one does\n"
	"                       [--watch | --json]\n"
	"       warmpool --version | --help\n"
	"\n"
	"  -c FILE           the configuration; without it /etc/warmpool/warmpool.yaml if present\n"
	"  --set KEY=VALUE   set one option, as in --set pool.size=50; lists take commas\n"
	"  --watch           refresh the status each second, with rates; q ends it\n"
	"  --json            the status as JSON\n";

/* The arguments not yet read. */
struct args {
	int count;
	char *const *next;
	FILE *err; /* borrowed */
};

static bool complain(const struct args *args, const char *what, const char *detail)
{
	fprintf(args->err, "warmpool: %s%s; `warmpool --help` shows the usage\n", what, detail);
	return false;
}

/* "--set VALUE", "--set=VALUE" or, for a short name, "-cVALUE"; the value stays NULL when `arg` is another option. */
static bool take_value(struct args *args, const char *arg, const char *name, const char **ret_value)
{
	const bool is_long = name[1] == '-';
	size_t len = strlen(name);

	if (strncmp(arg, name, len) != 0 || (is_long && arg[len] != '\0' && arg[len] != '=')) {
		return true;
	}
	if (arg[len] != '\0') {
		*ret_value = arg + len + (is_long ? 1 : 0);
		return true;
	}
	if (args->count == 0) {
		return complain(args, "a value is missing after ", name);
	}
	args->count--;
	*ret_value = *args->next++;
	return true;
}

static bool read_command(struct cli *cli, const struct args *args, const char *name)
{
	char quoted[CONFIG_QUOTE_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name) == 0) {
			cli->command = commands[i].command;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (str_edit_distance(name, commands[i].name) <= 2) {
			fprintf(args->err, "warmpool: no command %s; did you mean %s?\n",
				config_quote(span_of(name), quoted), commands[i].name);
			return false;
		}
	}
	return complain(args, "no command ", config_quote(span_of(name), quoted));
}

static bool add_set(struct cli *cli, const struct args *args, const char *set)
{
	char quoted[CONFIG_QUOTE_BYTES];
	const char *equals = strchr(set, '=');

	if (equals == NULL || equals == set) {
		return complain(args, "--set takes KEY=VALUE, as in --set pool.size=50, and not ",
				config_quote(span_of(set), quoted));
	}
	cli->sets = mem_grow(cli->sets, cli->set_count + 1, sizeof(cli->sets[0]));
	cli->sets[cli->set_count++] = set;
	return true;
}

/* One argument that begins with a dash. */
static bool read_option(struct cli *cli, struct args *args, const char *arg)
{
	const char *file = NULL;
	const char *set = NULL;
	char quoted[CONFIG_QUOTE_BYTES];

	if (strcmp(arg, "--version") == 0) {
		cli->command = CLI_VERSION;
		return true;
	}
	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
		cli->command = CLI_HELP;
		return true;
	}
	if (strcmp(arg, "--watch") == 0 || strcmp(arg, "--json") == 0) {
		*(arg[2] == 'w' ? &cli->is_watching : &cli->is_json) = true;
		return true;
	}
	if (!take_value(args, arg, "-c", &file) || !take_value(args, arg, "--set", &set)) {
		return false;
	}
	if (file != NULL) {
		cli->file = file;
		return true;
	}
	if (set != NULL) {
		return add_set(cli, args, set);
	}
	return complain(args, "no option ", config_quote(span_of(arg), quoted));
}

static bool check_status_options(const struct cli *cli, const struct args *args)
{
	bool is_alone = cli->command == CLI_VERSION || cli->command == CLI_HELP;

	if (cli->is_watching && cli->is_json) {
		return complain(args, "either --watch or --json", "");
	}
	if ((cli->is_watching || cli->is_json) && cli->command != CLI_STATUS && !is_alone) {
		return complain(args, "only `warmpool status` takes ",
				cli->is_watching ? "--watch" : "--json");
	}
	return true;
}

static bool read_args(struct cli *cli, struct args *args)
{
	const char *command = NULL;
	char quoted[CONFIG_QUOTE_BYTES];

	while (args->count > 0 && cli->command != CLI_VERSION && cli->command != CLI_HELP) {
		const char *arg = *args->next++;
		bool is_good;

		args->count--;
		if (arg[0] == '-') {
			is_good = read_option(cli, args, arg);
		} else if (command != NULL) {
			is_good = complain(args, "one argument too many: ",
					   config_quote(span_of(arg), quoted));
		} else {
			command = arg;
			is_good = read_command(cli, args, arg);
		}
		if (!is_good) {
			return false;
		}
	}
	return check_status_options(cli, args);
}

bool cli_parse(struct cli *cli, int argc, char *const *argv, FILE *err)
{
	struct args args = {.count = argc > 0 ? argc - 1 : 0, .next = argv + 1, .err = err};

	*cli = (struct cli){.command = CLI_RUN};
	if (!read_args(cli, &args)) {
		cli_fini(cli);
		return false;
	}
	return true;
}

void cli_fini(struct cli *cli)
{
	free(cli->sets);
	*cli = (struct cli){0};
}

const char *cli_file(const struct cli *cli)
{
	if (cli->file != NULL) {
		return cli->file;
	}
	/* One that is there but cannot be reached is read too, so that the reason is said. */
	return access(default_file, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)
		       ? default_file
		       : NULL;
}

static void apply_set(struct config *config, struct config_problems *problems, const char *set)
{
	const char *equals = strchr(set, '=');
	char *key = mem_strndup(set, (size_t)(equals - set));
	char *where;

	if (asprintf(&where, "--set %s", key) < 0) {
		abort();
	}
	config_set(config, problems, where, key, equals + 1);
	free(where);
	free(key);
}

bool cli_read(const struct cli *cli, struct config *config, struct config_problems *problems)
{
	const char *file = cli_file(cli);

	config_init(config);
	if (file != NULL) {
		config_yaml_load(config, problems, file);
	}
	for (size_t i = 0; i < cli->set_count; i++) {
		apply_set(config, problems, cli->sets[i]);
	}
	return problems->errors == 0;
}

bool cli_load(const struct cli *cli, struct config *config, struct config_problems *problems)
{
	bool is_read = cli_read(cli, config, problems);

	config_check(config, problems);
	return is_read && problems->errors == 0;
}

void cli_print_problems(const struct config_problems *problems, FILE *err)
{
	for (size_t i = 0; i < problems->count; i++) {
		fprintf(err, "%s\n", problems->lines[i]);
	}
	if (problems->count >= CONFIG_PROBLEMS_MAX) {
		fprintf(err, "(what comes after these %d problems is not shown)\n",
			CONFIG_PROBLEMS_MAX);
	}
}

static int answer_check(const struct cli *cli, FILE *out, FILE *err)
{
	const char *file = cli_file(cli);
	struct config config;
	struct config_problems problems = {0};
	bool is_good = cli_load(cli, &config, &problems);

	if (is_good) {
		credentials_check(&config, &problems);
		is_good = problems.errors == 0;
	}
	cli_print_problems(&problems, err);
	if (is_good) {
		fprintf(out, "%s: ok\n", file != NULL ? file : "defaults");
	}
	config_fini(&config);
	config_problems_fini(&problems);
	return is_good ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* Prints words, indented, with line breaks before the last column. */
static void print_wrapped(const char *text, FILE *out)
{
	int column = 0;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (column > 0 && column + 1 + len > OUTPUT_COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%*s%.*s", column > 0 ? 1 : HELP_INDENT, "", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_option(const struct option *option, FILE *out)
{
	const char *fallback = option->fallback[0] != '\0' ? option->fallback : "(empty)";
	char allowed[CONFIG_ALLOWED_BYTES];

	fprintf(out, "%-23s  %-26s  %-27s  %s\n", option->key, fallback,
		config_allowed_text(option, allowed), option->reloadable ? "yes" : "no");
	print_wrapped(option->help, out);
}

static int answer_options(FILE *out)
{
	fprintf(out, "%-23s  %-26s  %-27s  %s\n", "OPTION", "DEFAULT", "ALLOWED",
		"CHANGED BY SIGHUP");
	for (size_t i = 0; i < config_option_count; i++) {
		print_option(&config_options[i], out);
	}
	return CLI_EXIT_OK;
}

int cli_answer(const struct cli *cli, FILE *out, FILE *err)
{
	int status = CLI_EXIT_OK;

	switch (cli->command) {
	case CLI_CHECK:
		status = answer_check(cli, out, err);
		break;
	case CLI_OPTIONS:
		status = answer_options(out);
		break;
	case CLI_VERSION:
		fprintf(out, "warmpool %s\n", WARMPOOL_VERSION);
		break;
	case CLI_HELP:
		fputs(usage, out);
		break;
	case CLI_RUN:
	case CLI_DOCTOR:
	case CLI_STATUS:
		break;
	}
	/* A full disk or a closed pipe must not look like success. */
	return fflush(out) == 0 && ferror(out) == 0 ? status : CLI_EXIT_FAILED;
}
