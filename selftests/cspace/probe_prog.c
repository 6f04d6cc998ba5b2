// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe_prog FD HANDLE - query a capability through a file that was open when
 * this program started. Prints 0 or the negative errno.
 */

#include "phi_ioctl.h"

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	printf("%d\n", do_probe(atoi(argv[1]), strtoull(argv[2], NULL, 0)));
	return 0;
}
