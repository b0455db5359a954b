/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images: derived copies of shared libraries, in which the data has moved away
 * from the text.  doc/images.md says what that is good for and what is proven
 * before it is done; doc/image-format.md what an image looks like.
 *
 * One file per step, each with its part of this header:
 *
 *	read.c, dynamic.c, source.c
 *			read a library, check all numbers the others use
 *			(source.h)
 *	references.c, relocs.c, unwind.c, lsda.c, coverage.c, code.c, gaps.c,
 *	jump-code.c, jump-tables.c, instruction.c, tables.c
 *			find every reference between text and data
 *	decide.c, override.c
 *			split, paired or refused, and why
 *	places.c, index.c
 *			where text and data go: the index of a set of images
 *	rewrite.c	move the data
 *	write.c, note.c	the image's file
 *	relocate.c	second stage: the data, relocated for one base address
 *	bind.c, symbols.c
 *			the same: references to symbols, as most programs bind
 *			them
 *	verify.c, run.c	compare an image with its original
 *
 * Functions return 0 or a negative errno; where a library is at fault it is
 * -ENOEXEC, and the verdict says why.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "source.h"

#define IMAGE_DIRECTORY		"/var/cache/ldmshare/images"

/* Text of a library that stays as it is must be worth windows of its own. */
#define IMAGE_PAIRED_TEXT	(1UL << 20)

/* ---- references -------------------------------------------------------- */

/** enum image_site_kind - what has a distance between text and data */
enum image_site_kind {
	IMAGE_SITE_CODE,	/* displacement of an instruction */
	IMAGE_SITE_UNWIND,	/* personality routine in .eh_frame */
	IMAGE_SITE_LSDA,	/* type in .gcc_except_table */
	IMAGE_SITE_JUMP,	/* word of a jump table in the data */
	IMAGE_SITE_KINDS
};

/**
 * struct image_site - 32 bits in the text: a distance to data; those of jump
 * tables are in the data, and lead to the text
 * @place:  their address
 * @origin: what the distance is counted from
 * @target: what it refers to
 * @kind:   what it is
 */
struct image_site {
	uint64_t place;
	uint64_t origin;
	uint64_t target;
	enum image_site_kind kind;
};

/**
 * struct image_sites - all of a library
 * @list:  sorted by place, each place once
 * @count: how many
 * @room:  allocated
 */
struct image_sites {
	struct image_site *list;
	size_t count;
	size_t room;
};

/**
 * struct image_references - what was found out about a library's text
 * @sites:	  references to data
 * @instructions: decoded
 * @code_bytes:	  bytes of them
 * @uncovered:	  bytes of executable segments that are no decoded code
 */
struct image_references {
	struct image_sites sites;
	uint64_t instructions;
	uint64_t code_bytes;
	uint64_t uncovered;
};

/**
 * image_find_references() - find every reference from text to data
 * @source:	the library
 * @prove:	look for what would refer to data unseen, too
 * @references:	receives them; image_references_free() in any case
 * @verdict:	receives the reason if they cannot be proven to be all
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_find_references(const struct image_source *source, bool prove,
			  struct image_references *references,
			  struct image_verdict *verdict);

/**
 * image_reread_references() - the same for an image, without decoding it
 * @image:	the image
 * @known:	what was found in its original
 * @displacement: how far its data has moved
 * @references:	receives those that are there; image_references_free() in any case
 * @verdict:	receives the reason if one is not what it should be
 *
 * A displacement's bytes never change how long an instruction is or what it
 * is, and nothing else that is changed is code.  So if all other bytes are the
 * original's, which the caller must compare, instructions are where they were,
 * and it is enough to read where they lead.
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_reread_references(const struct image_source *image,
			    const struct image_references *known,
			    int64_t displacement,
			    struct image_references *references,
			    struct image_verdict *verdict);

/**
 * image_references_free() - forget them
 * @references: of image_find_references() or image_reread_references()
 */
void image_references_free(struct image_references *references);

/* ---- decision ---------------------------------------------------------- */

/** enum image_kind - what becomes of a library */
enum image_kind {
	IMAGE_SPLIT,		/* an image with its data elsewhere */
	IMAGE_PAIRED,		/* its own file, data at its linked distance */
	IMAGE_REFUSED		/* nothing */
};

