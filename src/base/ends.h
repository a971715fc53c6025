/*
 * Why a connection to the upstream ended. One row each in ends.def; everything else is looked up here.
 */
#pragma once

enum end {
#define END(name, label, text) END_##name,
#include "base/ends.def"
#undef END
	END_COUNT
};

/* "idle_timeout": the label of the metric. */
const char *end_label(enum end end);
/* For the log, without a full stop. */
const char *end_text(enum end end);
