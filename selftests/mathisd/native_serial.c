// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1300 to 0x1303 and 0x1324 to 0x132B: JSON beside that of python3, and bytes
 * as text. Cases of JSON are named as the classes of JSONTestSuite.
 */
#include <kselftest_harness.h>

#include "hex.h"

FIXTURE(serial)
{
	struct dispatch d;
};

FIXTURE_SETUP(serial)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(serial)
{
	dispatch_fini(&self->d);
	hex_free();
}

#define DO(...) CALL(&self->d, __VA_ARGS__)
#define TEXT(_text) text_is(_text)

static bool text_is(const char *text)
{
	return RESULT.n == strlen(text) && !memcmp(RESULT.text, text, RESULT.n);
}

static bool mentions(const char *text)
{
	return strstr(MESSAGE, text);
}

/* A map of one option. */
#define OPT(_key, _value) map_of((struct mathis_item[]){ STR(_key), _value })

static struct mathis_item map_of(struct mathis_item *pair)
{
	return (struct mathis_item){ .kind = MATHIS_MAP,
				     .n = 1,
				     .items = pair };
}

/* Parse, write, and compare. */
static int again(struct dispatch *d, const char *text)
{
	struct md_call *c = dispatch_begin(
		d, "json_parse", (struct mathis_item[]){ STR(text) }, 1);
	int ret = dispatch_wait(d, c);

	if (!ret)
		ret = CALL(d, "json_stringify", c->result);
	md_call_put(c);
	return ret;
}

TEST_F(serial, json_round_trips_values_of_each_kind)
{
	static const char *const same[] = {
		"null",
		"true",
		"false",
		"0",
		"-9223372036854775808",
		"9223372036854775807",
		"1.0",
		"0.1",
		"1e22",
		"5e-324",
		"1.7976931348623157e308",
		"\"\"",
		"\"\\u0000\\u001F\\\"\\\\/\\n\"",
		"\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\"",
		"[]",
		"{}",
		"[1,[2,[]],{\"a\":[{\"\":null}]}]",
		"{\"b\":1,\"a\":2}",
	};
	static const char *const other[][2] = {
		{ "\n[ 1 ,\t2 ]\r", "[1,2]" },
		{ "\"\\ud83d\\ude00\\u00e9\\/\"",
		  "\"\xf0\x9f\x98\x80\xc3\xa9/\"" },
		{ "1E+2", "100.0" },
		{ "-0.0", "-0.0" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
		{ "{\"a\":1,\"a\":1,\"\":0,\"a\":[]}", "{\"a\":[],\"\":0}" },
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		EXPECT_EQ(0, again(&self->d, same[i]));
		EXPECT_TRUE(TEXT(same[i]))
		{
			TH_LOG("%s: %.*s", same[i], (int)RESULT.n, RESULT.text);
		}
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		EXPECT_EQ(0, again(&self->d, other[i][0]));
		EXPECT_TRUE(TEXT(other[i][1]))
		{
			TH_LOG("%s: %.*s", other[i][0], (int)RESULT.n,
			       RESULT.text);
		}
	}
	ASSERT_EQ(0, DO("json_parse", BYTES("[1]", 3)));
	ASSERT_EQ(MATHIS_LIST, RESULT.kind);
	EXPECT_EQ(MATHIS_INT, RESULT.items[0].kind);
}

TEST_F(serial, json_parse_refuses_what_is_no_json)
{
	static const struct {
		const char *name, *text;
	} bad[] = {
		{ "n_structure_no_data", "" },
		{ "n_structure_whitespace", "\n " },
		{ "n_structure_trailing_garbage", "[1]x" },
		{ "n_structure_two_values", "1 2" },
		{ "n_structure_bom", "\xef\xbb\xbf[]" },
		{ "n_structure_open_array", "[" },
		{ "n_structure_open_object", "{\"a\":" },
		{ "n_structure_comment", "[/**/1]" },
		{ "n_structure_form_feed", "[\f1]" },
		{ "n_array_extra_comma", "[1,]" },
		{ "n_array_double_comma", "[1,,2]" },
		{ "n_array_wrong_end", "[1}" },
		{ "n_object_trailing_comma", "{\"a\":1,}" },
		{ "n_object_unquoted_key", "{a:1}" },
		{ "n_object_number_key", "{1:1}" },
		{ "n_object_missing_colon", "{\"a\" 1}" },
		{ "n_object_single_quote", "{'a':1}" },
		{ "n_number_nan", "NaN" },
		{ "n_number_infinity", "[-Infinity]" },
		{ "n_number_leading_zero", "01" },
		{ "n_number_minus_alone", "-" },
		{ "n_number_plus", "+1" },
		{ "n_number_dot_alone", "1." },
		{ "n_number_no_digit", ".5" },
		{ "n_number_exponent_alone", "1e" },
		{ "n_number_hex", "0x1" },
		{ "n_string_control", "\"\t\"" },
		{ "n_string_escape", "\"\\x41\"" },
		{ "n_string_short_escape", "\"\\u00e\"" },
		{ "n_string_unclosed", "\"abc" },
		{ "n_string_high_surrogate", "\"\\ud800\"" },
		{ "n_string_low_surrogate", "\"\\udc00\"" },
		{ "n_string_two_high_surrogates", "\"\\ud800\\ud800\"" },
		{ "n_word_upper_case", "[True]" },
		{ "n_word_short", "nul" },
	};
	static const char *const utf8[] = {
		"\"\xff\"",	"\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
		"\"\xe6\x97\"", "\"\x80\"",	"\"\xf4\x90\x80\x80\"",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(MATHIS_FORMAT, DO("json_parse", STR(bad[i].text)))
		{
			TH_LOG("%s: %s", bad[i].name, MESSAGE);
		}
	}
	for (size_t i = 0; i < sizeof(utf8) / sizeof(*utf8); i++)
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("json_parse", BYTES(utf8[i], strlen(utf8[i]))));
	EXPECT_EQ(MATHIS_FORMAT, DO("json_parse", BYTES("1\0", 2)));
	EXPECT_EQ(MATHIS_FORMAT, DO("json_parse", STR("[1,x]")));
	EXPECT_EQ(3, mathis_item_get(&dispatch_last->detail, "offset")->i);
	EXPECT_EQ(0, DO("json_parse", STR("{\"a\":1,\"a\":2}"), NONE));
	EXPECT_EQ(MATHIS_FORMAT, DO("json_parse", STR("{\"a\":1,\"a\":2}"),
				    OPT("unique", BOOL(true))));
	EXPECT_EQ(0, DO("json_parse", STR("[{\"a\":1},{\"a\":2}]"),
			OPT("unique", BOOL(true))));
}

