// SPDX-License-Identifier: GPL-2.0-only
/*
 * Searches as directories of links. Answers are kept for a while, for the
 * lookups that follow a listing, and good until the collection changes.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view_impl.h"
#include "query_impl.h"

#define UP "../../../../"

/**
 * struct result - one answer
 * @name: Of the link.
 * @target: Where it leads.
 * @dist: How far it is.
 */
struct result {
	char *name;
	char *target;
	float dist;
};

/**
 * struct vdfs_results - the answers of a search
 * @refs: Users; the place where it is kept is one.
 * @uid: Of the user that asked.
 * @collection: Number of the collection: a name may become another's.
 * @query: The query, as text.
 * @generation: Of the collection.
 * @room: For so many answers.
 * @count: How many there are.
 * @left_out: Key of the item that is not to be one of them.
 * @want: Of which so many.
 * @result: They.
 */
struct vdfs_results {
	atomic_uint refs;
	uint32_t uid;
	int64_t collection;
	char *query;
	uint64_t generation;
	uint32_t room;
	uint32_t count;
	const char *left_out;
	uint32_t want;
	struct result *result;
};

static void results_put(struct vdfs_results *results)
{
	uint32_t i;

	if (!results || atomic_fetch_sub(&results->refs, 1) > 1)
		return;
	for (i = 0; i < results->count; i++) {
		free(results->result[i].name);
		free(results->result[i].target);
	}
	free(results->result);
	free(results->query);
	free(results);
}

/**
 * vdfs_searches_drop() - forget all answers that were kept
 * @fuse: Of which view.
 */
void vdfs_searches_drop(struct vdfs_fuse *fuse)
{
	size_t i;

	for (i = 0; i < VDFS_SEARCHES_KEPT; i++) {
		results_put(fuse->searches[i]);
		fuse->searches[i] = NULL;
	}
}

static struct vdfs_results *kept(struct vdfs_call *call, int64_t collection,
				 const char *query, uint64_t generation)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_results *found = NULL;
	size_t i;

	pthread_mutex_lock(&fuse->lock);
	for (i = 0; i < VDFS_SEARCHES_KEPT && !found; i++) {
		struct vdfs_results *r = fuse->searches[i];

		if (r && r->collection == collection &&
		    r->generation == generation && r->uid == call->who.uid &&
		    !strcmp(r->query, query))
			found = r;
	}
	if (found)
		found->refs++;
	pthread_mutex_unlock(&fuse->lock);
	return found;
}

static void keep(struct vdfs_fuse *fuse, struct vdfs_results *results)
{
	struct vdfs_results *old;
	unsigned int at;

	pthread_mutex_lock(&fuse->lock);
	at = fuse->next_search++ % VDFS_SEARCHES_KEPT;
	old = fuse->searches[at];
	fuse->searches[at] = results;
	results->refs++;
	pthread_mutex_unlock(&fuse->lock);
	results_put(old);
}

/* Metadata with a "path" or "hash" that make sense lead to that blob. */
static char *target_of(const struct vdfs_item *item)
{
	json_t *root = json_loads(item->metadata, 0, NULL);
	const char *path = json_string_value(json_object_get(root, "path"));
	const char *text = json_string_value(json_object_get(root, "hash"));
	char name[3 * VDFS_KEY_MAX + 1], *target = NULL;
	struct vdfs_hash hash;
	int n;

	if (path && path[0] && !vdfs_name_check(path))
		n = asprintf(&target, UP "names/%s", path);
	else if (text && !vdfs_hash_parse(text, &hash))
		n = asprintf(&target, UP "by-hash/%s", text);
	else if (!vdfs_key_encode(item->key, name, sizeof(name)))
		n = asprintf(&target, "../../items/%s", name);
	else
		n = -1;
	json_decref(root);
	return n < 0 ? NULL : target;
}

static int add_result(void *arg, const struct vdfs_item *item, float dist)
{
	struct vdfs_results *results = arg;
	char name[3 * VDFS_KEY_MAX + 1];
	struct result *result;

	if (results->left_out && !strcmp(results->left_out, item->key))
		return 0;
	if (results->count == results->want)
		return 0;
	if (results->count == results->room)
		return -EOVERFLOW;
	result = &results->result[results->count];
	result->dist = dist;
	result->target = target_of(item);
	if (!result->target || vdfs_key_encode(item->key, name, sizeof(name)) ||
	    asprintf(&result->name, "%04u-%s", results->count + 1, name) < 0) {
		free(result->target);
		return -ENOMEM;
	}
	results->count++;
	return 0;
}

