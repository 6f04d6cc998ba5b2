/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHI_CLI_POLICY_H
#define PHI_CLI_POLICY_H

#include <bpf/libbpf.h>
#include <stddef.h>

/**
 * DOC: Policies
 *
 * A policy is a BPF object file. Loading it does what bpftool prog loadall
 * FILE DIR autoattach does, so the two can be mixed: DIR is
 * /sys/fs/bpf/phi/NAME and holds the links, which keep the programs attached,
 * and the maps. Unloading removes DIR.
 */

#define POLICY_ROOT "/sys/fs/bpf/phi"
#define POLICY_PATH 512

enum pin_kind { PIN_NONE, PIN_LINK, PIN_PROGRAM, PIN_MAP, PIN_OTHER };

/**
 * pin_open() - open what is pinned in the BPF file system
 * @path: Path.
 * @fd: Out, the file, or a negative errno.
 *
 * Return: Kind of the file, PIN_NONE when it cannot be opened.
 */
enum pin_kind pin_open(const char *path, int *fd);

/**
 * policy_table() - output the programs on phi's hooks and in POLICY_ROOT
 */
void policy_table(void);

struct args;

/* policy_load.c: the verb. */
int policy_load(struct args *args);

/**
 * policy_remove() - detach a policy and forget it
 * @name: Name.
 *
 * Return: 0, -ENOENT when none is loaded under that name, or another
 * negative errno.
 */
int policy_remove(const char *name);

/**
 * policy_find() - find the object file of a policy
 * @name: Path of a file, or name of a policy that came with phi.
 * @path: Out, POLICY_PATH bytes.
 *
 * Return: EXIT_OK, or EXIT_FAILED with the reason said.
 */
int policy_find(const char *name, char *path);

/**
 * policy_lacks() - what does the kernel lack for an object file?
 * @object: Opened, not yet loaded.
 *
 * Return: A type that its struct_ops are of and the kernel does not have, or
 * NULL.
 */
const char *policy_lacks(const struct bpf_object *object);

/**
 * policy_check_hooks() - does every hook that an object file names exist?
 * @object: Opened, not yet loaded.
 * @path: Its path, for the message.
 *
 * Return: EXIT_OK, or EXIT_FAILED after a message that lists the hooks.
 */
int policy_check_hooks(const struct bpf_object *object, const char *path);

/**
 * entry_set() - put an entry into a map
 * @map: File of the map.
 * @name: Its name.
 * @entry: "KEY:VALUE".
 *
 * Return: EXIT_OK, or EXIT_FAILED with the reason said.
 */
int entry_set(int map, const char *name, const char *entry);

/**
 * map_rows() - output the entries of a map as rows of a table
 * @map: File of the map.
 * @name: Its name.
 *
 * Return: 0 or a negative errno.
 */
int map_rows(int map, const char *name);

#endif /* PHI_CLI_POLICY_H */
