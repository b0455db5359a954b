// SPDX-License-Identifier: GPL-2.0-or-later
// Exceptions, whose types are found from tables in the text, and virtual
// functions, whose tables are data.
#include <stdexcept>
#include <string>

struct shape {
	virtual ~shape() = default;
	virtual int corners() const { return 0; }
};

struct square : shape {
	int corners() const override { return 4; }
};

struct odd : std::runtime_error {
	int value;
	explicit odd(int n) : std::runtime_error("odd"), value(n) { }
};

static std::string last = "none";

__attribute__((noinline)) static void thrower(int n)
{
	switch (n % 4) {
	case 0: throw odd(n);
	case 1: throw std::string("text");
	case 2: throw n;
	default: throw std::out_of_range("far");
	}
}

extern "C" int counted()
{
	static const shape *const shapes[] = { new shape, new square };
	int sum = 0;

	for (int i = 0; i < 8; i++) {
		try {
			thrower(i);
		} catch (const odd &e) {
			sum = 31 * sum + e.value;
			last = e.what();
		} catch (const std::string &s) {
			sum = 31 * sum + int(s.size());
		} catch (int n) {
			sum = 31 * sum + n + shapes[n & 1]->corners();
		} catch (...) {
			sum = 31 * sum + 1 + int(last.size());
		}
	}
	return sum;
}
