// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blobs in memory: one region a blob, filled once, which all who map it
 * share. Each gets a capability of its own, so that one can be revoked alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "serve_impl.h"

/* Bytes read from the store at a time. */
#define FILL_BYTES (4U << 20)

/**
 * struct pin - a user who has a blob mapped
 * @link: In mapping.pins.
 * @user: The user.
 * @count: How often.
 */
struct pin {
	LIST_ENTRY(pin) link;
	struct vdfsd_user *user;
	uint32_t count;
};

LIST_HEAD(pin_list, pin);

/**
 * struct mapping - a blob in memory
 * @link: In server.maps.
 * @lru: In server.lru while @holders is 0.
 * @hash: Which content,
 * @user: and whose.
 * @bytes: Its length.
 * @len: Length of the region.
 * @cap: The region, with all rights.
 * @holders: Sessions' maps of it, and who fills it.
 * @filling: Not ready; calls wait for it.
 * @waiting: They.
 * @pins: Maps of sessions that have it mapped.
 *
 * Guarded by server.lock; @cap, @bytes and @len stay while @holders is not 0.
 */
struct mapping {
	LIST_ENTRY(mapping) link;
	TAILQ_ENTRY(mapping) lru;
	struct vdfs_hash hash;
	int64_t user;
	uint64_t bytes;
	size_t len;
	uint64_t cap;
	uint32_t holders;
	bool filling;
	struct call_list waiting;
	struct pin_list pins;
};

/**
 * struct hold - a session's map of a blob
 * @map: It; holds it.
 * @cap: Node of what the client was given: revoking it takes that back.
 */
struct hold {
	struct mapping *map;
	uint64_t cap;
};

/* Under the lock. */
static struct mapping *map_find(struct vdfsd *s, const struct vdfs_blob *blob)
{
	const struct vdfs_hash *hash = vdfs_blob_hash(blob);
	struct mapping *m;

	LIST_FOREACH(m, &s->maps, link)
	{
		if (m->user == vdfs_blob_user(blob) &&
		    !memcmp(&m->hash, hash, sizeof(*hash)))
			break;
	}
	return m;
}

/* Take a mapping from the table; under the lock. */
static void map_forget(struct vdfsd *s, struct mapping *m)
{
	LIST_REMOVE(m, link);
	s->nmaps--;
	s->map_bytes -= m->len;
}

/*
 * Make room for @len bytes by forgetting what nobody has mapped, the longest
 * unused first, which goes to @old; under the lock.
 */
static int map_make_room(struct vdfsd *s, size_t len, struct mapping_list *old)
{
	struct mapping *m;

	if (len > s->options.map_budget)
		return -ENOMEM;
	while (s->map_bytes > s->options.map_budget - len) {
		m = TAILQ_FIRST(&s->lru);
		if (!m)
			return -ENOMEM;
		TAILQ_REMOVE(&s->lru, m, lru);
		map_forget(s, m);
		LIST_INSERT_HEAD(old, m, link);
	}
	return 0;
}

static void map_free_list(struct vdfsd *s, struct mapping_list *old)
{
	struct mapping *m;

	while ((m = LIST_FIRST(old))) {
		LIST_REMOVE(m, link);
		phi_cap_drop(s->daemon.phi, m->cap);
		free(m);
	}
}

static struct vdfsd_user *user_of(const struct session *session)
{
	return (struct vdfsd_user *)session->user;
}

/*
 * Count a map of a user, who may have three quarters of all memory for maps,
 * each blob counted once; under the lock.
 */
static int map_pin(struct vdfsd *s, struct vdfsd_session *session,
		   struct mapping *m)
{
	struct vdfsd_user *user = user_of(&session->base);
	uint64_t share = s->options.map_budget / 4 * 3;
	struct pin *pin;

	LIST_FOREACH(pin, &m->pins, link)
	{
		if (pin->user == user) {
			pin->count++;
			return 0;
		}
	}
	if (!session->who.admin && user->pinned + m->len > share)
		return -EDQUOT;
	pin = calloc(1, sizeof(*pin));
	if (!pin)
		return -ENOMEM;
	pin->user = user;
	pin->count = 1;
	user->pinned += m->len;
	LIST_INSERT_HEAD(&m->pins, pin, link);
	return 0;
}

