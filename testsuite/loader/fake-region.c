/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write what a region reads and maps like into an ordinary file.
 *
 *	fake-region [-s] [-i DIRECTORY] [-r] [-t] [-b ADDRESS] [-g GENERATION]
 *		[-f FLAGS] FILE LIBRARY...
 *
 * For the loader there is no difference: a private mapping of the file gives
 * the same bytes.  So all its work can be tested without the module, with the
 * layout and the catalog that mshare-preload would make.  The file becomes
 * that of the caller, with mode 0444; libraries named twice are taken once.
 * -s splits the libraries that can be split; -i keeps their images, for debuggers.
 * The others, behind them, are paired; with -r, relocated.  -t takes what the
 * tools would refuse, if only the loader would not.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake-split.h"
#include "mshare.h"
#include "segments.h"

#define MAX_LIBRARIES 128

struct library {
	const char *path;
	int fd;
	struct stat st;
	struct mshare_elf elf;		/* of what its text is taken from */
	bool is_split;
	struct fake_split split;
	struct image_source source;	/* itself, if it is relocated */
	int symbols;			/* its number in the binder */
};

static struct library libraries[MAX_LIBRARIES];
static struct mshare_place places[MAX_LIBRARIES];
static size_t count;
static bool lenient, splitting, relocating;
static const char *images;		/* where they are kept, or NULL */

/* The shape as the loader alone sees it, which looks at program headers only. */
static bool inspect_leniently(int fd, struct mshare_elf *elf)
{
	struct mshare_segments segments;
	Elf64_Phdr phdr[64];
	Elf64_Ehdr ehdr;

	if (pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    ehdr.e_phnum > 64 ||
	    pread(fd, phdr, sizeof(phdr), ehdr.e_phoff) <= 0 ||
	    mshare_segments_read(&segments, phdr, ehdr.e_phnum))
		return false;
	*elf = (struct mshare_elf){
		.text_vaddr = segments.text_vaddr,
		.text_offset = segments.text_offset,
		.text_size = segments.text_size,
		.data_vaddr = segments.data_vaddr,
		.end_vaddr = segments.end_vaddr,
		.align = segments.align,
	};
	return true;
}

static bool add_split(const struct library *lib, struct mshare_place *place)
{
	const struct image_place *in_group = &lib->split.place;

	place->placement = MSHARE_SPLIT;
	return !mshare_split_measure(&lib->elf, in_group->group,
				     in_group->text_offset, &place->split);
}

static void add_stock(struct library *lib, struct mshare_place *place)
{
	struct image_verdict verdict;
	char why[256];

	if (!(lenient && inspect_leniently(lib->fd, &lib->elf)) &&
	    mshare_elf_inspect(lib->fd, &lib->elf, why, sizeof(why)))
		errx(1, "%s: %s", lib->path, why);
	place->placement = relocating ? MSHARE_RELOCATED : MSHARE_PAIRED;
	if (relocating && image_read(lib->fd, &lib->source, &verdict))
		errx(1, "%s: %s", lib->path, verdict.why);
}

static void add_library(const char *path)
{
	struct library *lib = &libraries[count];

	if (count == MAX_LIBRARIES)
		errx(1, "more than %d libraries", MAX_LIBRARIES);
	lib->path = path;
	lib->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (lib->fd < 0 || fstat(lib->fd, &lib->st))
		err(1, "%s", path);
	for (size_t i = 0; i < count; i++)
		if (libraries[i].st.st_dev == lib->st.st_dev &&
		    libraries[i].st.st_ino == lib->st.st_ino)
			return;
	places[count].elf = &lib->elf;
	if (splitting && fake_split(&lib->split, path, lib->fd, &lib->st)) {
		lib->is_split = true;
		lib->elf = lib->split.image.shape;
		if (!add_split(lib, &places[count++]))
			errx(1, "%s: it does not fit into its group", path);
		return;
	}
	add_stock(lib, &places[count++]);
}

static void write_at(int fd, const void *bytes, size_t size, off_t offset)
{
	while (size) {
		ssize_t n = pwrite(fd, bytes, size, offset);

		if (n <= 0)
			err(1, "writing the region");
		bytes = (const char *)bytes + n;
		size -= n;
		offset += n;
	}
}

static void copy_text(int fd, const struct library *lib, off_t to)
{
	static char buffer[1 << 20];
	int source = lib->is_split ? lib->split.fd : lib->fd;
	off_t from = lib->elf.text_offset;
	size_t left = lib->elf.text_size;

	while (left) {
		size_t want = left < sizeof(buffer) ? left : sizeof(buffer);
		ssize_t n = pread(source, buffer, want, from);

		if (n < 0)
			err(1, "%s", lib->path);
		if (n == 0)	/* the last page goes beyond the file */
			break;
		write_at(fd, buffer, n, to);
		from += n;
		to += n;
		left -= n;
	}
}

