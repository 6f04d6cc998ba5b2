// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of each call of one user beside many things of another user. Three
 * tables list the calls, four tables list the kinds of things.
 *
 * Each kind and number of things is one round with three new processes. Root
 * starts the measured user and the other user. The measured user gives
 * capabilities to the other user. The other user makes its things and reports.
 * Then the measured user measures all calls. It owns the same few things in
 * every round.
 *
 * Prints lines "call kind things cpu wall", both times in nanoseconds, which
 * are guest instructions in a machine that counts them; see struct cost. The
 * environment may choose: BENCH_COST_SIZES is a list, "0 1000 10000", and
 * BENCH_COST_KINDS and BENCH_COST_CALLS are patterns of names, "*".
 *
 * The limits on users are raised out of the way first, for the module's
 * lifetime: quota_*, total_* and credits.
 */

#include <fnmatch.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cost.h"

/* Numbers that are used up before the first measurement. */
#define OLD 4200

static const struct row *const row_lists[] = {
	message_rows,
	call_rows,
	way_rows,
};

static const struct kind *const kind_lists[] = {
	cap_kinds,
	object_kinds,
	message_kinds,
	thread_kinds,
};

static struct shared *shared;
static int link_fds[2]; /* between the users: [0] measures, [1] sends again */

static int raise_limits(void)
{
	static const char *const quotas[] = { "caps", "objects", "bytes",
					      "pages", "tickets" };
	char name[32];
	int ret = 0;

	for (unsigned int i = 0; i < 5 && !ret; i++) {
		snprintf(name, sizeof(name), "quota_%s", quotas[i]);
		ret = do_limit(name, 1 << 28);
		snprintf(name, sizeof(name), "total_%s", quotas[i]);
		ret = ret ?: do_limit(name, 1 << 30);
	}
	return ret ?: do_limit("quota_units", PHI_UNITS_MAX);
}

static void put_number(const char *path, const char *number)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, number, strlen(number)) < 0)
		fprintf(stderr, "cost: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* What the kernel itself allows users to have. */
static void raise_kernel_limits(void)
{
	const struct rlimit files = { 1 << 17, 1 << 17 };

	setrlimit(RLIMIT_NOFILE, &files);
	put_number("/proc/sys/kernel/pid_max", "200000");
	put_number("/proc/sys/kernel/threads-max", "100000");
	put_number("/proc/sys/vm/max_map_count", "400000");
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values)
{
	qsort(values, REPS, sizeof(values[0]), by_value);
	return values[REPS / 2];
}

/* One call between two looks at both clocks. */
static int time_once(const struct row *row, struct stage *s, double *cpu,
		     double *wall)
{
	uint64_t cpu_start, wall_start;
	int ret = row->before ? row->before(s) : 0;

	if (ret)
		return ret;
	cpu_start = cpu_ns();
	wall_start = monotonic_ns();
	ret = row->act(s);
	*wall = monotonic_ns() - wall_start;
	*cpu = cpu_ns() - cpu_start;
	return ret ?: row->after ? row->after(s) : 0;
}

static struct cost time_row(const struct row *row, struct stage *s)
{
	double cpu[REPS], wall[REPS];
	struct cost cost = {};

	for (int i = -WARM; i < REPS && !cost.error; i++) {
		int at = i < 0 ? 0 : i;

		cost.error = time_once(row, s, &cpu[at], &wall[at]);
	}
	if (cost.error)
		return cost;
	cost.cpu = median(cpu);
	cost.wall = median(wall);
	return cost;
}

static int do_nothing(struct stage *s)
{
	(void)s;
	return 0;
}

/* The clocks' own cost is taken off. */
static void measure(const struct row *row, struct stage *s, struct cost *cost)
{
	static const struct row empty = { .act = do_nothing };
	struct cost idle = time_row(&empty, s);

	*cost = time_row(row, s);
	cost->cpu -= idle.cpu;
	cost->wall -= idle.wall;
}

/* The other user sends again what the measured one has received. */
static int refill(void)
{
	int lost = shared->lost;

	shared->lost = 0;
	if (!lost)
		return 0;
	if (write(link_fds[0], &lost, sizeof(lost)) != sizeof(lost) ||
	    read(link_fds[0], &lost, sizeof(lost)) != sizeof(lost))
		return -EPIPE;
	return lost;
}

static bool wanted(const char *variable, const char *name)
{
	const char *pattern = getenv(variable) ?: "*";

	return !fnmatch(pattern, name, 0);
}

/* Call fn for each row that is wanted beside a kind. */
static int each_row(const struct kind *kind,
		    int (*fn)(const struct row *row, struct cost *cost,
			      void *arg),
		    void *arg)
{
	struct cost *cost = shared->costs;
	int ret = 0;

	for (unsigned int i = 0; i < 3; i++) {
		for (const struct row *row = row_lists[i]; row->name;
		     row++, cost++) {
			if (kind->flags & STEALS && row->flags & TAKES)
				continue;
			if (wanted("BENCH_COST_CALLS", row->name))
				ret = fn(row, cost, arg) ?: ret;
		}
	}
	return ret;
}

static int measure_row(const struct row *row, struct cost *cost, void *arg)
{
	int ret = refill();

	if (!ret)
		measure(row, arg, cost);
	return ret;
}

/**
 * struct peer - a process of one of the users
 * @pid: Its number.
 * @fd: Carries an int each time that one waits for the other.
 */
struct peer {
	pid_t pid;
	int fd;
};

static int hear(int fd)
{
	int word;

	return read(fd, &word, sizeof(word)) == sizeof(word) ? word : -EPIPE;
}

static void tell(int fd, int word)
{
	if (write(fd, &word, sizeof(word)) != sizeof(word))
		fprintf(stderr, "cost: nobody listens\n");
}

struct order {
	const struct kind *kind;
	int n;
};

/* Return: 0 in root's process; runs fn in the new one, and ends there. */
static int start_peer(struct peer *peer, const struct order *order,
		      void (*fn)(int fd, const struct order *order))
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	peer->pid = fork();
	if (peer->pid < 0)
		return -errno;
	if (!peer->pid) {
		close(fds[0]);
		fn(fds[1], order);
		_exit(0);
	}
	close(fds[1]);
	peer->fd = fds[0];
	return 0;
}

