// SPDX-License-Identifier: GPL-2.0-only

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "fail.h"

static int make_inference(struct stage *s)
{
	struct phi_infer_begin begin;
	int ret;

	ret = do_unit(s->phi, PHI_UNIT_CPU, 4, &s->unit_id, &s->unit);
	if (!ret)
		ret = do_model(s->phi, 8, 0, &s->model_id, &s->model);
	if (!ret)
		ret = do_begin(s->phi, s->model, 2, &begin);
	s->ticket = begin.ticket;
	return ret;
}

/* Make everything that any scene needs. Return: 0 or a negative errno. */
int stage_make(struct stage *s)
{
	struct phi_token token;
	int ret;

	memset(s, 0, sizeof(*s));
	s->map = MAP_FAILED;
	s->phi = do_open();
	s->other = do_open();
	s->file = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->phi < 0 || s->other < 0 || s->file < 0)
		return -EMFILE;
	ret = do_endpoint(s->phi, &s->ep);
	if (!ret)
		ret = do_derive_until(s->phi, s->ep,
				      PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0, 9,
				      &s->badged);
	if (!ret)
		ret = do_seal(s->phi, s->ep,
			      PHI_RIGHT_SEND | PHI_RIGHT_RECV | PHI_RIGHT_GRANT,
			      0, 0, &token);
	if (!ret)
		ret = do_unseal(s->other, &token, &s->there);
	if (!ret)
		ret = do_region(s->phi, STAGE_BYTES, 0, &s->region);
	if (!ret)
		ret = do_notify(s->phi, &s->notify);
	if (!ret)
		ret = do_seal(s->phi, s->region, PHI_RIGHT_READ | PHI_RIGHT_MAP,
			      0, 0, &s->token);
	return ret ?: make_inference(s);
}

void stage_end(struct stage *s)
{
	if (s->map != MAP_FAILED)
		munmap(s->map, STAGE_BYTES);
	close(s->phi);
	close(s->other);
	close(s->file);
}

/* Do it once. Return: 0 or a negative errno. */
int scene_act(const struct scene *scene, struct stage *s)
{
	if (scene->act)
		return scene->act(s);
	memcpy(s->out, s->arg, sizeof(s->out));
	if (ioctl(scene->other ? s->other : s->phi, scene->cmd, s->out))
		return -errno;
	return 0;
}
