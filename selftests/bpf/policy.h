/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_POLICY_H
#define _SELFTESTS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Policies as a person uses them: with the bpftool commands that stand at the
 * top of bpf/NAME.bpf.c, word for word. $PHI_BPF is where the objects are;
 * without it the tests take build/bpf.
 */

#define POLICY_DIR "/sys/fs/bpf/phi"

/* Seconds for a test: bpftool alone takes some on an emulated machine. */
#define SLOW 180

/* Run the commands that begin with a word, as "bpftool prog loadall". */
int policy_run(const char *name, const char *begin, const char *dev);
/* Load and attach as documented; 0 or -1, with the output on stdout. */
int policy_load(const char *name);
/*
 * The same where a test can do with one that an earlier test loaded: empties
 * its maps, for loading takes seconds on an emulated machine.
 */
int policy_use(const char *name);
/* Remove the pins, and wait until the kernel has let go of the programs. */
int policy_unload(const char *name);
/* A pinned map of a policy, as a file. */
int policy_map(const char *name, const char *map);
/* Set a value; look one up, summed over the CPUs in a map of these. */
int policy_set(const char *name, const char *map, const void *key,
	       const void *value);
int policy_get(const char *name, const char *map, const void *key, void *value);
uint64_t policy_sum(const char *name, const char *map, uint32_t key);
/* How often the kernel skipped a program of that name; -1 without one. */
int64_t policy_misses(const char *program);
/*
 * A main() that runs the tests in a child, for the harness does not return,
 * and unloads what they left in use. Returns when the module could be
 * unloaded.
 */
int policy_main(int (*run)(int argc, char **argv), int argc, char **argv,
		const char *const *names);
/* Run a shell command quietly; its output is shown when it fails. */
int sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* _SELFTESTS_POLICY_H */
