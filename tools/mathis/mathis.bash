# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# bash completion of mathis(1)

_mathis()
{
	local word=${COMP_WORDS[COMP_CWORD]} words=

	if ((COMP_CWORD == 1)); then
		words="asm dis check link run repl calls"
	elif [[ $word == -* ]]; then
		case ${COMP_WORDS[1]} in
		link) words="-o" ;;
		asm) words="-o -s -W" ;;
		run)
			words="--manifest --trace --deadline --fuel --heap --stack --daemon --link --snapshot --restore"
			for word in all console crypto fs.read fs.write io.special \
				log metrics proc.exec secret.import; do
				words+=" --allow-$word --deny-$word"
			done
			word=${COMP_WORDS[COMP_CWORD]}
			;;
		esac
	else
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _mathis mathis
