// SPDX-License-Identifier: GPL-2.0-only
/* The README of the view. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "view_impl.h"

static const char readme[] =
	"This is a VDFS store, seen as a filesystem.\n"
	"\n"
	"names/             blobs by name: files and directories, to be read and\n"
	"                   written\n"
	"by-hash/SHA256     blobs by content, to be read; rm gives up what you keep\n"
	"                   without a name; ln by-hash/SHA256 names/NAME names it\n"
	"collections/NAME/\n"
	"    info           what it is, as JSON\n"
	"    items/KEY      an item, as JSON: {\"vector\": [...], \"metadata\": {...}}.\n"
	"                   Write such a file to add or replace an item; without\n"
	"                   \"vector\" only the metadata of one that exists changes.\n"
	"                   rm deletes. In KEY, %2F is a slash, %25 a percent sign,\n"
	"                   %2E a leading dot.\n"
	"    search/QUERY/  the nearest items, in order, as links 0001-KEY, 0002-KEY\n"
	"                   ... to the item, or to the blob that its metadata names\n"
	"                   with \"path\" (below names/) or \"hash\".\n"
	"    why/QUERY      why search/QUERY cannot be opened, as text\n"
	"\n"
	"Files\n"
	"  A file becomes a blob when it is closed or synced, in one instant and\n"
	"  durably: if close() or fsync() returns 0 it is on the disk, else it tells\n"
	"  why not. Until then others see what the name stood for before; a new file\n"
	"  they see as it grows. Who has a file open reads on what it opened.\n"
	"  There are no hard or symbolic links, and no devices.\n"
	"\n"
	"QUERY\n"
	"  Options with commas between them; one of the first three, then any:\n"
	"    key=KEY            near this item (which is left out)\n"
	"    vector=0.1;0.2;3   near this vector\n"
	"    from=PATH          near the vector in names/PATH, f32 numbers\n"
	"    k=N                so many, 10 if not said\n"
	"    ef=N               look at so many candidates: more is slower and finds\n"
	"                       more of the true nearest\n"
	"    recall=X           or: find this share of them, 0.95 if not said, 1 = all;\n"
	"                       what the index cannot promise is as slow as 1\n"
	"    filter=JSON        only where the metadata is so; always the last option.\n"
	"                       {\"lang\": \"de\", \"year\": {\"$gte\": 2020}}\n"
	"  %XX stands for a byte in KEY, PATH (%2C is a comma) and JSON (%2F a slash,\n"
	"  %25 a percent sign).\n"
	"  ls 'collections/docs/search/k=5,key=intro,filter={\"lang\":\"de\"}'\n"
	"\n"
	"Extended attributes\n"
	"  user.vdfs.hash        of a file: the SHA-256 of the blob, to be read\n"
	"  user.*                of names: your own\n"
	"  user.vdfs.vector      of an item: [0.1, 0.2, 3], to be read and set\n"
	"  user.vdfs.vector.f32  the same as bytes\n"
	"  user.vdfs.metadata    of an item: JSON, to be read and set\n"
	"  user.vdfs.distances   of a search: \"DISTANCE LINK\" lines\n";

int vdfs_readme_text(struct vdfs_call *call, struct vdfs_inode *inode,
		     char **text, size_t *len)
{
	(void)call;
	(void)inode;
	*text = strdup(readme);
	*len = strlen(readme);
	return *text ? 0 : -ENOMEM;
}
