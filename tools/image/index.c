// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The index of a set of images: one text file, a line for each library.
 *
 *	ldmshare-images 3
 *	KIND REASON SIZE CTIME NSEC GROUP TEXT TEXT-SIZE DATA DATA-SIZE PATH
 *	PROGRAM WHY
 *
 * Fields are separated by tabs; numbers but for the first three are hexadecimal.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

#define FIRST_LINE	"ldmshare-images 3\n"
#define FIELDS		13

char *image_path(const char *directory, const char *path)
{
	char *result;

	return asprintf(&result, "%s/tree%s", directory, path) < 0 ? NULL :
								     result;
}

static char *index_path(const char *directory)
{
	char *result;

	return asprintf(&result, "%s/index", directory) < 0 ? NULL : result;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct image_entry *)a)->path,
		      ((const struct image_entry *)b)->path);
}

struct image_entry *image_index_find(const struct image_index *index,
				     const char *path)
{
	const struct image_entry key = { .path = (char *)path };

	if (!index->count)
		return NULL;
	return bsearch(&key, index->entries, index->count, sizeof(key), compare);
}

static void free_entry(struct image_entry *entry)
{
	free(entry->path);
	free(entry->program);
	free(entry->why);
}

int image_index_put(struct image_index *index, const struct image_entry *entry)
{
	struct image_entry copy = *entry, *old, *entries;

	if (strpbrk(entry->path, "\t\n") || entry->path[0] != '/')
		return -EINVAL;
	copy.path = strdup(entry->path);
	copy.program = strdup(entry->program &&
			      !strpbrk(entry->program, "\t\n") ?
				      entry->program : "-");
	copy.why = strdup(entry->why && *entry->why ? entry->why : "-");
	old = image_index_find(index, entry->path);
	entries = old ? index->entries :
			reallocarray(index->entries, index->count + 1,
				     sizeof(*entries));
	if (!copy.path || !copy.program || !copy.why || !entries) {
		free_entry(&copy);
		return -ENOMEM;
	}
	for (char *c = copy.why; *c; c++)
		if (*c == '\t' || *c == '\n')
			*c = ' ';
	index->entries = entries;
	if (old) {
		free_entry(old);
		*old = copy;
		return 0;
	}
	entries[index->count++] = copy;
	qsort(entries, index->count, sizeof(*entries), compare);
	return 0;
}

/* Names are few: the same words as in the verdicts. */
static int find_name(const char *name, const char *(*name_of)(unsigned int),
		     unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!strcmp(name, name_of(i)))
			return (int)i;
	return -1;
}

static const char *kind_of(unsigned int kind)
{
	return image_kind_name(kind);
}

static const char *reason_of(unsigned int reason)
{
	return image_reason_name(reason);
}

static bool is_sound(const struct image_place *place)
{
	return place->text_size <= IMAGE_GROUP_MIDDLE &&
	       place->text_offset <= IMAGE_GROUP_MIDDLE - place->text_size &&
	       place->data_offset >= IMAGE_GROUP_MIDDLE &&
	       place->data_offset <= IMAGE_GROUP_SIZE &&
	       place->data_size <= IMAGE_GROUP_SIZE - place->data_offset;
}

static bool is_place(const struct image_entry *entry)
{
	return entry->kind != IMAGE_SPLIT || is_sound(&entry->place);
}

static int read_line(struct image_index *index, char *line)
{
	struct image_entry entry = { 0 };
	char *fields[FIELDS], *rest = line;
	uint64_t numbers[8];
	int kind, reason;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = strsep(&rest, "\t");
		if (!fields[i])
			return -EBADMSG;
	}
	for (size_t i = 0; i < 8; i++) {
		char *end;

		numbers[i] = strtoull(fields[2 + i], &end, i < 3 ? 10 : 16);
		if (end == fields[2 + i] || *end)
			return -EBADMSG;
	}
	kind = find_name(fields[0], kind_of, IMAGE_REFUSED + 1);
	reason = find_name(fields[1], reason_of, IMAGE_REASONS);
	entry.size = numbers[0];
	entry.ctime_sec = (int64_t)numbers[1];
	entry.ctime_nsec = (uint32_t)numbers[2];
	entry.place = (struct image_place) {
		(uint32_t)numbers[3], numbers[4], numbers[5], numbers[6],
		numbers[7],
	};
	entry.path = fields[10];
	entry.program = fields[11];
	entry.why = fields[12];
	if (kind < 0 || reason < 0)
		return -EBADMSG;
	entry.kind = (enum image_kind)kind;
	entry.reason = (enum image_reason)reason;
	if (!is_place(&entry))
		return -EBADMSG;
	return image_index_put(index, &entry) ? -EBADMSG : 0;
}

static int read_index(struct image_index *index, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	if (getline(&line, &size, file) < 0 || strcmp(line, FIRST_LINE))
		err = -EBADMSG;
	while (!err && getline(&line, &size, file) >= 0)
		err = read_line(index, line);
	if (!err && ferror(file))
		err = -EIO;
	free(line);
	return err;
}

static int lock(struct image_index *index)
{
	int err = image_make_directories(index->directory);

	if (err)
		return err;
	if (mkdir(index->directory, 0755) && errno != EEXIST)
		return -errno;
	index->lock = open(index->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (index->lock < 0 || flock(index->lock, LOCK_EX))
		return -errno;
	return 0;
}

int image_index_open(const char *directory, bool change,
		     struct image_index *index)
{
	char *path = index_path(directory);
	FILE *file;
	int err = 0;

	*index = (struct image_index) {
		.directory = strdup(directory), .lock = -1,
	};
	if (!path || !index->directory)
		err = -ENOMEM;
	if (!err && change)
		err = lock(index);
	if (!err) {
		file = fopen(path, "re");
		if (file) {
			err = read_index(index, file);
			fclose(file);
		} else if (errno != ENOENT) {
			err = -errno;
		}
	}
	free(path);
	return err;
}

static void print_entry(FILE *out, const struct image_entry *entry)
{
	const struct image_place *place = &entry->place;

	fprintf(out, "%s\t%s\t%" PRIu64 "\t%" PRId64 "\t%u\t%x\t%" PRIx64
		"\t%" PRIx64 "\t%" PRIx64 "\t%" PRIx64 "\t%s\t%s\t%s\n",
		image_kind_name(entry->kind), image_reason_name(entry->reason),
		entry->size, entry->ctime_sec, entry->ctime_nsec, place->group,
		place->text_offset, place->text_size, place->data_offset,
		place->data_size, entry->path, entry->program, entry->why);
}

int image_index_save(const struct image_index *index)
{
	char *path = index_path(index->directory), *bytes = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&bytes, &size);
	int err = path && out ? 0 : -ENOMEM;

	if (out) {
		fputs(FIRST_LINE, out);
		for (size_t i = 0; i < index->count; i++)
			print_entry(out, &index->entries[i]);
		if (fclose(out))
			err = -ENOMEM;
	}
	if (!err)
		err = image_write(&(struct image_file) {
			(unsigned char *)bytes, size }, path);
	free(bytes);
	free(path);
	return err;
}

void image_index_close(struct image_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		free_entry(&index->entries[i]);
	free(index->entries);
	free(index->directory);
	if (index->lock >= 0)
		close(index->lock);
	*index = (struct image_index) { .lock = -1 };
}
