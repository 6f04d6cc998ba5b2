/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON between items and yyjson, in the memory of a call. */
#ifndef MATHISD_CALLS_SERIAL_JSON_H
#define MATHISD_CALLS_SERIAL_JSON_H

#include <yyjson.h>

#include "serial.h"

/* How values of JSON become items. */
struct json_how {
	bool big; /* numbers that neither i64 nor f64 holds become texts */
	bool unique; /* a key that comes twice is an error */
};

/* An allocator of yyjson; what it gives out lives as long as the call. */
yyjson_alc json_memory(struct md_call *c);
/* The item of a value: MD_DONE; or MD_FAILED, reported. */
int json_item(struct md_call *c, yyjson_val *v, struct json_how how, int depth,
	      struct mathis_item *item);
/* The value of an item, or NULL, reported. */
yyjson_mut_val *json_value(struct md_call *c, yyjson_mut_doc *doc,
			   const struct mathis_item *item);

#endif
