/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BENCH_BINDER_H
#define _BENCH_BINDER_H

/*
 * The least of a client and a server of Binder, to measure it: the server is
 * the context manager, which the client reaches as handle 0 with no look-up.
 */

#include <fcntl.h>
#include <linux/android/binder.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define BINDER_MAP (128 * 1024)

static int binder = -1;
static char binder_data[32];

/* One command with a transaction, after one that frees a buffer. */
struct binder_out {
	__u32 free_cmd;
	binder_uintptr_t free_buffer;
	__u32 cmd;
	struct binder_transaction_data tr;
} __attribute__((packed));

/* False when the kernel has no Binder. */
static bool binder_open(void)
{
	if (system("modprobe -q binder_linux"))
		return false;
	binder = open("/dev/binder", O_RDWR | O_CLOEXEC);
	return binder >= 0 && mmap(NULL, BINDER_MAP, PROT_READ, MAP_PRIVATE,
				   binder, 0) != MAP_FAILED;
}

/*
 * Write commands and read until the wanted one comes. Return: the buffer of
 * its transaction, to be freed with the next write.
 */
static binder_uintptr_t binder_talk(int fd, const void *out, size_t len,
				    __u32 wanted)
{
	struct binder_transaction_data tr;
	struct binder_write_read wr = {
		.write_size = len,
		.write_buffer = (binder_uintptr_t)out,
	};
	char in[512];
	__u32 cmd;

	for (;;) {
		wr.read_size = sizeof(in);
		wr.read_buffer = (binder_uintptr_t)in;
		wr.read_consumed = 0;
		if (ioctl(fd, BINDER_WRITE_READ, &wr) < 0) {
			perror("BINDER_WRITE_READ");
			exit(1);
		}
		for (size_t at = 0; at < wr.read_consumed;) {
			memcpy(&cmd, in + at, sizeof(cmd));
			at += sizeof(cmd);
			if (cmd == wanted) {
				memcpy(&tr, in + at, sizeof(tr));
				return tr.data.ptr.buffer;
			}
			at += _IOC_SIZE(cmd);
		}
		wr.write_size = 0;
		wr.write_consumed = 0;
	}
}

/* Send a transaction, freeing the buffer of the one before. */
static binder_uintptr_t binder_turn(int fd, __u32 cmd, binder_uintptr_t freed,
				    __u32 wanted)
{
	struct binder_out out = {
		.free_cmd = BC_FREE_BUFFER,
		.free_buffer = freed,
		.cmd = cmd,
	};
	const void *start = freed ? (void *)&out : (void *)&out.cmd;

	out.tr.data_size = sizeof(binder_data);
	out.tr.data.ptr.buffer = (binder_uintptr_t)binder_data;
	return binder_talk(fd, start,
			   (const char *)(&out + 1) - (const char *)start,
			   wanted);
}

static binder_uintptr_t binder_last;

static void binder_ask(void)
{
	binder_last =
		binder_turn(binder, BC_TRANSACTION, binder_last, BR_REPLY);
}

/* In the server's process, with a connection of its own. */
static void binder_serve(void (*ready)(void))
{
	const __u32 enter = BC_ENTER_LOOPER;
	binder_uintptr_t buffer;

	if (!binder_open() || ioctl(binder, BINDER_SET_CONTEXT_MGR, 0)) {
		perror("BINDER_SET_CONTEXT_MGR");
		exit(1);
	}
	ready();
	buffer = binder_talk(binder, &enter, sizeof(enter), BR_TRANSACTION);
	for (;;)
		buffer = binder_turn(binder, BC_REPLY, buffer, BR_TRANSACTION);
}

#endif /* _BENCH_BINDER_H */