TEST_F(serial, json_parse_has_limits_of_numbers)
{
	static const char *const big[] = {
		"9223372036854775808",
		"18446744073709551615",
		"18446744073709551616",
		"-9223372036854775809",
		"1e309",
		"-1e400",
		"123456789012345678901",
	};

	for (size_t i = 0; i < sizeof(big) / sizeof(*big); i++) {
		EXPECT_EQ(MATHIS_ARG_RANGE, DO("json_parse", STR(big[i])))
		{
			TH_LOG("%s", big[i]);
		}
		EXPECT_TRUE(mentions(big[i]));
		ASSERT_EQ(0, DO("json_parse", STR(big[i]),
				OPT("bignum", STR("str"))));
		EXPECT_EQ(MATHIS_STR, RESULT.kind);
		EXPECT_TRUE(TEXT(big[i]));
	}
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("json_parse", STR("1"), OPT("bignum", STR("float"))));
	ASSERT_EQ(0, DO("json_parse", STR("1e-400")));
	EXPECT_EQ(MATHIS_FLOAT, RESULT.kind);
	EXPECT_EQ(0, RESULT.f);
}

TEST_F(serial, json_parse_has_a_limit_of_depth)
{
	char text[2 * 65 + 1] = { 0 };
	struct mathis_item deep = hex_repeat('[', 1 << 20);

	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	ASSERT_EQ(0, again(&self->d, text));
	EXPECT_TRUE(TEXT(text));
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	EXPECT_EQ(MATHIS_TOO_LARGE, DO("json_parse", BYTES(text, 130)));
	EXPECT_EQ(MATHIS_FORMAT, DO("json_parse", deep));
}

