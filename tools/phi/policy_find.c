// SPDX-License-Identifier: GPL-2.0-only
/* Where policies lie, and whether this kernel can run them. */
#include <bpf/btf.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "policy.h"

/* Folders of policies, seen from the program: as built, and as installed. */
static const char *const folders[] = { "../bpf", "../lib/phi/bpf" };

static bool own_folder(char *path)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (len < 0)
		return false;
	path[len] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	return slash;
}

/* The @i-th folder to search; false after the last. */
static bool folder_at(size_t i, char *path, size_t room)
{
	const char *own = getenv("PHI_BPF_DIR");
	char self[PATH_MAX];

	if (i > ARRAY_SIZE(folders))
		return false;
	if (!i)
		snprintf(path, room, "%s", own ? own : "");
	else if (own_folder(self))
		snprintf(path, room, "%s/%s", self, folders[i - 1]);
	else
		*path = '\0';
	return true;
}

/* Append the policies in a folder to a list with commas, each once. */
static void list_folder(const char *folder, char *list, size_t room)
{
	char pattern[PATH_MAX + 2 * POLICY_PATH];
	const char *name;
	glob_t matches;
	size_t used;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/*.bpf.o", folder);
	if (!*folder || glob(pattern, 0, NULL, &matches))
		return;
	for (i = 0; i < matches.gl_pathc; i++) {
		name = strrchr(matches.gl_pathv[i], '/') + 1;
		used = strlen(list);
		snprintf(list + used, room - used, "%s%.*s", used ? ", " : "",
			 (int)strcspn(name, "."), name);
	}
	globfree(&matches);
}

/* Name the policies that can be loaded by name. */
static int no_such_policy(const char *name)
{
	static char hint[1024];
	char folder[PATH_MAX + POLICY_PATH];
	char list[512] = "";
	size_t i;

	for (i = 0; !*list && folder_at(i, folder, sizeof(folder)); i++)
		list_folder(folder, list, sizeof(list));
	snprintf(hint, sizeof(hint),
		 *list ? "give the path of a .bpf.o file, or one of: %s" :
			 "give the path of a .bpf.o file",
		 list);
	return fail_because(hint, "there is no such policy", "load %s", name);
}

const char *policy_lacks(const struct bpf_object *object)
{
	const struct btf *types = bpf_object__btf(object);
	struct btf *kernel = btf__load_vmlinux_btf();
	const struct btf_var_secinfo *var;
	const struct btf_type *section;
	const char *lacks = NULL;
	const struct btf_type *t;
	const char *name;
	uint32_t id;
	int i;

	for (id = 1; types && kernel && id < btf__type_cnt(types); id++) {
		section = btf__type_by_id(types, id);
		if (!btf_is_datasec(section))
			continue;
		name = btf__name_by_offset(types, section->name_off);
		if (strncmp(name, ".struct_ops", 11))
			continue;
		var = btf_var_secinfos(section);
		for (i = 0; i < btf_vlen(section); i++, var++) {
			t = btf__type_by_id(types, var->type);
			t = btf__type_by_id(types, (uint32_t)btf__resolve_type(
							   types, t->type));
			name = btf__name_by_offset(types, t->name_off);
			if (btf__find_by_name_kind(kernel, name,
						   BTF_KIND_STRUCT) < 0)
				lacks = name;
		}
	}
	btf__free(kernel);
	return lacks;
}

int policy_find(const char *name, char *path)
{
	char folder[PATH_MAX + POLICY_PATH];
	char file[PATH_MAX + 2 * POLICY_PATH];
	size_t i;

	if (strchr(name, '/') || strstr(name, ".o")) {
		if (access(name, R_OK))
			return fail_because(NULL, strerror(errno), "read %s",
					    name);
		snprintf(path, POLICY_PATH, "%s", name);
		return EXIT_OK;
	}
	for (i = 0; folder_at(i, folder, sizeof(folder)); i++) {
		if (!*folder)
			continue;
		snprintf(file, sizeof(file), "%s/%.200s.bpf.o", folder, name);
		if (strlen(file) < POLICY_PATH && !access(file, R_OK)) {
			memcpy(path, file, strlen(file) + 1);
			return EXIT_OK;
		}
	}
	return no_such_policy(name);
}
