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
	eq "$(complete_line phi cap derive 1 --rights read,m)" "read,map "
	eq "$(complete_line phi collection create c --type f)" "f16 f32 "
	eq "$(complete_line phi cap mint 1 --type f)" "file "
	eq "$(complete_line phi cspace share o)" "off on "
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

test_numbers_are_no_files()
{
	touch "$tmp/1"
	eq "$(complete_line phi cap derive 1 --badge "$tmp/")" " "
	eq "$(complete_line phi region create "$tmp/")" " "
	eq "$(complete_line phi unit register "$tmp/")" " "
}

test_handles_of_the_type()
{
	local r n
	r=$(phi region create 4096)
	n=$(phi notify create)
	has "$(complete_line phi notify wait 0x)" "$n "
	complete_line phi notify wait 0x | grep "$r" && die "a region waits"
	has "$(complete_line phi endpoint send 1 x --copy 0x)" "$r "
	has "$(complete_line phi endpoint watch 1 0x)" "$n "
}

test_policies()
{
	local other
	has "$(complete_line phi policy load call_)" "^call_filter call_rate "
	mkdir -p "$tmp/prefix/bin" "$tmp/prefix/lib/phi/bpf" "$tmp/own"
	other=$(type -P phi)
	cp "$other" "$tmp/prefix/bin/phi"
	touch "$tmp/prefix/lib/phi/bpf/zz_installed.bpf.o" \
		"$tmp/own/zz_own.bpf.o"
	(
		PATH=$tmp/prefix/bin:$PATH
		hash -r
		export PHI_BPF_DIR=$tmp/own
		eq "$(complete_line phi policy load zz)" "zz_installed zz_own "
	)
	mkdir -p /sys/fs/bpf/phi
	phi policy load call_filter --name zz_loaded
	eq "$(complete_line phi policy show zz)" "zz_loaded "
	phi policy unload zz_loaded
}

test_ids()
{
	local u
	u=$(json .id phi unit register completed --kind cpu)
	has "$(complete_line phi unit query "")" "^$u |  *$u "
}

test_help()
{
	eq "$(complete_line phi help se)" "session "
	eq "$(complete_line phi help cap re)" "rekey revoke "
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
