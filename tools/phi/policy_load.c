// SPDX-License-Identifier: GPL-2.0-only
/* Load an object file: check, load, configure, attach, pin. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cli.h"
#include "out.h"
#include "policy.h"

/* The end of what libbpf said, for when loading fails. */
static char said[4096];

static int keep_words(enum libbpf_print_level level, const char *fmt,
		      va_list ap)
{
	size_t used = strlen(said);
	char line[2048];
	size_t len;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	len = strlen(line);
	if (used + len >= sizeof(said)) {
		memmove(said, said + used / 2, used - used / 2 + 1);
		used = strlen(said);
	}
	if (used + len < sizeof(said))
		memcpy(said + used, line, len + 1);
	return 0;
}

/* Print what libbpf said; with --json it is the hint. */
static const char *show_words(const char *hint)
{
	if (errors_json)
		return *said ? said : NULL;
	fputs(said, stderr);
	return hint;
}

static int load_failed(int err, const char *path)
{
	const char *hint = "the lines above are libbpf's";

	if (err == -EPERM)
		hint = "run it as root";
	else
		hint = show_words(hint);
	return fail_because(hint, strerror(-err), "load %s", path);
}

/* The name of the policy: --name, else the file's without .bpf.o. */
static void name_of(const struct args *args, const char *path, char *name,
		    size_t room)
{
	const char *given = args_option(args, "name");
	const char *base = strrchr(path, '/');
	size_t len;

	base = base ? base + 1 : path;
	snprintf(name, room, "%.60s", given ? given : base);
	len = strcspn(name, ".");
	name[len] = '\0';
}

static int make_folders(const char *name)
{
	char path[POLICY_PATH];
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) || fs.f_type != BPF_FS_MAGIC)
		return fail_because("mount it: mount -t bpf none /sys/fs/bpf",
				    "there is no BPF file system",
				    "load a policy");
	if (mkdir(POLICY_ROOT, 0755) && errno != EEXIST)
		return fail_because("run it as root", strerror(errno),
				    "make " POLICY_ROOT);
	snprintf(path, sizeof(path), POLICY_ROOT "/%s", name);
	if (mkdir(path, 0755)) {
		if (errno == EEXIST)
			return fail_because(
				"phi policy unload it first, or give another --name",
				"a policy of that name is loaded", "load %s",
				name);
		return fail_because("run it as root", strerror(errno),
				    "make %s", path);
	}
	return EXIT_OK;
}

/* --config MAP=KEY:VALUE, each into its map. */
static int configure(const struct args *args, const struct bpf_object *object)
{
	const struct bpf_map *map;
	const char *entry;
	char name[64];
	size_t len;
	int ret;
	int i;

	for (i = 0; i < args->ngiven; i++) {
		if (strcmp(args->given[i].name, "config"))
			continue;
		entry = args->given[i].value;
		len = strcspn(entry, "=");
		if (!entry[len] || len >= sizeof(name))
			return usage_error(args, "'%s' is not MAP=KEY:VALUE",
					   entry);
		snprintf(name, sizeof(name), "%.*s", (int)len, entry);
		map = bpf_object__find_map_by_name(object, name);
		if (!map)
			return fail_because(
				"the top of its source names its maps",
				"the policy has no such map", "set %s", entry);
		ret = entry_set(bpf_map__fd(map), name, entry + len + 1);
		if (ret)
			return ret;
	}
	return EXIT_OK;
}

