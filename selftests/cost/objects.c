// SPDX-License-Identifier: GPL-2.0-only
/* Kinds of things that are objects, or belong to one. */

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cost.h"

/* Units that the other user leaves free: root's, and those of the rows. */
#define UNITS_LEFT 4

static int make_cspaces(struct other *o, int n)
{
	for (o->n = 0; o->n < n; o->n++) {
		o->fds[o->n] = do_open();
		if (o->fds[o->n] < 0)
			return o->fds[o->n];
	}
	return 0;
}

static int make_endpoints(struct other *o, int n)
{
	uint64_t out;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = do_endpoint(o->phi, &out);
	return ret;
}

/* Each bound to an eventfd. */
static int make_notifies(struct other *o, int n)
{
	struct phi_notify_bind arg = {
		.eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	};
	int ret = 0;

	for (int i = 0; i < n && !ret; i++) {
		ret = do_notify(o->phi, (uint64_t *)&arg.notify);
		ret = ret ?: PHI_DO(o->phi, NOTIFY_BIND, &arg);
	}
	return ret;
}

/* Each on a capability of its own. */
static int make_watched(struct other *o, int n)
{
	uint64_t cap;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++) {
		ret = do_derive(o->phi, o->ep, PHI_RIGHT_SEND, &cap) ?:
			      do_watch_cap(o->phi, cap, o->bell, 1, 1, 0);
	}
	return ret;
}

static int make_watches(struct other *o, int n)
{
	struct phi_endpoint_watch arg = {
		.endpoint = o->ep,
		.notify = o->bell,
		.bits = 1,
	};
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = PHI_DO(o->phi, ENDPOINT_WATCH, &arg);
	return ret;
}

static int make_files(struct other *o, int n)
{
	for (o->n = 0; o->n < n; o->n++) {
		o->fds[o->n] = do_endpoint_fd(o->phi, o->ep);
		if (o->fds[o->n] < 0)
			return o->fds[o->n];
	}
	return 0;
}

/* The same, and an epoll that waits for all events of each. */
static int make_pollers(struct other *o, int n)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int ret = make_files(o, n);

	for (int i = 0; i < n && !ret; i++)
		ret = epoll_ctl(epoll, EPOLL_CTL_ADD, o->fds[i], &event) ?
			      -errno :
			      0;
	return ret;
}

/* One file in n epolls. */
static int make_epolls(struct other *o, int n)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int ret = n ? make_files(o, 1) : 0;

	for (int i = 0; i < n && !ret; i++) {
		int epoll = epoll_create1(EPOLL_CLOEXEC);

		if (epoll < 0 ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, o->fds[0], &event))
			ret = -errno;
	}
	return ret;
}

static int make_regions(struct other *o, int n)
{
	uint64_t out;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = do_region(o->phi, PAGE, 0, &out);
	return ret;
}

/* Each with a page in the page tables. */
static int make_mappings(struct other *o, int n)
{
	struct phi_region_info info = { .cap = o->region };
	int ret = PHI_DO(o->phi, REGION_INFO, &info);

	for (int i = 0; i < n && !ret; i++) {
		char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				o->phi, info.offset);

		if (at == MAP_FAILED)
			return -errno;
		__atomic_store_n(at, 1, __ATOMIC_RELAXED);
	}
	return ret;
}

static int make_services(struct other *o, int n)
{
	uint64_t out;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = do_mint(o->phi, o->ep, PHI_TYPE_FILE, PHI_RIGHT_SEND,
			      BADGE, &out);
	return ret;
}

/* NETWORK objects behind the same endpoint, of which root has a handle. */
static int prepare_networks(struct shared *shared, int root, int n)
{
	const uint32_t rights = PHI_RIGHT_SEND | PHI_RIGHT_GRANT;
	uint64_t ep, out;
	int ret = do_unseal(root, &shared->unbadged, &ep);

	for (int i = 0; i < n && !ret; i++) {
		ret = do_mint(root, ep, PHI_TYPE_NETWORK, rights,
			      PHI_NETWORK_BADGE(6, i + 1), &out);
		ret = ret   ?:
			      do_seal(root, out, rights, 0, 0,
				      &shared->networks[i]);
	}
	return ret;
}

static int make_networks(struct other *o, int n)
{
	uint64_t out;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = do_unseal(o->phi, &o->shared->networks[i], &out);
	return ret;
}

static int make_models(struct other *o, int n)
{
	struct phi_model_register arg = {
		.endpoint = o->ep,
		.badge = BADGE,
		.max_batch = 8,
		.name = "model",
	};
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = PHI_DO(o->phi, MODEL_REGISTER, &arg);
	return ret;
}

static int make_units(struct other *o, int n)
{
	struct phi_unit_register arg = { UNIT_DEFAULTS };
	int ret = 0;

	arg.flags = 0;
	for (int i = 0; i < n && !ret; i++)
		ret = PHI_DO(o->phi, UNIT_REGISTER, &arg);
	return ret;
}

static int make_tickets(struct other *o, int n)
{
	struct phi_infer_begin arg;
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = do_begin(o->phi, o->model, 1, &arg);
	return ret;
}

static int make_agent(struct other *o, int i)
{
	struct phi_agent_register arg = { .name = "agent" };
	char path[64];
	int ret;

	snprintf(path, sizeof(path), CGROUP_OTHER "/%d", i);
	if (mkdir(path, 0755))
		return -errno;
	arg.cgroup = open(path, O_RDONLY | O_CLOEXEC);
	ret = PHI_DO(o->phi, AGENT_REGISTER, &arg);
	close(arg.cgroup);
	return ret;
}

static int make_agents(struct other *o, int n)
{
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = make_agent(o, i);
	return ret;
}

const struct kind object_kinds[] = {
	KIND(cspaces, make_cspaces),
	KIND(endpoints, make_endpoints),
	KIND(notifies, make_notifies),
	KIND(watches, make_watches),
	KIND(watched, make_watched),
	KIND(files, make_files),
	KIND(pollers, make_pollers),
	KIND(epolls, make_epolls),
	KIND(regions, make_regions),
	KIND(mappings, make_mappings),
	KIND(services, make_services),
	KIND(networks, make_networks, .prepare = prepare_networks),
	KIND(models, make_models),
	KIND(units, make_units,
	     .most = PHI_UNITS_MAX - PHI_UNITS_RESERVED - UNITS_LEFT),
	KIND(tickets, make_tickets),
	KIND(agents, make_agents),
	{},
};
