/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KPROCESS_H
#define _PHI_KPROCESS_H

struct task_struct;

struct task_struct *phi_process_get(int fd);

#endif /* _PHI_KPROCESS_H */
