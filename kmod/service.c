// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/in.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "cspace.h"
#include "decision.h"
#include "endpoint.h"
#include "hook.h"
#include "service.h"

/**
 * struct phi_port - a port, or all of a protocol
 * @networks: Objects with it, under the mutex of the table.
 * @open: Capabilities that open it: live, in a slot, the endpoint behind their
 *        object alive. Read by packets under RCU.
 * @rcu: Frees it.
 */
struct phi_port {
	u32 networks;
	u32 open;
	struct rcu_head rcu;
};

/**
 * struct phi_network - a service object that opens a port
 * @service: Head.
 * @key: PHI_NETWORK_BADGE() of @port.
 * @port: The port that it opens.
 * @caps: Capabilities to it that are live and in slots, those @counted.
 * @shut: The endpoint is dead: @caps do not count in @port.
 */
struct phi_network {
	struct phi_service service;
	u64 key;
	struct phi_port *port;
	u32 caps;
	bool shut;
};

/* By key; changed under the mutex, read under RCU, in softirqs too. */
static DEFINE_XARRAY(phi_ports);
static DEFINE_MUTEX(phi_ports_mutex); /* see main.h */
/* Guards the counts of ports and networks, and the services of endpoints. */
static DEFINE_SPINLOCK(phi_services_lock); /* see main.h */

static struct phi_service *phi_service_of(struct phi_object *obj)
{
	return container_of(obj, struct phi_service, obj);
}

static struct phi_network *phi_network_of(struct phi_object *obj)
{
	return container_of(phi_service_of(obj), struct phi_network, service);
}

/**
 * phi_service_check() - may a service object be made so?
 * @endpoint: ENDPOINT capability; the caller has checked ADMIN.
 * @rights: Rights that its first capability gets.
 * @badge: Badge of that.
 *
 * Rights shrink on this road too: what means something at the endpoint itself
 * must be among the rights of @endpoint, and a badge stays. READ, WRITE, EXEC
 * and MAP mean what the service says.
 *
 * Context: Any.
 * Return: 0 or -EPERM.
 */
int phi_service_check(const struct phi_cap *endpoint, u32 rights, u64 badge)
{
	if (rights & PHI_RIGHTS_SERVICE & ~endpoint->rights)
		return phi_refuse_right(endpoint,
					PHI_RIGHT_ADMIN |
						(rights & PHI_RIGHTS_SERVICE));
	if (endpoint->badge && badge != endpoint->badge)
		return phi_refuse_badge(endpoint, PHI_RIGHT_ADMIN);
	return 0;
}

/**
 * phi_service_init() - start the life of a service object
 * @service: Its head.
 * @ops: Operations of its type.
 * @endpoint: ENDPOINT capability that messages to it go to; NULL for a THREAD
 *            that takes none.
 * @user: The account to charge.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -EDQUOT, with nothing to undo.
 */
int phi_service_init(struct phi_service *service,
		     const struct phi_object_ops *ops, struct phi_cap *endpoint,
		     struct phi_user *user)
{
	int ret = phi_object_init(&service->obj, ops, user);

	if (ret)
		return ret;
	service->endpoint = endpoint ? endpoint->obj : NULL;
	if (endpoint)
		phi_object_get(endpoint->obj);
	INIT_LIST_HEAD(&service->behind);
	return 0;
}

/**
 * phi_service_fini() - end the life of a service object
 * @service: Its head. Its type's free() calls this before it frees the
 *           memory.
 *
 * Context: Process context. May sleep.
 */
void phi_service_fini(struct phi_service *service)
{
	scoped_guard(spinlock, &phi_services_lock)
		list_del(&service->behind);
	if (service->endpoint)
		phi_object_put(service->endpoint);
	phi_object_fini(&service->obj);
}

/**
 * phi_service_install() - make the first capability to a service object
 * @cs: Where to.
 * @service: The object.
 * @endpoint: The capability that phi_service_init() had; the new one dies
 *            with it.
 * @rights: PHI_RIGHT_*.
 * @badge: Badge that the endpoint's receiver sees.
 * @expires_ns: CLOCK_BOOTTIME; 0 = as @endpoint. The earlier of the two counts.
 * @handle: Out, the new handle.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_service_install(struct phi_cspace *cs, struct phi_service *service,
			struct phi_cap *endpoint, u32 rights, u64 badge,
			u64 expires_ns, u64 *handle)
{
	return phi_cspace_give(cs,
			       phi_cap_child(endpoint, &service->obj, rights,
					     badge, expires_ns, cs->user),
			       handle);
}

/**
 * phi_service_removed() - ops->removed of a service object
 * @obj: The object.
 * @cap: A capability to it that has left its slot.
 *
 * Context: Process context. May sleep.
 */
