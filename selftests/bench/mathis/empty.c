// SPDX-License-Identifier: GPL-2.0-only
/* For the WebAssembly of wasmedge alone. */
int run(void);
int run(void)
{
	return 0;
}
