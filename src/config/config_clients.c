/* Owns the fields of a row of access.clients, and what holds for a client. */
#include "config/config_clients.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name_of_default[] = "default";

/* Every field, one row each. */
static const struct field {
	struct option number; /* its name and range */
	uint64_t otherwise;   /* where neither the client's row nor the default one says it */
	size_t in_row;        /* offsets */
	size_t in_limits;
} fields[] = {
#define FIELD(name, least, most, otherwise)                                                     \
	{                                                                                       \
		{.key = #name, .kind = OPTION_U64, .min = (least), .max = (most)}, otherwise,   \
			offsetof(struct client_row, name), offsetof(struct client_limits, name) \
	}
	FIELD(weight, 1, 1000, 1),
	FIELD(max_inflight, 0, 10000, 0),
	FIELD(max_queued, 0, 1000000, 0),
#undef FIELD
};
_Static_assert(ARRAY_SIZE(fields) == CLIENT_FIELD_COUNT, "a field is missing");

static uint64_t *value_at(struct client_row *row, size_t field)
{
	return (void *)((char *)row + fields[field].in_row);
}

static uint64_t value_of(const struct client_row *row, size_t field)
{
	return *(const uint64_t *)(const void *)((const char *)row + fields[field].in_row);
}

static bool is_unset(const struct client_row *row)
{
	for (size_t i = 0; i < CLIENT_FIELD_COUNT; i++) {
		if (value_of(row, i) != CLIENT_ROW_UNSET) {
			return false;
		}
	}
	return true;
}

static struct client_row *find_row(const struct client_rows *rows, struct span name)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (span_is(span_of(rows->items[i].name), name)) {
			return &rows->items[i];
		}
	}
	return NULL;
}

/* The row of the longest prefix that holds the address, or NULL. */
static const struct client_row *find_network(const struct client_rows *rows,
					     const struct addr *addr)
{
	const struct client_row *found = NULL;

	for (size_t i = 0; i < rows->count; i++) {
		const struct client_row *row = &rows->items[i];

		if (row->is_network && cidr_contains(&row->network, addr) &&
		    (found == NULL || row->network.bits > found->network.bits)) {
			found = row;
		}
	}
	return found;
}

static const struct client_row *find_own_row(const struct client_rows *rows, struct span name,
					     const struct addr *addr)
{
	const struct client_row *row = find_row(rows, name);

	return row == NULL && addr != NULL ? find_network(rows, addr) : row;
}

struct client_limits config_client_limits(const struct client_rows *rows, struct span name,
					  const struct addr *addr)
{
	const struct client_row *of_name = find_own_row(rows, name, addr);
	const struct client_row *of_default = find_row(rows, span_of(name_of_default));
	struct client_limits limits;

	for (size_t i = 0; i < CLIENT_FIELD_COUNT; i++) {
		uint64_t value = of_name != NULL ? value_of(of_name, i) : CLIENT_ROW_UNSET;

		if (value == CLIENT_ROW_UNSET && of_default != NULL) {
			value = value_of(of_default, i);
		}
		if (value == CLIENT_ROW_UNSET) {
			value = fields[i].otherwise;
		}
		memcpy((char *)&limits + fields[i].in_limits, &value, sizeof(value));
	}
	return limits;
}

void client_rows_fini(struct client_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->items[i].name);
	}
	free(rows->items);
	*rows = (struct client_rows){0};
}

void client_rows_drop_unset(struct client_rows *rows)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (is_unset(&rows->items[i])) {
			free(rows->items[i].name);
		} else {
			rows->items[kept++] = rows->items[i];
		}
	}
	rows->count = kept;
}

const struct option *client_field(size_t field)
{
	return &fields[field].number;
}

char *client_field_names(char out[CONFIG_ALLOWED_BYTES])
{
	size_t used = 0;

	for (size_t i = 0; i < CLIENT_FIELD_COUNT && used < CONFIG_ALLOWED_BYTES; i++) {
		used += (size_t)snprintf(out + used, CONFIG_ALLOWED_BYTES - used, "%s%s",
					 i > 0 ? ", " : "", fields[i].number.key);
	}
	return out;
}

