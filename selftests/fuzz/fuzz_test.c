// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random calls from threads and dying processes, 200 000 by default. What must
 * hold is little: nothing hangs, the kernel log stays clean (tools/check looks
 * at it), no call returns an errno the interface does not have, and all that
 * was made is gone at the end. PHI_FUZZ_CALLS and PHI_FUZZ_SEED change it;
 * the seed of a failure is printed. With PHI_FUZZ_FAULTS the processes may be
 * chosen by the kernel's fault injection, as it is set up.
 */

#include "kselftest_harness.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fuzz.h"
#include "phi_message.h"

#define THREADS 3
#define CGROUP "/sys/fs/cgroup"
#define CALLS_PER_LIFE 5000

/* Calls that succeeded, counted by all processes. */
static unsigned long *succeeded;

static void keep(struct fuzzer *f, uint32_t type, uint64_t handle)
{
	if (type <= PHI_TYPE_SESSION)
		__atomic_store_n(&f->world->pool[f->which][type][any(f) % POOL],
				 handle, __ATOMIC_RELAXED);
}

static bool in_interface(int err)
{
	switch (err) {
	case EFAULT:
	case EINVAL:
	case E2BIG:
	case EOPNOTSUPP:
	case EBADF:
	case EKEYREVOKED:
	case EKEYEXPIRED:
	case EKEYREJECTED:
	case EPERM:
	case ELOOP:
	case EDQUOT:
	case EAGAIN:
	case ETIMEDOUT:
	case EPIPE:
	case EMSGSIZE:
	case ENOSPC:
	case ENOENT:
	case EEXIST:
	case ESRCH:
	case ENOMEM:
	case EINTR:
		return true;
	default:
		return false;
	}
}

static void count(unsigned int cmd)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].cmd == cmd)
			__atomic_add_fetch(&succeeded[i], 1, __ATOMIC_RELAXED);
	}
}

/* Whoever waits will not wait for long. */
static void answer(struct fuzzer *f, uint64_t endpoint, uint64_t reply)
{
	struct phi_reply_recv both = {
		.reply = { .size = sizeof(both.reply), .reply = reply },
		.recv = { .size = sizeof(both.recv),
			  .flags = PHI_NONBLOCK,
			  .endpoint = endpoint,
			  .data = any_pointer(f),
			  .len = PHI_MSG_MAX },
	};
	int phi = f->world->phi[f->which];

	if (one_in(f, 4)) {
		keep(f, PHI_TYPE_REPLY, reply);
	} else if (one_in(f, 2)) {
		if (!PHI_DO(phi, REPLY_RECV, &both))
			count(PHI_IOC_REPLY_RECV);
	} else if (!PHI_DO(phi, REPLY, &both.reply)) {
		count(PHI_IOC_REPLY);
	}
}

/* Keep what calls made, where the next ones find it. */
static void harvest(struct fuzzer *f, const struct call *call, uint64_t *arg)
{
	struct phi_recv *recv = (void *)arg;

	if (call->makes)
		keep(f, call->made ?: f->type, arg[call->makes / 8]);
	switch (call->cmd) {
	case PHI_IOC_ENDPOINT_FD:
		close(((struct phi_endpoint_fd *)arg)->fd);
		break;
	case PHI_IOC_PROCESS_ENDOW:
		close(((struct phi_process_endow *)arg)->fd);
		break;
	case PHI_IOC_REPLY_RECV:
		recv = &((struct phi_reply_recv *)arg)->recv;
		__attribute__((fallthrough));
	case PHI_IOC_RECV:
		if (recv->reply)
			answer(f, recv->endpoint, recv->reply);
		for (uint32_t i = 0; i < recv->ncaps; i++)
			keep(f, recv->caps[i].type, recv->caps[i].cap);
		break;
	case PHI_IOC_INFER_BEGIN:
		keep(f, 0, ((struct phi_infer_begin *)arg)->ticket);
		break;
	case PHI_IOC_BUDGET_RESERVE:
		keep(f, 0, ((struct phi_budget_reserve *)arg)->reservation);
		break;
	}
}

