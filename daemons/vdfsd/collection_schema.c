// SPDX-License-Identifier: GPL-2.0-only
/* The tables of collections. */
#include "meta.h"

const char vdfs_schema_collection[] = "";
