// SPDX-License-Identifier: GPL-2.0-only
/* List of policies: links pinned in POLICY_ROOT, and all on phi's hooks. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"
#include "policy.h"

#define PINS_MAX 128

/* A pinned link or program: whose it is. */
struct pin {
	enum pin_kind kind;
	uint32_t id;
	char policy[64];
	char name[64]; /* of the pin, which is the program's, not cut short */
};

struct pins {
	unsigned int n;
	struct pin at[PINS_MAX];
	struct btf *kernel; /* types of the kernel, loaded when needed */
	struct btf *phi; /* types of the module */
	uint32_t phi_id; /* their number, 0 = the module is not loaded */
};

enum pin_kind pin_open(const char *path, int *fd)
{
	char link[64];
	char self[32];
	ssize_t len;

	*fd = bpf_obj_get(path);
	if (*fd < 0)
		return PIN_NONE;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", *fd);
	len = readlink(self, link, sizeof(link) - 1);
	link[len < 0 ? 0 : len] = '\0';
	if (strstr(link, "bpf-map"))
		return PIN_MAP;
	if (strstr(link, "bpf-prog"))
		return PIN_PROGRAM;
	return strstr(link, "bpf_link") || strstr(link, "bpf-link") ? PIN_LINK :
								      PIN_OTHER;
}

static void one_pin(struct pins *pins, const char *path, const char *policy,
		    const char *name)
{
	struct bpf_link_info link = { 0 };
	struct bpf_prog_info prog = { 0 };
	struct pin *pin = &pins->at[pins->n];
	uint32_t len;
	int ret = -1;
	int fd;

	if (pins->n == PINS_MAX)
		return;
	pin->kind = pin_open(path, &fd);
	if (pin->kind == PIN_LINK) {
		len = sizeof(link);
		ret = bpf_link_get_info_by_fd(fd, &link, &len);
		pin->id = link.id;
	} else if (pin->kind == PIN_PROGRAM) {
		len = sizeof(prog);
		ret = bpf_prog_get_info_by_fd(fd, &prog, &len);
		pin->id = prog.id;
	}
	if (fd >= 0)
		close(fd);
	if (ret)
		return;
	snprintf(pin->policy, sizeof(pin->policy), "%.63s", policy);
	snprintf(pin->name, sizeof(pin->name), "%.63s", name);
	pins->n++;
}

/* bpftool pins a scheduler as a file, all others in a folder. */
static void find_pins(struct pins *pins)
{
	DIR *root = opendir(POLICY_ROOT);
	char path[POLICY_PATH];
	struct dirent *policy;
	struct dirent *entry;
	DIR *dir;

	while (root && (policy = readdir(root))) {
		if (policy->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), POLICY_ROOT "/%.200s",
			 policy->d_name);
		if (policy->d_type != DT_DIR)
			one_pin(pins, path, policy->d_name, policy->d_name);
		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			snprintf(path, sizeof(path),
				 POLICY_ROOT "/%.200s/%.200s", policy->d_name,
				 entry->d_name);
			if (entry->d_name[0] != '.')
				one_pin(pins, path, policy->d_name,
					entry->d_name);
		}
		if (dir)
			closedir(dir);
	}
	if (root)
		closedir(root);
}

/* The number of the module's types, by which links name their target. */
static uint32_t find_phi(void)
{
	struct bpf_btf_info info;
	uint32_t found = 0;
	char name[64];
	uint32_t id = 0;
	uint32_t len;
	int fd;

	while (!found && !bpf_btf_get_next_id(id, &id)) {
		fd = bpf_btf_get_fd_by_id(id);
		if (fd < 0)
			continue;
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		info.name = (uintptr_t)name;
		info.name_len = sizeof(name);
		if (!bpf_btf_get_info_by_fd(fd, &info, &len) &&
		    info.kernel_btf && !strcmp(name, "phi"))
			found = id;
		close(fd);
	}
	return found;
}

static const char *attach_name(uint32_t type)
{
	switch (type) {
	case BPF_MODIFY_RETURN:
		return "fmod_ret";
	case BPF_TRACE_FENTRY:
		return "fentry";
	case BPF_TRACE_FEXIT:
		return "fexit";
	case BPF_TRACE_RAW_TP:
		return "tp_btf";
	case BPF_LSM_MAC:
		return "lsm";
	default:
		return "tracing";
	}
}