/* Map a region and touch it, whoever revokes it meanwhile. */
static void touch(struct fuzzer *f)
{
	struct phi_region_info info = { .cap = a_handle(f, PHI_TYPE_MEMORY) };
	int phi = f->world->phi[f->which];
	int sink = f->world->files[3];
	void *map;

	if (PHI_DO(phi, REGION_INFO, &info))
		return;
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, phi,
		   info.offset);
	if (map == MAP_FAILED)
		return;
	/* By way of the kernel, so that a revoked page is an error, no signal. */
	for (int i = 0; i < 4; i++) {
		if (pwrite(sink, map, 4096, 0) < 0 && errno != EFAULT)
			break;
		if (pread(sink, (uint8_t *)map + 4096, 4096, 0) < 0 &&
		    errno != EFAULT)
			break;
	}
	munmap(map, 8192);
}

static void fuzz_once(struct fuzzer *f)
{
	const struct call *call = &calls[any(f) % ARRAY_SIZE(calls)];
	uint64_t arg[CALL_BYTES / 8] = {};
	void *at = arg;

	/* After it a process of the agent can do nothing. */
	if (call->cmd == PHI_IOC_AGENT_KILL && !one_in(f, 32))
		return;
	/* The second cspace goes and comes: another way for things to end. */
	if (one_in(f, 1000)) {
		close(__atomic_exchange_n(&f->world->phi[1], do_open(),
					  __ATOMIC_RELAXED));
		return;
	}
	f->which = one_in(f, 3);
	if (one_in(f, 20))
		touch(f);
	fill(f, call, arg);
	if (one_in(f, 64))
		at = (void *)(uintptr_t)any_pointer(f);
	if (!ioctl(f->world->phi[f->which], call->cmd, at)) {
		count(call->cmd);
		if (at == arg)
			harvest(f, call, arg);
	} else if (!in_interface(errno) && (!f->which || errno != ENOTTY)) {
		/* The second one's file may have become any other. */
		f->wrong = errno;
		f->wrong_cmd = call->cmd;
	}
}

static void *fuzz_loop(void *arg)
{
	struct fuzzer *f = arg;

	for (int i = 0; i < CALLS_PER_LIFE / THREADS; i++)
		fuzz_once(f);
	return NULL;
}

/* A child that waits for the end of its parent. */
static int make_child(struct world *w)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(2000);
		for (;;)
			pause();
	}
	w->child = pid < 0 ? -1 : syscall(SYS_pidfd_open, pid, 0);
	return w->child < 0 ? -errno : 0;
}

/* Become a process of the cgroup that agents are made of. */
static int enter_cgroup(void)
{
	int fd = open(CGROUP "/fuzz/cgroup.procs", O_WRONLY | O_CLOEXEC);
	int ret = write(fd, "0", 1) == 1 ? 0 : -errno;

	close(fd);
	return ret;
}

