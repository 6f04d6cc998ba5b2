// SPDX-License-Identifier: GPL-2.0-only
/*
 * The capabilities that services start with. Objects are made when a service
 * names them first, and live as long as initd: a service that is started again
 * finds the endpoint that its clients kept sending to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "initd.h"
#include "log.h"

static int make_object(struct initd *d, struct init_object *o)
{
	switch (o->type) {
	case PHI_TYPE_ENDPOINT:
		return phi_endpoint_create(d->phi, &o->cap);
	case PHI_TYPE_NOTIFY:
		return phi_notify_create(d->phi, &o->cap);
	default:
		return phi_region_create(d->phi, o->bytes, 0, &o->cap);
	}
}

static int find_object(struct initd *d, const struct init_cap *want,
		       uint64_t *cap)
{
	struct init_object *o;
	uint32_t i;
	int ret;

	for (i = 0; i < d->nobjects; i++) {
		o = &d->objects[i];
		if (strcmp(o->name, want->object))
			continue;
		if (o->type != want->type || o->bytes != want->bytes) {
			say("%s is of another type or size for another service",
			    o->name);
			return -EEXIST;
		}
		*cap = o->cap;
		return 0;
	}
	o = reallocarray(d->objects, d->nobjects + 1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	d->objects = o;
	o = &d->objects[d->nobjects];
	*o = (struct init_object){ .type = want->type, .bytes = want->bytes };
	init_value_name(want->object, o->name);
	ret = make_object(d, o);
	if (ret)
		return ret;
	d->nobjects++;
	*cap = o->cap;
	return 0;
}

/* Tokens are read at each start: those of a daemon change with its own. */
static int unseal(struct initd *d, const char *path, uint64_t *cap)
{
	struct phi_token token;
	/* A FIFO keeps nobody waiting. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EACCES;
	}
	n = read(fd, &token, sizeof(token));
	n = n < 0 ? -errno : n;
	close(fd);
	if (n < 0)
		return (int)n;
	return n == sizeof(token) ? phi_cap_unseal(d->phi, &token, cap) :
				    -EKEYREJECTED;
}

static int endow_one(struct initd *d, const struct init_cap *want,
		     struct phi_endowment *cap)
{
	struct phi_cap_query query;
	uint64_t handle;
	int ret;

	ret = want->type ? find_object(d, want, &handle) :
			   unseal(d, want->object, &handle);
	if (ret)
		return ret;
	*cap = (struct phi_endowment){ .cap = handle, .rights = want->rights };
	if (want->rights)
		return 0;
	ret = phi_cap_query(d->phi, handle, &query);
	cap->rights = query.rights;
	if (ret)
		phi_cap_drop(d->phi, handle);
	return ret;
}

/**
 * init_endow() - get the capabilities that a service starts with
 * @d: Daemon.
 * @c: Settings of the service.
 * @caps: Out, room for PHI_ENDOW_MAX.
 * @names: Out, their names.
 *
 * Context: Main thread.
 * Return: 0; or a negative errno, and none is left. init_endow_end() gives
 * them back.
 */
int init_endow(struct initd *d, const struct init_config *c,
	       struct phi_endowment *caps, const char **names)
{
	uint32_t i;
	int ret;

	for (i = 0; i < c->ncaps; i++) {
		names[i] = c->caps[i].name;
		ret = endow_one(d, &c->caps[i], &caps[i]);
		if (!ret)
			continue;
		say("%s: no capability %s: %s", c->name, names[i],
		    strerror(-ret));
		init_endow_end(d, c, caps, i);
		return ret;
	}
	return 0;
}

/**
 * init_endow_end() - drop what was unsealed for a start
 * @d: Daemon.
 * @c: Settings of the service.
 * @caps: From init_endow().
 * @n: How many of them.
 *
 * Context: Main thread.
 */
void init_endow_end(struct initd *d, const struct init_config *c,
		    const struct phi_endowment *caps, uint32_t n)
{
	while (n--) {
		if (!c->caps[n].type)
			phi_cap_drop(d->phi, caps[n].cap);
	}
}
