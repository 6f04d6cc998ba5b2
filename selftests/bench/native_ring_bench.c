// SPDX-License-Identifier: GPL-2.0-only
/*
 * A message of 64 bytes from one thread to another on the next core: the ring
 * against what else there is. "stream" sends as fast as the reader takes,
 * "turn" waits for the answer to each.
 *
 * Prints lines "name value unit ratio": nanoseconds a message (a turn is two),
 * the least of several rounds, and how many times the ring's figure that is.
 * Two cores that are idle otherwise make it meaningful: chrt -f 1 helps.
 */
#include <err.h>
#include <errno.h>
#include <phi/ring.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LEN 64
#define ROUNDS 9
#define STREAM 100000
#define TURNS 5000
#define ENOUGH_NS 2000000000ULL /* for the rounds of one figure */
#define DEPTH 256

static int fds[2][2]; /* [side][0 to read, 1 to write] */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void need(int ok, const char *what)
{
	if (!ok)
		err(1, "native_ring_bench: %s", what);
}

/* A way to send; both functions wait as long as it takes. */
struct way {
	const char *name;
	void (*open)(void);
	void (*send)(int side, const void *buf);
	void (*recv)(int side, void *buf);
	void (*close)(void);
};

/* The ring, with eventfds for bells. */
static struct phi_ring *ring[2];
static void *ring_mem;
static unsigned int ring_spin;

static void ring_open(void)
{
	size_t len = phi_ring_size(DEPTH, DEPTH * LEN);
	struct phi_bell bell = { 0 };
	int fd[2];

	ring_mem = aligned_alloc(4096, (len + 4095) & ~4095UL);
	fd[0] = eventfd(0, EFD_NONBLOCK);
	fd[1] = eventfd(0, EFD_NONBLOCK);
	need(ring_mem && fd[0] >= 0 && fd[1] >= 0, "ring");
	bell.fd = fd[1];
	need(!phi_ring_create(ring_mem, len, DEPTH, DEPTH * LEN, &bell, fd[0],
			      &ring[0]),
	     "ring");
	bell.fd = fd[0];
	need(!phi_ring_attach(ring_mem, len, &bell, fd[1], &ring[1]), "ring");
	for (int i = 0; i < 2; i++)
		phi_ring_spin(ring[i], ring_spin);
}

static void spin_open(void)
{
	/* Spinning for the other side makes sense where it has a core. */
	ring_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2000 : 0;
	ring_open();
}

static void sleep_open(void)
{
	ring_spin = 0;
	ring_open();
}

static void ring_send(int side, const void *buf)
{
	while (phi_ring_send(ring[side], buf, LEN))
		phi_ring_wait(ring[side], PHI_RING_OUT, 0);
}

static void ring_recv(int side, void *buf)
{
	while (phi_ring_recv(ring[side], buf, LEN) < 0)
		phi_ring_wait(ring[side], PHI_RING_IN, 0);
}

static void ring_close(void)
{
	for (int i = 0; i < 2; i++) {
		close(phi_ring_fd(ring[i]));
		phi_ring_free(ring[i]);
	}
	free(ring_mem);
}

static void pipe_open(void)
{
	int there[2], back[2];

	need(!pipe(there) && !pipe(back), "pipe");
	fds[0][0] = back[0];
	fds[0][1] = there[1];
	fds[1][0] = there[0];
	fds[1][1] = back[1];
}

static void packet_open(void)
{
	int pair[2];

	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "socketpair");
	for (int i = 0; i < 2; i++) {
		fds[i][0] = pair[i];
		fds[i][1] = dup(pair[i]);
	}
}

static void file_send(int side, const void *buf)
{
	need(write(fds[side][1], buf, LEN) == LEN, "write");
}

static void file_recv(int side, void *buf)
{
	need(read(fds[side][0], buf, LEN) == LEN, "read");
}

