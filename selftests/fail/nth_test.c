// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call, and every other way into the module, with each of its requests
 * to the kernel refused in turn: the first, the second, until none is left to
 * refuse. What was refused must have done nothing: the same figures, and the
 * same call then succeeds. What was done is gone with its file.
 *
 * With the module of "make kmod-fail" that counts what the module itself asks
 * for; on a kernel with fault injection, everything that the kernel allocates
 * and copies in the call. PHI_FAIL_SCENE=NAME does that one alone.
 */

#include "kselftest_harness.h"

#include <sys/prctl.h>

#include "fail.h"

#define MODULE "/sys/module/phi/parameters/fail_nth"
#define MOST 1000

static bool by_module;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	close(fd);
}

/* How the kernel's own faults are to be: everything, in silence. */
static void let_all_fail(void)
{
	put("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	put("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	put("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	put("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	put("/sys/kernel/debug/failslab/verbose", "0");
	put("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	put("/sys/kernel/debug/fail_usercopy/verbose", "0");
}

static int nth_open(void)
{
	return open(by_module ? MODULE : "/proc/thread-self/fail-nth",
		    O_RDWR | O_CLOEXEC);
}

static bool arm(int nth, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	return pwrite(nth, text, len, 0) == len;
}

/* Was it refused? Where, if that is known. */
static bool disarm(int nth, char *where, size_t size)
{
	ssize_t len = pread(nth, where, size - 1, 0);

	where[len > 0 ? len : 0] = 0;
	where[strcspn(where, "\n")] = 0;
	arm(nth, 0);
	return by_module ? !!strcmp(where, "none") : !atoi(where);
}

struct sweep {
	const struct scene *scene;
	int nth, watcher;
	unsigned int wrong;
};

static void wrong(struct sweep *w, int n, const char *where, int ret,
		  const char *what)
{
	w->wrong++;
	printf("# %s, refusal %d (%s), %s: %s\n", w->scene->name, n, where,
	       ret ? strerror(-ret) : "done", what);
}

/* Refuse the nth request. Return: whether there was one. */
static bool refuse(struct sweep *w, int n)
{
	static struct stage stage;
	struct phi_system_stats empty, before;
	char where[64];
	bool refused;
	int ret;

	do_stats(w->watcher, &empty);
	ret = stage_make(&stage);
	if (!ret && w->scene->set)
		ret = w->scene->set(&stage);
	if (ret) {
		wrong(w, n, "-", ret, "could not be set up");
		return false;
	}
	do_stats(w->watcher, &before);
	arm(w->nth, n);
	ret = scene_act(w->scene, &stage);
	refused = disarm(w->nth, where, sizeof(where));
	if (ret && !refused)
		wrong(w, n, where, ret, "nothing was refused");
	if (ret && !w->scene->once && !do_settled(w->watcher, &before))
		wrong(w, n, where, ret, "it changed something");
	if (ret && refused) {
		int again = scene_act(w->scene, &stage);

		if (again && !w->scene->once)
			wrong(w, n, where, again, "it fails when repeated");
	}
	if (w->scene->seen && !w->scene->seen(&stage))
		wrong(w, n, where, ret, "what it does is not seen");
	if (w->scene->end)
		w->scene->end(&stage);
	stage_end(&stage);
	if (!do_settled(w->watcher, &empty))
		wrong(w, n, where, ret, "it left something");
	return refused;
}

/* In a process of its own, so that nothing of one scene is in the next. */
static int sweep(void *arg)
{
	struct sweep *w = arg;
	int n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->nth = nth_open();
	w->watcher = do_open();
	if (w->nth < 0 || w->watcher < 0)
		return -errno;
	for (n = 1; n < MOST && refuse(w, n); n++)
		;
	printf("# %s: %d refused\n", w->scene->name, n - 1);
	if (n == MOST)
		wrong(w, n, "-", 0, "there is no end to it");
	return w->wrong;
}

static const struct scene *const lists[] = {
	call_scenes,	agent_scenes,  budget_scenes,
	message_scenes, thread_scenes, way_scenes,
};

static bool has_scene(unsigned int cmd)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		for (const struct scene *scene = lists[i]; scene->name;
		     scene++) {
			if (scene->cmd == cmd)
				return true;
		}
	}
	return false;
}

FIXTURE(fail)
{
	int nth;
};

FIXTURE_SETUP(fail)
{
	by_module = !access(MODULE, F_OK);
	self->nth = nth_open();
	ASSERT_LE(0, self->nth)
	{
		TH_LOG("neither the module nor the kernel can fail");
	}
	close(self->nth);
	if (!by_module)
		let_all_fail();
}

FIXTURE_TEARDOWN(fail)
{
}

TEST_F_TIMEOUT(fail, refused_calls_do_nothing, 1800)
{
	const char *only = getenv("PHI_FAIL_SCENE");

	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		for (const struct scene *scene = lists[i]; scene->name;
		     scene++) {
			struct sweep w = { .scene = scene };

			if (only && strcmp(only, scene->name))
				continue;
			EXPECT_EQ(0, in_child(sweep, &w))
			{
				TH_LOG("%s", scene->name);
			}
		}
	}
}

TEST_F(fail, every_call_has_a_scene)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_TRUE(has_scene(calls[i].cmd))
		{
			TH_LOG("%s", calls[i].name);
		}
	}
}

TEST_HARNESS_MAIN
