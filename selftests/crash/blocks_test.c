// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power cuts below a real filesystem: a workload runs on an ext4 whose block
 * writes are logged. Disks as a power cut may leave them are made from the
 * log, mounted and verified: after some of the marks of acknowledged steps
 * and between them, in turn with all that was written and with any part of
 * what was not flushed.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "blocks.h"
#include "verify.h"

#define DISK_MB 32
#define LOG_MB 256
#define CUTS 4 /* besides those after steps */
#define STEPS 6 /* steps between cuts after one was acknowledged */

FIXTURE(blocks)
{
	struct run run;
	struct golden golden;
	struct blocks log;
	char base[96];
	char disk[96];
};

FIXTURE_VARIANT(blocks)
{
	const char *load;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(blocks, blobs) { .load = "blobs" };
FIXTURE_VARIANT_ADD(blocks, items) { .load = "items" };
FIXTURE_VARIANT_ADD(blocks, mend) { .load = "mend" };
/* clang-format on */

__attribute__((format(printf, 1, 2))) static int sh(const char *format, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(cmd, sizeof(cmd), format, ap);
	va_end(ap);
	return system(cmd);
}

FIXTURE_SETUP(blocks)
{
	memset(self, 0, sizeof(*self));
	self->log.fd = -1;
	ASSERT_EQ(0, run_init(&self->run));
	snprintf(self->base, sizeof(self->base), "%s/base", self->run.top);
	snprintf(self->disk, sizeof(self->disk), "%s/disk", self->run.top);
	ASSERT_EQ(0, sh("modprobe -a loop ext4 dm-log-writes"));
}

FIXTURE_TEARDOWN(blocks)
{
	sh("exec 2>/dev/null; umount %s %s\n"
	   "dmsetup remove --noudevsync crash-%s; losetup -D",
	   self->run.root, self->run.state, variant->load);
	if (self->log.fd >= 0)
		blocks_close(&self->log);
	golden_free(&self->golden);
	run_fini(&self->run);
}

/*
 * An empty ext4 in @base, and its log at top/blocks while @load runs on it.
 * There may be no udev to name devices or to wait for.
 */
static int record(struct run *run, const char *base, const char *load)
{
	return sh("set -e; cd %s; truncate -s %dM %s; truncate -s %dM blocks\n"
		  "mkfs.ext4 -q -E nodiscard,lazy_itable_init=0 -J size=4 %s\n"
		  "cp --sparse=always %s live\n"
		  "a=$(losetup -f --show live); b=$(losetup -f --show blocks)\n"
		  "dmsetup create --noudevsync crash-%s \\\n"
		  "	--table \"0 $(blockdev --getsz $a) log-writes $a $b\"\n"
		  "n=$(dmsetup info -c --noheadings -o minor crash-%s)\n"
		  "mount /dev/dm-$n %s\n"
		  "CRASH_MARK=crash-%s \\\n"
		  "	$PHI_BUILD/selftests/crash/work_prog %s %s %s\n"
		  "umount %s; dmsetup remove --noudevsync crash-%s\n"
		  "losetup -d $a; losetup -d $b; rm live",
		  run->top, DISK_MB, base, LOG_MB, base, base, load, load,
		  run->root, load, run->root, run->notes, load, run->root,
		  load);
}

static int apply_some(const struct blocks *log, size_t from, size_t to,
		      const char *disk, bool all)
{
	int fd = open(disk, O_RDWR | O_CLOEXEC);
	int ret = fd < 0 ? -1 : 0;

	for (; from < to && !ret; from++) {
		if (all || log->list[from].flags & BLOCKS_FUA || random() & 1)
			ret = blocks_apply(log, from, fd);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * Verify a disk on which everything up to @flushed is, and of what follows,
 * up to @at, all or any part.
 */
static int cut(struct run *run, const struct golden *golden,
	       const struct blocks *log, const char *base, const char *disk,
	       size_t flushed, size_t at, bool all,
	       const struct progress *progress, char *why, size_t len)
{
	int ret;

	snprintf(why, len, "cannot be mounted");
	if (sh("cp --sparse=always %s %s", base, disk) ||
	    apply_some(log, flushed, at, disk, all) ||
	    sh("mount -t ext4 -o loop %s %s", disk, run->state))
		return -1;
	ret = verify(golden, run->state, progress, why, len);
	if (sh("umount %s", run->state))
		ret = -1;
	return ret;
}

TEST_F_TIMEOUT(blocks, lose_nothing, 900)
{
	struct progress progress = {};
	size_t i, flushed = 0, every, tried = 0;
	const struct blocks_entry *e;
	char why[4096];
	bool way;

	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	ASSERT_EQ(0, record(&self->run, self->base, variant->load));
	snprintf(why, sizeof(why), "%s/blocks", self->run.top);
	ASSERT_EQ(0, blocks_open(why, &self->log));
	every = self->log.n / CUTS + 1;
	for (i = 0; i < self->log.n; i++) {
		e = &self->log.list[i];
		if (e->flags & BLOCKS_MARK)
			progress_note(&progress, e->mark, 1);
		if (e->flags & BLOCKS_FLUSH) {
			/* The base is what the disk holds for certain. */
			ASSERT_EQ(0, apply_some(&self->log, flushed, i,
						self->base, true));
			flushed = i;
		}
		if (i % every && (e->mark[0] != 'a' || progress.acked % STEPS))
			continue;
		way = tried++ & 1;
		TH_LOG("cut after write %zu, %zu of %zu steps acknowledged, %s of the rest",
		       i, progress.acked, progress.begun, way ? "all" : "part");
		ASSERT_EQ(0, cut(&self->run, &self->golden, &self->log,
				 self->base, self->disk, flushed, i + 1, way,
				 &progress, why, sizeof(why)))
		{
			TH_LOG("%s", why);
		}
	}
	ASSERT_EQ(self->golden.load->n, progress.acked);
	TH_LOG("%s: %zu block writes, %zu power cuts", variant->load,
	       self->log.n, tried);
}

TEST_HARNESS_MAIN