/**
 * image_kind_name() - split, paired or refused
 * @kind: which
 */
const char *image_kind_name(enum image_kind kind);

/** enum image_override - what people have decided of one library */
enum image_override {
	IMAGE_OVERRIDE_NONE,
	IMAGE_OVERRIDE_SPLIT,	/* gap and table rules do not hold it back */
	IMAGE_OVERRIDE_REFUSE
};

/**
 * image_find_override() - look a library up in the list of reviewed exceptions
 * @list:     the list's path; a missing one is empty
 * @source:   the library, by its build-id
 * @override: receives what is decided
 *
 * Return: 0; -EBADMSG: a line that cannot be read; fopen(3)'s error.
 */
int image_find_override(const char *list, const struct image_source *source,
			enum image_override *override);

/**
 * image_decide() - split, paired or refused
 * @source:	the library
 * @override:	what people have decided
 * @references:	receives its references; image_references_free() in any case
 * @verdict:	receives the reason if it is not split
 *
 * Return: an enum image_kind; -ENOMEM.
 */
int image_decide(const struct image_source *source,
		 enum image_override override,
		 struct image_references *references,
		 struct image_verdict *verdict);

/* ---- where text and data go -------------------------------------------- */

/*
 * A group is one GiB: from its middle, which is nearer to its end since there
 * is more text than data, texts lie downwards, each in windows of its own, and
 * data upwards.
 */
#define IMAGE_GROUP_SIZE	MSHARE_GIB
#define IMAGE_GROUP_MIDDLE	(3 * MSHARE_GIB / 4)

/**
 * struct image_place - where one library goes, relative to its group
 * @group:	 which group
 * @text_offset: of its text, a window boundary
 * @text_size:	 bytes, whole windows
 * @data_offset: of its data, a page boundary
 * @data_size:	 bytes, whole pages, bss included
 */
struct image_place {
	uint32_t group;
	uint64_t text_offset;
	uint64_t text_size;
	uint64_t data_offset;
	uint64_t data_size;
};

/**
 * struct image_entry - what is known of one library
 * @path:	resolved path of the library
 * @kind:	what became of it
 * @reason:	why it is not split
 * @why:	the same in a sentence, or "-"
 * @program:	the only one that needs it, or "-"
 * @size:	st_size it had
 * @ctime_sec:	st_ctim it had
 * @ctime_nsec:	st_ctim it had
 * @place:	where it goes; all 0 if it is not split
 */
struct image_entry {
	char *path;
	enum image_kind kind;
	enum image_reason reason;
	char *why;
	char *program;
	uint64_t size;
	int64_t ctime_sec;
	uint32_t ctime_nsec;
	struct image_place place;
};

/**
 * struct image_index - what is known of a set of images
 * @directory:	where the set is
 * @entries:	sorted by path
 * @count:	how many
 * @lock:	descriptor of the directory, locked; -1: only looking
 */
struct image_index {
	char *directory;
	struct image_entry *entries;
	size_t count;
	int lock;
};

/**
 * image_index_open() - read the index of a set
 * @directory: where the set is
 * @change:    to change it: waits for others that do, makes the directory
 * @index:     receives it; image_index_close() in any case
 *
 * Return: 0, with an empty index if there is none yet; open(2)'s or mkdir(2)'s
 * error; -EBADMSG: damaged, or of another version; -ENOMEM.
 */
int image_index_open(const char *directory, bool change,
		     struct image_index *index);

/**
 * image_index_find() - what is known of a library
 * @index: the index
 * @path:  resolved path
 *
 * Return: the entry, valid until the next is added; NULL.
 */
struct image_entry *image_index_find(const struct image_index *index,
				     const char *path);

/**
 * image_index_put() - add or replace what is known of a library
 * @index: the index
 * @entry: what; its strings are copied
 *
 * Return: 0; -ENOMEM; -EINVAL: a path that the index cannot hold.
 */
int image_index_put(struct image_index *index, const struct image_entry *entry);

/**
 * image_index_place() - find a place for a library
 * @index:  the index
 * @path:   the library's; the place it has is kept if it is large enough
 * @source: the library
 * @place:  receives it
 *
 * Return: 0; -EFBIG: larger than a group; -ENOMEM.
 */
