/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_FAKE_CLIENTS_H
#define FUZZ_FAKE_CLIENTS_H

#include "daemons/vdfsd/serve/serve_impl.h"
#include "phi.h"

/* What is remembered of answers, by number, the oldest forgotten first. */
#define FAKE_KEPT 16

/* Where things lie in the region of each client, for who wants them. */
#define FAKE_REGION 16384
#define FAKE_RECORDS 1024
#define FAKE_VECTORS 2048
#define FAKE_OUT 8192

/**
 * struct fake_client - a client of a daemon in this process
 * @uid: Its user.
 * @badge: Of its session; 0 = it has none.
 * @region: Its staging region.
 */
struct fake_client {
	uint32_t uid;
	uint64_t badge;
	struct fake_region *region;
};

extern uint64_t fake_ids[FAKE_KEPT];
extern struct phi_vdfs_hash fake_hashes[FAKE_KEPT];

__attribute__((noreturn)) void fake_fail(const char *what, long number);
void fake_serve(struct daemon *d);
void fake_forget(void);
void fake_break(bool broken);
void fake_wait_for(unsigned int most);
void fake_send(struct fake_client *from, uint64_t badge, uint64_t cap,
	       uint32_t type, const struct phi_vdfs_request *req, bool silent);
int fake_ask(struct fake_client *c, const struct phi_vdfs_request *req);
void fake_must(struct fake_client *c, const struct phi_vdfs_request *req);
struct phi_vdfs_span fake_text(unsigned int number);
void fake_stage(struct fake_client *c);
void fake_attach(struct fake_client *c, uint64_t badge, uint32_t flags);
void fake_gone(struct fake_client *c);

#endif /* FUZZ_FAKE_CLIENTS_H */
