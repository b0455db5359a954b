/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct options - what the command line asks for
 * @name:	the region's name
 * @mountpoint:	where msharefs is, or shall be, mounted
 * @base:	the region's address, or 0: random
 * @min_text:	least bytes of text that are worth a place
 * @excludes:	patterns of libraries to leave out
 * @nexcludes:	how many
 * @files:	libraries named on the command line
 * @nfiles:	how many
 * @from:	a file that lists more, "-" for standard input, or NULL
 * @cache:	also take those in ld.so's cache
 * @images:	directory of the set of images, or NULL: use none
 * @data_dir:	where the data of split libraries is kept
 * @dry_run:	only show the layout
 * @json:	for programs
 * @verbose:	name each library as it is mapped
 */
struct options {
	const char *name;
	const char *mountpoint;
	uint64_t base;
	uint64_t min_text;
	char **excludes;
	size_t nexcludes;
	char **files;
	size_t nfiles;
	const char *from;
	bool cache;
	const char *images;
	const char *data_dir;
	bool dry_run;
	bool json;
	bool verbose;
};

/**
 * parse_options() - read the command line; does not return if it is wrong
 * @argc:    as main() has it
 * @argv:    as main() has it
 * @options: receives what was asked for
 */
void parse_options(int argc, char **argv, struct options *options);

/**
 * free_options() - forget the lists in it
 * @options: from parse_options()
 */
void free_options(struct options *options);

#endif /* OPTIONS_H */
