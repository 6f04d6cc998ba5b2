/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_SETTINGS_H
#define BATCHD_SETTINGS_H

#include "batchd.h"

/**
 * struct settings - the command line
 * @common: Options that all daemons have.
 * @options: Those that serving needs; the start alone needs the rest.
 * @models: NAME=FILE[:MAX_BATCH].
 * @nmodels: How many.
 * @engine: Library to open, or NULL.
 * @convert: IN=OUT, or NULL.
 */
struct settings {
	struct daemon_options common;
	struct batchd_options options;
	char *models[BATCHD_MODELS_MAX];
	uint32_t nmodels;
	const char *engine;
	char *convert;
};

int batchd_options_read(int argc, char **argv, struct settings *s);

#endif /* BATCHD_SETTINGS_H */
