/* Calls a fuzz target with every file of the corpus directories named as arguments: replay DIR... */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_HIGHEST = 1 << 22 };

static bool replay_file(const char *dir, const char *name)
{
	char path[4096];
	uint8_t *bytes = malloc(INPUT_HIGHEST);
	uint8_t *exact;
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "rb");
	if (file == NULL || bytes == NULL) {
		perror(path);
		free(bytes);
		return false;
	}
	len = fread(bytes, 1, INPUT_HIGHEST, file);
	fclose(file);
	exact = realloc(bytes, len > 0 ? len : 1);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return true;
}

/* The number of files, or -1. */
static int replay_dir(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int count = 0;

	if (dir == NULL) {
		perror(path);
		return -1;
	}
	while (count >= 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			count = replay_file(path, entry->d_name) ? count + 1 : -1;
		}
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int count = replay_dir(argv[i]);

		if (count <= 0) {
			fprintf(stderr, "%s: no inputs\n", argv[i]);
			return EXIT_FAILURE;
		}
		printf("%s: %d inputs\n", argv[i], count);
	}
	return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
