// SPDX-License-Identifier: GPL-2.0-only
/* Where policies lie, and whether this kernel can run them. */
#include <bpf/btf.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli.h"
#include "policy.h"

/*
 * Folders that hold one folder of policies a kernel, seen from the program:
 * in the tree it was built in, and where it is installed.
 */
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

/* The object file of a policy for a kernel, "*" = any. */
static bool find_for(const char *kernel, const char *name, char *path)
{
	char pattern[PATH_MAX + POLICY_PATH];
	const char *own = getenv("PHI_BPF_DIR");
	char self[PATH_MAX];
	bool found = false;
	glob_t matches;
	size_t i;

	if (!own_folder(self))
		return false;
	for (i = 0; i <= ARRAY_SIZE(folders) && !found; i++) {
		if (!i && !own)
			continue;
		if (!i)
			snprintf(pattern, sizeof(pattern), "%s/%s/%s.bpf.o",
				 own, kernel, name);
		else
			snprintf(pattern, sizeof(pattern), "%s/%s/%s/%s.bpf.o",
				 self, folders[i - 1], kernel, name);
		if (glob(pattern, 0, NULL, &matches))
			continue;
		found = matches.gl_pathc &&
			strlen(matches.gl_pathv[0]) < POLICY_PATH;
		if (found)
			memcpy(path, matches.gl_pathv[0],
			       strlen(matches.gl_pathv[0]) + 1);
		globfree(&matches);
	}
	return found;
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

/* It is there for another kernel only: say what this one lacks. */
static int explain(const char *name, const char *release, const char *other)
{
	struct bpf_object *object = bpf_object__open_file(other, NULL);
	const char *lacks = object ? policy_lacks(object) : NULL;

	if (lacks)
		fail_because(
			"it runs on kernels with CONFIG_SCHED_CLASS_EXT, such as Debian's 7.2 from backports",
			"this kernel has no sched_ext",
			"load %s on %s: no struct %s", name, release, lacks);
	else
		fail_because("build it for this kernel: make bpf",
			     "it was built for other kernels only",
			     "load %s on %s", name, release);
	bpf_object__close(object);
	return EXIT_FAILED;
}

int policy_find(const char *name, char *path)
{
	struct utsname host;

	if (strchr(name, '/') || strstr(name, ".o")) {
		if (access(name, R_OK))
			return fail_because(NULL, strerror(errno), "read %s",
					    name);
		snprintf(path, POLICY_PATH, "%s", name);
		return EXIT_OK;
	}
	uname(&host);
	if (find_for(host.release, name, path))
		return EXIT_OK;
	if (find_for("*", name, path))
		return explain(name, host.release, path);
	return fail_because(
		"give the path of a .bpf.o file, or the name of a policy that came with phi",
		"there is no such policy", "load %s", name);
}
