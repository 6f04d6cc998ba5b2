/* SPDX-License-Identifier: GPL-2.0-only */
/* Types of protobuf that a program has loaded, between its files. */
#ifndef MATHISD_CALLS_SERIAL_PROTO_H
#define MATHISD_CALLS_SERIAL_PROTO_H

#include "serial.h"

/* Types of fields, as descriptor.proto numbers them. */
enum proto_type {
	PROTO_DOUBLE = 1,
	PROTO_FLOAT,
	PROTO_INT64,
	PROTO_UINT64,
	PROTO_INT32,
	PROTO_FIXED64,
	PROTO_FIXED32,
	PROTO_BOOL,
	PROTO_STRING,
	PROTO_GROUP,
	PROTO_MESSAGE,
	PROTO_BYTES,
	PROTO_UINT32,
	PROTO_ENUM,
	PROTO_SFIXED32,
	PROTO_SFIXED64,
	PROTO_SINT32,
	PROTO_SINT64,
};

/* How values stand on the wire. */
enum proto_wire { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 5 };

/* A text in what was loaded. */
struct proto_text {
	const char *p;
	size_t n;
};

struct proto_field {
	struct proto_text name;
	uint32_t number;
	enum proto_type type;
	bool repeated;
	bool required;
	bool packed;
	int oneof; /* -1: none */
	struct proto_text type_name;
	const struct proto_message *message;
	const struct proto_enum *names;
};

struct proto_message {
	struct proto_text name; /* such as ".pkg.Person" */
	bool is_map; /* an entry of a map */
	struct proto_field *fields; /* in the order of their numbers */
	size_t n;
};

struct proto_value {
	struct proto_text name;
	int32_t number;
};

struct proto_enum {
	struct proto_text name;
	struct proto_value *values;
	size_t n;
};

struct proto {
	struct md_object base;
	struct mathis_pool pool; /* of all that follows, and of the texts */
	struct proto_message *messages; /* in the order of their names */
	size_t n_messages;
	struct proto_enum *enums; /* so too */
	size_t n_enums;
};

/* A reader of the wire. */
struct proto_in {
	const uint8_t *p;
	const uint8_t *end;
};

/* Whether a varint could be read. */
bool proto_varint(struct proto_in *in, uint64_t *n);
/* A tag and what follows: a number, or the bytes in @part. */
bool proto_next(struct proto_in *in, uint32_t *number, enum proto_wire *wire,
		uint64_t *n, struct proto_in *part);
enum proto_wire proto_wire_of(enum proto_type type);
/* The types of the first argument and the message of the second; NULL. */
struct proto *proto_get(struct md_call *c,
			const struct proto_message **message);
const struct proto_field *proto_field(const struct proto_message *m,
				      uint32_t number);

#endif
