# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced after common.sh by what makes a Debian root filesystem. LOG names the
# file to which apt's own words go.

# shellcheck disable=SC2034
SUITE=trixie

say()
{
	echo "${0##*/}: $*" >&2
}

# A mirror that fails once, fails seldom twice.
again()
{
	"$@" || { sleep 5; "$@"; } || { sleep 30; "$@"; }
}

# The host's own Debian mirror, from one-line or deb822 sources alike.
mirror()
{
	local codename

	if [[ ${DEBIAN_MIRROR:-} ]]; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' |
		awk -v c="$codename" '($1 == c || $1 == "stable") &&
			$2 == "main" { print $3; exit }'
}

# Options of the host's apt for that mirror, as lines of apt.conf.
mirror_options()
{
	local option value

	for option in Acquire::http::Proxy Acquire::https::Proxy \
		Acquire::Check-Valid-Until Acquire::Check-Date; do
		value=$(apt-config shell v "$option" | sed "s/^v=//; s/'//g")
		[[ $value ]] && echo "$option \"$value\";"
	done
	return 0
}

# Set "uri" to that mirror, and "options" to what mmdebstrap must be given.
find_mirror()
{
	local option

	uri=$(mirror)
	[[ $uri ]] || die "no Debian mirror in apt's sources; set DEBIAN_MIRROR=URL"
	options=()
	while read -r option; do
		options+=("--aptopt=$option")
	done < <(mirror_options)
}

# need PROGRAM: install the package of this name where the program is missing.
need()
{
	command -v "$1" >/dev/null && return
	say "installing $1 on this machine"
	apt-get update -q >>"$LOG" 2>&1 || true
	again apt-get install -y -q --no-install-recommends "$1" \
		>>"$LOG" 2>&1 || die "cannot install $1; see $LOG"
}
