/* The entrance: reads the command line and runs the daemon in the foreground. */
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "daemon/cli.h"
#include "daemon/doctor.h"
#include "daemon/reload.h"
#include "daemon/status.h"
#include "daemon/worker.h"
#include "net/tls_memory.h"

#include <stdio.h>
#include <unistd.h>

static int run(const struct cli *cli, struct config *config, struct log *log)
{
	struct worker *worker;
	int status = CLI_EXIT_FAILED;

	log->level = (enum log_level)config->log_level;
	log->format = (enum log_format)config->log_format;
	worker = worker_new(cli, config, log);
	if (worker != NULL) {
		status = worker_run(worker);
	}
	worker_free(worker);
	return status;
}

static int load_and_run(const struct cli *cli)
{
	struct config config;
	struct config_problems problems = {0};
	struct log log;
	int status = CLI_EXIT_FAILED;
	bool good = cli_load(cli, &config, &problems);

	log_init(&log, STDERR_FILENO);
	if (log.has_priority) {
		reload_log_problems(&problems, &log, "start");
	} else {
		cli_print_problems(&problems, stderr);
	}
	config_problems_fini(&problems);
	if (good) {
		status = run(cli, &config, &log);
	}
	log_fini(&log);
	config_fini(&config);
	return status;
}

static int answer(const struct cli *cli)
{
	if (cli->command == CLI_RUN) {
		return load_and_run(cli);
	}
	if (cli->command == CLI_DOCTOR) {
		return doctor_run(cli, stdout);
	}
	if (cli->command == CLI_STATUS) {
		return status_run(cli, stdout, stderr);
	}
	return cli_answer(cli, stdout, stderr);
}

int main(int argc, char **argv)
{
	struct cli cli;
	int status;

	mem_init();
	tls_memory_init();
	if (!cli_parse(&cli, argc, argv, stderr)) {
		return CLI_EXIT_USAGE;
	}
	status = answer(&cli);
	cli_fini(&cli);
	return status;
}
