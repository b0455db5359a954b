/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the steps of tools/image share among themselves.
 */
#ifndef IMAGE_STEPS_H
#define IMAGE_STEPS_H

#include "image.h"

/* ---- source.c ---------------------------------------------------------- */

/** enum image_referent - what a reference can lead to */
enum image_referent {
	IMAGE_TO_TEXT,
	IMAGE_TO_DATA,
	IMAGE_TO_NEITHER
};

/**
 * image_classify() - what an address that is referred to belongs to
 * @source: the library
 * @vaddr:  the address
 *
 * IMAGE_TO_NEITHER also where nothing can tell: unwind tables lie at the end
 * of the text, no program refers to them, so what seems to is an address
 * below an array of the data that is never used without an index.
 */
enum image_referent image_classify(const struct image_source *source,
				   uint64_t vaddr);

/**
 * image_is_code_section() - whether a section holds instructions
 * @section: the section
 */
static inline bool image_is_code_section(const Elf64_Shdr *section)
{
	return section->sh_type != SHT_NOBITS &&
	       (section->sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) ==
		       (SHF_ALLOC | SHF_EXECINSTR);
}

/**
 * image_section_end() - where the section ends that an address is in
 * @source: the library
 * @vaddr:  the address
 * @hint:   0 at first: where to begin to look
 *
 * Return: its end; @vaddr if it is in none that has contents.
 */
uint64_t image_section_end(const struct image_source *source, uint64_t vaddr,
			   size_t *hint);

/**
 * image_check_table() - an array is in the file, whole and aligned
 * @source:  the library
 * @vaddr:   where it should be
 * @bytes:   its size; 0: there is none
 * @entry:   bytes of an entry
 * @what:    its name, for the verdict
 * @table:   receives it
 * @verdict: receives the reason if it is not
 *
 * Return: 0; -ENOEXEC.
 */
int image_check_table(const struct image_source *source, uint64_t vaddr,
		      uint64_t bytes, size_t entry, const char *what,
		      struct image_table *table, struct image_verdict *verdict);

/**
 * image_rows() - the entries of a table; those of an empty one are not there
 * @source: the library
 * @table:  a table of it
 */
static inline void *image_rows(const struct image_source *source,
			       const struct image_table *table)
{
	return source->bytes + table->offset;
}

/**
 * image_table_span() - the addresses a table takes
 * @table: the table
 * @entry: bytes of an entry
 */
static inline struct image_span image_table_span(const struct image_table *table,
						 size_t entry)
{
	return (struct image_span) { table->at, table->at + table->count * entry };
}

/* ---- dynamic.c --------------------------------------------------------- */

/** enum image_tag - whether a dynamic tag's value is an address */
enum image_tag {
	IMAGE_TAG_VALUE,
	IMAGE_TAG_ADDRESS,
	IMAGE_TAG_UNKNOWN
};

/**
 * image_tag() - what is known of a dynamic tag
 * @tag: d_tag
 */
enum image_tag image_tag(int64_t tag);

/**
 * image_read_dynamic() - find and check what the dynamic section names
 * @source:  the library, with its headers; receives the tables
 * @verdict: receives the reason if it cannot be used
 *
 * Return: 0; -ENOEXEC.
 */
int image_read_dynamic(struct image_source *source,
		       struct image_verdict *verdict);

/* ---- lists.c ----------------------------------------------------------- */

/** struct image_addresses - a list of addresses */
struct image_addresses {
	uint64_t *list;
	size_t count;
	size_t room;
};

/**
 * image_addresses_add() - one more
 * @addresses: the list
 * @vaddr:     the address
 *
 * Return: 0; -ENOMEM.
 */
int image_addresses_add(struct image_addresses *addresses, uint64_t vaddr);

/**
 * image_addresses_sort() - in ascending order
 * @addresses: the list
 */
void image_addresses_sort(struct image_addresses *addresses);

/**
 * image_addresses_unique() - in ascending order, each once
 * @addresses: the list
 */
void image_addresses_unique(struct image_addresses *addresses);

/**
 * image_addresses_until() - how many of a sorted list are at or below an address
 * @addresses: the list
 * @vaddr:     the address
 */
size_t image_addresses_until(const struct image_addresses *addresses,
			     uint64_t vaddr);

/**
 * image_addresses_have() - whether an address is in a sorted list
 * @addresses: the list
 * @vaddr:     the address
 */
bool image_addresses_have(const struct image_addresses *addresses,
			  uint64_t vaddr);

/**
 * image_addresses_copy() - another list with the same addresses
 * @copy:      receives it
 * @addresses: the list
 *
 * Return: 0; -ENOMEM.
 */
int image_addresses_copy(struct image_addresses *copy,
			 const struct image_addresses *addresses);

