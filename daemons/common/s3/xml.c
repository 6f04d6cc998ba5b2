// SPDX-License-Identifier: GPL-2.0-only
/* XML that a server sends, and the errors that it describes with it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "xml_impl.h"

/**
 * struct parse - a document that is being read
 * @reader: Takes what it says.
 * @parser: Of it.
 * @depth: Elements that are open.
 * @len: Length of @text.
 * @err: Why it is not taken.
 * @text: Text of the element that is open.
 */
struct parse {
	const struct vdfs_s3_reader *reader;
	XML_Parser parser;
	unsigned int depth;
	size_t len;
	int err;
	char text[VDFS_S3_WORD];
};

static void stop(struct parse *p, int err)
{
	if (!p->err)
		p->err = err;
	XML_StopParser(p->parser, XML_FALSE);
}

static void element_begins(void *arg, const char *name, const char **attributes)
{
	struct parse *p = arg;

	(void)attributes;
	p->len = 0;
	p->text[0] = '\0';
	if (!p->depth && strcmp(name, p->reader->root))
		stop(p, -EREMOTEIO);
	else if (p->reader->begins)
		p->reader->begins(p->reader->arg, p->depth, name);
	p->depth++;
}

static void text_comes(void *arg, const char *text, int len)
{
	struct parse *p = arg;

	if (p->len + len >= sizeof(p->text)) {
		stop(p, -EREMOTEIO);
		return;
	}
	memcpy(p->text + p->len, text, len);
	p->len += len;
	p->text[p->len] = '\0';
}

static void element_ends(void *arg, const char *name)
{
	struct parse *p = arg;
	int err;

	p->depth--;
	err = p->reader->ends(p->reader->arg, p->depth, name, p->text);
	if (err)
		stop(p, err);
	p->len = 0;
	p->text[0] = '\0';
}

/* No answer of S3 declares a type of document, and entities need one. */
static void doctype_begins(void *arg, const char *name, const char *system,
			   const char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(arg, -EREMOTEIO);
}

/**
 * vdfs_s3_xml() - read a document
 * @xml: The document, NULL = an empty one.
 * @len: Its length.
 * @reader: Takes what it says.
 *
 * Context: Any thread.
 * Return: 0, what the reader returned, or -EREMOTEIO when it is not well
 * formed, not whole, or another one.
 */
int vdfs_s3_xml(const char *xml, size_t len,
		const struct vdfs_s3_reader *reader)
{
	struct parse *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	if (!p)
		return err;
	p->reader = reader;
	p->parser = XML_ParserCreate(NULL);
	if (p->parser) {
		XML_SetUserData(p->parser, p);
		XML_SetElementHandler(p->parser, element_begins, element_ends);
		XML_SetCharacterDataHandler(p->parser, text_comes);
		XML_SetStartDoctypeDeclHandler(p->parser, doctype_begins);
		err = XML_Parse(p->parser, xml ? xml : "", len, 1) ==
				      XML_STATUS_OK ?
			      0 :
			      -EREMOTEIO;
		err = p->err ?: err;
		XML_ParserFree(p->parser);
	}
	free(p);
	return err;
}

static void keep(char *out, size_t room, const char *text)
{
	if (strlen(text) < room)
		stpcpy(out, text);
}

static int error_says(void *arg, unsigned int depth, const char *name,
		      const char *text)
{
	struct vdfs_s3_error *e = arg;

	if (depth != 1)
		return 0;
	if (!strcmp(name, "Code"))
		keep(e->code, sizeof(e->code), text);
	else if (!strcmp(name, "Key"))
		keep(e->key, sizeof(e->key), text);
	else if (!strcmp(name, "BucketName"))
		keep(e->bucket, sizeof(e->bucket), text);
	return 0;
}

/**
 * vdfs_s3_error() - read how a server describes an error
 * @xml: Its answer, NULL = an empty one.
 * @len: Its length.
 * @out: Out; its code is empty when that is no description.
 *
 * Context: Any thread.
 */
void vdfs_s3_error(const char *xml, size_t len, struct vdfs_s3_error *out)
{
	const struct vdfs_s3_reader reader = { .root = "Error",
					       .ends = error_says,
					       .arg = out };
	const char *c;

	memset(out, 0, sizeof(*out));
	if (vdfs_s3_xml(xml, len, &reader))
		memset(out, 0, sizeof(*out));
	/* It is logged, and a server may write anything there. */
	for (c = out->code; *c; c++) {
		if (!(*c >= '0' && *c <= '9') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= 'a' && *c <= 'z')) {
			memset(out, 0, sizeof(*out));
			break;
		}
	}
}
