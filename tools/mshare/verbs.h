/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mshare can do: one verb, one file.
 */
#ifndef VERBS_H
#define VERBS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct request - a verb's command line
 * @mountpoint:	where msharefs is
 * @json:	for programs
 * @args:	its arguments
 * @count:	how many
 */
struct request {
	const char *mountpoint;
	bool json;
	char **args;
	size_t count;
};

/* Each returns the program's exit status. */
int list_regions(const struct request *request);
int stat_regions(const struct request *request);
int list_windows(const struct request *request);
int list_processes(const struct request *request);
int explain_process(const struct request *request);
int drop_libraries(const struct request *request);
int unshare_libraries(const struct request *request);
int destroy_region(const struct request *request);

/**
 * image_main() - all of mshare image: it has verbs of its own
 * @argc: arguments from "image" on
 * @argv: the same
 */
int image_main(int argc, char **argv);

#endif /* VERBS_H */
