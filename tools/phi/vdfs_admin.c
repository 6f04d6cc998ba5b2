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

static int find_user(const struct args *args, uint32_t *uid)
{
	struct passwd *pw;
	uint64_t number;
	int ret;

	*uid = getuid();
	if (!args->n)
		return EXIT_OK;
	pw = getpwnam(args->operand[0]);
	if (pw) {
		*uid = pw->pw_uid;
		return EXIT_OK;
	}
	ret = args_u64(args, "user", args->operand[0], UINT32_MAX, &number);
	if (!ret)
		*uid = (uint32_t)number;
	return ret;
}

int vdfs_verb_quota(struct args *args)
{
	const char *size = args_option(args, "set");
	uint64_t limit = 0, used;
	struct phi_vdfs *v;
	uint32_t uid;
	int ret;

	if (find_user(args, &uid) ||
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

int vdfs_verb_stats(struct args *args)
{
	struct phi_vdfs_stats st;
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
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
