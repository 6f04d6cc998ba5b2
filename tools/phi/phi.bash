# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of phi for bash. Nouns, verbs, options and the words for operands
# and values come from the command itself, so there is nothing here to keep up
# to date with it but what a word stands for.

# Policies that can be named: beside the program, built or installed.
_phi_policies()
{
	local own
	own=$(readlink -f "$(type -P phi)" 2>/dev/null)
	own=${own%/*}
	find ${PHI_BPF_DIR:+"$PHI_BPF_DIR"} "$own/../bpf" "$own/../lib/phi/bpf" \
		-maxdepth 1 -name '*.bpf.o' -printf '%f\n' 2>/dev/null |
		sed 's/\.bpf\.o$//'
}

# The capabilities of the session, of some types.
_phi_handles()
{
	[[ ${PHI_FD:-} ]] && phi cap list 2>/dev/null |
		awk -v types=" $* " '/^0x/ && (types == "  " ||
			index(types, " " $2 " ")) { print $1 }'
}

# Values that may stand for a word of NOUN VERB; "-f" asks for files too.
_phi_word()
{
	case "$1 $2:$3" in
	*:LIST) echo "all none read write exec map send recv admin grant" ;;
	*:KIND) echo "cpu gpu tpu" ;;
	*:TYPE) echo "file network" ;;
	*:PROTO/PORT) echo "tcp/ udp/" ;;
	*:PID) ps -eo pid= | tr -d ' ' ;;
	*:USER) getent passwd | cut -d: -f1 ;;
	*:IFACE) ls /sys/class/net ;;
	*:METRIC) echo "l2 ip cosine" ;;
	*:ELEMENT) echo "f32 f16 i8" ;;
	*:CODES) echo "none 8 4 3 2 1" ;;
	*:FORMAT) echo "fvecs bvecs ivecs npy idx jsonl" ;;
	*:ON) echo "on off" ;;
	"policy load:FILE") _phi_policies; echo -f ;;
	*:FILE | *:DIR | *:PARENT | *:INPUT) echo -f ;;
	"infer run:MODEL") _phi_handles model; echo -f ;;
	*:SERVICE)
		phi init list --json 2>/dev/null |
			jq -r '.services[].service' 2>/dev/null
		;;
	"policy load:NAME") ;;
	"policy "*:NAME) ls /sys/fs/bpf/phi 2>/dev/null ;;
	"collection create:NAME") ;;
	"collection "*:NAME | "vdfs search:NAME" | "vdfs import:NAME" | \
		"vdfs export:NAME")
		phi collection list --json 2>/dev/null |
			jq -r '.collections[].name' 2>/dev/null
		;;
	"vdfs "*:NAME | "vdfs "*:PATH | "vdfs "*:BLOB | "vdfs "*:FROM | \
		"vdfs "*:TO)
		phi vdfs ls --json 2>/dev/null |
			jq -r '.entries[].name' 2>/dev/null
		;;
	"unit "*:ID)
		phi unit list --json 2>/dev/null | jq -r '.units[].id' 2>/dev/null
		;;
	"model "*:ID)
		phi model list --json 2>/dev/null | jq -r '.models[].id' 2>/dev/null
		;;
	*:NOTIFY) _phi_handles notify ;;
	"region "*:CAP) _phi_handles memory ;;
	"notify "*:CAP) _phi_handles notify ;;
	"unit "*:CAP) _phi_handles unit ;;
	*:ENDPOINT) _phi_handles endpoint ;;
	*:CAP) _phi_handles ;;
	esac
}

# Offer what may stand for a word, after a comma too.
_phi_offer()
{
	local cur=$4 list files=() before=
	list=$(_phi_word "$1" "$2" "$3")
	if [[ $list == *-f ]]; then
		files=(-f)
		list=${list%-f}
	fi
	if [[ $3 == LIST && $cur == *,* ]]; then
		before=${cur%,*},
		cur=${cur##*,}
	fi
	mapfile -t COMPREPLY < <(compgen -P "$before" -W "$list" "${files[@]}" -- "$cur")
}

_phi()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=() list i n options noun verb='' word operands

	# The first words are the noun and the verb.
	for ((i = 1; i < COMP_CWORD && ${#words[@]} < 3; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || words+=("${COMP_WORDS[i]}")
		# The verbs of one noun may be reached through another.
		[[ ${words[*]} == "vdfs collection" ]] && words=(collection)
		[[ ${#words[@]} == 2 ]] && break
	done
	COMPREPLY=()
	noun=${words[0]:-}
	if [[ ! $noun ]]; then
		list="$(phi help --words 2>/dev/null) --help --json --version"
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		return
	fi
	options=$(phi help --words "$noun" 2>/dev/null)
	n=$((i + 1))
	if grep -q '^[a-z]' <<<"$options"; then
		verb=${words[1]:-}
		if [[ ! $verb ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
			return
		fi
		options=$(phi help --words "$noun" "$verb" 2>/dev/null)
	else
		for ((n = 1; n < COMP_CWORD; n++)); do
			[[ ${COMP_WORDS[n]} == "$noun" ]] && break
		done
		n=$((n + 1))
	fi

	# Which operand is it? Options and their values are none.
	mapfile -t operands < <(grep '^[A-Z]' <<<"$options")
	word=0
	for (( ; n < COMP_CWORD; n++)); do
		if [[ ${operands[word]:-} == CMD ]]; then
			[[ ${COMP_WORDS[n]} == -* ]] || word=$((word + 1))
		elif [[ ${COMP_WORDS[n]} != -* ]]; then
			word=$((word + 1))
		elif grep -q -- "^${COMP_WORDS[n]}=" <<<"$options"; then
			n=$((n + 1))
		fi
	done
	# The value of an option.
	if [[ $prev == --* ]] && list=$(grep -m 1 -- "^$prev=" <<<"$options"); then
		_phi_offer "$noun" "$verb" "${list#*=}" "$cur"
		return
	fi
	if [[ $cur == -* ]]; then
		list=$(grep '^-' <<<"$options" | sed 's/=.*//')
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		return
	fi
	# The last word stands for all that follow.
	((word < ${#operands[@]})) || word=$((${#operands[@]} - 1))
	((word >= 0)) || return 0
	case ${operands[word]} in
	CMD) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
	ARG) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	NOUN) mapfile -t COMPREPLY < <(compgen -W "$(phi help --words)" -- "$cur") ;;
	VERB)
		list=$(phi help --words "${COMP_WORDS[COMP_CWORD - 1]}" | grep '^[a-z]')
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		;;
	*) _phi_offer "$noun" "$verb" "${operands[word]}" "$cur" ;;
	esac
}

complete -o filenames -F _phi phi
