// SPDX-License-Identifier: GPL-2.0-only

#include "policy.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_MAX 2048

int sh(const char *format, ...)
{
	char command[COMMAND_MAX], line[512];
	char full[COMMAND_MAX + 64];
	char out[] = "/tmp/policy.XXXXXX";
	va_list args;
	FILE *file;
	int ret;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ret = mkstemp(out);
	if (ret < 0)
		return -1;
	close(ret);
	snprintf(full, sizeof(full), "{ %s\n} >%s 2>&1", command, out);
	ret = system(full);
	if (ret) {
		printf("# failed (%d): %s\n", ret, command);
		file = fopen(out, "r");
		while (file && fgets(line, sizeof(line), file))
			printf("# %s", line);
		if (file)
			fclose(file);
		fflush(stdout);
	}
	unlink(out);
	return ret ? -1 : 0;
}

static const char *objects(void)
{
	const char *path = getenv("PHI_BPF");

	return path ? path : "../../build/bpf";
}

/* The next command in the comment at the top, its lines joined. */
static bool next_command(FILE *source, char *command, size_t size)
{
	char line[256];

	*command = 0;
	while (fgets(line, sizeof(line), source) && !strstr(line, "*/")) {
		char *text = line + strspn(line, " *\t");
		size_t len;

		if (!*command && strncmp(text, "bpftool ", 8) &&
		    strncmp(text, "mkdir ", 6))
			continue;
		len = strcspn(text, "\n");
		text[len] = 0;
		strncat(command, text, size - strlen(command) - 1);
		len = strlen(command);
		if (!len || command[len - 1] != '\\')
			return true;
		command[len - 1] = ' ';
	}
	return false;
}

/* The commands are written for eth0. */
static void put_device(char *command, size_t size, const char *dev)
{
	char *at = strstr(command, " dev eth0");
	char rest[COMMAND_MAX];

	if (!at || !dev)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(" dev eth0"));
	snprintf(at, size - (at - command), " dev %s%s", dev, rest);
}

int policy_run(const char *name, const char *begin, const char *dev)
{
	char path[256], command[COMMAND_MAX];
	int ran = 0, ret = 0;
	FILE *source;

	snprintf(path, sizeof(path), "../../bpf/%s.bpf.c", name);
	source = fopen(path, "r");
	if (!source) {
		printf("# cannot read %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (!ret && next_command(source, command, sizeof(command))) {
		if (strncmp(command, begin, strlen(begin)))
			continue;
		put_device(command, sizeof(command), dev);
		ret = sh("cd %s && %s", objects(), command);
		ran++;
	}
	fclose(source);
	if (!ran)
		printf("# %s has no command %s\n", path, begin);
	return ran ? ret : -1;
}

int policy_load(const char *name)
{
	if (access("/sys/fs/bpf", F_OK) &&
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		return -1;
	policy_unload(name);
	if (policy_run(name, "mkdir", NULL))
		return -1;
	return policy_run(name, "bpftool prog loadall", NULL);
}

/* What the kernel knows of a program whose name begins so. */
static bool find_program(const char *name, struct bpf_prog_info *info)
{
	size_t length = strnlen(name, BPF_OBJ_NAME_LEN - 1);
	__u32 id = 0, len;
	bool found = false;
	int fd;

	while (!found && !bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		memset(info, 0, sizeof(*info));
		len = sizeof(*info);
		found = !bpf_obj_get_info_by_fd(fd, info, &len) &&
			!strncmp(info->name, name, length);
		close(fd);
	}
	return found;
}

static bool loaded(const char *name)
{
	struct bpf_prog_info info;

	return find_program(name, &info);
}

int64_t policy_misses(const char *program)
{
	struct bpf_prog_info info;

	return find_program(program, &info) ? (int64_t)info.recursion_misses :
					      -1;
}

int policy_unload(const char *name)
{
	char path[256];
	int i;

	snprintf(path, sizeof(path), POLICY_DIR "/%s", name);
	if (access(path, F_OK))
		return 0;
	if (sh("rm -rf " POLICY_DIR "/%s", name))
		return -1;
	for (i = 0; i < 6000 && loaded(name); i++)
		usleep(10000);
	return loaded(name) ? -1 : 0;
}

int policy_map(const char *name, const char *map)
{
	char path[256];

	snprintf(path, sizeof(path), POLICY_DIR "/%s/%s", name, map);
	return bpf_obj_get(path);
}

/* Who still uses the module: open files, and programs not yet freed. */
static int module_users(void)
{
	FILE *file = fopen("/sys/module/phi/refcnt", "r");
	int users = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &users) != 1)
		users = 0;
	fclose(file);
	return users;
}

