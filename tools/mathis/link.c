// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs of several modules: load, verify, link, and verify the whole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

/* Load a file and verify it. Errors were printed. */
static int load_verified(const char *name, struct mathis_module **module)
{
	struct mathis_error error = { 0 };
	int ret = load_input(name, 0, module);

	if (ret)
		return ret;
	ret = mathis_verify(*module, NULL, &error);
	if (ret)
		print_error(name, &error);
	return ret;
}

/* Make one file of @n modules, the first of which is the program. */
int link_inputs(char *const *names, size_t n, void **file, size_t *size)
{
	const struct mathis_module **modules = calloc(n, sizeof(*modules));
	struct mathis_error error = { 0 };
	size_t loaded = 0;
	int ret = modules ? 0 : -ENOMEM;

	while (!ret && loaded < n) {
		struct mathis_module *one = NULL;

		ret = load_verified(names[loaded], &one);
		modules[loaded++] = one;
	}
	if (!ret) {
		ret = mathis_link(modules, n, file, size, &error);
		if (ret)
			print_error(names[0], &error);
	}
	while (modules && loaded)
		mathis_unload((struct mathis_module *)modules[--loaded]);
	free(modules);
	return ret;
}

/* Load a program: one verified module of all. Errors were printed. */
int load_program(char *const *names, size_t n, struct mathis_module **module)
{
	struct mathis_error error = { 0 };
	void *file;
	size_t size;
	int ret;

	if (n == 1)
		return load_verified(names[0], module);
	*module = NULL;
	ret = link_inputs(names, n, &file, &size);
	if (ret)
		return ret;
	ret = mathis_load(file, size, module, &error);
	free(file);
	if (!ret)
		ret = mathis_verify(*module, NULL, &error);
	if (ret)
		print_error(names[0], &error);
	return ret;
}
