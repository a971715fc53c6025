/* daemon/cli.c: the command line. */
#include "config/config.h"
#include "daemon/cli.h"
#include "suite.h"

#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 8 };

/* A command line, what it was read as, and what was written. */
struct rig {
	struct cli cli;
	bool is_good;
	int status; /* of cli_answer() */
	char *out;  /* owned */
	char *err;  /* owned */
};

static int count_words(const char *const *words)
{
	int count = 0;

	while (count < WORDS_MAX && words[count] != NULL) {
		count++;
	}
	return count;
}

/* Reads the words after the program's name, and answers when they are a command other than run. */
static void run(struct rig *rig, const char *const words[WORDS_MAX])
{
	char *argv[WORDS_MAX + 2] = {strdup("warmpool")};
	int count = count_words(words);
	size_t out_len;
	size_t err_len;
	FILE *out;
	FILE *err;

	*rig = (struct rig){0};
	out = open_memstream(&rig->out, &out_len);
	err = open_memstream(&rig->err, &err_len);
	for (int i = 0; i < count; i++) {
		argv[i + 1] = strdup(words[i]);
	}
	rig->is_good = cli_parse(&rig->cli, count + 1, argv, err);
	if (rig->is_good && rig->cli.command != CLI_RUN) {
		rig->status = cli_answer(&rig->cli, out, err);
	}
	cli_fini(&rig->cli);
	fclose(out);
	fclose(err);
	for (int i = 0; i <= count; i++) {
		free(argv[i]);
	}
}

static void fini(struct rig *rig)
{
	free(rig->out);
	free(rig->err);
}

static void parse(struct cli *cli, char *const argv[], int argc)
{
	FILE *err = fopen("/dev/null", "w");

	ck_assert(cli_parse(cli, argc, argv, err));
	fclose(err);
}

START_TEST(test_forms)
{
	static const struct {
		const char *words[WORDS_MAX];
		enum cli_command command;
		const char *file;
		const char *sets[3];
	} cases[] = {
		{{NULL}, CLI_RUN, NULL, {NULL}},
		{{"run"}, CLI_RUN, NULL, {NULL}},
		{{"-c", "a.yaml"}, CLI_RUN, "a.yaml", {NULL}},
		{{"-ca.yaml"}, CLI_RUN, "a.yaml", {NULL}},
		{{"run", "-c", "a.yaml", "--set", "pool.size=5"},
		 CLI_RUN,
		 "a.yaml",
		 {"pool.size=5"}},
		{{"--set", "pool.size=5", "--set=queue.size=", "check"},
		 CLI_CHECK,
		 NULL,
		 {"pool.size=5", "queue.size="}},
		{{"-c", "a", "check", "-c", "b"}, CLI_CHECK, "b", {NULL}},
		{{"--set", "a=b=c"}, CLI_RUN, NULL, {"a=b=c"}},
		{{"options"}, CLI_OPTIONS, NULL, {NULL}},
		{{"doctor", "-c", "a", "--set", "pool.size=5"}, CLI_DOCTOR, "a", {"pool.size=5"}},
		{{"status", "--json", "-c", "a"}, CLI_STATUS, "a", {NULL}},
		{{"--watch", "status"}, CLI_STATUS, NULL, {NULL}},
		{{"--version"}, CLI_VERSION, NULL, {NULL}},
		{{"check", "--help", "--nonsense"}, CLI_HELP, NULL, {NULL}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[WORDS_MAX + 2] = {strdup("warmpool")};
		int count = count_words(cases[i].words);
		struct cli cli;

		for (int j = 0; j < count; j++) {
			argv[j + 1] = strdup(cases[i].words[j]);
		}
		parse(&cli, argv, count + 1);
		ck_assert_int_eq(cli.command, cases[i].command);
		ck_assert_pstr_eq(cli.file, cases[i].file);
		for (size_t j = 0; j < cli.set_count; j++) {
			ck_assert_pstr_eq(cli.sets[j], cases[i].sets[j]);
		}
		ck_assert_ptr_null(cases[i].sets[cli.set_count]);
		cli_fini(&cli);
		for (int j = 0; j <= count; j++) {
			free(argv[j]);
		}
	}
}
END_TEST

START_TEST(test_wrong_usage_is_explained)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *text;
	} cases[] = {
		{{"chek"}, "warmpool: no command 'chek'; did you mean check?\n"},
		{{"serve"}, "warmpool: no command 'serve'; `warmpool --help` shows the usage\n"},
		{{"status", "--watch", "--json"},
		 "warmpool: either --watch or --json; `warmpool --help` shows the usage\n"},
		{{"--watch"},
		 "warmpool: only `warmpool status` takes --watch; `warmpool --help` shows the usage\n"},
		{{"check", "--json"},
		 "warmpool: only `warmpool status` takes --json; `warmpool --help` shows the usage\n"},
		{{"run", "check"},
		 "warmpool: one argument too many: 'check'; `warmpool --help` shows the usage\n"},
		{{"-x"}, "warmpool: no option '-x'; `warmpool --help` shows the usage\n"},
		{{"--"}, "warmpool: no option '--'; `warmpool --help` shows the usage\n"},
		{{"-"}, "warmpool: no option '-'; `warmpool --help` shows the usage\n"},
		{{"--sets=a=b"},
		 "warmpool: no option '--sets=a=b'; `warmpool --help` shows the usage\n"},
		{{"-c"},
		 "warmpool: a value is missing after -c; `warmpool --help` shows the usage\n"},
		{{"check", "--set"},
		 "warmpool: a value is missing after --set; `warmpool --help` shows the usage\n"},
		{{"--set", "pool.size"},
		 "warmpool: --set takes KEY=VALUE, as in --set pool.size=50, and not 'pool.size'; `warmpool --help` shows "
		 "the usage\n"},
		{{"--set", "=5"},
		 "warmpool: --set takes KEY=VALUE, as in --set pool.size=50, and not '=5'; `warmpool --help` shows the "
		 "usage\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig rig;

		run(&rig, cases[i].words);
		ck_assert(!rig.is_good);
		ck_assert_str_eq(rig.err, cases[i].text);
		ck_assert_str_eq(rig.out, "");
		fini(&rig);
	}
}
END_TEST