static int take_vector(void *arg, const struct vdfs_item *item, float dist)
{
	struct vdfs_ask *ask = arg;

	(void)dist;
	ask->vector = malloc(item->dim * sizeof(float));
	if (!ask->vector)
		return -ENOMEM;
	memcpy(ask->vector, item->vector, item->dim * sizeof(float));
	ask->dim = item->dim;
	return 0;
}

/* The f32 numbers of a file below /names. */
static int read_vector(struct vdfs_call *call, struct vdfs_ask *ask)
{
	struct vdfs_store *store = call->fuse->store;
	struct vdfs_blob *blob;
	struct vdfs_stat st;
	uint64_t size;
	ssize_t n = 1;
	size_t at = 0;
	int err;

	err = vdfs_name_check(ask->from);
	if (!err)
		err = vdfs_name_stat(store, &call->who, ask->from, &st);
	if (!err && S_ISDIR(st.mode))
		err = -EISDIR;
	if (!err && !vdfs_name_may(&call->who, st.owner, st.gid, st.mode, R_OK))
		err = -EACCES;
	if (!err)
		err = vdfs_blob_open(store, &call->who, &st.hash, &blob);
	if (err)
		return err;
	size = vdfs_blob_size(blob);
	if (!size || size % sizeof(float) ||
	    size / sizeof(float) > VDFS_DIM_MAX)
		err = -EMSGSIZE;
	ask->vector = err ? NULL : malloc(size);
	if (!err && !ask->vector)
		err = -ENOMEM;
	while (!err && n > 0 && at < size) {
		n = vdfs_blob_read(blob, (char *)ask->vector + at, size - at,
				   at);
		if (n < 0)
			err = (int)n;
		else
			at += (size_t)n;
	}
	ask->dim = (uint32_t)(size / sizeof(float));
	vdfs_blob_close(blob);
	return err;
}

static int run(struct vdfs_call *call, struct vdfs_collection *c,
	       struct vdfs_ask *ask, struct vdfs_results *results)
{
	struct vdfs_search search = { .ef = ask->ef,
				      .k = ask->k,
				      .recall = ask->recall,
				      .filter = ask->filter,
				      .over = vdfs_call_killed,
				      .of = call };
	int err = 0;

	results->want = ask->k;
	if (ask->key[0]) {
		err = vdfs_collection_get(c, ask->key, take_vector, ask);
		results->left_out = ask->key;
		if (search.k < VDFS_K_MAX)
			search.k++;
	} else if (ask->from[0]) {
		err = read_vector(call, ask);
	}
	if (err)
		return err;
	results->room = search.k;
	results->result = calloc(search.k, sizeof(*results->result));
	if (!results->result)
		return -ENOMEM;
	search.vector = ask->vector;
	search.dim = ask->dim;
	err = vdfs_collection_search(c, &search, add_result, results);
	results->left_out = NULL;
	return err;
}

static int search(struct vdfs_call *call, struct vdfs_collection *c,
		  const char *query, uint64_t generation,
		  struct vdfs_results **out)
{
	struct vdfs_results *results;
	struct vdfs_ask ask;
	int err = vdfs_ask_parse(query, &ask);

	if (err)
		return err;
	results = calloc(1, sizeof(*results));
	if (!results) {
		vdfs_ask_fini(&ask);
		return -ENOMEM;
	}
	results->refs = 1;
	results->uid = call->who.uid;
	results->collection = vdfs_collection_params(c)->id;
	results->generation = generation;
	results->query = strdup(query);
	if (!results->query)
		err = -ENOMEM;
	if (!err)
		err = run(call, c, &ask, results);
	/* The file that a vector is from may change. */
	if (!err && !ask.from[0])
		keep(call->fuse, results);
	vdfs_ask_fini(&ask);
	if (err)
		results_put(results);
	else
		*out = results;
	return err;
}

