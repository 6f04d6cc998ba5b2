// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cgroups of initd: DIR/supervisor, which it is in itself, and
 * DIR/services with one for each service that runs. All of DIR belongs to the
 * user of initd: systemd gives it with Delegate=yes, or root does before it
 * becomes that user.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "clock.h"
#include "initd.h"
#include "log.h"

#define CGROUPS "/sys/fs/cgroup"
#define SUPERVISOR "supervisor"
#define SERVICES "services"
/* Cgroups that a service may make in its own, and how deep. */
#define DESCENDANTS "64"
#define DEPTH "8"
/* Cgroups of one service that are entered to remove them. */
#define STEPS_MAX 100000
/* Longest wait for the processes that an earlier initd has left. */
#define CLEAR_NS 10000000000ULL
/* How a cgroup comes to be this user's. */
#define ADVICE                                    \
	"start it by systemd with Delegate=yes, " \
	"or as root with --cgroup and --user"

static int write_at(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)strlen(text);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)len) != len)
		ret = -errno;
	close(fd);
	return ret;
}

static int read_at(int dir, const char *name, char *text, size_t room)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, room - 1);
	n = n < 0 ? -errno : n;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return 0;
}

/* The cgroup that this process was started in. */
static int own_path(char path[PATH_MAX])
{
	char text[PATH_MAX];
	char *line;
	int ret = read_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));

	if (ret)
		return ret;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "0::", 3))
			continue;
		ret = snprintf(path, PATH_MAX, CGROUPS "%s", line + 3);
		return ret < PATH_MAX ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}

static int open_dir(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int give_to(int dir, const struct passwd *pw)
{
	static const char *const files[] = { "", "cgroup.procs",
					     "cgroup.threads",
					     "cgroup.subtree_control" };
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (fchownat(dir, files[i], pw->pw_uid, pw->pw_gid,
			     AT_EMPTY_PATH))
			return -errno;
	}
	return 0;
}

/* Controllers reach a cgroup when those above it pass them on. */
static void pass_on(int dir)
{
	write_at(dir, "cgroup.subtree_control", "+cpu");
	write_at(dir, "cgroup.subtree_control", "+memory");
	write_at(dir, "cgroup.subtree_control", "+pids");
}

/* Other directories are not given away. */
static int open_cgroup(const char *path)
{
	int dir = open_dir(AT_FDCWD, path);
	struct statfs fs;
	int ret = 0;

	if (dir < 0)
		return dir;
	if (fstatfs(dir, &fs))
		ret = -errno;
	else if (fs.f_type != CGROUP2_SUPER_MAGIC)
		ret = -EOPNOTSUPP;
	if (!ret)
		return dir;
	close(dir);
	return ret;
}

static int make_cgroup(const char *path)
{
	int dir = open_cgroup(path);
	char above[PATH_MAX];
	int parent;

	/* A path that is too long has been refused by now. */
	if (dir != -ENOENT)
		return dir;
	snprintf(above, sizeof(above), "%s", path);
	parent = open_cgroup(dirname(above));
	if (parent < 0)
		return parent;
	if (mkdir(path, 0755)) {
		dir = -errno;
	} else {
		pass_on(parent);
		dir = open_cgroup(path);
	}
	close(parent);
	return dir;
}

static int delegate(const char *path, const struct passwd *pw)
{
	static const char *const below[] = { SUPERVISOR, SERVICES };
	int dir, sub, ret;
	size_t i;

	dir = make_cgroup(path);
	if (dir < 0)
		return dir;
	/* Only the cgroup of all has none. */
	ret = faccessat(dir, "cgroup.events", F_OK, 0) ? -EPERM :
							 give_to(dir, pw);
	for (i = 0; !ret && i < 2; i++) {
		mkdirat(dir, below[i], 0755);
		sub = open_dir(dir, below[i]);
		ret = sub < 0 ? sub : give_to(sub, pw);
		if (sub >= 0)
			close(sub);
	}
	if (!ret) {
		sub = open_dir(dir, SUPERVISOR);
		ret = sub < 0 ? sub : write_at(sub, "cgroup.procs", "0");
		if (sub >= 0)
			close(sub);
	}
	close(dir);
	return ret;
}

/**
 * init_cgroup_delegate() - give a cgroup to a user, and move there
 * @path: Cgroup v2 directory, made unless it is there.
 * @user: The user's name.
 *
 * Context: Main thread, as root.
 * Return: 0, or a negative errno, which was logged.
 */
int init_cgroup_delegate(const char *path, const char *user)
{
	const struct passwd *pw = getpwnam(user);
	int ret;

	if (!pw) {
		say("there is no user %s", user);
		return -ENOENT;
	}
	ret = delegate(path, pw);
	if (ret)
		say("cannot give the cgroup %s to %s: %s", path, user,
		    strerror(-ret));
	return ret;
}

/* Is there another initd? This one is in DIR/supervisor already. */
static bool alone(int supervisor)
{
	char text[256];

	return !read_at(supervisor, "cgroup.procs", text, sizeof(text)) &&
	       strchr(text, '\n') == text + strlen(text) - 1;
}

