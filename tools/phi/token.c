// SPDX-License-Identifier: GPL-2.0-only
/* Sealed tokens in files: raw for programs, hexadecimal for people. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

static void hex_of(const void *data, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (; len; len--, bytes++) {
		*hex++ = digits[*bytes >> 4];
		*hex++ = digits[*bytes & 15];
	}
	*hex = '\0';
}

int token_print(const void *token, size_t len, bool hex)
{
	char digits[2 * PHI_AIOS_TOKEN_LEN + 1];
	int ret;

	if (!out_json && !hex && !isatty(STDOUT_FILENO)) {
		ret = write_all(STDOUT_FILENO, token, len);
		return ret ? fail(ret, "write the token") : EXIT_OK;
	}
	hex_of(token, len, digits);
	out_str("token", digits);
	out_only();
	return out_end();
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A token in one of its encodings, which its length tells. */
struct sealed {
	size_t len;
	union {
		unsigned char bytes[PHI_AIOS_TOKEN_LEN];
		struct phi_token phi;
		struct phi_aios_token aios;
	};
};

/* Bytes as they are, or twice as many digits; false for anything else. */
static bool token_parse(const char *data, size_t len, struct sealed *token)
{
	size_t i;

	token->len = len;
	if (len == PHI_TOKEN_LEN || len == PHI_AIOS_TOKEN_LEN) {
		memcpy(token->bytes, data, len);
		return true;
	}
	if (len && len % 2 && data[len - 1] == '\n')
		len--;
	token->len = len / 2;
	if (len != 2 * PHI_TOKEN_LEN && len != 2 * PHI_AIOS_TOKEN_LEN)
		return false;
	for (i = 0; i < len; i++) {
		if (hex_digit(data[i]) < 0)
			return false;
	}
	for (i = 0; i < token->len; i++)
		token->bytes[i] = (unsigned char)(hex_digit(data[2 * i]) << 4 |
						  hex_digit(data[2 * i + 1]));
	return true;
}

int token_unseal(int phi, const char *path, uint64_t *cap)
{
	struct sealed token;
	void *data = NULL;
	size_t len = 0;
	bool good;
	int ret;

	ret = read_file(path, 4096, &data, &len);
	if (ret)
		return fail_because(NULL, strerror(-ret), "read the token %s",
				    path);
	good = token_parse(data, len, &token);
	free(data);
	if (!good)
		return fail_because(
			"phi cap seal CAP > FILE makes one",
			"a token is 64 or 96 bytes, or twice as many hexadecimal digits",
			"read the token %s", path);
	if (token.len == PHI_TOKEN_LEN)
		ret = phi_cap_unseal(phi, &token.phi, cap);
	else
		ret = phi_cap_unseal_aios(phi, &token.aios, cap);
	return ret ? fail(ret, "unseal the token %s", path) : EXIT_OK;
}
