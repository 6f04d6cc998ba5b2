# SPDX-License-Identifier: GPL-2.0-only
#
# For people; the kernel's build reads Kbuild. "make help" lists the targets.
#
# Where this is not the Debian 13 root filesystem of tools/vm, every target
# that compiles or tests runs itself again inside it. NATIVE=1 builds right
# here, with what this machine has; so does KDIR=, the build folder of the
# kernel to build the module and the policies for.

VERSION := 0.1.0
TARGETS := all kmod kmod-fail bpf lib daemons tools selftests check check-fast \
	   check-crash check-debug check-mutate check-tsan fuzz-vdfs demo \
	   bench bench-cost bench-vdfs bench-vdfs-cost bench-vdfs-hostile bench-mathis \
	   lint \
	   census install install-files clean
.PHONY: $(TARGETS) rootfs check-docs help uninstall

# For a reader, and for what lists goals: their recipes are in tools/build.mk,
# and on another machine in tools/vm/forward.mk.
all:
check:
check-fast:
check-crash:
check-debug:
check-mutate:
check-tsan:
fuzz-vdfs:
demo:
bench:
bench-cost:
bench-vdfs:
bench-vdfs-cost:
bench-vdfs-hostile:
bench-mathis:
lint:

help:
	@echo "all        module, policies, library, daemons, tools, tests"
	@echo "kmod bpf lib daemons tools selftests    one of them"
	@echo "kmod-fail  the module once more, for tests: its requests can fail"
	@echo "check      lint, census, unit tests, kselftests on both kernels"
	@echo "check-fast  of what changed: lint, census, unit tests"
	@echo "lint census                             one of them"
	@echo "check-crash  kills and power cuts, more than check has time for"
	@echo "check-debug  kernel tests on kernels that check all they do"
	@echo "check-mutate  break sources, and see whether the tests notice"
	@echo "check-docs  type what the documents say, on a new Debian 13"
	@echo "check-tsan  threads of vdfsd under ThreadSanitizer"
	@echo "fuzz-vdfs  fuzz what vdfsd and its clients read, a minute each"
	@echo "demo       the whole way of a request, in a virtual machine"
	@echo "bench      measure, in virtual machines and natively"
	@echo "bench-cost  each call beside 10 000 things of another user"
	@echo "bench-vdfs  vectors and blobs beside their rivals, natively"
	@echo "bench-vdfs-cost  each request of vdfsd beside 10 000 things of another"
	@echo "bench-vdfs-hostile  nine users of vdfsd beside one that does its worst"
	@echo "bench-mathis  MATHIS beside Lua, QuickJS and WasmEdge, natively"
	@echo "install    into / or DESTDIR=; the module by DKMS"
	@echo "uninstall  what install put there, DKMS's modules too"
	@echo "clean      remove what was built; root filesystem, debug kernels stay"
	@echo "rootfs     make the root filesystem now"
	@echo
	@echo "V=1 shows commands, WERROR=1 makes warnings errors,"
	@echo "NATIVE=1 builds without the root filesystem,"
	@echo "KDIR=/lib/modules/VERSION/build builds for that kernel only"

rootfs:
	tools/vm/rootfs

check-docs:
	@tools/check/docs

PREFIX ?= /usr/local
install install-files uninstall:
	@VERSION=$(VERSION) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) tools/install \
		$(patsubst uninstall,remove,$(patsubst install-%,%,$(filter-out \
			install,$@)))

HERE := $(NATIVE)$(KDIR)$(wildcard /etc/phi-rootfs)
ifeq ($(HERE),)
include tools/vm/forward.mk
else
include tools/build.mk
include bpf/Makefile lib/Makefile daemons/Makefile tools/Makefile \
	selftests/Makefile
endif