/* A service that an earlier initd has left may hold the lock, too. */
static int lock(int services, int supervisor)
{
	if (!flock(services, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	if (!alone(supervisor))
		return -EBUSY;
	init_cgroup_clear(services);
	return flock(services, LOCK_EX | LOCK_NB) ? -EBUSY : 0;
}

/* Move this process out of the way, so that DIR passes controllers on. */
static int settle(int dir)
{
	int services = -1;
	int sub, ret;

	if (mkdirat(dir, SUPERVISOR, 0755) && errno != EEXIST)
		return -errno;
	if (mkdirat(dir, SERVICES, 0755) && errno != EEXIST)
		return -errno;
	sub = open_dir(dir, SUPERVISOR);
	if (sub < 0)
		return sub;
	ret = write_at(sub, "cgroup.procs", "0");
	if (!ret) {
		pass_on(dir);
		services = open_dir(dir, SERVICES);
		ret = services < 0 ? services : lock(services, sub);
	}
	close(sub);
	if (!ret) {
		pass_on(services);
		return services;
	}
	if (services >= 0)
		close(services);
	return ret;
}

/* A bomb of processes in a service has to end at its own limit. */
static int check_pids(int services)
{
	char text[256];
	int ret =
		read_at(services, "cgroup.subtree_control", text, sizeof(text));

	return ret ? ret : strstr(text, "pids") ? 0 : -EOPNOTSUPP;
}

/**
 * init_cgroup_open() - take the cgroups of initd
 * @path: Cgroup v2 directory that is this user's; NULL = the process's own.
 *
 * Context: Main thread, as the user that initd stays.
 * Return: Descriptor of the directory for the services, which is locked; or a
 * negative errno, which was logged.
 */
int init_cgroup_open(const char *path)
{
	char own[PATH_MAX];
	int ret = 0;
	int dir;

	if (!path) {
		ret = own_path(own);
		path = own;
	}
	dir = ret ? ret : open_dir(AT_FDCWD, path);
	if (dir < 0) {
		say("cannot open the cgroup: %s", strerror(-dir));
		return dir;
	}
	ret = settle(dir);
	close(dir);
	if (ret == -EBUSY)
		say("another initd uses the cgroup %s", path);
	else if (ret < 0)
		say("the cgroup %s is not this user's: %s; " ADVICE, path,
		    strerror(-ret));
	if (ret < 0)
		return ret;
	if (check_pids(ret)) {
		say("the cgroup %s has no pids controller or other processes; " ADVICE,
		    path);
		close(ret);
		return -EOPNOTSUPP;
	}
	return ret;
}

/**
 * init_cgroup_populated() - is a process left in a cgroup or below it?
 * @events: Its cgroup.events.
 *
 * Context: Any thread.
 * Return: 0 or 1; 1 also when the file cannot be read.
 */
int init_cgroup_populated(int events)
{
	char text[256];
	ssize_t n = pread(events, text, sizeof(text) - 1, 0);

	if (n < 0)
		return 1;
	text[n] = '\0';
	return !strstr(text, "populated 0");
}

/**
 * init_cgroup_kill() - kill all processes of a cgroup and below it
 * @cgroup: Cgroup.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int init_cgroup_kill(int cgroup)
{
	return write_at(cgroup, "cgroup.kill", "1");
}

/* Wait until it is empty. */
static int await_end(int cgroup)
{
	uint64_t until = clock_ns() + CLEAR_NS;
	struct pollfd p = { .events = POLLPRI };
	int ret = 0;

	p.fd = openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (p.fd < 0)
		return -errno;
	while (init_cgroup_populated(p.fd) && !ret) {
		uint64_t now = clock_ns();

		if (now >= until)
			ret = -ETIMEDOUT;
		else
			poll(&p, 1, (int)((until - now) / 1000000 + 1));
	}
	close(p.fd);
	return ret;
}

/* A service may give a cgroup any name, also one that begins with a dot. */
static bool is_below(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") &&
	       strcmp(entry->d_name, "..");
}

/* Do this to all cgroups in one, but not to those below them. */
static int each_in(int cgroup, int (*fn)(int cgroup, const char *name))
{
	int copy = open_dir(cgroup, ".");
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int ret = 0;

	if (!dir) {
		ret = copy < 0 ? copy : -errno;
		if (copy >= 0)
			close(copy);
		return ret;
	}
	while ((entry = readdir(dir))) {
		if (is_below(entry))
			ret = fn(cgroup, entry->d_name) ?: ret;
	}
	closedir(dir);
	return ret;
}

static int kill_one(int services, const char *name)
{
	int cgroup = open_dir(services, name);
	int ret;

	if (cgroup < 0)
		return cgroup;
	ret = init_cgroup_kill(cgroup);
	close(cgroup);
	return ret;
}

/**
 * init_cgroup_kill_all() - kill all processes of all services
 * @services: Where they are; cgroup.kill there may be root's.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int init_cgroup_kill_all(int services)
{
	return each_in(services, kill_one);
}

/* Remove the cgroups in one that have none; @left: one that stays, or "". */
static int sweep(int cgroup, char left[NAME_MAX + 1])
{
	int copy = open_dir(cgroup, ".");
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int removed = 0;

	*left = '\0';
	if (!dir) {
		removed = copy < 0 ? copy : -errno;
		if (copy >= 0)
			close(copy);
		return removed;
	}
	while ((entry = readdir(dir))) {
		if (!is_below(entry))
			continue;
		if (!unlinkat(cgroup, entry->d_name, AT_REMOVEDIR))
			removed++;
		else
			snprintf(left, NAME_MAX + 1, "%s", entry->d_name);
	}
	closedir(dir);
	return removed;
}

/*
 * A service may nest them as deep as it likes: this goes down by name and up
 * by "..", and has as many descriptors open for one as for a thousand.
 */
static int remove_below(int top)
{
	char next[NAME_MAX + 1];
	int at = open_dir(top, ".");
	uint32_t depth = 0, steps;
	bool up = false;
	int ret = at;

	for (steps = 0; ret >= 0; steps++) {
		int from = at;

		ret = sweep(at, next);
		/* sweep() could not remove the directory that this loop emptied. */
		if (*next && up && !ret)
			ret = -EBUSY;
		else if (steps == STEPS_MAX)
			ret = -EAGAIN;
		if (ret < 0 || (!*next && !depth))
			break;
		up = !*next;
		depth += up ? -1 : 1;
		at = open_dir(from, up ? ".." : next);
		close(from);
		ret = at;
	}
	if (at >= 0)
		close(at);
	return ret < 0 ? ret : 0;
}

/**
 * init_cgroup_remove() - remove a cgroup without processes
 * @services: Where it is.
 * @name: Its name.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int init_cgroup_remove(int services, const char *name)
{
	int dir, ret;

	if (!unlinkat(services, name, AT_REMOVEDIR))
		return 0;
	dir = open_dir(services, name);
	if (dir < 0)
		return dir;
	ret = remove_below(dir);
	close(dir);
	if (!ret && unlinkat(services, name, AT_REMOVEDIR))
		ret = -errno;
	return ret;
}

static int clear_one(int services, const char *name)
{
	int cgroup = open_dir(services, name);
	int ret = cgroup < 0 ? cgroup : init_cgroup_kill(cgroup);

	if (!ret)
		ret = await_end(cgroup);
	if (cgroup >= 0)
		close(cgroup);
	if (!ret)
		ret = init_cgroup_remove(services, name);
	say("%s: %s what an earlier initd left%s%s", name,
	    ret ? "cannot end" : "ended", ret ? ": " : "",
	    ret ? strerror(-ret) : "");
	return 0;
}

/**
 * init_cgroup_clear() - end the services that an earlier initd has left
 * @services: Where they are.
 *
 * One that does not end is logged, and keeps no others from starting.
 *
 * Context: Main thread, before there are services.
 * Return: 0 or a negative errno, which was logged.
 */
int init_cgroup_clear(int services)
{
	return each_in(services, clear_one);
}

static int limit(int cgroup, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_at(cgroup, name, text);
}

static int limit_all(int cgroup, const struct init_config *c)
{
	char text[64];
	int ret;

	ret = write_at(cgroup, "cgroup.max.depth", DEPTH);
	if (!ret)
		ret = write_at(cgroup, "cgroup.max.descendants", DESCENDANTS);
	if (!ret)
		ret = limit(cgroup, "pids.max", c->tasks_max);
	if (!ret && c->memory_max)
		ret = limit(cgroup, "memory.max", c->memory_max);
	if (ret || !c->cpu_percent)
		return ret;
	snprintf(text, sizeof(text), "%llu 100000",
		 (unsigned long long)c->cpu_percent * 1000);
	return write_at(cgroup, "cpu.max", text);
}

/**
 * init_cgroup_make() - make the cgroup of a service, with its limits
 * @services: Where it goes.
 * @c: Settings of the service.
 *
 * Context: Any thread.
 * Return: Its descriptor; -ENOENT when a limit needs a controller that the
 * cgroup has not; or another negative errno.
 */
int init_cgroup_make(int services, const struct init_config *c)
{
	int cgroup, ret;

	ret = mkdirat(services, c->name, 0755) ? -errno : 0;
	if (ret == -EEXIST) {
		/* Processes that kept it from being removed may have ended. */
		kill_one(services, c->name);
		init_cgroup_remove(services, c->name);
		ret = mkdirat(services, c->name, 0755) ? -errno : 0;
	}
	if (ret)
		return ret;
	cgroup = open_dir(services, c->name);
	ret = cgroup < 0 ? cgroup : limit_all(cgroup, c);
	if (!ret)
		return cgroup;
	if (cgroup >= 0)
		close(cgroup);
	unlinkat(services, c->name, AT_REMOVEDIR);
	return ret;
}
