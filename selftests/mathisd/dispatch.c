// SPDX-License-Identifier: GPL-2.0-only
#include "dispatch.h"

struct md_call *dispatch_last;

static void wake(struct md_session *s)
{
	struct dispatch *d = s->arg;

	pthread_cond_broadcast(&d->news);
}

bool dispatch_init(struct dispatch *d)
{
	struct md_misfit error = { 0 };

	memset(d, 0, sizeof(*d));
	snprintf(d->folder, sizeof(d->folder), "/tmp/mathisd-XXXXXX");
	if (!mkdtemp(d->folder) || md_calls_core(&d->core, &error)) {
		fprintf(stderr, "# %s\n", error.text);
		return false;
	}
	d->core->strict = true;
	d->session = md_session_new(d->core);
	if (!d->session ||
	    md_rights_add(&d->session->rights, false, "all", NULL))
		return false;
	free(d->session->base);
	d->session->base = strdup(d->folder);
	pthread_cond_init(&d->news, NULL);
	d->session->arg = d;
	d->session->wake = wake;
	return true;
}

void dispatch_fini(struct dispatch *d)
{
	char command[128];

	if (dispatch_last)
		md_call_put(dispatch_last);
	dispatch_last = NULL;
	md_session_end(d->session);
	md_core_free(d->core);
	pthread_cond_destroy(&d->news);
	snprintf(command, sizeof(command), "rm -rf %s", d->folder);
	if (!access(d->folder, F_OK) && system(command))
		fprintf(stderr, "# %s stays\n", d->folder);
}

int dispatch_shell(struct dispatch *d, const char *command)
{
	char whole[1024];

	snprintf(whole, sizeof(whole), "cd %s && %s", d->folder, command);
	return system(whole);
}

struct mathis_item dispatch_str(const char *text)
{
	return dispatch_text(MATHIS_STR, text, strlen(text));
}

struct mathis_item dispatch_text(uint32_t kind, const void *data, size_t n)
{
	return (struct mathis_item){ .kind = kind,
				     .n = (uint32_t)n,
				     .text = data };
}

struct md_call *dispatch_begin(struct dispatch *d, const char *name,
			       const struct mathis_item *args, unsigned int n)
{
	int id = mathis_call_number(name, strlen(name));
	struct md_call *c = md_call_new(d->session, (uint16_t)id, n);

	if (!c)
		abort();
	c->ticket = ++d->tickets;
	if (n)
		memcpy(c->args, args, n * sizeof(*args));
	md_call_start(c);
	return c;
}

int dispatch_wait(struct dispatch *d, struct md_call *c)
{
	struct md_call *ended;

	pthread_mutex_lock(&d->core->lock);
	while (c->listed && c->state != MD_ENDED)
		pthread_cond_wait(&d->news, &d->core->lock);
	pthread_mutex_unlock(&d->core->lock);
	/* A call that ended later is handed over once, with its reference. */
	if (c->listed) {
		struct md_call_list others;

		TAILQ_INIT(&others);
		while ((ended = md_session_take(d->session)) && ended != c)
			TAILQ_INSERT_TAIL(&others, ended, wait);
		pthread_mutex_lock(&d->core->lock);
		while ((ended = TAILQ_FIRST(&others))) {
			TAILQ_REMOVE(&others, ended, wait);
			TAILQ_INSERT_TAIL(&d->session->ended, ended, wait);
		}
		pthread_mutex_unlock(&d->core->lock);
	}
	if (c->by_core)
		return atomic_load(&c->stop);
	return c->status == MD_DONE ? MATHIS_OK : c->code;
}

int dispatch_call(struct dispatch *d, const char *name,
		  const struct mathis_item *args, unsigned int n)
{
	if (dispatch_last)
		md_call_put(dispatch_last);
	dispatch_last = dispatch_begin(d, name, args, n);
	return dispatch_wait(d, dispatch_last);
}