/* Under the lock. */
static void map_unpin(struct mapping *m, struct vdfsd_user *user)
{
	struct pin *pin;

	LIST_FOREACH(pin, &m->pins, link)
	{
		if (pin->user == user)
			break;
	}
	if (!pin || --pin->count)
		return;
	user->pinned -= m->len;
	LIST_REMOVE(pin, link);
	free(pin);
}

/* Under the lock. */
static void map_put(struct vdfsd *s, struct mapping *m)
{
	if (!--m->holders)
		TAILQ_INSERT_TAIL(&s->lru, m, lru);
}

/* Copy all of a blob to where it will be read from. */
static int map_read(struct vdfs_blob *blob, char *to, uint64_t bytes)
{
	uint64_t at = 0;
	ssize_t got;

	while (at < bytes) {
		size_t n = bytes - at < FILL_BYTES ? bytes - at : FILL_BYTES;

		got = vdfs_blob_read(blob, to + at, n, at);
		if (got < 0)
			return got;
		if (!got)
			return -EBADMSG;
		at += got;
	}
	return 0;
}

static int map_fill(struct vdfsd *s, struct mapping *m, struct vdfs_blob *blob)
{
	size_t len;
	void *addr;
	int ret;

	ret = phi_region_create(s->daemon.phi, m->len, 0, &m->cap);
	if (ret) {
		say("cannot make a region of %zu bytes: %s", m->len,
		    strerror(-ret));
		/* The quota is the daemon's, not the client's. */
		return ret == -EDQUOT ? -ENOMEM : ret;
	}
	ret = phi_region_map(s->daemon.phi, m->cap, PROT_READ | PROT_WRITE,
			     &addr, &len);
	if (!ret) {
		ret = map_read(blob, addr, m->bytes);
		phi_region_unmap(addr, len);
	}
	if (ret)
		phi_cap_drop(s->daemon.phi, m->cap);
	return ret;
}

/* Bring a blob into memory, and let those go on who wait for it. */
static int map_load(struct vdfsd *s, struct mapping *m, struct vdfs_blob *blob)
{
	int ret = map_fill(s, m, blob);
	struct call *c;

	pthread_mutex_lock(&s->daemon.lock);
	m->filling = false;
	while ((c = TAILQ_FIRST(&m->waiting))) {
		TAILQ_REMOVE(&m->waiting, c, link);
		call_requeue(c);
	}
	if (ret)
		map_forget(s, m);
	pthread_mutex_unlock(&s->daemon.lock);
	if (ret)
		free(m);
	return ret;
}

static struct mapping *map_new(const struct vdfs_blob *blob)
{
	uint64_t bytes = vdfs_blob_size(blob);
	size_t page = sysconf(_SC_PAGESIZE);
	struct mapping *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->hash = *vdfs_blob_hash(blob);
	m->user = vdfs_blob_user(blob);
	m->bytes = bytes;
	m->len = (bytes + page - 1) / page * page;
	m->holders = 1;
	m->filling = true;
	TAILQ_INIT(&m->waiting);
	LIST_INIT(&m->pins);
	return m;
}

/*
 * Get a blob that is in memory, or bring it there. Returns 0 with a holder
 * counted, CALL_PARKED when somebody else is bringing it, or a negative errno.
 */
static int map_get(struct vdfsd_call *c, struct vdfs_blob *blob,
		   struct mapping **out)
{
	struct mapping_list old = LIST_HEAD_INITIALIZER(old);
	struct vdfsd *s = server_of(c);
	struct mapping *m, *new = map_new(blob);
	int ret = 0;

	if (!new)
		return -ENOMEM;
	pthread_mutex_lock(&s->daemon.lock);
	m = map_find(s, blob);
	if (m && m->filling) {
		TAILQ_INSERT_TAIL(&m->waiting, &c->base, link);
		ret = CALL_PARKED;
	} else if (m) {
		if (!m->holders++)
			TAILQ_REMOVE(&s->lru, m, lru);
		*out = m;
	} else {
		ret = map_make_room(s, new->len, &old);
		if (!ret) {
			LIST_INSERT_HEAD(&s->maps, new, link);
			s->nmaps++;
			s->map_bytes += new->len;
		}
	}
	pthread_mutex_unlock(&s->daemon.lock);
	map_free_list(s, &old);
	if (m || ret) {
		free(new);
		return ret;
	}
	*out = new;
	return map_load(s, new, blob);
}

