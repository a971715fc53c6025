/*
 * Log lines: gathered in a bounded buffer, written at the end of a loop turn, never blocking.
 *
 * A line is one object and a key=value text ("pool", "connect failed addr=… err=…"); in JSON the text is the
 * "message". The access log composes its own fields (proxy/access_log.c) through log_begin()/log_end_gathered().
 * What does not fit into the buffer, or what the reader of stderr does not take, is dropped and counted; the
 * count is logged when there is room again. Secrets, queries, bodies and answers never come here.
 *
 * Ways out: a socket (send with MSG_DONTWAIT), a pipe (poll, then at most PIPE_BUF at once), else plain write()
 * (files, terminals). O_NONBLOCK is never set: the flag would be shared with others that hold the same file.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum {
	LOG_BUFFER_BYTES = 256 * 1024,
	LOG_LINE_BYTES = 4096,
	LOG_NAME_BYTES = 24,
	LOG_GATHER_MS = 10,
	LOG_RETRY_MS = 100, /* the reader took less than there was */
	LOG_GATHER_BYTES = 32 * 1024,
};

struct log {
	int fd; /* borrowed */
	enum log_level level;
	enum log_format format;
	bool is_socket;
	bool is_pipe;
	bool is_terminal;  /* then levels are coloured */
	bool has_priority; /* journal: "<4>" before each line instead of a time and a level */
	char *buffer;      /* owned; LOG_BUFFER_BYTES */
	size_t len_bytes;
	bool is_urgent; /* a line that does not wait is among them */
	uint64_t flushed_ms;
	uint64_t dropped_lines;
	uint64_t dropped_said;
};

/* A line being composed; lives on the stack. */
struct log_line {
	size_t len;
	char text[LOG_LINE_BYTES];
};

void log_init(struct log *log, int fd);

/* Writes what it can and frees the buffer. */
void log_fini(struct log *log);

static inline bool log_wants(const struct log *log, enum log_level level)
{
	return level <= log->level;
}

/* One line: `object` names who speaks ("pool", "client=7"). The text must not end with a newline. */
void log_write(struct log *log, enum log_level level, const char *object, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* Composes a line of fields: begin (time, level, object), any number of fields, end (queues it). */
void log_begin(const struct log *log, struct log_line *line, enum log_level level,
	       const char *object);
/* A field's name, as both formats write it: log_field_u64(log, &line, LOG_KEY("status"), 200). */
struct log_key {
	struct log_name {
		size_t len;
		char bytes[LOG_NAME_BYTES]; /* copied whole: a known size takes moves, not a call */
	} text, json;                       /* " status=", ",\"status\":" */
};
#define LOG_NAME(literal)                    \
	{                                    \
		sizeof(literal) - 1, literal \
	}
#define LOG_KEY(name)                                                               \
	__extension__({                                                             \
		static const struct log_key log_key = {LOG_NAME(" " name "="),      \
						       LOG_NAME(",\"" name "\":")}; \
		&log_key;                                                           \
	})
/* One with its value, a plain word: an initializer, for tables of them. */
#define LOG_PAIR(name, word)                                                        \
	{                                                                           \
		LOG_NAME(" " name "=" word), LOG_NAME(",\"" name "\":\"" word "\"") \
	}

void log_field_text(const struct log *log, struct log_line *line, const struct log_key *key,
		    struct span value);
void log_field_pair(const struct log *log, struct log_line *line, const struct log_key *pair);
/* The same for a short text of letters, digits and the like, which needs neither quotes nor escapes in either format. */
void log_field_word(const struct log *log, struct log_line *line, const struct log_key *key,
		    struct span value);
void log_field_u64(const struct log *log, struct log_line *line, const struct log_key *key,
		   uint64_t value);
void log_field_ms(const struct log *log, struct log_line *line, const struct log_key *key,
		  uint64_t us);
void log_end(struct log *log, struct log_line *line);
/* The same for a line that may wait for more: there are many of the kind, and none of them is the only record of money. */
void log_end_gathered(struct log *log, struct log_line *line);

/*
 * At the end of each loop turn. Hands all over, unless there are only lines that may wait: these at LOG_GATHER_BYTES, or LOG_GATHER_MS after
 * lines were handed over last. Returns when to come again at the latest, UINT64_MAX: no need.
 */
uint64_t log_turn(struct log *log, uint64_t now_ms);

/* Hands the gathered lines to the kernel without blocking. */
void log_flush(struct log *log);
