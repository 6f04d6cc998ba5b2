// SPDX-License-Identifier: GPL-2.0-only
/* vdfsd that serves nobody: it checks a store, rebuilds it, or refuses it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)

FIXTURE(offline)
{
	struct tree t;
};

FIXTURE_SETUP(offline)
{
	uint8_t *data = random_bytes(2 * MIB, 3);

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, 2 * MIB, 0, "list",
			       NULL));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, 500, 0, "small",
			       NULL));
	free(data);
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	/* Root becomes nobody. */
	ASSERT_EQ(0, tree_shell(&self->t,
				"[ $(id -u) != 0 ] || chown -R nobody ."));
}

FIXTURE_TEARDOWN(offline)
{
	tree_remove(&self->t);
}

/* Run vdfsd, and expect of it a status and some words. */
static int run(struct tree *t, const char *more, int status, const char *words)
{
	const char *build = getenv("PHI_BUILD");
	char line[1024];

	snprintf(line, sizeof(line),
		 "%s/daemons/vdfsd --store %s $([ $(id -u) != 0 ] ||\n"
		 "echo --user nobody) %s >%s.out 2>&1; status=$?;\n"
		 "[ $status = %d ] && grep -q '%s' %s.out; good=$?;\n"
		 "[ $good = 0 ] || sed 's/^/# /' %s.out; rm %s.out; exit $good",
		 build ? build : "build", t->dir, more, t->dir, status, words,
		 t->dir, t->dir, t->dir);
	return system(line);
}

#define LIST                                           \
	"(find . -printf '%p %s %m %u %T@\\n' | sort;" \
	"find . -type f | sort | xargs cat)"

TEST_F(offline, a_check_changes_nothing)
{
	ASSERT_EQ(0, tree_shell(&self->t, "chmod 750 .;" LIST
					  " | sha256sum >${PWD}.sum"));
	EXPECT_EQ(0, run(&self->t, "--check", 0, "2 blobs.* 0 faults"));
	EXPECT_EQ(0,
		  tree_shell(&self->t, LIST " | sha256sum | cmp - ${PWD}.sum"));
	EXPECT_EQ(0, tree_shell(&self->t, "rm ${PWD}.sum"));
}

TEST_F(offline, a_check_makes_no_store)
{
	ASSERT_EQ(0, tree_shell(&self->t, "rm -r ./*"));
	EXPECT_EQ(0, run(&self->t, "--check", 1, "cannot open the store"));
	EXPECT_EQ(0, tree_shell(&self->t, "test -z \"$(ls)\""));
}

TEST_F(offline, a_store_without_its_database_is_rebuilt)
{
	ASSERT_EQ(0, tree_shell(&self->t, "rm meta.db"));
	EXPECT_EQ(0, run(&self->t, "--check", 1, "vdfsd --rebuild"));
	EXPECT_EQ(0, run(&self->t, "--gc", 1, "vdfsd --rebuild"));
	EXPECT_EQ(0, run(&self->t, "--rebuild --gc", 2, "does nothing else"));
	EXPECT_EQ(0,
		  run(&self->t, "--rebuild", 0, "records and 0 files found"));
	EXPECT_EQ(0, run(&self->t, "--gc", 0, "^0 blobs, 0 objects"));
	EXPECT_EQ(0, run(&self->t, "--check", 0, "blobs.* 0 faults"));
}

TEST_HARNESS_MAIN
