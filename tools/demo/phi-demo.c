// SPDX-License-Identifier: GPL-2.0-only
/*
 * phi-demo IMAGES LABELS TOKEN - show Φ at work, with real data and real effects,
 * and measure. Exits 0 only when every expectation held. tools/demo/guest
 * loads what it needs before.
 */
#include <stdio.h>

#include "demo.h"

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: phi-demo IMAGES LABELS TOKEN\n");
		return 2;
	}
	if (classify_init(argv[1], argv[2], argv[3]))
		return 1;
	classify_offline();
	classify_server();
	classify_units();
	classify_capped();
	policy_filter();
	policy_rate();
	caps_reader();
	caps_tokens();
	net_port();
	return summary() ? 1 : 0;
}
