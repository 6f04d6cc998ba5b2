#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# storm.sh - a storm of 25 000 calls that begins with the saved corpus, if
# there is one; PHI_STORM_CALLS makes it a longer one. PHI_STORM_KEEP names a
# folder that keeps programs which reach new places.
exec "$PHI_BUILD/selftests/fuzz/storm_prog" --cover --corpus corpus \
	--calls "${PHI_STORM_CALLS:-25000}" \
	${PHI_STORM_KEEP:+--keep "$PHI_STORM_KEEP"}
