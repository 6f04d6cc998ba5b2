// SPDX-License-Identifier: GPL-2.0-only
/* Collections: make, list and care for them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "out.h"
#include "vdfs_cli.h"

static const char *const metrics[] = {
	[PHI_VDFS_L2] = "l2",
	[PHI_VDFS_IP] = "ip",
	[PHI_VDFS_COSINE] = "cosine",
};

static const char *const types[] = {
	[PHI_VDFS_F32] = "f32",
	[PHI_VDFS_I8] = "i8",
	[PHI_VDFS_F16] = "f16",
};

static const char *const codes[] = {
	[PHI_VDFS_CODES_NONE] = "none", [PHI_VDFS_CODES_8] = "8",
	[PHI_VDFS_CODES_4] = "4",	[PHI_VDFS_CODES_1] = "1",
	[PHI_VDFS_CODES_2] = "2",	[PHI_VDFS_CODES_3] = "3",
};

static const char *word(const char *const *words, size_t n, uint32_t i)
{
	return i < n ? words[i] : "unknown";
}

/* The number that an option's word stands for. */
static int option_word(const struct args *args, const char *name,
		       const char *const *words, size_t n, uint32_t *out)
{
	const char *text = args_option(args, name);
	size_t i;

	if (!text)
		return EXIT_OK;
	for (i = 0; i < n; i++) {
		if (!strcmp(words[i], text)) {
			*out = (uint32_t)i;
			return EXIT_OK;
		}
	}
	return usage_error(args, "there is no --%s %s", name, text);
}

int collection_begin(const struct args *args, unsigned int flags,
		     struct phi_vdfs **v, uint64_t *id,
		     struct phi_vdfs_params *params)
{
	struct vdfs_teller t;
	int ret;

	ret = vdfs_begin(args, flags, v);
	if (ret)
		return ret;
	vdfs_teller_init(&t, "building its index,", "vectors");
	ret = phi_vdfs_collection_open(*v, args->operand[0], vdfs_tell, &t, id,
				       params);
	vdfs_teller_end(&t);
	if (!ret)
		return EXIT_OK;
	phi_vdfs_close(*v);
	return vdfs_fail_at(ret, &wrong_collection, "open the collection %s",
			    args->operand[0]);
}

static int create(struct args *args)
{
	struct phi_vdfs_params params = { .mode = 0644 };
	struct phi_vdfs *v;
	int ret;

	if (option_u32(args, "dim", 8192, &params.dim) ||
	    option_word(args, "metric", metrics, ARRAY_SIZE(metrics),
			&params.metric) ||
	    option_word(args, "type", types, ARRAY_SIZE(types), &params.type) ||
	    option_word(args, "codes", codes, ARRAY_SIZE(codes),
			&params.codes) ||
	    option_u32(args, "m", 64, &params.m) ||
	    option_u32(args, "ef-build", 2000, &params.ef_build) ||
	    vdfs_option_mode(args, args_option(args, "mode"), &params.mode))
		return EXIT_USAGE;
	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	ret = phi_vdfs_collection_create(v, args->operand[0], &params);
	phi_vdfs_close(v);
	if (ret == -EINVAL)
		return fail_because(
			"a name is a-z 0-9 _ - and at most 64; --help shows the options",
			"its name or a number makes no sense",
			"make the collection %s", args->operand[0]);
	return ret ? vdfs_fail(ret, "make the collection %s",
			       args->operand[0]) :
		     EXIT_OK;
}

static int drop(struct args *args)
{
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	ret = phi_vdfs_collection_drop(v, args->operand[0]);
	phi_vdfs_close(v);
	return ret ? vdfs_fail_at(ret, &wrong_collection,
				  "delete the collection %s",
				  args->operand[0]) :
		     EXIT_OK;
}

static void out_params(const struct phi_vdfs_params *p)
{
	out_u64("dim", p->dim);
	out_str("metric", word(metrics, ARRAY_SIZE(metrics), p->metric));
	out_str("type", word(types, ARRAY_SIZE(types), p->type));
	out_str("codes", word(codes, ARRAY_SIZE(codes), p->codes));
	out_u64("owner", p->owner);
	out_str("mode", vdfs_mode_text(p->mode | S_IFREG));
}

static int print_collection(void *arg, const char *name,
			    const struct phi_vdfs_params *params,
			    uint64_t items)
{
	(void)arg;
	out_row();
	out_str("name", name);
	out_u64("items", items);
	out_params(params);
	out_close();
	return 0;
}

static int list_all(struct args *args)
{
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	out_table("collections", "no collections");
	ret = phi_vdfs_collection_list(v, print_collection, NULL);
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail(ret, "list the collections");
	out_close();
	return out_end();
}