static const struct image_source *source_of(const struct library *lib)
{
	return lib->is_split ? &lib->split.image : &lib->source;
}

static uint64_t base_of(const struct library *lib, uint64_t start,
			const struct mshare_place *place)
{
	return start + place->text_offset - lib->elf.text_vaddr;
}

static void read_symbols(struct image_binder *binder, uint64_t start)
{
	for (size_t i = 0; i < count; i++) {
		if (places[i].placement == MSHARE_PAIRED)
			continue;
		libraries[i].symbols = image_binder_add(
			binder, source_of(&libraries[i]),
			base_of(&libraries[i], start, &places[i]));
		if (libraries[i].symbols < 0)
			errx(1, "no memory");
	}
}

static void copy_data(int fd, struct image_binder *binder,
		      const struct library *lib, uint64_t start,
		      const struct mshare_place *place)
{
	struct image_data data;

	if (image_relocate(source_of(lib), base_of(lib, start, place), &data) ||
	    image_bind(binder, lib->symbols, -1, source_of(lib), &data))
		errx(1, "%s: it cannot be relocated", lib->path);
	write_at(fd, data.bytes, data.size, place->data_offset);
	free(data.bytes);
}

/* The path of an image, which is kept if somebody wants it. */
static char *keep_image(const struct library *lib)
{
	const char *slash = strrchr(lib->path, '/');
	char *path;
	int fd;

	if (!images || !lib->is_split) {
		if (asprintf(&path, "image:%s", lib->path) < 0)
			errx(1, "no memory");
		return path;
	}
	if (asprintf(&path, "%s/%s", images, slash ? slash + 1 : lib->path) < 0)
		errx(1, "no memory");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0 || lseek(lib->split.fd, 0, SEEK_SET))
		err(1, "%s", path);
	while (sendfile(fd, lib->split.fd, NULL, 1 << 20) > 0)
		;
	close(fd);
	return path;
}

static void add_to_catalog(struct mshare_builder *builder, size_t i)
{
	char *image = keep_image(&libraries[i]);

	if (!image || mshare_builder_add(builder, &libraries[i].st, &places[i],
					 libraries[i].path, image))
		errx(1, "no memory");
	free(image);
}

static void write_region(int fd, struct mshare_info *info, uint64_t base)
{
	struct mshare_builder *builder = mshare_builder_new();
	struct image_binder *binder = image_binder_new();
	struct mshare_layout layout;
	void *catalog = NULL;
	size_t size = 0;
	int error;

	error = mshare_layout(places, count, base, &layout);
	if (error)
		errx(1, "layout: %s", strerror(-error));
	if (ftruncate(fd, layout.size))
		err(1, "ftruncate");
	read_symbols(binder, layout.start);
	for (size_t i = 0; i < count; i++) {
		copy_text(fd, &libraries[i], places[i].text_offset);
		if (places[i].placement != MSHARE_PAIRED)
			copy_data(fd, binder, &libraries[i], layout.start,
				  &places[i]);
		add_to_catalog(builder, i);
	}
	error = mshare_builder_finish(builder, &layout, &catalog, &size);
	if (error)
		errx(1, "catalog: %s", strerror(-error));
	info->start = layout.start;
	info->size = layout.size;
	info->catalog_size = size;
	write_at(fd, info, sizeof(*info), 0);
	write_at(fd, catalog, size, MSHARE_CATALOG_OFFSET);
	free(catalog);
	mshare_builder_free(builder);
	image_binder_free(binder);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		errx(2, "not a number: %s", text);
	return value;
}

int main(int argc, char **argv)
{
	struct mshare_info info = { .generation = 1, .flags = MSHARE_SEALED };
	uint64_t base = 0;
	int option, fd;

	while ((option = getopt(argc, argv, "si:rtb:g:f:")) != -1) {
		if (option == 's')
			splitting = true;
		else if (option == 'i')
			images = optarg;
		else if (option == 'r')
			relocating = true;
		else if (option == 't')
			lenient = true;
		else if (option == 'b')
			base = number(optarg);
		else if (option == 'g')
			info.generation = number(optarg);
		else if (option == 'f')
			info.flags = number(optarg);
		else
			return 2;
	}
	if (argc - optind < 2)
		errx(2, "usage: fake-region [-s] [-i DIRECTORY] [-r] [-t] [-b ADDRESS] [-g GENERATION] [-f FLAGS] FILE LIBRARY...");

	fd = open(argv[optind], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
	if (fd < 0)
		err(1, "%s", argv[optind]);
	for (int i = optind + 1; i < argc; i++)
		add_library(argv[i]);
	write_region(fd, &info, base);
	if (fchmod(fd, 0444))
		err(1, "fchmod");
	return 0;
}
