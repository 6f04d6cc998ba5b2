// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "module.h"

const char *mathis_code_name(int code)
{
	static const char *const names[] = {
		[MATHIS_OK] = "Ok",
		[MATHIS_BAD_CAPABILITY] = "InvalidCapability",
		[MATHIS_BAD_SYSCALL] = "InvalidSyscall",
		[MATHIS_DENIED] = "Denied",
		[MATHIS_TOO_LARGE] = "MessageTooLarge",
		[MATHIS_MEMORY_LIMIT] = "MemoryLimit",
		[MATHIS_TIMEOUT] = "Timeout",
		[MATHIS_NO_AGENT] = "AgentNotFound",
		[MATHIS_LIMIT] = "Limit",
		[MATHIS_BAD_SPEC] = "InvalidSpec",
		[MATHIS_REGISTERED] = "AlreadyRegistered",
		[MATHIS_BAD_SUPERVISOR] = "InvalidSupervisor",
		[MATHIS_SMALL_BUFFER] = "BufferTooSmall",
		[MATHIS_NO_MESSAGE] = "NoMessage",
		[MATHIS_OUT_OF_MEMORY] = "OutOfMemory",
		[MATHIS_BAD_POINTER] = "InvalidPointer",
		[MATHIS_BAD_ADDRESS] = "InvalidAddress",
		[MATHIS_BAD_OPERATION] = "InvalidOperation",
		[MATHIS_BAD_HANDLE] = "InvalidHandle",
		[MATHIS_NOT_READY] = "NotReady",
		[MATHIS_ARG_TYPE] = "ArgType",
		[MATHIS_ARG_RANGE] = "ArgRange",
		[MATHIS_ARITY] = "Arity",
		[MATHIS_ENCODING] = "Encoding",
		[MATHIS_FORMAT] = "Format",
		[MATHIS_NOT_FOUND] = "NotFound",
		[MATHIS_EXISTS] = "Exists",
		[MATHIS_BUSY] = "Busy",
		[MATHIS_CANCELLED] = "Cancelled",
		[MATHIS_CLOSED] = "Closed",
		[MATHIS_POLICY] = "Policy",
		[MATHIS_IO] = "Io",
		[MATHIS_DNS] = "Dns",
		[MATHIS_CONNECT] = "Connect",
		[MATHIS_TLS] = "Tls",
		[MATHIS_PROTO] = "Proto",
		[MATHIS_AUTH] = "Auth",
		[MATHIS_VERIFY] = "Verify",
		[MATHIS_DB] = "Db",
		[MATHIS_CONFLICT] = "Conflict",
		[MATHIS_UPSTREAM] = "Upstream",
		[MATHIS_RATE_LIMIT] = "RateLimit",
		[MATHIS_UNSUPPORTED] = "Unsupported",
		[MATHIS_CRASH] = "Crash",
		[MATHIS_HANDLER] = "Handler",
		[MATHIS_STACK_UNDERFLOW] = "StackUnderflow",
		[MATHIS_FUEL] = "Fuel",
	};

	if (code == MATHIS_THROWN)
		return "Thrown";
	if (code < 0 || code >= (int)(sizeof(names) / sizeof(*names)) ||
	    !names[code])
		return "Error";
	return names[code];
}

/* Fill in an error, if there is one to fill in, and return @err. */
int mathis_fail(struct mathis_error *error, int err, int code, const char *fmt,
		...)
{
	va_list args;

	if (!error)
		return err;
	memset(error, 0, sizeof(*error));
	error->code = code;
	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return err;
}

/* The file breaks a rule of the format. */
int mathis_bad(struct mathis_module *m, const char *fmt, ...)
{
	va_list args;

	if (m->error) {
		memset(m->error, 0, sizeof(*m->error));
		m->error->code = MATHIS_FORMAT;
		va_start(args, fmt);
		vsnprintf(m->error->text, sizeof(m->error->text), fmt, args);
		va_end(args);
	}
	return -EBADMSG;
}