void phi_service_removed(struct phi_object *obj, struct phi_cap *cap)
{
	phi_endpoint_cut(phi_service_of(obj)->endpoint, cap, -EBADF);
}

/**
 * phi_service_dead() - ops->dead of a service object
 * @obj: The object.
 * @cap: A capability to it that was revoked or has expired.
 *
 * Context: Process context. May sleep.
 */
void phi_service_dead(struct phi_object *obj, struct phi_cap *cap)
{
	phi_endpoint_cut(phi_service_of(obj)->endpoint, cap,
			 phi_cap_live(cap) ?: -EKEYREVOKED);
}

static void phi_file_free(struct phi_object *obj)
{
	struct phi_service *file = phi_service_of(obj);

	phi_service_fini(file);
	kfree(file);
}

static const struct phi_object_ops phi_file_ops = {
	.type = PHI_TYPE_FILE,
	.free = phi_file_free,
	.removed = phi_service_removed,
	.dead = phi_service_dead,
};

/* Return: the port of a key, which another object has now, or ERR_PTR(). */
static struct phi_port *phi_port_get(u64 key)
{
	struct phi_port *port;
	int ret;

	guard(mutex)(&phi_ports_mutex);
	port = xa_load(&phi_ports, key);
	if (!port) {
		port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
		if (!port)
			return ERR_PTR(-ENOMEM);
		ret = xa_insert(&phi_ports, key, port, GFP_KERNEL_ACCOUNT);
		if (ret) {
			kfree(port);
			return ERR_PTR(ret);
		}
	}
	port->networks++;
	return port;
}

static void phi_port_put(struct phi_port *port, u64 key)
{
	guard(mutex)(&phi_ports_mutex);
	if (--port->networks)
		return;
	WARN_ON_ONCE(port->open);
	xa_erase(&phi_ports, key);
	kfree_rcu(port, rcu);
}

static void phi_network_free(struct phi_object *obj)
{
	struct phi_network *network = phi_network_of(obj);

	phi_service_fini(&network->service);
	WARN_ON_ONCE(network->caps);
	phi_port_put(network->port, network->key);
	kfree(network);
}

static void phi_network_count(struct phi_network *network, int n)
{
	struct phi_port *port = network->port;

	lockdep_assert_held(&phi_services_lock);
	network->caps += n;
	if (!network->shut)
		WRITE_ONCE(port->open, port->open + n);
}

static void phi_network_installed(struct phi_object *obj, struct phi_cap *cap)
{
	guard(spinlock)(&phi_services_lock);
	/* One that dies after this is found counted by its death. */
	if (phi_cap_live(cap))
		return;
	cap->counted = true;
	phi_network_count(phi_network_of(obj), 1);
}

static void phi_network_uncount(struct phi_object *obj, struct phi_cap *cap)
{
	guard(spinlock)(&phi_services_lock);
	if (!cap->counted)
		return;
	cap->counted = false;
	phi_network_count(phi_network_of(obj), -1);
}

static void phi_network_removed(struct phi_object *obj, struct phi_cap *cap)
{
	phi_network_uncount(obj, cap);
	phi_service_removed(obj, cap);
}

static void phi_network_dead(struct phi_object *obj, struct phi_cap *cap)
{
	phi_network_uncount(obj, cap);
	phi_service_dead(obj, cap);
}

static const struct phi_object_ops phi_network_ops = {
	.type = PHI_TYPE_NETWORK,
	.free = phi_network_free,
	.installed = phi_network_installed,
	.removed = phi_network_removed,
	.dead = phi_network_dead,
};

static void phi_network_shut(struct phi_service *service)
{
	struct phi_network *network = phi_network_of(&service->obj);
	struct phi_port *port = network->port;

	lockdep_assert_held(&phi_services_lock);
	network->shut = true;
	WRITE_ONCE(port->open, port->open - network->caps);
}

/**
 * phi_service_join() - have a service object hear of its endpoint's death
 * @service: Its head, initialised.
 * @shut: Called when the endpoint dies, maybe at once. See struct phi_service.
 *
 * Context: Process context. May sleep.
 */