/* The answers of a search in @c. */
static int answers_in(struct vdfs_call *call, struct vdfs_collection *c,
		      const char *query, struct vdfs_results **out)
{
	struct vdfs_collection_stats stats;
	int err;

	/* Before all else: no answer that was kept is worth a right. */
	if (!vdfs_collection_may_read(c))
		return -EACCES;
	/* Asked before the search: what changes meanwhile is looked at again. */
	err = vdfs_collection_stats(c, &stats);
	if (err)
		return err;
	*out = kept(call, vdfs_collection_params(c)->id, query,
		    stats.generation);
	return *out ? 0 : search(call, c, query, stats.generation, out);
}

/* The answers of a search in the collection that @inode is in. */
static int answers(struct vdfs_call *call, const struct vdfs_inode *inode,
		   const char *query, struct vdfs_results **out)
{
	struct vdfs_collection *c;
	int err = vdfs_inode_collection_open(call, inode, &c);

	if (err)
		return err;
	err = answers_in(call, c, query, out);
	vdfs_collection_put(c);
	return err;
}

/**
 * vdfs_search_try() - whether a search can be opened
 * @call: For whom.
 * @inode: A collection or something in it.
 * @query: The query, as text.
 * @fault: Out: 0, or the negative errno that opening the search returns.
 *
 * Return: 0, or a negative errno without a collection to search in.
 */
int vdfs_search_try(struct vdfs_call *call, const struct vdfs_inode *inode,
		    const char *query, int *fault)
{
	struct vdfs_results *results;
	struct vdfs_collection *c;
	int err = vdfs_inode_collection_open(call, inode, &c);

	if (err)
		return err;
	*fault = answers_in(call, c, query, &results);
	if (!*fault)
		results_put(results);
	vdfs_collection_put(c);
	return 0;
}

int vdfs_searches_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
			 const char *name, struct vdfs_inode **out)
{
	struct vdfs_results *results;
	int err = answers(call, dir, name, &results);

	if (err)
		return err;
	results_put(results);
	return vdfs_inode_find(call, dir, name, VDFS_SEARCH, NULL, out);
}

/* Which answer is called so? Its name begins with the number. */
static const struct result *result_named(const struct vdfs_results *results,
					 const char *name)
{
	unsigned long n = strtoul(name, NULL, 10);

	if (!n || n > results->count ||
	    strcmp(results->result[n - 1].name, name))
		return NULL;
	return &results->result[n - 1];
}

int vdfs_search_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, struct vdfs_inode **out)
{
	struct vdfs_results *results;
	int err = answers(call, dir, dir->name, &results);

	if (err)
		return err;
	if (!result_named(results, name))
		err = -ENOENT;
	results_put(results);
	return err ? err :
		     vdfs_inode_find(call, dir, name, VDFS_RESULT, NULL, out);
}

int vdfs_search_list(struct vdfs_call *call, struct vdfs_listing *listing)
{
	struct vdfs_inode *dir = listing->inode;
	struct vdfs_results *results;
	int err = answers(call, dir, dir->name, &results);
	uint32_t i;

	if (err)
		return err;
	for (i = 0; i < results->count && !err; i++) {
		const char *name = results->result[i].name;

		err = vdfs_listing_add(listing, name,
				       vdfs_virtual_ino(dir, name, 0), S_IFLNK);
	}
	listing->done = true;
	results_put(results);
	return err;
}

int vdfs_result_target(struct vdfs_call *call, struct vdfs_inode *inode,
		       char **target)
{
	struct vdfs_results *results;
	const struct result *result;
	int err = answers(call, inode, inode->parent->name, &results);

	if (err)
		return err;
	result = result_named(results, inode->name);
	*target = result ? strdup(result->target) : NULL;
	if (!*target)
		err = result ? -ENOMEM : -ENOENT;
	results_put(results);
	return err;
}

/* One line for each answer: how far, and its name. */
int vdfs_search_distances(struct vdfs_call *call, struct vdfs_inode *dir,
			  char **text, size_t *len)
{
	struct vdfs_results *results;
	int err = answers(call, dir, dir->name, &results);
	uint32_t i;
	FILE *out;

	if (err)
		return err;
	*text = NULL;
	out = open_memstream(text, len);
	for (i = 0; out && i < results->count; i++)
		fprintf(out, "%.9g %s\n", results->result[i].dist,
			results->result[i].name);
	if (!out || fclose(out))
		err = -ENOMEM;
	results_put(results);
	return err;
}
