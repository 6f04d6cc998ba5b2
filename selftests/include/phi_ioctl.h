/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_PHI_IOCTL_H
#define _SELFTESTS_PHI_IOCTL_H

/*
 * The calls of /dev/phi as the tests make them: bare, without libphi between,
 * each 0 or a negative errno.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <phi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Make a call with a whole struct: fills in its size. */
#define PHI_DO(_phi, _cmd, _arg)                              \
	({                                                    \
		__typeof__(_arg) _p = (_arg);                 \
		_p->size = sizeof(*_p);                       \
		ioctl(_phi, PHI_IOC_##_cmd, _p) ? -errno : 0; \
	})

/* Open /dev/phi: a new cspace. A negative errno when the module is missing. */
static inline int do_open(void)
{
	int phi = open("/dev/phi", O_RDWR | O_CLOEXEC);

	return phi < 0 ? -errno : phi;
}

/* The same as a user without privileges; the rest of the process stays root. */
static inline int do_open_as(uid_t uid)
{
	int phi;

	if (seteuid(uid))
		return -errno;
	phi = do_open();
	if (seteuid(0))
		exit(1);
	return phi;
}

static inline int do_notify(int phi, uint64_t *cap)
{
	struct phi_notify_create arg = {};
	int ret = PHI_DO(phi, NOTIFY_CREATE, &arg);

	*cap = arg.cap;
	return ret;
}

static inline int do_endpoint(int phi, uint64_t *cap)
{
	struct phi_endpoint_create arg = {};
	int ret = PHI_DO(phi, ENDPOINT_CREATE, &arg);

	*cap = arg.cap;
	return ret;
}

static inline int do_region(int phi, uint64_t bytes, uint32_t flags,
			    uint64_t *cap)
{
	struct phi_region_create arg = { .flags = flags, .bytes = bytes };
	int ret = PHI_DO(phi, REGION_CREATE, &arg);

	*cap = arg.cap;
	return ret;
}

static inline int do_slice(int phi, uint64_t cap, uint64_t offset,
			   uint64_t bytes, uint32_t rights, uint64_t *out)
{
	struct phi_region_slice arg = {
		.cap = cap,
		.offset = offset,
		.bytes = bytes,
		.rights = rights,
	};
	int ret = PHI_DO(phi, REGION_SLICE, &arg);

	*out = arg.out;
	return ret;
}

static inline int do_snapshot(int phi, uint64_t cap, uint64_t *out)
{
	struct phi_region_snapshot arg = { .cap = cap };
	int ret = PHI_DO(phi, REGION_SNAPSHOT, &arg);

	*out = arg.out;
	return ret;
}

/* Wake a word of a region: how many, or a negative errno. */
static inline int do_wake(int phi, uint64_t cap, uint64_t offset,
			  uint32_t count)
{
	struct phi_region_wake arg = {
		.cap = cap,
		.offset = offset,
		.count = count,
	};
	int ret = PHI_DO(phi, REGION_WAKE, &arg);

	return ret ?: (int)arg.woken;
}

static inline int do_derive_until(int phi, uint64_t cap, uint32_t rights,
				  uint64_t expires_ns, uint64_t badge,
				  uint64_t *out)
{
	struct phi_cap_derive arg = {
		.cap = cap,
		.rights = rights,
		.expires_ns = expires_ns,
		.badge = badge,
	};
	int ret = PHI_DO(phi, CAP_DERIVE, &arg);

	*out = arg.out;
	return ret;
}

static inline int do_derive(int phi, uint64_t cap, uint32_t rights,
			    uint64_t *out)
{
	return do_derive_until(phi, cap, rights, 0, 0, out);
}

static inline int do_revoke(int phi, uint64_t cap)
{
	struct phi_cap_revoke arg = { .cap = cap };

	return PHI_DO(phi, CAP_REVOKE, &arg);
}

/* Kill one capability with what is below it. */
static inline int do_revoke_one(int phi, uint64_t cap, uint64_t child)
{
	struct phi_cap_revoke arg = {
		.flags = PHI_REVOKE_ONE,
		.cap = cap,
		.child = child,
	};

	return PHI_DO(phi, CAP_REVOKE, &arg);
}

/* Revoke, and wait until the last pin is gone. */
static inline int do_revoke_wait(int phi, uint64_t cap)
{
	struct phi_cap_revoke arg = { .flags = PHI_REVOKE_WAIT, .cap = cap };

	return PHI_DO(phi, CAP_REVOKE, &arg);
}

static inline int do_drop(int phi, uint64_t cap)
{
	struct phi_cap_drop arg = { .cap = cap };

	return PHI_DO(phi, CAP_DROP, &arg);
}

static inline int do_query(int phi, uint64_t cap, struct phi_cap_query *arg)
{
	*arg = (struct phi_cap_query){ .cap = cap };
	return PHI_DO(phi, CAP_QUERY, arg);
}

/* 0 when the capability behind a handle is alive. */
static inline int do_probe(int phi, uint64_t cap)
{
	struct phi_cap_query arg;

	return do_query(phi, cap, &arg);
}

/* 1, 0 or a negative errno. */
static inline int do_same(int phi, uint64_t a, uint64_t b)
{
	struct phi_cap_same arg = { .a = a, .b = b };

	return PHI_DO(phi, CAP_SAME, &arg) ?: (int)arg.same;
}

static inline int do_list(int phi, uint64_t *handles, uint32_t room,
			  uint32_t *count, uint32_t *total)
{
	struct phi_cap_list arg = {
		.handles = (uintptr_t)handles,
		.count = room,
	};
	int ret = PHI_DO(phi, CAP_LIST, &arg);

	*count = arg.count;
	*total = arg.total;
	return ret;
}

static inline int do_seal_as(int phi, uint32_t flags, uint64_t cap,
			     uint32_t rights, uint32_t audience,
			     uint64_t expires_ns, void *token)
{
	struct phi_cap_seal arg = {
		.flags = flags,
		.cap = cap,
		.rights = rights,
		.audience = audience,
		.expires_ns = expires_ns,
		.token = (uintptr_t)token,
	};

	return PHI_DO(phi, CAP_SEAL, &arg);
}

static inline int do_unseal_as(int phi, uint32_t flags, const void *token,
			       uint64_t *out)
{
	struct phi_cap_unseal arg = {
		.flags = flags,
		.token = (uintptr_t)token,
	};
	int ret = PHI_DO(phi, CAP_UNSEAL, &arg);

	*out = arg.out;
	return ret;
}

static inline int do_seal(int phi, uint64_t cap, uint32_t rights,
			  uint32_t audience, uint64_t expires_ns,
			  struct phi_token *token)
{
	return do_seal_as(phi, 0, cap, rights, audience, expires_ns, token);
}

static inline int do_unseal(int phi, const struct phi_token *token,
			    uint64_t *out)
{
	return do_unseal_as(phi, 0, token, out);
}

/* The same two in the encoding of AIOS. */
static inline int do_seal_aios(int phi, uint64_t cap, uint32_t rights,
			       uint32_t audience, uint64_t expires_ns,
			       struct phi_aios_token *token)
{
	return do_seal_as(phi, PHI_SEAL_AIOS, cap, rights, audience, expires_ns,
			  token);
}

static inline int do_unseal_aios(int phi, const void *token, uint64_t *out)
{
	return do_unseal_as(phi, PHI_SEAL_AIOS, token, out);
}

static inline int do_rekey(int phi, uint32_t *key_id)
{
	struct phi_cap_rekey arg = {};
	int ret = PHI_DO(phi, CAP_REKEY, &arg);

	*key_id = arg.key_id;
	return ret;
}

static inline int do_share(int phi, uint32_t shared)
{
	struct phi_cspace_share arg = { .shared = shared };

	return PHI_DO(phi, CSPACE_SHARE, &arg);
}

static inline int do_stats(int phi, struct phi_system_stats *arg)
{
	*arg = (struct phi_system_stats){};
	return PHI_DO(phi, SYSTEM_STATS, arg);
}

/*
 * Wait until the host is back to what it was: the same objects, cspaces and
 * charges. RCU and workers may need a moment. Tells what is
 * left over.
 */
static inline bool do_settled(int phi, const struct phi_system_stats *before)
{
	struct phi_system_stats now = {};

	for (int tries = 0; tries < 3000; tries++) {
		if (do_stats(phi, &now))
			return false;
		/* The limits depend on what other users have. */
		if (!memcmp(&now, before,
			    offsetof(struct phi_system_stats, limit)))
			return true;
		usleep(10000);
	}
	for (unsigned int i = 0; i <= PHI_TYPE_AGENT; i++) {
		if (now.objects[i] != before->objects[i])
			printf("# objects[%u]: %llu, was %llu\n", i,
			       (unsigned long long)now.objects[i],
			       (unsigned long long)before->objects[i]);
	}
	if (now.cspaces != before->cspaces)
		printf("# cspaces: %llu, was %llu\n",
		       (unsigned long long)now.cspaces,
		       (unsigned long long)before->cspaces);
	for (unsigned int i = 0; i < PHI_QUOTAS; i++) {
		if (now.used[i] != before->used[i])
			printf("# used[%u]: %llu, was %llu\n", i,
			       (unsigned long long)now.used[i],
			       (unsigned long long)before->used[i]);
	}
	return false;
}

/* What the host has before a test opens anything; do_restored() compares. */
static inline int do_baseline(struct phi_system_stats *before)
{
	int phi = do_open();
	int ret = phi < 0 ? phi : do_stats(phi, before);

	close(phi);
	return ret;
}

/* Wait until the host has that again, once the test has closed all. */
static inline bool do_restored(const struct phi_system_stats *before)
{
	int phi = do_open();
	bool ret = phi >= 0 && do_settled(phi, before);

	close(phi);
	return ret;
}

/* Set a module parameter, such as the limit of a quota. Needs root. */
static inline int do_limit(const char *name, uint64_t value)
{
	char path[128], text[24];
	int fd, n, ret = 0;

	snprintf(path, sizeof(path), "/sys/module/phi/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (write(fd, text, n) != n)
		ret = -errno;
	close(fd);
	return ret;
}

/* Now, on the clock that capabilities expire by. */
static inline uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Now, on the clock of deadlines. */
static inline uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Give up root for good: become uid, with no groups and no capabilities. */
static inline int become(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

/*
 * Run a function in a child process and return what it returns; -ECHILD when
 * it died instead.
 */
static inline int in_child(int (*fn)(void *arg), void *arg)
{
	int result[2], ret, status;
	pid_t pid;

	if (pipe2(result, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		ret = fn(arg);
		_exit(write(result[1], &ret, sizeof(ret)) != sizeof(ret));
	}
	close(result[1]);
	if (read(result[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = -ECHILD;
	close(result[0]);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		printf("# child %d died of signal %d\n", pid, WTERMSIG(status));
	return ret;
}

#endif /* _SELFTESTS_PHI_IOCTL_H */
