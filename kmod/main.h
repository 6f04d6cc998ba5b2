/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_MAIN_H
#define _PHI_MAIN_H

/**
 * DOC: Locks
 *
 * Outer above inner; what stands side by side never nests::
 *
 *   mmap_lock or VMA lock         held by the kernel around mmap and faults
 *     region->lock (rwsem)        mappings of a region against its zap
 *       words lock (spin)         waits for words of a region
 *       i_mmap_rwsem, page tables of the fault and zap paths
 *   thread->placing (mutex)       CPUs of a thread
 *   endpoint->lock (spin)         queue, credits, callers
 *     notify->lock (spin)         bits, eventfd
 *     siglock                     the kernel's, in phi_park_due()
 *     watch lock (spin)           watches of capabilities
 *   thread->own (spin)            a thread without endpoint, and its joiners; of
 *                                 others endpoint->lock guards that
 *   inbox lock (spin)             the inboxes
 *   agents lock (spin)            cspaces and gifts of each agent
 *   cspace->lock (spin)           slots; two are never held at once
 *     endpoint->lock, services    only in ops->installed
 *     buckets of sealed nodes     by rhashtable
 *   tree lock (spin)              links of a derivation tree, in its root
 *     expiry lock (spin)          nodes that expire, who pays for them
 *   units lock (spin)             units, models, their averages
 *   ports mutex                   the table of NETWORK ports
 *   services lock (spin)          what opens ports, services of endpoints
 *     models lock (spin)          xa_lock of the table of models
 *   users lock (spin)             the table of accounts
 *   pool lock (spin, irq)         what each account has of the totals
 *   ledger lock (spin)            accounts of a tree of budgets, in its root
 *   draft locks (spin)            the calls that run, by thread
 *   log lock (spin)               decisions on one user
 *   seal lock (rwsem)             the keys of tokens
 *
 * Nothing calls out (ops->removed, ops->dead, ops->free, BPF)
 * under a lock; only mmap() asks the policies under mmap_lock. Checks of
 * capabilities take none: they run under RCU.
 *
 * endpoint->lock and thread->own are taken in tracepoints too, with preemption
 * off when a task exits or executes a program: with CONFIG_PREEMPT_RT, where they
 * sleep, that does not work.
 */

/* Each noun's part of loading and unloading, in the order of main.c. */
int phi_quota_init(void);
void phi_quota_exit(void);
int phi_node_init(void);
void phi_node_exit(void);
int phi_message_init(void);
void phi_message_exit(void);
int phi_caller_init(void);
void phi_caller_exit(void);
int phi_region_init(void);
void phi_region_exit(void);
int phi_seal_init(void);
void phi_seal_exit(void);
int phi_unit_init(void);
void phi_unit_exit(void);
int phi_task_init(void);
void phi_task_exit(void);
int phi_sweep_init(void);
void phi_sweep_exit(void);
int phi_wait_init(void);
void phi_wait_exit(void);
int phi_agent_init(void);
void phi_agent_exit(void);
int phi_decision_init(void);
void phi_decision_exit(void);
int phi_hook_init(void);
void phi_hook_exit(void);

struct file;
struct phi_cspace;
struct vm_area_struct;
struct io_uring_cmd;

int phi_region_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long phi_region_area(struct file *file, unsigned long addr,
			      unsigned long len, unsigned long pgoff,
			      unsigned long flags);
struct file *phi_file_new(struct phi_cspace *cs);
int phi_uring_cmd(struct io_uring_cmd *cmd, unsigned int flags);

#endif /* _PHI_MAIN_H */
