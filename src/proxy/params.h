/*
 * Reads one named parameter out of queries and of urlencoded, multipart and JSON bodies, as a PHP server would.
 *
 * Pure: no allocation, nothing is written but the struct param, time is linear in the input. Strict about what counts
 * as read: an input that does not parse whole, two values that differ, a value too long to compare, and a name that
 * some servers take for ours and others do not ("Action", " action", "action[]") make the param unclear. It stays so.
 */
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PARAM_TEXT_BYTES = 32,   /* longer names and values are cut */
	PARAM_FIELDS_MAX = 4096, /* more of them in one input: unclear */
	PARAM_JSON_DEPTH_MAX = 32,
};

/* A decoded name or value. */
struct param_text {
	uint8_t len;
	bool is_cut; /* there was more */
	char bytes[PARAM_TEXT_BYTES];
};

enum param_match { PARAM_IS_OTHER, PARAM_IS_OURS, PARAM_IS_UNSURE };

/* How a value stands in its input. */
enum param_spelling {
	PARAM_SPELLED_FORM,      /* percent-encoded, after its "=" */
	PARAM_SPELLED_FORM_BARE, /* a name without "=": nothing, at its end */
	PARAM_SPELLED_PART,      /* byte for byte, in a part of its own */
	PARAM_SPELLED_JSON,      /* between the quotes of a JSON string */
	PARAM_SPELLED_JSON_BARE, /* a JSON literal or number; a container is all empty */
};

/* One value under our name, or under one that some servers take for it. */
struct param_value {
	enum param_match match;
	enum param_spelling spelling;
	struct param_text text; /* decoded; a JSON literal or number as it stands */
	struct span raw; /* borrowed from the input: the same as it stands there, without quotes */
};

/* What is known of one parameter; the inputs that may hold it are read into it one after the other. */
struct param {
	struct span name; /* borrowed; lower case letters */
	bool is_found;
	bool is_unclear;
	bool is_unread; /* an input did not parse whole: there may be more values than were seen */
	struct param_text value; /* the first one, as in struct param_value */
	struct span raw;         /* of the first one */
	/* Told of each value in the order of the input, also of an input that then proves not to parse; or NULL. */
	void (*on_value)(struct param *param, const struct param_value *value);
};

#define PARAM(literal) ((struct param){.name = SPAN(literal)})

/* A query, or an application/x-www-form-urlencoded body: split at '&' only, '+' is a space, a malformed % stands for itself. */
void params_read_form(struct param *param, struct span form);

/* The members of one JSON object (RFC 8259); a value that is an object or an array makes a param of that name unclear. */
void params_read_json(struct param *param, struct span json);

/*
 * A multipart/form-data body (RFC 7578). `type_params` is what follows the media type in Content-Type. Unclear unless the
 * body is nothing but delimiters, well-formed parts and the final delimiter.
 */
void params_read_multipart(struct param *param, struct span type_params, struct span body);

/* Is this the value of a Content-Type whose bodies are read: one of the three? */
bool params_can_read_type(struct span content_type);

/* A body of one of the three types; unclear when it is of another and not empty. */
void params_read_body(struct param *param, struct span content_type, struct span body);

/* Is the value known, and this one? */
bool param_is(const struct param *param, struct span value);

/* Takes one byte off the front of a text that is not empty, with %XX undone. */
char param_take_byte(struct span *text);

/*
 * For the readers of the formats.
 */
static inline void param_text_push(struct param_text *text, char byte)
{
	if (text->len < PARAM_TEXT_BYTES) {
		text->bytes[text->len++] = byte;
	} else {
		text->is_cut = true;
	}
}

struct param_text param_text_of(struct span plain);

enum param_match param_match_name(const struct param *param, const struct param_text *name);

/* Adds a value; one whose name is another's adds nothing. */
void param_add(struct param *param, const struct param_value *value);

/* The input does not parse whole. */
static inline void param_set_unread(struct param *param)
{
	param->is_unread = true;
	param->is_unclear = true;
}
