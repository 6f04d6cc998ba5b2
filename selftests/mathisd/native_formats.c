// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1312 to 0x1322: MessagePack, protobuf, CSV, XML. What
 * Python says of the same bytes is asked where it has the module.
 */
#include <kselftest_harness.h>
#include <math.h>

#include "dispatch.h"
#include "hex.h"

FIXTURE(formats)
{
	struct dispatch d;
};

FIXTURE_SETUP(formats)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(formats)
{
	dispatch_fini(&self->d);
	hex_free();
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

/* A value of JSON that lives until the test ends. */
static struct mathis_item json(struct dispatch *d, const char *text)
{
	static struct mathis_pool pool;
	struct mathis_item item;

	if (!pool.limit)
		mathis_pool_init(&pool, 64 << 20);
	if (CALL(d, "json_parse", STR(text))) {
		fprintf(stderr, "# %s: %s\n", text, MESSAGE);
		abort();
	}
	item = mathis_item_copy(&pool, &RESULT);
	return item;
}

#define JSON(_text) json(&self->d, _text)

/* Whether the result is what JSON says; floats as .5. */
static bool result_is(struct dispatch *d, const char *text)
{
	struct md_call *kept = dispatch_last;
	bool same;

	if (RESULT.kind == MATHIS_NONE)
		return !strcmp(text, "null");
	dispatch_last = NULL;
	CALL(d, "json_stringify", kept->result);
	same = RESULT.n == strlen(text) && !memcmp(RESULT.text, text, RESULT.n);
	if (!same)
		printf("# %.*s\n", (int)RESULT.n, RESULT.text);
	md_call_put(dispatch_last);
	dispatch_last = kept;
	return same;
}

/* Facts of MessagePack, spec.md of github.com/msgpack/msgpack. */
static const struct {
	const char *json;
	const char *digits;
} packed[] = {
	{ "null", "c0" },
	{ "false", "c2" },
	{ "true", "c3" },
	{ "0", "00" },
	{ "127", "7f" },
	{ "128", "cc80" },
	{ "255", "ccff" },
	{ "256", "cd0100" },
	{ "65536", "ce00010000" },
	{ "4294967296", "cf0000000100000000" },
	{ "9223372036854775807", "cf7fffffffffffffff" },
	{ "-1", "ff" },
	{ "-32", "e0" },
	{ "-33", "d0df" },
	{ "-128", "d080" },
	{ "-129", "d1ff7f" },
	{ "-32769", "d2ffff7fff" },
	{ "-2147483649", "d3ffffffff7fffffff" },
	{ "-9223372036854775808", "d38000000000000000" },
	{ "1.5", "cb3ff8000000000000" },
	{ "\"\"", "a0" },
	{ "\"a\"", "a161" },
	{ "\"0123456789012345678901234567890\"",
	  "bf30313233343536373839303132333435363738393031323334353637383930" },
	{ "\"01234567890123456789012345678901\"",
	  "d9203031323334353637383930313233343536373839303132333435363738393031" },
	{ "[]", "90" },
	{ "[1,[2]]", "92019102" },
	{ "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]",
	  "dc001000000000000000000000000000000000" },
	{ "{\"compact\":true,\"schema\":0}",
	  "82a7636f6d70616374c3a6736368656d6100" },
};

TEST_F(formats, msgpack_encode_and_decode)
{
	for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++) {
		EXPECT_EQ(0, DO("msgpack_encode", JSON(packed[i].json)));
		EXPECT_TRUE(hex_is(&RESULT, packed[i].digits))
		{
			TH_LOG("%s", packed[i].json);
		}
		EXPECT_EQ(0, DO("msgpack_decode", hex(packed[i].digits)));
		EXPECT_TRUE(result_is(&self->d, packed[i].json));
	}
	EXPECT_EQ(0, DO("msgpack_encode", BYTES("\0\377", 2)));
	EXPECT_TRUE(hex_is(&RESULT, "c40200ff"));
	EXPECT_EQ(0, DO("msgpack_decode", hex("c40200ff")));
	EXPECT_TRUE(RESULT.kind == MATHIS_BYTES && RESULT.n == 2);
	/* Forms that are longer than they must be, and of 32 bits. */
	EXPECT_EQ(
		0,
		DO("msgpack_decode",
		   hex("9ac5000100c600000000d1fffed2fffffffed3fffffffffffffffecd0001",
		       "da000161db00000000ca3fc00000dd00000000")));
	EXPECT_EQ(10, RESULT.n);
	EXPECT_EQ(-2, RESULT.items[2].i);
	EXPECT_EQ(-2, RESULT.items[4].i);
	EXPECT_EQ(1.5, RESULT.items[8].f);
	EXPECT_EQ(0, DO("msgpack_decode", hex("de0001a16101")));
	EXPECT_TRUE(result_is(&self->d, "{\"a\":1}"));
	EXPECT_EQ(0, DO("msgpack_decode", hex("df0000000101c0")));
	EXPECT_EQ(MATHIS_ARG_TYPE,
		  DO("msgpack_encode",
		     (struct mathis_item){ .kind = MATHIS_SET }));
}