/* A capability for the client, that can be taken back from it alone. */
static int map_give(struct vdfsd_call *c, struct mapping *m)
{
	struct vdfsd *s = server_of(c);
	struct hold *hold = calloc(1, sizeof(*hold));
	int ret;

	if (!hold)
		return -ENOMEM;
	hold->map = m;
	ret = phi_cap_derive(s->daemon.phi, m->cap,
			     PHI_RIGHT_READ | PHI_RIGHT_MAP | PHI_RIGHT_ADMIN |
				     PHI_RIGHT_GRANT,
			     0, 0, &hold->cap);
	if (ret)
		goto free_hold;
	ret = handle_add(c->base.session, KIND_MAP, hold, &c->answer.id);
	if (ret)
		goto drop_cap;
	c->give = hold->cap;
	c->answer.bytes = m->bytes;
	memcpy(&c->answer.hash, &m->hash, sizeof(m->hash));
	return 0;
drop_cap:
	phi_cap_drop(s->daemon.phi, hold->cap);
free_hold:
	free(hold);
	return ret;
}

/**
 * vdfsd_map() - serve MAP
 * @c: Call.
 *
 * A user that may not see the blob gets it from memory no more than from the
 * disk.
 *
 * Context: Worker.
 * Return: 0, CALL_PARKED while another call brings it into memory, -ENODATA
 * for a blob without bytes, -ENOMEM, -EDQUOT, or another negative errno.
 */
int vdfsd_map(struct vdfsd_call *c)
{
	struct vdfsd_session *session = session_of(c);
	struct vdfsd *s = server_of(c);
	struct vdfs_blob *blob;
	struct vdfs_hash hash;
	struct mapping *m = NULL;
	int ret;

	ret = vdfsd_call_hash(c, &hash);
	if (!ret)
		ret = vdfs_blob_open(s->store, &session->who, &hash, &blob);
	if (ret)
		return ret;
	ret = vdfs_blob_size(blob) ? map_get(c, blob, &m) : -ENODATA;
	vdfs_blob_close(blob);
	if (ret)
		return ret;
	pthread_mutex_lock(&s->daemon.lock);
	ret = map_pin(s, session, m);
	if (ret)
		map_put(s, m);
	pthread_mutex_unlock(&s->daemon.lock);
	if (ret)
		return ret;
	ret = map_give(c, m);
	if (!ret)
		return 0;
	pthread_mutex_lock(&s->daemon.lock);
	map_unpin(m, user_of(&session->base));
	map_put(s, m);
	pthread_mutex_unlock(&s->daemon.lock);
	return ret;
}

/**
 * vdfsd_map_release() - take a blob in memory from a session
 * @session: Session.
 * @ptr: Its struct hold.
 *
 * When this returns the client can no longer touch it; all others can. Where
 * the daemon stops they keep it, for as long as they like.
 *
 * Context: Any thread, without the lock.
 */
void vdfsd_map_release(struct session *session, void *ptr)
{
	struct vdfsd *s = (struct vdfsd *)session->daemon;
	struct hold *hold = ptr;

	if (!s->daemon.stopping)
		phi_cap_revoke(s->daemon.phi, hold->cap);
	phi_cap_drop(s->daemon.phi, hold->cap);
	pthread_mutex_lock(&s->daemon.lock);
	map_unpin(hold->map, user_of(session));
	map_put(s, hold->map);
	pthread_mutex_unlock(&s->daemon.lock);
	free(hold);
}

/**
 * vdfsd_unmap() - serve UNMAP
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_unmap(struct vdfsd_call *c)
{
	void *hold;
	int ret;

	ret = handle_get_alone(c->base.session, KIND_MAP, c->req.id, &hold);
	if (ret)
		return ret;
	handle_remove(c->base.session, KIND_MAP, c->req.id);
	vdfsd_map_release(c->base.session, hold);
	return 0;
}

/**
 * vdfsd_map_free_all() - forget all blobs in memory
 * @s: Daemon, without sessions.
 *
 * Context: Main thread, when there are no workers.
 */
void vdfsd_map_free_all(struct vdfsd *s)
{
	struct mapping *m;

	while ((m = TAILQ_FIRST(&s->lru))) {
		TAILQ_REMOVE(&s->lru, m, lru);
		map_forget(s, m);
		phi_cap_drop(s->daemon.phi, m->cap);
		free(m);
	}
}
