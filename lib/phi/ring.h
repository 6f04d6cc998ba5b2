/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_RING_H
#define PHI_RING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: Rings
 *
 * A ring carries messages both ways between two sides that share a block of
 * memory: a region, a memfd, or memory of one process. Each direction has
 * one writer and one reader. While neither has to wait there is no system
 * call; a side that runs out of work says so in the memory, and the other
 * then rings its bell.
 *
 * Neither side trusts the other. Bytes that the other side writes are read once
 * and checked before they are used; nonsense gives -EPROTO, for good, and never
 * an access outside the memory. But mind:
 *
 *  - A message still lies in shared memory while it is peeked at, and the
 *    other side can change it. Copy what must not change under a check;
 *    phi_ring_recv() does.
 *  - Memory that the other side can take away is SIGBUS when it does: who
 *    has more to lose makes the region.
 *  - An eventfd that both sides hold can be misused by either to block the
 *    other's write. Between strangers use a NOTIFY for a bell.
 *
 * In each direction one thread sends and one receives; of all the threads of
 * a side one at a time waits or arms.
 */

/* Events of a ring. */
#define PHI_RING_IN 0x1U /* a message to take */
#define PHI_RING_OUT 0x2U /* room for the one that found none */

/**
 * struct phi_bell - how to wake the other side
 * @phi: Cspace of @notify.
 * @fd: An eventfd to write to, or -1.
 * @notify: NOTIFY handle with WRITE that is signalled instead, or 0.
 *
 * With neither, the other side never sleeps.
 */
struct phi_bell {
	int phi;
	int fd;
	uint64_t notify;
};

struct phi_ring;

/**
 * phi_ring_size() - memory that a ring takes
 * @entries: Messages in flight each way, a power of two from 2 to 65536.
 * @bytes: Room for their bytes each way, a power of two from 64 to 1 GiB.
 *
 * Context: Any thread.
 * Return: Bytes; 0 when an argument is out of range.
 */
size_t phi_ring_size(uint32_t entries, uint32_t bytes);

/**
 * phi_ring_create() - make a ring in a block of memory
 * @mem: The block, aligned to 128 bytes; it must outlive the ring.
 * @len: Its length, at least phi_ring_size().
 * @entries: As for phi_ring_size().
 * @bytes: As for phi_ring_size().
 * @bell: Wakes the other side.
 * @wait_fd: A non-blocking eventfd that the other side's bell adds to, or -1
 *           to spin; it stays the caller's.
 * @out: Out, the side that made it.
 *
 * Context: Any thread, before the other side attaches.
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int phi_ring_create(void *mem, size_t len, uint32_t entries, uint32_t bytes,
		    const struct phi_bell *bell, int wait_fd,
		    struct phi_ring **out);

/**
 * phi_ring_attach() - take the other side of a ring
 * @mem: The same memory.
 * @len: Its length here.
 * @bell: Wakes the side that made it.
 * @wait_fd: As for phi_ring_create().
 * @out: Out, the other side.
 *
 * Context: Any thread, once a ring.
 * Return: 0, -EPROTO when there is no ring in the memory, or it does not fit
 * @len; -EINVAL; -ENOMEM.
 */
int phi_ring_attach(void *mem, size_t len, const struct phi_bell *bell,
		    int wait_fd, struct phi_ring **out);

/**
 * phi_ring_free() - forget a side; the memory is left alone
 * @r: Ring, or NULL.
 *
 * Context: Any thread; no other may use the side.
 */
void phi_ring_free(struct phi_ring *r);

/**
 * phi_ring_reserve() - get room to write a message in place
 * @r: Ring.
 * @len: Its length.
 * @payload: Out, @len bytes aligned to 16, until phi_ring_commit().
 *
 * Context: The sending thread. Never waits.
 * Return: 0; -EAGAIN when there is no room now; -EMSGSIZE when it is longer
 * than half of the ring's bytes; -EPROTO.
 */
int phi_ring_reserve(struct phi_ring *r, uint32_t len, void **payload);

/**
 * phi_ring_commit() - send the message that was reserved
 * @r: Ring.
 *
 * Context: The sending thread. Never waits.
 * Return: 0; -EINVAL when none was reserved; or what ringing the bell failed
 * with: the message is sent all the same.
 */