TEST_F(formats, msgpack_refuses)
{
	static const struct {
		const char *digits;
		int code;
	} bad[] = {
		{ "", MATHIS_FORMAT },
		{ "c1", MATHIS_FORMAT },
		{ "a2", MATHIS_FORMAT },
		{ "a1ff", MATHIS_FORMAT },
		{ "92", MATHIS_FORMAT },
		{ "9101ff", MATHIS_FORMAT },
		{ "dd7fffffff", MATHIS_FORMAT },
		{ "81a1", MATHIS_FORMAT },
		{ "cd00", MATHIS_FORMAT },
		{ "82a16101a16102", MATHIS_FORMAT },
		{ "dbffffffff", MATHIS_FORMAT },
		{ "8190c0", MATHIS_UNSUPPORTED },
		{ "81cb000000000000000001", MATHIS_UNSUPPORTED },
		{ "d4017f", MATHIS_UNSUPPORTED },
		{ "c70001", MATHIS_UNSUPPORTED },
		{ "cf8000000000000000", MATHIS_ARG_RANGE },
	};
	char deep[2 * 65 + 3];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(bad[i].code, DO("msgpack_decode", hex(bad[i].digits)))
		{
			TH_LOG("%s", bad[i].digits);
		}
	}
	for (int k = 0; k < 65; k++)
		memcpy(deep + 2 * k, "91", 2);
	memcpy(deep + 2 * 65, "c0", 3);
	EXPECT_EQ(MATHIS_TOO_LARGE, DO("msgpack_decode", hex(deep)));
	EXPECT_EQ(0, DO("msgpack_decode", hex(deep + 2)));
}

static bool has_python(struct dispatch *d, const char *module)
{
	char command[128];

	snprintf(command, sizeof(command), "python3 -c 'import %s' 2>/dev/null",
		 module);
	return !dispatch_shell(d, command);
}

TEST_F(formats, msgpack_is_what_python_reads_and_writes)
{
	static const char text[] =
		"{\"a\":[1,-70000,1.25,null,true,\"h\303\251\"],\"b\":{\"c\":{}}}";

	if (!has_python(&self->d, "msgpack"))
		SKIP(return, "no python3-msgpack");
	ASSERT_EQ(0, DO("msgpack_encode", JSON(text)));
	hex_save(&self->d, "ours", hex_keep(&RESULT));
	ASSERT_EQ(0, DO("io_write_file", STR("text"), STR(text)));
	EXPECT_EQ(
		0,
		dispatch_shell(
			&self->d,
			"python3 -c 'import json, msgpack\n"
			"v = json.load(open(\"text\"))\n"
			"assert msgpack.unpackb(open(\"ours\", \"rb\").read()) == v\n"
			"open(\"theirs\", \"wb\").write(msgpack.packb(v))'"));
	EXPECT_EQ(0, dispatch_shell(&self->d, "cmp ours theirs"));
}

