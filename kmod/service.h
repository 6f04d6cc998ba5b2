/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_SERVICE_H
#define _PHI_SERVICE_H

#include <linux/list.h>

#include "object.h"

struct phi_cap;
struct phi_cspace;
struct phi_endpoint;

/**
 * DOC: Service objects
 *
 * MODEL, FILE and NETWORK objects are a daemon's own: sending to one, or
 * calling it, reaches the endpoint it was minted from, with the badge of the
 * capability used. Each begins with struct phi_service. The capability that
 * a service object is born with is a child of the endpoint's capability, so
 * revoking that one kills it.
 *
 * The ops of each type of them have phi_service_removed() and
 * phi_service_dead(), or call them: callers wait at the endpoint.
 */

/**
 * struct phi_service - the head of every service object
 * @obj: Object of its capabilities.
 * @endpoint: Where messages to it go; referenced. NULL for a THREAD that takes
 *            none.
 * @behind: In the services of the endpoint until that dies.
 * @shut: Called once when the endpoint dies, under the services lock; NULL
 *        for nothing. After phi_service_join().
 */
struct phi_service {
	struct phi_object obj;
	struct phi_object *endpoint;
	struct list_head behind;
	void (*shut)(struct phi_service *service);
};

/* Rights of a service object that its endpoint's capability must have. */
#define PHI_RIGHTS_SERVICE \
	(PHI_RIGHT_SEND | PHI_RIGHT_RECV | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

int phi_service_check(const struct phi_cap *endpoint, u32 rights, u64 badge);
int phi_service_init(struct phi_service *service,
		     const struct phi_object_ops *ops, struct phi_cap *endpoint,
		     struct phi_user *user);
void phi_service_fini(struct phi_service *service);
int phi_service_install(struct phi_cspace *cs, struct phi_service *service,
			struct phi_cap *endpoint, u32 rights, u64 badge,
			u64 expires_ns, u64 *handle);
void phi_service_removed(struct phi_object *obj, struct phi_cap *cap);
void phi_service_dead(struct phi_object *obj, struct phi_cap *cap);
void phi_service_join(struct phi_service *service,
		      void (*shut)(struct phi_service *service));
void phi_service_bury(struct phi_endpoint *ep);
bool phi_service_port_open(u8 proto, u16 port);

#endif /* _PHI_SERVICE_H */
