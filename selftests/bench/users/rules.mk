# SPDX-License-Identifier: GPL-2.0-only
#
# Users of one vdfsd beside each other: make bench-vdfs-cost and make
# bench-vdfs-hostile. bus.c stands for libphi, which is not linked.

bench_users_dir := selftests/bench/users
bench_users := $(BUILD)/$(bench_users_dir)
flags-$(bench_users_dir) := -I. $(inc-vdfsd)

bench_users_shared := $(bench_users_dir)/bus.c $(addprefix selftests/vdfsd/, \
		files.c kernel.c)
bench_users_cost := $(addprefix $(bench_users_dir)/, \
		cost.c calls.c kinds.c views.c)

$(bench_users)/cost $(bench_users)/hostile: libs = $(libs-vdfsd) -lpthread -lm
$(bench_users)/cost: $(call objs,$(bench_users_shared) $(bench_users_cost)) \
		$(BUILD)/daemons/libvdfsd.a $(BUILD)/daemons/libcommon.a
	$(link)

$(bench_users)/hostile: $(call objs,$(bench_users_shared) \
		$(addprefix $(bench_users_dir)/, hostile.c worst.c)) \
		$(BUILD)/daemons/libvdfsd.a $(BUILD)/daemons/libcommon.a
	$(link)

bench-vdfs-cost: $(bench_users)/cost
	@tools/bench/cost-vdfs

bench-vdfs-hostile: $(bench_users)/hostile
	@$(bench_users)/hostile