TEST_F(formats, csv_parse)
{
	EXPECT_EQ(0, DO("csv_parse", STR("a,b\r\n\"1\"\"\n,\",\n\n,x\n")));
	EXPECT_TRUE(result_is(
		&self->d, "[[\"a\",\"b\"],[\"1\\\"\\n,\",\"\"],[\"\",\"x\"]]"));
	EXPECT_EQ(0, DO("csv_parse", STR("a;b\n1;\"2\""),
			JSON("{\"delimiter\":\";\",\"header\":true}")));
	EXPECT_TRUE(result_is(&self->d, "[{\"a\":\"1\",\"b\":\"2\"}]"));
	EXPECT_EQ(0, DO("csv_parse", STR("")));
	EXPECT_TRUE(result_is(&self->d, "[]"));
	EXPECT_EQ(0, DO("csv_parse", STR("a\rb")));
	EXPECT_TRUE(result_is(&self->d, "[[\"a\\rb\"]]"));
	EXPECT_EQ(MATHIS_FORMAT, DO("csv_parse", STR("x\n\"a")));
	EXPECT_EQ(MATHIS_FORMAT, DO("csv_parse", STR("x\n\"a\"b")));
	EXPECT_EQ(2, mathis_item_get(&dispatch_last->detail, "line")->i);
	EXPECT_EQ(MATHIS_FORMAT, DO("csv_parse", STR("a\"b")));
	EXPECT_EQ(MATHIS_FORMAT,
		  DO("csv_parse", STR("a,b\n1\n"), JSON("{\"header\":true}")));
	EXPECT_EQ(MATHIS_FORMAT, DO("csv_parse", STR("a,a\n1,2\n"),
				    JSON("{\"header\":true}")));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("csv_parse", STR("a"), JSON("{\"delimiter\":\"\\\"\"}")));
}

TEST_F(formats, csv_format)
{
	static const char rows[] =
		"[[\"a\",1,-0.5,true,null],[\"x,y\",\"\\\"\",\"\\n\",\" \",\"\"],[\"\"],[null]]";

	struct mathis_item ours;

	ASSERT_EQ(0, DO("csv_format", JSON(rows)));
	EXPECT_EQ(0, strncmp(RESULT.text,
			     "a,1,-0.5,true,\r\n\"x,y\",\"\"\"\",\"\n\", ,\r\n"
			     "\"\"\r\n\"\"\r\n",
			     RESULT.n));
	EXPECT_EQ(43, RESULT.n);
	if (has_python(&self->d, "csv")) {
		ours = hex_keep(&RESULT);
		ours.kind = MATHIS_BYTES;
		hex_save(&self->d, "ours", ours);
		EXPECT_EQ(
			0,
			dispatch_shell(
				&self->d,
				"python3 -c 'import csv\n"
				"w = csv.writer(open(\"theirs\", \"w\", newline=\"\"))\n"
				"w.writerow([\"a\", 1, -0.5, \"true\", None])\n"
				"w.writerow([\"x,y\", \"\\\"\", \"\\n\", \" \", \"\"])\n"
				"w.writerow([\"\"])\nw.writerow([None])' &&cmp ours theirs"));
	}
	EXPECT_EQ(0, DO("csv_format", JSON("[[\"a;\",\"b,\"]]"),
			JSON("{\"delimiter\":\";\"}")));
	EXPECT_EQ(0, strncmp(RESULT.text, "\"a;\";b,\r\n", RESULT.n));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("csv_format", JSON("[[[]]]")));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("csv_format", JSON("[[]]")));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("csv_format", JSON("[1]")));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("csv_format", JSON("[]"),
				       JSON("{\"delimiter\":\"\\n\"}")));
}

