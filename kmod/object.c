// SPDX-License-Identifier: GPL-2.0-only

#include <linux/atomic.h>
#include <linux/nospec.h>

#include "object.h"
#include "quota.h"

/* Objects on the host, by type; [0] is their sum. */
static atomic64_t phi_objects[PHI_TYPE_SESSION + 1];

/**
 * phi_object_init() - start the life of an object
 * @obj: The head of the object.
 * @ops: Operations of its type.
 * @user: The account to charge.
 *
 * Takes a reference to @user and leaves one reference to @obj with the caller.
 *
 * Context: Any.
 * Return: 0, or -EDQUOT when @user has too many objects; there is nothing to
 * undo then.
 */
int phi_object_init(struct phi_object *obj, const struct phi_object_ops *ops,
		    struct phi_user *user)
{
	int ret = phi_quota_charge(user, PHI_QUOTA_OBJECTS, 1);

	if (ret)
		return ret;
	phi_user_hold(user);
	kref_init(&obj->ref);
	obj->ops = ops;
	obj->user = user;
	atomic64_inc(&phi_objects[0]);
	atomic64_inc(&phi_objects[ops->type]);
	return 0;
}

/**
 * phi_object_fini() - end the life of an object
 * @obj: The head of the object. Its type's free() calls this before it frees
 *       the memory.
 *
 * Context: Any but interrupts.
 */
void phi_object_fini(struct phi_object *obj)
{
	atomic64_dec(&phi_objects[obj->ops->type]);
	atomic64_dec(&phi_objects[0]);
	phi_quota_uncharge(obj->user, PHI_QUOTA_OBJECTS, 1);
	phi_user_put(obj->user);
}

/**
 * phi_object_get() - take one more reference to an object
 * @obj: The object; the caller has a reference.
 *
 * Context: Any.
 */
void phi_object_get(struct phi_object *obj)
{
	kref_get(&obj->ref);
}

static void phi_object_release(struct kref *ref)
{
	struct phi_object *obj = container_of(ref, struct phi_object, ref);

	might_sleep();
	obj->ops->free(obj);
}

/**
 * phi_object_put() - give back a reference to an object
 * @obj: The object. Its type's free() is called with the last one.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_object_put(struct phi_object *obj)
{
	kref_put(&obj->ref, phi_object_release);
}

/**
 * phi_object_count() - count objects
 * @type: PHI_TYPE_*, or 0 for all types.
 *
 * Context: Any.
 * Return: How many there are on the host.
 */
u64 phi_object_count(u32 type)
{
	if (type >= ARRAY_SIZE(phi_objects))
		return 0;
	type = array_index_nospec(type, ARRAY_SIZE(phi_objects));
	return atomic64_read(&phi_objects[type]);
}
