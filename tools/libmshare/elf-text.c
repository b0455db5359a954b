// SPDX-License-Identifier: MIT
/*
 * Which part of a library is text that can be shared.
 *
 * The file may be hostile.  libelf reads it (by read(2): a file that shrinks
 * meanwhile cannot fault us), and every number it gives is compared with the
 * file's size or a fixed limit before it is used in arithmetic.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "mshare.h"

/*
 * Code and data of a library reach each other by 32-bit displacements: a
 * span that is wider is no real library.  It also keeps sums far from 2^64.
 */
#define SPAN_MAX	(2 * MSHARE_GIB)
#define ADDRESS_MAX	(1UL << 47)
#define HEADERS_MAX	64
#define DYNAMIC_MAX	(1UL << 20)

struct inspection {
	Elf *elf;
	struct mshare_elf *shape;
	char *why;
	size_t why_size;
	uint64_t file_size;
	uint64_t displacement;		/* of text: p_vaddr - p_offset */
	uint64_t writable_vaddr;	/* of the writable segment */
	uint64_t writable_end;
	bool has_writable;
};

__attribute__((format(printf, 2, 3)))
static int refuse(struct inspection *in, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(in->why, in->why_size, format, args);
	va_end(args);
	return -ENOEXEC;
}

static int check_header(struct inspection *in)
{
	GElf_Ehdr header;

	if (elf_kind(in->elf) != ELF_K_ELF)
		return refuse(in, "not an ELF file");
	if (!gelf_getehdr(in->elf, &header))
		return refuse(in, "damaged ELF header: %s", elf_errmsg(-1));
	if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64)
		return refuse(in, "not for x86-64");
	if (header.e_type != ET_DYN)
		return refuse(in, "not a shared library");
	return 0;
}

/* What holds for every segment that is loaded, whatever it is for. */
static int check_segment(struct inspection *in, const GElf_Phdr *ph)
{
	uint64_t start = mshare_round_down(ph->p_vaddr, MSHARE_PAGE_SIZE);

	if (ph->p_offset > in->file_size ||
	    ph->p_filesz > in->file_size - ph->p_offset)
		return refuse(in, "truncated: a segment ends beyond the file");
	if (ph->p_filesz > ph->p_memsz)
		return refuse(in, "a segment is larger in the file than in memory");
	if (!ph->p_memsz)
		return refuse(in, "an empty segment");
	if (ph->p_vaddr >= ADDRESS_MAX || ph->p_memsz > SPAN_MAX)
		return refuse(in, "a segment with an absurd address or size");
	if (ph->p_align < MSHARE_PAGE_SIZE || (ph->p_align & (ph->p_align - 1)))
		return refuse(in, "a segment with an alignment that is no page size");
	if (ph->p_align > MSHARE_WINDOW_SIZE)
		return refuse(in, "a segment aligned to more than 2 MiB");
	if ((ph->p_vaddr - ph->p_offset) & (ph->p_align - 1))
		return refuse(in, "a segment with address and offset misaligned");
	if (!(ph->p_flags & PF_R))
		return refuse(in, "a segment that is not readable");
	if ((ph->p_flags & PF_W) && (ph->p_flags & PF_X))
		return refuse(in, "a segment both writable and executable");
	if (in->has_writable)
		return refuse(in, ph->p_flags & PF_W ?
				  "more than one writable segment" :
				  "text behind the writable segment");
	if (in->shape->nsegments && start < in->shape->end_vaddr)
		return refuse(in, "segments overlap or are out of order");
	return 0;
}

static int add_text(struct inspection *in, const GElf_Phdr *ph)
{
	struct mshare_elf *shape = in->shape;
	uint64_t start = mshare_round_down(ph->p_vaddr, MSHARE_PAGE_SIZE);
	uint64_t end = mshare_round_up(ph->p_vaddr + ph->p_memsz, MSHARE_PAGE_SIZE);
	uint64_t displacement = ph->p_vaddr - ph->p_offset;

	if (ph->p_filesz != ph->p_memsz)
		return refuse(in, "a read-only segment with bss");
	if (shape->nsegments == MSHARE_SEGMENTS_MAX)
		return refuse(in, "more than %d segments of text",
			      MSHARE_SEGMENTS_MAX);
	if (!shape->nsegments) {
		in->displacement = displacement;
		shape->text_vaddr = start;
		shape->text_offset = mshare_round_down(ph->p_offset,
						       MSHARE_PAGE_SIZE);
	}
	if (displacement != in->displacement)
		return refuse(in, "segments of text at different distances from their place in the file");
	if (shape->nsegments && start != shape->end_vaddr)
		return refuse(in, "a hole in the text");

	shape->segments[shape->nsegments++] = (struct mshare_segment) {
		.offset = mshare_round_down(ph->p_offset, MSHARE_PAGE_SIZE),
		.size = end - start,
		.prot = PROT_READ | (ph->p_flags & PF_X ? PROT_EXEC : 0),
	};
	shape->text_size = end - shape->text_vaddr;
	shape->end_vaddr = end;
	return 0;
}

static int add_segment(struct inspection *in, const GElf_Phdr *ph)
{
	struct mshare_elf *shape = in->shape;
	int err = check_segment(in, ph);

	if (err)
		return err;
	if (ph->p_align > shape->align)
		shape->align = ph->p_align;
	if (!(ph->p_flags & PF_W))
		return add_text(in, ph);

	in->has_writable = true;
	in->writable_vaddr = ph->p_vaddr;
	in->writable_end = ph->p_vaddr + ph->p_memsz;
	shape->data_vaddr = mshare_round_down(ph->p_vaddr, MSHARE_PAGE_SIZE);
	shape->end_vaddr = mshare_round_up(in->writable_end, MSHARE_PAGE_SIZE);
	return 0;
}

