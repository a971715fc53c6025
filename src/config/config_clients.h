/*
 * The rows of access.clients: read from their text, written as text, compared. Internal to config/; what looks a client
 * up stands in config.h.
 *
 * A name that is an address or a network (10.0.0.7, fd00::/8) holds for the clients in it that have no token and no label.
 * A name is 1 to 63 bytes of printable ASCII without blank, comma and '='. Names are unique among rows. The order of
 * rows means nothing.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "config/config.h"
#include "config/config_value.h"

#include <stdbool.h>
#include <stddef.h>

enum { CLIENT_ROWS_MAX = 1024, CLIENT_NAME_BYTES_MAX = 63, CLIENT_FIELD_COUNT = 3 };

void client_rows_fini(struct client_rows *rows);

bool client_name_is_good(struct span name);

/* Reads all rows from "NAME.FIELD=VALUE, …"; no text is no rows. On a fault fills `fault` and returns false. */
MUST_USE bool client_rows_read(struct span text, struct client_rows *ret_rows,
			       char fault[CONFIG_FAULT_BYTES]);
/* Writes that text, or as much as fits. */
void client_rows_write(const struct client_rows *rows, char *out, size_t out_bytes);
bool client_rows_are_same(const struct client_rows *a, const struct client_rows *b);

/* Sets "NAME.FIELD" to the value in `text`, in a new row if there is none of this name. A fault leaves the rows alone. */
MUST_USE bool client_rows_set(struct client_rows *rows, struct span path, struct span text,
			      char fault[CONFIG_FAULT_BYTES]);

/*
 * For readers that meet one after the other. The row of this name, made if there is none; NULL with a fault. Borrowed until
 * the next row is made. A row in which no field is set has no text form: drop them at the end.
 */
MUST_USE struct client_row *client_rows_take(struct client_rows *rows, struct span name,
					     char fault[CONFIG_FAULT_BYTES]);
MUST_USE bool client_field_find(struct span name, size_t *ret_field,
				char fault[CONFIG_FAULT_BYTES]);
MUST_USE bool client_row_set(struct client_row *row, size_t field, struct span text,
			     char fault[CONFIG_FAULT_BYTES]);
void client_rows_drop_unset(struct client_rows *rows);

/* A field as an option of its own: its key, least and most. */
const struct option *client_field(size_t field);
/* "weight, max_inflight, max_queued". Returns `out`. */
char *client_field_names(char out[CONFIG_ALLOWED_BYTES]);
