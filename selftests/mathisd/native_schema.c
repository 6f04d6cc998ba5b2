// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1304: values against schemas of JSON Schema 2020-12.
 */
#include <kselftest_harness.h>

#include "dispatch.h"

FIXTURE(schema)
{
	struct dispatch d;
};

FIXTURE_SETUP(schema)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(schema)
{
	dispatch_fini(&self->d);
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

/* A schema, a value, and the paths of what is wrong. */
static const struct {
	const char *schema;
	const char *value;
	const char *wrong;
} schemas[] = {
	{ "true", "1", "" },
	{ "false", "1", " " },
	{ "{}", "{\"a\":1}", "" },
	{ "{\"type\":\"integer\"}", "1", "" },
	{ "{\"type\":\"integer\"}", "1.0", "" },
	{ "{\"type\":\"integer\"}", "1.5", " " },
	{ "{\"type\":[\"null\",\"string\"]}", "null", "" },
	{ "{\"type\":[\"null\",\"string\"]}", "false", " " },
	{ "{\"type\":\"array\"}", "[]", "" },
	{ "{\"type\":\"object\"}", "[]", " " },
	{ "{\"const\":{\"a\":[1,2.0]}}", "{\"a\":[1.0,2]}", "" },
	{ "{\"const\":1}", "true", " " },
	{ "{\"enum\":[1,\"a\"]}", "\"a\"", "" },
	{ "{\"enum\":[1,\"a\"]}", "\"b\"", " " },
	{ "{\"minimum\":2,\"maximum\":3}", "2", "" },
	{ "{\"minimum\":2,\"maximum\":3}", "1.9", " " },
	{ "{\"minimum\":2,\"maximum\":3}", "4", " " },
	{ "{\"exclusiveMinimum\":2}", "2", " " },
	{ "{\"exclusiveMaximum\":2}", "2.0", " " },
	{ "{\"exclusiveMaximum\":9007199254740993}", "9007199254740992", "" },
	{ "{\"minimum\":2}", "\"x\"", "" },
	{ "{\"multipleOf\":0.5}", "1.5", "" },
	{ "{\"multipleOf\":3}", "7", " " },
	{ "{\"minLength\":2,\"maxLength\":2}", "\"h\303\251\"", "" },
	{ "{\"maxLength\":1}", "\"h\303\251\"", " " },
	{ "{\"minItems\":1}", "[]", " " },
	{ "{\"maxItems\":1}", "[1,2]", " " },
	{ "{\"uniqueItems\":true}", "[1,2,1.0]", " " },
	{ "{\"uniqueItems\":true}", "[1,true,{},[]]", "" },
	{ "{\"prefixItems\":[{\"type\":\"null\"}],\"items\":{\"minimum\":1}}",
	  "[1,1,0]", " /0 /2" },
	{ "{\"contains\":{\"const\":1},\"maxContains\":1}", "[1,2,1]", " " },
	{ "{\"contains\":{\"const\":1}}", "[2]", " " },
	{ "{\"contains\":{\"const\":1},\"minContains\":0}", "[2]", "" },
	{ "{\"minProperties\":1}", "{}", " " },
	{ "{\"maxProperties\":0}", "{\"a\":1}", " " },
	{ "{\"required\":[\"a\",\"b\"]}", "{\"b\":1}", " /a" },
	{ "{\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":false}",
	  "{\"a\":1,\"b/~\":2}", " /a /b~1~0" },
	{ "{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", " /ab" },
	{ "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", " /b" },
	{ "{\"dependentSchemas\":{\"a\":{\"maxProperties\":1}}}",
	  "{\"a\":1,\"b\":2}", " " },
	{ "{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "3", " " },
	{ "{\"anyOf\":[{\"minimum\":5},{\"maximum\":2}]}", "3", " " },
	{ "{\"anyOf\":[{\"minimum\":5},{\"maximum\":2}]}", "2", "" },
	{ "{\"oneOf\":[{\"minimum\":1},{\"maximum\":2}]}", "1", " " },
	{ "{\"oneOf\":[{\"minimum\":2},{\"maximum\":1}]}", "1", "" },
	{ "{\"not\":{\"type\":\"null\"}}", "null", " " },
	{ "{\"not\":{\"type\":\"null\"}}", "1", "" },
	{ "{\"if\":{\"minimum\":5},\"then\":{\"multipleOf\":2},\"else\":{\"multipleOf\":3}}",
	  "7", " " },
	{ "{\"if\":{\"minimum\":5},\"then\":{\"multipleOf\":2},\"else\":{\"multipleOf\":3}}",
	  "3", "" },
	{ "{\"$defs\":{\"a/b\":{\"type\":\"null\"}},\"items\":{\"$ref\":\"#/$defs/a~1b\"}}",
	  "[null,1]", " /1" },
	{ "{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}",
	  "{\"v\":1,\"next\":{\"v\":2,\"next\":{}}}", " /next/next/v" },
	{ "{\"format\":\"email\",\"title\":1}", "\"x\"", "" },
};

TEST_F(schema, json_schema_validate)
{
	for (size_t i = 0; i < sizeof(schemas) / sizeof(*schemas); i++) {
		const struct mathis_item *errors;
		char wrong[200] = "";

		ASSERT_EQ(0, DO("json_schema_validate", JSON(schemas[i].value),
				JSON(schemas[i].schema)))
		{
			TH_LOG("%s: %s", schemas[i].schema, MESSAGE);
		}
		errors = mathis_item_get(&RESULT, "errors");
		for (uint32_t j = 0; j < errors->n; j++) {
			const struct mathis_item *path =
				mathis_item_get(&errors->items[j], "path");

			snprintf(wrong + strlen(wrong), 50, " %.*s",
				 (int)path->n, path->text);
		}
		EXPECT_STREQ(schemas[i].wrong, wrong)
		{
			TH_LOG("%s", schemas[i].schema);
		}
		EXPECT_EQ(!*schemas[i].wrong,
			  mathis_item_get(&RESULT, "valid")->i);
	}
}

TEST_F(schema, json_schema_refuses)
{
	static const struct {
		const char *schema;
		int code;
	} bad[] = {
		{ "{\"type\":\"text\"}", MATHIS_FORMAT },
		{ "{\"type\":1}", MATHIS_FORMAT },
		{ "{\"enum\":1}", MATHIS_FORMAT },
		{ "{\"minItems\":-1}", MATHIS_FORMAT },
		{ "{\"uniqueItems\":1}", MATHIS_FORMAT },
		{ "{\"allOf\":{}}", MATHIS_FORMAT },
		{ "{\"items\":1}", MATHIS_FORMAT },
		{ "{\"prefixItems\":{}}", MATHIS_FORMAT },
		{ "{\"pattern\":\"a\"}", MATHIS_UNSUPPORTED },
		{ "{\"unevaluatedItems\":false}", MATHIS_UNSUPPORTED },
		{ "{\"$ref\":\"http://x/\"}", MATHIS_UNSUPPORTED },
		{ "{\"$ref\":\"#/a\"}", MATHIS_NOT_FOUND },
		{ "{\"$ref\":\"#\"}", MATHIS_LIMIT },
		{ "{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
		  MATHIS_LIMIT },
	};
	struct mathis_item many = mathis_item_int(0), big = JSON("[]");

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(bad[i].code, DO("json_schema_validate", JSON("[1]"),
					  JSON(bad[i].schema)))
		{
			TH_LOG("%s: %s", bad[i].schema, MESSAGE);
		}
	}
	big.n = 2000;
	big.items = calloc(big.n, sizeof(many));
	for (uint32_t i = 0; i < big.n; i++)
		big.items[i] = mathis_item_int(i);
	EXPECT_EQ(MATHIS_LIMIT, DO("json_schema_validate", big,
				   JSON("{\"uniqueItems\":true}")));
	EXPECT_EQ(0, DO("json_schema_validate", big,
			JSON("{\"items\":{\"maximum\":1}}")));
	EXPECT_EQ(100, mathis_item_get(&RESULT, "errors")->n);
	free(big.items);
}

TEST_HARNESS_MAIN