TEST_F(serial, json_parse_pays_for_its_memory)
{
	/* 16 MiB of small values would take 256 MiB. */
	struct mathis_item all = hex_repeat(',', 16 << 20);
	char *p = (char *)all.text;

	memset(p, '0', 16 << 20);
	for (size_t i = 0; i < 16 << 20; i += 2)
		p[i] = ',';
	p[0] = '[';
	p[(16 << 20) - 1] = ']';
	p[(16 << 20) - 2] = '0';
	EXPECT_EQ(MATHIS_OUT_OF_MEMORY, DO("json_parse", all));
}

TEST_F(serial, json_stringify)
{
	struct mathis_item items[] = { INT(1), STR("\xc3\xa9"), BOOL(true) };
	struct mathis_item seq = { .kind = MATHIS_TUPLE,
				   .n = 3,
				   .items = items };
	struct mathis_item ch = { .kind = MATHIS_CHAR, .i = 0x1f600 };

	ASSERT_EQ(0, DO("json_stringify", seq));
	EXPECT_TRUE(TEXT("[1,\"\xc3\xa9\",true]"));
	seq.kind = MATHIS_SET;
	ASSERT_EQ(0, DO("json_stringify", seq, OPT("ascii", BOOL(true))));
	EXPECT_TRUE(TEXT("[1,\"\\u00E9\",true]"));
	seq.kind = MATHIS_LIST;
	ASSERT_EQ(0, DO("json_stringify", seq, OPT("pretty", BOOL(true))));
	EXPECT_TRUE(TEXT("[\n  1,\n  \"\xc3\xa9\",\n  true\n]"));
	ASSERT_EQ(0, DO("json_stringify", ch));
	EXPECT_TRUE(TEXT("\"\xf0\x9f\x98\x80\""));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("json_stringify", BYTES("a", 1)));
	EXPECT_EQ(MATHIS_ARG_TYPE,
		  DO("json_stringify",
		     map_of((struct mathis_item[]){ INT(1), INT(2) })));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("json_stringify", FLOAT(__builtin_nan(""))));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("json_stringify", FLOAT(-__builtin_inf())));
}

TEST_F(serial, json_is_that_of_python)
{
	static const char make[] =
		"import json, random\n"
		"r = random.Random(1)\n"
		"def text():\n"
		"    return ''.join(chr(r.choice([r.randrange(0xd800),\n"
		"        r.randrange(0xe000, 0x110000), r.randrange(128)]))\n"
		"        for i in range(r.randrange(9)))\n"
		"def value(depth):\n"
		"    some = range(r.randrange(9 - depth))\n"
		"    return [lambda: None, lambda: True, text,\n"
		"        lambda: r.randrange(-2**63, 2**63),\n"
		"        lambda: r.uniform(-1, 1) * 10.0**r.randrange(-300, 300),\n"
		"        lambda: [value(depth + 1) for i in some],\n"
		"        lambda: {text(): value(depth + 1) for i in some}\n"
		"        ][r.randrange(7 if depth < 8 else 5)]()\n"
		"json.dump([value(0) for i in range(500)], open('in', 'w'))\n";
	static const char check[] =
		"import json\n"
		"assert json.load(open('in')) == json.load(open('out'))\n";
	struct mathis_item text;
	struct md_call *parsed;

	hex_save(&self->d, "make.py", BYTES(make, strlen(make)));
	ASSERT_EQ(0, dispatch_shell(&self->d, "python3 make.py"));
	text = hex_load(&self->d, "in");
	EXPECT_LT(10000, text.n);
	ASSERT_EQ(0, DO("json_parse", text));
	parsed = dispatch_last;
	dispatch_last = NULL;
	EXPECT_EQ(0, DO("json_stringify", parsed->result));
	md_call_put(parsed);
	text = hex_keep(&RESULT);
	hex_save(&self->d, "out", BYTES(text.text, text.n));
	hex_save(&self->d, "check.py", BYTES(check, strlen(check)));
	EXPECT_EQ(0, dispatch_shell(&self->d, "python3 check.py"));
}

/* Call with the value of a text as the first argument, and perhaps another. */
static int with(struct dispatch *d, const char *call, const char *value,
		const char *second, bool parse)
{
	struct md_call *a = dispatch_begin(
		d, "json_parse", (struct mathis_item[]){ STR(value) }, 1);
	struct md_call *b = dispatch_begin(
		d, "json_parse",
		(struct mathis_item[]){ STR(parse ? second : "0") }, 1);
	struct md_call *done;
	int ret = dispatch_wait(d, a) ?: dispatch_wait(d, b);

	if (ret)
		abort();
	ret = CALL(d, call, a->result, parse ? b->result : STR(second));
	if (!ret) {
		done = dispatch_last;
		dispatch_last = NULL;
		ret = CALL(d, "json_stringify", done->result);
		md_call_put(done);
	}
	md_call_put(a);
	md_call_put(b);
	return ret;
}