int image_index_place(const struct image_index *index, const char *path,
		      const struct image_source *source,
		      struct image_place *place);

/**
 * image_index_save() - write the index, whole and on disk
 * @index: the index, opened to change it
 *
 * Return: 0; -ENOMEM; image_write()'s error.
 */
int image_index_save(const struct image_index *index);

/**
 * image_index_close() - let go
 * @index: the index
 */
void image_index_close(struct image_index *index);

/**
 * image_path() - the file of a library's image
 * @directory: of the set
 * @path:      resolved path of the library
 *
 * Return: the path; free(); NULL: no memory.
 */
char *image_path(const char *directory, const char *path);

/**
 * image_displacement() - how far a library's data moves
 * @source: the library
 * @place:  where it goes
 */
int64_t image_displacement(const struct image_source *source,
			   const struct image_place *place);

/* ---- an image ---------------------------------------------------------- */

/**
 * struct image_identity - the file an image was made of
 * @size:	  st_size
 * @ctime_sec:	  st_ctim
 * @ctime_nsec:	  st_ctim
 * @build_id:	  NT_GNU_BUILD_ID
 * @build_id_size: bytes of it
 * @path:	  resolved; not freed
 */
struct image_identity {
	uint64_t size;
	int64_t ctime_sec;
	uint32_t ctime_nsec;
	unsigned char build_id[IMAGE_BUILD_ID_MAX];
	size_t build_id_size;
	const char *path;
};

/**
 * image_identify() - of a library that was read
 * @source:   the library
 * @file:     its fstat
 * @path:     resolved
 * @identity: receives it
 */
void image_identify(const struct image_source *source, const struct stat *file,
		    const char *path, struct image_identity *identity);

/**
 * struct image_file - an image in memory
 * @bytes: the file; free()
 * @size:  bytes of it
 */
struct image_file {
	unsigned char *bytes;
	size_t size;
};

/**
 * image_compose() - make the image of a library
 * @source:	the library
 * @references:	all of its references to data
 * @place:	where it goes
 * @identity:	what it is recorded as
 * @image:	receives the image
 * @verdict:	receives the reason if a distance becomes too large
 *
 * The same input gives the same bytes.
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_compose(const struct image_source *source,
		  const struct image_references *references,
		  const struct image_place *place,
		  const struct image_identity *identity,
		  struct image_file *image, struct image_verdict *verdict);

/**
 * image_make_directories() - make the directories above a file
 * @path: of the file
 *
 * Return: 0; mkdir(2)'s error; -ENOMEM.
 */
int image_make_directories(const char *path);

/**
 * image_write() - give an image its place in the file system
 * @image: the image
 * @path:  its name; directories above it are made
 *
 * Whoever opens @path sees the old file or the new one, whole and on disk.
 *
 * Return: 0; open(2)'s, write(2)'s, fsync(2)'s or rename(2)'s error.
 */
int image_write(const struct image_file *image, const char *path);

/**
 * struct image_note - what an image says of itself: doc/image-format.md
 * @identity:	  the original; its path lies in the image
 * @place:	  where it goes
 * @displacement: how far its data has moved
 * @sites:	  rewritten references, by enum image_site_kind
 */
struct image_note {
	struct image_identity identity;
	struct image_place place;
	int64_t displacement;
	uint32_t sites[IMAGE_SITE_KINDS];
};

/**
 * image_read_note() - what an image says of itself
 * @source:  the image, read
 * @note:    receives it
 * @verdict: receives the reason if it is no image, damaged or of an unknown
 *	     version
 *
 * Return: 0; -ENOEXEC.
 */
int image_read_note(const struct image_source *source, struct image_note *note,
		    struct image_verdict *verdict);

/* ---- verification ------------------------------------------------------ */