int phi_ring_commit(struct phi_ring *r);

/**
 * phi_ring_send() - send a copy of a message
 * @r: Ring.
 * @data: @len bytes.
 * @len: Its length; may be 0.
 *
 * Context: The sending thread. Never waits.
 * Return: As phi_ring_reserve() and phi_ring_commit().
 */
int phi_ring_send(struct phi_ring *r, const void *data, uint32_t len);

/**
 * phi_ring_peek() - look at the next message in place
 * @r: Ring.
 * @payload: Out, its bytes, until phi_ring_release().
 * @len: Out, its length.
 *
 * Context: The receiving thread. Never waits.
 * Return: 0, -EAGAIN when there is none, or -EPROTO.
 */
int phi_ring_peek(struct phi_ring *r, const void **payload, uint32_t *len);

/**
 * phi_ring_release() - be done with the message that was peeked at
 * @r: Ring.
 *
 * Makes room at once, but not each release wakes a writer that sleeps for want
 * of it; phi_ring_arm() says which does.
 *
 * Context: The receiving thread. Never waits.
 * Return: 0; -EINVAL when none was peeked at; or what ringing the bell failed
 * with: the message is released all the same.
 */
int phi_ring_release(struct phi_ring *r);

/**
 * phi_ring_recv() - take a copy of the next message
 * @r: Ring.
 * @buf: Out, room for @room bytes.
 * @room: Its size.
 *
 * Context: The receiving thread. Never waits.
 * Return: The message's length; -EAGAIN when there is none; -EMSGSIZE when it
 * is longer than @room, and it stays; -EPROTO.
 */
int phi_ring_recv(struct phi_ring *r, void *buf, uint32_t room);

/**
 * phi_ring_arm() - ask for the bell, for an event loop that sleeps elsewhere
 * @r: Ring.
 * @what: PHI_RING_IN, PHI_RING_OUT or both.
 *
 * For PHI_RING_IN the bell rings at the next message. For PHI_RING_OUT it may
 * not ring at the first message that the other side releases, although there is
 * room then: it rings at the latest when a quarter of the entries, rounded up,
 * was released, when the other side looks for a message and finds none, and
 * when that side arms or sleeps for PHI_RING_IN. A reader that stops before one
 * of these lets the writer sleep.
 *
 * Context: One thread at a time.
 * Return: The events that are ready already: do not sleep. 0: the bell will
 * ring; sleep on the wait_fd, and phi_ring_quiet() after it.
 */
unsigned int phi_ring_arm(struct phi_ring *r, unsigned int what);

/**
 * phi_ring_fd() - the wait_fd of a side
 * @r: Ring.
 *
 * Context: Any thread.
 * Return: As it was given to phi_ring_create() or phi_ring_attach().
 */
int phi_ring_fd(const struct phi_ring *r);

/**
 * phi_ring_quiet() - take what the bell left in the wait_fd
 * @r: Ring.
 *
 * Context: One thread at a time. Never waits.
 */
void phi_ring_quiet(struct phi_ring *r);

/**
 * phi_ring_wait() - wait until something can be done
 * @r: Ring.
 * @what: PHI_RING_IN, PHI_RING_OUT or both.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever.
 *
 * Spins for a short while, then sleeps until the bell rings; phi_ring_arm()
 * says when it does. It does not notice that the other side
 * died: give a deadline, or use phi_ring_arm() and poll() together with a
 * descriptor that reports the death, such as a pidfd.
 *
 * Context: One thread at a time. May wait.
 * Return: The events that are ready, more than 0; -ETIMEDOUT; -EINTR; or
 * another negative errno. A broken ring is ready; the call that follows returns
 * -EPROTO.
 */
int phi_ring_wait(struct phi_ring *r, unsigned int what, uint64_t deadline_ns);

/**
 * phi_ring_spin() - set how long phi_ring_wait() spins
 * @r: Ring.
 * @rounds: Looks before it sleeps; 0 where the other side needs this CPU.
 *
 * Context: One thread at a time.
 */
void phi_ring_spin(struct phi_ring *r, unsigned int rounds);

#ifdef __cplusplus
}
#endif

#endif /* PHI_RING_H */