/**
 * image_addresses_free() - forget them
 * @addresses: the list
 */
void image_addresses_free(struct image_addresses *addresses);

/**
 * image_sites_add() - one more reference to data
 * @sites: the list
 * @site:  the reference
 *
 * Return: 0; -ENOMEM.
 */
int image_sites_add(struct image_sites *sites, const struct image_site *site);

/**
 * image_sites_sort() - in ascending order of their places, each once
 * @sites: the list
 */
void image_sites_sort(struct image_sites *sites);

/**
 * image_sites_at() - the reference that has its distance at an address
 * @sites: the list, sorted
 * @place: the address
 *
 * Return: the reference, or NULL.
 */
const struct image_site *image_sites_at(const struct image_sites *sites,
					uint64_t place);

/* ---- symbols.c --------------------------------------------------------- */

/* No more libraries are looked at that one needs */
#define IMAGE_NEEDED_MAX	256

/**
 * struct image_symbols - dynamic symbols of a library or a program
 * @elf:      the file, for libelf
 * @list:     symbols; these and @indices are in the file
 * @count:    how many
 * @indices:  of their versions, or NULL
 * @strings:  all names are in here; who sets it to NULL must free it later
 * @size:     bytes of it, the last of them 0
 * @versions: names of versions by index, or NULL
 * @nnames:   versions that are needed, as often as they were looked at
 * @soname:   DT_SONAME, or ""
 * @needed:   DT_NEEDED
 * @nneeded:  how many
 */
struct image_symbols {
	struct Elf *elf;
	const Elf64_Sym *list;
	size_t count;
	const Elf64_Half *indices;
	char *strings;
	size_t size;
	const char **versions;
	size_t nnames;
	const char *soname;
	const char **needed;
	size_t nneeded;
};

/**
 * image_symbols_open() - read them
 * @elf:     the file, of elf_begin() or elf_memory(), or NULL
 * @symbols: receives them, none if there are none that are good;
 *	     image_symbols_close() if that succeeds
 *
 * @elf belongs to @symbols from now on; it is ended if that fails, too.
 *
 * Return: 0; -ENOMEM.
 */
int image_symbols_open(struct Elf *elf, struct image_symbols *symbols);

/**
 * image_symbols_close() - forget them, and all names
 * @symbols: of image_symbols_open()
 */
void image_symbols_close(struct image_symbols *symbols);

/**
 * image_symbols_string() - a name
 * @symbols: the library's
 * @offset:  where
 *
 * Return: the name; "" if there is none.
 */
const char *image_symbols_string(const struct image_symbols *symbols,
				 uint64_t offset);

/**
 * image_symbols_version() - the version of a symbol
 * @symbols: the library's
 * @symbol:  its number, less than @symbols->count
 * @hidden:  receives whether only references to this version find it
 *
 * Return: the version's name; "": none.
 */
const char *image_symbols_version(const struct image_symbols *symbols,
				  size_t symbol, bool *hidden);

/* ---- relocate.c -------------------------------------------------------- */

/**
 * image_data_word() - a word of a library's data
 * @data:  of image_relocate()
 * @vaddr: its linked address
 *
 * Return: its eight bytes; NULL: it is bss, or belongs to nobody.
 */
unsigned char *image_data_word(const struct image_data *data, uint64_t vaddr);

/* ---- relocs.c ---------------------------------------------------------- */

/**
 * struct image_relr - a walk over the places DT_RELR names
 * @source: the library
 * @index:  entries done
 * @place:  the next one
 * @bits:   of the entry at work
 * @left:   how many of them
 */
struct image_relr {
	const struct image_source *source;
	size_t index;
	uint64_t place;
	uint64_t bits;
	unsigned int left;
};

/**
 * image_relr_next() - the next place
 * @walk:  begins with nothing but its source set
 * @place: receives its address
 *
 * Return: whether there was one.
 */
bool image_relr_next(struct image_relr *walk, uint64_t *place);

/**
 * image_read_relocations() - check all dynamic relocations
 * @source:  the library
 * @targets: receives the addresses that data refers to
 * @slots:   receives the places that are relocated
 * @verdict: receives the reason if one is unknown or does not change data
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_read_relocations(const struct image_source *source,
			   struct image_addresses *targets,
			   struct image_addresses *slots,
			   struct image_verdict *verdict);

/* ---- unwind.c, lsda.c -------------------------------------------------- */

/* Encodings of addresses in unwind tables, as the LSB has them */
#define DW_EH_PE_uleb128	0x01
#define DW_EH_PE_udata4		0x03
#define DW_EH_PE_sdata4		0x0b
#define DW_EH_PE_pcrel		0x10
#define DW_EH_PE_indirect	0x80
#define DW_EH_PE_omit		0xff

