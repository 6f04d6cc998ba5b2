#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Completion of phi in bash, as the shell calls it.
. ./lib.bash
in_session "$@"
# shellcheck source=/dev/null
. ../../tools/phi/phi.bash

# complete_line WORD...: what may stand for the last word, sorted.
complete_line()
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_phi
	printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
}

test_nouns()
{
	eq "$(complete_line phi se)" "session "
	has "$(complete_line phi "")" "cap .*region .*unit "
	has "$(complete_line phi --)" "--json .*--version"
}

test_verbs()
{
	eq "$(complete_line phi cap re)" "rekey revoke "
	eq "$(complete_line phi --json cap deriv)" "derive "
	has "$(complete_line phi policy "")" "list load .*unload"
}

test_options()
{
	eq "$(complete_line phi cap derive 1 --r)" "--rights "
	has "$(complete_line phi unit register a --)" "--capacity .*--kind .*--node"
	has "$(complete_line phi top --)" "--count .*--interval .*--once"
}

test_values()
{
	eq "$(complete_line phi unit register a --kind g)" "gpu "
	eq "$(complete_line phi cap derive 1 --rights m)" "map "
	has "$(complete_line phi policy load x --dev "")" "lo "
	touch "$tmp/input"
	eq "$(complete_line phi endpoint send 1 --file "$tmp/inp")" "$tmp/input "
}

test_handles_of_the_session()
{
	local r
	r=$(phi region create 4096)
	has "$(complete_line phi region info 0x)" "$r "
	has "$(complete_line phi cap drop "")" "$r "
}

test_commands()
{
	has "$(complete_line phi session bas)" "bash "
	has "$(complete_line phi agent run name bas)" "bash "
}

test_every_option_has_the_command_s_word()
{
	local verb
	for verb in $(phi help --words endpoint | grep -v ^--); do
		has "$(complete_line phi endpoint "$verb" --)" "--help.* --json"
	done
}

run_tests
