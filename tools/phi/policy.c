// SPDX-License-Identifier: GPL-2.0-only
/* Policies: load, list, change and unload BPF programs. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"
#include "policy.h"

/* Remove a folder of pins; what nothing else holds goes with it. */
static int remove_pins(const char *path)
{
	char name[POLICY_PATH];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%.250s/%.250s", path,
			 entry->d_name);
		if (entry->d_type == DT_DIR)
			ret = remove_pins(name);
		else if (unlink(name))
			ret = -errno;
		if (ret)
			break;
	}
	closedir(dir);
	if (!ret && rmdir(path))
		ret = -errno;
	return ret;
}

int policy_remove(const char *name)
{
	char path[POLICY_PATH];
	int ret;

	snprintf(path, sizeof(path), POLICY_ROOT "/%.200s", name);
	ret = remove_pins(path);
	if (ret == -ENOTDIR)
		ret = unlink(path) ? -errno : 0;
	return ret;
}

static int policy_unload(struct args *args)
{
	int ret;
	int i;

	for (i = 0; i < args->n; i++) {
		if (strchr(args->operand[i], '/') || args->operand[i][0] == '.')
			return usage_error(args, "'%s' is no policy's name",
					   args->operand[i]);
		ret = policy_remove(args->operand[i]);
		if (ret == -ENOENT)
			return fail_because("phi policy list shows those",
					    "no policy of that name is loaded",
					    "unload %s", args->operand[i]);
		if (ret)
			return fail_because("run it as root", strerror(-ret),
					    "unload %s", args->operand[i]);
	}
	if (!out_json)
		return EXIT_OK;
	out_u64("unloaded", (uint64_t)args->n);
	return out_end();
}

static int policy_list(struct args *args)
{
	(void)args;
	policy_table();
	return out_end();
}

static int no_policy(int err, const char *name)
{
	if (err == -ENOENT || err == -ENOTDIR)
		return fail_because("phi policy list shows those",
				    "no policy of that name is loaded",
				    "look into %s", name);
	return fail_because("run it as root", strerror(-err), "look into %s",
			    name);
}

static int policy_set(struct args *args)
{
	const char *policy = args->operand[0];
	char path[POLICY_PATH];
	const char *entry;
	enum pin_kind kind;
	size_t len;
	int ret;
	int map;
	int i;

	snprintf(path, sizeof(path), POLICY_ROOT "/%.200s", policy);
	if (access(path, X_OK))
		return no_policy(-errno, policy);
	for (i = 1; i < args->n; i++) {
		entry = args->operand[i];
		len = strcspn(entry, "=");
		if (!entry[len])
			return usage_error(args, "'%s' is not MAP=KEY:VALUE",
					   entry);
		snprintf(path, sizeof(path), POLICY_ROOT "/%.200s/%.*s", policy,
			 len > 200 ? 200 : (int)len, entry);
		kind = pin_open(path, &map);
		if (kind == PIN_MAP)
			ret = entry_set(map, strrchr(path, '/') + 1,
					entry + len + 1);
		else
			ret = fail_because(
				"phi policy show NAME lists its maps",
				"it has no map of that name", "set %s", entry);
		if (kind != PIN_NONE)
			close(map);
		if (ret)
			return ret;
	}
	if (!out_json)
		return EXIT_OK;
	out_u64("set", (uint64_t)args->n - 1);
	return out_end();
}

static int policy_show(struct args *args)
{
	const char *policy = args->operand[0];
	const char *want = args->n > 1 ? args->operand[1] : NULL;
	char path[POLICY_PATH];
	struct dirent *entry;
	bool found = !want;
	enum pin_kind kind;
	int ret = 0;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), POLICY_ROOT "/%.200s", policy);
	dir = opendir(path);
	if (!dir)
		return no_policy(-errno, policy);
	out_table("entries", "no entries");
	while (!ret && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    (want && strcmp(want, entry->d_name)))
			continue;
		snprintf(path, sizeof(path), POLICY_ROOT "/%.200s/%.200s",
			 policy, entry->d_name);
		kind = pin_open(path, &fd);
		if (kind == PIN_MAP) {
			found = true;
			ret = map_rows(fd, entry->d_name);
		}
		if (kind != PIN_NONE)
			close(fd);
	}
	closedir(dir);
	out_close();
	if (!found)
		return fail_because("phi policy show NAME lists its maps",
				    "it has no map of that name",
				    "show %s of %s", want, policy);
	if (ret)
		return fail_because(NULL, strerror(-ret), "read the maps of %s",
				    policy);
	return out_end();
}

static const struct verb verbs[] = {
	{ "load", policy_load,
	  "FILE [--config MAP=KEY:VALUE]... [--dev IFACE] [--name NAME]",
	  "load and attach a policy: the path of a .bpf.o, or a name that came with phi",
	  0 },
	{ "list", policy_list, "",
	  "list the programs attached to phi's hooks, and the policies loaded",
	  0 },
	{ "show", policy_show, "NAME [MAP]", "print the entries of its maps",
	  0 },
	{ "set", policy_set, "NAME MAP=KEY:VALUE...",
	  "put entries into its maps", 0 },
	{ "unload", policy_unload, "NAME...", "detach policies and forget them",
	  0 },
	{ 0 },
};

const struct noun policy_noun = {
	.name = "policy",
	.help = "BPF programs that decide",
	.verbs = verbs,
};
