/* Finds values in an answer. */
#include "daemon/status_view.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>

json_t *status_get(json_t *root, const char *path)
{
	while (root != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");

		root = json_object_getn(root, path, len);
		path += len + (path[len] == '.' ? 1 : 0);
	}
	return root;
}

double status_real(json_t *root, const char *path)
{
	return json_number_value(status_get(root, path));
}

uint64_t status_count(json_t *root, const char *path)
{
	json_int_t value = json_integer_value(status_get(root, path));

	return value > 0 ? (uint64_t)value : 0;
}

const char *status_word(json_t *root, const char *path)
{
	const char *text = json_string_value(status_get(root, path));

	return text != NULL ? text : "";
}

bool status_is(json_t *root, const char *path)
{
	return json_is_true(status_get(root, path));
}

bool status_rate(const struct status_view *view, const char *path, double *ret_rate)
{
	double passed_s =
		status_real(view->now, "uptime_s") - status_real(view->before, "uptime_s");
	double growth = status_real(view->now, path) - status_real(view->before, path);

	if (view->before == NULL || passed_s <= 0 || growth < 0) {
		return false;
	}
	*ret_rate = growth / passed_s;
	return true;
}

char *status_rate_text(const struct status_view *view, const char *path,
		       char out[STATUS_NUMBER_BYTES])
{
	double rate;

	out[0] = '\0';
	if (status_rate(view, path, &rate)) {
		snprintf(out, STATUS_NUMBER_BYTES, " (%.*f/s)", rate < 100 ? 1 : 0, rate);
	}
	return out;
}

char *status_list(const struct status_view *view, const char *path, char out[STATUS_LIST_BYTES])
{
	const char *key;
	json_t *value;
	size_t len = 0;
	char number[STATUS_NUMBER_BYTES];
	char rate[STATUS_NUMBER_BYTES];

	out[0] = '\0';
	json_object_foreach(status_get(view->now, path), key, value)
	{
		char where[128];

		if (json_integer_value(value) <= 0 || len >= STATUS_LIST_BYTES) {
			continue;
		}
		snprintf(where, sizeof(where), "%s.%s", path, key);
		len += (size_t)snprintf(out + len, STATUS_LIST_BYTES - len, "%s%s %s%s",
					len > 0 ? ", " : "", key,
					status_number((uint64_t)json_integer_value(value), number),
					status_rate_text(view, where, rate));
	}
	return out;
}
