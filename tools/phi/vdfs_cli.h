/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHI_VDFS_CLI_H
#define PHI_VDFS_CLI_H

#include <phi/vdfs.h>

#include "cli.h"

/* Option of all verbs. */
#define TOKEN_ALONE "[--token FILE]"
#define VDFS_TOKEN " " TOKEN_ALONE

/* Too long for a table. */
#define COLLECTION_CREATE_USAGE                            \
	"NAME --dim N [--metric METRIC] [--type ELEMENT] " \
	"[--codes CODES] [--m N] [--ef-build N] [--mode MODE]" VDFS_TOKEN

/* Verbs that two nouns have. */
#define COLLECTION_SEARCH_USAGE                                    \
	"NAME [VECTOR] [--key KEY] [--k N] [--ef N] [--recall R] " \
	"[--filter JSON] [--vectors] [--metadata]" VDFS_TOKEN

#define COLLECTION_IMPORT_USAGE                                    \
	"NAME FILE [--format FORMAT] [--prefix TEXT] [--shift N] " \
	"[--replace]" VDFS_TOKEN
#define COLLECTION_EXPORT_USAGE "NAME FILE [--format FORMAT]" VDFS_TOKEN

/**
 * vdfs_begin() - open a session with vdfsd
 * @args: Arguments.
 * @flags: For phi_vdfs_open().
 * @v: Out.
 *
 * Return: EXIT_OK, or EXIT_FAILED with the reason said.
 */
int vdfs_begin(const struct args *args, unsigned int flags,
	       struct phi_vdfs **v);

/**
 * vdfs_fail() - say what failed in words of the store
 * @err: Negative errno.
 * @fmt: The action that failed: "read the blob".
 *
 * Return: EXIT_FAILED.
 */
int vdfs_fail(int err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * struct vdfs_wrong - what EINVAL means for an argument
 * @why: The reason.
 * @hint: The range of correct values.
 */
struct vdfs_wrong {
	const char *why;
	const char *hint;
};

extern const struct vdfs_wrong wrong_collection;
extern const struct vdfs_wrong wrong_field;
extern const struct vdfs_wrong wrong_item;
extern const struct vdfs_wrong wrong_key;

/**
 * vdfs_fail_at() - say what failed, and which argument is out of range
 * @err: Negative errno.
 * @wrong: The meaning of EINVAL here.
 * @fmt: The action that failed.
 *
 * Return: EXIT_FAILED.
 */
int vdfs_fail_at(int err, const struct vdfs_wrong *wrong, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * struct vdfs_teller - who tells how far something is
 * @what: Goes before the number.
 * @unit: Goes behind it.
 * @next_ns: When to tell it next.
 * @shown: There is a line to clear.
 */
struct vdfs_teller {
	const char *what;
	const char *unit;
	uint64_t next_ns;
	bool shown;
};

/**
 * vdfs_teller_init() - begin to tell, from the next second on
 * @t: Teller.
 * @what: The finished action: "stored".
 * @unit: To what: "bytes".
 */
void vdfs_teller_init(struct vdfs_teller *t, const char *what,
		      const char *unit);

/**
 * vdfs_tell() - tell it to a person who sits at a terminal, once a second
 * @teller: Teller.
 * @done: How much is done.
 * @total: Of how much; 0 = nobody knows.
 *
 * Return: True, to go on.
 */
bool vdfs_tell(void *teller, uint64_t done, uint64_t total);

/**
 * vdfs_teller_end() - clear the line
 * @t: Teller.
 */
void vdfs_teller_end(struct vdfs_teller *t);

/**
 * vdfs_out_hash() - a hash, as "sha256:" and digits
 * @key: Its name.
 * @hash: It.
 */
void vdfs_out_hash(const char *key, const struct phi_vdfs_hash *hash);

/**
 * vdfs_mode_text() - "drwxr-xr-x"
 * @mode: Type and permission bits.
 *
 * Return: Text, in a buffer that the next call reuses.
 */
const char *vdfs_mode_text(uint32_t mode);

/**
 * vdfs_option_mode() - read permission bits
 * @args: Arguments.
 * @text: Octal digits, or NULL.
 * @mode: In, what it is when @text is NULL; Out.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int vdfs_option_mode(const struct args *args, const char *text, uint32_t *mode);

/* vdfs_blob.c */
int vdfs_verb_put(struct args *args);
int vdfs_verb_get(struct args *args);
int vdfs_verb_map(struct args *args);
int vdfs_verb_blobs(struct args *args);
int vdfs_verb_keep(struct args *args);
int vdfs_verb_drop(struct args *args);

/* vdfs_name.c */
int vdfs_verb_ls(struct args *args);
int vdfs_verb_stat(struct args *args);
int vdfs_verb_mkdir(struct args *args);
int vdfs_verb_ln(struct args *args);
int vdfs_verb_rm(struct args *args);
int vdfs_verb_mv(struct args *args);
int vdfs_verb_chmod(struct args *args);
int vdfs_verb_chown(struct args *args);
int vdfs_verb_attr(struct args *args);

/* vdfs_admin.c */
int vdfs_verb_quota(struct args *args);
int vdfs_verb_stats(struct args *args);
int vdfs_verb_gc(struct args *args);
int vdfs_verb_fsck(struct args *args);

/**
 * collection_begin() - open a session and the collection of the first operand
 * @args: Arguments.
 * @flags: For phi_vdfs_open().
 * @v: Out.
 * @id: Out.
 * @params: Out; may be NULL.
 *
 * Return: EXIT_OK, or EXIT_FAILED with the reason said.
 */
int collection_begin(const struct args *args, unsigned int flags,
		     struct phi_vdfs **v, uint64_t *id,
		     struct phi_vdfs_params *params);
/* collection_item.c, collection_file.c */
int collection_insert(struct args *args);
int collection_update(struct args *args);
int collection_delete(struct args *args);
int collection_get(struct args *args);
int collection_items(struct args *args);
int collection_search(struct args *args);
int collection_import(struct args *args);
int collection_export(struct args *args);

#endif /* PHI_VDFS_CLI_H */
