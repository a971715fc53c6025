/* Walks the rows of access.clients in a YAML file. */
#include "config/config_yaml_clients.h"

#include "config/config_clients.h"
#include "config/config_yaml_file.h"

enum { ROW_PATH_BYTES = 128, FIELD_PATH_BYTES = ROW_PATH_BYTES + 32 };

/* One list of rows being read. */
struct walk {
	struct yaml_file *file;        /* borrowed */
	const char *key;               /* borrowed; the option's */
	struct client_rows rows;       /* owned */
	size_t lines[CLIENT_ROWS_MAX]; /* where each of the rows stands */
};

/* The present event is a field's key. */
static bool read_field_name(struct yaml_file *file, const char *row_path, size_t *ret_field)
{
	size_t line = yaml_file_line(file);
	char fault[CONFIG_FAULT_BYTES];

	if (!yaml_file_is_plain(file)) {
		return false;
	}
	if (file->event.type != YAML_SCALAR_EVENT) {
		yaml_file_problem(file, line, row_path, "a key must be a field, such as weight");
		return false;
	}
	if (!client_field_find(yaml_file_scalar(file), ret_field, fault)) {
		yaml_file_problem(file, line, row_path, "%s", fault);
		return false;
	}
	return true;
}

/* The present event begins a field's value. */
static bool read_field_value(struct yaml_file *file, const char *path, size_t field,
			     struct client_row *row)
{
	size_t line = yaml_file_line(file);
	char allowed[CONFIG_ALLOWED_BYTES];
	char fault[CONFIG_FAULT_BYTES];

	if (!yaml_file_is_plain(file)) {
		return false;
	}
	if (file->event.type != YAML_SCALAR_EVENT) {
		yaml_file_problem(file, line, path, "takes one number; allowed: %s",
				  config_allowed_text(client_field(field), allowed));
		return false;
	}
	if (yaml_file_is_null(file)) {
		yaml_file_problem(file, line, path,
				  "has no value; give one, or take the line out for the default");
		return false;
	}
	if (!client_row_set(row, field, yaml_file_scalar(file), fault)) {
		yaml_file_problem(file, line, path, "%s", fault);
		return false;
	}
	return true;
}

/* The present event is a key in a row; `depth` is that of the key. */
static bool read_field(struct yaml_file *file, const char *row_path, struct client_row *row,
		       size_t lines[CLIENT_FIELD_COUNT], unsigned depth)
{
	size_t line = yaml_file_line(file);
	char path[FIELD_PATH_BYTES];
	size_t field;
	bool is_good;

	if (!read_field_name(file, row_path, &field)) {
		yaml_file_skip_pair(file, depth);
		return false;
	}
	snprintf(path, sizeof(path), "%s.%s", row_path, client_field(field)->key);
	yaml_file_next(file);
	if (file->stopped) {
		return false;
	}
	is_good = yaml_file_note_line(file, line, path, &lines[field]) &&
		  read_field_value(file, path, field, row);
	yaml_file_skip(file, depth);
	return is_good;
}

static bool read_fields(struct yaml_file *file, const char *row_path, struct client_row *row,
			unsigned depth)
{
	size_t lines[CLIENT_FIELD_COUNT] = {0};
	bool is_good = true;

	while (yaml_file_next(file) != YAML_MAPPING_END_EVENT && !file->stopped) {
		is_good = read_field(file, row_path, row, lines, depth) && is_good;
	}
	return is_good;
}

/* The present event begins what stands beneath a row's name. */
static bool read_row(struct walk *walk, struct client_row *row, size_t name_line, unsigned depth)
{
	struct yaml_file *file = walk->file;
	char path[ROW_PATH_BYTES];
	char names[CONFIG_ALLOWED_BYTES];

	snprintf(path, sizeof(path), "%s.%s", walk->key, row->name);
	if (!yaml_file_note_line(file, name_line, path, &walk->lines[row - walk->rows.items]) ||
	    !yaml_file_is_plain(file)) {
		yaml_file_skip(file, depth);
		return false;
	}
	if (file->event.type == YAML_MAPPING_START_EVENT) {
		return read_fields(file, path, row, depth + 1);
	}
	/* As with a section: all of its fields may be comments. */
	if (yaml_file_is_null(file)) {
		return true;
	}
	yaml_file_problem(file, name_line, path,
			  "is a row; write its fields indented beneath it: %s",
			  client_field_names(names));
	yaml_file_skip(file, depth);
	return false;
}

/* The present event is a row's name. NULL, with a problem, when it can be none. */
static struct client_row *read_name(struct walk *walk)
{
	struct yaml_file *file = walk->file;
	size_t line = yaml_file_line(file);
	char fault[CONFIG_FAULT_BYTES];
	struct client_row *row;

	if (!yaml_file_is_plain(file)) {
		return NULL;
	}
	if (file->event.type != YAML_SCALAR_EVENT) {
		yaml_file_problem(file, line, walk->key,
				  "a key must be the name of a client, such as crawler");
		return NULL;
	}
	row = client_rows_take(&walk->rows, yaml_file_scalar(file), fault);
	if (row == NULL) {
		yaml_file_problem(file, line, walk->key, "%s", fault);
		/* Said once, not for each row that follows. */
		file->stopped = walk->rows.count >= CLIENT_ROWS_MAX;
	}
	return row;
}

static bool read_pair(struct walk *walk, unsigned depth)
{
	struct yaml_file *file = walk->file;
	size_t line = yaml_file_line(file);
	struct client_row *row = read_name(walk);

	if (row == NULL) {
		yaml_file_skip_pair(file, depth);
		return false;
	}
	yaml_file_next(file);
	return !file->stopped && read_row(walk, row, line, depth);
}

static bool read_rows(struct walk *walk, unsigned depth)
{
	struct yaml_file *file = walk->file;
	bool is_good = true;

	while (yaml_file_next(file) != YAML_MAPPING_END_EVENT && !file->stopped) {
		is_good = read_pair(walk, depth + 1) && is_good;
	}
	return is_good && !file->stopped;
}

/* Only the empty one means something. */
static bool read_sequence(struct walk *walk, unsigned depth)
{
	struct yaml_file *file = walk->file;
	size_t line = yaml_file_line(file);

	if (yaml_file_next(file) == YAML_SEQUENCE_END_EVENT) {
		return true;
	}
	if (!file->stopped) {
		yaml_file_problem(file, line, walk->key,
				  "takes rows by name, not a list, as in crawler: {weight: 2}");
	}
	while (file->event.type != YAML_SEQUENCE_END_EVENT && !file->stopped) {
		yaml_file_skip(file, depth + 1);
		yaml_file_next(file);
	}
	return false;
}

bool config_yaml_read_clients(struct yaml_file *file, const char *key, unsigned depth,
			      struct client_rows *ret_rows)
{
	struct walk walk = {.file = file, .key = key};
	bool is_good = file->event.type == YAML_SEQUENCE_START_EVENT ? read_sequence(&walk, depth)
								     : read_rows(&walk, depth);

	if (!is_good) {
		client_rows_fini(&walk.rows);
		return false;
	}
	client_rows_drop_unset(&walk.rows);
	*ret_rows = walk.rows;
	return true;
}
