/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel refuses one of the mappings that place a library: it must be
 * loaded as ever.
 *
 *	refused LIBRARY
 *
 * A seccomp filter stands in for whatever makes the kernel refuse: it fails
 * mmap of exactly one address with one protection.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/msharefs.h>

#include "report.h"

static bool refuse_mmap_of(uint64_t address, int prot)
{
#define LOAD(field, n)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
				 offsetof(struct seccomp_data, field) + (n))
#define EQUAL(k, no)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (no))
	struct sock_filter filter[] = {
		LOAD(nr, 0),
		EQUAL(SYS_mmap, 7),
		LOAD(args[0], 0),
		EQUAL((uint32_t)address, 5),
		LOAD(args[0], 4),
		EQUAL((uint32_t)(address >> 32), 3),
		LOAD(args[2], 0),
		EQUAL((uint32_t)prot, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static uintptr_t address_of(void *handle)
{
	struct link_map *map;

	return handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map) ? map->l_addr : 0;
}

/* Is anything mapped in this page? */
static bool is_mapped(uintptr_t page)
{
	unsigned char resident;

	return !mincore((void *)page, 1, &resident);
}

/* Text, data, bss and claim of a library while it is placed. */
struct place {
	uintptr_t claim, text, data, bss;
};

static int find_data(struct dl_phdr_info *object, size_t size, void *data)
{
	struct place *place = data;

	(void)size;
	if (object->dlpi_addr != place->text)
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD) {
			place->data = start & ~4095UL;
			place->bss = (start + ph->p_filesz + 4095) & ~4095UL;
		}
	}
	return 0;
}

static bool is_mapped_at(const struct place *place)
{
	return is_mapped(place->claim) || is_mapped(place->text) ||
	       is_mapped(place->data) || is_mapped(place->bss);
}

static struct place place_of(const char *library)
{
	void *handle = dlopen(library, RTLD_NOW);
	struct place place = { .text = address_of(handle) };

	place.claim = place.text & ~(MSHARE_WINDOW_SIZE - 1);
	dl_iterate_phdr(find_data, &place);
	check(place.text && place.data && is_mapped(place.bss) &&
	      is_mapped(place.claim),
	      "the library is placed when nothing is refused");
	if (handle)
		dlclose(handle);
	check(!is_mapped_at(&place), "and gone when closed");
	return place;
}

static int load_refused(const char *library, const struct place *place,
			uintptr_t refused, int prot, const char *what)
{
	void *handle;

	if (!refuse_mmap_of(refused, prot)) {
		unsupported("%s refused: no seccomp here", what);
		return 0;
	}
	handle = dlopen(library, RTLD_NOW);
	check(handle && address_of(handle) != place->text,
	      "%s refused: the library is loaded elsewhere", what);
	check(!is_mapped_at(place), "%s refused: nothing is left", what);
	if (handle)
		check(!dlclose(handle), "%s refused: it can be closed", what);
	return report.failed;
}

/* In a process of its own: a filter cannot be taken back. */
static void test(const char *library, const struct place *place,
		 uintptr_t refused, int prot, const char *what)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(load_refused(library, place, refused, prot, what));
	waitpid(pid, &status, 0);
	check_eq(status, 0, "%s refused: all is well", what);
}

int main(int argc, char **argv)
{
	struct place place;

	if (argc != 2)
		return 2;
	place = place_of(argv[1]);
	test(argv[1], &place, place.claim, PROT_NONE, "pad");
	test(argv[1], &place, place.text, PROT_READ | PROT_EXEC, "text");
	test(argv[1], &place, place.data, PROT_READ | PROT_WRITE, "data");
	test(argv[1], &place, place.bss, PROT_READ | PROT_WRITE, "bss");
	return report_status();
}
