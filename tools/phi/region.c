// SPDX-License-Identifier: GPL-2.0-only
/* Regions: shared memory that can be taken back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

static sigjmp_buf fault;

/* Pages that were revoked: back to where the access began. */
static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault };

	sigaction(SIGBUS, &action, NULL);
}

static int region_create(struct args *args)
{
	unsigned int flags = args_option(args, "dma") ? PHI_REGION_DMA : 0;
	long page = sysconf(_SC_PAGESIZE);
	uint64_t bytes;
	uint64_t cap;
	int ret;

	if (args_u64(args, "size", args->operand[0], INT64_MAX, &bytes))
		return EXIT_USAGE;
	if (!bytes || bytes % (uint64_t)page)
		return usage_error(args, "size %s is no multiple of %ld",
				   args->operand[0], page);
	quota_needs(PHI_QUOTA_PAGES, bytes / (uint64_t)page);
	ret = phi_region_create(args->phi, bytes, flags, &cap);
	if (ret)
		return fail(ret, "make a region of %s bytes", args->operand[0]);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

static int region_adopt(struct args *args)
{
	const char *path = args->operand[0];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t offset = 0;
	uint64_t bytes;
	uint64_t cap;
	int ret;

	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_because(NULL, strerror(errno), "open %s", path);
	if (args_u64(args, "size", args->operand[1], INT64_MAX, &bytes) ||
	    option_u64(args, "offset", INT64_MAX, &offset)) {
		close(fd);
		return EXIT_USAGE;
	}
	ret = phi_region_adopt(args->phi, fd, offset, bytes, &cap);
	close(fd);
	if (ret)
		return fail(ret, "adopt %s bytes of %s", args->operand[1],
			    path);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

void region_fields(const struct phi_region_info *info)
{
	out_u64("bytes", info->bytes);
	out_str("class",
		info->region_flags & PHI_REGION_DMA ? "dma" : "revocable");
	out_bool("adopted", info->region_flags & PHI_REGION_ADOPTED);
	out_rights("rights", info->rights);
	out_u64("mappings", info->mappings);
	out_u64("pinned", info->pinned);
}

static int region_info(struct args *args)
{
	struct phi_region_info info;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	ret = phi_region_info(args->phi, cap, &info);
	if (ret)
		return fail(ret, "look at the region %s", args->operand[0]);
	region_fields(&info);
	return out_end();
}

static int region_slice(struct args *args)
{
	uint64_t expires;
	uint64_t offset;
	uint64_t bytes;
	uint32_t rights;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    args_u64(args, "offset", args->operand[1], INT64_MAX, &offset) ||
	    args_u64(args, "size", args->operand[2], INT64_MAX, &bytes) ||
	    option_when(args, "expires", CLOCK_BOOTTIME, &expires))
		return EXIT_USAGE;
	ret = option_rights_of(args, cap, &rights);
	if (ret)
		return ret;
	ret = phi_region_slice(args->phi, cap, offset, bytes, rights, expires,
			       &cap);
	if (ret)
		return fail(ret, "cut %s bytes at %s out of the region %s",
			    args->operand[2], args->operand[1],
			    args->operand[0]);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

static int region_snapshot(struct args *args)
{
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	ret = phi_region_snapshot(args->phi, cap, &cap);
	if (ret)
		return fail(ret, "make a snapshot of the region %s",
			    args->operand[0]);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

/* Map an operand's region and check that [offset, offset + len) is in it. */
static int map_range(const struct args *args, int prot, uint64_t offset,
		     uint64_t len, void **addr, size_t *size)
{
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	ret = phi_region_map(args->phi, cap, prot, addr, size);
	if (ret)
		return fail(ret, "map the region %s", args->operand[0]);
	if (offset <= *size && len <= *size - offset)
		return EXIT_OK;
	phi_region_unmap(*addr, *size);
	return usage_error(args,
			   "%llu bytes at %llu do not fit a region of %zu",
			   (unsigned long long)len, (unsigned long long)offset,
			   *size);
}

/* Copy to or from revocable pages: 0, or -EFAULT when they went. */
static int copy_guarded(void *to, const void *from, size_t len)
{
	catch_faults();
	if (sigsetjmp(fault, 1))
		return -EFAULT;
	memcpy(to, from, len);
	return 0;
}

static void dump(const unsigned char *data, size_t len, uint64_t offset)
{
	size_t i;
	size_t k;

	for (i = 0; i < len; i += 16) {
		printf("%08llx ", (unsigned long long)(offset + i));
		for (k = i; k < i + 16; k++) {
			if (k < len)
				printf(" %02x", data[k]);
			else
				printf("   ");
		}
		printf("  ");
		for (k = i; k < i + 16 && k < len; k++)
			putchar(data[k] >= 0x20 && data[k] < 0x7f ? data[k] :
								    '.');
		putchar('\n');
	}
}

static int region_read(struct args *args)
{
	uint64_t offset = 0;
	uint64_t len = 0;
	void *copy;
	void *addr;
	size_t size;
	int ret;

	if (option_u64(args, "offset", INT64_MAX, &offset) ||
	    option_u64(args, "length", INT64_MAX, &len))
		return EXIT_USAGE;
	ret = map_range(args, PROT_READ, offset, len, &addr, &size);
	if (ret)
		return ret;
	if (!args_option(args, "length"))
		len = size - offset;
	copy = malloc(len ? len : 1);
	ret = copy ? copy_guarded(copy, (char *)addr + offset, len) : -ENOMEM;
	phi_region_unmap(addr, size);
	if (ret) {
		free(copy);
		return fail(ret == -EFAULT ? -EKEYREVOKED : ret,
			    "read the region %s", args->operand[0]);
	}

	if (out_json) {
		out_u64("offset", offset);
		out_bytes("data", copy, len);
		ret = out_end();
	} else if (args_option(args, "hex") || isatty(STDOUT_FILENO)) {
		dump(copy, len, offset);
		ret = out_end();
	} else {
		ret = write_all(STDOUT_FILENO, copy, len);
		if (ret)
			ret = fail(ret, "write to stdout");
	}
	free(copy);
	return ret;
}

static int region_write(struct args *args)
{
	const char *path = args->n > 1 ? args->operand[1] : "-";
	const char *text = args_option(args, "text");
	uint64_t offset = 0;
	void *data = NULL;
	size_t len = 0;
	void *addr;
	size_t size;
	int ret;

	if (option_u64(args, "offset", INT64_MAX, &offset))
		return EXIT_USAGE;
	if (text && args->n > 1)
		return usage_error(args,
				   "--text and a file exclude each other");
	if (!text) {
		ret = read_file(path, 1UL << 32, &data, &len);
		if (ret)
			return fail_because(NULL, strerror(-ret), "read %s",
					    path);
		text = data;
	} else {
		len = strlen(text);
	}
	ret = map_range(args, PROT_READ | PROT_WRITE, offset, len, &addr,
			&size);
	if (!ret) {
		ret = copy_guarded((char *)addr + offset, text, len);
		phi_region_unmap(addr, size);
		if (ret)
			ret = fail(-EKEYREVOKED, "write the region %s",
				   args->operand[0]);
	}
	free(data);
	if (ret || !out_json)
		return ret;
	out_u64("offset", offset);
	out_u64("bytes", len);
	return out_end();
}

static int stopped;

static void on_stop(int sig)
{
	(void)sig;
	__atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
}

/* Touch a page until it goes, the time is over or a signal comes. */
static bool watch(const char *page, uint64_t ns, uint64_t *lasted)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	uint64_t start = now_ns(CLOCK_MONOTONIC);

	catch_faults();
	if (sigsetjmp(fault, 1)) {
		*lasted = now_ns(CLOCK_MONOTONIC) - start;
		return false;
	}
	do {
		/* A load that must happen. */
		(void)__atomic_load_n(page, __ATOMIC_RELAXED);
		nanosleep(&pause, NULL);
		*lasted = now_ns(CLOCK_MONOTONIC) - start;
	} while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED) && *lasted < ns);
	return true;
}

