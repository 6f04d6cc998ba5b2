// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a storm: calls with likely arguments, by ioctl and io_uring, and
 * what else a process can do to its handles and mappings meanwhile.
 */

#include "kselftest.h"

#include "storm.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define PAGE 4096UL
/* Nobody waits longer for a completion: every call has a deadline. */
#define PATIENCE_S 60

static void keep(struct fuzzer *f, uint32_t type, uint64_t handle)
{
	if (type <= PHI_TYPE_SESSION)
		__atomic_store_n(&f->world->pool[f->which][type][any(f) % POOL],
				 handle, __ATOMIC_RELAXED);
}

static void harvest(struct fuzzer *f, const struct call *call, uint64_t *arg)
{
	struct phi_recv *recv = (void *)arg;

	if (call->makes)
		keep(f, call->made ?: f->type, arg[call->makes / 8]);
	switch (call->cmd) {
	case PHI_IOC_ENDPOINT_FD:
		close(((struct phi_endpoint_fd *)arg)->fd);
		break;
	case PHI_IOC_REPLY_RECV:
		recv = &((struct phi_reply_recv *)arg)->recv;
		__attribute__((fallthrough));
	case PHI_IOC_RECV:
		keep(f, PHI_TYPE_REPLY, recv->reply);
		for (uint32_t i = 0; i < recv->ncaps && i < PHI_MSG_CAPS_MAX;
		     i++)
			keep(f, recv->caps[i].type, recv->caps[i].cap);
		break;
	case PHI_IOC_INFER_BEGIN:
		keep(f, 0, ((struct phi_infer_begin *)arg)->ticket);
		break;
	}
}

/* Return: 0 or a negative errno. */
static int by_ring(struct io_uring *ring, int phi, uint32_t cmd, void *arg)
{
	struct __kernel_timespec limit = { .tv_sec = PATIENCE_S };
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	uint64_t pointer = (uintptr_t)arg;
	struct io_uring_cqe *cqe;
	int ret;

	if (!sqe)
		return -EBADE;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = phi;
	sqe->cmd_op = cmd;
	memcpy(sqe->cmd, &pointer, sizeof(pointer));
	if (io_uring_submit(ring) != 1)
		return -EBADE;
	/* Being stopped or frozen ends this wait, not the call. */
	do {
		ret = io_uring_wait_cqe_timeout(ring, &cqe, &limit);
	} while (ret == -EINTR);
	if (ret)
		return -EBADE;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

static void step_call(struct storm_thread *t, struct fuzzer *f)
{
	const struct call *call = &calls[any(f) % ARRAY_SIZE(calls)];
	uint64_t arg[CALL_BYTES / 8] = {};
	int phi = f->world->phi[f->which];
	int ret;

	fill(f, call, arg);
	if (t->has_ring && one_in(f, 4))
		ret = by_ring(&t->ring, phi, call->cmd, arg);
	else
		ret = ioctl(phi, call->cmd, arg) ? -errno : 0;
	if (ret == -EBADE)
		t->storm->wrong = ret;
	if (!ret)
		harvest(f, call, arg);
}

/* What was derived before a revoke is dead when that returns. */
static void step_revoke(struct storm *storm, struct fuzzer *f)
{
	int phi = f->world->phi[f->which];
	uint64_t cap = a_handle(f, 0);
	struct phi_cap_query query;
	uint64_t child, grandchild;
	int ret;

	if (do_query(phi, cap, &query) ||
	    do_derive(phi, cap, query.rights, &child))
		return;
	if (do_derive(phi, child, query.rights, &grandchild))
		grandchild = child;
	if (!do_revoke(phi, cap)) {
		/* Another thread may have dropped it, or closed the cspace. */
		ret = do_probe(phi, grandchild);
		if (!ret && f->which == 0)
			storm->wrong = -EKEYREVOKED;
	}
	do_drop(phi, grandchild);
	do_drop(phi, child);
}

/* A map has one user at a time: its address may be another's after munmap. */
static void *take_map(void **place)
{
	return __atomic_exchange_n(place, NULL, __ATOMIC_RELAXED);
}

static void put_map(void **place, void *map)
{
	map = __atomic_exchange_n(place, map, __ATOMIC_RELAXED);
	if (map)
		munmap(map, 2 * PAGE);
}

/* To another address; what it was mapped with goes along. */
static void *move_map(void *map)
{
	void *to = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	void *moved;

	if (to == MAP_FAILED)
		return map;
	moved = mremap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       to);
	/* One that fails may have unmapped @to: it may be another's by now. */
	return moved == MAP_FAILED ? map : moved;
}

