/* Owns the gathered log lines and hands them to stderr without ever blocking the loop. */
#include "base/log.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct level_look {
	const char *name;
	struct log_name between; /* the name, after a time and before an object */
	const char *priority;    /* sd-daemon(3) */
	const char *colour;
};

static const struct level_look looks[] = {
	[LOG_ERROR] = {"error", LOG_NAME(" error "), "<3>", "\033[31m"},
	[LOG_WARNING] = {"warning", LOG_NAME(" warning "), "<4>", "\033[33m"},
	[LOG_INFO] = {"info", LOG_NAME(" info "), "<6>", ""},
	[LOG_DEBUG] = {"debug", LOG_NAME(" debug "), "<7>", "\033[2m"},
};

/* The longest escape; what a field needs beside its key and text; what closes a line. */
enum { ESCAPE_BYTES = 6, FIELD_BYTES = 32, CLOSING_BYTES = 2 };

enum { TIME_BYTES = sizeof("2026-11-23T09:30:00.123Z") - 1 };

/* systemd says which of our descriptors is the journal's: "DEVICE:INODE" (systemd.exec(5), $JOURNAL_STREAM). */
static bool is_journal(const struct stat *info)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];

	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)info->st_dev, (uintmax_t)info->st_ino);
	return stream != NULL && strcmp(stream, own) == 0;
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0';
}

void log_init(struct log *log, int fd)
{
	struct stat info;

	*log = (struct log){.fd = fd, .level = LOG_INFO, .buffer = mem_alloc(LOG_BUFFER_BYTES)};
	if (fstat(fd, &info) == 0) {
		log->is_socket = S_ISSOCK(info.st_mode);
		log->is_pipe = S_ISFIFO(info.st_mode);
		log->is_terminal = isatty(fd) == 1 && !is_set("NO_COLOR");
		log->has_priority = is_journal(&info);
	}
}

void log_fini(struct log *log)
{
	if (log->buffer != NULL) {
		log_flush(log);
	}
	free(log->buffer);
	*log = (struct log){0};
}

static void put(struct log_line *line, const char *text, size_t len)
{
	size_t room = sizeof(line->text) - 1 - line->len; /* 1: the newline */

	len = MIN(len, room);
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void put_text(struct log_line *line, const char *text)
{
	put(line, text, strlen(text));
}

static size_t room_in(const struct log_line *line)
{
	return sizeof(line->text) - 1 - line->len;
}

/* Where room is known: a copy of a known size, without the call that _FORTIFY_SOURCE makes of memcpy(). */
static void put_name(struct log_line *line, const struct log_name *name)
{
	__builtin_memcpy(line->text + line->len, name->bytes, sizeof(name->bytes));
	line->len += name->len;
}

static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* One character that is not plain, as JSON writes it; what is no UTF-8 as U+FFFD. Returns the bytes read. */
static size_t put_escape(struct log_line *line, struct span rest)
{
	unsigned char c = (unsigned char)rest.data[0];
	size_t len = str_utf8_len(rest);
	char code[ESCAPE_BYTES + 1];

	if (len == 0) {
		put_text(line, "\\ufffd");
		return 1;
	}
	if (c < ' ' || c == 0x7f) {
		snprintf(code, sizeof(code), "\\u%04x", c);
		put_text(line, code);
		return 1;
	}
	put(line, "\\", len == 1 ? 1 : 0);
	put(line, rest.data, len);
	return len;
}

/* Leaves room to close the line. */
static void put_escaped(struct log_line *line, struct span value)
{
	size_t at = 0;

	while (at < value.len && room_in(line) >= ESCAPE_BYTES + CLOSING_BYTES) {
		size_t most = MIN(value.len - at, room_in(line) - ESCAPE_BYTES - CLOSING_BYTES + 1);
		size_t plain = 0;

		while (plain < most && is_plain(value.data[at + plain])) {
			plain++;
		}
		put(line, value.data + at, plain);
		at += plain;
		if (plain < most) {
			at += put_escape(line, (struct span){value.data + at, value.len - at});
		}
	}
}

/* A message for people: control bytes as '?', so that it stays one line. */
static void put_message(struct log_line *line, struct span text)
{
	size_t from = line->len;

	put(line, text.data, text.len);
	for (size_t i = from; i < line->len; i++) {
		if ((unsigned char)line->text[i] < 0x20 || line->text[i] == 0x7f) {
			line->text[i] = '?';
		}
	}
}

/* "2026-11-23T09:30:00.123Z"; the calendar part is computed once a second. */
static void put_time(struct log_line *line)
{
	static _Thread_local time_t cached_second = -1;
	static _Thread_local char text[TIME_BYTES + 1];
	char *ms_text = text + TIME_BYTES - 4;
	struct timespec now;
	unsigned ms;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != cached_second) {
		struct tm parts;

		gmtime_r(&now.tv_sec, &parts);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
		cached_second = now.tv_sec;
	}
	ms = (unsigned)(now.tv_nsec / 1000000);
	ms_text[0] = (char)('0' + ms / 100);
	ms_text[1] = (char)('0' + ms / 10 % 10);
	ms_text[2] = (char)('0' + ms % 10);
	__builtin_memcpy(line->text + line->len, text, TIME_BYTES); /* near its begin */
	line->len += TIME_BYTES;
}

