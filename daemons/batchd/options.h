/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_OPTIONS_H
#define BATCHD_OPTIONS_H

#include "batchd.h"

/**
 * struct settings - the command line, with what only the start needs
 * @options: What the daemon goes by.
 * @models: NAME=FILE[:MAX_BATCH].
 * @nmodels: How many.
 * @user: Whom to become, or NULL.
 * @engine: Library to open, or NULL.
 * @convert: IN=OUT, or NULL.
 * @ready_fd: Where to tell that it is ready, or -1.
 */
struct settings {
	struct options options;
	char *models[BATCHD_MODELS_MAX];
	uint32_t nmodels;
	const char *user;
	const char *engine;
	char *convert;
	int ready_fd;
};

int options_parse(int argc, char **argv, struct settings *s);

#endif /* BATCHD_OPTIONS_H */
