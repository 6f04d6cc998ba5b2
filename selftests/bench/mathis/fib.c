// SPDX-License-Identifier: GPL-2.0-only
/* For the WebAssembly of wasmedge alone. */
static long long fib(long long n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int run(void);
int run(void)
{
	return fib(32) == 2178309 ? 0 : 1;
}