static void end_peer(struct peer *peer)
{
	if (peer->pid <= 0)
		return;
	kill(peer->pid, SIGKILL);
	waitpid(peer->pid, NULL, 0);
	close(peer->fd);
}

/* A change of the uid clears the signal of the parent's death: set it last. */
static int become_user(uid_t uid)
{
	return become(uid) ?: prctl(PR_SET_PDEATHSIG, SIGKILL) ? -errno : 0;
}

/* The user whose calls are measured. */
static void run_mine(int fd, const struct order *order)
{
	static struct stage stage;
	int calls = order->kind->flags & CALLS ? order->n : 0;

	close(link_fds[1]);
	tell(fd, become_user(MINE) ?: stage_make(&stage, shared));
	hear(fd);
	tell(fd, stage_take_calls(&stage, calls));
	hear(fd);
	tell(fd, each_row(order->kind, measure_row, &stage));
	hear(fd);
}

static int take_gifts(struct other *o)
{
	int ret;

	o->shared = shared;
	o->phi = do_open();
	if (o->phi < 0)
		return o->phi;
	ret = do_unseal(o->phi, &shared->ep, &o->ep);
	if (!ret)
		ret = do_unseal(o->phi, &shared->region, &o->region);
	if (!ret)
		ret = do_unseal(o->phi, &shared->notify, &o->notify);
	if (!ret)
		ret = do_unseal(o->phi, &shared->model, &o->model);
	if (!ret)
		ret = do_endpoint(o->phi, &o->own);
	return ret ?: do_notify(o->phi, &o->bell);
}

/* The user who makes things, and sends again what was received of them. */
static void run_other(int fd, const struct order *order)
{
	const struct kind *kind = order->kind;
	static struct other o;
	int ret = 0, lost;

	close(link_fds[0]);
	if (!(kind->flags & AS_ROOT))
		ret = become_user(OTHER);
	ret = ret ?: take_gifts(&o);
	tell(fd, ret ?: kind->make(&o, order->n));
	while ((lost = hear(link_fds[1])) >= 0) {
		ret = 0;
		for (int i = 0; i < lost && kind->refill && o.n && !ret; i++)
			ret = kind->refill(&o);
		tell(link_fds[1], ret);
	}
}

static int stop_peer(const struct peer *peer)
{
	if (kill(peer->pid, SIGSTOP))
		return -errno;
	/* Each of its threads has left its call when the process has stopped. */
	return waitpid(peer->pid, NULL, WUNTRACED) == peer->pid ? 0 : -errno;
}

static int print_row(const struct row *row, struct cost *cost, void *arg)
{
	const struct order *order = arg;

	if (cost->error) {
		printf("# %s beside %d %s: %s\n", row->name, order->n,
		       order->kind->name, strerror(-cost->error));
		return cost->error;
	}
	printf("%s %s %d %.0f %.0f\n", row->name, order->kind->name, order->n,
	       cost->cpu, cost->wall);
	return 0;
}

/*
 * Let the next process have a number of five digits, whatever was started
 * before; see grow_old().
 */
static void fix_pid(void)
{
	put_number("/proc/sys/kernel/ns_last_pid", "50000");
}

