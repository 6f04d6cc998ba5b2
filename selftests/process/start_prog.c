// SPDX-License-Identifier: GPL-2.0-only
/*
 * start_prog - say what this program was started with, a line each.
 * start_prog exit N; start_prog signal N; start_prog wait: end so, or not.
 */
#include <dirent.h>
#include <phi/phi.h>
#include <phi/spawn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void say_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' &&
		    atoi(entry->d_name) != dirfd(dir))
			printf("fd %s\n", entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void say_signals(void)
{
	struct sigaction action;
	sigset_t blocked;
	int sig;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (sig = 1; sig < 32; sig++) {
		if (sigismember(&blocked, sig))
			printf("blocked %d\n", sig);
		if (!sigaction(sig, NULL, &action) &&
		    action.sa_handler != SIG_DFL)
			printf("handled %d\n", sig);
	}
}

static void say_caps(void)
{
	static const char *const names[] = { "input", "output", "absent" };
	struct phi_cap_query query;
	uint64_t cap;
	int phi;

	for (int i = 0; i < 3; i++) {
		phi = phi_endowment(names[i], &cap);
		if (phi < 0)
			printf("cap %s %d\n", names[i], phi);
		else if (!phi_cap_query(phi, cap, &query))
			printf("cap %s type %u rights %#x\n", names[i],
			       query.type, query.rights);
	}
}

int main(int argc, char **argv)
{
	char **env = environ;

	if (argc == 3 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "signal"))
		raise(atoi(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "wait"))
		pause();
	for (; *env; env++)
		printf("env %s\n", *env);
	say_files();
	say_signals();
	say_caps();
	printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return 0;
}