TEST_F(formats, xml_parse)
{
	static const char text[] =
		"<?xml version=\"1.0\"?><!-- c --><a x='1' y='&lt;&#65;'> t\n"
		"<b/><![CDATA[<&]]> <c:d xmlns:c='u'>\303\251</c:d>\n</a>";
	static const char *const want[] = {
		"{\"name\":\"a\",\"attrs\":{\"x\":\"1\",\"y\":\"<A\"},\"children\":[\" t\\n\",{\"name\":\"b\",\"attrs\":{},\"children\":[]},\"<& \",{\"name\":\"c:d\",\"attrs\":{\"xmlns:c\":\"u\"},\"children\":[\"\303\251\"]},\"\\n\"]}",
		"{\"name\":\"a\",\"attrs\":{},\"children\":[{\"name\":\"b\",\"attrs\":{},\"children\":[\" x \"]}]}",
	};
	char deep[64 * 7 + 1] = "";

	EXPECT_EQ(0, DO("xml_parse", STR(text)));
	EXPECT_TRUE(result_is(&self->d, want[0]));
	EXPECT_EQ(0, DO("xml_parse", BYTES("<a>\n<b> x </b></a>", 18),
			JSON("{\"trim\":true}")));
	EXPECT_TRUE(result_is(&self->d, want[1]));
	EXPECT_EQ(MATHIS_FORMAT, DO("xml_parse", STR("<a>\n</b>")));
	EXPECT_EQ(2, mathis_item_get(&dispatch_last->detail, "line")->i);
	EXPECT_EQ(MATHIS_FORMAT, DO("xml_parse", STR("")));
	EXPECT_EQ(MATHIS_FORMAT, DO("xml_parse", STR("<a/><b/>")));
	EXPECT_EQ(MATHIS_FORMAT, DO("xml_parse", STR("<a>&e;</a>")));
	EXPECT_EQ(MATHIS_FORMAT, DO("xml_parse", STR("<a x='1' x='2'/>")));
	EXPECT_EQ(MATHIS_FORMAT, DO("xml_parse", BYTES("<a>\377</a>", 8)));
	EXPECT_EQ(MATHIS_POLICY,
		  DO("xml_parse",
		     STR("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>")));
	EXPECT_EQ(MATHIS_POLICY,
		  DO("xml_parse",
		     STR("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>")));
	for (int i = 0; i < 64; i++)
		strcat(deep, "<a>");
	for (int i = 0; i < 64; i++)
		strcat(deep, "</a>");
	EXPECT_EQ(0, DO("xml_parse", STR(deep)));
	sprintf(deep + 64 * 3, "<b/>");
	EXPECT_EQ(MATHIS_TOO_LARGE, DO("xml_parse", STR(deep)));
}

/* A set that python3-protobuf wrote: pkg.All has each type, Old is proto2. */
static const char *const descriptors[] = {
	"0acd030a07612e70726f746f1203706b67228f030a03416c6c12090a0164",
	"18012001280112090a0166180220012802120b0a03693634180320012803",
	"120b0a03753634180420012804120b0a03693332180520012805120b0a03",
	"663634180620012806120b0a0366333218072001280712090a0162180820",
	"01280812090a0173180920012809120a0a026279180a2001280c120b0a03",
	"753332180b2001280d120c0a0473663332180c2001280f120c0a04736636",
	"34180d20012810120b0a03733332180e20012811120b0a03733634180f20",
	"01281212150a016518142001280e320a2e706b672e436f6c6f7212140a02",
	"696e18152001280b32082e706b672e416c6c120c0a046d616e7918162003",
	"280512150a03696e7318172003280b32082e706b672e416c6c121e0a036d",
	"617018182003280b32112e706b672e416c6c2e4d6170456e747279120b0a",
	"01781819200128054800120b0a0179181a200128094800120d0a05746578",
	"7473181b200328091a2a0a084d6170456e747279120b0a036b6579180120",
	"012809120d0a0576616c75651802200128053a02380142050a036f6e652a",
	"230a05436f6c6f7212070a03524544100012110a04424c554510feffffff",
	"ffffffffff01620670726f746f330a460a07622e70726f746f22330a034f",
	"6c64120a0a026964180120022805120c0a046c6973741802200328051212",
	"0a067061636b656418032003280542021001620670726f746f32",
	NULL,
};

