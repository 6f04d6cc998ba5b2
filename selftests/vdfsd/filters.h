/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_TEST_FILTERS_H
#define VDFS_TEST_FILTERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

json_t *filters_metadata(uint64_t *state);
json_t *filters_random(uint64_t *state);
bool filters_match(json_t *metadata, json_t *filter);

#endif /* VDFS_TEST_FILTERS_H */
