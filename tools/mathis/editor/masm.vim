" SPDX-License-Identifier: GPL-2.0-only
" Vim syntax of .masm: copy to ~/.vim/syntax, and
"     autocmd BufRead,BufNewFile *.masm setfiletype masm
if exists("b:current_syntax")
  finish
endif
syntax match masmComment ";.*$" contains=@Spell
syntax region masmString start=+"+ skip=+\\.+ end=+"+ oneline
syntax match masmNumber "\<-\?\(0x\x\+\|\d\+\(\.\d\+\)\?\)\>"
syntax match masmInstruction "\<[A-Z][A-Z0-9_]*\>"
syntax match masmLabel "\.[a-z_][A-Za-z0-9_]*:\?"
syntax match masmDirective "^\s*\.[a-z_]\+\>:\@!"
syntax match masmDirective "^\.\(constants\|types\|globals\):"
highlight default link masmComment Comment
highlight default link masmString String
highlight default link masmNumber Number
highlight default link masmInstruction Statement
highlight default link masmLabel Label
highlight default link masmDirective PreProc
let b:current_syntax = "masm"