TEST_F(serial, json_pointer)
{
	/* The example of RFC 6901. */
	static const char doc[] =
		"{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\n"
		"\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\n"
		"\"m~n\":8}";
	static const char *const good[][2] = {
		{ "/foo", "[\"bar\",\"baz\"]" },
		{ "/foo/0", "\"bar\"" },
		{ "/", "0" },
		{ "/a~1b", "1" },
		{ "/c%d", "2" },
		{ "/i\\j", "5" },
		{ "/ ", "7" },
		{ "/m~0n", "8" },
	};
	static const char *const missing[] = {
		"/x",	 "/foo/2",   "/foo/-",	       "/foo/00",
		"/foo/", "/foo/0/0", "/foo/4294967296"
	};

	ASSERT_EQ(0, with(&self->d, "json_pointer", doc, "", false));
	EXPECT_EQ(strlen(doc) - 2, RESULT.n); /* no lines */
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		EXPECT_EQ(0, with(&self->d, "json_pointer", doc, good[i][0],
				  false));
		EXPECT_TRUE(TEXT(good[i][1]));
	}
	for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
		EXPECT_EQ(MATHIS_NOT_FOUND, with(&self->d, "json_pointer", doc,
						 missing[i], false));
	EXPECT_EQ(MATHIS_FORMAT,
		  with(&self->d, "json_pointer", doc, "foo", false));
	EXPECT_EQ(MATHIS_FORMAT,
		  with(&self->d, "json_pointer", doc, "/x/~2", false));
	EXPECT_EQ(MATHIS_FORMAT,
		  with(&self->d, "json_pointer", doc, "/~", false));
}

TEST_F(serial, json_patch)
{
	static const char doc[] = "{\"a\":[1,2],\"b\":{\"c\":1.5}}";
	static const struct {
		const char *patch, *want;
		int code;
	} cases[] = {
		{ "[]", "{\"a\":[1,2],\"b\":{\"c\":1.5}}", 0 },
		{ "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":9}]",
		  "{\"a\":[1,9,2],\"b\":{\"c\":1.5}}", 0 },
		{ "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":null},\n"
		  "{\"op\":\"remove\",\"path\":\"/b\"}]",
		  "{\"a\":[1,2,null]}", 0 },
		{ "[{\"op\":\"replace\",\"path\":\"\",\"value\":3}]", "3", 0 },
		{ "[{\"op\":\"move\",\"from\":\"/b/c\",\"path\":\"/a/0\"}]",
		  "{\"a\":[1.5,1,2],\"b\":{}}", 0 },
		{ "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b/c\"}]",
		  "{\"a\":[1,2],\"b\":{\"c\":[1,2]}}", 0 },
		{ "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[1,2]}]",
		  "{\"a\":[1,2],\"b\":{\"c\":1.5}}", 0 },
		{ "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[2,1]}]", NULL,
		  MATHIS_CONFLICT },
		{ "[{\"op\":\"remove\",\"path\":\"/x\"}]", NULL,
		  MATHIS_NOT_FOUND },
		{ "[{\"op\":\"bend\",\"path\":\"/a\"}]", NULL, MATHIS_FORMAT },
		{ "[{\"op\":\"add\",\"path\":\"/a\"}]", NULL, MATHIS_FORMAT },
		{ "[1]", NULL, MATHIS_FORMAT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		EXPECT_EQ(cases[i].code, with(&self->d, "json_patch", doc,
					      cases[i].patch, true))
		{
			TH_LOG("%s: %s", cases[i].patch, MESSAGE);
		}
		if (cases[i].want)
			EXPECT_TRUE(TEXT(cases[i].want));
	}
	EXPECT_EQ(MATHIS_NOT_FOUND,
		  with(&self->d, "json_patch", doc,
		       "[{\"op\":\"remove\",\"path\":\"/a\"},\n"
		       "{\"op\":\"remove\",\"path\":\"/a\"}]",
		       true));
	EXPECT_EQ(1, mathis_item_get(&dispatch_last->detail, "step")->i);
}