/* The function or tracepoint that a tracing link is on. */
static void out_tracing(struct pins *pins, const struct bpf_link_info *info)
{
	uint32_t object = info->tracing.target_obj_id;
	const struct btf_type *t = NULL;
	const struct btf *btf;

	if (!pins->kernel) {
		pins->kernel = btf__load_vmlinux_btf();
		if (pins->kernel && pins->phi_id)
			pins->phi = btf__load_from_kernel_by_id_split(
				pins->phi_id, pins->kernel);
	}
	btf = object == pins->phi_id ? pins->phi : pins->kernel;
	if (btf)
		t = btf__type_by_id(btf, info->tracing.target_btf_id);
	out_str("kind", attach_name(info->tracing.attach_type));
	out_str("on", t ? btf__name_by_offset(btf, t->name_off) : "unknown");
}

static void out_target(struct pins *pins, const struct bpf_link_info *info,
		       const char *text)
{
	char name[IF_NAMESIZE];

	switch (info->type) {
	case BPF_LINK_TYPE_TRACING:
		out_tracing(pins, info);
		break;
	case BPF_LINK_TYPE_RAW_TRACEPOINT:
		out_str("kind", "tp_btf");
		out_str("on", text);
		break;
	case BPF_LINK_TYPE_XDP:
		out_str("kind", "xdp");
		out_str("on", if_indextoname(info->xdp.ifindex, name) ?
				      name :
				      "a device elsewhere");
		break;
	case BPF_LINK_TYPE_STRUCT_OPS:
		out_str("kind", "struct_ops");
		out_str("on", "the scheduler");
		break;
	default:
		out_str("kind", "link");
		out_str("on", "-");
		break;
	}
}

/* A program by the name of its pin, or by its own, cut to 15 characters. */
static void out_program(uint32_t id, const char *pin)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = pin ? -1 : bpf_prog_get_fd_by_id(id);

	if (pin)
		out_str("program", pin);
	else if (fd >= 0 && !bpf_prog_get_info_by_fd(fd, &info, &len))
		out_str("program", info.name);
	else
		out_str("program", "-");
	out_u64("id", id);
	if (fd >= 0)
		close(fd);
}

static void one_link(struct pins *pins, uint32_t id)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	const struct pin *pin = NULL;
	char text[128] = "";
	unsigned int i;
	int fd;

	fd = bpf_link_get_fd_by_id(id);
	if (fd < 0)
		return;
	if (!bpf_link_get_info_by_fd(fd, &info, &len) &&
	    info.type == BPF_LINK_TYPE_RAW_TRACEPOINT) {
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		info.raw_tracepoint.tp_name = (uintptr_t)text;
		info.raw_tracepoint.tp_name_len = sizeof(text);
		bpf_link_get_info_by_fd(fd, &info, &len);
	}
	close(fd);

	for (i = 0; i < pins->n; i++) {
		if (pins->at[i].kind == PIN_LINK && pins->at[i].id == id)
			pin = &pins->at[i];
	}
	if (!pin && (info.type != BPF_LINK_TYPE_TRACING || !pins->phi_id ||
		     info.tracing.target_obj_id != pins->phi_id))
		return;
	out_row();
	out_str("policy", pin ? pin->policy : "-");
	out_program(info.prog_id, pin ? pin->name : NULL);
	out_target(pins, &info, text);
	out_close();
}

void policy_table(void)
{
	struct pins pins = { 0 };
	uint32_t id = 0;
	unsigned int i;
	int ret;

	find_pins(&pins);
	pins.phi_id = find_phi();
	ret = bpf_link_get_next_id(0, &id);
	out_table("policies",
		  ret == -EPERM ? "unknown: only root can see them" : "none");
	while (!ret) {
		one_link(&pins, id);
		ret = bpf_link_get_next_id(id, &id);
	}
	/* bpftool net attach makes no link: the program is all there is. */
	for (i = 0; i < pins.n; i++) {
		if (pins.at[i].kind != PIN_PROGRAM)
			continue;
		out_row();
		out_str("policy", pins.at[i].policy);
		out_program(pins.at[i].id, pins.at[i].name);
		out_str("kind", "program");
		out_str("on", "no link");
		out_close();
	}
	out_close();
	btf__free(pins.phi);
	btf__free(pins.kernel);
}
