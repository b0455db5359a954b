// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The image's file: what is loaded, byte for byte where it was, then the
 * sections that debuggers read, the note, and section headers.
 *
 * The text must stay where it is in the file, so the file is put together as
 * bytes; libelf, which could move things, only reads it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steps.h"
#include "write-all.h"

/* More than any real library's headers and note need */
#define ROOM_EXTRA	(16UL << 20)

/** struct composition - an image that is put together */
struct composition {
	const struct image_source *source;
	const struct image_note *note;
	struct image_file *image;
	Elf64_Shdr *shdr;
	size_t used;
};

void image_identify(const struct image_source *source, const struct stat *file,
		    const char *path, struct image_identity *identity)
{
	*identity = (struct image_identity) {
		.size = (uint64_t)file->st_size,
		.ctime_sec = file->st_ctim.tv_sec,
		.ctime_nsec = (uint32_t)file->st_ctim.tv_nsec,
		.build_id_size = source->build_id_size,
		.path = path,
	};
	memcpy(identity->build_id, source->build_id, source->build_id_size);
}

int64_t image_displacement(const struct image_source *source,
			   const struct image_place *place)
{
	const struct mshare_elf *shape = &source->shape;
	/* Text begins as far behind a window boundary as its alignment needs. */
	uint64_t head = shape->text_vaddr & (shape->align - 1);

	return (int64_t)((place->data_offset - shape->data_vaddr) -
			 (place->text_offset + head - shape->text_vaddr));
}