void log_begin(const struct log *log, struct log_line *line, enum log_level level,
	       const char *object)
{
	const struct level_look *look = &looks[level];

	line->len = 0;
	if (log->has_priority) {
		put_text(line, look->priority);
	}
	if (log->format == LOG_FORMAT_JSON) {
		put_text(line, "{\"time\":\"");
		put_time(line);
		put_text(line, "\",\"level\":\"");
		put_text(line, look->name);
		put_text(line, "\",\"object\":\"");
		put_text(line, object);
		put_text(line, "\"");
		return;
	}
	if (!log->has_priority) {
		put_time(line);
	}
	if (!log->has_priority && log->is_terminal && look->colour[0] != '\0') {
		put_text(line, " ");
		put_text(line, look->colour);
		put_text(line, look->name);
		put_text(line, "\033[0m ");
	} else if (!log->has_priority) {
		put_name(line, &look->between);
	}
	put_text(line, object);
}

/* False when a line is too full for another field: room for a number of FIELD_BYTES stays. */
static bool put_key(const struct log *log, struct log_line *line, const struct log_key *key)
{
	const struct log_name *name = log->format == LOG_FORMAT_JSON ? &key->json : &key->text;

	if (room_in(line) < sizeof(name->bytes) + FIELD_BYTES + CLOSING_BYTES) {
		return false;
	}
	put_name(line, name);
	return true;
}

/* Copies what may stand in text as it is, without quotes and escapes. False, with the line as it was, when that is not all. */
static bool put_bare(struct log_line *line, struct span value)
{
	char *out = line->text + line->len;

	if (value.len == 0 || value.len + CLOSING_BYTES > room_in(line)) {
		return false;
	}
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f) {
			return false;
		}
		out[i] = (char)c;
	}
	line->len += value.len;
	return true;
}

void log_field_text(const struct log *log, struct log_line *line, const struct log_key *key,
		    struct span value)
{
	if (!put_key(log, line, key) || (log->format == LOG_FORMAT_TEXT && put_bare(line, value))) {
		return;
	}
	put(line, "\"", 1);
	put_escaped(line, value);
	put(line, "\"", 1);
}

void log_field_pair(const struct log *log, struct log_line *line, const struct log_key *pair)
{
	(void)put_key(log, line, pair);
}

void log_field_word(const struct log *log, struct log_line *line, const struct log_key *key,
		    struct span value)
{
	bool is_quoted = log->format == LOG_FORMAT_JSON;

	if (!put_key(log, line, key)) {
		return;
	}
	if (is_quoted) {
		line->text[line->len++] = '"';
	}
	put(line, value.data, MIN(value.len, room_in(line) - CLOSING_BYTES));
	if (is_quoted) {
		line->text[line->len++] = '"';
	}
}

