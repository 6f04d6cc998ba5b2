// SPDX-License-Identifier: GPL-2.0-only
/*
 * phi-demo IMAGES LABELS TOKENS - show Φ at work, with real data and real effects,
 * and measure. Exits 0 only when every expectation held. tools/demo/guest
 * loads what it needs before.
 */
#include <limits.h>
#include <stdio.h>

#include "demo.h"

int main(int argc, char **argv)
{
	char digits[PATH_MAX], vdfs[PATH_MAX];

	if (argc != 4) {
		fprintf(stderr, "usage: phi-demo IMAGES LABELS TOKENS\n");
		return 2;
	}
	snprintf(digits, sizeof(digits), "%s/digits.token", argv[3]);
	snprintf(vdfs, sizeof(vdfs), "%s/vdfs.token", argv[3]);
	if (classify_init(argv[1], argv[2], digits) || store_init(vdfs))
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
	store_blobs();
	store_map();
	store_search();
	return summary() ? 1 : 0;
}
