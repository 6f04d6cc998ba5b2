// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/in.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "cspace.h"
#include "endpoint.h"
#include "hook.h"
#include "service.h"

#define PHI_PORTS_BITS 10

/**
 * struct phi_network - a service object that opens a port
 * @service: Head.
 * @node: In the table of ports, from its making to its freeing.
 * @key: PHI_NETWORK_BADGE() of its port.
 * @caps: Capabilities to it that are in slots, by their @link.
 * @rcu: Frees it: packets look while it goes.
 */
struct phi_network {
	struct phi_service service;
	struct hlist_node node;
	u64 key;
	struct hlist_head caps;
	struct rcu_head rcu;
};

/* By key. Written under the lock, read under RCU, in softirqs too. */
static DEFINE_HASHTABLE(phi_ports, PHI_PORTS_BITS);
static DEFINE_SPINLOCK(phi_ports_lock); /* see main.h */

static struct phi_service *phi_service_of(struct phi_object *obj)
{
	return container_of(obj, struct phi_service, obj);
}

static struct phi_network *phi_network_of(struct phi_object *obj)
{
	return container_of(phi_service_of(obj), struct phi_network, service);
}

/**
 * phi_service_init() - start the life of a service object
 * @service: Its head.
 * @ops: What its type does.
 * @endpoint: ENDPOINT capability that messages to it go to.
 * @user: Who pays for it.
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
	phi_object_get(endpoint->obj);
	service->endpoint = endpoint->obj;
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
 * @badge: What the endpoint's receiver sees.
 * @handle: Out, the new handle.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_service_install(struct phi_cspace *cs, struct phi_service *service,
			struct phi_cap *endpoint, u32 rights, u64 badge,
			u64 *handle)
{
	struct phi_cap *cap __free(phi_cap_put) = phi_cap_child(
		endpoint, &service->obj, rights, badge, 0, cs->user);

	if (IS_ERR(cap))
		return PTR_ERR(cap);
	return phi_cspace_install(cs, cap, handle);
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
	phi_endpoint_unwait(phi_service_of(obj)->endpoint, cap);
}

/**
 * phi_service_revoked() - ops->revoked of a service object
 * @obj: The object.
 *
 * Context: Process context. May sleep.
 */
void phi_service_revoked(struct phi_object *obj)
{
	struct phi_object *endpoint = phi_service_of(obj)->endpoint;

	endpoint->ops->revoked(endpoint);
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
	.revoked = phi_service_revoked,
};

static void phi_network_free(struct phi_object *obj)
{
	struct phi_network *network = phi_network_of(obj);

	scoped_guard(spinlock, &phi_ports_lock)
		hash_del_rcu(&network->node);
	phi_service_fini(&network->service);
	kfree_rcu(network, rcu);
}

static void phi_network_installed(struct phi_object *obj, struct phi_cap *cap)
{
	guard(spinlock)(&phi_ports_lock);
	hlist_add_head_rcu(&cap->link, &phi_network_of(obj)->caps);
}

static void phi_network_removed(struct phi_object *obj, struct phi_cap *cap)
{
	scoped_guard(spinlock, &phi_ports_lock)
		hlist_del_init_rcu(&cap->link);
	phi_service_removed(obj, cap);
}

static const struct phi_object_ops phi_network_ops = {
	.type = PHI_TYPE_NETWORK,
	.free = phi_network_free,
	.installed = phi_network_installed,
	.removed = phi_network_removed,
	.revoked = phi_service_revoked,
};

static int phi_service_mint_file(struct phi_cspace *cs,
				 struct phi_cap *endpoint, u32 rights,
				 u64 badge, u64 *handle)
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
	ret = phi_service_install(cs, file, endpoint, rights, badge, handle);
	phi_object_put(&file->obj);
	return ret;
}

static int phi_service_mint_network(struct phi_cspace *cs,
				    struct phi_cap *endpoint, u32 rights,
				    u64 badge, u64 *handle)
{
	u64 proto = badge >> 16;
	struct phi_network *network;
	int ret;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return -EINVAL;
	if (!phi_cspace_capable(cs, CAP_NET_ADMIN))
		return -EPERM;
	network = kzalloc(sizeof(*network), GFP_KERNEL_ACCOUNT);
	if (!network)
		return -ENOMEM;
	network->key = badge;
	ret = phi_service_init(&network->service, &phi_network_ops, endpoint,
			       cs->user);
	if (ret) {
		kfree(network);
		return ret;
	}
	scoped_guard(spinlock, &phi_ports_lock)
		hash_add_rcu(phi_ports, &network->node, network->key);
	ret = phi_service_install(cs, &network->service, endpoint, rights,
				  badge, handle);
	phi_object_put(&network->service.obj);
	return ret;
}

/**
 * phi_service_mint() - make a FILE or NETWORK object
 * @cs: The caller's cspace.
 * @endpoint: ENDPOINT capability; the caller has checked ADMIN.
 * @type: PHI_TYPE_*, others are -EINVAL.
 * @rights: Rights of the new capability.
 * @badge: Its badge.
 * @handle: Out, the new handle.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_service_mint(struct phi_cspace *cs, struct phi_cap *endpoint, u32 type,
		     u32 rights, u64 badge, u64 *handle)
{
	if (rights & ~PHI_RIGHT_ALL)
		return -EINVAL;
	switch (type) {
	case PHI_TYPE_FILE:
		return phi_service_mint_file(cs, endpoint, rights, badge,
					     handle);
	case PHI_TYPE_NETWORK:
		return phi_service_mint_network(cs, endpoint, rights, badge,
						handle);
	default:
		return -EINVAL;
	}
}

static bool phi_network_open(u64 key)
{
	struct phi_network *network;
	struct phi_cap *cap;

	hash_for_each_possible_rcu(phi_ports, network, node, key) {
		if (network->key != key ||
		    phi_endpoint_dead(network->service.endpoint))
			continue;
		hlist_for_each_entry_rcu(cap, &network->caps, link) {
			if (!phi_cap_live(cap))
				return true;
		}
	}
	return false;
}

/**
 * phi_service_port_open() - does a NETWORK capability open a port?
 * @proto: IPPROTO_TCP or IPPROTO_UDP.
 * @port: The port, in host byte order.
 *
 * Context: Any.
 * Return: True when a live one for that port, or for all of the protocol, is
 * in a slot of a cspace and its endpoint lives.
 */
bool phi_service_port_open(u8 proto, u16 port)
{
	guard(rcu)();
	return phi_network_open(PHI_NETWORK_BADGE(proto, port)) ||
	       phi_network_open(PHI_NETWORK_BADGE(proto, 0));
}