/* A message that python3-protobuf wrote, and its value. */
static const char *const all_digits[] = {
	"09000000000000f83f15000080be188080808080808080800120ffffffffffffff",
	"ff7f28ffffffffffffffffff013107000000000000003dffffffff40014a0368c3",
	"a9520200ff58ffffffff0f65fbffffff69faffffffffffffff700d78feffffffff",
	"ffffffff01a001feffffffffffffffff01aa01022803b2010d01ac02ffffffffff",
	"ffffffff01ba01034a0161ba0100c201050a016b1005d20103796573da0100da01",
	"017a",
	NULL,
};

TEST_F(formats, protobuf_load_and_encode_and_decode)
{
	struct mathis_item types, value;
	struct md_call *kept;

	ASSERT_EQ(0, DO("protobuf_load", hex_bytes(descriptors)));
	types = RESULT;
	ASSERT_EQ(0, DO("protobuf_decode", types, STR("pkg.All"),
			hex_bytes(all_digits)));
	value = hex_keep(mathis_item_get(&RESULT, "by"));
	EXPECT_TRUE(hex_is(&value, "00ff"));
	EXPECT_EQ(-.25, mathis_item_get(&RESULT, "f")->f);
	EXPECT_EQ(INT64_MIN, mathis_item_get(&RESULT, "i64")->i);
	EXPECT_EQ(-7, mathis_item_get(&RESULT, "s32")->i);
	EXPECT_EQ(INT64_MAX, mathis_item_get(&RESULT, "s64")->i);
	EXPECT_TRUE(mathis_item_is(mathis_item_get(&RESULT, "e"), "BLUE"));
	EXPECT_EQ(5, mathis_item_get(mathis_item_get(&RESULT, "map"), "k")->i);
	EXPECT_EQ(22, RESULT.n);
	/* Back to the same bytes. */
	kept = dispatch_last;
	dispatch_last = NULL;
	ASSERT_EQ(0,
		  DO("protobuf_encode", types, STR("pkg.All"), kept->result));
	EXPECT_TRUE(hex_are(&RESULT, all_digits));
	md_call_put(kept);
	ASSERT_EQ(0, DO("protobuf_encode", types, STR("Old"),
			JSON("{\"id\":1,\"list\":[1,2],\"packed\":[3,4]}")));
	EXPECT_TRUE(hex_is(&RESULT, "0801100110021a020304"));
	/* Both forms of a list are read, whatever the descriptor says. */
	ASSERT_EQ(0, DO("protobuf_decode", types, STR("Old"),
			hex("0801120201021803")));
	EXPECT_TRUE(result_is(&self->d,
			      "{\"id\":1,\"list\":[1,2],\"packed\":[3]}"));
	/* The last value counts, messages are merged, one of several stays. */
	ASSERT_EQ(
		0,
		DO("protobuf_decode", types, STR("pkg.All"),
		   hex("28012802aa01022801aa01024001aa01022805c80101d2010179f8ff0705a2010100")));
	EXPECT_TRUE(result_is(
		&self->d,
		"{\"i32\":2,\"in\":{\"i32\":5,\"b\":true},\"y\":\"y\"}"));
	ASSERT_EQ(0, DO("protobuf_decode", types, STR("pkg.All"),
			hex("c20100a00107")));
	EXPECT_TRUE(result_is(&self->d, "{\"e\":7,\"map\":{\"\":0}}"));
	EXPECT_EQ(0, DO("protobuf_close", types));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("protobuf_close", types));
	EXPECT_EQ(MATHIS_BAD_HANDLE,
		  DO("protobuf_decode", types, STR("Old"), hex("0801")));
}