int policy_main(int (*run)(int argc, char **argv), int argc, char **argv,
		const char *const *names)
{
	int status = 1, i;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		exit(run(argc, argv));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	for (; *names; names++)
		status |= policy_unload(*names);
	/* A program that is gone from the list is freed a while later. */
	for (i = 0; i < 6000 && module_users(); i++)
		usleep(10000);
	return status ? 1 : 0;
}

/* What the kernel reports of a map behind a file; 0 for anything else. */
static unsigned int map_fact(int fd, const char *what)
{
	char path[64], line[128];
	unsigned int n = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "r");
	while (info && fgets(line, sizeof(line), info)) {
		if (!strncmp(line, what, strlen(what)))
			n = strtoul(line + strlen(what), NULL, 0);
	}
	if (info)
		fclose(info);
	return n;
}

/* Delete what a hash holds; fill an array with zeros. */
static int map_clear(int fd)
{
	unsigned int type = map_fact(fd, "map_type:");
	unsigned int value_size = map_fact(fd, "value_size:");
	unsigned int entries = map_fact(fd, "max_entries:");
	char key[256];
	void *zeros;
	unsigned int i;
	int ret = 0;

	if (type != BPF_MAP_TYPE_ARRAY && type != BPF_MAP_TYPE_PERCPU_ARRAY) {
		while (type && !bpf_map_get_next_key(fd, NULL, key))
			bpf_map_delete_elem(fd, key);
		return 0;
	}
	zeros = calloc(libbpf_num_possible_cpus(), (value_size + 7) & ~7U);
	for (i = 0; zeros && !ret && i < entries; i++)
		ret = bpf_map_update_elem(fd, &i, zeros, BPF_ANY);
	free(zeros);
	return zeros ? ret : -1;
}

int policy_use(const char *name)
{
	struct dirent *entry;
	int fd, ret = 0;
	char path[256];
	DIR *dir;

	snprintf(path, sizeof(path), POLICY_DIR "/%s", name);
	dir = opendir(path);
	if (!dir)
		return policy_load(name);
	while (!ret && (entry = readdir(dir))) {
		fd = *entry->d_name == '.' ? -1 :
					     policy_map(name, entry->d_name);
		if (fd < 0)
			continue;
		ret = map_clear(fd);
		close(fd);
	}
	closedir(dir);
	return ret;
}

int policy_set(const char *name, const char *map, const void *key,
	       const void *value)
{
	int fd = policy_map(name, map), ret;

	if (fd < 0)
		return fd;
	ret = bpf_map_update_elem(fd, key, value, BPF_ANY);
	close(fd);
	return ret;
}

int policy_get(const char *name, const char *map, const void *key, void *value)
{
	int fd = policy_map(name, map), ret;

	if (fd < 0)
		return fd;
	ret = bpf_map_lookup_elem(fd, key, value);
	close(fd);
	return ret;
}

uint64_t policy_sum(const char *name, const char *map, uint32_t key)
{
	int cpus = libbpf_num_possible_cpus(), i;
	uint64_t sum = 0, *values;

	values = calloc(cpus > 0 ? cpus : 1, sizeof(*values));
	if (values && !policy_get(name, map, &key, values)) {
		for (i = 0; i < cpus; i++)
			sum += values[i];
	}
	free(values);
	return sum;
}
