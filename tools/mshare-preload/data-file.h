/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DATA_FILE_H
#define DATA_FILE_H

#include <stdint.h>

#include "data-directory.h"
#include "mshare.h"
#include "progress.h"
#include "selection.h"

#define DATA_DIRECTORY	"/var/cache/ldmshare"

/**
 * struct data_file - what is in a region's data zones
 * @directory: where it is
 * @name:      in there: a temporary one until the generation is known
 * @fd:	       open for reading only
 */
struct data_file {
	struct data_directory directory;
	char name[DATA_NAME_MAX];
	int fd;
};

/**
 * data_file_make() - write the data of all zones, one behind the other
 * @data:	receives the file, complete and on disk
 * @selection:	the libraries in their places; those that have become other ones
 *		are left out
 * @layout:	the region
 * @progress:	advances by the libraries' data
 *
 * Ends the program if that is not possible; then nothing is left of the file.
 */
void data_file_make(struct data_file *data, struct selection *selection,
		    const struct mshare_layout *layout,
		    struct progress *progress);

/**
 * data_file_set() - give the zones of a region their data
 * @data:   the file
 * @new:    the region
 * @layout: where its zones are
 *
 * Return: 0; mshare_new_set_data()'s error.
 */
int data_file_set(const struct data_file *data, struct mshare_new *new,
		  const struct mshare_layout *layout);

/**
 * data_file_keep() - give it its final name, and let go
 * @data:	the file
 * @generation:	that it belongs to
 *
 * Return: 0; rename(2)'s or fsync(2)'s error.
 */
int data_file_keep(struct data_file *data, uint64_t generation);

/**
 * data_file_drop() - remove it
 * @data: the file
 */
void data_file_drop(struct data_file *data);

#endif /* DATA_FILE_H */
