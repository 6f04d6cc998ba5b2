// SPDX-License-Identifier: GPL-2.0-only
/* phi vdfs: store, fetch and map blobs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "vdfs_cli.h"

static int parse_hash(const struct args *args, const char *text,
		      struct phi_vdfs_hash *hash)
{
	if (phi_vdfs_hash_parse(text, hash))
		return usage_error(args,
				   "a hash is sha256: and 64 digits, not '%s'",
				   text);
	return EXIT_OK;
}

static int put_file(struct phi_vdfs *v, const struct args *args, int fd,
		    const struct phi_vdfs_hash *expect)
{
	unsigned int flags = args_option(args, "whole") ? PHI_VDFS_WHOLE : 0;
	const char *name = args->n > 1 ? args->operand[1] : NULL;
	struct phi_vdfs_hash hash;
	struct vdfs_teller t;
	int ret;

	vdfs_teller_init(&t, "stored", "bytes");
	ret = phi_vdfs_put_fd(v, fd, name, flags, expect, vdfs_tell, &t, &hash);
	vdfs_teller_end(&t);
	if (ret)
		return vdfs_fail(ret, "store %s%s%s", args->operand[0],
				 name ? " as " : "", name ? name : "");
	vdfs_out_hash("hash", &hash);
	out_only();
	return out_end();
}

int vdfs_verb_put(struct args *args)
{
	const char *path = args->operand[0];
	const char *text = args_option(args, "expect");
	struct phi_vdfs_hash expect;
	struct phi_vdfs *v;
	int fd = STDIN_FILENO;
	int ret;

	if (text && parse_hash(args, text, &expect))
		return EXIT_USAGE;
	if (strcmp(path, "-")) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return fail_because(NULL, strerror(errno), "read %s",
					    path);
	}
	ret = vdfs_begin(args, 0, &v);
	if (!ret) {
		ret = put_file(v, args, fd, text ? &expect : NULL);
		phi_vdfs_close(v);
	}
	if (fd != STDIN_FILENO)
		close(fd);
	return ret;
}

static int get_file(struct phi_vdfs *v, const struct args *args)
{
	const char *path = args->n > 1 ? args->operand[1] : NULL;
	struct vdfs_teller t;
	int fd = STDOUT_FILENO;
	int ret;

	if (path) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0)
			return fail_because(NULL, strerror(errno), "write %s",
					    path);
	}
	vdfs_teller_init(&t, "fetched", "bytes");
	ret = phi_vdfs_get_fd(v, args->operand[0], fd, vdfs_tell, &t, NULL);
	vdfs_teller_end(&t);
	if (path && close(fd) && !ret)
		ret = -errno;
	return ret ? vdfs_fail(ret, "fetch %s", args->operand[0]) : EXIT_OK;
}

int vdfs_verb_get(struct args *args)
{
	struct phi_vdfs_blob blob;
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	/* A file that is there is left alone when there is no such blob. */
	ret = phi_vdfs_blob_open(v, args->operand[0], &blob);
	if (ret) {
		ret = vdfs_fail(ret, "fetch %s", args->operand[0]);
	} else {
		ret = get_file(v, args);
		phi_vdfs_blob_close(v, &blob);
	}
	phi_vdfs_close(v);
	return ret;
}

/* Look at each page, as whoever uses the blob would. */
static void touch(const struct phi_vdfs_map *map)
{
	const unsigned char *bytes = map->addr;
	unsigned int sum = 0;
	uint64_t at;

	for (at = 0; at < map->bytes; at += 4096)
		sum += bytes[at];
	/* The compiler must think that somebody wants to know. */
	__asm__ __volatile__("" : : "r"(sum));
}

static void hold(uint64_t span)
{
	struct timespec ts = { .tv_sec = (time_t)(span / 1000000000),
			       .tv_nsec = (long)(span % 1000000000) };

	nanosleep(&ts, NULL);
}

static int map_blob(struct phi_vdfs *v, const struct args *args, uint64_t span)
{
	uint64_t begin = now_ns(CLOCK_MONOTONIC), mapped, touched;
	struct phi_region_info info = { 0 };
	struct phi_vdfs_map map;
	int ret;

	wait_begin("vdfsd to read the blob");
	ret = phi_vdfs_map(v, args->operand[0], &map);
	wait_end();
	if (ret)
		return vdfs_fail(ret, "map %s", args->operand[0]);
	mapped = now_ns(CLOCK_MONOTONIC) - begin;
	touch(&map);
	touched = now_ns(CLOCK_MONOTONIC) - begin - mapped;
	if (span)
		hold(span);
	ret = phi_region_info(args->phi, map.cap, &info);
	vdfs_out_hash("hash", &map.hash);
	out_u64("bytes", map.bytes);
	out_u64("mapped_bytes", map.len);
	out_ns("map_ns", mapped);
	out_ns("touch_ns", touched);
	if (!ret)
		out_u64("mappings", info.mappings);
	phi_vdfs_unmap(v, &map);
	return out_end();
}

int vdfs_verb_map(struct args *args)
{
	struct phi_vdfs *v;
	uint64_t span = 0;
	int ret;

	if (option_duration(args, "hold", &span))
		return EXIT_USAGE;
	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	ret = map_blob(v, args, span);
	phi_vdfs_close(v);
	return ret;
}

static int print_blob(void *arg, const struct phi_vdfs_hash *hash,
		      uint64_t bytes)
{
	(void)arg;
	out_row();
	vdfs_out_hash("hash", hash);
	out_u64("bytes", bytes);
	out_close();
	return 0;
}

int vdfs_verb_blobs(struct args *args)
{
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	out_table("blobs", "no blobs");
	ret = phi_vdfs_blobs(v, print_blob, NULL);
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail(ret, "list the blobs");
	out_close();
	return out_end();
}

/* Keep or give up a blob. */
static int hold_blob(struct args *args,
		     int (*fn)(struct phi_vdfs *v,
			       const struct phi_vdfs_hash *hash))
{
	struct phi_vdfs_hash hash;
	struct phi_vdfs *v;
	int ret;

	if (parse_hash(args, args->operand[0], &hash))
		return EXIT_USAGE;
	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	ret = fn(v, &hash);
	phi_vdfs_close(v);
	return ret ? vdfs_fail(ret, "%s %s", args->verb->name,
			       args->operand[0]) :
		     EXIT_OK;
}

int vdfs_verb_keep(struct args *args)
{
	return hold_blob(args, phi_vdfs_keep);
}

int vdfs_verb_drop(struct args *args)
{
	return hold_blob(args, phi_vdfs_drop);
}