TEST_F(serial, base64)
{
	/* The vectors of RFC 4648. */
	static const char *const cases[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};
	static const char *const bad[] = {
		"Z",	"Zg",	  "Zg=",   "Zh==", "Zm9=", "Zg==Zg==",
		"====", "Zm9v\n", "Zm 9v", "Zm9-", "Z===", "="
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ASSERT_EQ(0, DO("base64_encode", STR(cases[i][0])));
		EXPECT_TRUE(TEXT(cases[i][1]));
		ASSERT_EQ(0, DO("base64_decode", STR(cases[i][1])));
		EXPECT_TRUE(TEXT(cases[i][0]));
		EXPECT_EQ(MATHIS_BYTES, RESULT.kind);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(MATHIS_FORMAT, DO("base64_decode", STR(bad[i])))
		{
			TH_LOG("%s", bad[i]);
		}
	}
	ASSERT_EQ(0, DO("base64_encode", hex("fbff"), BOOL(true)));
	EXPECT_TRUE(TEXT("-_8"));
	ASSERT_EQ(0, DO("base64_decode", STR("-_8"), BOOL(true)));
	EXPECT_TRUE(hex_is(&RESULT, "fbff"));
	ASSERT_EQ(0, DO("base64_decode", STR("-_8="), BOOL(true)));
	EXPECT_TRUE(hex_is(&RESULT, "fbff"));
	EXPECT_EQ(MATHIS_FORMAT, DO("base64_decode", STR("-_9"), BOOL(true)));
	EXPECT_EQ(MATHIS_FORMAT, DO("base64_decode", STR("+/8"), BOOL(true)));
	EXPECT_EQ(MATHIS_FORMAT, DO("base64_decode", STR("AAAAA"), BOOL(true)));
	ASSERT_EQ(0, DO("base64_encode", hex("fbff")));
	EXPECT_TRUE(TEXT("+/8="));
}

TEST_F(serial, hex_and_url)
{
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	ASSERT_EQ(0, DO("hex_encode", hex("00ff7fa5")));
	EXPECT_TRUE(TEXT("00ff7fa5"));
	ASSERT_EQ(0, DO("hex_decode", STR("00Ff7Fa5")));
	EXPECT_TRUE(hex_is(&RESULT, "00ff7fa5"));
	EXPECT_EQ(MATHIS_FORMAT, DO("hex_decode", STR("0")));
	EXPECT_EQ(MATHIS_FORMAT, DO("hex_decode", STR("0g")));
	EXPECT_EQ(MATHIS_FORMAT, DO("hex_decode", STR("0x00")));
	EXPECT_EQ(1, mathis_item_get(&dispatch_last->detail, "offset")->i);

	ASSERT_EQ(0, DO("url_encode", STR("a B+c/\xc3\xa9-._~")));
	EXPECT_TRUE(TEXT("a%20B%2Bc%2F%C3%A9-._~"));
	ASSERT_EQ(0, DO("url_decode", STR("a%20B+c%2f%C3%A9")));
	EXPECT_TRUE(TEXT("a B+c/\xc3\xa9"));
	ASSERT_EQ(0, DO("url_decode", STR("a+b%2B"), BOOL(true)));
	EXPECT_TRUE(TEXT("a b+"));
	EXPECT_EQ(MATHIS_FORMAT, DO("url_decode", STR("%")));
	EXPECT_EQ(MATHIS_FORMAT, DO("url_decode", STR("%4")));
	EXPECT_EQ(MATHIS_FORMAT, DO("url_decode", STR("a%4g")));
	EXPECT_EQ(1, mathis_item_get(&dispatch_last->detail, "offset")->i);

	for (int i = 0; i < 3; i++) {
		static const char *const names[][2] = {
			{ "base64_encode", "base64_decode" },
			{ "hex_encode", "hex_decode" },
			{ "url_encode", "url_decode" },
		};
		struct mathis_item text, bytes = BYTES(all, 256);

		ASSERT_EQ(0, DO(names[i][0], bytes));
		text = hex_keep(&RESULT);
		ASSERT_EQ(0, DO(names[i][1], text));
		EXPECT_TRUE(hex_same(&RESULT, &bytes));
	}
}

TEST_HARNESS_MAIN
