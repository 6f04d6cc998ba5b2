// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rings in shared memory: see phi/ring.h. */
#include <phi/ring.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

#define RING_MAGIC 0x50686952 /* "RihP" */
#define RING_VERSION 1
#define ENTRIES_MIN 2U
#define ENTRIES_MAX 65536U
#define BYTES_MIN 64U
#define BYTES_MAX 0x40000000U

/* Two lines: the adjacent-line prefetcher pairs them. */
#define LINE 128
#define PAYLOAD_ALIGN 16U
#define SPIN_DEFAULT 200

/* First thing in the memory; only phi_ring_attach() reads it. */
struct ring_head {
	alignas(LINE) atomic_uint magic;
	atomic_uint version;
	atomic_uint entries;
	atomic_uint bytes;
};

/*
 * One direction. Indices run freely; their difference counts. Each line has
 * one usual writer, so that no store of one side evicts what the other reads.
 */
struct ring_lane {
	alignas(LINE) atomic_uint tail; /* messages sent, by the writer */
	alignas(LINE) atomic_uint head; /* messages taken, by the reader */
	alignas(LINE) atomic_uint reader_sleeps; /* else: no bell */
	alignas(LINE) atomic_uint writer_sleeps;
	alignas(LINE) atomic_ullong desc[]; /* offset << 32 | length */
};

/* State that a writer keeps to itself; the other side cannot spoil it. */
struct ring_tx {
	struct ring_lane *lane;
	char *data;
	uint32_t *end; /* by message in flight: data_tail after it */
	uint32_t tail;
	uint32_t head_seen;
	uint32_t data_tail; /* free-running, as the indices */
	uint32_t data_head;
	uint32_t want; /* what the last reserve() asked for */
	uint32_t start; /* of the message reserved */
	int reserved;
	int broken;
};

struct ring_rx {
	struct ring_lane *lane;
	const char *data;
	uint32_t head;
	uint32_t tail_seen;
	uint32_t told; /* head when the writer's flag was last looked at */
	int peeked;
	int broken;
};

struct phi_ring {
	alignas(LINE) struct ring_tx tx;
	alignas(LINE) struct ring_rx rx;
	alignas(LINE) uint32_t entries;
	uint32_t bytes;
	unsigned int spin;
	int wait_fd;
	struct phi_bell bell;
};

