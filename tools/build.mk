# SPDX-License-Identifier: GPL-2.0-only
#
# What the layers' makefiles share: flags, and the rules that compile.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

TOP := $(CURDIR)
BUILD := build
ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s%s\n'
endif

CC := gcc
CLANG ?= clang
# checkpatch and the kselftest harness, out of linux-source; see tools/vm/ktree
KTREE := $(or $(wildcard /usr/src/phi-ktree),$(BUILD)/ktree)

CFLAGS ?= -O2 -g
warn := -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror)
# -fPIC throughout: the same objects serve libphi.so and libphi.a
cc_flags = -std=gnu17 -D_GNU_SOURCE= -fPIC -Iuapi -Ilib $(warn) $(CFLAGS)
san_flags := -fsanitize=address,undefined -fno-sanitize-recover=all \
	     -fno-omit-frame-pointer
.PHONY: clang

# Extra flags of a folder and of all folders below it: set flags-FOLDER, e.g.
# flags-daemons/batchd.
parent_dir = $(patsubst %/,%,$(dir $(1)))
folder_flags = $(if $(findstring /,$(1)),$\
	$(call folder_flags,$(call parent_dir,$(1)))) $(flags-$(1))
dir_flags = $(call folder_flags,$(call parent_dir,$(1)))

$(BUILD)/obj/%.o: %.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(cc_flags) $(call dir_flags,$*) -MMD -MP -c $< -o $@

$(BUILD)/san/%.o: %.c
	$(say) CC-SAN $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(cc_flags) $(san_flags) $(call dir_flags,$*) -MMD -MP \
		-c $< -o $@

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
sans = $(patsubst %.c,$(BUILD)/san/%.o,$(1))

# Every .c file of a folder and of the folders below it.
sources = $(sort $(shell find $(1) -name '*.c'))

# Appended: two folders may have a file of the same name.
define ar
	$(say) AR $@
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && ar qcs $@ $(filter %.o,$^)
endef

# Link $^, objects first, with the libraries in $(libs).
define link
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(libs)
endef

define link-san
	$(say) LD-SAN $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(san_flags) -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(libs)
endef

# gcc's opinion comes with the build; this is the other compiler's. Tests
# have parameters, and compare, through the harness.
clang-selftests := -Wno-unused-parameter -Wno-sign-compare
clang: $(patsubst %.c,$(BUILD)/clang/%.ok, \
		$(call sources,lib daemons tools selftests))

$(BUILD)/clang/%.ok: %.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -fsyntax-only $(cc_flags) -Wshadow -Werror \
		$(call dir_flags,$*) $(clang-$(firstword $(subst /, ,$*))) \
		-MMD -MP -MT $@ -MF $(@:.ok=.d) $<
	$(Q)touch $@

-include $(shell find $(BUILD)/obj $(BUILD)/san $(BUILD)/clang -name '*.d' 2>/dev/null)

# The kernels to build for: KDIR, or all whose headers are installed.
KDIRS := $(or $(KDIR),$(wildcard /lib/modules/*/build))
kver = $(shell cat $(1)/include/config/kernel.release)
KVERS := $(foreach k,$(KDIRS),$(call kver,$(k)))

DEMO_KERNEL := 6.12

all: kmod bpf lib daemons tools selftests
.PHONY: kmod-fail

# The kernel writes beside the sources and, when it cleans, removes every
# module below M=: so each kernel gets a tree of links to build in.
define kmod_rules
.PHONY: $(2)
$(3): $(2)
$(2): | $(BUILD)
	$$(Q)tools/kmod-tree $(BUILD)/$(2)
	$$(Q)$$(MAKE) $$(if $$(filter 1,$$(V)),,-s) -C $(1) \
		M=$(TOP)/$(BUILD)/$(2) W=$$(W) $(4) \
		$$(if $$(filter 1,$$(WERROR)),KCFLAGS=-Werror) modules
endef
$(foreach k,$(KDIRS),$(eval $(call kmod_rules,$(k),kmod-$(call \
	kver,$(k)),kmod)))
# A second module in which each request to the kernel can fail: kmod/fail.h
$(foreach k,$(KDIRS),$(eval $(call kmod_rules,$(k),kmod-fail-$(call \
	kver,$(k)),kmod-fail,FAIL_NTH=1)))

$(BUILD):
	@mkdir -p $@

$(BUILD)/ktree:
	$(Q)tools/vm/ktree $(TOP)/$@

lint:
	@tools/check/lint

census:
	@tools/check/census

check:
	@tools/check/check

check-fast:
	@tools/check/fast

check-debug:
	@tools/check/debug

check-mutate:
	@tools/check/mutate

# What it runs, and the module for the kernel it boots.
demo: $(or $(filter kmod-$(DEMO_KERNEL).%,$(patsubst %,kmod-%,$(KVERS))),kmod) \
		bpf daemons tools
	@tools/demo/run $(DEMO_KERNEL)

bench: all
	@tools/bench/run

bench-cost: kmod $(BUILD)/selftests/cost/cost_bench
	@tools/bench/cost

bench-mathis: $(BUILD)/tools/mathis $(BUILD)/selftests/mathis/native_load_bench \
		$(BUILD)/selftests/mathisd/native_serve_bench
	@tools/bench/mathis

install install-files: bpf lib daemons tools

clean:
	$(Q)find $(BUILD) -mindepth 1 -maxdepth 1 ! -name '*rootfs*' \
		! -name ktree ! -name debug -exec rm -rf {} +
