/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fused instructions: the loop runs several instructions in a row as one. The
 * number of the fused one takes the place of the first one's number in the
 * machine's copy of the code, and all other bytes stay: jumps, places of
 * errors and snapshots need not know. When a value is of another kind, or the
 * fuel is short, the first instruction runs as it is.
 */
#ifndef MATHIS_FUSE_H
#define MATHIS_FUSE_H

enum fuse_op {
	FUSE_CONST_ADD = 0xd7, /* GET_LOCAL CONST_I64 ADD */
	FUSE_CONST_SUB,
	FUSE_CONST_ADD_SET, /* and SET_LOCAL */
	FUSE_CONST_SUB_SET,
	FUSE_LOCAL_ADD, /* GET_LOCAL GET_LOCAL ADD */
	FUSE_LOCAL_SUB,
	FUSE_LOCAL_MUL,
	FUSE_LOCAL_INDEX,
	FUSE_RET, /* GET_LOCAL RET */
	FUSE_COMPARE_FIRST = 0xe6 - 1,
#define FUSED_ENUM
#include "fused.def"
};

#endif
