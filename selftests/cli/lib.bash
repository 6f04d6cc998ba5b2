# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by the tests of the phi command: each function test_* is one result,
# and fails at the first command in it that does.
# shellcheck disable=SC2034

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PATH=${PHI_BUILD:-$(realpath "${BASH_SOURCE[0]%/*}/../../build")}/tools:$PATH

# The whole script runs in one session.
in_session()
{
	[[ ${PHI_FD:-} ]] || exec phi session "$0" "$@"
}

die()
{
	echo "$*"
	exit 1
}

eq()
{
	[[ $1 == "$2" ]] || die "is '$1', not '$2'"
}

# has TEXT PATTERN: an extended regular expression matches in a line. A test
# asks so hundreds of times, and starting grep takes long on a slow machine.
has()
{
	local line

	while IFS= read -r line; do
		[[ $line =~ $2 ]] && return
	done <<<"$1"
	die "no '$2' in: $1"
}

# fails STATUS PATTERN CMD...: exits so, and says so on stderr.
fails()
{
	local want=$1 pattern=$2 status=0 text
	shift 2

	text=$("$@" 2>&1 >/dev/null </dev/null) || status=$?
	[[ $status == "$want" ]] || die "'$*' exits with $status, says: $text"
	has "$text" "$pattern"
}

# json FILTER CMD...: the result is one JSON value; print what jq takes of it.
json()
{
	local filter=$1 text
	shift

	text=$("$@" --json) || die "'$*' --json exits with $?"
	jq -r "$filter" <<<"$text" || die "no JSON: $text"
}

# limit NAME VALUE CMD...: with that value of the module's parameter. CMD is in
# a shell of its own, whose death does not keep the value.
limit()
{
	local param=/sys/module/phi/parameters name=$1 before status=0
	before=$(cat "$param/$1")
	echo "$2" >"$param/$1"
	shift 2
	("$@") || status=$?
	echo "$before" >"$param/$name"
	return "$status"
}

# until_true CMD...: within five seconds it succeeds.
until_true()
{
	local i

	for ((i = 0; i < 100; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	die "'$*' does not come true"
}

run_tests()
{
	local list test status n=0 bad=0

	mapfile -t list < <(declare -F | sed -n 's/^declare -f test_//p')
	echo "TAP version 13"
	echo "1..${#list[@]}"
	for test in "${list[@]}"; do
		n=$((n + 1))
		(
			set -e
			"test_$test"
		) >"$tmp/.out" 2>&1
		status=$?
		if [[ $status == 0 ]]; then
			echo "ok $n $test"
		else
			sed 's/^/# /' "$tmp/.out"
			echo "not ok $n $test"
			bad=1
		fi
	done
	return "$bad"
}
