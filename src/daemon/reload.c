/* Reads the configuration anew and compares it with the running one. */
#include "daemon/reload.h"

#include "base/log.h"
#include "config/config.h"
#include "daemon/cli.h"

#include <string.h>

void reload_log_problems(const struct config_problems *problems, struct log *log,
			 const char *object)
{
	static const char mark[] = "warning: ";

	for (size_t i = 0; i < problems->count; i++) {
		const char *line = problems->lines[i];
		bool is_warning = strncmp(line, mark, sizeof(mark) - 1) == 0;

		log_write(log, is_warning ? LOG_WARNING : LOG_ERROR, object, "%s",
			  is_warning ? line + sizeof(mark) - 1 : line);
	}
}

/* Names what differs and cannot change; false when it is the upstream: trust, verification and key belong to it. */
static bool name_fixed(const struct config *running, const struct config *next, struct log *log)
{
	char where[CONFIG_WHERE_BYTES];
	bool is_same_upstream = true;

	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];
		bool is_upstream = i == OPTION_ID_upstream_url;

		if (option->reloadable || config_is_same(running, next, option)) {
			continue;
		}
		is_same_upstream = is_same_upstream && !is_upstream;
		log_write(log, is_upstream ? LOG_ERROR : LOG_WARNING, "reload",
			  "%s: needs a restart; %s",
			  config_where(next->origins[i], option->key, where),
			  is_upstream ? "another upstream is not taken in part, so nothing changes"
				      : "the running value stays");
	}
	return is_same_upstream;
}

void reload_swap_fixed(struct config *running, struct config *next)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (!config_options[i].reloadable) {
			config_swap(next, running, &config_options[i]);
		}
	}
}

/* The new values beside those that stay are what will run: a file that is good by itself may not be good so. */
static bool check_mixed(struct config *running, struct config *next, struct log *log)
{
	struct config_problems problems = {0};
	bool is_good;

	reload_swap_fixed(running, next);
	config_check(next, &problems);
	is_good = problems.errors == 0;
	if (!is_good) {
		reload_log_problems(&problems, log, "reload");
		reload_swap_fixed(running, next);
	}
	config_problems_fini(&problems);
	return is_good;
}

bool reload_read(const struct cli *cli, struct config *running, struct config *ret_next,
		 struct log *log)
{
	struct config_problems problems = {0};
	struct config next;
	bool is_good = cli_load(cli, &next, &problems);

	reload_log_problems(&problems, log, "reload");
	config_problems_fini(&problems);
	if (!is_good || !name_fixed(running, &next, log) || !check_mixed(running, &next, log)) {
		log_write(log, LOG_ERROR, "reload", "refused: the running configuration stays");
		config_fini(&next);
		return false;
	}
	*ret_next = next;
	return true;
}