/**
 * image_verify() - compare an image with the library it was made of
 * @original: the library
 * @image:    the image
 * @note:     what the image says of itself
 * @references: receives those of the library; image_references_free() in any case
 * @verdict:  receives what is wrong
 *
 * Each reference in the image is decoded again and must lead to where the
 * original's leads; moved back, the image must be the original, bit by bit.
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_verify(const struct image_source *original,
		 const struct image_source *image,
		 const struct image_note *note,
		 struct image_references *references,
		 struct image_verdict *verdict);

/**
 * image_check() - image_verify() for an image that is not written yet
 * @original:   the library
 * @references: what was found in it
 * @file:       the image
 * @verdict:    receives what is wrong
 *
 * No image is written that does not pass.  Instructions are not decoded again,
 * as image_reread_references() tells; all the rest is.
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_check(const struct image_source *original,
		const struct image_references *references,
		const struct image_file *file, struct image_verdict *verdict);

/** enum image_run - what loading a library and its image showed */
enum image_run {
	IMAGE_RUN_EQUAL,
	IMAGE_RUN_DIFFERENT,
	IMAGE_RUN_IMPOSSIBLE	/* the library cannot be loaded by itself */
};

/**
 * image_run() - load a library and its image, each in a process of its own,
 * and compare the data after constructors, and all exports
 * @original: the library
 * @path:     its file
 * @image:    its image
 * @image_path: the image's file
 * @references: of the library
 * @verdict:  receives what differs, or why it cannot be loaded
 *
 * Constructors run as nobody where we are root.
 *
 * Return: an enum image_run; -ENOMEM; fork(2)'s or pipe(2)'s error.
 */
int image_run(const struct image_source *original, const char *path,
	      const struct image_source *image, const char *image_path,
	      const struct image_references *references,
	      struct image_verdict *verdict);

/* ---- second stage ------------------------------------------------------ */

/**
 * struct image_data - the data of a library, for one address
 * @vaddr:    linked address of @bytes, a page boundary
 * @bytes:    the data's whole pages, without those that are only bss; free()
 * @size:     bytes of them
 * @relative: R_X86_64_RELATIVE relocations applied
 * @relr:     places of DT_RELR relocated
 */
struct image_data {
	uint64_t vaddr;
	unsigned char *bytes;
	size_t size;
	uint64_t relative;
	uint64_t relr;
};

/**
 * image_relocate() - apply what only depends on a library's address
 * @source:  an image, or a library as it is
 * @base:    what ld.so will have as l_addr: the address of linked address 0
 * @data:    receives the data
 *
 * DT_RELR's tags are taken out of the dynamic section: to apply it twice would
 * be wrong.  DT_RELA's relative relocations may be applied again.  Addresses in
 * the dynamic section, and words of functions that are bound lazily, are
 * relocated, too: a loader that does so itself must see by their values that
 * they are.
 *
 * Return: 0; -ENOEXEC: one of them is of something else, so that it is not
 * applied, or the library is linked to an address that is not below @base;
 * -ENOMEM.
 */
int image_relocate(const struct image_source *source, uint64_t base,
		   struct image_data *data);

/** struct image_binder - libraries that are bound to each other in advance */
struct image_binder;

/**
 * image_binder_new() - none yet
 *
 * Return: the binder; image_binder_free(); NULL: no memory.
 */
struct image_binder *image_binder_new(void);

/**
 * image_binder_add() - a library that others may refer to
 * @binder: the binder, with which nothing was bound yet
 * @source: an image, or a library as it is; not needed any more afterwards
 * @base:   what ld.so will have as l_addr
 *
 * Return: its number; -ENOMEM.
 */
int image_binder_add(struct image_binder *binder,
		     const struct image_source *source, uint64_t base);

/**
 * image_binder_add_program() - a program that libraries are bound for
 * @binder: the binder, with which nothing was bound yet
 * @path:   the program
 *
 * Return: its number, the same again for the same path; -ENOEXEC: no program;
 * open(2)'s error; -ENOMEM.
 */
int image_binder_add_program(struct image_binder *binder, const char *path);

/**
 * image_bind() - bind references to symbols
 * @binder:  the binder, with all libraries that there are
 * @library: which one, by its number
 * @program: the one that loads the library, by its number; negative: any
 * @source:  the library
 * @data:    its data, relocated
 *
 * What they will find depends on the program: ld.so must look all of them up,
 * and write what differs.
 *
 * Return: 0; -ENOMEM.
 */
int image_bind(struct image_binder *binder, int library, int program,
	       const struct image_source *source, struct image_data *data);

/**
 * image_binder_free() - forget all
 * @binder: the binder, or NULL
 */
void image_binder_free(struct image_binder *binder);

#endif /* IMAGE_H */
