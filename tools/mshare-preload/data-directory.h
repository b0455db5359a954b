/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DATA_DIRECTORY_H
#define DATA_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "data-", the boot, "-", the generation; a dot before it while it is made */
#define DATA_NAME_MAX	80

/**
 * struct data_directory - where the data of split libraries is kept
 * @path: resolved
 * @fd:   locked: nobody else makes or removes files in it
 * @boot: which boot this is: generations are counted from its beginning
 */
struct data_directory {
	char *path;
	int fd;
	char boot[40];
};

/**
 * struct data_kept - data of older generations that processes still use
 * @files: how many
 * @bytes: on disk
 */
struct data_kept {
	uint64_t files;
	uint64_t bytes;
};

/**
 * data_directory_open() - open it, make it if there is none
 * @directory: receives it
 * @path:      where
 *
 * Waits for others that use it.  Ends the program if it cannot be made or
 * others than root could change what is in it.
 */
void data_directory_open(struct data_directory *directory, const char *path);

/**
 * data_directory_find() - open it, if it is there
 * @directory: receives it
 * @path:      where
 *
 * Return: false if it is not, or others than root could change it.
 */
bool data_directory_find(struct data_directory *directory, const char *path);

/**
 * data_name() - the file of a generation
 * @directory:	where
 * @generation:	which; 0: one that is not known yet
 * @name:	receives its name
 */
void data_name(const struct data_directory *directory, uint64_t generation,
	       char name[DATA_NAME_MAX]);

/**
 * data_directory_clean() - remove what is left of other boots, of runs that
 * were killed, and of generations that nobody uses
 * @directory:	where
 * @mountpoint:	of msharefs
 * @kept:	receives what is not live but used, and stays: the two newest
 *
 * Who has mapped a file that is removed goes on with it.
 */
void data_directory_clean(const struct data_directory *directory,
			  const char *mountpoint, struct data_kept *kept);

/**
 * data_directory_close() - let others use it
 * @directory: where
 */
void data_directory_close(struct data_directory *directory);

#endif /* DATA_DIRECTORY_H */
