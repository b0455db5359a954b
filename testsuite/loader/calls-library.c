// SPDX-License-Identifier: GPL-2.0-or-later
int ask(void);
int answer(void);

int ask(void)
{
	return answer() + 1 - 1;	/* no tail call */
}
