/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_INFERENCE_H
#define PHI_INFERENCE_H

#include <phi.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: libphi, the calls of inferences
 *
 * Units, models, and which unit runs a batch. <phi/phi.h> includes this header,
 * and what it says of all calls holds here.
 */

/**
 * phi_unit_register() - offer something that runs inferences
 * @phi: Cspace.
 * @name: Shorter than PHI_NAME_MAX, not empty.
 * @kind: PHI_UNIT_CPU, PHI_UNIT_GPU or PHI_UNIT_TPU.
 * @node: NUMA node, or PHI_UNIT_UNKNOWN.
 * @capacity: Batches it runs at once.
 * @flags: 0 or PHI_UNIT_SHARED.
 * @id: Out, the unit's number; may be NULL.
 * @cap: Out, DEVICE handle; the unit lasts as long as it.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_unit_register(int phi, const char *name, uint32_t kind, uint32_t node,
		      uint32_t capacity, unsigned int flags, uint32_t *id,
		      uint64_t *cap);

/**
 * phi_unit_update() - report a unit's figures
 * @phi: Cspace.
 * @cap: DEVICE handle with WRITE.
 * @load: 1000 = full, more = queueing; or PHI_UNIT_UNKNOWN.
 * @temperature: Millidegrees Celsius, or PHI_UNIT_UNKNOWN.
 * @power: Milliwatts, or PHI_UNIT_UNKNOWN.
 * @healthy: Whether it takes new batches.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_unit_update(int phi, uint64_t cap, uint32_t load, uint32_t temperature,
		    uint32_t power, bool healthy);

/**
 * phi_unit_query() - read the figures of a unit
 * @phi: Cspace.
 * @id: The first id to look at.
 * @out: Out, that unit or the one with the next higher id.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT when there is none, or another negative errno.
 */
int phi_unit_query(int phi, uint32_t id, struct phi_unit_query *out);

/**
 * phi_model_register() - make a MODEL capability
 * @phi: Cspace.
 * @endpoint: ENDPOINT handle with SEND, ADMIN and GRANT that will receive its
 *            requests.
 * @badge: The receiver sees it; when @endpoint has a badge, only that one.
 * @name: Shorter than PHI_NAME_MAX, not empty.
 * @max_batch: Most inputs in one batch.
 * @id: Out, the model's number; may be NULL.
 * @cap: Out, MODEL handle.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_model_register(int phi, uint64_t endpoint, uint64_t badge,
		       const char *name, uint32_t max_batch, uint64_t *id,
		       uint64_t *cap);

/**
 * phi_model_query() - read the figures of a model
 * @phi: Cspace.
 * @id: The first id to look at.
 * @out: Out, that model or the one with the next higher id.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT when there is none, or another negative errno.
 */
int phi_model_query(int phi, uint64_t id, struct phi_model_query *out);

/**
 * phi_infer_begin() - ask leave for a batch, and which unit runs it
 * @phi: Cspace.
 * @batch: In, @model, @batch, @wanted, @deadline_ns and @queued_ns; Out, the
 *         batch allowed, the unit and the ticket. size and flags are set here.
 *
 * Context: Any thread.
 * Return: 0, or a negative errno, a policy's among them.
 */
int phi_infer_begin(int phi, struct phi_infer_begin *batch);

/**
 * phi_infer_end() - say that a batch is done
 * @phi: The cspace that began it.
 * @ticket: From phi_infer_begin().
 * @result: 0, or the negative errno the batch failed with.
 * @run_ns: Out, time since phi_infer_begin(); may be NULL.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_infer_end(int phi, uint64_t ticket, int result, uint64_t *run_ns);

/**
 * phi_infer_select() - which unit would run a batch now?
 * @phi: Cspace.
 * @batch: In, model, batch, wanted and deadline_ns; Out, the unit, why and
 *         its score. size and flags are set here.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_infer_select(int phi, struct phi_infer_select *batch);

#ifdef __cplusplus
}
#endif

#endif /* PHI_INFERENCE_H */
