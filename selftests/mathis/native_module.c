// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of modules that are wrong: cut off, with a bit changed, with numbers
 * that lead elsewhere. The sanitizers judge what the loader does with them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "buf.h"
#include "module.h"
#include "sample.h"

FIXTURE(module)
{
	struct sample s;
	uint8_t *file;
};

FIXTURE_SETUP(module)
{
	sample_assemble(&self->s, sample_all, 0);
	ASSERT_EQ(0, self->s.ret);
	self->file = self->s.file;
}

FIXTURE_TEARDOWN(module)
{
	sample_fini(&self->s);
}

/* Load bytes, verify and print what loads: whether they loaded. */
static bool loads(const uint8_t *file, size_t size)
{
	struct mathis_module *m;
	/* An exact copy, so that a read past it is seen. */
	uint8_t *copy = malloc(size ?: 1);
	char *text;
	int ret;

	memcpy(copy, file, size);
	ret = mathis_load(copy, size, &m, NULL);
	free(copy);
	if (ret)
		return false;
	if (!mathis_verify(m, NULL, NULL))
		sample_run(m);
	mathis_disassemble(m, &text);
	free(text);
	mathis_unload(m);
	return true;
}

TEST_F(module, that_is_cut_off_is_refused)
{
	for (size_t n = 0; n < self->s.size; n++) {
		uint8_t *copy = malloc(n ?: 1);

		EXPECT_FALSE(loads(self->file, n))
		{
			TH_LOG("%zu bytes", n);
		}
		memcpy(copy, self->file, n);
		sample_repair(copy, n);
		EXPECT_FALSE(loads(copy, n))
		{
			TH_LOG("%zu bytes, repaired", n);
		}
		free(copy);
	}
	EXPECT_TRUE(loads(self->file, self->s.size));
}

TEST_F(module, with_any_byte_changed_is_refused)
{
	for (size_t i = 0; i < self->s.size; i++) {
		self->file[i] ^= 0x10;
		EXPECT_FALSE(loads(self->file, self->s.size));
		self->file[i] ^= 0x10;
	}
}

/* Each section has a sum of its own, beside that of the file. */
TEST_F(module, with_a_wrong_sum_of_a_section_is_refused)
{
	struct mathis_buf b = { .data = self->file, .size = self->s.size };

	for (unsigned int i = 0; i < self->file[12]; i++) {
		self->file[32 + 16 * i + 12] ^= 1;
		mathis_buf_set(&b, b.size - 4, mathis_crc32(b.data, b.size - 4),
			       4);
		EXPECT_FALSE(loads(self->file, self->s.size));
		self->file[32 + 16 * i + 12] ^= 1;
	}
	sample_repair(self->file, self->s.size);
	EXPECT_TRUE(loads(self->file, self->s.size));
}

/* With right checksums, the content itself is judged. */
TEST_F(module, with_bits_changed_and_its_sums_right_does_no_harm)
{
	unsigned int loaded = 0;

	for (size_t i = 0; i < self->s.size; i++) {
		for (int n = 0; n < 2; n++) {
			uint8_t *copy = malloc(self->s.size);

			memcpy(copy, self->file, self->s.size);
			copy[i] ^= 1 << ((i + 3 * n) % 8);
			sample_repair(copy, self->s.size);
			loaded += loads(copy, self->s.size);
			free(copy);
		}
	}
	/* Some bits are free: a digit of a text, a number of the code. */
	EXPECT_LT(self->s.size / 4, loaded);
	EXPECT_GT(self->s.size * 2, loaded);
}

/* Four bytes that are zero, and all ones. */
TEST_F(module, with_any_number_extreme_does_no_harm)
{
	static const uint8_t values[] = { 0x00, 0xff };

	for (size_t i = 0; i + 4 <= self->s.size; i++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			uint8_t *copy = malloc(self->s.size);

			memcpy(copy, self->file, self->s.size);
			memset(copy + i, values[v], 4);
			sample_repair(copy, self->s.size);
			loads(copy, self->s.size);
			free(copy);
		}
	}
}

FIXTURE(broken)
{
	struct sample s;
	uint8_t *file;
	struct mathis_error error;
};