static int try_to_make_world(struct world *w)
{
	w->phi[0] = do_open();
	w->phi[1] = do_open();
	w->self = syscall(SYS_pidfd_open, getpid(), 0);
	w->files[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->files[1] = -1;
	w->files[2] = open(CGROUP, O_RDONLY | O_CLOEXEC);
	w->files[3] = memfd_create("sink", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	w->files[4] = open(CGROUP "/fuzz", O_RDONLY | O_CLOEXEC);
	w->memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->phi[0] < 0)
		return w->phi[0];
	if (w->phi[1] < 0)
		return w->phi[1];
	if (w->memory == MAP_FAILED || w->files[0] < 0 || w->files[3] < 0)
		return -errno;
	for (int i = 3; i < PAGES; i += 4)
		mprotect(w->memory + i * 4096, 4096, PROT_NONE);
	if (ftruncate(w->files[3], 4096) ||
	    fcntl(w->files[3], F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	return make_child(w);
}

/* Where memory is short, or made to seem so, that may take some attempts. */
static int make_world(struct world *w)
{
	int ret;

	for (int tries = 0; tries < 1000; tries++) {
		ret = try_to_make_world(w);
		if (ret != -ENOMEM)
			break;
		for (int i = 0; i < 2; i++)
			close(w->phi[i]);
		for (int i = 0; i < 5; i++)
			close(w->files[i]);
		close(w->self);
		if (w->memory != MAP_FAILED)
			munmap(w->memory, PAGES * 4096);
	}
	return ret;
}

/*
 * One REPLY_RECV that finds both a caller and a message: at random the two
 * meet in some runs and in others not.
 */
static int answer_and_receive(struct world *w)
{
	char data[16];
	struct phi_call call = {};
	struct job job = JOB(w->phi[0], CALL, &call);
	struct phi_recv recv;
	struct phi_reply_recv both = {};
	uint64_t ep;
	int ret;

	ret = do_endpoint(w->phi[0], &ep);
	if (ret)
		return ret;
	call.endpoint = ep;
	ret = -pthread_create(&job.thread, NULL, job_thread, &job);
	if (ret)
		return ret;
	ret = do_recv_soon(w->phi[0], ep, data, sizeof(data), &recv);
	if (!ret)
		ret = do_send(w->phi[0], ep, "x", 1);
	both.reply = (struct phi_reply){ .size = sizeof(both.reply),
					 .reply = recv.reply };
	both.recv = (struct phi_recv){ .size = sizeof(both.recv),
				       .flags = PHI_NONBLOCK,
				       .endpoint = ep,
				       .data = (uintptr_t)data,
				       .len = sizeof(data) };
	if (!ret)
		ret = PHI_DO(w->phi[0], REPLY_RECV, &both);
	if (!ret)
		count(PHI_IOC_REPLY_RECV);
	/* Without its endpoint a call that nobody answered ends too. */
	if (ret)
		do_drop(w->phi[0], ep);
	ret = job_join(&job) ?: ret;
	do_drop(w->phi[0], ep);
	return ret;
}

/*
 * A process of an agent names the agent's inbox, which the agent's holder takes
 * away: at random one of them kills the agent before that.
 */
static int evict_inbox(struct world *w)
{
	struct phi_agent_register agent = { .cgroup = w->files[4],
					    .name = "fuzz" };
	struct phi_cspace_inbox inbox = { .flags = PHI_INBOX_AGENT };
	struct phi_agent_evict evict = {};
	int ret = PHI_DO(w->phi[0], AGENT_REGISTER, &agent);

	if (ret)
		return ret;
	evict.agent = agent.cap;
	ret = do_endpoint(w->phi[0], (uint64_t *)&inbox.endpoint);
	ret = ret ?: PHI_DO(w->phi[0], CSPACE_INBOX, &inbox);
	ret = ret ?: PHI_DO(w->phi[0], AGENT_EVICT, &evict);
	if (!ret)
		count(PHI_IOC_AGENT_EVICT);
	do_drop(w->phi[0], inbox.endpoint);
	do_drop(w->phi[0], agent.cap);
	return ret;
}

/* What a process is told, and what it tells. */
struct life {
	uint64_t seed;
	unsigned int dies_after_us; /* 0 = when it is done */
	uid_t uid;
};

static void *killer(void *arg)
{
	usleep(*(unsigned int *)arg);
	kill(getpid(), SIGKILL);
	return NULL;
}

/*
 * Start a process that keeps the privileges which the caller is about to lose.
 * Return: the socket by which injection_begin() asks it, or -1.
 */
static int injection_prepare(void)
{
	char path[64], done = 1;
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", getpid());
	if (fork()) {
		close(pair[1]);
		return pair[0];
	}
	close(pair[0]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (read(pair[1], &done, 1) == 1 && write(fd, "1", 1) == 1)
		_exit(write(pair[1], &done, 1) != 1);
	_exit(1);
}

/* From here on the kernel's fault injection may choose this process. */
static int injection_begin(int ask)
{
	char done = 1;
	bool begun = write(ask, &done, 1) == 1 && read(ask, &done, 1) == 1;

	close(ask);
	return begun ? 0 : -EOPNOTSUPP;
}

/* Join threads that have ended: while all of them call, few have. */
static void join_threads(struct world *w)
{
	for (int i = 0; i < POOL; i++) {
		struct phi_thread_join join = {
			.thread = w->pool[0][PHI_TYPE_THREAD][i],
			.deadline_ns = monotonic_ns() + 100000000,
		};

		if (!PHI_DO(w->phi[0], THREAD_JOIN, &join))
			count(PHI_IOC_THREAD_JOIN);
	}
}

/* The life of one process: some threads that call at random. */
static int live(void *arg)
{
	struct life *life = arg;
	struct fuzzer f[THREADS] = {};
	static struct world world;
	pthread_t thread[THREADS], death;
	bool faults = getenv("PHI_FUZZ_FAULTS");
	bool inside = life->seed % 8 == 1;
	int ret, ask = faults ? injection_prepare() : -1;

	mkdir(CGROUP "/fuzz", 0755);
	ret = inside ? enter_cgroup() : 0;
	if (!ret && life->uid)
		ret = become(life->uid);
	if (!ret)
		ret = make_world(&world);
	if (!ret)
		ret = answer_and_receive(&world);
	if (!ret && inside && !life->uid)
		ret = evict_inbox(&world);
	if (!ret && faults)
		ret = injection_begin(ask);
	if (ret)
		return ret;
	/* A hang is a failure, not a wait. */
	alarm(2000);
	if (life->dies_after_us &&
	    pthread_create(&death, NULL, killer, &life->dies_after_us))
		return -EIO;
	for (int i = 0; i < THREADS; i++) {
		f[i].world = &world;
		f[i].state = (life->seed << 8 | i) * 0x9e3779b97f4a7c15ULL | 1;
		/* Where memory is short, this is done without a thread. */
		if (pthread_create(&thread[i], NULL, fuzz_loop, &f[i])) {
			fuzz_loop(&f[i]);
			thread[i] = 0;
		}
	}
	for (int i = 0; i < THREADS; i++) {
		if (thread[i])
			pthread_join(thread[i], NULL);
	}
	join_threads(&world);
	for (int i = 0; i < THREADS; i++) {
		if (f[i].wrong) {
			printf("# call %#x: %s\n", f[i].wrong_cmd,
			       strerror(f[i].wrong));
			return -f[i].wrong;
		}
	}
	return 0;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* A loop that is always refused would prove nothing. */
static void show_what_succeeded(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		printf("# %7lu %s\n", succeeded[i], calls[i].name);
}

FIXTURE(fuzz)
{
	int phi;
	struct phi_system_stats before;
};

FIXTURE_SETUP(fuzz)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	succeeded = mmap(NULL, sizeof(*succeeded) * ARRAY_SIZE(calls),
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	ASSERT_NE(MAP_FAILED, succeeded);
}

FIXTURE_TEARDOWN(fuzz)
{
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	close(self->phi);
}

TEST_F_TIMEOUT(fuzz, random_calls, 580)
{
	unsigned long wanted = setting("PHI_FUZZ_CALLS", 200000);
	unsigned long seed = setting("PHI_FUZZ_SEED", 1);

	for (unsigned long made = 0; made < wanted; seed++) {
		/* Every fourth process is killed before it is done. */
		struct life life = {
			.seed = seed,
			.dies_after_us = seed % 4 ? 0 : 1000 + seed % 7 * 20000,
			.uid = seed % 3 ? 0 : 4242 + seed % 2,
		};
		int ret = in_child(live, &life);

		/* ECHILD: it died; only those that were to die may. */
		if (!life.dies_after_us || ret != -ECHILD) {
			ASSERT_EQ(0, ret)
			{
				TH_LOG("seed %lu", seed);
			}
			made += CALLS_PER_LIFE;
		}
	}
	show_what_succeeded();
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_TRUE(succeeded[i] || wanted < 200000)
		{
			TH_LOG("%s never succeeded", calls[i].name);
		}
	}
}

TEST_HARNESS_MAIN
