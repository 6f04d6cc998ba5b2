// SPDX-License-Identifier: GPL-2.0-only
/* The vector-database filesystem: sessions, errors, and the table of verbs. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "vdfs_cli.h"

#define TOKEN "/run/phi/vdfs/vdfs.token"
#define OPEN_NS 10000000000ULL
#define SECOND_NS 1000000000ULL

static const struct reason {
	int err;
	const char *why;
	const char *hint;
} reasons[] = {
	{ ENOENT, "there is no such thing, or none that this user may see",
	  "phi vdfs ls and phi collection list show what there is" },
	{ EACCES, "it, or a directory on the way, belongs to another user",
	  "its owner can change it, or let others with phi vdfs chmod" },
	{ EPERM, "it belongs to another user, or the user is not in that group",
	  "root and vdfsd's own user may, and its owner may choose a group" },
	{ EBUSY, "nobody owns the root of all names",
	  "give the names in it to others" },
	{ EXDEV, "it belongs to another user, who would pay for it there",
	  "store a copy and remove it, or let its owner rename it" },
	{ EDQUOT, "the quota of this user is spent",
	  "phi vdfs quota shows it; remove what is not needed" },
	{ ENOSPC, "the disk is full, or the session holds as much as it may",
	  "phi vdfs stats shows what is stored; phi vdfs gc gives back" },
	{ EBADMSG, "the bytes are not those that were stored, or were expected",
	  "put it again to mend it; phi vdfs fsck lists all that is damaged" },
	{ EIO, "the disk failed", "see the kernel's log of the machine" },
	{ EROFS, "the session or the store is read-only",
	  "vdfs.token gives more than vdfs-read.token; vdfsd logs why a store is" },
	{ EINVAL, "a name or a value is out of range",
	  "names have no slash at an end, no empty part and no dots alone" },
	{ ENAMETOOLONG, "the name is too long",
	  "a name has 1023 bytes at most, a part of it 255" },
	{ EISDIR, "it is a directory", NULL },
	{ ENOTDIR, "a part of the name is no directory", NULL },
	{ ENOTEMPTY, "the directory is not empty", "rm --recursive" },
	{ EEXIST, "it is there already, or with other parameters", NULL },
	{ ENODATA, "there is none", NULL },
	{ EMSGSIZE, "it is too long, or the vector has another length",
	  "phi collection list shows the length of a collection's vectors" },
	{ EDOM, "the vector has no direction, or elements that do not fit",
	  "elements are finite, and fit the type of the collection" },
	{ E2BIG, "a key, metadata or filter is too long", NULL },
	{ EPIPE, "vdfsd ended the session, or is gone",
	  "see its log; what was acknowledged is stored" },
	{ ENOMEM, "vdfsd has no more memory for that",
	  "its --map-budget limits what is mapped at a time" },
	{ EAGAIN, "vdfsd has too much to do", "try again later" },
	{ ECANCELED, "it was stopped", NULL },
	{ ETIMEDOUT, "vdfsd did not answer for 10 s", "see whether it works" },
	{ EPROTONOSUPPORT, "vdfsd is of another version",
	  "use the phi command that came with it" },
};

const struct vdfs_wrong wrong_collection = {
	"that is no name of a collection",
	"a name is a-z 0-9 _ - and at most 64"
};

const struct vdfs_wrong wrong_field = {
	"that cannot be the name of a field",
	"a field is a path, a.b, of at most 255 bytes without quotes"
};

const struct vdfs_wrong wrong_item = {
	"the key or the metadata makes no sense",
	"a key has 1 to 255 bytes, metadata is a JSON object"
};

const struct vdfs_wrong wrong_key = { "that is no key",
				      "a key has 1 to 255 bytes" };

static int say_why(int err, const struct vdfs_wrong *wrong, const char *fmt,
		   va_list ap)
{
	char *what;
	size_t i;
	int ret;

	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (reasons[i].err == -err)
			break;
	}
	if (err == -EINVAL && wrong)
		ret = fail_because(wrong->hint, wrong->why, "%s",
				   what ? what : "go on");
	else if (i < ARRAY_SIZE(reasons))
		ret = fail_because(reasons[i].hint, reasons[i].why, "%s",
				   what ? what : "go on");
	else
		ret = fail(err, "%s", what ? what : "go on");
	free(what);
	return ret;
}

int vdfs_fail(int err, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = say_why(err, NULL, fmt, ap);
	va_end(ap);
	return ret;
}

int vdfs_fail_at(int err, const struct vdfs_wrong *wrong, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = say_why(err, wrong, fmt, ap);
	va_end(ap);
	return ret;
}

int vdfs_begin(const struct args *args, unsigned int flags, struct phi_vdfs **v)
{
	const char *path = args_option(args, "token");
	uint64_t cap;
	int ret;

	if (!path)
		path = getenv("PHI_VDFS");
	if (!path || !*path)
		path = TOKEN;
	if (strcmp(path, "-") && access(path, R_OK))
		return fail_because("start vdfsd, or give --token FILE",
				    strerror(errno), "read the token %s", path);
	ret = token_unseal(args->phi, path, &cap);
	if (ret)
		return ret;
	ret = phi_vdfs_open(args->phi, cap, flags,
			    now_ns(CLOCK_MONOTONIC) + OPEN_NS, v);
	phi_cap_drop(args->phi, cap);
	return ret ? vdfs_fail(ret, "open a session with vdfsd") : EXIT_OK;
}

void vdfs_teller_init(struct vdfs_teller *t, const char *what, const char *unit)
{
	*t = (struct vdfs_teller){ .what = what, .unit = unit };
	t->next_ns = now_ns(CLOCK_MONOTONIC) + SECOND_NS;
	if (!isatty(STDERR_FILENO))
		t->next_ns = UINT64_MAX;
}

bool vdfs_tell(void *teller, uint64_t done, uint64_t total)
{
	struct vdfs_teller *t = teller;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now < t->next_ns)
		return true;
	t->next_ns = now + SECOND_NS;
	t->shown = true;
	if (total)
		fprintf(stderr, "\r%s %.0f %% of %llu %s ", t->what,
			100.0 * (double)done / (double)total,
			(unsigned long long)total, t->unit);
	else
		fprintf(stderr, "\r%s %llu %s ", t->what,
			(unsigned long long)done, t->unit);
	return true;
}

void vdfs_teller_end(struct vdfs_teller *t)
{
	if (t->shown)
		fputs("\r\033[K", stderr);
	t->shown = false;
}

void vdfs_out_hash(const char *key, const struct phi_vdfs_hash *hash)
{
	char text[8 + PHI_VDFS_HASH_TEXT] = "sha256:";

	phi_vdfs_hash_print(hash, text + 7);
	out_str(key, text);
}

const char *vdfs_mode_text(uint32_t mode)
{
	static const char letters[] = "rwxrwxrwx";
	bool group = mode & 0010, all = mode & 0001;
	static char text[11];
	int i;

	text[0] = (mode & S_IFMT) == S_IFDIR ? 'd' : '-';
	for (i = 0; i < 9; i++)
		text[i + 1] = mode & (0400U >> i) ? letters[i] : '-';
	if (mode & S_ISGID)
		text[6] = group ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = all ? 't' : 'T';
	text[10] = '\0';
	return text;
}

int vdfs_option_mode(const struct args *args, const char *text, uint32_t *mode)
{
	unsigned long value;
	char *end;

	if (!text)
		return EXIT_OK;
	value = strtoul(text, &end, 8);
	if (end == text || *end || value > 03777)
		return usage_error(args, "a mode is octal, 0 to 3777, not '%s'",
				   text);
	*mode = (uint32_t)value;
	return EXIT_OK;
}

static const struct verb verbs[] = {
	{ "put", vdfs_verb_put,
	  "FILE [NAME] [--expect HASH] [--whole]" VDFS_TOKEN,
	  "store a file, - for stdin, and print its hash; without NAME it is kept by its hash alone",
	  VERB_PHI },
	{ "get", vdfs_verb_get, "BLOB [FILE]" VDFS_TOKEN,
	  "write a blob to a file, else to stdout; BLOB is a name or sha256:HEX",
	  VERB_PHI },
	{ "map", vdfs_verb_map, "BLOB [--hold TIME]" VDFS_TOKEN,
	  "map a blob into memory and say how long that took", VERB_PHI },
	{ "ls", vdfs_verb_ls, "[PATH]" VDFS_TOKEN, "list a directory",
	  VERB_PHI },
	{ "stat", vdfs_verb_stat, "PATH" VDFS_TOKEN,
	  "say what a name stands for", VERB_PHI },
	{ "mkdir", vdfs_verb_mkdir, "PATH... [--mode MODE]" VDFS_TOKEN,
	  "make directories", VERB_PHI },
	{ "ln", vdfs_verb_ln, "BLOB NAME" VDFS_TOKEN,
	  "point a name at a blob; BLOB is a name or sha256:HEX", VERB_PHI },
	{ "rm", vdfs_verb_rm, "PATH... [--recursive]" VDFS_TOKEN,
	  "remove names and empty directories", VERB_PHI },
	{ "mv", vdfs_verb_mv, "FROM TO [--no-replace]" VDFS_TOKEN, "rename",
	  VERB_PHI },
	{ "chmod", vdfs_verb_chmod, "MODE PATH..." VDFS_TOKEN,
	  "set who may read (4), write (2) and search (1) names", VERB_PHI },
	{ "chown", vdfs_verb_chown, "OWNER PATH..." VDFS_TOKEN,
	  "give names to another user, or to a group as USER:GROUP or :GROUP",
	  VERB_PHI },
	{ "attr", vdfs_verb_attr, "PATH [ATTR] [VALUE] [--remove]" VDFS_TOKEN,
	  "list, print, set or remove attributes of a name", VERB_PHI },
	{ "blobs", vdfs_verb_blobs, TOKEN_ALONE, "list blobs by their hash",
	  VERB_PHI },
	{ "keep", vdfs_verb_keep, "HASH" VDFS_TOKEN,
	  "keep a blob without a name", VERB_PHI },
	{ "drop", vdfs_verb_drop, "HASH" VDFS_TOKEN,
	  "no longer keep a blob without a name", VERB_PHI },
	{ "quota", vdfs_verb_quota, "[USER] [--set SIZE]" VDFS_TOKEN,
	  "show or set what a user may store", VERB_PHI },
	{ "stats", vdfs_verb_stats, "[--user USER]" VDFS_TOKEN,
	  "say what is stored, or what a user is charged for", VERB_PHI },
	{ "gc", vdfs_verb_gc, TOKEN_ALONE, "take away what nothing refers to",
	  VERB_PHI },
	{ "fsck", vdfs_verb_fsck, "[--repair]" VDFS_TOKEN,
	  "compare everything with what was stored", VERB_PHI },
	{ "search", collection_search, COLLECTION_SEARCH_USAGE,
	  "find the nearest items: phi collection search", VERB_PHI },
	{ "import", collection_import, COLLECTION_IMPORT_USAGE,
	  "add the items of a file: phi collection import", VERB_PHI },
	{ "export", collection_export, COLLECTION_EXPORT_USAGE,
	  "write all items to a file: phi collection export", VERB_PHI },
	{ "collection", NULL, "", "items with vectors: phi collection --help",
	  VERB_NOUN },
	{ 0 },
};

const struct noun vdfs_noun = {
	.name = "vdfs",
	.help = "blobs by their content, and names for them",
	.verbs = verbs,
};
