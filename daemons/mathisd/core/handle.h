/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects that a session holds, named by handles: a kind, a slot, and a
 * generation that makes a handle of a closed object invalid for good.
 */
#ifndef MATHISD_CORE_HANDLE_H
#define MATHISD_CORE_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct md_call;
struct md_session;
struct mathis_item;

enum md_kind {
#define KINDS_NUMBERS
#include "kinds.def"
};

#define MD_HANDLES_MAX 65536 /* of a session */
#define MD_FILES_MAX 256 /* of these: each is one of the process too */
#define MD_CRONS_MAX 256 /* each has a time zone */

/**
 * struct md_object - what a handle names; the first member of a larger struct
 * @refs: The handle, and each call that uses it.
 * @free: Frees it when the last reference goes, in any thread.
 * @close: Called once before the handle lets go of it, or NULL: what runs on
 *	its own has to stop.
 */
struct md_object {
	atomic_uint refs;
	void (*close)(struct md_object *object);
	void (*free)(struct md_object *object);
};

struct md_slot {
	struct md_object *object; /* NULL: free */
	uint32_t generation;
	uint32_t next; /* of the free ones, plus 1 */
	uint8_t kind;
};

struct md_handles {
	uint32_t seed; /* generations begin behind it */
	struct md_slot *slots;
	uint32_t n; /* that were used */
	uint32_t room;
	uint32_t free; /* the first free one, plus 1 */
	uint32_t open; /* objects */
	uint32_t of_kind[UINT8_MAX + 1]; /* of these */
};

/*
 * Begin an object: @free frees it. Until it gets a handle the caller holds the
 * one reference.
 */
void md_object_init(struct md_object *object,
		    void (*free)(struct md_object *object));
void md_object_put(struct md_object *object);

/*
 * Set the result of a call to a handle of an object. It takes the reference,
 * also on failure, which it has reported.
 */
int md_return_handle(struct md_call *c, enum md_kind kind,
		     struct md_object *object);
/* The object of a handle, with a reference for the caller; NULL: reported. */
struct md_object *md_handle_get(struct md_call *c, enum md_kind kind,
				const struct mathis_item *handle);
/* Close a handle: 0, or MD_FAILED, which was reported. */
int md_handle_close(struct md_call *c, enum md_kind kind,
		    const struct mathis_item *handle);

const char *md_kind_name(unsigned int kind);
/* The number of a kind, or 0. */
unsigned int md_kind_find(const char *name, unsigned int n);
void md_handles_fini(struct md_handles *handles);

#endif