TEST_F(formats, protobuf_refuses)
{
	static const struct {
		const char *message;
		const char *json;
		int code;
	} values[] = {
		{ "pkg.None", "{}", MATHIS_NOT_FOUND },
		{ "pkg.All", "{\"none\":1}", MATHIS_NOT_FOUND },
		{ "pkg.All", "{\"i32\":\"1\"}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"i32\":2147483648}", MATHIS_ARG_RANGE },
		{ "pkg.All", "{\"u64\":-1}", MATHIS_ARG_RANGE },
		{ "pkg.All", "{\"u32\":4294967296}", MATHIS_ARG_RANGE },
		{ "pkg.All", "{\"b\":1}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"d\":true}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"s\":1}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"by\":\"x\"}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"e\":\"PINK\"}", MATHIS_ARG_RANGE },
		{ "pkg.All", "{\"in\":1}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"many\":1}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"map\":[]}", MATHIS_ARG_TYPE },
		{ "pkg.All", "{\"x\":1,\"y\":\"\"}", MATHIS_FORMAT },
		{ "Old", "{}", MATHIS_FORMAT },
	};
	static const struct {
		const char *message;
		const char *digits;
		int code;
	} wires[] = {
		{ "Old", "", MATHIS_FORMAT },
		{ "pkg.All", "08", MATHIS_FORMAT },
		{ "pkg.All", "4a05", MATHIS_FORMAT },
		{ "pkg.All", "00", MATHIS_FORMAT },
		{ "pkg.All", "0b0c", MATHIS_FORMAT },
		{ "pkg.All", "28ffffffffffffffffff02", MATHIS_FORMAT },
		{ "pkg.All", "4a01ff", MATHIS_ENCODING },
		{ "pkg.All", "20ffffffffffffffffff01", MATHIS_ARG_RANGE },
		{ "pkg.All", "b20101ff", MATHIS_FORMAT },
	};
	struct mathis_item types, set, all;
	char deep[300] = "";

	ASSERT_EQ(0, DO("protobuf_load", hex_bytes(descriptors)));
	types = RESULT;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		EXPECT_EQ(values[i].code,
			  DO("protobuf_encode", types, STR(values[i].message),
			     JSON(values[i].json)))
		{
			TH_LOG("%s: %s", values[i].json, MESSAGE);
		}
	}
	for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++) {
		EXPECT_EQ(wires[i].code,
			  DO("protobuf_decode", types, STR(wires[i].message),
			     hex(wires[i].digits)))
		{
			TH_LOG("%s: %s", wires[i].digits, MESSAGE);
		}
	}
	for (int i = 0; i < 30; i++)
		snprintf(deep + strlen(deep), 8, "aa01%02x", 3 * (29 - i));
	EXPECT_EQ(0, DO("protobuf_decode", types, STR("pkg.All"), hex(deep)));
	/* Each cut of the set is refused, or has fewer types. */
	set = hex_bytes(descriptors);
	for (uint32_t n = 1; n < set.n; n++) {
		struct mathis_item part = set;

		part.n = n;
		if (DO("protobuf_load", part) == 0)
			EXPECT_EQ(0, DO("protobuf_close", RESULT));
	}
	all = hex_bytes(all_digits);
	for (uint32_t i = 0; i < set.n * 8; i++) {
		char *byte = (char *)(uintptr_t)set.text + i / 8;

		*byte ^= (char)(1 << i % 8);
		if (DO("protobuf_load", set) == 0) {
			types = RESULT;
			DO("protobuf_decode", types, STR("pkg.All"), all);
			EXPECT_EQ(0, DO("protobuf_close", types));
		}
		*byte ^= (char)(1 << i % 8);
	}
}

TEST_HARNESS_MAIN