static void file_close(void)
{
	for (int i = 0; i < 2; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

/*
 * An eventfd carries no bytes, so this is less than the others do: as a
 * semaphore it tells that there is one more of something.
 */
static void event_open(void)
{
	for (int i = 0; i < 2; i++) {
		int fd = eventfd(0, EFD_SEMAPHORE);

		fds[i][0] = fd;
		fds[!i][1] = dup(fd);
		need(fds[!i][1] >= 0, "eventfd");
	}
}

static void event_send(int side, const void *buf)
{
	uint64_t one = 1;

	(void)buf;
	need(write(fds[side][1], &one, sizeof(one)) == sizeof(one), "write");
}

static void event_recv(int side, void *buf)
{
	uint64_t n;

	(void)buf;
	need(read(fds[side][0], &n, sizeof(n)) == sizeof(n), "read");
}

/* The textbook's queue: a mutex and two conditions, which are futexes. */
static struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_cond_t emptied;
	unsigned int head;
	unsigned int tail;
	char slot[DEPTH][LEN];
} queue[2];

static void queue_open(void)
{
	memset(queue, 0, sizeof(queue));
	for (int i = 0; i < 2; i++) {
		pthread_mutex_init(&queue[i].lock, NULL);
		pthread_cond_init(&queue[i].filled, NULL);
		pthread_cond_init(&queue[i].emptied, NULL);
	}
}

static void queue_send(int side, const void *buf)
{
	struct queue *q = &queue[side];

	pthread_mutex_lock(&q->lock);
	while (q->tail - q->head == DEPTH)
		pthread_cond_wait(&q->emptied, &q->lock);
	memcpy(q->slot[q->tail++ % DEPTH], buf, LEN);
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

static void queue_recv(int side, void *buf)
{
	struct queue *q = &queue[!side];

	pthread_mutex_lock(&q->lock);
	while (q->tail == q->head)
		pthread_cond_wait(&q->filled, &q->lock);
	memcpy(buf, q->slot[q->head++ % DEPTH], LEN);
	pthread_cond_signal(&q->emptied);
	pthread_mutex_unlock(&q->lock);
}

static void queue_close(void)
{
}

static const struct way ways[] = {
	{ "ring", spin_open, ring_send, ring_recv, ring_close },
	{ "ring_nospin", sleep_open, ring_send, ring_recv, ring_close },
	{ "pipe", pipe_open, file_send, file_recv, file_close },
	{ "seqpacket", packet_open, file_send, file_recv, file_close },
	{ "eventfd", event_open, event_send, event_recv, file_close },
	{ "mutex_queue", queue_open, queue_send, queue_recv, queue_close },
};

struct job {
	const struct way *way;
	int messages;
	int turns;
};

/* Side 1: takes, and in turns gives back. */
static void *other(void *arg)
{
	struct job *job = arg;
	char buf[LEN];

	for (int i = 0; i < job->messages; i++) {
		job->way->recv(1, buf);
		if (job->turns)
			job->way->send(1, buf);
	}
	return NULL;
}

static void on_cpu(pthread_attr_t *attr, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (attr)
		pthread_attr_setaffinity_np(attr, sizeof(set), &set);
	else
		pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* Nanoseconds a message. */
static double once(struct job *job)
{
	char buf[LEN] = "message";
	pthread_attr_t attr;
	pthread_t thread;
	uint64_t start;
	uint64_t end;

	job->way->open();
	pthread_attr_init(&attr);
	on_cpu(&attr, sysconf(_SC_NPROCESSORS_ONLN) > 1);
	start = now_ns();
	need(!pthread_create(&thread, &attr, other, job), "thread");
	for (int i = 0; i < job->messages; i++) {
		job->way->send(0, buf);
		if (job->turns)
			job->way->recv(0, buf);
	}
	pthread_join(thread, NULL);
	end = now_ns();
	pthread_attr_destroy(&attr);
	job->way->close();
	return (double)(end - start) / job->messages;
}

/* The least of the rounds, for what disturbs only ever adds. */
static double best(struct job *job)
{
	uint64_t start = now_ns();
	double least = once(job);

	for (int i = 1; i < ROUNDS && now_ns() - start < ENOUGH_NS; i++) {
		double ns = once(job);

		if (ns < least)
			least = ns;
	}
	return least;
}

int main(void)
{
	static const char *const kind[] = { "stream", "turn" };

	on_cpu(NULL, 0);
	for (int turns = 0; turns < 2; turns++) {
		double base = 0;

		for (size_t w = 0; w < sizeof(ways) / sizeof(struct way); w++) {
			struct job job = {
				.way = &ways[w],
				.messages = turns ? TURNS : STREAM,
				.turns = turns,
			};
			double least = best(&job);

			if (!w)
				base = least;
			printf("%s_%s %.1f ns %.2f\n", kind[turns],
			       ways[w].name, least, least / base);
			fflush(stdout);
		}
	}
	return 0;
}
