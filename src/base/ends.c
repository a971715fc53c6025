/* The reasons of ends.def as tables. */
#include "base/ends.h"

static const char *const labels[] = {
#define END(name, label, text) [END_##name] = label,
#include "base/ends.def"
#undef END
};

static const char *const texts[] = {
#define END(name, label, text) [END_##name] = text,
#include "base/ends.def"
#undef END
};

const char *end_label(enum end end)
{
	return labels[end];
}

const char *end_text(enum end end)
{
	return texts[end];
}
