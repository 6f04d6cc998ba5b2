# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by the scripts beside it: where things are.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034
ROOTFS=${PHI_ROOTFS:-$TOP/build/rootfs}
# Where the source tree appears inside the root filesystem and the guest.
# shellcheck disable=SC2034
TREE=/phi
# Lies in a finished root filesystem; its sibling .lists says what is in it.
STAMP=/etc/phi-rootfs

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# True inside the root filesystem, and in a guest that booted from it.
inside()
{
	[[ -e $STAMP ]]
}
