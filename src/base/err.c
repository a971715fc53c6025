/* The table of errors, from errors.def. */
#include "base/err.h"

#include <assert.h>

struct err_row {
	const char *name;
	const char *proxy_type;
	const char *text;
	int status;
	bool waiting_helps;
};

enum { NO = 0, HELPS = 1 };

static const struct err_row rows[ERR_COUNT] = {
#define ERR(name, status, type, helps, text) [ERR_##name] = {#name, type, text, status, helps},
#include "base/errors.def"
#undef ERR
};

static const struct err_row *row_of(enum err err)
{
	assert((unsigned)err < ERR_COUNT);
	return &rows[err];
}

const char *err_name(enum err err)
{
	return row_of(err)->name;
}

int err_status(enum err err)
{
	return row_of(err)->status;
}

const char *err_proxy_type(enum err err)
{
	return row_of(err)->proxy_type;
}

bool err_waiting_helps(enum err err)
{
	return row_of(err)->waiting_helps;
}

const char *err_text(enum err err)
{
	return row_of(err)->text;
}
