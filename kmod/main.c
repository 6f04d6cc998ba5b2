// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "agent.h"
#include "dispatch.h"
#include "inbox.h"
#include "main.h"
#include "owner.h"

static int phi_open(struct inode *inode, struct file *file)
{
	struct phi_cspace *cs =
		phi_cspace_new(task_tgid(current), current_cred());

	int ret;

	if (IS_ERR(cs))
		return PTR_ERR(cs);
	ret = phi_crew_join(cs, current);
	if (ret) {
		phi_cspace_close(cs);
		phi_cspace_put(cs);
		return ret;
	}
	file->private_data = cs;
	phi_owner_watch(cs);
	return nonseekable_open(inode, file);
}

static int phi_flush(struct file *file, fl_owner_t id)
{
	phi_owner_flush(file->private_data);
	return 0;
}

static int phi_release(struct inode *inode, struct file *file)
{
	struct phi_cspace *cs = file->private_data;

	phi_owner_unwatch(cs);
	phi_crew_leave(cs);
	phi_infer_close(cs);
	phi_budget_close(cs);
	phi_park_close(cs);
	phi_cspace_close(cs);
	phi_inbox_close(cs);
	phi_cspace_put(cs);
	return 0;
}

static long phi_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != _IO(PHI_IOC_MAGIC, _IOC_NR(cmd)))
		return -ENOTTY;
	/* The latter does it itself, unless it is a call as well. */
	if (cmd != PHI_IOC_CALL && cmd != PHI_IOC_CAP_INVOKE)
		phi_park_forget(file->private_data);
	return phi_dispatch(file->private_data, _IOC_NR(cmd),
			    (void __user *)arg, false);
}

/* The same for a file of a process and for one that its parent made for it. */
static const struct file_operations phi_fops = {
	.owner = THIS_MODULE,
	.open = phi_open,
	.flush = phi_flush,
	.release = phi_release,
	.unlocked_ioctl = phi_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = phi_uring_cmd,
	.mmap = phi_region_mmap,
	.get_unmapped_area = phi_region_area,
};

/**
 * phi_file_new() - make a file of a cspace that another process will have
 * @cs: The cspace, which nobody else has; the file owns it when this succeeds.
 *
 * Context: Process context. May sleep.
 * Return: The file, or ERR_PTR() of -ENFILE or -ENOMEM.
 */
struct file *phi_file_new(struct phi_cspace *cs)
{
	struct file *file = anon_inode_getfile("[phi]", &phi_fops, cs, O_RDWR);

	if (!IS_ERR(file))
		phi_owner_watch(cs);
	return file;
}

static struct miscdevice phi_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phi",
	.fops = &phi_fops,
	.mode = 0666,
};

static int __init phi_device_init(void)
{
	return misc_register(&phi_device);
}

static void phi_device_exit(void)
{
	misc_deregister(&phi_device);
	/* Callbacks of ours that RCU still has to run. */
	rcu_barrier();
}

static const struct {
	int (*init)(void);
	void (*exit)(void);
} phi_nouns[] = {
	{ phi_quota_init, phi_quota_exit },
	{ phi_node_init, phi_node_exit },
	{ phi_message_init, phi_message_exit },
	{ phi_caller_init, phi_caller_exit },
	{ phi_region_init, phi_region_exit },
	{ phi_seal_init, phi_seal_exit },
	{ phi_unit_init, phi_unit_exit },
	{ phi_wait_init, phi_wait_exit },
	{ phi_task_init, phi_task_exit },
	{ phi_sweep_init, phi_sweep_exit },
	{ phi_decision_init, phi_decision_exit },
	{ phi_agent_init, phi_agent_exit },
	{ phi_hook_init, phi_hook_exit },
	{ phi_device_init, phi_device_exit },
};

static void phi_unwind(size_t done)
{
	while (done--)
		phi_nouns[done].exit();
}

static int __init phi_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(phi_nouns); i++) {
		int ret = phi_nouns[i].init();

		if (ret) {
			phi_unwind(i);
			return ret;
		}
	}
	return 0;
}
module_init(phi_init);

static void __exit phi_exit(void)
{
	phi_unwind(ARRAY_SIZE(phi_nouns));
}
module_exit(phi_exit);

MODULE_DESCRIPTION("Revocable capabilities, messages and inference units");
MODULE_AUTHOR("The phi authors");
MODULE_LICENSE("GPL");