START_TEST(test_check_says_ok_or_every_problem)
{
	static const char *const good[WORDS_MAX] = {"check", "-c", "/dev/null", "--set",
						    "pool.size=50"};
	static const char *const warned[WORDS_MAX] = {"check", "-c", "/dev/null", "--set",
						      "pool.size=3"};
	static const char *const bad[WORDS_MAX] = {
		"check", "-c", "/nonexistent.yaml", "--set", "pool.size=0", "--set", "listen=x"};
	struct rig rig;

	run(&rig, good);
	ck_assert_int_eq(rig.status, CLI_EXIT_OK);
	ck_assert_str_eq(rig.out, "/dev/null: ok\n");
	ck_assert_str_eq(rig.err, "");
	fini(&rig);
	run(&rig, warned);
	ck_assert_int_eq(rig.status, CLI_EXIT_OK);
	ck_assert_str_eq(rig.out, "/dev/null: ok\n");
	ck_assert_str_eq(
		rig.err,
		"warning: --set pool.size: is less than pool.min_idle (4), which is treated as 3\n"
		"warning: --set pool.size: is below 4: each /solve.php holds a connection until it is "
		"solved, so a few of them leave little for all else\n");
	fini(&rig);
	run(&rig, bad);
	ck_assert_int_eq(rig.status, CLI_EXIT_FAILED);
	ck_assert_str_eq(rig.out, "");
	ck_assert_str_eq(
		rig.err,
		"/nonexistent.yaml: cannot be read: No such file or directory; name a readable file with -c\n"
		"--set pool.size: '0' is out of range; allowed: 1 to 10000\n"
		"--set listen: 'x' is no address with a port, as in 127.0.0.1:8080, [::1]:8080 or "
		"unix:/run/warmpool/http.sock\n");
	fini(&rig);
}
END_TEST

