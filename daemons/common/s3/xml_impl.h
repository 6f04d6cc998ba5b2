/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_S3_XML_IMPL_H
#define VDFS_S3_XML_IMPL_H

#include <stddef.h>

#define VDFS_S3_WORD 2048 /* longest text of an element, with its NUL */

/**
 * struct vdfs_s3_reader - takes what a document says
 * @root: Name of its outermost element; any other document is refused.
 * @begins: An element begins; @depth is 0 for the outermost. May be NULL.
 * @ends: An element ends, with this text; not 0 ends the document.
 * @arg: Their argument.
 */
struct vdfs_s3_reader {
	const char *root;
	void (*begins)(void *arg, unsigned int depth, const char *name);
	int (*ends)(void *arg, unsigned int depth, const char *name,
		    const char *text);
	void *arg;
};

/**
 * struct vdfs_s3_error - how a server describes an error
 * @code: Letters and digits; "" = it does not.
 * @key: The object it is about; "" = it does not say.
 * @bucket: The bucket; "" = it does not say.
 */
struct vdfs_s3_error {
	char code[64];
	char key[VDFS_S3_WORD];
	char bucket[256];
};

int vdfs_s3_xml(const char *xml, size_t len,
		const struct vdfs_s3_reader *reader);
void vdfs_s3_error(const char *xml, size_t len, struct vdfs_s3_error *out);

#endif /* VDFS_S3_XML_IMPL_H */
