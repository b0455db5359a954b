/* Libraries whose text is mapped from a region shared by all processes.
   SPDX-License-Identifier: LGPL-2.1-or-later

   What is decided, and in which order the system is asked, is in mshare/,
   which knows no libc.  Here is what only glibc knows: its system calls, its
   link maps, and when a region may be open.  */

#include <dl-mshare.h>

#if DL_MSHARE

#include <errno.h>
#include <fcntl.h>
#include <ldsodefs.h>
#include <dl-machine.h>		/* needs ldsodefs.h */
#include <libc-pointer-arith.h>
#include <not-cancel.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Everything of mshare/ is used in this file alone.  */
#pragma GCC visibility push (hidden)
#include "mshare/headers.c"
#include "mshare/lookup.c"
#include "mshare/placement.c"
#include "mshare/reason.c"
#include "mshare/region.c"
#include "mshare/segments.c"
#include "mshare/session.c"
#pragma GCC visibility pop

/* libc.so.6 and the debuggers were compiled against the link map without
   l_mshare, which must be a bit that nobody used.  These are the numbers of
   the unpatched source.  */
_Static_assert (sizeof (struct link_map) == 1192,
		"l_mshare must not change the size of struct link_map");
_Static_assert (offsetof (struct link_map, l_nodelete_active) == 823,
		"l_mshare must not move a member of struct link_map");


/* The only system calls made on a region.  */

/* The result of a system call that returned VALUE, glibc's way.  */
static inline long int
result (long int value)
{
  return value == -1 ? -errno : value;
}

int
mshare_sys_open (const char *name)
{
  return result (__open64_nocancel (name,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW
				    | O_NONBLOCK));
}

int
mshare_sys_stat (int fd, struct mshare_file *file)
{
  struct __stat64_t64 st;

  if (__fstat64_time64 (fd, &st) < 0)
    return -errno;
  *file = (struct mshare_file)
    {
      .dev = st.st_dev,
      .ino = st.st_ino,
      .size = st.st_size,
      .ctime_sec = st.st_ctim.tv_sec,
      .ctime_nsec = st.st_ctim.tv_nsec,
      .mode = st.st_mode,
      .uid = st.st_uid,
    };
  return 0;
}

long int
mshare_sys_read (int fd, void *bytes, size_t size, uint64_t offset)
{
  return result (__pread64_nocancel (fd, bytes, size, offset));
}

long int
mshare_sys_map (uint64_t address, uint64_t size, int prot, int flags, int fd,
		uint64_t offset)
{
  return result ((long int) __mmap ((void *) address, size, prot, flags, fd,
				    offset));
}

void
mshare_sys_unmap (uint64_t address, uint64_t size)
{
  __munmap ((void *) address, size);
}

void
mshare_sys_close (int fd)
{
  __close_nocancel (fd);
}


/* Between _dl_mshare_start and _dl_mshare_started the calls come from one
   thread, later ones from under GL(dl_load_lock).  */
static struct
{
  /* LD_MSHARE=off, LD_MSHARE=verbose.  */
  bool off;
  bool verbose;

  /* Libraries may be placed.  */
  bool active;

  /* No code but ours runs until _dl_mshare_started: the region may stay open
     from one library to the next.  */
  bool keep_open;

  /* The region is open.  */
  bool is_open;

  /* The generation that this process uses, 0 before it opened one.  */
  uint64_t generation;

  /* Valid if is_open.  */
  struct mshare_session session;
} mshare;

/* NAME is loaded as ever because of REASON.  */
static void
tell_reason (const char *name, enum mshare_reason reason)
{
  if (__glibc_unlikely (mshare.verbose))
    _dl_error_printf ("mshare: %s: %s\n", name,
		      mshare_reason_string (reason));
}

/* NAME is at PLACEMENT.  */
static void
tell_place (const char *name, const struct mshare_placement *placement)
{
  if (__glibc_likely (!mshare.verbose))
    return;
  if (placement->data_offset == 0)
    _dl_error_printf ("mshare: %s: placed at 0x%lx\n", name,
		      placement->text);
  else
    _dl_error_printf ("mshare: %s: placed at 0x%lx, data at 0x%lx\n", name,
		      placement->text, placement->data);
}

