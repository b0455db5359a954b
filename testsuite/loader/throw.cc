// SPDX-License-Identifier: GPL-2.0-or-later
// Throws across a library that was opened at run time: built twice, as the
// library (-DLIBRARY) and as the program, which takes the library's path.
#include <stdexcept>
#include <string>

#ifdef LIBRARY
extern "C" void thrower(const char *what, void (*callback)(const char *))
{
	try {
		callback(what);
	} catch (const std::logic_error &e) {
		throw std::runtime_error(std::string("rethrown ") + e.what());
	}
}
#else
#include <dlfcn.h>
#include <iostream>
#include <thread>

static void throws(const char *what)
{
	throw std::logic_error(what);
}

static int failures;

static void run(const char *library)
{
	for (int i = 0; i < 20; i++) {
		void *handle = dlopen(library, RTLD_NOW);
		auto thrower = reinterpret_cast<void (*)(const char *, void (*)(const char *))>(
			dlsym(handle, "thrower"));
		try {
			thrower("thrown", throws);
			failures++;
		} catch (const std::runtime_error &e) {
			failures += e.what() != std::string("rethrown thrown");
		}
		dlclose(handle);
	}
}

int main(int, char **argv)
{
	run(argv[1]);
	std::thread thread(run, argv[1]);
	thread.join();
	std::cout << "failures: " << failures << std::endl;
	return failures;
}
#endif
