/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_PHI_H
#define _UAPI_PHI_H

/**
 * DOC: Numbers of the calls
 *
 *  0x00-0x0f  messages and notifications   endpoint.h notify.h
 *  0x10-0x1f  capabilities                 cap.h
 *  0x20-0x3f  memory                       region.h
 *  0x40-0x4f  threads                      thread.h
 *  0x50-0x5f  processes                    process.h
 *  0x60-0x6f  agents, budgets              agent.h budget.h
 *  0x70-0x8f  units, models, inferences    unit.h infer.h
 *  0x90-0x9f  checkpoint and restore
 *  0xa0-0xaf  the dispatcher of MATHIS        session.h
 *  0xf0-0xff  the system                   system.h decision.h
 */

#include <phi/agent.h>
#include <phi/budget.h>
#include <phi/cap.h>
#include <phi/decision.h>
#include <phi/endpoint.h>
#include <phi/infer.h>
#include <phi/notify.h>
#include <phi/process.h>
#include <phi/region.h>
#include <phi/session.h>
#include <phi/system.h>
#include <phi/thread.h>
#include <phi/unit.h>

#endif /* _UAPI_PHI_H */
