// SPDX-License-Identifier: GPL-2.0-only
/* Regions of memory that exists already: of a sealed memfd, or a process's. */

#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <uapi/linux/fcntl.h>

#include "cspace.h"
#include "decision.h"
#include "dispatch.h"
#include "quota.h"
#include "region.h"

#define PHI_ADOPT_RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_MAP | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* Pages that are pinned at a time. */
#define PHI_ADOPT_STEP 512UL

/**
 * struct phi_adopted - whose pages a region has, and who pays for them
 * @folios: Of a memfd, each with a pin; NULL for memory of a process.
 * @nr: How many; of a process, pages of the region that are pinned.
 * @user: Account of the kernel that @locked is charged to, referenced; NULL for
 *        a process that may lock any amount.
 * @locked: Pages charged to it.
 * @held: Pages of the folios that the region has a part of, as they follow each
 *        other: a pin keeps all of a folio.
 * @last: The last of these folios.
 * @write: The region may be written.
 */
struct phi_adopted {
	struct folio **folios;
	unsigned long nr;
	struct user_struct *user;
	unsigned long locked;
	unsigned long held;
	const struct folio *last;
	bool write;
};

/**
 * struct phi_adoption - what a call adopts
 * @cs: The caller's cspace.
 * @file: A memfd, or NULL.
 * @start: First byte in it, or address.
 */
struct phi_adoption {
	struct phi_cspace *cs;
	struct file *file;
	u64 start;
};

/**
 * phi_adopted_free() - give pages back that a region had adopted
 * @region: The region; no mapping is alive.
 *
 * Context: Process context. May sleep.
 */
void phi_adopted_free(struct phi_region *region)
{
	struct phi_adopted *adopted = region->adopted;
	unsigned long i;

	for (i = 0; adopted->folios && i < adopted->nr; i++) {
		if (adopted->write)
			folio_mark_dirty(adopted->folios[i]);
		unpin_folio(adopted->folios[i]);
		cond_resched();
	}
	if (!adopted->folios)
		unpin_user_pages_dirty_lock(region->pages, adopted->nr, true);
	if (adopted->user) {
		atomic_long_sub(adopted->locked, &adopted->user->locked_vm);
		free_uid(adopted->user);
	}
	kvfree(adopted->folios);
	kfree(adopted);
	region->adopted = NULL;
}

/* Charge pinned pages to the caller, as the limit on locked memory says. */
static int phi_adopt_lock(struct phi_adopted *adopted,
			  const struct phi_adoption *of, unsigned long nr)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();
	long used = atomic_long_read(&user->locked_vm);

	if (capable(CAP_IPC_LOCK))
		return 0;
	do {
		if (nr > limit || (unsigned long)used > limit - nr)
			return phi_refuse(-EDQUOT,
					  &(struct phi_refusal){
						  .where = PHI_DECIDED_QUOTA,
						  .kind = PHI_DECISION_MEMLOCK,
						  .owner = user->uid,
						  .asked = nr,
						  .used = used,
						  .limit = limit,
					  });
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &used, used + nr));
	if (!adopted->user)
		adopted->user = get_uid(user);
	adopted->locked += nr;
	return 0;
}

/*
 * Charge what the folios of @n pages from @i on hold above the length of the
 * region. A folio whose parts lie scattered counts for each of them.
 */
static int phi_adopt_charge(struct phi_region *region,
			    const struct phi_adoption *of, unsigned long i,
			    long n)
{
	struct phi_adopted *adopted = region->adopted;
	unsigned long more;
	int ret;

	for (long k = 0; k < n; k++) {
		const struct folio *folio = page_folio(region->pages[i + k]);

		if (folio != adopted->last)
			adopted->held += folio_nr_pages(folio);
		adopted->last = folio;
	}
	if (adopted->held <= region->charged)
		return 0;
	more = adopted->held - region->charged;
	ret = of->file ? 0 : phi_adopt_lock(adopted, of, more);
	if (!ret)
		ret = phi_quota_charge(region->user, PHI_QUOTA_PAGES, more);
	if (!ret)
		region->charged += more;
	return ret;
}

/* Pin some folios of a memfd. Return: pages put at @i, or a negative errno. */
static long phi_adopt_folios(struct phi_region *region, unsigned long i,
			     const struct phi_adoption *of)
{
	struct phi_adopted *adopted = region->adopted;
	struct folio **folios = adopted->folios + adopted->nr;
	unsigned long n = min(region->nr - i, PHI_ADOPT_STEP);
	u64 start = of->start + ((u64)i << PAGE_SHIFT);
	unsigned long got = 0;
	unsigned long at;
	pgoff_t offset;
	long nr;

	nr = memfd_pin_folios(of->file, start, start + (n << PAGE_SHIFT) - 1,
			      folios, n, &offset);
	if (nr <= 0)
		return nr ?: -ENOMEM;
	adopted->nr += nr;
	at = offset >> PAGE_SHIFT;
	for (long k = 0; k < nr; k++, at = 0) {
		for (; at < folio_nr_pages(folios[k]) && got < n; at++)
			region->pages[i + got++] = folio_page(folios[k], at);
	}
	return got ?: -ENOMEM;
}