/* Map a region in one of the places, or take what is there elsewhere. */
static void step_map(struct storm *storm, struct fuzzer *f)
{
	void **place = &storm->maps[any(f) % STORM_MAPS];
	struct phi_region_info info = { .cap = a_handle(f, PHI_TYPE_MEMORY) };
	int phi = f->world->phi[f->which];
	void *map = take_map(place);

	if (map && one_in(f, 2)) {
		put_map(place, move_map(map));
		return;
	}
	if (map)
		munmap(map, 2 * PAGE);
	if (PHI_DO(phi, REGION_INFO, &info))
		return;
	map = mmap(NULL, 2 * PAGE,
		   one_in(f, 4) ? PROT_READ : PROT_READ | PROT_WRITE,
		   MAP_SHARED, phi, info.offset);
	if (map == MAP_FAILED)
		return;
	if (one_in(f, 8))
		madvise(map, 2 * PAGE, MADV_DOFORK);
	if (one_in(f, 8))
		mprotect(map, PAGE, PROT_READ);
	put_map(place, map);
}

/* By way of the kernel, so that a page that is gone is an error, no signal. */
static void step_touch(struct storm *storm, struct fuzzer *f)
{
	void **place = &storm->maps[any(f) % STORM_MAPS];
	int sink = f->world->files[3];
	void *map = take_map(place);

	if (!map)
		return;
	if (pwrite(sink, map, PAGE, 0) < 0 && errno != EFAULT)
		storm->wrong = -errno;
	if (pread(sink, (char *)map + PAGE, PAGE, 0) < 0 && errno != EFAULT)
		storm->wrong = -errno;
	put_map(place, map);
}

/* A child has the file, but is another process. */
static void step_fork(struct storm *storm, struct fuzzer *f)
{
	struct phi_cap_query query;
	int status;
	pid_t pid = fork();

	if (!pid) {
		do_query(f->world->phi[0], a_handle(f, 0), &query);
		if (one_in(f, 4))
			execl("/bin/true", "true", NULL);
		if (one_in(f, 4))
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status))
		storm->wrong = -ECHILD;
}

/* A thread that leaves the file table, and ends the life of its copy. */
static void *leaver(void *arg)
{
	int *phi = arg;

	if (unshare(CLONE_FILES))
		return NULL;
	close(phi[0]);
	close(do_open());
	return NULL;
}

static void step_unshare(struct fuzzer *f)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, leaver, f->world->phi))
		pthread_join(thread, NULL);
}

/* The second cspace goes and comes. */
static void step_reopen(struct fuzzer *f)
{
	int fresh = do_open();

	/* Into the same number, so that no other file is closed by mistake. */
	if (fresh >= 0) {
		dup3(fresh, f->world->phi[1], O_CLOEXEC);
		close(fresh);
	}
}

/**
 * storm_step() - do one step of a program
 * @t: The thread.
 * @step: Which, and with what.
 */
void storm_step(struct storm_thread *t, uint32_t step)
{
	struct fuzzer f = {
		.world = &t->storm->world,
		.state = step * 0x9e3779b97f4a7c15ULL | 1,
	};

	any(&f);
	f.which = one_in(&f, 4);
	switch (any(&f) % 64) {
	case 0 ... 3:
		step_revoke(t->storm, &f);
		break;
	case 4 ... 6:
		step_map(t->storm, &f);
		break;
	case 7 ... 9:
		step_touch(t->storm, &f);
		break;
	case 10:
		if (one_in(&f, 4))
			step_fork(t->storm, &f);
		break;
	case 11:
		if (one_in(&f, 4))
			step_unshare(&f);
		break;
	case 12:
		if (one_in(&f, 4))
			step_reopen(&f);
		break;
	case 13:
		if (t->storm->mortal && one_in(&f, 8))
			kill(getpid(), SIGKILL);
		break;
	default:
		step_call(t, &f);
	}
}

/**
 * storm_enter() - make a thread ready for steps
 * @t: Out, the thread.
 * @storm: What it shares with others.
 *
 * Return: 0 or a negative errno. Without io_uring it uses ioctls alone.
 */
int storm_enter(struct storm_thread *t, struct storm *storm)
{
	int ret;

	*t = (struct storm_thread){ .storm = storm };
	ret = io_uring_queue_init(4, &t->ring, 0);
	t->has_ring = !ret;
	return ret == -EPERM || ret == -ENOSYS ? 0 : ret;
}

/**
 * storm_leave() - end a thread
 * @t: The thread.
 */
void storm_leave(struct storm_thread *t)
{
	if (t->has_ring)
		io_uring_queue_exit(&t->ring);
}

/**
 * storm_world() - make what programs work on
 * @storm: Zeroed.
 *
 * Return: 0 or a negative errno.
 */
int storm_world(struct storm *storm)
{
	struct world *w = &storm->world;

	w->phi[0] = do_open();
	w->phi[1] = do_open();
	w->files[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->files[1] = -1;
	w->files[2] = -1;
	w->files[4] = -1;
	w->files[3] = memfd_create("sink", MFD_CLOEXEC);
	w->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->phi[0] < 0)
		return w->phi[0];
	if (w->phi[1] < 0)
		return w->phi[1];
	if (w->files[0] < 0 || w->files[3] < 0 || w->memory == MAP_FAILED)
		return -errno;
	if (ftruncate(w->files[3], PAGE))
		return -errno;
	for (int i = 3; i < PAGES; i += 4)
		mprotect(w->memory + i * PAGE, PAGE, PROT_NONE);
	return 0;
}
