/* Libraries whose text is mapped from a region shared by all processes.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _DL_MSHARE_H
#define _DL_MSHARE_H	1

#include <link.h>
#include <stdbool.h>

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

/* If the library L, open on FD, identified by ID, with L->l_phnum program
   headers at PHDR, has an agreed address: claim its addresses, map its text
   there, and set L->l_addr, L->l_map_start, and L->l_mshare.  Otherwise L is
   as it was.  */
void _dl_mshare_map_text (struct link_map *l, int fd,
			  const struct r_file_id *id,
			  const ElfW(Phdr) *phdr) attribute_hidden;

/* Is the mapping of L, which _dl_map_segments ended with ERRSTRING, to be
   made again from the file?  If so, nothing of it is left.  */
bool _dl_mshare_retry (struct link_map *l, const char *errstring)
  attribute_hidden;

/* Where the addresses that L occupies begin: the pad of a placed library is
   below its text.  */
ElfW(Addr) _dl_mshare_claim_start (const struct link_map *l)
  attribute_hidden;

#else

# define _dl_mshare_option(value) ((void) 0)
# define _dl_mshare_start() ((void) 0)
# define _dl_mshare_started() ((void) 0)
# define _dl_mshare_map_text(l, fd, id, phdr) ((void) 0)
# define _dl_mshare_retry(l, errstring) false
# define _dl_mshare_claim_start(l) ((l)->l_map_start)

#endif

#endif /* dl-mshare.h */
