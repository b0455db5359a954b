/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What debuggers are asked about: calls from and into libraries, exceptions,
 * thread-local variables, threads, libraries that are loaded later.
 *
 *	debugged [abort]	abort at the end
 *	debugged wait		say so, and wait until standard input ends
 *	debugged sort		keep libc busy
 */
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

using thread_id = std::atomic<pid_t>;

static thread_local int local = 42;

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* From when its number is known on, it only sleeps here. */
static void *wait_for_ever(void *arg)
{
	local = 43;
	errno = 7;
	*static_cast<thread_id *>(arg) = gettid();
	for (;;)
		pause();
	return nullptr;
}

static bool sleeps(pid_t thread)
{
	char path[64], stat[256] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, stat, sizeof(stat) - 1) < 0)
		abort();
	close(fd);
	return strstr(stat, ") S ");
}

/* Where it is must be the same each time. */
static void start_sleeper()
{
	static thread_id id;
	pthread_t thread;

	pthread_create(&thread, nullptr, wait_for_ever, &id);
	while (!id || !sleeps(id))
		sched_yield();
}

static void call_back()
{
	int numbers[] = { 3, 1, 2 };

	qsort(numbers, 3, sizeof(int), compare);
}

static void print_words(const std::vector<std::string> &words)
{
	errno = 5;
	puts(words[0].c_str());
}

static void throw_and_catch(const std::vector<std::string> &words)
{
	try {
		puts(words.at(7).c_str());
	} catch (const std::out_of_range &) {
		puts("caught");
	}
}

/* The version of a library, which is then closed if it may be. */
static void say_version(Lmid_t where, const char *library, const char *function)
{
	void *handle = dlmopen(where, library, RTLD_NOW);
	auto version = reinterpret_cast<const char *(*)()>(
		handle ? dlsym(handle, function) : nullptr);

	puts(version ? version() : dlerror());
	if (handle && where == LM_ID_BASE)
		dlclose(handle);
}

static void sort_for_long()
{
	std::vector<int> numbers(1 << 16);

	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < numbers.size(); i++)
			numbers[i] = (i * 7919) % numbers.size();
		qsort(numbers.data(), numbers.size(), sizeof(int), compare);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "abort";
	std::vector<std::string> words = { "one", "two" };

	if (!strcmp(what, "sort")) {
		sort_for_long();
		return 0;
	}
	call_back();
	print_words(words);
	throw_and_catch(words);
	say_version(LM_ID_BASE, "libz.so.1", "zlibVersion");
	say_version(LM_ID_BASE, "libz.so.1", "zlibVersion");
	say_version(LM_ID_NEWLM, "libsqlite3.so.0", "sqlite3_libversion");
	start_sleeper();
	errno = 9;
	if (!strcmp(what, "wait")) {
		char byte;

		fflush(stdout);
		return read(STDIN_FILENO, &byte, 1) != 0;
	}
	abort();
}
