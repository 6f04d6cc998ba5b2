# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of phi for bash. Nouns, verbs and options come from the command
# itself, so there is nothing here to keep up to date with it.

# What a value may be, by the option before it.
_phi_values()
{
	case $1 in
	--rights) echo "all none read write exec map send recv admin grant" ;;
	--kind | --wanted) echo "cpu gpu tpu" ;;
	--type) echo "file network" ;;
	--port) echo "tcp/ udp/" ;;
	--audience) getent passwd | cut -d: -f1 ;;
	--dev) ls /sys/class/net ;;
	--priority) echo "0 1 2" ;;
	--metric) echo "l2 ip cosine" ;;
	--codes) echo "none 8 4 3 2 1" ;;
	--format) echo "fvecs bvecs ivecs npy idx jsonl" ;;
	esac
}

# What an operand may be, by noun and verb.
_phi_operands()
{
	case "$1 $2" in
	"policy load")
		find "/usr/lib/phi/bpf/$(uname -r)" -name '*.bpf.o' \
			-printf '%f\n' 2>/dev/null | sed 's/\.bpf\.o$//'
		;;
	"policy "*) ls /sys/fs/bpf/phi 2>/dev/null ;;
	"help "*) [[ $2 ]] || phi help --words 2>/dev/null ;;
	"cspace share") echo "on off" ;;
	"collection create" | "collection list") ;;
	"collection "* | "vdfs search" | "vdfs import" | "vdfs export")
		phi collection list --json 2>/dev/null |
			jq -r '.collections[].name' 2>/dev/null
		;;
	"vdfs "*)
		phi vdfs ls --json 2>/dev/null |
			jq -r '.entries[].name' 2>/dev/null
		;;
	"cap unseal" | "cap list" | "cap rekey" | *" create") ;;
	"unit "[qlr]* | "model "[ql]* | "agent "* | "infer run") ;;
	"cap "* | "region "* | "endpoint "* | "notify "* | "unit "* | \
		"model "* | "infer "*)
		[[ ${PHI_FD:-} ]] && phi cap list 2>/dev/null |
			sed -n 's/^\(0x[0-9a-f]*\).*/\1/p'
		;;
	esac
}

_phi()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=() list i options

	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || words+=("${COMP_WORDS[i]}")
	done
	COMPREPLY=()

	# The first words are the noun and the verb.
	if [[ ${#words[@]} == 0 ]]; then
		list="$(phi help --words 2>/dev/null) --help --json --version"
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		return
	fi
	# The verbs of one noun may be reached through another.
	[[ ${words[*]:0:2} == "vdfs collection" ]] && words=("${words[@]:1}")
	options=$(phi help --words "${words[@]:0:1}" 2>/dev/null)
	if grep -q '^[a-z]' <<<"$options"; then
		if [[ ${#words[@]} == 1 ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
			return
		fi
		options=$(phi help --words "${words[@]:0:2}" 2>/dev/null)
	fi

	# An option that has a value ends with =.
	if [[ $prev == --* ]] && grep -qx -- "$prev=" <<<"$options"; then
		list=$(_phi_values "$prev")
		if [[ $list ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${options//=/}" -- "$cur")
		return
	fi

	if [[ ${words[0]} == session && ${#words[@]} == 1 ]] ||
		[[ "${words[*]:0:2}" == "agent run" && ${#words[@]} == 3 ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		return
	fi
	list=$(_phi_operands "${words[0]}" "${words[1]:-}")
	mapfile -t COMPREPLY < <(compgen -W "$list" -f -- "$cur")
}

complete -o filenames -F _phi phi
