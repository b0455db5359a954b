/* Libraries whose text is mapped from a region shared by all processes.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _DL_MSHARE_H
#define _DL_MSHARE_H	1

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

/* Only the dynamic loader of x86-64 knows regions.  Everywhere else, in a
   statically linked program's dlopen too, what follows compiles to
   nothing.  */
#if IS_IN (rtld) && defined SHARED && defined __x86_64__ && defined __LP64__
# define DL_MSHARE 1
#else
# define DL_MSHARE 0
#endif

#if DL_MSHARE

/* Obey the value of the environment variable LD_MSHARE: off, on, or verbose.
   Not to be called for a program with AT_SECURE.  */
void _dl_mshare_option (const char *value) attribute_hidden;

/* From now on libraries may be placed.  Not to be called for a program with
   AT_SECURE.  */
void _dl_mshare_start (void) attribute_hidden;

/* All libraries that the program starts with are mapped: give the region
   back before any code of theirs runs.  */
void _dl_mshare_started (void) attribute_hidden;

/* If the library L, open on FD, identified by ID, with ELF header HEADER and
   program headers PHDR, has an agreed address: claim its addresses, map what
   the region has of it there, and set l_addr, l_map_start, l_map_end, l_mshare
   and l_contiguous of L.  Otherwise L is as it was.  Return the program headers
   that are true of it.  */
const ElfW(Phdr) *_dl_mshare_place (struct link_map *l, int fd,
				    const struct r_file_id *id,
				    const ElfW(Ehdr) *header,
				    const ElfW(Phdr) *phdr) attribute_hidden;

/* Is the mapping of L, which _dl_map_segments ended with ERRSTRING, to be
   made again from the file?  If so, nothing of it is left.  */
bool _dl_mshare_retry (struct link_map *l, const char *errstring)
  attribute_hidden;

/* Unmap L, which has l_mshare.  */
void _dl_mshare_unmap (struct link_map *l) attribute_hidden;

/* Is L split: has it been mapped completely, from an image, with other
   libraries between its text and its data, which is relocated already?  */
static inline bool
_dl_mshare_is_split (const struct link_map *l)
{
  return __glibc_unlikely (l->l_mshare) && !l->l_contiguous;
}

/* Has VALUE, an address in the data of L that only has to be relocated by
   L->l_addr, been in the region's data, and so is relocated already?  Linked
   addresses are far below all regions.  */
static inline bool
_dl_mshare_is_relocated (const struct link_map *l, ElfW(Addr) value)
{
  return _dl_mshare_is_split (l) && value >= l->l_addr;
}

/* Has the region's data at WORD the value of the symbol that was found for L?
   Then the page can stay shared.  */
static inline bool
_dl_mshare_is_bound (const struct link_map *l, const ElfW(Addr) *word,
		     ElfW(Addr) value)
{
  return _dl_mshare_is_split (l) && *word == value;
}

/* Where the text of L, which is split, ends, and where its data begins.  */
void _dl_mshare_ranges (const struct link_map *l, uintptr_t *text_end,
			uintptr_t *data) attribute_hidden;

/* Remember where debuggers find L, which is new and about to be split, until
   _dl_mshare_debug_unname: at IMAGE, or, if that is empty, at L->l_name.  Return
   false if there is no memory.  */
bool _dl_mshare_debug_name (struct link_map *l, const char *image)
  attribute_hidden;
void _dl_mshare_debug_unname (struct link_map *l) attribute_hidden;

/* All that the program starts with is in the chain of link maps.  */
void _dl_mshare_debug_start (void) attribute_hidden;

/* L has been added to the chain of its namespace.  */
void _dl_mshare_debug_add (const struct link_map *l) attribute_hidden;

/* L is about to be unmapped, and taken out of the chain.  */
void _dl_mshare_debug_remove (const struct link_map *l) attribute_hidden;

/* Where debuggers begin to read in namespace NS.  */
struct link_map *_dl_mshare_debug_map (Lmid_t ns) attribute_hidden;

/* From where on they read what was added to NS, if NEW is the first of that:
   NULL if from the beginning.  */
struct link_map *_dl_mshare_debug_new (Lmid_t ns, struct link_map *new)
  attribute_hidden;

#else

# define _dl_mshare_option(value) ((void) 0)
# define _dl_mshare_start() ((void) 0)
# define _dl_mshare_started() ((void) 0)
# define _dl_mshare_place(l, fd, id, header, phdr) (phdr)
# define _dl_mshare_retry(l, errstring) false
# define _dl_mshare_unmap(l) ((void) 0)
# define _dl_mshare_is_split(l) false
# define _dl_mshare_is_relocated(l, value) false
# define _dl_mshare_is_bound(l, word, value) false
# define _dl_mshare_ranges(l, text_end, data) ((void) 0)
# define _dl_mshare_debug_start() ((void) 0)
# define _dl_mshare_debug_add(l) ((void) 0)
# define _dl_mshare_debug_remove(l) ((void) 0)
# define _dl_mshare_debug_map(ns) (GL(dl_ns)[ns]._ns_loaded)
# define _dl_mshare_debug_new(ns, new) (new)

#endif

#endif /* dl-mshare.h */