static int stats(struct args *args)
{
	struct phi_vdfs_collection_stats st;
	struct phi_vdfs_params params;
	struct phi_vdfs *v;
	uint64_t id;
	int ret;

	ret = collection_begin(args, PHI_VDFS_OPEN_READ, &v, &id, &params);
	if (ret)
		return ret;
	ret = phi_vdfs_collection_stats(v, id, &st);
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail(ret, "read the figures of %s",
				 args->operand[0]);
	out_params(&params);
	out_u64("m", params.m);
	out_u64("ef_build", params.ef_build);
	out_u64("items", st.items);
	out_u64("deleted", st.deleted);
	out_u64("index_bytes", st.index_bytes);
	out_u64("generation", st.generation);
	out_u64("saved", st.saved);
	return out_end();
}

static int index_field(struct args *args)
{
	struct phi_vdfs *v;
	uint64_t id;
	int ret;

	ret = collection_begin(args, 0, &v, &id, NULL);
	if (ret)
		return ret;
	ret = phi_vdfs_collection_index_field(v, id, args->operand[1]);
	phi_vdfs_close(v);
	return ret ? vdfs_fail_at(ret, &wrong_field, "index the field %s of %s",
				  args->operand[1], args->operand[0]) :
		     EXIT_OK;
}

static int rebuild(struct args *args)
{
	struct vdfs_teller t;
	struct phi_vdfs *v;
	uint64_t id;
	int ret;

	ret = collection_begin(args, 0, &v, &id, NULL);
	if (ret)
		return ret;
	vdfs_teller_init(&t, "built", "vectors");
	ret = phi_vdfs_collection_rebuild(v, id, vdfs_tell, &t);
	vdfs_teller_end(&t);
	phi_vdfs_close(v);
	return ret ? vdfs_fail(ret, "build the index of %s again",
			       args->operand[0]) :
		     EXIT_OK;
}

static int save_index(struct args *args)
{
	struct phi_vdfs *v;
	uint64_t id;
	int ret;

	ret = collection_begin(args, 0, &v, &id, NULL);
	if (ret)
		return ret;
	ret = phi_vdfs_collection_save(v, id);
	phi_vdfs_close(v);
	return ret ? vdfs_fail(ret, "save the index of %s", args->operand[0]) :
		     EXIT_OK;
}

static const struct verb verbs[] = {
	{ "create", create, COLLECTION_CREATE_USAGE,
	  "make a collection of vectors of N elements", VERB_PHI },
	{ "drop", drop, "NAME" VDFS_TOKEN,
	  "delete a collection with all that is in it", VERB_PHI },
	{ "list", list_all, TOKEN_ALONE, "list the collections", VERB_PHI },
	{ "stats", stats, "NAME" VDFS_TOKEN, "say what a collection holds",
	  VERB_PHI },
	{ "insert", collection_insert,
	  "NAME KEY VECTOR [--metadata JSON] [--replace]" VDFS_TOKEN,
	  "add an item", VERB_PHI },
	{ "update", collection_update,
	  "NAME KEY [--vector VECTOR] [--metadata JSON]" VDFS_TOKEN,
	  "change an item", VERB_PHI },
	{ "delete", collection_delete, "NAME KEY..." VDFS_TOKEN, "remove items",
	  VERB_PHI },
	{ "get", collection_get, "NAME KEY" VDFS_TOKEN, "print an item",
	  VERB_PHI },
	{ "items", collection_items, "NAME [--vectors] [--metadata]" VDFS_TOKEN,
	  "print all items by key", VERB_PHI },
	{ "search", collection_search, COLLECTION_SEARCH_USAGE,
	  "find the nearest items to a vector, or to an item", VERB_PHI },
	{ "import", collection_import, COLLECTION_IMPORT_USAGE,
	  "add the items of a file, - for stdin; keys are row numbers where it has none",
	  VERB_PHI },
	{ "export", collection_export, COLLECTION_EXPORT_USAGE,
	  "write all items to a file, - for stdout", VERB_PHI },
	{ "index-field", index_field, "NAME FIELD" VDFS_TOKEN,
	  "make filters on a field of the metadata fast", VERB_PHI },
	{ "rebuild", rebuild, "NAME" VDFS_TOKEN,
	  "rebuild the index from the items", VERB_PHI },
	{ "save", save_index, "NAME" VDFS_TOKEN,
	  "save the index, for a faster start of vdfsd", VERB_PHI },
	{ 0 },
};

const struct noun collection_noun = {
	.name = "collection",
	.help = "items with vectors: insert, search, filter",
	.verbs = verbs,
};
