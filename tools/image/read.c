// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Read a library and check every number that the other steps use.
 *
 * The file may be hostile and may change while it is read: all is decided by
 * one copy in memory.  A library that contradicts itself (section headers
 * against program headers, say) is refused, not interpreted.
 */
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "steps.h"

/* mshare_elf_inspect_bytes() has checked all program headers. */
static int copy_headers(struct image_source *source, Elf *elf,
			struct image_verdict *verdict)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)source->bytes;
	Elf64_Phdr *phdr = elf64_getphdr(elf);
	size_t shstrndx;

	if (!phdr || elf_getphdrnum(elf, &source->nphdr) ||
	    elf_getshdrnum(elf, &source->nshdr) ||
	    elf_getshdrstrndx(elf, &shstrndx))
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "damaged headers: %s", elf_errmsg(-1));
	if (source->nshdr < 2 || source->nshdr >= SHN_LORESERVE ||
	    shstrndx >= source->nshdr)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "no section headers");
	if (header->e_phentsize != sizeof(*phdr) ||
	    header->e_shentsize != sizeof(*source->shdr))
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "headers of absurd size");
	source->shstrndx = shstrndx;
	source->phdr = calloc(source->nphdr, sizeof(*phdr));
	source->shdr = calloc(source->nshdr, sizeof(*source->shdr));
	if (!source->phdr || !source->shdr)
		return -ENOMEM;
	memcpy(source->phdr, phdr, source->nphdr * sizeof(*phdr));
	for (size_t i = 1; i < source->nshdr; i++) {
		Elf64_Shdr *shdr = elf64_getshdr(elf_getscn(elf, i));

		if (!shdr)
			return image_refuse(verdict, IMAGE_DAMAGED,
					    "damaged section headers: %s",
					    elf_errmsg(-1));
		/*
		 * libelf's may be misaligned, as in the file.  Of a header
		 * without a type the rest means nothing.
		 */
		memcpy(&source->shdr[i], shdr, sizeof(*shdr));
		if (source->shdr[i].sh_type == SHT_NULL)
			source->shdr[i] = (Elf64_Shdr) { 0 };
	}
	return 0;
}

static int measure_data(struct image_source *source,
			struct image_verdict *verdict)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)source->bytes;
	uint64_t text_file_end = 0;

	for (size_t i = 0; i < source->nphdr; i++) {
		const Elf64_Phdr *ph = &source->phdr[i];

		if (ph->p_type != PT_LOAD)
			continue;
		if (!(ph->p_flags & PF_W)) {
			source->text_end = ph->p_vaddr + ph->p_memsz;
			text_file_end = ph->p_offset + ph->p_filesz;
			continue;
		}
		source->data_offset = ph->p_offset;
		source->data_start = ph->p_vaddr;
		source->data_file_end = ph->p_vaddr + ph->p_filesz;
		source->data_end = ph->p_vaddr + ph->p_memsz;
		source->data_align = ph->p_align;
	}
	/* Bytes that are both would be rewritten twice. */
	if (source->data_offset < text_file_end)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "text and data are the same bytes");
	if (header->e_phoff > text_file_end ||
	    source->nphdr * sizeof(Elf64_Phdr) > text_file_end - header->e_phoff)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "program headers outside of the text");
	return 0;
}

/* An allocated section lies in one segment, at the same place in the file. */
static bool section_fits(const struct image_source *source,
			 const Elf64_Shdr *section)
{
	for (size_t i = 0; i < source->nphdr; i++) {
		const Elf64_Phdr *ph = &source->phdr[i];
		uint64_t from = section->sh_addr - ph->p_vaddr;

		if (ph->p_type != PT_LOAD || section->sh_addr < ph->p_vaddr)
			continue;
		if (section->sh_type == SHT_NOBITS ?
		    from <= ph->p_memsz && section->sh_size <= ph->p_memsz - from :
		    from <= ph->p_filesz &&
		    section->sh_size <= ph->p_filesz - from &&
		    section->sh_offset == ph->p_offset + from)
			return true;
	}
	return false;
}

static int check_section(const struct image_source *source, size_t index,
			 struct image_verdict *verdict)
{
	const Elf64_Shdr *section = &source->shdr[index];

