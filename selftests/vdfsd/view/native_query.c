// SPDX-License-Identifier: GPL-2.0-only
/* Searches and keys as file names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/view/query_impl.h"

TEST(one_option)
{
	struct vdfs_ask ask;

	ASSERT_EQ(0, vdfs_ask_parse("key=a%2Fb%2Cc%25", &ask));
	EXPECT_STREQ("a/b,c%", ask.key);
	EXPECT_EQ(10, ask.k);
	EXPECT_EQ(0, ask.ef);
	EXPECT_EQ(0, ask.recall);
	EXPECT_EQ(NULL, ask.filter);
	vdfs_ask_fini(&ask);

	ASSERT_EQ(0, vdfs_ask_parse("from=models/query.f32", &ask));
	EXPECT_STREQ("models/query.f32", ask.from);
	vdfs_ask_fini(&ask);
}

TEST(all_options)
{
	const char *query =
		"k=10000,ef=7,recall=0.5,vector=1;-2e-1;.5,filter={\"a\":\"%2F%25\"}";
	struct vdfs_ask ask;

	ASSERT_EQ(0, vdfs_ask_parse(query, &ask));
	EXPECT_EQ(10000, ask.k);
	EXPECT_EQ(7, ask.ef);
	EXPECT_EQ(0.5f, ask.recall);
	ASSERT_EQ(3, ask.dim);
	EXPECT_EQ(1.0f, ask.vector[0]);
	EXPECT_EQ(-0.2f, ask.vector[1]);
	EXPECT_EQ(0.5f, ask.vector[2]);
	EXPECT_STREQ("{\"a\":\"/%\"}", ask.filter);
	vdfs_ask_fini(&ask);
}

TEST(refused)
{
	static const char *const queries[] = {
		"",
		",",
		"k=5",
		"key=",
		"key=a,",
		"key=a,,k=1",
		"key=a,key=b",
		"key=a,vector=1",
		"key=a,from=b",
		"key=a,k=0",
		"key=a,k=10001",
		"key=a,k=1x",
		"key=a,k=",
		"key=a,k=99999999999",
		"key=a,k=1,k=2",
		"key=a,ef=-1",
		"key=a,recall=0",
		"key=a,recall=1.1",
		"key=a,recall=nan",
		"key=%",
		"key=%4",
		"key=%zz",
		"key=%00",
		"vector=",
		"vector=1;",
		"vector=;1",
		"vector=1;;2",
		"vector=1 ;2",
		"vector=inf",
		"vector=nan",
		"vector=0x1",
		"vector=1e99",
		"key=a,filter=",
		"filter={}",
		"nonsense=1,key=a",
		"key",
	};
	struct vdfs_ask ask;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(queries); i++) {
		EXPECT_EQ(-EINVAL, vdfs_ask_parse(queries[i], &ask))
		{
			TH_LOG("\"%s\"", queries[i]);
		}
	}
}

TEST(refusals_have_reasons)
{
	static const char *const faults[][2] = {
		{ "k=0,key=a", "'k=0': k is a whole number from 1 to 10000" },
		{ "key=a,ef=x",
		  "'ef=x': ef is a whole number from 1 to 1000000" },
		{ "key=a,recall=2,k=1",
		  "'recall=2': recall is a number above 0 and up to 1" },
		{ "vector=1;x", "'vector=1;x': a vector is finite numbers" },
		{ "key=%0", "'key=%0': a key has 1 to 255 bytes" },
		{ "from=", "'from=': a path has 1 to 1023 bytes" },
		{ "key=a,k=1,k=1", "'k=1': each option comes once" },
		{ "key=a,vector=1", "'vector=1': each option comes once" },
		{ "key=a,near=b", "'near=b': the options are key, vector" },
		{ "k=5", "one of key, vector and from is missing" },
		{ "key=a,filter=%", "'filter=%': a filter is JSON" },
		{ "key=a,filter={", "the filter: line 1, column 1: " },
		{ "key=a,filter={\"a\":{\"$near\":1}}",
		  "the filter: \"a\": there is no operator" },
	};
	char why[VDFS_QUERY_WHY_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		ASSERT_EQ(0, vdfs_query_why(faults[i][0], why, sizeof(why)));
		EXPECT_TRUE(strstr(why, faults[i][1]) == why)
		{
			TH_LOG("\"%s\": %s", faults[i][0], why);
		}
	}
	ASSERT_EQ(0,
		  vdfs_query_why("key=a,filter={\"a\":1}", why, sizeof(why)));
	EXPECT_STREQ("", why);
}

TEST(too_long)
{
	char query[2 * (VDFS_DIM_MAX + 1) + 16] = "vector=1";
	char key[VDFS_KEY_MAX + 6] = "key=";
	struct vdfs_ask ask;
	int i;

	for (i = 1; i < VDFS_DIM_MAX; i++) {
		strcat(query, ";1");
	}
	ASSERT_EQ(0, vdfs_ask_parse(query, &ask));
	EXPECT_EQ(VDFS_DIM_MAX, ask.dim);
	vdfs_ask_fini(&ask);
	strcat(query, ";1");
	EXPECT_EQ(-EMSGSIZE, vdfs_ask_parse(query, &ask));

	memset(key + 4, 'x', VDFS_KEY_MAX + 1);
	EXPECT_EQ(-ENAMETOOLONG, vdfs_ask_parse(key, &ask));
	key[4 + VDFS_KEY_MAX] = '\0';
	EXPECT_EQ(0, vdfs_ask_parse(key, &ask));
	vdfs_ask_fini(&ask);
}

TEST(keys_and_names)
{
	static const char *const pairs[][2] = {
		{ "plain", "plain" },	    { "a/b", "a%2Fb" },
		{ "100%", "100%25" },	    { ".", "%2E" },
		{ "..", "%2E." },	    { ".hidden", "%2Ehidden" },
		{ "a.b, c;d", "a.b, c;d" }, { "%2F", "%252F" },
		{ "\xff\x01", "\xff\x01" },
	};
	char name[3 * VDFS_KEY_MAX + 1], key[VDFS_KEY_MAX + 1];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		ASSERT_EQ(0, vdfs_key_encode(pairs[i][0], name, sizeof(name)));
		EXPECT_STREQ(pairs[i][1], name);
		ASSERT_EQ(0, vdfs_key_decode(name, strlen(name), key,
					     sizeof(key)));
		EXPECT_STREQ(pairs[i][0], key);
	}
	EXPECT_EQ(-ENAMETOOLONG, vdfs_key_encode("a/", name, 4));
	EXPECT_EQ(0, vdfs_key_encode("a/", name, 5));
}

TEST_HARNESS_MAIN
