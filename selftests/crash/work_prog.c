// SPDX-License-Identifier: GPL-2.0-only
/*
 * work_prog DIR NOTES WORKLOAD[!|@N[b]] - do the steps of a workload on the store
 * in DIR/store. Notes say "b N" when step N begins and "a N" when it was
 * acknowledged. At an error it ends; with "!" it notes "e N ERRNO" and, as
 * "d N HASH", what the store holds then, has the disk healed, and tries
 * again: at once, and if that fails, "r N ERRNO", once more after it has
 * opened the store again. With "@N" it goes on from step N, in the middle of
 * which it was killed: that the step cannot be done because it was done is no
 * error, and acknowledged together with the next; "b" is for a step that was
 * not begun yet. Where CRASH_MARK names a device-mapper device, it
 * is told the same, as marks "bN" and "aN".
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "work.h"

/* The shim's. */
void crash_heal(void) __attribute__((weak));

static int notes;

static void tell(const char *device, const char *what, size_t step)
{
	/* A struct dm_target_msg is a sector, and the text behind it. */
	struct {
		struct dm_ioctl head;
		uint64_t sector;
		char text[32];
	} io = { .head = { .version = { DM_VERSION_MAJOR },
			   .data_size = sizeof(io),
			   .data_start = sizeof(io.head) } };
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	snprintf(io.head.name, sizeof(io.head.name), "%s", device);
	snprintf(io.text, sizeof(io.text), "mark %s%zu", what, step);
	if (fd < 0 || ioctl(fd, DM_TARGET_MSG, &io))
		err(3, "%s", device);
	close(fd);
}

static void note(const char *what, size_t step, long value)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %zu %ld\n", what, step, value);

	if (write(notes, line, (size_t)n) != n)
		err(3, "notes");
	if (getenv("CRASH_MARK"))
		tell(getenv("CRASH_MARK"), what, step);
}

static long dumped(struct work *w)
{
	unsigned long hash = 5381;
	char *text = NULL;
	size_t len = 0, i;
	FILE *out;

	if (!w->store)
		return 0;
	out = open_memstream(&text, &len);
	if (!out || work_dump(w, out)) {
		fputs(WORK_DAMAGED, out);
		fflush(out);
	}
	fclose(out);
	for (i = 0; i < len; i++)
		hash = hash * 33 + (unsigned char)text[i];
	free(text);
	return (long)(hash >> 1);
}

static int again(struct work *w, const struct workload *load, size_t i, int ret)
{
	note("e", i, -ret);
	note("d", i, dumped(w));
	if (crash_heal)
		crash_heal();
	ret = load->steps[i].fn(w, &load->steps[i]);
	if (!ret)
		return 0;
	note("r", i, -ret);
	work_close(w);
	ret = work_open(w, &load->steps[0]);
	if (ret)
		return ret;
	ret = i ? load->steps[i].fn(w, &load->steps[i]) : 0;
	/* A commit whose sync failed may turn out to be there after all. */
	return ret == -EEXIST || ret == -ENOENT ? 0 : ret;
}

/* Returns how the last step ended. */
static int work(struct work *w, const struct workload *load, const char *at,
		bool retry)
{
	char *begun = "b";
	size_t first = at ? strtoul(at + 1, &begun, 10) : 0;
	size_t i, acks = 1;
	int ret = 0;

	if (first)
		ret = work_open(w, &load->steps[0]);
	for (i = first; i < load->n && !ret; i++) {
		if (i > first || *begun == 'b')
			note("b", i, 0);
		ret = load->steps[i].fn(w, &load->steps[i]);
		if (ret && retry)
			ret = again(w, load, i, ret);
		if (ret && at && i == first) {
			acks = 2;
			ret = 0;
			continue;
		}
		for (; acks && !ret; acks--)
			note("a", i, 0);
		acks = 1;
	}
	if (ret)
		note("f", i - 1, -ret);
	else if (retry)
		note("z", i - 1, dumped(w));
	work_close(w);
	return ret;
}

int main(int argc, char **argv)
{
	const struct workload *load;
	struct work w = {};
	char dir[512], name[64];
	const char *at;
	size_t len;

	if (argc != 4)
		errx(2, "usage: work_prog DIR NOTES WORKLOAD[!|@N[b]]");
	len = strcspn(argv[3], "!@");
	snprintf(name, sizeof(name), "%.*s", (int)len, argv[3]);
	at = strchr(argv[3], '@');
	load = workload_find(name);
	notes = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (!load || notes < 0)
		err(2, "%s", load ? argv[2] : name);
	snprintf(dir, sizeof(dir), "%s/store", argv[1]);
	w.dir = dir;
	return work(&w, load, at, strchr(argv[3], '!')) ? 1 : 0;
}