static int is_shape(uint32_t entries, uint32_t bytes)
{
	return entries >= ENTRIES_MIN && entries <= ENTRIES_MAX &&
	       bytes >= BYTES_MIN && bytes <= BYTES_MAX &&
	       !(entries & (entries - 1)) && !(bytes & (bytes - 1));
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static size_t desc_size(uint32_t entries)
{
	return round_up((size_t)entries * sizeof(uint64_t), LINE);
}

static size_t lane_size(uint32_t entries, uint32_t bytes)
{
	return sizeof(struct ring_lane) + desc_size(entries) +
	       round_up(bytes, LINE);
}

size_t phi_ring_size(uint32_t entries, uint32_t bytes)
{
	if (!is_shape(entries, bytes))
		return 0;
	return sizeof(struct ring_head) + 2 * lane_size(entries, bytes);
}

/* The private half of a side. The creator writes lane 0 and reads lane 1. */
static struct phi_ring *side_new(void *mem, uint32_t entries, uint32_t bytes,
				 int creator, const struct phi_bell *bell,
				 int wait_fd)
{
	char *first = (char *)mem + sizeof(struct ring_head);
	char *second = first + lane_size(entries, bytes);
	char *out = creator ? first : second;
	char *in = creator ? second : first;
	size_t data = sizeof(struct ring_lane) + desc_size(entries);
	struct phi_ring *r = aligned_alloc(LINE, sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->tx.end = calloc(entries, sizeof(*r->tx.end));
	if (!r->tx.end) {
		free(r);
		return NULL;
	}
	r->tx.lane = (struct ring_lane *)out;
	r->tx.data = out + data;
	r->rx.lane = (struct ring_lane *)in;
	r->rx.data = in + data;
	r->entries = entries;
	r->bytes = bytes;
	r->wait_fd = wait_fd;
	r->bell = *bell;
	r->spin = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_DEFAULT : 0;
	return r;
}

int phi_ring_create(void *mem, size_t len, uint32_t entries, uint32_t bytes,
		    const struct phi_bell *bell, int wait_fd,
		    struct phi_ring **out)
{
	struct ring_head *head = mem;
	struct phi_ring *r;

	if (!is_shape(entries, bytes) || len < phi_ring_size(entries, bytes) ||
	    (uintptr_t)mem % LINE)
		return -EINVAL;
	r = side_new(mem, entries, bytes, 1, bell, wait_fd);
	if (!r)
		return -ENOMEM;
	memset(r->tx.lane, 0, sizeof(*r->tx.lane));
	memset(r->rx.lane, 0, sizeof(*r->rx.lane));
	atomic_init(&head->version, RING_VERSION);
	atomic_init(&head->entries, entries);
	atomic_init(&head->bytes, bytes);
	/* Pairs with the acquire in phi_ring_attach(). */
	atomic_store_explicit(&head->magic, RING_MAGIC, memory_order_release);
	*out = r;
	return 0;
}

int phi_ring_attach(void *mem, size_t len, const struct phi_bell *bell,
		    int wait_fd, struct phi_ring **out)
{
	struct ring_head *head = mem;
	uint32_t entries;
	uint32_t bytes;

	if ((uintptr_t)mem % LINE)
		return -EINVAL;
	if (len < sizeof(*head))
		return -EPROTO;
	/* Pairs with the release in phi_ring_create(). */
	if (atomic_load_explicit(&head->magic, memory_order_acquire) !=
		    RING_MAGIC ||
	    atomic_load(&head->version) != RING_VERSION)
		return -EPROTO;
	/* Each is read once: the other side may change it. */
	entries = atomic_load(&head->entries);
	bytes = atomic_load(&head->bytes);
	if (!is_shape(entries, bytes) || len < phi_ring_size(entries, bytes))
		return -EPROTO;
	*out = side_new(mem, entries, bytes, 0, bell, wait_fd);
	return *out ? 0 : -ENOMEM;
}

void phi_ring_free(struct phi_ring *r)
{
	if (!r)
		return;
	free(r->tx.end);
	free(r);
}

static int ring_bell(const struct phi_bell *bell)
{
	uint64_t one = 1;

	if (bell->notify)
		return phi_notify_signal(bell->phi, bell->notify, 1);
	if (bell->fd < 0)
		return 0;
	while (write(bell->fd, &one, sizeof(one)) < 0) {
		/* A full counter has woken the other side already. */
		if (errno == EAGAIN)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Wake whoever set @flag; it sets it again before it sleeps. */
static int wake(struct phi_ring *r, atomic_uint *flag)
{
	if (!atomic_load(flag) || !atomic_exchange(flag, 0))
		return 0;
	return ring_bell(&r->bell);
}

/* Learn what the reader took since; -EPROTO when it took what is not there. */
static int tx_refresh(struct phi_ring *r)
{
	struct ring_tx *tx = &r->tx;
	uint32_t head;

	/*
	 * Pairs with the stores of head in phi_ring_release() and tell_writer():
	 * the reader is done with the bytes before they are written again.
	 */
	head = atomic_load(&tx->lane->head);
	if (head - tx->head_seen > tx->tail - tx->head_seen) {
		tx->broken = 1;
		return -EPROTO;
	}
	if (head != tx->head_seen) {
		tx->data_head = tx->end[(head - 1) & (r->entries - 1)];
		tx->head_seen = head;
	}
	return 0;
}

/* Is there room for @len bytes in one piece? Sets where they would start. */
static int tx_fits(struct phi_ring *r, uint32_t len)
{
	struct ring_tx *tx = &r->tx;
	uint32_t at = tx->data_tail & (r->bytes - 1);
	uint32_t start = tx->data_tail;

	if (tx->tail - tx->head_seen >= r->entries)
		return 0;
	if (len > r->bytes - at)
		start += r->bytes - at;
	if (start - tx->data_head + len > r->bytes)
		return 0;
	tx->start = start;
	return 1;
}

int phi_ring_reserve(struct phi_ring *r, uint32_t len, void **payload)
{
	struct ring_tx *tx = &r->tx;

	if (tx->broken)
		return -EPROTO;
	if (len > r->bytes / 2)
		return -EMSGSIZE;
	tx->want = len;
	if (!tx_fits(r, len)) {
		if (tx_refresh(r))
			return -EPROTO;
		if (!tx_fits(r, len))
			return -EAGAIN;
	}
	tx->reserved = 1;
	*payload = tx->data + (tx->start & (r->bytes - 1));
	return 0;
}

int phi_ring_commit(struct phi_ring *r)
{
	struct ring_tx *tx = &r->tx;
	uint32_t slot = tx->tail & (r->entries - 1);
	uint64_t offset = tx->start & (r->bytes - 1);

	if (!tx->reserved)
		return -EINVAL;
	tx->reserved = 0;
	tx->data_tail = tx->start + (uint32_t)round_up(tx->want, PAYLOAD_ALIGN);
	tx->end[slot] = tx->data_tail;
	atomic_store_explicit(&tx->lane->desc[slot], offset << 32 | tx->want,
			      memory_order_relaxed);
	/*
	 * Publishes descriptor and bytes to the load of tail in phi_ring_peek().
	 * Sequentially consistent, with the load in wake(), against the flag
	 * and the tail in phi_ring_arm(): one side sees the other's store.
	 */
	atomic_store(&tx->lane->tail, ++tx->tail);
	return wake(r, &tx->lane->reader_sleeps);
}

int phi_ring_send(struct phi_ring *r, const void *data, uint32_t len)
{
	void *payload;
	int ret;

	ret = phi_ring_reserve(r, len, &payload);
	if (ret)
		return ret;
	if (len)
		memcpy(payload, data, len);
	return phi_ring_commit(r);
}

/*
 * Let a writer that waits for room see what was released. Sequentially
 * consistent against the flag and the head in phi_ring_arm().
 */
static int tell_writer(struct phi_ring *r)
{
	struct ring_rx *rx = &r->rx;

	if (rx->told == rx->head)
		return 0;
	rx->told = rx->head;
	atomic_store(&rx->lane->head, rx->head);
	return wake(r, &rx->lane->writer_sleeps);
}

/* Is there a message? Reads the other side's index at most once. */
static int rx_refresh(struct phi_ring *r)
{
	struct ring_rx *rx = &r->rx;
	uint32_t tail;

	if (rx->broken)
		return -EPROTO;
	if (rx->head != rx->tail_seen)
		return 0;
	/* Pairs with the store of tail in phi_ring_commit(). */
	tail = atomic_load(&rx->lane->tail);
	if (tail - rx->head > r->entries) {
		rx->broken = 1;
		return -EPROTO;
	}
	rx->tail_seen = tail;
	return tail == rx->head ? -EAGAIN : 0;
}

int phi_ring_peek(struct phi_ring *r, const void **payload, uint32_t *len)
{
	struct ring_rx *rx = &r->rx;
	uint64_t desc;
	uint32_t offset;
	uint32_t n;
	int ret;

	ret = rx_refresh(r);
	if (ret == -EAGAIN) {
		/* Idle: a writer may have gone to sleep for lack of room. */
		tell_writer(r);
		return ret;
	}
	if (ret)
		return ret;
	/* One load, so that the check holds for what is used. */
	desc = atomic_load_explicit(
		&rx->lane->desc[rx->head & (r->entries - 1)],
		memory_order_relaxed);
	offset = (uint32_t)(desc >> 32);
	n = (uint32_t)desc;
	if (offset > r->bytes || n > r->bytes - offset ||
	    offset % PAYLOAD_ALIGN) {
		rx->broken = 1;
		return -EPROTO;
	}
	rx->peeked = 1;
	*payload = rx->data + offset;
	*len = n;
	return 0;
}

int phi_ring_release(struct phi_ring *r)
{
	struct ring_rx *rx = &r->rx;

	if (!rx->peeked)
		return -EINVAL;
	rx->peeked = 0;
	rx->head++;
	/*
	 * A writer that sleeps is told in strides, and when the ring runs dry:
	 * the ordering that needs is dear. One that spins sees this at once;
	 * pairs with the load of head in tx_refresh().
	 */
	if (rx->head - rx->told >= (r->entries + 3) / 4)
		return tell_writer(r);
	atomic_store_explicit(&rx->lane->head, rx->head, memory_order_release);
	return 0;
}

int phi_ring_recv(struct phi_ring *r, void *buf, uint32_t room)
{
	const void *payload;
	uint32_t len;
	int ret;

	ret = phi_ring_peek(r, &payload, &len);
	if (ret)
		return ret;
	if (len > room)
		return -EMSGSIZE;
	memcpy(buf, payload, len);
	/* A bell that fails does not make the message untaken. */
	phi_ring_release(r);
	return (int)len;
}

static unsigned int ready(struct phi_ring *r, unsigned int what)
{
	unsigned int now = 0;

	if (what & PHI_RING_IN && rx_refresh(r) != -EAGAIN)
		now |= PHI_RING_IN;
	if (what & PHI_RING_OUT &&
	    (r->tx.broken || tx_refresh(r) || tx_fits(r, r->tx.want)))
		now |= PHI_RING_OUT;
	return now;
}

unsigned int phi_ring_arm(struct phi_ring *r, unsigned int what)
{
	unsigned int now;

	if (what & PHI_RING_IN)
		tell_writer(r);
	/*
	 * Flag first, then index; the other side stores index first, then
	 * loads the flag (phi_ring_commit(), tell_writer()).
	 */
	if (what & PHI_RING_IN)
		atomic_store(&r->rx.lane->reader_sleeps, 1);
	if (what & PHI_RING_OUT)
		atomic_store(&r->tx.lane->writer_sleeps, 1);
	now = ready(r, what);
	if (now) {
		if (what & PHI_RING_IN)
			atomic_store(&r->rx.lane->reader_sleeps, 0);
		if (what & PHI_RING_OUT)
			atomic_store(&r->tx.lane->writer_sleeps, 0);
	}
	return now;
}

int phi_ring_fd(const struct phi_ring *r)
{
	return r->wait_fd;
}

void phi_ring_quiet(struct phi_ring *r)
{
	uint64_t count;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };

	/*
	 * The other side may hold the same eventfd, take its count between
	 * our poll and this, and clear O_NONBLOCK: do not rely on either.
	 */
	if (r->wait_fd >= 0)
		(void)!preadv2(r->wait_fd, &iov, 1, -1, RWF_NOWAIT);
}

void phi_ring_spin(struct phi_ring *r, unsigned int rounds)
{
	r->spin = rounds;
}

/* Leave the core to its other thread for a moment. */
static void relax(void)
{
#if __has_builtin(__builtin_ia32_pause)
	__builtin_ia32_pause();
#elif __has_builtin(__builtin_arm_yield)
	__builtin_arm_yield();
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* Sleep until the bell, or give the CPU away when there is none. */
static int doze(struct phi_ring *r, uint64_t deadline_ns)
{
	struct pollfd pfd = { .fd = r->wait_fd, .events = POLLIN };
	struct timespec ts;
	struct timespec *timeout = phi_time_left(deadline_ns, &ts);
	int ret;

	if (r->wait_fd < 0) {
		sched_yield();
		return timeout && !ts.tv_sec && !ts.tv_nsec ? -ETIMEDOUT : 0;
	}
	ret = ppoll(&pfd, 1, timeout, NULL);
	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	if (pfd.revents & POLLNVAL)
		return -EBADF;
	phi_ring_quiet(r);
	return 0;
}

int phi_ring_wait(struct phi_ring *r, unsigned int what, uint64_t deadline_ns)
{
	unsigned int now;
	int ret = 0;

	if (!what || what & ~(PHI_RING_IN | PHI_RING_OUT))
		return -EINVAL;
	for (unsigned int i = 0; i < r->spin; i++) {
		now = ready(r, what);
		if (now)
			return (int)now;
		relax();
	}
	for (;;) {
		now = phi_ring_arm(r, what);
		if (now)
			return (int)now;
		if (ret)
			return ret;
		/* A timeout still gets the last look above. */
		ret = doze(r, deadline_ns);
	}
}
