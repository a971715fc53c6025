/* The decoder of chunked bodies: a state for each place in the grammar, runs of data moved whole. */
#include "http/body.h"

#include "http/scan.h"

#include <string.h>

enum { EXTENSION_LIMIT = 4096, TRAILER_LIMIT = 8192, SIZE_DIGITS = 16 };

enum state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
};

/* Where the reading is in one call's bytes, and the writing behind it. */
struct cursor {
	char *at;
	char *end;
	char *out;
};

void http_chunked_init(struct http_chunked *chunked, uint64_t limit_bytes)
{
	*chunked = (struct http_chunked){.state = SIZE, .limit_bytes = limit_bytes};
}

static enum err expect_byte(struct http_chunked *chunked, struct cursor *cursor, char byte,
			    enum state next)
{
	if (*cursor->at != byte) {
		return ERR_BAD_CHUNK;
	}
	cursor->at++;
	chunked->state = next;
	return ERR_NONE;
}

/* Counts `bytes` more of a part that is dropped. */
static enum err count_dropped(uint32_t *count, size_t bytes, uint32_t limit)
{
	if (bytes > limit - *count) {
		return ERR_BAD_CHUNK;
	}
	*count += (uint32_t)bytes;
	return ERR_NONE;
}

static enum err read_size(struct http_chunked *chunked, struct cursor *cursor)
{
	for (; cursor->at < cursor->end && scan_is(*cursor->at, SCAN_HEX); cursor->at++) {
		unsigned byte = (unsigned char)*cursor->at;

		if (chunked->digits++ == SIZE_DIGITS) {
			return ERR_BAD_CHUNK;
		}
		chunked->chunk_left =
			chunked->chunk_left << 4 | ((byte & 0xf) + (byte >= 'A' ? 9 : 0));
	}
	if (cursor->at == cursor->end) {
		return ERR_NONE;
	}
	if (chunked->digits == 0 || (*cursor->at != '\r' && *cursor->at != ';')) {
		return ERR_BAD_CHUNK;
	}
	if (chunked->chunk_left > chunked->limit_bytes - chunked->decoded_bytes) {
		return ERR_BODY_TOO_LARGE;
	}
	chunked->digits = 0;
	chunked->state = *cursor->at == ';' ? EXTENSION : SIZE_LF;
	cursor->at++;
	return ERR_NONE;
}

static enum err skip_extension(struct http_chunked *chunked, struct cursor *cursor)
{
	const char *stop = scan_value(cursor->at, cursor->end);
	size_t bytes = (size_t)(stop - cursor->at);

	cursor->at += bytes;
	if (count_dropped(&chunked->extension_bytes, bytes, EXTENSION_LIMIT) != ERR_NONE) {
		return ERR_BAD_CHUNK;
	}
	return cursor->at == cursor->end ? ERR_NONE : expect_byte(chunked, cursor, '\r', SIZE_LF);
}

static void move_data(struct http_chunked *chunked, struct cursor *cursor)
{
	size_t bytes = (size_t)MIN(chunked->chunk_left, (uint64_t)(cursor->end - cursor->at));

	if (cursor->out != cursor->at) {
		memmove(cursor->out, cursor->at, bytes);
	}
	cursor->at += bytes;
	cursor->out += bytes;
	chunked->decoded_bytes += bytes;
	chunked->chunk_left -= bytes;
	if (chunked->chunk_left == 0) {
		chunked->state = DATA_CR;
	}
}

/* A name up to its colon, or a value up to its CR. */
static enum err skip_trailer(struct http_chunked *chunked, struct cursor *cursor)
{
	bool is_name = chunked->state == TRAILER_NAME;
	const char *stop =
		is_name ? scan_token(cursor->at, cursor->end) : scan_value(cursor->at, cursor->end);
	size_t bytes = (size_t)(stop - cursor->at);

	cursor->at += bytes;
	if (count_dropped(&chunked->trailer_bytes, bytes, TRAILER_LIMIT) != ERR_NONE) {
		return ERR_BAD_CHUNK;
	}
	if (cursor->at == cursor->end) {
		return ERR_NONE;
	}
	return is_name ? expect_byte(chunked, cursor, ':', TRAILER_VALUE)
		       : expect_byte(chunked, cursor, '\r', TRAILER_LF);
}

static enum err start_trailer(struct http_chunked *chunked, struct cursor *cursor)
{
	enum { PUNCTUATION = 3 }; /* the colon, CR and LF of a line */

	if (*cursor->at == '\r') {
		return expect_byte(chunked, cursor, '\r', LAST_LF);
	}
	if (!scan_is(*cursor->at, SCAN_TOKEN)) {
		return ERR_BAD_CHUNK;
	}
	chunked->state = TRAILER_NAME;
	return count_dropped(&chunked->trailer_bytes, PUNCTUATION, TRAILER_LIMIT);
}

static enum err step(struct http_chunked *chunked, struct cursor *cursor)
{
	switch ((enum state)chunked->state) {
	case SIZE:
		return read_size(chunked, cursor);
	case EXTENSION:
		return skip_extension(chunked, cursor);
	case SIZE_LF:
		return expect_byte(chunked, cursor, '\n',
				   chunked->chunk_left > 0 ? DATA : TRAILER_START);
	case DATA:
		move_data(chunked, cursor);
		return ERR_NONE;
	case DATA_CR:
		return expect_byte(chunked, cursor, '\r', DATA_LF);
	case DATA_LF:
		return expect_byte(chunked, cursor, '\n', SIZE);
	case TRAILER_START:
		return start_trailer(chunked, cursor);
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return skip_trailer(chunked, cursor);
	case TRAILER_LF:
		return expect_byte(chunked, cursor, '\n', TRAILER_START);
	case LAST_LF:
		chunked->done = *cursor->at == '\n';
		return expect_byte(chunked, cursor, '\n', LAST_LF);
	}
	return ERR_BAD_CHUNK;
}

enum err http_chunked_decode(struct http_chunked *chunked, char *data, size_t len,
			     size_t *ret_decoded, size_t *ret_taken)
{
	struct cursor cursor;

	cursor.at = data;
	cursor.end = data + len;
	cursor.out = data;
	while (cursor.at < cursor.end && !chunked->done) {
		enum err err = step(chunked, &cursor);

		if (err != ERR_NONE) {
			return err;
		}
	}
	*ret_decoded = (size_t)(cursor.out - data);
	*ret_taken = (size_t)(cursor.at - data);
	return ERR_NONE;
}
