/* Configuration files: problems are printable lines, and a value that was taken is taken again from its own text. */
#include "base/span.h"
#include "config/config.h"
#include "config/config_yaml.h"
#include "config/url.h"
#include "fuzz.h"

#include <string.h>

enum { LINE_LONGEST = 1400, TEXT_BYTES = 4096 };

static const char *fault_of_line(const char *line)
{
	if (strlen(line) > LINE_LONGEST) {
		return "a problem too long";
	}
	for (; *line != '\0'; line++) {
		if ((unsigned char)*line < ' ' || *line == 0x7f) {
			return "a control byte in a problem";
		}
	}
	return NULL;
}

static const char *fault_of_problems(const struct config_problems *problems)
{
	const char *fault = problems->count > CONFIG_PROBLEMS_MAX ? "too many problems" : NULL;

	for (size_t i = 0; i < problems->count && fault == NULL; i++) {
		fault = fault_of_line(problems->lines[i]);
	}
	return fault;
}

/* Items that hold a comma have no text form. */
static bool has_comma(const struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strchr(list->items[i], ',') != NULL) {
			return true;
		}
	}
	return false;
}

static const char *fault_of_value(const struct config *config, const struct option *option)
{
	struct config again;
	struct config_problems problems = {0};
	char text[TEXT_BYTES];
	const char *fault = NULL;

	config_init(&again);
	config_value_text(config, option, text, sizeof(text));
	config_set(&again, &problems, "again", option->key, text);
	if (strlen(text) < sizeof(text) - 1 && !config_is_same(config, &again, option)) {
		fault = option->key;
	}
	config_problems_fini(&problems);
	config_fini(&again);
	return fault;
}

static const char *fault_of_values(const struct config *config)
{
	const char *fault = NULL;

	for (size_t i = 0; i < OPTION_COUNT && fault == NULL; i++) {
		const struct option *option = &config_options[i];
		const void *field = (const char *)config + option->offset;

		if (config->origins[i] != NULL &&
		    !(option->kind == OPTION_LIST && has_comma(field))) {
			fault = fault_of_value(config, option);
		}
	}
	return fault;
}

/* What was understood of a URL, written as one, is understood in the same way. */
static const char *fault_of_url(const char *text)
{
	struct upstream_url url;
	struct upstream_url again;
	char written[TEXT_BYTES];
	const char *fault = NULL;

	if (!url_parse(text, &url, &fault)) {
		return fault == NULL || fault[0] == '\0' ? "a URL refused without a reason" : NULL;
	}
	snprintf(written, sizeof(written), "%s://%s", url.is_tls ? "https" : "http", url.authority);
	if (!url_parse(written, &again, &fault)) {
		url_fini(&url);
		return "a URL that is not taken again";
	}
	fault = strcmp(url.host, again.host) == 0 && url.port == again.port ? NULL : "another URL";
	url_fini(&again);
	url_fini(&url);
	return fault;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct config config;
	struct config_problems problems = {0};

	config_init(&config);
	config_yaml_parse(&config, &problems, "fuzz", (struct span){(const char *)bytes, len});
	fuzz_expect_none(fault_of_problems(&problems));
	fuzz_expect_none(fault_of_values(&config));
	fuzz_expect_none(fault_of_url(config.upstream_url));
	/* The checks open this file: no business of a fuzzer. */
	config_set(&config, &problems, NULL, "upstream.ca_file", "");
	config_check(&config, &problems);
	fuzz_expect_none(fault_of_problems(&problems));
	config_problems_fini(&problems);
	config_fini(&config);
	return 0;
}
