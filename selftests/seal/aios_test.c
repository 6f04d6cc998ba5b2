// SPDX-License-Identifier: GPL-2.0-only
/* Sealed tokens in the encoding of AIOS: the same thing with a longer MAC. */

#include "kselftest_harness.h"

#include <endian.h>
#include <sys/mman.h>

#include "phi_ioctl.h"

#define RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)
#define SOMEBODY 4242

FIXTURE(aios)
{
	int phi;
	uint64_t root;
	struct phi_aios_token token;
	struct phi_system_stats before;
};

FIXTURE_SETUP(aios)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
	ASSERT_EQ(0, do_seal_aios(self->phi, self->root, RIGHTS, 0, 0,
				  &self->token));
}

FIXTURE_TEARDOWN(aios)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(aios, roundtrip)
{
	struct phi_cap_query query;
	struct phi_token token;
	uint64_t out;
	int other = do_open();

	EXPECT_EQ(96, PHI_AIOS_TOKEN_LEN);
	EXPECT_EQ(PHI_AIOS_TOKEN_LEN, sizeof(self->token));
	EXPECT_EQ(PHI_TYPE_NOTIFY, self->token.type);
	EXPECT_EQ(RIGHTS, self->token.rights);
	EXPECT_EQ(getpid(), le32toh(self->token.owner_pid));
	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_unseal_aios(other, &self->token, &out));
	ASSERT_EQ(0, do_query(other, out, &query));
	EXPECT_EQ(PHI_TYPE_NOTIFY, query.type);
	EXPECT_EQ(RIGHTS, query.rights);
	EXPECT_EQ(2, query.depth);
	close(other);

	/* The same capability in both encodings has one body. */
	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, 0, 0, &token));
	EXPECT_EQ(0, memcmp(&token, &self->token,
			    offsetof(struct phi_token, mac)));
}

TEST_F(aios, every_damaged_bit_is_refused)
{
	uint64_t out;

	for (unsigned int bit = 0; bit < 8 * sizeof(self->token); bit++) {
		struct phi_aios_token token = self->token;

		((uint8_t *)&token)[bit / 8] ^= 1 << bit % 8;
		ASSERT_EQ(-EKEYREJECTED,
			  do_unseal_aios(self->phi, &token, &out))
		{
			TH_LOG("bit %u", bit);
		}
	}
	EXPECT_EQ(0, do_unseal_aios(self->phi, &self->token, &out));
}

/* Neither encoding passes for the other, whatever is cut off or put behind. */
TEST_F(aios, encodings_are_apart)
{
	struct phi_aios_token longer = {};
	struct phi_token token, shorter;
	uint64_t out;

	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, 0, 0, &token));
	memcpy(&longer, &token, sizeof(token));
	EXPECT_EQ(-EKEYREJECTED, do_unseal_aios(self->phi, &longer, &out));
	memcpy(longer.mac + 32, token.mac, 32);
	EXPECT_EQ(-EKEYREJECTED, do_unseal_aios(self->phi, &longer, &out));
	memcpy(&shorter, &self->token, sizeof(shorter));
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &shorter, &out));
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));
}

TEST_F(aios, dies_as_the_other_does)
{
	struct phi_aios_token soon;
	uint64_t child, out;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &child));
	ASSERT_EQ(0, do_seal_aios(self->phi, child, 0, 0, 0, &soon));
	EXPECT_EQ(0, do_unseal_aios(self->phi, &soon, &out));
	ASSERT_EQ(0, do_drop(self->phi, child));
	EXPECT_EQ(-EKEYREVOKED, do_unseal_aios(self->phi, &soon, &out));
	ASSERT_EQ(0, do_seal_aios(self->phi, self->root, 0, 0, 1, &soon));
	EXPECT_EQ(-EKEYEXPIRED, do_unseal_aios(self->phi, &soon, &out));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_unseal_aios(self->phi, &self->token, &out));
}

TEST_F(aios, is_for_its_audience)
{
	int somebody = do_open_as(SOMEBODY);
	struct phi_aios_token token;
	uint64_t out;

	ASSERT_LE(0, somebody);
	ASSERT_EQ(0, do_seal_aios(self->phi, self->root, 0, SOMEBODY + 1, 0,
				  &token));
	EXPECT_EQ(-EKEYREJECTED, do_unseal_aios(self->phi, &token, &out));
	EXPECT_EQ(0, do_unseal_aios(somebody, &token, &out));
	close(somebody);
}

/* One rotation keeps the key before, in both encodings. */
TEST_F(aios, survives_one_rekey)
{
	struct phi_token token;
	uint32_t key;
	uint64_t out;

	ASSERT_EQ(0, do_seal(self->phi, self->root, 0, 0, 0, &token));
	ASSERT_EQ(0, do_rekey(self->phi, &key));
	EXPECT_EQ(0, do_unseal_aios(self->phi, &self->token, &out));
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_rekey(self->phi, &key));
	EXPECT_EQ(-EKEYREJECTED, do_unseal_aios(self->phi, &self->token, &out));
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
}

TEST_F(aios, refuses_bad_input)
{
	struct phi_cap_seal seal = { .flags = 1 };
	struct phi_cap_unseal unseal = { .flags = 1 | PHI_SEAL_AIOS };
	struct phi_aios_token token;
	uint64_t weak, out;
	uint8_t *map;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_SEAL, &seal));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_UNSEAL, &unseal));
	EXPECT_EQ(-EPERM, do_seal_aios(self->phi, self->root,
				       RIGHTS | PHI_RIGHT_EXEC, 0, 0, &token));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS & ~PHI_RIGHT_GRANT,
			       &weak));
	EXPECT_EQ(-EPERM, do_seal_aios(self->phi, weak, 0, 0, 0, &token));

	/* All its bytes are written and read, not those of the other. */
	map = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + 4096, 4096, PROT_NONE));
	EXPECT_EQ(-EFAULT, do_seal_aios(self->phi, self->root, 0, 0, 0,
					(void *)(map + 4096 - 95)));
	EXPECT_EQ(0, do_seal_aios(self->phi, self->root, 0, 0, 0,
				  (void *)(map + 4096 - 96)));
	EXPECT_EQ(0, do_unseal_aios(self->phi, map + 4096 - 96, &out));
	EXPECT_EQ(-EFAULT, do_unseal_aios(self->phi, map + 4096 - 95, &out));
	munmap(map, 2 * 4096);
}

TEST_HARNESS_MAIN
