// SPDX-License-Identifier: GPL-2.0-only
/* Words for the numbers of uapi/phi/, and back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define NS_PER_SEC 1000000000ULL

/* By bit. */
static const char *const rights_words[] = {
	"read", "write", "exec", "map", "send", "recv", "admin", "grant",
};

/* The right of a DMA region that has the bit of another type's right. */
static const struct {
	const char *word;
	uint32_t right;
} rights_too[] = {
	{ "pin", PHI_RIGHT_PIN },
};

static const char *const type_words[] = {
	[PHI_TYPE_MEMORY] = "memory",	[PHI_TYPE_ENDPOINT] = "endpoint",
	[PHI_TYPE_DEVICE] = "device",	[PHI_TYPE_THREAD] = "thread",
	[PHI_TYPE_MODEL] = "model",	[PHI_TYPE_FILE] = "file",
	[PHI_TYPE_NETWORK] = "network", [PHI_TYPE_NOTIFY] = "notify",
	[PHI_TYPE_REPLY] = "reply",	[PHI_TYPE_AGENT] = "agent",
	[PHI_TYPE_BUDGET] = "budget",	[PHI_TYPE_SESSION] = "session",
};

static const char *const kind_words[] = {
	[PHI_UNIT_ANY] = "any",
	[PHI_UNIT_CPU] = "cpu",
	[PHI_UNIT_GPU] = "gpu",
	[PHI_UNIT_TPU] = "tpu",
};

static const char *const quota_words[] = {
	[PHI_QUOTA_CAPS] = "capabilities",   [PHI_QUOTA_PAGES] = "pages",
	[PHI_QUOTA_BYTES] = "message bytes", [PHI_QUOTA_OBJECTS] = "objects",
	[PHI_QUOTA_TICKETS] = "inferences",
};

/* After quota_ and total_ in the names of the module's parameters. */
static const char *const quota_parameters[] = {
	[PHI_QUOTA_CAPS] = "caps",	 [PHI_QUOTA_PAGES] = "pages",
	[PHI_QUOTA_BYTES] = "bytes",	 [PHI_QUOTA_OBJECTS] = "objects",
	[PHI_QUOTA_TICKETS] = "tickets",
};

const char *right_name(unsigned int bit)
{
	return bit < ARRAY_SIZE(rights_words) ? rights_words[bit] : NULL;
}

static bool right_parse(const char *word, size_t len, uint32_t *rights)
{
	unsigned int bit;

	for (bit = 0; bit < ARRAY_SIZE(rights_words); bit++) {
		if (strlen(rights_words[bit]) == len &&
		    !strncmp(rights_words[bit], word, len)) {
			*rights |= 1U << bit;
			return true;
		}
	}
	for (bit = 0; bit < ARRAY_SIZE(rights_too); bit++) {
		if (strlen(rights_too[bit].word) == len &&
		    !strncmp(rights_too[bit].word, word, len)) {
			*rights |= rights_too[bit].right;
			return true;
		}
	}
	return false;
}

bool rights_parse(const char *text, uint32_t *rights)
{
	unsigned long number;
	char *end;
	size_t len;

	*rights = 0;
	if (!strcmp(text, "all")) {
		*rights = PHI_RIGHT_ALL;
		return true;
	}
	if (!strcmp(text, "none"))
		return true;
	if (*text >= '0' && *text <= '9') {
		number = strtoul(text, &end, 0);
		*rights = (uint32_t)number;
		return !*end && number <= PHI_RIGHT_ALL;
	}
	for (;;) {
		len = strcspn(text, ",");
		if (!right_parse(text, len, rights))
			return false;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

const char *rights_text(uint32_t rights)
{
	static char text[80];
	unsigned int bit;

	text[0] = '\0';
	for (bit = 0; bit < ARRAY_SIZE(rights_words); bit++) {
		if (!(rights & (1U << bit)))
			continue;
		if (text[0])
			strcat(text, ",");
		strcat(text, rights_words[bit]);
	}
	return text[0] ? text : "none";
}

const char *type_name(uint32_t type)
{
	return type && type < ARRAY_SIZE(type_words) ? type_words[type] :
						       "unknown";
}

uint32_t type_parse(const char *text)
{
	uint32_t type;

	for (type = 1; type < ARRAY_SIZE(type_words); type++) {
		if (!strcmp(type_words[type], text))
			return type;
	}
	return 0;
}

const char *kind_name(uint32_t kind)
{
	return kind < ARRAY_SIZE(kind_words) ? kind_words[kind] : "unknown";
}

const char *quota_name(unsigned int quota)
{
	return quota < ARRAY_SIZE(quota_words) ? quota_words[quota] : "unknown";
}

const char *quota_parameter(unsigned int quota)
{
	return quota < ARRAY_SIZE(quota_parameters) ? quota_parameters[quota] :
						      "unknown";
}

const char *duration_text(uint64_t ns)
{
	static char buffers[4][32];
	static unsigned int turn;
	char *text = buffers[turn++ % 4];
	double value = (double)ns;

	if (ns < 1000)
		snprintf(text, 32, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(text, 32, "%.1f us", value / 1e3);
	else if (ns < NS_PER_SEC)
		snprintf(text, 32, "%.1f ms", value / 1e6);
	else if (ns < 60 * NS_PER_SEC)
		snprintf(text, 32, "%.2f s", value / 1e9);
	else if (ns < 3600 * NS_PER_SEC)
		snprintf(text, 32, "%.1f min", value / 60e9);
	else
		snprintf(text, 32, "%.1f h", value / 3600e9);
	return text;
}

uint64_t now_ns(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}