/* DWARF is not among these: debuggers take it from the original by build-id. */
static bool is_kept(const struct image_source *source, size_t index)
{
	static const char *const names[] = {
		".comment", ".gnu_debuglink", ".gnu_debugaltlink",
		".note.stapsdt", ".note.package", ".strtab",
	};
	const char *name = image_section_name(source, index);

	if (source->shdr[index].sh_type == SHT_NOBITS)
		return false;
	if (source->shdr[index].sh_type == SHT_SYMTAB)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static size_t append(struct composition *composition, const void *bytes,
		     size_t size)
{
	size_t offset = mshare_round_up(composition->used, 8);

	if (size)
		memcpy(composition->image->bytes + offset, bytes, size);
	composition->used = offset + size;
	return offset;
}

static void move_all_symbols(const struct composition *composition,
			     const Elf64_Shdr *section)
{
	const struct image_source *source = composition->source;
	Elf64_Sym *symbols = (Elf64_Sym *)(composition->image->bytes +
					   section->sh_offset);

	for (size_t i = 0; i < section->sh_size / sizeof(*symbols); i++)
		if (image_symbol_moves(source, &symbols[i]))
			symbols[i].st_value +=
				(uint64_t)composition->note->displacement;
}

/* SystemTap's probes: address, base, and a semaphore, which is data. */
static void move_semaphores(const struct composition *composition,
			    const Elf64_Shdr *section)
{
	unsigned char *bytes = composition->image->bytes + section->sh_offset;
	size_t offset = 0, desc;
	uint64_t semaphore;
	Elf64_Nhdr header;

	while (section->sh_size - offset >= sizeof(header)) {
		memcpy(&header, bytes + offset, sizeof(header));
		desc = offset + sizeof(header) +
		       mshare_round_up((uint64_t)header.n_namesz, 4);
		if (desc > section->sh_size ||
		    header.n_descsz > section->sh_size - desc ||
		    header.n_descsz < 24)
			return;
		memcpy(&semaphore, bytes + desc + 16, sizeof(semaphore));
		if (semaphore && image_is_data(composition->source, semaphore))
			semaphore += (uint64_t)composition->note->displacement;
		memcpy(bytes + desc + 16, &semaphore, sizeof(semaphore));
		offset = desc + mshare_round_up((uint64_t)header.n_descsz, 4);
		if (offset > section->sh_size)
			return;
	}
}

/* A header that is dropped stays as an empty one: others count on its index. */
static void add_section(struct composition *composition, size_t index)
{
	const struct image_source *source = composition->source;
	Elf64_Shdr *section = &composition->shdr[index];

	*section = source->shdr[index];
	if (section->sh_flags & SHF_ALLOC) {
		if (image_section_moves(source, section))
			section->sh_addr +=
				(uint64_t)composition->note->displacement;
		return;
	}
	if (index == source->shstrndx)
		return;
	if (!is_kept(source, index)) {
		*section = (Elf64_Shdr) { 0 };
		return;
	}
	section->sh_offset = append(composition,
				    source->bytes + section->sh_offset,
				    section->sh_size);
	if (section->sh_type == SHT_SYMTAB)
		move_all_symbols(composition, section);
	if (section->sh_type == SHT_NOTE &&
	    !strcmp(image_section_name(source, index), ".note.stapsdt"))
		move_semaphores(composition, section);
}

static size_t add_note(struct composition *composition)
{
	const struct image_source *source = composition->source;
	const struct image_identity *identity = &composition->note->identity;
	Elf64_Shdr *names = &composition->shdr[source->shstrndx];
	size_t size = image_note_size(identity);
	size_t offset = append(composition, NULL, 0);

	image_note_put(composition->image->bytes + offset, composition->note);
	composition->used = offset + size;
	composition->shdr[source->nshdr] = (Elf64_Shdr) {
		.sh_name = (uint32_t)names->sh_size,
		.sh_type = SHT_NOTE,
		.sh_offset = offset,
		.sh_size = size,
		.sh_addralign = 8,
	};
	names->sh_offset = append(composition,
				  source->bytes + names->sh_offset,
				  names->sh_size);
	memcpy(composition->image->bytes + composition->used,
	       IMAGE_NOTE_SECTION, sizeof(IMAGE_NOTE_SECTION));
	composition->used += sizeof(IMAGE_NOTE_SECTION);
	names->sh_size += sizeof(IMAGE_NOTE_SECTION);
	return offset;
}

static void finish(struct composition *composition)
{
	size_t count = composition->source->nshdr + 1;
	size_t note = add_note(composition);
	Elf64_Ehdr *header = (Elf64_Ehdr *)composition->image->bytes;

	header->e_shoff = append(composition, composition->shdr,
				 count * sizeof(Elf64_Shdr));
	header->e_shnum = (uint16_t)count;
	composition->image->size = composition->used;
	image_note_seal(composition->image, note);
}

static void fill_note(struct image_note *note, const struct image_source *source,
		      const struct image_references *references,
		      const struct image_place *place,
		      const struct image_identity *identity)
{
	*note = (struct image_note) {
		.identity = *identity,
		.place = *place,
		.displacement = image_displacement(source, place),
	};
	for (size_t i = 0; i < references->sites.count; i++)
		note->sites[references->sites.list[i].kind]++;
}

int image_compose(const struct image_source *source,
		  const struct image_references *references,
		  const struct image_place *place,
		  const struct image_identity *identity,
		  struct image_file *image, struct image_verdict *verdict)
{
	struct image_note note;
	struct composition composition = {
		.source = source, .note = &note, .image = image,
	};
	size_t loaded = source->data_offset +
			(source->data_file_end - source->data_start);
	size_t room = loaded + (source->nshdr + 2) * (sizeof(Elf64_Shdr) + 8) +
		      image_note_size(identity) + sizeof(IMAGE_NOTE_SECTION);
	int err;

	fill_note(&note, source, references, place, identity);
	for (size_t i = 1; i < source->nshdr; i++)
		if (i == source->shstrndx || is_kept(source, i))
			room += source->shdr[i].sh_size;
	if (room > 2 * source->size + ROOM_EXTRA)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "sections that overlap");
	image->bytes = calloc(room, 1);
	composition.shdr = calloc(source->nshdr + 1, sizeof(Elf64_Shdr));
	if (!image->bytes || !composition.shdr) {
		free(composition.shdr);
		return -ENOMEM;
	}
	append(&composition, source->bytes, loaded);
	err = image_rewrite(source, references, note.displacement, image->bytes,
			    verdict);
	if (!err) {
		for (size_t i = 1; i < source->nshdr; i++)
			add_section(&composition, i);
		finish(&composition);
	}
	free(composition.shdr);
	return err;
}

/* ---- to disk ----------------------------------------------------------- */

int image_make_directories(const char *path)
{
	char *copy = strdup(path);
	int err = 0;

	if (!copy)
		return -ENOMEM;
	for (char *slash = copy + 1; !err && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			err = -errno;
		*slash = '/';
	}
	free(copy);
	return err;
}

/* The rename itself must be on disk, too. */
static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, err = 0;

	if (!copy)
		return -ENOMEM;
	*strrchr(copy, '/') = '\0';
	fd = open(*copy ? copy : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

static int write_temporary(const struct image_file *image, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, image->bytes, image->size, 0);
	if (!err && (fchmod(fd, 0444) || fsync(fd)))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int image_write(const struct image_file *image, const char *path)
{
	char *temporary;
	int err;

	if (asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	err = image_make_directories(path);
	if (!err) {
		/* Whoever writes here holds the index's lock. */
		unlink(temporary);
		err = write_temporary(image, temporary);
	}
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	else
		err = sync_directory(path);
	free(temporary);
	return err;
}
