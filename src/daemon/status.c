/* Leads `warmpool status` from the configuration to what is printed. */
#include "daemon/status.h"

#include "config/config.h"
#include "daemon/cli.h"
#include "daemon/status_fetch.h"
#include "daemon/status_table.h"
#include "daemon/status_text.h"
#include "daemon/status_watch.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* False, after saying why, when there is nowhere to ask. */
static bool find_place(const struct cli *cli, struct status_place *ret_place, FILE *err)
{
	struct config config;
	struct config_problems problems = {0};
	bool is_good = cli_read(cli, &config, &problems);

	if (!is_good) {
		cli_print_problems(&problems, err);
	} else if (strcmp(config.admin_listen, "off") == 0) {
		fputs("warmpool: admin.listen is off, so there is nothing to ask; set it to 127.0.0.1:8081, or unix:PATH, "
		      "and restart\n",
		      err);
		is_good = false;
	} else if (!status_place_parse(config.admin_listen, ret_place)) {
		fprintf(err,
			"warmpool: admin.listen: %s cannot be asked: it must be HOST:PORT or unix:PATH\n",
			config.admin_listen);
		is_good = false;
	}
	config_fini(&config);
	config_problems_fini(&problems);
	return is_good;
}

static void print_table(json_t *now, FILE *out)
{
	const struct status_text text = {.out = out, .has_colours = isatty(fileno(out)) == 1};

	status_table_write(&text, &(struct status_view){.now = now});
}

static int print_once(const struct cli *cli, const struct status_place *place, FILE *out, FILE *err)
{
	struct status_answer answer;

	if (!status_fetch(place, &answer)) {
		fprintf(err, "warmpool: %s\n", answer.error);
		return CLI_EXIT_FAILED;
	}
	if (cli->is_json) {
		fwrite(answer.body.data, 1, answer.body.len, out);
	} else {
		print_table(answer.json, out);
	}
	status_answer_fini(&answer);
	return fflush(out) == 0 && ferror(out) == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

int status_run(const struct cli *cli, FILE *out, FILE *err)
{
	struct status_place place;

	signal(SIGPIPE, SIG_IGN);
	if (!find_place(cli, &place, err)) {
		return CLI_EXIT_FAILED;
	}
	return cli->is_watching ? status_watch(&place, out, err)
				: print_once(cli, &place, out, err);
}