void
_dl_mshare_option (const char *value)
{
  mshare.off = strcmp (value, "off") == 0;
  mshare.verbose = strcmp (value, "verbose") == 0;
}

/* Does _dl_relocate_object leave all functions to the first call, those of
   libraries with DT_BIND_NOW too, so that somebody sees the calls?  The region's
   data has such functions bound (README.md).  */
static bool
calls_are_seen (void)
{
  if (GLRO(dl_profile) != NULL)
    return true;
  for (struct audit_ifaces *afct = GLRO(dl_audit); afct != NULL;
       afct = afct->next)
    if (afct->ARCH_LA_PLTENTER != NULL || afct->ARCH_LA_PLTEXIT != NULL)
      return true;
  return false;
}

/* Does valgrind run this program?  It takes a library's symbols, and which of
   its functions to replace, from the one file that text and data are mapped
   from.  The request is that of <valgrind/valgrind.h>, RUNNING_ON_VALGRIND; a
   processor only rotates %rdi four times, by 128 bits in all.  */
static bool
runs_on_valgrind (void)
{
  unsigned long int request[6] = { 0x1001 };
  unsigned long int result = 0;

  asm volatile ("rolq $3, %%rdi\n\t"
		"rolq $13, %%rdi\n\t"
		"rolq $61, %%rdi\n\t"
		"rolq $51, %%rdi\n\t"
		"xchgq %%rbx, %%rbx"
		: "+d" (result) : "a" (request) : "cc", "memory");
  return result != 0;
}

void
_dl_mshare_start (void)
{
  mshare.active = !mshare.off && !calls_are_seen () && !runs_on_valgrind ();
  /* Audit modules are told of each library as it is mapped.  */
  mshare.keep_open = GLRO(dl_naudit) == 0;
}

static bool
open_region (void)
{
  /* Only what startup opened may be used again.  Later, the child of a fork
     during another thread's dlopen finds its parent's session here, whose
     descriptor may be any file's by now.  */
  if (mshare.is_open && mshare.keep_open)
    return true;

  enum mshare_reason reason
    = mshare_session_open (&mshare.session, MSHARE_LIVE_REGION,
			   mshare.generation);
  if (reason == MSHARE_OK)
    {
      mshare.is_open = true;
      mshare.generation = mshare.session.info.generation;
      return true;
    }

  tell_reason (MSHARE_LIVE_REGION, reason);
  /* A process that found no region goes on without: nobody pays for looking
     again.  One that began with a generation looks each time: it may have
     entered a jail, or the region may be another one by now.  */
  if (mshare.generation == 0)
    mshare.active = false;
  return false;
}

static void
close_region (void)
{
  if (mshare.is_open)
    mshare_session_close (&mshare.session);
  mshare.is_open = false;
}

void
_dl_mshare_started (void)
{
  close_region ();
  mshare.keep_open = false;
}

/* Look the library up in the open region, and decide where it goes.  IMAGE is
   where it comes from if it is split.  */
static enum mshare_reason
find_place (struct mshare_placement *placement, const char **image, int fd,
	    const struct r_file_id *id, const struct mshare_segments *segments)
{
  const struct mshare_catalog_entry *entry
    = mshare_catalog_find (&mshare.session.catalog, id->dev, id->ino);
  if (entry == NULL)
    return MSHARE_NOT_LISTED;

  struct mshare_file file;
  if (mshare_sys_stat (fd, &file) < 0)
    return MSHARE_FILE_CHANGED;
  enum mshare_reason reason = mshare_catalog_is_file (entry, &file);
  if (reason != MSHARE_OK)
    return reason;
  *image = mshare_catalog_image (&mshare.session.catalog, entry);
  /* A split library that debuggers cannot find would be worse than none.  */
  if (entry->placement == MSHARE_SPLIT && **image == '\0')
    return MSHARE_BAD_ENTRY;
  return mshare_place (placement, entry, segments, &mshare.session.info);
}

