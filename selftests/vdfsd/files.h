/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VDFSD_FILES_H
#define SELFTESTS_VDFSD_FILES_H

void remove_tree(const char *dir);

#endif /* SELFTESTS_VDFSD_FILES_H */