static int region_map(struct args *args)
{
	struct sigaction stop = { .sa_handler = on_stop };
	uint64_t ns = UINT64_MAX;
	uint64_t lasted = 0;
	uint64_t cap;
	void *addr;
	size_t size;
	bool kept;
	int ret;

	if (args_handle(args, 0, &cap) || option_duration(args, "for", &ns))
		return EXIT_USAGE;
	ret = phi_region_map(args->phi, cap, PROT_READ, &addr, &size);
	if (ret)
		return fail(ret, "map the region %s", args->operand[0]);

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	fprintf(stderr, "mapped %zu bytes\n", size);
	wait_begin("its pages to go");
	kept = watch(addr, ns, &lasted);
	wait_end();
	phi_region_unmap(addr, size);

	out_u64("bytes", size);
	out_ns("mapped_ns", lasted);
	out_str("pages", kept ? "still there" : "gone (SIGBUS)");
	return out_end() || !kept ? EXIT_FAILED : EXIT_OK;
}

static int region_wait(struct args *args)
{
	unsigned int flags = args_option(args, "nonblock") ? PHI_NONBLOCK : 0;
	uint64_t deadline;
	uint64_t offset;
	uint64_t value;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    args_u64(args, "offset", args->operand[1], INT64_MAX, &offset) ||
	    args_u64(args, "value", args->operand[2], UINT32_MAX, &value) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	wait_begin("a wake");
	ret = phi_region_wait(args->phi, cap, offset, (uint32_t)value, flags,
			      deadline);
	wait_end();
	if (ret)
		return fail(ret, "wait for the word at %s of %s",
			    args->operand[1], args->operand[0]);
	return EXIT_OK;
}

