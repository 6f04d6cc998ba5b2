/* SPDX-License-Identifier: GPL-2.0-only */
/* For the WebAssembly of wasmedge alone; each turn stores its number. */
int run(void);
int run(void)
{
	volatile long long i = 0;

	while (i < 100000000)
		i = i + 1;
	return i != 100000000;
}
