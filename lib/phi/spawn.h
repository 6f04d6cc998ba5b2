/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_SPAWN_H
#define PHI_SPAWN_H

#include <phi.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: libphi, processes
 *
 * phi_spawn() starts a program with what the caller names and nothing else: the
 * capabilities, the environment, three descriptors. The program finds its
 * cspace with phi_endowment(), as file PHI_SPAWN_FD, which the environment
 * names too: PHI_FD is its number, PHI_CAPS has the names of the capabilities,
 * in their order, with a colon between two.
 */

/* Descriptor of the cspace in a program that phi_spawn() started. */
#define PHI_SPAWN_FD 3

/* Flag of phi_spawn(): what the program starts may use the cspace, too. */
#define PHI_SPAWN_SHARED 0x1U

/* Length of a SHA-256 in bytes. */
#define PHI_SHA256_LEN 32

/**
 * enum phi_spawn_step - what was being done when phi_spawn() failed
 * @PHI_SPAWN_ARGS: The arguments were checked.
 * @PHI_SPAWN_IMAGE: The image was read and hashed.
 * @PHI_SPAWN_CLONE: The child was made, in its cgroup.
 * @PHI_SPAWN_ENDOW: The capabilities were derived, see PROCESS_ENDOW.
 * @PHI_SPAWN_SETUP: The child arranged its descriptors and gave up privileges.
 * @PHI_SPAWN_EXEC: The kernel executed the image.
 */
enum phi_spawn_step {
	PHI_SPAWN_ARGS,
	PHI_SPAWN_IMAGE,
	PHI_SPAWN_CLONE,
	PHI_SPAWN_ENDOW,
	PHI_SPAWN_SETUP,
	PHI_SPAWN_EXEC,
};

/**
 * struct phi_spawn - a program to start
 * @path: File of the program, or NULL.
 * @image: Descriptor of the program, when @path is NULL.
 * @sha256: The SHA-256 of the program; NULL = any. With it the bytes that are
 *          executed are those that were hashed, whatever happens to the file
 *          meanwhile.
 * @argv: Arguments, @argv[0] the name, then NULL.
 * @envp: Its whole environment but for PHI_FD and PHI_CAPS, then NULL; NULL is
 *        an empty one.
 * @caps: Capabilities it starts with, @ncaps.
 * @names: @ncaps names, of letters, digits, '-', '_' and '.'; NULL for none.
 * @ncaps: 0 to PHI_ENDOW_MAX.
 * @stdio: Descriptors that become 0, 1 and 2; -1 is /dev/null.
 * @cgroup: Descriptor of a cgroup v2 directory to start in, -1 = the caller's.
 * @flags: 0 or PHI_SPAWN_SHARED.
 *
 * Begin with PHI_SPAWN_INIT, which names nothing. A script is no program here:
 * name its interpreter.
 */
struct phi_spawn {
	const char *path;
	int image;
	const uint8_t *sha256;
	char *const *argv;
	char *const *envp;
	const struct phi_endowment *caps;
	const char *const *names;
	uint32_t ncaps;
	int stdio[3];
	int cgroup;
	unsigned int flags;
};

#define PHI_SPAWN_INIT { .image = -1, .stdio = { -1, -1, -1 }, .cgroup = -1 }

/**
 * struct phi_spawned - a program that was started
 * @pid: Its process.
 * @pidfd: Descriptor of the process, close-on-exec, which the caller closes.
 * @step: When phi_spawn() fails: at what.
 */
struct phi_spawned {
	int32_t pid;
	int pidfd;
	enum phi_spawn_step step;
};

/**
 * phi_process_endow() - make and fill the cspace of a child
 * @phi: Cspace.
 * @pidfd: Pidfd of a child that has executed nothing yet.
 * @caps: Capabilities it gets, @ncaps; number n has the handle PHI_ENDOWED(n).
 * @ncaps: 0 to PHI_ENDOW_MAX.
 * @flags: 0 or PHI_ENDOW_SHARED.
 *
 * Context: Any thread.
 * Return: Descriptor of the child's cspace, close-on-exec, or a negative
 * errno, see &struct phi_process_endow.
 */
int phi_process_endow(int phi, int pidfd, const struct phi_endowment *caps,
		      uint32_t ncaps, unsigned int flags);

/**
 * phi_spawn() - start a program with what is named and nothing else
 * @phi: Cspace.
 * @how: The program.
 * @out: Out; @out->step also when it fails.
 *
 * The child has no descriptor but 0, 1, 2 and PHI_SPAWN_FD, no signal blocked or
 * ignored, and can gain no privileges by executing a program (no_new_privs).
 * All of it happens, or nothing: when this returns an error no child is left.
 *
 * Context: Any thread. Signals are blocked in it meanwhile.
 * Return: 0; -EBADMSG when the image has another SHA-256; -ENOEXEC when the
 * kernel executes no such file; -EBUSY or -EAGAIN at the limit of processes;
 * or another negative errno.
 */
int phi_spawn(int phi, const struct phi_spawn *how, struct phi_spawned *out);

/**
 * phi_process_wait() - wait until a child ends
 * @pidfd: From phi_spawn().
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 * @status: Out, exit status, or 128 + the number of the signal that ended it;
 *          may be NULL.
 *
 * The child is gone after that: another call fails with -ECHILD.
 *
 * Context: Any thread.
 * Return: 0, -ETIMEDOUT, -ECHILD, -EINTR, or another negative errno.
 */
int phi_process_wait(int pidfd, uint64_t deadline_ns, int *status);

/**
 * phi_endowment() - find what this program was started with
 * @name: A name that its parent gave, or NULL.
 * @cap: Out, the handle of that name; unused for NULL.
 *
 * Reads the environment.
 *
 * Context: Any thread, while none changes the environment.
 * Return: The cspace; -ENOENT when the program was not started by phi_spawn()
 * or got no capability of that name.
 */
int phi_endowment(const char *name, uint64_t *cap);

#ifdef __cplusplus
}
#endif

#endif /* PHI_SPAWN_H */
