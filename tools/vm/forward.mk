# SPDX-License-Identifier: GPL-2.0-only
#
# On a machine that is not the root filesystem: all goals go there at once,
# so that two of them never build the same file at the same time. Only
# installing, which the Makefile does after that, is for this machine, and so
# are rootfs and check-docs, which make root filesystems.

JOBS ?= $(shell nproc)
GOALS := $(filter $(TARGETS),$(or $(MAKECMDGOALS),all))
INNER := $(sort $(foreach g,$(GOALS),$(if $(filter install%,$(g)),bpf lib \
		daemons tools,$(g))))

.PHONY: forward
$(GOALS): forward

forward:
	@tools/vm/in $(MAKE) --no-print-directory -j$(JOBS) $(MAKEOVERRIDES) \
		$(INNER)
