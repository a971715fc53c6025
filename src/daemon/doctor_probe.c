/* Owns one connection while it is being measured. */
#include "daemon/doctor_probe.h"

#include "base/clock.h"
#include "base/macros.h"
#include "http/parser.h"
#include "net/stream.h"
#include "net/timer.h"

#include <event2/event.h>

#include <string.h>

struct run {
	const struct probe_setup *setup; /* borrowed */
	struct probe *probe;             /* borrowed */
	struct stream stream;
	struct timer timer;
	struct http_parser parser;
	struct http_head head;
	size_t len_bytes; /* of the present answer, in `text` */
	char text[PROBE_ANSWER_BYTES];
	uint64_t asked_us;
	bool has_first_byte;
	bool is_over;
};

static void set_patience(struct run *run, uint64_t wait_ms)
{
	timer_set(&run->timer, MIN(run->setup->clock->now_ms + wait_ms, run->setup->end_ms));
}

static void on_late(void *owner)
{
	struct run *run = owner;

	run->probe->is_late = true;
	if (run->probe->stage == PROBE_CONNECTING && run->stream.tcp_up_us != 0) {
		run->probe->stage = PROBE_HANDSHAKING;
		run->probe->tcp_us = run->stream.tcp_up_us - run->stream.connect_us;
	}
	run->is_over = true;
}

static void finish(struct run *run)
{
	run->probe->stage = PROBE_DONE;
	run->is_over = true;
}

static void ask(struct run *run)
{
	struct io io;

	http_parser_init(&run->parser, HTTP_RESPONSE,
			 (struct http_limits){.head_bytes = sizeof(run->text)});
	run->len_bytes = 0;
	run->has_first_byte = false;
	run->asked_us = run->setup->clock->now_us;
	set_patience(run, run->setup->answer_ms);
	io = stream_write(&run->stream, run->setup->request, strlen(run->setup->request));
	/* A fresh connection takes a few hundred bytes whole; if not, reading tells what became of it. */
	if (io.status == IO_FAILED) {
		stream_poke(&run->stream);
	}
}

static void on_connected(void *owner, enum err err)
{
	struct run *run = owner;
	struct probe *probe = run->probe;
	const struct stream *stream = &run->stream;
	bool has_tls = stream->ssl != NULL;

	stream_tls_facts(stream, &probe->tls);
	probe->err = err;
	probe->error = stream->last_errno;
	if (stream->tcp_up_us != 0) {
		probe->tcp_us = stream->tcp_up_us - stream->connect_us;
		probe->stage = has_tls ? PROBE_HANDSHAKING : PROBE_ASKING;
	}
	if (err != ERR_NONE) {
		run->is_over = true;
		return;
	}
	probe->tls_us = has_tls ? stream->tls_up_us - stream->tcp_up_us : 0;
	if (run->setup->requests == 0) {
		finish(run);
		return;
	}
	probe->stage = PROBE_ASKING;
	ask(run);
}

static void keep_text(struct run *run)
{
	memcpy(run->probe->text, run->text, run->len_bytes);
	run->probe->text_bytes = run->len_bytes;
}

static void take_answer(struct run *run)
{
	struct probe *probe = run->probe;

	if (probe->answers++ > 0) {
		finish(run);
		return;
	}
	keep_text(run);
	probe->head = run->head;
	probe->head.base = probe->text;
	/* Bytes after the answer to a HEAD would be read as the next one. */
	if (run->setup->requests < 2 || !http_head_is_persistent(&run->head) ||
	    run->len_bytes > run->head.head_bytes) {
		finish(run);
		return;
	}
	ask(run);
}

static void fail(struct run *run, int error, bool is_wrong)
{
	/* The first answer is what counts; a second one that fails says that the connection did not stay open. */
	if (run->probe->answers > 0) {
		finish(run);
		return;
	}
	keep_text(run);
	run->probe->error = error;
	run->probe->is_wrong = is_wrong;
	run->is_over = true;
}

static void take_bytes(struct run *run)
{
	enum err err = http_parse(&run->parser, &run->head, run->text, run->len_bytes);

	if (err != ERR_NONE || run->len_bytes == sizeof(run->text)) {
		fail(run, 0, true);
		return;
	}
	if (run->parser.state != HTTP_PARSE_DONE) {
		return;
	}
	if (run->head.status >= 200) {
		take_answer(run);
		return;
	}
	/* An interim one. */
	run->len_bytes -= run->head.head_bytes;
	memmove(run->text, run->text + run->head.head_bytes, run->len_bytes);
	http_parser_init(&run->parser, HTTP_RESPONSE,
			 (struct http_limits){.head_bytes = sizeof(run->text)});
	take_bytes(run);
}

static void note_first_byte(struct run *run)
{
	uint64_t took_us = run->setup->clock->now_us - run->asked_us;

	if (run->has_first_byte) {
		return;
	}
	run->has_first_byte = true;
	if (run->probe->answers == 0) {
		run->probe->first_us = took_us;
	} else {
		run->probe->again_us = took_us;
	}
}

static void on_readable(void *owner)
{
	struct run *run = owner;

	while (!run->is_over) {
		struct io io = stream_read(&run->stream, run->text + run->len_bytes,
					   sizeof(run->text) - run->len_bytes);

		switch (io.status) {
		case IO_AGAIN:
			return;
		case IO_END:
		case IO_FAILED:
			fail(run, io.status == IO_END ? 0 : run->stream.last_errno,
			     run->len_bytes > 0);
			return;
		case IO_OK:
			break;
		}
		note_first_byte(run);
		run->len_bytes += io.bytes;
		take_bytes(run);
		if (!stream_has_pending(&run->stream)) {
			return;
		}
	}
}

static void on_writable(void *owner)
{
	(void)owner;
}

static const struct stream_ops ops = {
	.on_connected = on_connected, .on_readable = on_readable, .on_writable = on_writable};

void probe_run(const struct probe_setup *setup, struct probe *ret_probe)
{
	struct run run = {.setup = setup, .probe = ret_probe};
	const struct stream_setup stream = {
		.base = setup->base, .clock = setup->clock, .ops = &ops, .owner = &run};

	*ret_probe = (struct probe){0};
	clock_end_turn(setup->clock);
	clock_refresh(setup->clock);
	timer_init(&run.timer, setup->base, setup->clock, on_late, &run);
	set_patience(&run, setup->connect_ms);
	ret_probe->err = stream_connect(&run.stream, &stream, setup->addr, setup->tls);
	ret_probe->error = run.stream.last_errno;
	run.is_over = ret_probe->err != ERR_NONE;
	while (!run.is_over) {
		clock_end_turn(setup->clock);
		if (event_base_loop(setup->base, EVLOOP_ONCE) != 0) {
			break;
		}
	}
	stream_close(&run.stream);
	timer_fini(&run.timer);
}