static int region_wake(struct args *args)
{
	uint32_t count = UINT32_MAX;
	uint64_t offset;
	uint32_t woken;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    args_u64(args, "offset", args->operand[1], INT64_MAX, &offset) ||
	    option_u32(args, "count", UINT32_MAX, &count))
		return EXIT_USAGE;
	ret = phi_region_wake(args->phi, cap, offset, count, &woken);
	if (ret)
		return fail(ret, "wake the word at %s of %s", args->operand[1],
			    args->operand[0]);
	out_u64("woken", woken);
	out_only();
	return out_end();
}

static const struct verb verbs[] = {
	{ "create", region_create, "SIZE [--dma]",
	  "make a zeroed region; --dma: its pages can be pinned (io_uring, O_DIRECT, VFIO), and a revoke does not end a pin: it replaces the page",
	  HANDLES },
	{ "adopt", region_adopt, "PATH SIZE [--offset SIZE]",
	  "make a region of pages of a sealed memfd, as /proc/self/fd/N names it",
	  HANDLES },
	{ "info", region_info, "CAP", "say how long it is and who maps it",
	  HANDLES },
	{ "slice", region_slice,
	  "CAP OFFSET SIZE [--rights LIST] [--expires TIME]",
	  "make a capability to some of its pages; rights and expiry default to the parent's",
	  HANDLES },
	{ "snapshot", region_snapshot, "CAP",
	  "make a region that holds what this one holds now; pages are copied when one of the two writes them",
	  HANDLES },
	{ "read", region_read, "CAP [--offset SIZE] [--length SIZE] [--hex]",
	  "print what it holds: bytes, or a dump with --hex or on a terminal",
	  HANDLES },
	{ "write", region_write, "CAP [FILE] [--text TEXT] [--offset SIZE]",
	  "put a file, stdin or a text into it", HANDLES },
	{ "map", region_map, "CAP [--for TIME]",
	  "keep it mapped and watch; exits with 1 when its pages are taken away",
	  HANDLES },
	{ "wait", region_wait, "CAP OFFSET VALUE [--nonblock] [--timeout TIME]",
	  "wait until a word of 32 bits is woken, if it holds a value",
	  HANDLES },
	{ "wake", region_wake, "CAP OFFSET [--count N]",
	  "wake those who wait for a word, all or N of them", HANDLES },
	{ 0 },
};

const struct noun region_noun = {
	.name = "region",
	.help = "shared memory that can be taken back",
	.verbs = verbs,
};