static bool phi_adopt_writes(const struct file *file)
{
	unsigned int seals = READ_ONCE(SHMEM_I(file_inode(file))->seals);

	return file->f_mode & FMODE_WRITE &&
	       !(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

static int phi_adopt_memfd(struct phi_region *region,
			   const struct phi_adoption *of)
{
	struct phi_adopted *adopted = region->adopted;
	struct inode *inode = file_inode(of->file);

	adopted->folios = kvcalloc(region->nr, sizeof(*adopted->folios),
				   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!adopted->folios)
		return -ENOMEM;
	for (unsigned long i = 0; i < region->nr;) {
		long got = phi_adopt_folios(region, i, of);
		int ret;

		if (got < 0)
			return got;
		ret = phi_adopt_charge(region, of, i, got);
		if (ret)
			return ret;
		i += got;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	/*
	 * The lock waits for F_ADD_SEALS that looked for pins before the last
	 * of these. A later one finds them.
	 */
	inode_lock_shared(inode);
	adopted->write = phi_adopt_writes(of->file);
	inode_unlock_shared(inode);
	return 0;
}

static bool phi_adopt_good(struct page **pages, long n)
{
	for (long k = 0; k < n; k++) {
		const struct folio *folio = page_folio(pages[k]);

		if (!folio_test_anon(folio) || folio_test_hugetlb(folio))
			return false;
	}
	return true;
}

static int phi_adopt_private(struct phi_region *region,
			     const struct phi_adoption *of)
{
	struct phi_adopted *adopted = region->adopted;
	int ret = phi_adopt_lock(adopted, of, region->nr);

	if (ret)
		return ret;
	while (adopted->nr < region->nr) {
		struct page **pages = region->pages + adopted->nr;
		long n = min(region->nr - adopted->nr, PHI_ADOPT_STEP);

		n = pin_user_pages_fast(of->start + (adopted->nr << PAGE_SHIFT),
					n, FOLL_WRITE | FOLL_LONGTERM, pages);
		if (n <= 0)
			return n ?: -EFAULT;
		adopted->nr += n;
		if (!phi_adopt_good(pages, n))
			return -EINVAL;
		ret = phi_adopt_charge(region, of, adopted->nr - n, n);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * phi_adopt_fill() - let a new region have pages that exist already
 * @region: The region, whose array is empty.
 * @from: struct phi_adoption.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno; what was taken then is for phi_adopted_free().
 */
static int phi_adopt_fill(struct phi_region *region, const void *from)
{
	const struct phi_adoption *of = from;

	region->adopted = kzalloc(sizeof(*region->adopted), GFP_KERNEL_ACCOUNT);
	if (!region->adopted)
		return -ENOMEM;
	region->adopted->write = true;
	return of->file ? phi_adopt_memfd(region, of) :
			  phi_adopt_private(region, of);
}

/* Is it a memfd whose pages stay where they are? */
static int phi_adopt_look(const struct phi_adoption *of, u64 bytes)
{
	unsigned int seals;
	u64 size;

	if (!shmem_mapping(of->file->f_mapping) ||
	    !(of->file->f_mode & FMODE_READ))
		return -EINVAL;
	seals = READ_ONCE(SHMEM_I(file_inode(of->file))->seals);
	size = i_size_read(file_inode(of->file));
	if (!(seals & F_SEAL_SHRINK) || of->start > size ||
	    bytes > size - of->start)
		return -EINVAL;
	return 0;
}

/**
 * phi_region_adopt() - ioctl(PHI_IOC_REGION_ADOPT)
 * @cs: The caller's cspace; its user pays.
 * @arg: struct phi_region_adopt.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for a flag, -EINVAL for a bad range or memory that is
 * not of the kind, -EFAULT for memory that is not there, -EBADF for a bad
 * descriptor, -EDQUOT, -ENOMEM, -EINTR, or the error of
 * phi_cspace_install_new().
 */
int phi_region_adopt(struct phi_cspace *cs, void *arg)
{
	struct phi_region_adopt *cmd = arg;
	bool private = cmd->flags & PHI_ADOPT_PRIVATE;
	struct phi_adoption of = { .cs = cs, .start = cmd->start };
	struct file *file __free(fput) = NULL;
	struct phi_region *region;
	u64 end;
	int ret;

	if (cmd->flags & ~PHI_ADOPT_PRIVATE)
		return -EOPNOTSUPP;
	if (cmd->pad || !cmd->bytes || !PAGE_ALIGNED(cmd->start | cmd->bytes) ||
	    check_add_overflow(cmd->start, cmd->bytes, &end) ||
	    end > LLONG_MAX || (private && cmd->fd != -1))
		return -EINVAL;
	if (!private) {
		file = fget(cmd->fd);
		if (!file)
			return -EBADF;
		of.file = file;
		ret = phi_adopt_look(&of, cmd->bytes);
		if (ret)
			return ret;
	}
	region = phi_region_new(cs->user, PHI_REGION_ADOPTED,
				cmd->bytes >> PAGE_SHIFT, phi_adopt_fill, &of);
	if (IS_ERR(region))
		return PTR_ERR(region);
	ret = phi_cspace_install_new(
		cs, &region->obj,
		PHI_ADOPT_RIGHTS |
			(region->adopted->write ? PHI_RIGHT_WRITE : 0),
		0, &cmd->cap);
	phi_object_put(&region->obj);
	return ret;
}