/* ld.so writes to text for DT_TEXTREL: such a library has nothing to share. */
static int check_dynamic(struct inspection *in, const GElf_Phdr *ph)
{
	size_t entry_size = gelf_fsize(in->elf, ELF_T_DYN, 1, EV_CURRENT);
	Elf_Data *data;
	GElf_Dyn dyn;

	if (ph->p_offset > in->file_size ||
	    ph->p_filesz > in->file_size - ph->p_offset)
		return refuse(in, "truncated: the dynamic section ends beyond the file");
	if (ph->p_filesz < entry_size || ph->p_filesz > DYNAMIC_MAX)
		return refuse(in, "a dynamic section of absurd size");

	data = elf_getdata_rawchunk(in->elf, ph->p_offset,
				    ph->p_filesz - ph->p_filesz % entry_size,
				    ELF_T_DYN);
	if (!data)
		return refuse(in, "unreadable dynamic section: %s", elf_errmsg(-1));

	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == DT_TEXTREL ||
		    (dyn.d_tag == DT_FLAGS && (dyn.d_un.d_val & DF_TEXTREL)))
			return refuse(in, "relocations in its text (TEXTREL)");
		if (dyn.d_tag == DT_FLAGS_1 && (dyn.d_un.d_val & DF_1_PIE))
			return refuse(in, "an executable, not a shared library");
	}
	return 0;
}

/* ld.so makes RELRO read-only with mprotect: that must not reach the text. */
static int check_relro(struct inspection *in, const GElf_Phdr *ph)
{
	if (!in->has_writable || ph->p_vaddr < in->writable_vaddr ||
	    ph->p_vaddr > in->writable_end ||
	    ph->p_memsz > mshare_round_up(in->writable_end, MSHARE_PAGE_SIZE) -
			  ph->p_vaddr)
		return refuse(in, "RELRO outside the writable segment");
	return 0;
}

static int walk_headers(struct inspection *in)
{
	bool has_dynamic = false;
	size_t count;
	GElf_Phdr ph;
	int err = 0;

	if (elf_getphdrnum(in->elf, &count))
		return refuse(in, "damaged program headers: %s", elf_errmsg(-1));
	if (count > HEADERS_MAX)
		return refuse(in, "%zu program headers", count);

	for (size_t i = 0; i < count && !err; i++) {
		if (!gelf_getphdr(in->elf, (int)i, &ph))
			return refuse(in, "truncated program headers: %s",
				      elf_errmsg(-1));
		if (ph.p_type == PT_LOAD)
			err = add_segment(in, &ph);
		else if (ph.p_type == PT_GNU_RELRO)
			err = check_relro(in, &ph);
		if (ph.p_type == PT_DYNAMIC && !err) {
			has_dynamic = true;
			err = check_dynamic(in, &ph);
		}
	}
	if (!err && !has_dynamic)
		return refuse(in, "no dynamic section");
	return err;
}

static int check_shape(struct inspection *in)
{
	const struct mshare_elf *shape = in->shape;
	uint64_t text_end = shape->text_vaddr + shape->text_size;

	if (!shape->nsegments)
		return refuse(in, "no text");
	if (!in->has_writable)
		return refuse(in, "no writable segment");
	if (shape->end_vaddr - shape->text_vaddr > SPAN_MAX)
		return refuse(in, "spans more than 2 GiB of addresses");
	/*
	 * Between text and data there must be room for a window boundary at
	 * an address that agrees with the alignment: see layout.c.
	 */
	if (mshare_round_down(shape->data_vaddr, shape->align) < text_end)
		return refuse(in, "aligned to %" PRIu64 " bytes, with data that cannot leave the windows of its text",
			      shape->align);
	return 0;
}

static int inspect(struct inspection *in, const char *unreadable)
{
	int err;

	if (!in->elf)
		return refuse(in, "%s: %s", unreadable, elf_errmsg(-1));
	err = check_header(in);
	if (!err)
		err = walk_headers(in);
	if (!err)
		err = check_shape(in);
	elf_end(in->elf);
	return err;
}

int mshare_elf_inspect(int fd, struct mshare_elf *elf, char *why,
		       size_t why_size)
{
	struct inspection in = { .shape = elf, .why = why, .why_size = why_size };
	struct stat st;

	memset(elf, 0, sizeof(*elf));
	if (elf_version(EV_CURRENT) == EV_NONE)
		return refuse(&in, "libelf is too old");
	if (fstat(fd, &st))
		return refuse(&in, "cannot stat: %s", strerror(errno));
	in.file_size = (uint64_t)st.st_size;
	in.elf = elf_begin(fd, ELF_C_READ, NULL);
	return inspect(&in, "not readable as ELF");
}

int mshare_elf_inspect_bytes(void *bytes, size_t size, struct mshare_elf *elf,
			     char *why, size_t why_size)
{
	struct inspection in = { .shape = elf, .why = why, .why_size = why_size };

	memset(elf, 0, sizeof(*elf));
	if (elf_version(EV_CURRENT) == EV_NONE)
		return refuse(&in, "libelf is too old");
	in.file_size = size;
	in.elf = elf_memory(bytes, size);
	return inspect(&in, "not readable as ELF");
}
