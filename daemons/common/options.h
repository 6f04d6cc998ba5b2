/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "publish.h"

/**
 * struct daemon_options - options that all daemons have
 * @user: User to become, or NULL.
 * @publish: Where tokens go; its directory may be NULL.
 * @ready_fd: File that gets a line when the daemon is ready, or -1.
 * @verbose: Log each session.
 */
struct daemon_options {
	const char *user;
	struct publish publish;
	int ready_fd;
	bool verbose;
};

/* Text of the options that all daemons have, for the help of each. */
#define OPTIONS_HELP                                                                 \
	"  -u, --user NAME          become this user; needed for root\n"             \
	"  -a, --audience USER      only this user may unseal the tokens (anyone)\n" \
	"  -o, --mode MODE          mode of the token files, octal (0644)\n"         \
	"  -r, --ready-fd FD        write a line there when ready\n"                 \
	"  -v, --verbose            log each session\n"                              \
	"  -V, --version            print the version\n"                             \
	"  -h, --help               this text\n"

/**
 * struct options_table - the command line of a daemon
 * @name: The daemon's name.
 * @version: Its version.
 * @rows: Its own options, each also taken as its letter; an empty row ends
 *        them. -u, -p, -a, -o, -r, -v, -V and -h are those of all daemons.
 * @help: Text of --help.
 * @set: Sets an option of the daemon's own; 0 or -EINVAL.
 * @wrong: Says what is wrong with them all together, or NULL.
 */
struct options_table {
	const char *name;
	const char *version;
	const struct option *rows;
	const char *help;
	int (*set)(void *own, int c, char *text);
	const char *(*wrong)(const void *own, const struct daemon_options *o);
};

int options_read(int argc, char **argv, const struct options_table *table,
		 struct daemon_options *o, void *own);
int options_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);
int options_real(const char *text, double min, double max, double *out);
int options_size(const char *text, uint64_t *out);

#endif /* COMMON_OPTIONS_H */
