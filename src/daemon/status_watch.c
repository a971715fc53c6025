/* Owns the terminal while the status is being watched. */
#include "daemon/status_watch.h"

#include "daemon/cli.h"
#include "daemon/status_fetch.h"
#include "daemon/status_table.h"
#include "daemon/status_text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 1000, ROWS_ASSUMED = 24 };

/* The alternate screen, no cursor, lines cut at the right edge; and all that undone. */
static const char enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char leave[] = "\033[?7h\033[?25h\033[?1049l";

struct watch {
	const struct status_place *place; /* borrowed */
	FILE *out;                        /* borrowed; a terminal */
	int signals;                      /* a descriptor that tells them */
	sigset_t old_mask;
	struct termios old_terminal;
	bool has_keys;               /* stdin is a terminal, whose settings are in old_terminal */
	struct status_answer now;    /* the last answer; .json NULL: none yet */
	struct status_answer before; /* the one before it */
	char error[STATUS_ERROR_BYTES]; /* why the last question was not answered; "": it was */
};

/* --- the terminal --- */

static void take_terminal(struct watch *watch)
{
	struct termios terminal = watch->old_terminal;

	if (watch->has_keys) {
		terminal.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		terminal.c_cc[VMIN] = 1;
		terminal.c_cc[VTIME] = 0;
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal);
	}
	fputs(enter, watch->out);
	fflush(watch->out);
}

static void give_terminal_back(struct watch *watch)
{
	fputs(leave, watch->out);
	fflush(watch->out);
	if (watch->has_keys) {
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &watch->old_terminal);
	}
}

static size_t count_rows(const struct watch *watch)
{
	struct winsize size;

	return ioctl(fileno(watch->out), TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row
										    : ROWS_ASSUMED;
}

/* --- the picture --- */

static void compose(const struct watch *watch, FILE *out)
{
	const struct status_text text = {.out = out, .has_colours = true};
	const struct status_view view = {.now = watch->now.json, .before = watch->before.json};

	if (watch->error[0] != '\0') {
		status_line(&text, "", STATUS_ALARM, "%s", watch->error);
		status_line(&text, "", STATUS_PLAIN, "What follows is the last answer; q ends.");
	}
	status_table_write(&text, &view);
}

/* Line over line, so that nothing flickers; what the terminal has no rows for is left out. */
static void draw(const struct watch *watch)
{
	char *picture;
	size_t len;
	FILE *memory = open_memstream(&picture, &len);
	size_t rows = count_rows(watch);
	char *line;
	char *rest;

	if (memory == NULL) {
		abort();
	}
	compose(watch, memory);
	fclose(memory);
	fputs("\033[H", watch->out);
	rest = picture;
	for (size_t row = 0; row < rows && (line = strsep(&rest, "\n")) != NULL && rest != NULL;
	     row++) {
		/* No line feed after the last row: it would scroll. */
		fprintf(watch->out, "%s%s\033[0m\033[K", row > 0 ? "\n" : "", line);
	}
	fputs("\033[J", watch->out);
	fflush(watch->out);
	free(picture);
}

static void ask(struct watch *watch)
{
	struct status_answer answer;

	if (!status_fetch(watch->place, &answer)) {
		memcpy(watch->error, answer.error, sizeof(watch->error));
		return;
	}
	watch->error[0] = '\0';
	status_answer_fini(&watch->before);
	watch->before = watch->now;
	watch->now = answer;
}

/* --- what ends it --- */

static void stop_until_continued(struct watch *watch)
{
	give_terminal_back(watch);
	raise(SIGSTOP);
	take_terminal(watch);
}

/* True when it was told to end. A window of another size is drawn at once. */
static bool take_signal(struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
		return false;
	}
	if (info.ssi_signo == SIGTSTP) {
		stop_until_continued(watch);
	} else if (info.ssi_signo != SIGWINCH) {
		return true;
	}
	draw(watch);
	return false;
}

static bool take_key(struct watch *watch)
{
	char key;
	ssize_t got = read(STDIN_FILENO, &key, 1);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		watch->has_keys = false; /* its terminal has gone */
	}
	return got == 1 && (key == 'q' || key == 'Q');
}

static long passed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

/* Until the next question is due; true when it was told to end. */
static bool wait_a_step(struct watch *watch)
{
	struct timespec began;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (long passed = 0; passed < STEP_MS; passed = passed_ms(&began)) {
		struct pollfd items[] = {
			{.fd = watch->signals, .events = POLLIN},
			{.fd = watch->has_keys ? STDIN_FILENO : -1, .events = POLLIN},
		};

		(void)poll(items, 2, (int)(STEP_MS - passed));
		if ((items[0].revents != 0 && take_signal(watch)) ||
		    (items[1].revents != 0 && take_key(watch))) {
			return true;
		}
	}
	return false;
}

/* --- all of it --- */

static void init(struct watch *watch)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGTSTP);
	sigaddset(&mask, SIGWINCH);
	sigprocmask(SIG_BLOCK, &mask, &watch->old_mask);
	watch->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	watch->has_keys =
		isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &watch->old_terminal) == 0;
	take_terminal(watch);
}

static void fini(struct watch *watch)
{
	give_terminal_back(watch);
	close(watch->signals);
	sigprocmask(SIG_SETMASK, &watch->old_mask, NULL);
	status_answer_fini(&watch->now);
	status_answer_fini(&watch->before);
}

int status_watch(const struct status_place *place, FILE *out, FILE *err)
{
	struct watch watch = {.place = place, .out = out};

	if (isatty(fileno(out)) != 1) {
		fputs("warmpool: --watch needs a terminal; without it the status is printed once\n",
		      err);
		return CLI_EXIT_FAILED;
	}
	ask(&watch);
	if (watch.error[0] != '\0') {
		fprintf(err, "warmpool: %s\n", watch.error);
		return CLI_EXIT_FAILED;
	}
	init(&watch);
	do {
		draw(&watch);
		if (wait_a_step(&watch)) {
			break;
		}
		ask(&watch);
	} while (!ferror(out));
	fini(&watch);
	return ferror(out) ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}
