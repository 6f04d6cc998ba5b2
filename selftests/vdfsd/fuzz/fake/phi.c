// SPDX-License-Identifier: GPL-2.0-only
/* What of libphi the daemon and its clients use, without a kernel. */
#include "phi.h"

#include <errno.h>
#include <fcntl.h>
#include <phi/service.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/**
 * struct fake_cap - a capability
 * @live: It is held.
 * @type: PHI_TYPE_*.
 * @rights: PHI_RIGHT_*.
 * @badge: Of an ENDPOINT.
 * @region: Of MEMORY.
 */
struct fake_cap {
	bool live;
	uint32_t type;
	uint32_t rights;
	uint64_t badge;
	struct fake_region *region;
};

struct fake fake = { .deny = -1 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_cap caps[FAKE_CAPS];
static uint64_t used;
static struct fake_region *regions[FAKE_CAPS];

/* Handles begin here: small numbers are never one by accident. */
#define FIRST 0x10000

static void wrong(const char *what)
{
	fprintf(stderr, "fake phi: %s\n", what);
	abort();
}

/* Under the lock. */
static struct fake_cap *find(uint64_t cap)
{
	if (cap < FIRST || cap >= FIRST + used || !caps[cap - FIRST].live)
		return NULL;
	return &caps[cap - FIRST];
}

/* May one more thing be made? */
static bool denied(void)
{
	int left = atomic_load(&fake.deny);

	if (left > 0)
		atomic_fetch_sub(&fake.deny, 1);
	return !left;
}

/* Under the lock. */
static void region_put(struct fake_region *region)
{
	int i;

	if (!region || --region->refs)
		return;
	for (i = 0; regions[i] != region; i++)
		;
	regions[i] = NULL;
	free(region->addr);
	free(region);
}

/* Under the lock. */
static uint64_t cap_new(const struct fake_cap *cap)
{
	if (used == FAKE_CAPS)
		wrong("more capabilities than there is room for");
	caps[used] = *cap;
	caps[used].live = true;
	if (cap->region)
		cap->region->refs++;
	return FIRST + used++;
}

/**
 * fake_region_new() - make zeroed memory
 * @len: Bytes.
 *
 * Context: Any thread.
 * Return: It, with a reference.
 */
struct fake_region *fake_region_new(size_t len)
{
	struct fake_region *region = calloc(1, sizeof(*region));
	int i;

	if (!region)
		abort();
	region->refs = 1;
	region->len = len;
	region->addr = calloc(1, len);
	if (!region->addr)
		abort();
	pthread_mutex_lock(&lock);
	for (i = 0; i < FAKE_CAPS && regions[i]; i++)
		;
	if (i == FAKE_CAPS)
		wrong("more regions than there is room for");
	regions[i] = region;
	pthread_mutex_unlock(&lock);
	return region;
}

/**
 * fake_region_put() - give up a reference
 * @region: NULL is nothing to do.
 *
 * Context: Any thread.
 */
void fake_region_put(struct fake_region *region)
{
	pthread_mutex_lock(&lock);
	region_put(region);
	pthread_mutex_unlock(&lock);
}

/**
 * fake_region_at() - which region is at an address?
 * @addr: The address, within it.
 *
 * Context: Any thread.
 * Return: It, or NULL.
 */
struct fake_region *fake_region_at(const void *addr)
{
	struct fake_region *found = NULL;
	const char *p = addr;
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < FAKE_CAPS && !found; i++) {
		if (regions[i] && p >= regions[i]->addr &&
		    p < regions[i]->addr + regions[i]->len)
			found = regions[i];
	}
	pthread_mutex_unlock(&lock);
	return found;
}

/**
 * fake_cap() - make a capability
 * @type: PHI_TYPE_*.
 * @rights: PHI_RIGHT_*.
 * @badge: Of an ENDPOINT.
 * @region: Of MEMORY, else NULL.
 *
 * Context: Any thread.
 * Return: Its handle.
 */
uint64_t fake_cap(uint32_t type, uint32_t rights, uint64_t badge,
		  struct fake_region *region)
{
	struct fake_cap cap = {
		.type = type, .rights = rights, .badge = badge, .region = region
	};
	uint64_t handle;

	pthread_mutex_lock(&lock);
	handle = cap_new(&cap);
	pthread_mutex_unlock(&lock);
	return handle;
}

/**
 * fake_badge() - badge of a capability
 * @handle: Its handle.
 *
 * Context: Any thread.
 * Return: The badge.
 */
uint64_t fake_badge(uint64_t handle)
{
	struct fake_cap *cap;
	uint64_t badge;

	pthread_mutex_lock(&lock);
	cap = find(handle);
	if (!cap)
		wrong("the badge of nothing");
	badge = cap->badge;
	pthread_mutex_unlock(&lock);
	return badge;
}

/**
 * fake_region_of() - region of a capability
 * @handle: Its handle.
 *
 * Context: Any thread.
 * Return: The region, without a reference, or NULL.
 */
struct fake_region *fake_region_of(uint64_t handle)
{
	struct fake_region *region;
	struct fake_cap *cap;