static int pin_maps(const struct bpf_object *object, const char *name)
{
	char path[POLICY_PATH];
	struct bpf_map *map;
	int ret;

	bpf_object__for_each_map(map, object) {
		if (bpf_map__is_internal(map) ||
		    bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		snprintf(path, sizeof(path), POLICY_ROOT "/%.200s/%.200s", name,
			 bpf_map__name(map));
		ret = bpf_map__pin(map, path);
		if (ret)
			return fail_because(NULL, strerror(-ret),
					    "keep the map %s",
					    bpf_map__name(map));
	}
	return EXIT_OK;
}

/* Pin a link, which then outlives this process; takes it over. */
static int pin_link(struct bpf_link *link, const char *name, const char *what)
{
	char path[POLICY_PATH];
	int ret;

	snprintf(path, sizeof(path), POLICY_ROOT "/%.200s/%.200s", name, what);
	ret = bpf_link__pin(link, path);
	if (ret) {
		bpf_link__destroy(link);
		return fail_because(NULL, strerror(-ret), "keep %s attached",
				    what);
	}
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return EXIT_OK;
}

static int attach_program(const struct args *args, struct bpf_program *prog,
			  const char *name)
{
	const char *what = bpf_program__name(prog);
	const char *dev = args_option(args, "dev");
	struct bpf_link *link;
	unsigned int index;
	int err;

	if (bpf_program__type(prog) == BPF_PROG_TYPE_STRUCT_OPS ||
	    bpf_program__type(prog) == BPF_PROG_TYPE_SYSCALL)
		return EXIT_OK;
	if (bpf_program__type(prog) == BPF_PROG_TYPE_XDP) {
		if (!dev)
			return usage_error(
				args, "%s works on a network device: --dev",
				what);
		index = if_nametoindex(dev);
		if (!index)
			return fail_because("ip link shows those there are",
					    "there is no such network device",
					    "attach %s to %s", what, dev);
		link = bpf_program__attach_xdp(prog, (int)index);
	} else {
		link = bpf_program__attach(prog);
	}
	if (!link) {
		err = errno;
		return fail_because(
			show_words(err == EBUSY ?
					   "something else is attached there" :
					   NULL),
			strerror(err), "attach %s", what);
	}
	return pin_link(link, name, what);
}

static int attach_all(const struct args *args, const struct bpf_object *object,
		      const char *name)
{
	struct bpf_program *prog;
	struct bpf_link *link;
	struct bpf_map *map;
	int ret;

	bpf_object__for_each_program(prog, object) {
		ret = attach_program(args, prog, name);
		if (ret)
			return ret;
	}
	bpf_object__for_each_map(map, object) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		link = bpf_map__attach_struct_ops(map);
		if (!link) {
			ret = errno;
			return fail_because(
				show_words(
					ret == EBUSY ?
						"another scheduler runs; unload it first" :
						NULL),
				strerror(ret), "attach %s", bpf_map__name(map));
		}
		ret = pin_link(link, name, bpf_map__name(map));
		if (ret)
			return ret;
	}
	return EXIT_OK;
}

static int load(const struct args *args, struct bpf_object *object,
		const char *path, const char *name)
{
	const char *lacks = policy_lacks(object);
	int ret;

	if (lacks)
		return fail_because(
			"it runs on kernels with CONFIG_SCHED_CLASS_EXT, such as Debian's 7.2 from backports",
			"this kernel has no sched_ext", "load %s: no struct %s",
			path, lacks);
	ret = bpf_object__load(object);
	if (ret == -ESRCH && policy_check_hooks(object, path))
		return EXIT_FAILED;
	if (ret)
		return load_failed(ret, path);
	ret = configure(args, object);
	if (ret)
		return ret;
	ret = make_folders(name);
	if (ret)
		return ret;
	ret = pin_maps(object, name);
	if (!ret)
		ret = attach_all(args, object, name);
	if (ret)
		policy_remove(name);
	return ret;
}

int policy_load(struct args *args)
{
	char path[POLICY_PATH];
	struct bpf_object *object;
	char name[64];
	int ret;

	ret = policy_find(args->operand[0], path);
	if (ret)
		return ret;
	name_of(args, path, name, sizeof(name));
	if (!*name || strchr(name, '/'))
		return usage_error(args, "'%s' is no name for a policy", name);
	libbpf_set_print(keep_words);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return load_failed(-errno, path);
	ret = load(args, object, path, name);
	bpf_object__close(object);
	if (ret || !out_json)
		return ret;
	out_str("policy", name);
	out_str("file", path);
	return out_end();
}
