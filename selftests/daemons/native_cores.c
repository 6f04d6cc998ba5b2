// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cores of all daemons in one process, as a daemon that embeds others has
 * them: see Makefile. That this links is most of the test.
 */
#include <kselftest_harness.h>

#include "daemons/batchd/batchd.h"
#include "daemons/batchd/settings.h"
#include "daemons/initd/initd.h"
#include "daemons/vdfsd/serve/serve_impl.h"

#define ARGS(...) ((char *[]){ __VA_ARGS__, NULL })

static struct vdfsd vdfsd;
static struct batchd batchd;

/* Each has its own call table: a number means what its own header says. */
TEST(each_has_its_own_calls)
{
	const struct op *stage, *region;
	uint32_t nr;

	daemon_init(&batchd.daemon, &batchd_kind);
	vdfsd_init(&vdfsd);
	stage = vdfsd.daemon.kind->op(PHI_VDFS_STAGE);
	region = batchd.daemon.kind->op(PHI_BATCH_REGION);
	ASSERT_NE(NULL, stage);
	ASSERT_NE(NULL, region);
	EXPECT_EQ(sizeof(struct phi_vdfs_request), stage->request);
	EXPECT_EQ(sizeof(struct phi_batch_region), region->request);
	EXPECT_TRUE(vdfsd_kind.op(PHI_VDFS_ATTACH)->attach);
	EXPECT_TRUE(batchd_kind.op(PHI_BATCH_ATTACH)->attach);
	for (nr = 1; nr < PHI_VDFS_OPS; nr++) {
		EXPECT_NE(NULL, vdfsd_kind.op(nr));
	}
	for (nr = PHI_BATCH_ATTACH; nr <= PHI_BATCH_INFER; nr++) {
		EXPECT_NE(NULL, batchd_kind.op(nr));
	}
	EXPECT_EQ(NULL, vdfsd_kind.op(0));
	EXPECT_EQ(NULL, vdfsd_kind.op(PHI_VDFS_OPS));
	EXPECT_EQ(NULL, vdfsd_kind.op(UINT32_MAX));
	EXPECT_EQ(NULL, batchd_kind.op(0));
	EXPECT_EQ(NULL, batchd_kind.op(PHI_BATCH_INFER + 1));
	EXPECT_EQ(NULL, batchd_kind.op(UINT32_MAX));
}

TEST(each_has_its_own_command_line)
{
	struct vdfsd_options v;
	struct init_options i;
	struct settings b;

	optind = 0;
	ASSERT_EQ(0, vdfsd_options_read(
			     5, ARGS("vdfsd", "--store", "/s", "-t", "7"), &v));
	optind = 0;
	ASSERT_EQ(0, batchd_options_read(6,
					 ARGS("batchd", "--model", "a=b", "-vw",
					      "1.5", "--ready-fd=4"),
					 &b));
	optind = 0;
	ASSERT_EQ(0, init_options_read(4, ARGS("initd", "-c", "/c", "--check"),
				       &i));
	EXPECT_STREQ("/c", i.config);
	EXPECT_TRUE(i.check);
	EXPECT_STREQ("/s", v.store);
	EXPECT_EQ(7, v.threads);
	EXPECT_EQ(-1, v.common.ready_fd);
	EXPECT_FALSE(v.common.verbose);
	EXPECT_EQ(1, b.nmodels);
	EXPECT_EQ(1500000, b.options.window_ns);
	EXPECT_EQ(4, b.common.ready_fd);
	EXPECT_TRUE(b.common.verbose);
}

TEST_HARNESS_MAIN