START_TEST(test_set_wins_over_the_file)
{
	char name[] = "/tmp/test_cli_XXXXXX";
	int fd = mkstemp(name);
	char *argv[] = {strdup("warmpool"), strdup("-c"),          name,
			strdup("--set"),    strdup("pool.size=7"), NULL};
	struct cli cli;
	struct config config;
	struct config_problems problems = {0};

	ck_assert_int_eq(write(fd, "pool.size: 5\nqueue.size: 9\n", 27), 27);
	close(fd);
	parse(&cli, argv, 5);
	ck_assert_str_eq(cli_file(&cli), name);
	ck_assert(cli_load(&cli, &config, &problems));
	ck_assert_uint_eq(config.pool_size, 7);
	ck_assert_uint_eq(config.queue_size, 9);
	ck_assert_str_eq(config.origins[OPTION_ID_pool_size], "--set pool.size");
	config_fini(&config);
	/* A reload reads the file again. */
	ck_assert_int_eq(truncate(name, 13), 0);
	ck_assert(cli_load(&cli, &config, &problems));
	ck_assert_uint_eq(config.queue_size, 1024);
	config_fini(&config);
	unlink(name);
	ck_assert(!cli_load(&cli, &config, &problems));
	ck_assert_uint_eq(problems.errors, 1);
	config_fini(&config);
	config_problems_fini(&problems);
	cli_fini(&cli);
	free(argv[0]);
	free(argv[1]);
	free(argv[3]);
	free(argv[4]);
}
END_TEST

START_TEST(test_many_problems_are_cut)
{
	struct config_problems problems = {0};
	char *text;
	size_t len;
	FILE *err = open_memstream(&text, &len);

	for (size_t i = 0; i < (size_t)CONFIG_PROBLEMS_MAX + 1; i++) {
		config_problem(&problems, "F:1", "x");
	}
	cli_print_problems(&problems, err);
	fclose(err);
	ck_assert_str_eq(text + len -
				 strlen("(what comes after these 100 problems is not shown)\n"),
			 "(what comes after these 100 problems is not shown)\n");
	free(text);
	config_problems_fini(&problems);
}
END_TEST

START_TEST(test_options_names_every_one_within_100_columns)
{
	static const char *const words[WORDS_MAX] = {"options"};
	struct rig rig;

	run(&rig, words);
	ck_assert_int_eq(rig.status, CLI_EXIT_OK);
	for (size_t i = 0; i < config_option_count; i++) {
		char row[64];

		snprintf(row, sizeof(row), "\n%-23s  ", config_options[i].key);
		ck_assert_msg(strstr(rig.out, row) != NULL, "%s", row);
	}
	ck_assert_ptr_nonnull(
		strstr(rig.out, "\npool.size                25                          1 to 10000"
				"                   yes\n    The most connections"));
	for (char *line = strtok(rig.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		ck_assert_msg(strlen(line) <= 100, "%s", line);
	}
	fini(&rig);
}
END_TEST

START_TEST(test_version_and_help)
{
	static const char *const version[WORDS_MAX] = {"--version"};
	static const char *const help[WORDS_MAX] = {"-h"};
	struct rig rig;

	run(&rig, version);
	ck_assert_int_eq(rig.status, CLI_EXIT_OK);
	ck_assert_int_eq(strncmp(rig.out, "warmpool ", 9), 0);
	fini(&rig);
	run(&rig, help);
	ck_assert_int_eq(rig.status, CLI_EXIT_OK);
	ck_assert_int_eq(strncmp(rig.out, "usage: warmpool [run]", 21), 0);
	fini(&rig);
}
END_TEST

START_TEST(test_what_cannot_be_written_is_a_failure)
{
	struct cli cli = {.command = CLI_OPTIONS};
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	ck_assert_int_eq(cli_answer(&cli, full, stderr), CLI_EXIT_FAILED);
	fclose(full);
}
END_TEST

SUITE_MAIN("daemon/cli", test_forms, test_wrong_usage_is_explained,
	   test_check_says_ok_or_every_problem, test_set_wins_over_the_file,
	   test_many_problems_are_cut, test_options_names_every_one_within_100_columns,
	   test_version_and_help, test_what_cannot_be_written_is_a_failure)