/* Map L, of which HEADER and PHDR are the headers, at PLACEMENT.  */
static enum mshare_reason
map (struct link_map *l, const struct mshare_placement *placement,
     const char *image, const ElfW(Ehdr) *header, const ElfW(Phdr) *phdr)
{
  bool split = placement->data_offset != 0;

  if (split && !_dl_mshare_debug_name (l, image))
    return MSHARE_NO_MEMORY;

  enum mshare_reason reason
    = mshare_map (&mshare.session, placement, header, phdr);
  if (split && reason != MSHARE_OK)
    _dl_mshare_debug_unname (l);
  return reason;
}

/* Place the library L at FD if that can be done.  */
static enum mshare_reason
place (struct link_map *l, struct mshare_placement *placement, int fd,
       const struct r_file_id *id, const ElfW(Ehdr) *header,
       const ElfW(Phdr) *phdr)
{
  struct mshare_segments segments;
  const char *image;

  enum mshare_reason reason
    = mshare_segments_read (&segments, phdr, header->e_phnum);
  if (reason == MSHARE_OK)
    reason = find_place (placement, &image, fd, id, &segments);
  if (reason == MSHARE_OK)
    reason = map (l, placement, image, header, phdr);
  return reason;
}

/* L is at PLACEMENT.  Return its program headers, which were PHDR in the
   file.  */
static const ElfW(Phdr) *
describe (struct link_map *l, const struct mshare_placement *placement,
	  const ElfW(Phdr) *phdr)
{
  bool split = placement->data_offset != 0;

  l->l_addr = placement->base;
  l->l_map_start = placement->text;
  l->l_map_end = placement->data + placement->data_size;
  l->l_mshare = 1;
  l->l_contiguous = !split;
  return split ? mshare_image_phdr (l->l_map_start) : phdr;
}

const ElfW(Phdr) *
_dl_mshare_place (struct link_map *l, int fd, const struct r_file_id *id,
		  const ElfW(Ehdr) *header, const ElfW(Phdr) *phdr)
{
  struct mshare_placement placement;

  /* When the program itself is loaded (ld.so PROGRAM), ID is empty.  */
  if (!mshare.active || l->l_type == lt_executable || !open_region ())
    return phdr;

  enum mshare_reason reason = place (l, &placement, fd, id, header, phdr);
  if (reason == MSHARE_OK)
    {
      tell_place (l->l_name, &placement);
      phdr = describe (l, &placement, phdr);
    }
  else
    tell_reason (l->l_name, reason);

  if (!mshare.keep_open)
    close_region ();
  return phdr;
}

bool
_dl_mshare_retry (struct link_map *l, const char *errstring)
{
  /* Whatever may go wrong with a split library did before it was placed.  */
  if (__glibc_likely (!l->l_mshare) || _dl_mshare_is_split (l))
    return false;

  enum mshare_reason reason = MSHARE_DATA_REFUSED;
  if (errstring == NULL)
    /* The data is mapped, the dynamic section can be read.  */
    reason = mshare_text_is_relocated ((void *) l->l_ld + l->l_addr,
				       l->l_ldnum);
  if (reason == MSHARE_OK)
    return false;

  tell_reason (l->l_name, reason);
  _dl_mshare_unmap (l);
  l->l_mshare = 0;
  l->l_map_start = 0;
  return true;
}

void
_dl_mshare_ranges (const struct link_map *l, uintptr_t *text_end,
		   uintptr_t *data)
{
  struct mshare_segments segments;

  /* They were read before, and cannot have changed.  L->l_phdr may not be
     set yet.  */
  mshare_segments_read (&segments, mshare_image_phdr (l->l_map_start),
			l->l_phnum);
  *text_end = l->l_map_start + segments.text_size;
  *data = l->l_addr + segments.data_vaddr;
}

static void
unmap (uintptr_t start, uintptr_t end)
{
  __munmap ((void *) start, end - start);
}

void
_dl_mshare_unmap (struct link_map *l)
{
  uintptr_t end = l->l_map_end;

  if (_dl_mshare_is_split (l))
    {
      /* The text tells where it is: it goes last.  */
      uintptr_t text_end, data;
      _dl_mshare_ranges (l, &text_end, &data);
      unmap (data, end);
      end = mshare_claim_end (text_end);
      _dl_mshare_debug_unname (l);
    }
  unmap (mshare_claim_start (l->l_map_start), end);
}

#endif
