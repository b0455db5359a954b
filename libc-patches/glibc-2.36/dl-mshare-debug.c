/* What debuggers see of libraries that come from images.
   SPDX-License-Identifier: LGPL-2.1-or-later

   A debugger follows the chain of link maps from r_map.  It reads an object's
   symbols from the file l_name, and compares l_ld with where that file has its
   dynamic section: so it knows the distance between file and memory.  If the
   library comes from an image, that must be the file; but the program (dladdr,
   dlinfo, audit modules) is to find the library's own name in its link map.

   So a namespace that has an image gets a second chain, which only r_map leads
   to.  It has a node for each link map, in the same order, and changes when the
   real chain does, under GL(dl_load_lock).  It can be followed between any two
   instructions: debuggers come at any time.

   A node stays where it is as long as its object is loaded: gdb gives its
   address to libthread_db, long after it read the chain.  */

#include <dl-mshare.h>

#if DL_MSHARE

#include <atomic.h>
#include <ldsodefs.h>
#include <stdlib.h>
#include <string.h>

/* The first node of each namespace, NULL where r_map leads to the real
   chain.  */
static struct link_map *chains[DL_NNS];


/* The name for debuggers is kept behind the one that the library was asked for
   by, among those that _dl_name_match_p knows: whoever opens the image gets the
   library, not another one.  */

bool
_dl_mshare_debug_name (struct link_map *l, const char *image)
{
  size_t size = strlen (image) + 1;
  struct libname_list *name = malloc (sizeof (*name) + size);

  if (name == NULL)
    return false;
  name->name = size == 1 ? l->l_name : memcpy (name + 1, image, size);
  name->next = NULL;
  name->dont_free = 0;
  l->l_libname->next = name;
  return true;
}

void
_dl_mshare_debug_unname (struct link_map *l)
{
  struct libname_list *name = l->l_libname->next;

  l->l_libname->next = name->next;
  free (name);
}

/* The name of L, of any kind, for debuggers.  */
static char *
debug_name (const struct link_map *l)
{
  return (_dl_mshare_is_split (l)
	  ? (char *) l->l_libname->next->name : l->l_name);
}

static bool
has_image (const struct link_map *l)
{
  return debug_name (l) != l->l_name;
}


/* A whole link map, as L is now: whoever finds it by r_map may also be the
   program itself, to which link maps are handles (dlsym, dlinfo).  */
static struct link_map *
make_node (const struct link_map *l)
{
  struct link_map *node = malloc (sizeof (*node));

  if (node == NULL)
    return NULL;
  memcpy (node, l, sizeof (*node));
  node->l_name = debug_name (l);
  node->l_next = NULL;
  node->l_prev = NULL;
  return node;
}

/* Add a node for L to the end of CHAIN.  Return false if there is no
   memory.  */
static bool
append (struct link_map **chain, const struct link_map *l)
{
  struct link_map *node = make_node (l);

  if (node == NULL)
    return false;
  while (*chain != NULL)
    {
      node->l_prev = *chain;
      chain = &(*chain)->l_next;
    }
  atomic_store_release (chain, node);
  return true;
}

static void
free_chain (struct link_map *node)
{
  while (node != NULL)
    {
      struct link_map *next = node->l_next;
      free (node);
      node = next;
    }
}

/* Lead debuggers to the chain of NS that is for them.  */
static void
show (Lmid_t ns)
{
  atomic_store_release (&_dl_debug_update (ns)->r_map,
			_dl_mshare_debug_map (ns));
}

/* From now on debuggers see images in NS.  If there is no memory, they see
   the real chain.  */
static void
make_chain (Lmid_t ns)
{
  struct link_map *chain = NULL;

  for (const struct link_map *l = GL(dl_ns)[ns]._ns_loaded; l != NULL;
       l = l->l_next)
    if (!append (&chain, l))
      {
	free_chain (chain);
	return;
      }
  chains[ns] = chain;
  show (ns);
}

void
_dl_mshare_debug_start (void)
{
  for (const struct link_map *l = GL(dl_ns)[LM_ID_BASE]._ns_loaded; l != NULL;
       l = l->l_next)
    if (has_image (l))
      {
	make_chain (LM_ID_BASE);
	return;
      }
}

void
_dl_mshare_debug_add (const struct link_map *l)
{
  /* What the program starts with gets its order later.  */
  if (l->l_type != lt_loaded)
    return;

  if (chains[l->l_ns] != NULL)
    /* If there is no memory, debuggers do not see it.  */
    append (&chains[l->l_ns], l);
  else if (has_image (l))
    make_chain (l->l_ns);
}

void
_dl_mshare_debug_remove (const struct link_map *l)
{
  struct link_map *node = chains[l->l_ns];

  while (node != NULL && node->l_ld != l->l_ld)
    node = node->l_next;
  if (node == NULL)
    return;

  if (node->l_next != NULL)
    node->l_next->l_prev = node->l_prev;
  if (node->l_prev != NULL)
    node->l_prev->l_next = node->l_next;
  else
    {
      chains[l->l_ns] = node->l_next;
      show (l->l_ns);
    }
  free (node);
}

struct link_map *
_dl_mshare_debug_map (Lmid_t ns)
{
  return chains[ns] != NULL ? chains[ns] : GL(dl_ns)[ns]._ns_loaded;
}

struct link_map *
_dl_mshare_debug_new (Lmid_t ns, struct link_map *new)
{
  return chains[ns] != NULL ? NULL : new;
}

#endif