/* The two users do their parts, one after the other. */
static int play(struct order *order, int root, struct peer *mine,
		struct peer *other)
{
	const struct kind *kind = order->kind;
	int ret;

	fix_pid();
	ret = start_peer(mine, order, run_mine) ?: hear(mine->fd);
	if (!ret && kind->prepare)
		ret = kind->prepare(shared, root, order->n);
	if (!ret)
		ret = start_peer(other, order, run_other);
	if (!ret && !(kind->flags & CALLS))
		ret = hear(other->fd);
	tell(mine->fd, 0);
	ret = ret ?: hear(mine->fd);
	if (!ret && kind->flags & CALLS)
		ret = hear(other->fd);
	if (!ret && kind->flags & STOPPED)
		ret = stop_peer(other);
	if (ret)
		return ret;
	tell(mine->fd, 0);
	return hear(mine->fd);
}

static void remove_cgroups(int n)
{
	char path[64];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), CGROUP_OTHER "/%d", i);
		if (rmdir(path))
			return;
	}
}

/* Measure all calls beside n things of a kind. */
static int run(const struct kind *kind, int n, int watcher)
{
	struct order order = { kind,
			       kind->most && n > kind->most ? kind->most : n };
	struct peer mine = {}, other = {};
	struct phi_system_stats before;
	int root = do_open(), ret;

	memset(shared, 0, offsetof(struct shared, networks));
	if (root < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link_fds))
		return -errno;
	ret = do_limit("credits", 1 << 28) ?: do_stats(watcher, &before);
	/* Without that of root, which goes. */
	before.cspaces--;
	before.used[PHI_QUOTA_OBJECTS]--;
	ret = ret ?: play(&order, root, &mine, &other);
	end_peer(&other);
	end_peer(&mine);
	close(root);
	close(link_fds[0]);
	close(link_fds[1]);
	remove_cgroups(n);
	if (ret)
		printf("# %d %s: %s\n", order.n, kind->name, strerror(-ret));
	ret = ret ?: each_row(kind, print_row, &order);
	fflush(stdout);
	return do_settled(watcher, &before) ? ret : ret ?: -EBUSY;
}

static int run_sizes(const struct kind *kind, int watcher)
{
	char sizes[128], *size, *rest = sizes;
	int ret = 0;

	snprintf(sizes, sizeof(sizes), "%s",
		 getenv("BENCH_COST_SIZES") ?: "0 1000 10000");
	while ((size = strsep(&rest, " "))) {
		int n = atoi(size);

		if (n < 0 || n > MOST)
			return -EINVAL;
		ret = run(kind, n, watcher) ?: ret;
	}
	return ret;
}

static int make_cgroup(const char *path, uid_t uid)
{
	if ((mkdir(path, 0755) && errno != EEXIST) || chown(path, uid, uid))
		return -errno;
	return 0;
}

/* One cspace, model and inference more, each with the next number. */
static int count_on(void)
{
	struct phi_infer_begin begin;
	uint64_t id, model;
	int phi = do_open(), ret;

	if (phi < 0)
		return phi;
	ret = do_model(phi, 1, 0, &id, &model);
	ret = ret ?: do_begin(phi, model, 1, &begin);
	close(phi);
	return ret;
}

/*
 * Let numbers be as high as on a host that has run for a while: tables by
 * number have a level for each six bits, whatever the number of entries.
 */
static int grow_old(void)
{
	int ret = 0;

	for (int i = 0; i < OLD && !ret; i++)
		ret = count_on();
	return ret;
}

/* A unit for everybody, so that inferences of different users meet. */
static int prepare(int watcher)
{
	uint64_t cap;
	uint32_t id;
	int ret = raise_limits();

	raise_kernel_limits();
	ret = ret ?: make_cgroup(CGROUP_MINE, MINE);
	ret = ret ?: make_cgroup(CGROUP_OTHER, OTHER);
	ret = ret ?: do_unit(watcher, PHI_UNIT_CPU, 2, &id, &cap);
	return ret ?: grow_old();
}

int main(void)
{
	int watcher = do_open(), ret;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (watcher < 0 || shared == MAP_FAILED) {
		fprintf(stderr, "cost: is phi.ko loaded?\n");
		return 1;
	}
	ret = prepare(watcher);
	for (unsigned int i = 0; i < 4 && !ret; i++) {
		for (const struct kind *kind = kind_lists[i]; kind->name;
		     kind++) {
			if (wanted("BENCH_COST_KINDS", kind->name))
				ret = run_sizes(kind, watcher) ?: ret;
		}
	}
	if (ret)
		fprintf(stderr, "cost: %s\n", strerror(-ret));
	close(watcher);
	rmdir(CGROUP_MINE);
	rmdir(CGROUP_OTHER);
	return !!ret;
}