void log_field_u64(const struct log *log, struct log_line *line, const struct log_key *key,
		   uint64_t value)
{
	if (put_key(log, line, key)) {
		line->len += str_put_u64(line->text + line->len, value);
	}
}

void log_field_ms(const struct log *log, struct log_line *line, const struct log_key *key,
		  uint64_t us)
{
	if (put_key(log, line, key)) {
		line->len += str_put_ms(line->text + line->len, us);
	}
}

void log_end_gathered(struct log *log, struct log_line *line)
{
	if (log->format == LOG_FORMAT_JSON) {
		put(line, "}", 1); /* fields leave room for it */
	}
	line->text[line->len++] = '\n';
	if (log->len_bytes + line->len > LOG_BUFFER_BYTES) {
		log_flush(log);
	}
	if (log->len_bytes + line->len > LOG_BUFFER_BYTES) {
		log->dropped_lines++;
		return;
	}
	memcpy(log->buffer + log->len_bytes, line->text, line->len);
	log->len_bytes += line->len;
}

void log_end(struct log *log, struct log_line *line)
{
	log_end_gathered(log, line);
	log->is_urgent = true;
}

void log_write(struct log *log, enum log_level level, const char *object, const char *format, ...)
{
	struct log_line line;
	char text[LOG_LINE_BYTES / 2];
	va_list args;

	if (!log_wants(log, level)) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_begin(log, &line, level, object);
	if (log->format == LOG_FORMAT_JSON) {
		log_field_text(log, &line, LOG_KEY("message"), span_of(text));
	} else {
		put_text(&line, ": ");
		put_message(&line, span_of(text));
	}
	log_end(log, &line);
}

/* As many whole lines as fit into `limit`, or `limit` bytes of one line that is longer. */
static size_t whole_lines(const char *data, size_t len, size_t limit)
{
	const char *end;

	if (len <= limit) {
		return len;
	}
	end = memrchr(data, '\n', limit);
	return end != NULL ? (size_t)(end - data) + 1 : limit;
}

static ssize_t hand_over(const struct log *log, const char *data, size_t len)
{
	struct pollfd ready = {.fd = log->fd, .events = POLLOUT};

	if (log->is_socket) {
		/* has_priority: the journal's stream socket; a line may be split over two sends. */
		return send(log->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (log->is_pipe) {
		if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
			errno = EAGAIN;
			return -1;
		}
		len = whole_lines(data, len, PIPE_BUF);
	}
	return write(log->fd, data, len);
}

static void say_dropped(struct log *log)
{
	uint64_t lines = log->dropped_lines - log->dropped_said;

	if (lines > 0 && log->len_bytes < LOG_BUFFER_BYTES / 2) {
		log->dropped_said = log->dropped_lines;
		log_write(log, LOG_WARNING, "log", "dropped lines=%" PRIu64, lines);
	}
}

void log_flush(struct log *log)
{
	size_t done = 0;

	log->is_urgent = false;
	while (done < log->len_bytes) {
		ssize_t n = hand_over(log, log->buffer + done, log->len_bytes - done);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			done = log->len_bytes; /* nobody reads any more: gone */
			log->dropped_lines++;
			break;
		}
		if (n <= 0) {
			break;
		}
		done += (size_t)n;
	}
	log->len_bytes -= done;
	if (done > 0 && log->len_bytes > 0) {
		memmove(log->buffer, log->buffer + done, log->len_bytes);
	}
	say_dropped(log);
}

uint64_t log_turn(struct log *log, uint64_t now_ms)
{
	uint64_t due_ms = log->flushed_ms + LOG_GATHER_MS;

	if (log->len_bytes == 0) {
		return UINT64_MAX;
	}
	if (!log->is_urgent && log->len_bytes < LOG_GATHER_BYTES && now_ms < due_ms) {
		return due_ms;
	}
	log->flushed_ms = now_ms;
	log_flush(log);
	return log->len_bytes > 0 ? now_ms + LOG_RETRY_MS : UINT64_MAX;
}
