/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_HANDLE_H
#define COMMON_HANDLE_H

#include <linux/types.h>
#include <stdint.h>

struct session;

/**
 * struct handle_kind - one kind of object that a session may hold
 * @limit: How many of them one session may hold, less than 4096.
 * @release: Frees one. Runs in any thread, without the lock.
 * @cancel: Asks one to end soon, or NULL. Runs under the lock.
 */
struct handle_kind {
	uint32_t limit;
	void (*release)(struct session *session, void *ptr);
	void (*cancel)(void *ptr);
};

/**
 * struct handle - an object that a session holds
 * @id: Number by which the client names it; 0 = the place is free.
 * @ptr: The object.
 * @uses: Calls that use it; UINT32_MAX = one, and no other may.
 *
 * Guarded by daemon.lock.
 */
struct handle {
	uint64_t id;
	void *ptr;
	uint32_t uses;
};

int handles_init(struct session *session);
void handles_fini(struct session *session);
void handles_cancel(struct session *session);
int handle_add(struct session *session, uint32_t kind, void *ptr, __u64 *id);
int handle_get(struct session *session, uint32_t kind, uint64_t id, void **out);
int handle_get_alone(struct session *session, uint32_t kind, uint64_t id,
		     void **out);
void handle_put(struct session *session, uint32_t kind, uint64_t id);
void handle_remove(struct session *session, uint32_t kind, uint64_t id);

#endif /* COMMON_HANDLE_H */