bool client_name_is_good(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] <= ' ' || name.data[i] >= 0x7f || name.data[i] == ',' ||
		    name.data[i] == '=') {
			return false;
		}
	}
	return name.len > 0 && name.len <= CLIENT_NAME_BYTES_MAX;
}

static bool check_name(struct span name, char fault[CONFIG_FAULT_BYTES])
{
	char quoted[CONFIG_QUOTE_BYTES];
	bool is_good = client_name_is_good(name);

	if (!is_good) {
		snprintf(fault, CONFIG_FAULT_BYTES,
			 "%s is no name of a client; allowed: 1 to %d printable ASCII characters "
			 "without blank, comma and =",
			 config_quote(name, quoted), CLIENT_NAME_BYTES_MAX);
	}
	return is_good;
}

struct client_row *client_rows_take(struct client_rows *rows, struct span name,
				    char fault[CONFIG_FAULT_BYTES])
{
	struct client_row *row = find_row(rows, name);

	if (row != NULL) {
		return row;
	}
	if (!check_name(name, fault)) {
		return NULL;
	}
	if (rows->count >= CLIENT_ROWS_MAX) {
		snprintf(fault, CONFIG_FAULT_BYTES, "has more than %d rows", CLIENT_ROWS_MAX);
		return NULL;
	}
	rows->items = mem_grow(rows->items, rows->count + 1, sizeof(rows->items[0]));
	row = &rows->items[rows->count++];
	*row = (struct client_row){.name = mem_strndup(name.data, name.len)};
	row->is_network = cidr_parse(row->name, &row->network);
	for (size_t i = 0; i < CLIENT_FIELD_COUNT; i++) {
		*value_at(row, i) = CLIENT_ROW_UNSET;
	}
	return row;
}

static const char *nearest_field(struct span text)
{
	const size_t farthest = 3;
	const char *nearest = NULL;
	size_t least = MIN(farthest, text.len / 3) + 1;
	char name[32];

	if (text.len >= sizeof(name)) {
		return NULL;
	}
	snprintf(name, sizeof(name), "%.*s", (int)text.len, text.data);
	for (size_t i = 0; i < CLIENT_FIELD_COUNT; i++) {
		size_t edits = str_edit_distance(name, fields[i].number.key);

		if (edits < least) {
			least = edits;
			nearest = fields[i].number.key;
		}
	}
	return nearest;
}

bool client_field_find(struct span name, size_t *ret_field, char fault[CONFIG_FAULT_BYTES])
{
	const char *nearest = nearest_field(name);
	char names[CONFIG_ALLOWED_BYTES];
	char quoted[CONFIG_QUOTE_BYTES];

	for (size_t i = 0; i < CLIENT_FIELD_COUNT; i++) {
		if (span_is(name, span_of(fields[i].number.key))) {
			*ret_field = i;
			return true;
		}
	}
	config_quote(name, quoted);
	if (nearest != NULL) {
		snprintf(fault, CONFIG_FAULT_BYTES, "%s is no field of a row; did you mean %s?",
			 quoted, nearest);
	} else {
		snprintf(fault, CONFIG_FAULT_BYTES, "%s is no field of a row; allowed: %s", quoted,
			 client_field_names(names));
	}
	return false;
}

static bool read_value(size_t field, struct span text, uint64_t *ret_value,
		       char fault[CONFIG_FAULT_BYTES])
{
	union option_value value;

	if (!config_value_read(&fields[field].number, text, &value, fault)) {
		return false;
	}
	*ret_value = value.number;
	return true;
}

bool client_row_set(struct client_row *row, size_t field, struct span text,
		    char fault[CONFIG_FAULT_BYTES])
{
	return read_value(field, text, value_at(row, field), fault);
}

/* One NAME.FIELD with its value. */
struct setting {
	struct span name;
	size_t field;
	uint64_t value;
};

static bool read_setting(struct span path, struct span text, struct setting *ret_setting,
			 char fault[CONFIG_FAULT_BYTES])
{
	const char *dot = path.len > 0 ? memrchr(path.data, '.', path.len) : NULL;
	char names[CONFIG_ALLOWED_BYTES];
	struct span field;

	if (dot == NULL) {
		snprintf(fault, CONFIG_FAULT_BYTES, "names no field of a row; allowed: %s",
			 client_field_names(names));
		return false;
	}
	ret_setting->name = (struct span){path.data, (size_t)(dot - path.data)};
	field = (struct span){dot + 1, path.len - ret_setting->name.len - 1};
	return check_name(ret_setting->name, fault) &&
	       client_field_find(field, &ret_setting->field, fault) &&
	       read_value(ret_setting->field, text, &ret_setting->value, fault);
}

