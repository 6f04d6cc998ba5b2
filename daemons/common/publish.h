/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_PUBLISH_H
#define COMMON_PUBLISH_H

#include <stdint.h>

/**
 * struct publish - where sealed tokens go, and who may use them
 * @dir: Directory.
 * @audience: User that may unseal them: uid plus 1, 0 = all.
 * @mode: Mode of the files.
 */
struct publish {
	const char *dir;
	uint32_t audience;
	unsigned int mode;
};

int publish_set_audience(struct publish *p, const char *name);
int publish_set_mode(struct publish *p, const char *text);
int publish_token(const struct publish *p, int phi, uint64_t cap,
		  const char *name);
void publish_remove(const struct publish *p, const char *name);

#endif /* COMMON_PUBLISH_H */
