// SPDX-License-Identifier: GPL-2.0-only
/* phi vdfs: quotas, figures, and care of the store. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out.h"
#include "vdfs_cli.h"

#define NOT_ADMIN "root and vdfsd's own user may"

static int find_user(const struct args *args, const char *text, uint32_t *uid)
{
	struct passwd *pw;
	uint64_t number;
	int ret;

	pw = getpwnam(text);
	if (pw) {
		*uid = pw->pw_uid;
		return EXIT_OK;
	}
	ret = args_u64(args, "user", text, UINT32_MAX, &number);
	if (!ret)
		*uid = (uint32_t)number;
	return ret;
}

int vdfs_verb_quota(struct args *args)
{
	const char *size = args_option(args, "set");
	uint64_t limit = 0, used;
	struct phi_vdfs *v;
	uint32_t uid = getuid();
	int ret;

	if ((args->n && find_user(args, args->operand[0], &uid)) ||
	    option_u64(args, "set", UINT64_MAX, &limit))
		return EXIT_USAGE;
	ret = vdfs_begin(args, size ? 0 : PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	if (size)
		ret = phi_vdfs_quota_set(v, uid, limit);
	if (!ret)
		ret = phi_vdfs_quota_get(v, uid, &limit, &used);
	phi_vdfs_close(v);
	if (ret == -EACCES)
		return fail_because(NOT_ADMIN, "only the administrator may",
				    "see to the quota of user %u", uid);
	if (ret)
		return vdfs_fail(ret, "see to the quota of user %u", uid);
	out_u64("user", uid);
	out_u64("limit", limit);
	if (!limit)
		out_text("any");
	out_u64("used", used);
	return out_end();
}

static void print_usage(uint32_t uid, const struct phi_vdfs_usage *u)
{
	out_u64("user", uid);
	out_u64("quota", u->quota);
	if (!u->quota)
		out_text("any");
	out_u64("used", u->used);
	out_u64("staged", u->staged);
	out_u64("names", u->names);
	out_u64("names_max", u->names_max);
	if (!u->names_max)
		out_text("any");
	out_u64("attrs", u->attrs);
	out_u64("attr_bytes", u->attr_bytes);
	out_u64("items", u->items);
	out_u64("item_bytes", u->item_bytes);
	out_u64("value_bytes", u->value_bytes);
	out_u64("memory", u->memory);
	out_u64("memory_max", u->memory_max);
	out_u64("puts", u->puts);
	out_u64("puts_max", u->puts_max);
	out_u64("files", u->files);
	out_u64("files_max", u->files_max);
	out_u64("dirs", u->dirs);
	out_u64("dirs_max", u->dirs_max);
	out_u64("locks", u->locks);
	out_u64("locks_max", u->locks_max);
	out_u64("inodes", u->inodes);
	out_u64("inodes_max", u->inodes_max);
	out_u64("sessions", u->sessions);
	out_u64("sessions_max", u->sessions_max);
	out_u64("jobs", u->jobs);
	out_u64("jobs_max", u->jobs_max);
	out_u64("calls", u->calls);
	out_u64("calls_max", u->calls_max);
	out_u64("collections", u->collections);
	out_u64("collections_max", u->collections_max);
}

static int user_stats(struct phi_vdfs *v, uint32_t uid)
{
	struct phi_vdfs_usage usage;
	int ret = phi_vdfs_usage(v, uid, &usage);

	phi_vdfs_close(v);
	if (ret == -EACCES)
		return fail_because(NOT_ADMIN, "only the administrator may",
				    "read the figures of user %u", uid);
	if (ret)
		return vdfs_fail(ret, "read the figures of user %u", uid);
	print_usage(uid, &usage);
	return out_end();
}

int vdfs_verb_stats(struct args *args)
{
	const char *user = args_option(args, "user");
	struct phi_vdfs_stats st;
	uint32_t uid = getuid();
	struct phi_vdfs *v;
	int ret;

	if (user && find_user(args, user, &uid))
		return EXIT_USAGE;
	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	/* Totals of the store are for those who administer it. */
	if (user || !phi_vdfs_info(v)->admin)
		return user_stats(v, uid);
	ret = phi_vdfs_stats(v, &st);
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail(ret, "read the figures");
	out_u64("names", st.names);
	out_u64("blobs", st.blobs);
	out_u64("blob_bytes", st.blob_bytes);
	out_u64("objects", st.objects);
	out_u64("object_bytes", st.object_bytes);
	out_u64("disk_bytes", st.disk_bytes);
	out_u64("mapped", st.mapped);
	out_u64("mapped_bytes", st.mapped_bytes);
	out_u64("sessions", st.sessions);
	return out_end();
}

int vdfs_verb_gc(struct args *args)
{
	struct vdfs_teller t;
	struct phi_vdfs_gc gc;
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	vdfs_teller_init(&t, "looked at", "objects");
	ret = phi_vdfs_gc(v, vdfs_tell, &t, &gc);
	vdfs_teller_end(&t);
	phi_vdfs_close(v);
	if (ret == -EACCES)
		return fail_because(NOT_ADMIN, "only the administrator may",
				    "collect garbage");
	if (ret)
		return vdfs_fail(ret, "collect garbage");
	out_u64("blobs", gc.blobs);
	out_u64("objects", gc.objects);
	out_u64("bytes", gc.bytes);
	return out_end();
}

static void print_fault(void *arg, const char *line)
{
	(void)arg;
	out_row();
	out_str("fault", line);
	out_close();
}

int vdfs_verb_fsck(struct args *args)
{
	unsigned int flags = args_option(args, "repair") ? PHI_VDFS_REPAIR : 0;
	struct phi_vdfs_fsck fsck;
	struct vdfs_teller t;
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, flags ? 0 : PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	vdfs_teller_init(&t, "checked", "bytes");
	out_table("faults", "no faults");
	ret = phi_vdfs_fsck(v, flags, print_fault, vdfs_tell, &t, &fsck);
	vdfs_teller_end(&t);
	phi_vdfs_close(v);
	if (ret == -EACCES)
		return fail_because(NOT_ADMIN, "only the administrator may",
				    "check the store");
	if (ret)
		return vdfs_fail(ret, "check the store");
	out_close();
	out_u64("blobs", fsck.blobs);
	out_u64("bytes", fsck.bytes);
	out_u64("damaged", fsck.damaged);
	out_u64("garbage", fsck.garbage);
	out_u64("fault_count", fsck.faults);
	out_u64("repaired", fsck.repaired);
	ret = out_end();
	return ret ? ret : fsck.faults > fsck.repaired ? EXIT_FAILED : EXIT_OK;
}
