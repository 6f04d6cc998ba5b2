// SPDX-License-Identifier: GPL-2.0-only
/* The hooks of the module, and programs whose hook does not exist. */
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "policy.h"

#define TRACEPOINT "btf_trace_"

/* Sections of programs for the module; kmod/hook.c and kmod/trace.h. */
static const char *const hooks[] = {
	"fmod_ret/phi_hook_syscall_enter",
	"fmod_ret/phi_hook_infer_pre",
	"fmod_ret/phi_hook_select_unit",
	"fentry/phi_hook_syscall_exit",
	"fentry/phi_hook_infer_post",
	"tp_btf/phi_call_enter",
	"tp_btf/phi_call_exit",
	"tp_btf/phi_cap_revoke",
	"tp_btf/phi_region_zap",
	"tp_btf/phi_infer_begin",
	"tp_btf/phi_infer_end",
};

/* The target of a program's section, e.g. phi_hook_infer_pre; else NULL. */
static const char *target_of(const struct bpf_program *prog, bool *tracepoint)
{
	static const char *const kinds[] = { "fmod_ret/", "fentry/",
					     "fexit/",	  "fmod_ret.s/",
					     "fentry.s/", "fexit.s/",
					     "tp_btf/" };
	const char *section = bpf_program__section_name(prog);
	size_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		len = strlen(kinds[i]);
		*tracepoint = !strcmp(kinds[i], "tp_btf/");
		if (!strncmp(section, kinds[i], len))
			return section + len;
	}
	return NULL;
}

static bool has_target(const struct btf *btf, const char *target,
		       bool tracepoint)
{
	char name[128];

	if (!btf)
		return false;
	if (!tracepoint)
		return btf__find_by_name_kind(btf, target, BTF_KIND_FUNC) > 0;
	snprintf(name, sizeof(name), TRACEPOINT "%.100s", target);
	return btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF) > 0;
}

static int no_hook(bool loaded, const char *target, const char *path)
{
	char hint[1024];
	size_t used;
	size_t i;

	if (!loaded)
		return fail_because("load it with modprobe phi",
				    "the phi module is not loaded",
				    "attach %s to %s", path, target);
	used = (size_t)snprintf(hint, sizeof(hint), "the sections are");
	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		used += (size_t)snprintf(hint + used, sizeof(hint) - used,
					 "%s %s", i ? "," : "", hooks[i]);
	return fail_because(hint, "there is no such hook", "attach %s to %s",
			    path, target);
}

int policy_check_hooks(const struct bpf_object *object, const char *path)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct btf *module = NULL;
	struct bpf_program *prog;
	const char *target;
	int ret = EXIT_OK;
	bool tracepoint;

	if (kernel)
		module = btf__load_module_btf("phi", kernel);
	bpf_object__for_each_program(prog, object) {
		target = target_of(prog, &tracepoint);
		if (ret || !kernel || !target ||
		    has_target(module, target, tracepoint) ||
		    has_target(kernel, target, tracepoint))
			continue;
		ret = no_hook(module, target, path);
	}
	btf__free(module);
	btf__free(kernel);
	return ret;
}