	pthread_mutex_lock(&lock);
	cap = find(handle);
	region = cap ? cap->region : NULL;
	pthread_mutex_unlock(&lock);
	return region;
}

/**
 * fake_end() - see that nothing is held any more
 *
 * Context: When nobody else is there.
 */
void fake_end(void)
{
	uint64_t i;

	for (i = 0; i < used; i++) {
		if (!caps[i].live)
			continue;
		fprintf(stderr, "capability %llu of type %u\n",
			(unsigned long long)i, caps[i].type);
		wrong("a capability was never dropped");
	}
	for (i = 0; i < FAKE_CAPS; i++) {
		if (regions[i])
			wrong("a region was never unmapped");
	}
	used = 0;
}

int phi_cap_drop(int phi, uint64_t handle)
{
	struct fake_cap *cap;

	(void)phi;
	pthread_mutex_lock(&lock);
	cap = find(handle);
	if (!cap)
		wrong("drops what it does not have");
	cap->live = false;
	region_put(cap->region);
	pthread_mutex_unlock(&lock);
	return 0;
}

int phi_cap_revoke(int phi, uint64_t handle)
{
	bool there;

	(void)phi;
	pthread_mutex_lock(&lock);
	there = find(handle);
	pthread_mutex_unlock(&lock);
	if (!there)
		wrong("revokes what it does not have");
	return 0;
}

int phi_cap_derive(int phi, uint64_t handle, uint32_t rights,
		   uint64_t expires_ns, uint64_t badge, uint64_t *out)
{
	struct fake_cap *cap, child;
	int ret = 0;

	(void)phi;
	(void)expires_ns;
	pthread_mutex_lock(&lock);
	cap = find(handle);
	if (!cap)
		wrong("derives from what it does not have");
	child = *cap;
	child.rights &= rights;
	child.badge = badge;
	if (denied())
		ret = -ENOMEM;
	else
		*out = cap_new(&child);
	pthread_mutex_unlock(&lock);
	return ret;
}

int phi_region_create(int phi, uint64_t bytes, unsigned int flags,
		      uint64_t *cap)
{
	struct fake_region *region;

	(void)phi;
	if (flags || !bytes || bytes % 4096)
		return -EINVAL;
	if (denied())
		return -EDQUOT;
	region = fake_region_new(bytes);
	*cap = fake_cap(PHI_TYPE_MEMORY, PHI_RIGHT_ALL, 0, region);
	fake_region_put(region);
	return 0;
}

int phi_region_map(int phi, uint64_t handle, int prot, void **addr, size_t *len)
{
	struct fake_cap *cap;
	int ret = 0;

	(void)phi;
	pthread_mutex_lock(&lock);
	cap = find(handle);
	if (!cap)
		wrong("maps what it does not have");
	if (!cap->region)
		ret = -EINVAL;
	else if (!(cap->rights & PHI_RIGHT_MAP) ||
		 (prot & PROT_WRITE && !(cap->rights & PHI_RIGHT_WRITE)))
		ret = -EPERM;
	else if (denied())
		ret = -ENOMEM;
	if (!ret) {
		cap->region->refs++;
		*addr = cap->region->addr;
		if (len)
			*len = cap->region->len;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

int phi_region_unmap(void *addr, size_t len)
{
	struct fake_region *region = fake_region_at(addr);

	if (!region || region->addr != addr || region->len != len)
		wrong("unmaps what is not mapped");
	fake_region_put(region);
	return 0;
}

int phi_endpoint_create(int phi, uint64_t *cap)
{
	(void)phi;
	*cap = fake_cap(PHI_TYPE_ENDPOINT, PHI_RIGHT_ALL, 0, NULL);
	return 0;
}

int phi_endpoint_fd(int phi, uint64_t endpoint)
{
	int fd;

	(void)phi;
	(void)endpoint;
	if (denied())
		return -EMFILE;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int phi_reply(int phi, uint64_t reply, const struct phi_msg *msg)
{
	int ret;

	(void)phi;
	ret = fake.reply(reply, msg);
	/* As the kernel does: what cannot be delivered is still the caller's. */
	if (!ret || ret == -EPIPE)
		phi_cap_drop(phi, reply);
	return ret;
}

int phi_call(int phi, uint64_t endpoint, const struct phi_msg *msg,
	     struct phi_msg_in *answer, unsigned int flags,
	     uint64_t deadline_ns)
{
	(void)phi;
	(void)endpoint;
	(void)flags;
	(void)deadline_ns;
	return fake.call(msg, answer);
}

/* All that sessions ask of a service is to be told of a death. */
int phi_service_fd(struct phi_service *s, int fd, uint32_t events,
		   int (*fn)(void *arg, uint32_t events), void *arg,
		   struct phi_source **out)
{
	(void)s;
	(void)fd;
	(void)events;
	(void)fn;
	(void)arg;
	*out = calloc(1, sizeof(void *));
	return *out ? 0 : -ENOMEM;
}

void phi_source_free(struct phi_source *src)
{
	free(src);
}