FIXTURE_VARIANT(broken)
{
	int section; /* 0: the header */
	uint32_t offset;
	uint8_t value;
	int ret;
	const char *text;
};

#include "broken.def"

static uint32_t find(const uint8_t *file, int section)
{
	uint32_t offset = 0;

	for (unsigned int i = 0; section && i < file[12]; i++) {
		if (file[32 + 16 * i] == section)
			memcpy(&offset, file + 32 + 16 * i + 4, 4);
	}
	return offset;
}

FIXTURE_SETUP(broken)
{
	sample_assemble(&self->s, sample_all, 0);
	ASSERT_EQ(0, self->s.ret);
	self->file = self->s.file;
}

FIXTURE_TEARDOWN(broken)
{
	sample_fini(&self->s);
}

TEST_F(broken, is_refused_for_its_reason)
{
	struct mathis_module *m;

	self->file[find(self->file, variant->section) + variant->offset] =
		variant->value;
	sample_repair(self->file, self->s.size);
	EXPECT_EQ(variant->ret,
		  mathis_load(self->file, self->s.size, &m, &self->error));
	EXPECT_EQ(NULL, m);
	EXPECT_NE(NULL, strstr(self->error.text, variant->text))
	{
		TH_LOG("%s", self->error.text);
	}
	mathis_unload(m);
}

/* Give entry 0 of a table the data of entry 1, whose place is at its end. */
static void share_data(struct sample *s, int section, unsigned int entry)
{
	uint8_t *table = s->file;

	table += find(s->file, section) + 4;
	memcpy(table + entry - 8, table + 2 * entry - 8, 8);
	sample_repair(s->file, s->size);
}

TEST(types_are_no_longer_than_their_section)
{
	struct mathis_error error;
	struct mathis_module *m;
	struct sample s;

	sample_assemble(&s,
			".types:\n.struct A\nx: i64\n.end\n"
			".struct B\nx: i64\ny: i64\nz: i64\n.end\n"
			".func main\nCONST_NONE RET\n.end",
			0);
	ASSERT_EQ(0, mathis_load(s.file, s.size, &m, NULL));
	mathis_unload(m);
	share_data(&s, SECTION_TYPES, 18);
	EXPECT_EQ(-EBADMSG, mathis_load(s.file, s.size, &m, &error));
	EXPECT_STREQ("type 1 is outside its section", error.text);
	mathis_unload(m);
	sample_fini(&s);
}

TEST(constants_are_no_longer_than_their_section)
{
	struct mathis_error error;
	struct mathis_module *m;
	struct sample s;

	sample_assemble(&s,
			".constants:\n0: str \"\"\n1: str \"0123456789\"\n"
			".func main\nCONST_NONE RET\n.end",
			MATHIS_ASM_STRIP);
	ASSERT_EQ(0, mathis_load(s.file, s.size, &m, NULL));
	mathis_unload(m);
	share_data(&s, SECTION_CONST, 10);
	EXPECT_EQ(-EBADMSG, mathis_load(s.file, s.size, &m, &error));
	EXPECT_EQ(0, strncmp(error.text, "constant ", 9));
	EXPECT_NE(NULL, strstr(error.text, " is outside its section"));
	mathis_unload(m);
	sample_fini(&s);
}

TEST(a_type_knows_its_last_field_without_a_default)
{
	struct mathis_module *m;

	ASSERT_EQ(0, sample_load(".types:\n.struct A\nx: i64 = 1\ny: i64\n"
				 "z: i64 = 2\n.end\n.struct B\nx: i64 = 1\n"
				 ".end\n.func main\nCONST_NONE RET\n.end",
				 &m));
	EXPECT_EQ(2, m->types[0].needs);
	EXPECT_EQ(0, m->types[1].needs);
	mathis_unload(m);
}

TEST(a_section_of_another_program_is_left_alone)
{
	struct mathis_module *m;
	struct sample s;
	uint8_t *file;

	sample_assemble(&s, sample_all, 0);
	file = s.file;
	file[find(file, SECTION_CUSTOM)] = 'X';
	sample_repair(file, s.size);
	ASSERT_EQ(0, mathis_load(file, s.size, &m, NULL));
	EXPECT_EQ(0, m->n_props);
	mathis_unload(m);
	sample_fini(&s);
}

TEST_HARNESS_MAIN
