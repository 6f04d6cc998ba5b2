/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_BATCHD_RIG_H
#define _SELFTESTS_BATCHD_RIG_H

/*
 * The core of batchd in the process of a test: real models in the real ONNX
 * Runtime, one runner, and clients with regions and rings in memfds. There is
 * no kernel's phi: sessions are seated by hand, batches start from tickets of
 * the test, and a call into phi fails with EBADF.
 */

#include "daemons/batchd/batchd.h"

#define RIG_CLIENTS 3
#define RIG_MODELS 2
#define RIG_CREDITS 6
#define RIG_ROWS 64 /* that wait for a model, half of them of one user */
#define RIG_BATCH 16
#define RIG_FAILS 2
#define RIG_WIDTH 4 /* floats in a row of the models */
#define RIG_ENTRIES 8
#define RIG_UNIT 77

/**
 * struct rig_region - a region of a client
 * @slot: Its slot.
 * @fd: Its memfd; cut short it faults as a revoked region does.
 * @mem: Where the client has it.
 * @len: Its length.
 */
struct rig_region {
	uint32_t slot;
	int fd;
	float *mem;
	size_t len;
};

/**
 * struct rig - a batchd
 * @b: It.
 * @engine: That loaded its models.
 * @models: They: y = x in batches of RIG_BATCH, and y = 2 x. That one takes a
 *          row at a time, so that each batch of RIG_FAILS rows fails.
 * @client: Its sessions; 0 and 2 are of one user.
 * @far: The clients' sides of their rings.
 * @far_fd: What those wait on.
 * @far_mem: Where they are mapped.
 * @in: A region of RIG_BATCH rows of each, in slot 0; read-only for batchd.
 * @out: Another one, in slot 1; read and written.
 */
struct rig {
	struct batchd b;
	struct engine *engine;
	struct model models[RIG_MODELS];
	struct client *client[RIG_CLIENTS];
	struct phi_ring *far[RIG_CLIENTS];
	int far_fd[RIG_CLIENTS];
	void *far_mem[RIG_CLIENTS];
	struct rig_region in[RIG_CLIENTS];
	struct rig_region out[RIG_CLIENTS];
};

int rig_init(struct rig *rig);
bool rig_fini(struct rig *rig);
int rig_region(struct rig *rig, int i, uint32_t rows, uint32_t rights,
	       struct rig_region *out);
void rig_region_fini(struct rig_region *region);
void rig_fill(struct phi_batch_request *wire, uint64_t tag, uint32_t rows,
	      const struct rig_region *in, const struct rig_region *out);
int rig_answer(struct rig *rig, int i, struct phi_batch_answer *a);
void rig_ticket(struct rig *rig, struct model *model, uint32_t rows);
int rig_run(struct rig *rig);

#endif /* _SELFTESTS_BATCHD_RIG_H */