void phi_service_join(struct phi_service *service,
		      void (*shut)(struct phi_service *service))
{
	guard(spinlock)(&phi_services_lock);
	service->shut = shut;
	if (phi_endpoint_dead(service->endpoint))
		shut(service);
	else
		list_add(&service->behind,
			 &phi_endpoint_of(service->endpoint)->services);
}

/**
 * phi_service_bury() - shut the service objects behind an endpoint
 * @ep: The endpoint, dead.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_service_bury(struct phi_endpoint *ep)
{
	struct phi_service *service;

	do {
		scoped_guard(spinlock, &phi_services_lock) {
			service = list_first_entry_or_null(
				&ep->services, struct phi_service, behind);
			if (service) {
				list_del_init(&service->behind);
				service->shut(service);
			}
		}
		cond_resched();
	} while (service);
}

static int phi_service_mint_file(struct phi_cspace *cs,
				 struct phi_cap *endpoint,
				 struct phi_cap_mint *cmd)
{
	struct phi_service *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!file)
		return -ENOMEM;
	ret = phi_service_init(file, &phi_file_ops, endpoint, cs->user);
	if (ret) {
		kfree(file);
		return ret;
	}
	ret = phi_service_install(cs, file, endpoint, cmd->rights, cmd->badge,
				  cmd->expires_ns, &cmd->out);
	phi_object_put(&file->obj);
	return ret;
}

static int phi_service_mint_network(struct phi_cspace *cs,
				    struct phi_cap *endpoint,
				    struct phi_cap_mint *cmd)
{
	u64 badge = cmd->badge;
	u64 proto = badge >> 16;
	struct phi_network *network;
	int ret;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return -EINVAL;
	if (!phi_cspace_capable(cs, CAP_NET_ADMIN))
		return phi_refuse_as(PHI_DECIDED_PRIVILEGE, CAP_NET_ADMIN);
	network = kzalloc(sizeof(*network), GFP_KERNEL_ACCOUNT);
	if (!network)
		return -ENOMEM;
	network->key = badge;
	network->port = phi_port_get(badge);
	if (IS_ERR(network->port)) {
		ret = PTR_ERR(network->port);
		kfree(network);
		return ret;
	}
	ret = phi_service_init(&network->service, &phi_network_ops, endpoint,
			       cs->user);
	if (ret) {
		phi_port_put(network->port, badge);
		kfree(network);
		return ret;
	}
	phi_service_join(&network->service, phi_network_shut);
	ret = phi_service_install(cs, &network->service, endpoint, cmd->rights,
				  badge, cmd->expires_ns, &cmd->out);
	phi_object_put(&network->service.obj);
	return ret;
}

/**
 * phi_service_mint() - make a FILE or NETWORK object
 * @cs: The caller's cspace.
 * @endpoint: ENDPOINT capability; the caller has checked ADMIN.
 * @cmd: The call. A type other than FILE and NETWORK is -EINVAL.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_service_mint(struct phi_cspace *cs, struct phi_cap *endpoint,
		     struct phi_cap_mint *cmd)
{
	int ret;

	if (cmd->rights & ~PHI_RIGHT_ALL)
		return -EINVAL;
	ret = phi_service_check(endpoint, cmd->rights, cmd->badge);
	if (ret)
		return ret;
	switch (cmd->type) {
	case PHI_TYPE_FILE:
		return phi_service_mint_file(cs, endpoint, cmd);
	case PHI_TYPE_NETWORK:
		return phi_service_mint_network(cs, endpoint, cmd);
	default:
		return -EINVAL;
	}
}

static bool phi_port_open(u64 key)
{
	const struct phi_port *port = xa_load(&phi_ports, key);

	return port && READ_ONCE(port->open);
}

/**
 * phi_service_port_open() - does a NETWORK capability open a port?
 * @proto: IPPROTO_TCP or IPPROTO_UDP.
 * @port: The port, in host byte order.
 *
 * Context: Any.
 * Return: True when a live one for that port, or for all of the protocol, is
 * in a slot of a cspace and its endpoint lives. It says so until the revoke or
 * the drop that ends that returns, or the worker has swept what expired. The
 * cost does not depend on how many there are.
 */
bool phi_service_port_open(u8 proto, u16 port)
{
	guard(rcu)();
	return phi_port_open(PHI_NETWORK_BADGE(proto, port)) ||
	       phi_port_open(PHI_NETWORK_BADGE(proto, 0));
}
