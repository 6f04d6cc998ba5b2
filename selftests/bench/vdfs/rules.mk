# SPDX-License-Identifier: GPL-2.0-only
#
# The benchmarks of vdfsd beside its rivals, built only when they are asked
# for: make bench-vdfs. Everything is compiled for this processor.

bench_vdfs_dir := selftests/bench/vdfs
bench_vdfs := $(BUILD)/$(bench_vdfs_dir)
flags-$(bench_vdfs_dir) := -O3 -march=native -I. $(inc-vdfsd)

$(BUILD)/obj/$(bench_vdfs_dir)/rivals.o: $(bench_vdfs_dir)/rivals.cc
	$(say) CXX $<
	$(Q)mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 -O3 -march=native -fopenmp $(warn) -MMD -MP \
		-c $< -o $@

$(bench_vdfs)/bench: $(call objs,$(filter-out %/blobs.c,$(wildcard \
		$(bench_vdfs_dir)/*.c))) \
		$(BUILD)/obj/$(bench_vdfs_dir)/rivals.o \
		$(BUILD)/daemons/libvdfsd.a $(BUILD)/daemons/libcommon.a
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)g++ -o $@ $(filter %.o,$^) $(filter %.a,$^) -lfaiss -llapack \
		-lblas -lgomp $(libs-vdfsd) $(lib_libs) -lpthread -lm

$(bench_vdfs)/blobs: libs = $(libs-vdfsd) $(lib_libs) -lpthread -lm
$(bench_vdfs)/blobs: $(call objs,$(bench_vdfs_dir)/blobs.c \
		$(bench_vdfs_dir)/util.c) $(BUILD)/daemons/libvdfsd.a \
		$(BUILD)/daemons/libcommon.a
	$(link)

bench-vdfs: $(bench_vdfs)/bench $(bench_vdfs)/blobs
	@$(bench_vdfs_dir)/run
