// SPDX-License-Identifier: GPL-2.0-only
/* For the WebAssembly of wasmedge alone; the compiler has to keep each turn. */
int run(void);
int run(void)
{
	long long i = 0;

	while (i < 100000000) {
		i = i + 1;
		__asm__("" : "+r"(i));
	}
	return i != 100000000;
}