static bool apply(struct client_rows *rows, const struct setting *setting,
		  char fault[CONFIG_FAULT_BYTES])
{
	struct client_row *row = client_rows_take(rows, setting->name, fault);

	if (row == NULL) {
		return false;
	}
	*value_at(row, setting->field) = setting->value;
	return true;
}

bool client_rows_set(struct client_rows *rows, struct span path, struct span text,
		     char fault[CONFIG_FAULT_BYTES])
{
	struct setting setting;

	return read_setting(path, text, &setting, fault) && apply(rows, &setting, fault);
}

static bool is_set(const struct client_rows *rows, const struct setting *setting)
{
	const struct client_row *row = find_row(rows, setting->name);

	return row != NULL && value_of(row, setting->field) != CLIENT_ROW_UNSET;
}

/* "NAME.FIELD=VALUE". */
static bool read_item(struct client_rows *rows, struct span item, char fault[CONFIG_FAULT_BYTES])
{
	const char *equals = item.len > 0 ? memrchr(item.data, '=', item.len) : NULL;
	char quoted[CONFIG_QUOTE_BYTES];
	char why[CONFIG_FAULT_BYTES];
	struct setting setting;
	struct span path;
	struct span text;

	if (item.len == 0) {
		snprintf(fault, CONFIG_FAULT_BYTES,
			 "has an empty item; take it out, or a comma too many");
		return false;
	}
	if (equals == NULL) {
		snprintf(fault, CONFIG_FAULT_BYTES,
			 "%s is no NAME.FIELD=VALUE, as in crawler.weight=2",
			 config_quote(item, quoted));
		return false;
	}
	path = (struct span){item.data, (size_t)(equals - item.data)};
	text = (struct span){equals + 1, item.len - path.len - 1};
	config_quote(path, quoted);
	if (!read_setting(path, text, &setting, why)) {
		snprintf(fault, CONFIG_FAULT_BYTES, "%s: %.300s", quoted, why);
		return false;
	}
	if (is_set(rows, &setting)) {
		snprintf(fault, CONFIG_FAULT_BYTES, "%s is given twice; keep one", quoted);
		return false;
	}
	return apply(rows, &setting, fault);
}

bool client_rows_read(struct span text, struct client_rows *ret_rows,
		      char fault[CONFIG_FAULT_BYTES])
{
	struct client_rows rows = {0};
	struct span rest = config_trim(text);
	struct span item;

	if (rest.len == 0) {
		rest = (struct span){0};
	}
	while (config_take_word(&rest, &item)) {
		if (!read_item(&rows, config_trim(item), fault)) {
			client_rows_fini(&rows);
			return false;
		}
	}
	*ret_rows = rows;
	return true;
}

void client_rows_write(const struct client_rows *rows, char *out, size_t out_bytes)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < rows->count * CLIENT_FIELD_COUNT && used < out_bytes; i++) {
		const struct client_row *row = &rows->items[i / CLIENT_FIELD_COUNT];
		size_t field = i % CLIENT_FIELD_COUNT;
		uint64_t value = value_of(row, field);

		if (value != CLIENT_ROW_UNSET) {
			used += (size_t)snprintf(out + used, out_bytes - used, "%s%s.%s=%" PRIu64,
						 used > 0 ? ", " : "", row->name,
						 fields[field].number.key, value);
		}
	}
}

static bool are_values_same(const struct client_row *a, const struct client_row *b)
{
	for (size_t i = 0; i < CLIENT_FIELD_COUNT; i++) {
		if (value_of(a, i) != value_of(b, i)) {
			return false;
		}
	}
	return true;
}

bool client_rows_are_same(const struct client_rows *a, const struct client_rows *b)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct client_row *row = find_row(b, span_of(a->items[i].name));

		if (row == NULL || !are_values_same(&a->items[i], row)) {
			return false;
		}
	}
	return a->count == b->count;
}
