/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHI_DEMO_H
#define PHI_DEMO_H

#include <phi/phi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the guest script pins policies. */
#define PINS "/sys/fs/bpf/phi"

#define SECOND 1000000000ULL

#define IMAGE_BYTES 784
#define DIGITS 10

/**
 * struct digits - the test set
 * @images: @n images of IMAGE_BYTES, one behind the other.
 * @labels: @n digits.
 * @n: How many.
 */
struct digits {
	const uint8_t *images;
	const uint8_t *labels;
	uint32_t n;
};

/* report.c: what is shown, and whether it was as expected. */
void heading(const char *format, ...) __attribute__((format(printf, 1, 2)));
void line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void expect(const char *what, bool held, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int summary(void);
const char *err_name(int err);
int command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* util.c */
uint64_t now(void);
void sleep_until(uint64_t ns);
int in_child(int (*run)(void *arg), void *arg, uint32_t uid);
int read_token(const char *path, struct phi_token *token);

/* classify.c */
int classify_init(const char *images, const char *labels, const char *token);
const struct digits *test_set(void);
void classify_offline(void);
void classify_server(void);
void classify_units(void);
void classify_capped(void);

/* policy.c */
void policy_filter(void);
void policy_rate(void);

/* caps.c */
void caps_reader(void);
void caps_tokens(void);

/* net.c */
void net_port(void);

/* store.c */
int store_init(const char *token);
void store_blobs(void);
void store_map(void);
void store_search(void);

#endif /* PHI_DEMO_H */