	if (section->sh_type != SHT_NOBITS &&
	    (section->sh_offset > source->size ||
	     section->sh_size > source->size - section->sh_offset))
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "section %zu ends beyond the file", index);
	if (section->sh_type == SHT_SYMTAB && section->sh_offset % 8)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "symbols are misaligned");
	if ((section->sh_flags & SHF_ALLOC) && section->sh_size &&
	    /* .tbss takes no addresses */
	    !(section->sh_type == SHT_NOBITS && (section->sh_flags & SHF_TLS)) &&
	    !section_fits(source, section))
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "section %zu is not where its segment is",
				    index);
	return 0;
}

static int check_sections(const struct image_source *source,
			  struct image_verdict *verdict)
{
	const Elf64_Shdr *names = &source->shdr[source->shstrndx];
	int err;

	for (size_t i = 1; i < source->nshdr; i++) {
		err = check_section(source, i, verdict);
		if (err)
			return err;
	}
	if (names->sh_type != SHT_STRTAB || !names->sh_size ||
	    source->bytes[names->sh_offset + names->sh_size - 1])
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "sections without names");
	return 0;
}

static struct image_span span_of(const struct image_source *source,
				 const char *name)
{
	const Elf64_Shdr *section = image_section(source, name);

	if (!section)
		return (struct image_span) { 0 };
	return (struct image_span) { section->sh_addr,
				     section->sh_addr + section->sh_size };
}

static void find_build_id(struct image_source *source)
{
	const Elf64_Shdr *note = image_section(source, ".note.gnu.build-id");
	const unsigned char *bytes;
	Elf64_Nhdr header;

	if (!note || note->sh_type != SHT_NOTE ||
	    note->sh_size < sizeof(header) + 4)
		return;
	bytes = source->bytes + note->sh_offset;
	memcpy(&header, bytes, sizeof(header));
	if (header.n_namesz != 4 || header.n_type != NT_GNU_BUILD_ID ||
	    memcmp(bytes + sizeof(header), "GNU", 4) ||
	    header.n_descsz > sizeof(source->build_id) ||
	    header.n_descsz > note->sh_size - sizeof(header) - 4)
		return;
	source->build_id_size = header.n_descsz;
	memcpy(source->build_id, bytes + sizeof(header) + 4, header.n_descsz);
}

static int read_checked(struct image_source *source, Elf *elf,
			struct image_verdict *verdict)
{
	int err = copy_headers(source, elf, verdict);

	if (!err)
		err = measure_data(source, verdict);
	if (!err)
		err = check_sections(source, verdict);
	if (!err)
		err = image_read_dynamic(source, verdict);
	if (!err) {
		source->unwind[0] = span_of(source, ".eh_frame");
		source->unwind[1] = span_of(source, ".gcc_except_table");
		source->constants = span_of(source, ".data.rel.ro");
		find_build_id(source);
	}
	return err;
}

int image_read_bytes(unsigned char *bytes, size_t size,
		     struct image_source *source, struct image_verdict *verdict)
{
	Elf *elf;
	int err;

	*source = (struct image_source) { .bytes = bytes, .size = size };
	if (mshare_elf_inspect_bytes(bytes, size, &source->shape, verdict->why,
				     sizeof(verdict->why))) {
		verdict->reason = IMAGE_NOT_SHAREABLE;
		return -ENOEXEC;
	}
	elf = elf_memory((char *)bytes, size);
	if (!elf)
		return -ENOMEM;
	err = read_checked(source, elf, verdict);
	elf_end(elf);
	return err;
}

/* A file that shrinks meanwhile gives less, not SIGBUS. */
static int read_all(int fd, unsigned char *bytes, size_t size, size_t *done)
{
	*done = 0;
	while (*done < size) {
		ssize_t n = pread(fd, bytes + *done, size - *done, (off_t)*done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		*done += (size_t)n;
	}
	return 0;
}

int image_read(int fd, struct image_source *source,
	       struct image_verdict *verdict)
{
	unsigned char *bytes;
	struct stat st;
	size_t size;
	int err;

	*source = (struct image_source) { 0 };
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return image_refuse(verdict, IMAGE_NOT_SHAREABLE,
				    "not a regular file");
	if ((uint64_t)st.st_size > IMAGE_FILE_MAX)
		return image_refuse(verdict, IMAGE_TOO_FAR,
				    "a file of more than 4 GiB");
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	err = read_all(fd, bytes, (size_t)st.st_size, &size);
	if (err) {
		free(bytes);
		return err;
	}
	return image_read_bytes(bytes, size, source, verdict);
}

void image_forget(struct image_source *source)
{
	free(source->bytes);
	free(source->phdr);
	free(source->shdr);
	*source = (struct image_source) { 0 };
}