/**
 * struct image_unwind - what unwind tables say
 * @starts: where functions begin
 * @ends:   and behind where they end; as many
 * @lsdas:  their tables of exceptions
 */
struct image_unwind {
	struct image_addresses starts;
	struct image_addresses ends;
	struct image_addresses lsdas;
};

/**
 * image_read_unwind() - read .eh_frame
 * @source:  the library
 * @unwind:  receives what it says; image_unwind_free() in any case
 * @sites:   receives references to data
 * @verdict: receives the reason if it cannot be read
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_read_unwind(const struct image_source *source,
		      struct image_unwind *unwind, struct image_sites *sites,
		      struct image_verdict *verdict);

/**
 * image_unwind_free() - forget it
 * @unwind: of image_read_unwind()
 */
void image_unwind_free(struct image_unwind *unwind);

/**
 * image_read_lsdas() - read tables of exceptions
 * @source:  the library
 * @lsdas:   where they are, sorted, each once
 * @sites:   receives references to data
 * @verdict: receives the reason if one cannot be read
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_read_lsdas(const struct image_source *source,
		     const struct image_addresses *lsdas,
		     struct image_sites *sites, struct image_verdict *verdict);

/**
 * struct image_cursor - reading bytes that may end anywhere
 * @at:   the next byte
 * @end:  behind the last
 * @vaddr: address of @at
 * @bad:  it went beyond the end, or met a number that is none
 */
struct image_cursor {
	const unsigned char *at;
	const unsigned char *end;
	uint64_t vaddr;
	bool bad;
};

/* Each returns 0 when it cannot, and sets @bad. */
uint64_t image_take(struct image_cursor *cursor, size_t size);
int64_t image_take_signed(struct image_cursor *cursor, size_t size);
uint64_t image_take_uleb(struct image_cursor *cursor);
int64_t image_take_sleb(struct image_cursor *cursor);

/* ---- coverage.c -------------------------------------------------------- */

struct code;

/**
 * image_cover() - decode all that is known to be code
 * @code:     the code
 * @unwind:   where functions are; sorted and added to
 * @pointers: addresses that data refers to: into code, they are entered
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_cover(struct code *code, struct image_unwind *unwind,
		const struct image_addresses *pointers);

/* ---- tables.c ---------------------------------------------------------- */

/**
 * image_check_tables() - look for tables of distances between text and data
 * @source:  the library
 * @code:    its code, decoded
 * @anchors: addresses that code or data refers to, sorted
 * @slots:   places that relocations fill, sorted
 * @jumps:   where jump tables begin that are known, sorted
 * @verdict: receives the reason if there is another one
 *
 * Return: 0; -ENOEXEC.
 */
int image_check_tables(const struct image_source *source,
		       const struct code *code,
		       const struct image_addresses *anchors,
		       const struct image_addresses *slots,
		       const struct image_addresses *jumps,
		       struct image_verdict *verdict);

/* ---- rewrite.c --------------------------------------------------------- */

/**
 * image_rewrite() - move the data, in a copy of the library's loaded bytes
 * @source:	  the library
 * @references:	  all of its references to data
 * @displacement: how far
 * @bytes:	  the copy, up to the data's end at least
 * @verdict:	  receives the reason if a distance becomes too large
 *
 * Return: 0; -ENOEXEC.
 */
int image_rewrite(const struct image_source *source,
		  const struct image_references *references,
		  int64_t displacement, unsigned char *bytes,
		  struct image_verdict *verdict);

/**
 * image_symbol_moves() - whether a symbol's value is an address of data
 * @source: the library
 * @symbol: the symbol
 */
bool image_symbol_moves(const struct image_source *source,
			const Elf64_Sym *symbol);

/**
 * image_section_moves() - whether a section is data
 * @source:  the library
 * @section: the section
 */
static inline bool image_section_moves(const struct image_source *source,
				       const Elf64_Shdr *section)
{
	return (section->sh_flags & SHF_ALLOC) &&
	       section->sh_addr >= source->data_start;
}

/* ---- note.c ------------------------------------------------------------ */

#define IMAGE_NOTE_SECTION	".note.ldmshare"

/**
 * image_note_size() - bytes the note takes
 * @identity: the original
 */
size_t image_note_size(const struct image_identity *identity);

/**
 * image_note_put() - write the note, but for the checksum
 * @bytes: where
 * @note:  what
 */
void image_note_put(unsigned char *bytes, const struct image_note *note);

/**
 * image_note_seal() - write the checksum over the finished image
 * @image:  the image
 * @offset: where its note is
 */
void image_note_seal(const struct image_file *image, size_t offset);

#endif /* IMAGE_STEPS_H */
